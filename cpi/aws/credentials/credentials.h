/* SPDX-License-Identifier: Apache-2.0 */
/* Who we are to AWS. Each source is one file behind one interface; the chain asks them in order and takes the first
 * that is there. A source that is there but broken is an error that names it, never a fall-through to the next. */
#ifndef CPI_AWS_CREDENTIALS_CREDENTIALS_H
#define CPI_AWS_CREDENTIALS_CREDENTIALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/error.h"
#include "common/runtime.h"
#include "cpi/aws/client.h"

struct credentials {
	const char *access_key_id;
	const char *secret_access_key;
	const char *session_token; /* NULL: none */
	const char *source;        /* the source's name, for people */
	int64_t expires_at;        /* seconds since 1970; 0: never */
};

/* What a source may use. Texts of its result are in the arena. */
struct credentials_context {
	struct runtime *runtime;
	const struct aws_settings *settings;
	struct arena *arena;
};

enum credentials_found { CREDENTIALS_ABSENT, CREDENTIALS_LOADED };

struct credentials_source {
	const char *name; /* "environment" */
	/* 0 and *ret_found: loaded, or absent with the reason in why (for the message when no source has any). -1 where
	 * it is there but broken: the message names what is wrong, never the secret. */
	int (*load)(const struct credentials_context *context, struct credentials *ret_credentials,
		    enum credentials_found *ret_found, char *why, size_t why_size, struct error *err);
};

/* Access key and secret of the configuration. */
extern const struct credentials_source credentials_static;
/* AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN. */
extern const struct credentials_source credentials_environment;
/* The instance profile, from the instance metadata service. */
extern const struct credentials_source credentials_instance_metadata;

/* By settings->credentials_source: "static" looks at the configuration alone; "env_or_profile" at all others in order.
 * The secrets are registered with the log before this returns. ERROR_CONFIG when there are none: says what was looked
 * at and what to set. */
int credentials_load(const struct credentials_context *context, struct credentials *ret_credentials, struct error *err);

/* Whether they should be loaded again: they expire within five minutes of now (seconds since 1970). */
bool credentials_expiring(const struct credentials *credentials, int64_t now);

/* For sources: refuses keys that could not be sent (empty, blanks, control characters). where names them in the
 * message. */
int credentials_check(const struct credentials *credentials, const char *where, struct error *err);

#endif
