/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of the config file. How they are read is keys.c's. */
#include "cpi/aws/credentials/credentials.h"

#include <stdio.h>

#include "cpi/aws/credentials/keys.h"

static int load(const struct credentials_context *context, struct credentials *ret_credentials,
		enum credentials_found *ret_found, char *why, size_t why_size, struct error *err)
{
	if (context->profiles == NULL) {
		snprintf(why, why_size, "the shared files are not read");
		*ret_found = CREDENTIALS_ABSENT;
		return 0;
	}
	const struct keys_file file = { context->profiles->config_path, profiles_get_config };
	return keys_load(context, &file, ret_credentials, ret_found, why, why_size, err);
}

const struct credentials_source credentials_config_file = { "config file", load };
