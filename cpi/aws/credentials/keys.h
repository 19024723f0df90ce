/* SPDX-License-Identifier: Apache-2.0 */
/* Keys that stand in one of the shared files: what the credentials file and the config file have in common. */
#ifndef CPI_AWS_CREDENTIALS_KEYS_H
#define CPI_AWS_CREDENTIALS_KEYS_H

#include "cpi/aws/credentials/credentials.h"

struct keys_file {
	const char *path; /* for messages; NULL: there is none */
	/* of that file alone */
	const char *(*get)(const struct profiles *profiles, const char *profile, const char *key);
};

/* As a source's load. ERROR_CONFIG names file, profile and key. context->profiles must be there. */
int keys_load(const struct credentials_context *context, const struct keys_file *file,
	      struct credentials *ret_credentials, enum credentials_found *ret_found, char *why, size_t why_size,
	      struct error *err);

#endif
