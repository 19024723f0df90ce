/* SPDX-License-Identifier: Apache-2.0 */
/* The access token that `aws sso login` leaves under ~/.aws/sso/cache, and its refreshing. The file is shared with the AWS
 * CLI and the SDKs: it is written as they write it.
 * Fact: botocore's SSOTokenProvider; CreateToken, IAM Identity Center OIDC API Reference. */
#ifndef CPI_AWS_CREDENTIALS_SSO_TOKEN_H
#define CPI_AWS_CREDENTIALS_SSO_TOKEN_H

#include "cpi/aws/credentials/sso_login.h"

/* A token that is still valid, in the arena, and registered with the log. A session's that ends within 15 minutes is refreshed first; where
 * that fails it is used while it lasts. ERROR_CONFIG says why there is none, and to log in. */
int sso_token_get(const struct credentials_context *context, const struct sso_login *login, const char **ret_token,
		  struct error *err);

#endif
