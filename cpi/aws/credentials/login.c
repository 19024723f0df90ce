/* SPDX-License-Identifier: Apache-2.0 */
/* `aws login` leaves a session in the profile that only the AWS command line can renew. Passing over it would mean
 * working as somebody else, so it is refused by name. */
#include "cpi/aws/credentials/credentials.h"

#include <stdio.h>

static int load(const struct credentials_context *context, struct credentials *ret_credentials,
		enum credentials_found *ret_found, char *why, size_t why_size, struct error *err)
{
	(void)ret_credentials;
	if (profiles_get(context->profiles, context->profile, "login_session") == NULL) {
		snprintf(why, why_size, "no login_session");
		*ret_found = CREDENTIALS_ABSENT;
		return 0;
	}
	const char *where = profiles_where(context->profiles, context->profile, context->arena);
	return error_set(err, ERROR_CONFIG,
			 "%s has login_session, a session of `aws login`, which is not supported here: use `aws sso login` "
			 "or keys, or set credential_process = aws configure export-credentials --profile %s in another "
			 "profile and AWS_PROFILE to that one",
			 where == NULL ? context->profile : where, context->profile);
}

const struct credentials_source credentials_login = { "aws login", load };
