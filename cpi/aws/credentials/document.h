/* SPDX-License-Identifier: Apache-2.0 */
/* Credentials as a JSON object. Services and programs name the fields each in its own way; what must be there, and of
 * which type, is checked here. */
#ifndef CPI_AWS_CREDENTIALS_DOCUMENT_H
#define CPI_AWS_CREDENTIALS_DOCUMENT_H

#include <stdbool.h>

#include "common/json_read.h"
#include "cpi/aws/credentials/credentials.h"

struct document {
	const char *whose; /* for messages: "the container's credentials service" */
	const char *id;    /* the fields' names */
	const char *secret;
	const char *token;
	const char *expiration;
	const char *account; /* NULL: it says none */
	bool milliseconds;   /* the expiration is a number of milliseconds since 1970, else a text */
	bool lasting;        /* token and expiration may be left out */
	bool may_be_expired;
};

/* 0 and credentials whose texts are root's. Secrets are registered with the log as soon as they are seen. ERROR_CONFIG
 * names the field that is missing or wrong, never its value (but for a time). */
int document_read(const struct credentials_context *context, const struct json *root, const struct document *document,
		  struct credentials *ret_credentials, struct error *err);
/* A field of any other object: a text that is not empty. ERROR_CONFIG names whose it is, and the field. */
int document_text(const struct json *root, const char *whose, const char *field, const char **ret_text,
		  struct error *err);

#endif
