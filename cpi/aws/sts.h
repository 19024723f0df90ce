/* SPDX-License-Identifier: Apache-2.0 */
/* Calls to the Security Token Service: other credentials for those at hand, who they belong to, and what an encoded refusal
 * says. Fact: AWS Security Token Service API Reference, version 2011-06-15. */
#ifndef CPI_AWS_STS_H
#define CPI_AWS_STS_H

#include "common/arena.h"
#include "common/error.h"
#include "cpi/aws/client.h"
#include "cpi/aws/credentials/credentials.h"

struct sts_role {
	const char *role_arn;
	const char *session_name;        /* NULL: "rsn-" and a random UUID, as the incumbent has it */
	const char *external_id;         /* NULL: none; AssumeRole alone */
	const char *duration_seconds;    /* NULL: AWS's default of an hour */
	const char *web_identity_token;  /* AssumeRoleWithWebIdentity alone */
};

/* Credentials of the role in context->arena, with expiry and account; source signs. Their secrets are registered with the log.
 * Errors name role and source: ERROR_AWS when AWS says no, ERROR_INVALID for an answer that holds no credentials, those of
 * aws_call otherwise. */
int sts_assume_role(const struct credentials_context *context, const struct credentials *source,
		    const struct sts_role *role, struct credentials *ret_credentials, struct error *err);
/* The same by a token of an identity provider; the call is not signed. */
int sts_assume_role_with_web_identity(const struct credentials_context *context, const struct sts_role *role,
				      struct credentials *ret_credentials, struct error *err);

struct sts_identity {
	const char *account; /* 12 digits */
	const char *arn;
	const char *user_id;
};

int sts_get_caller_identity(struct aws_client *client, struct arena *arena, struct sts_identity *ret_identity,
			    struct error *err);
/* The JSON document that AWS put, encoded, into a refusal. Needs a right of its own (sts:DecodeAuthorizationMessage). One
 * attempt only. */
int sts_decode_authorization_message(struct aws_client *client, const char *encoded, struct arena *arena,
				     const char **ret_json, struct error *err);

#endif
