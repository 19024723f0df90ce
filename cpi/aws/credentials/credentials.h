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
#include "cpi/aws/profile.h"

struct credentials {
	const char *access_key_id;
	const char *secret_access_key;
	const char *session_token; /* NULL: none */
	const char *source;        /* for people: "environment", "role arn:… by profile dev" */
	int64_t expires_at;        /* seconds since 1970; 0: never */
	const char *account;       /* the account's id, where the source knows it; else NULL */
	bool stay_in_use;          /* past expires_at where nothing newer can be had: AWS renews an instance's late at times */
};

/* What a source may use. Texts of its result are in the arena. */
struct credentials_context {
	struct runtime *runtime;
	const struct aws_settings *settings;
	const struct profiles *profiles; /* NULL where the configuration rules them out (static) */
	const char *profile;             /* whose keys a source reads; NULL: the active one. Never NULL for a source */
	bool profile_only;               /* for a source_profile: the variables of the environment are not looked at */
	struct arena *arena;
};

enum credentials_found { CREDENTIALS_ABSENT, CREDENTIALS_LOADED };

struct credentials_source {
	const char *name; /* "environment" */
	/* 0 and *ret_found: loaded, or absent with the reason in why (for the message when no source has any). -1 where
	 * it is there but broken: the message names what is wrong, never the secret. Where source is left NULL, the
	 * name stands for it, with the profile where it is one's. */
	int (*load)(const struct credentials_context *context, struct credentials *ret_credentials,
		    enum credentials_found *ret_found, char *why, size_t why_size, struct error *err);
};

/* Access key and secret of the configuration. */
extern const struct credentials_source credentials_static;
/* AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN. */
extern const struct credentials_source credentials_environment;
/* The profile's role_arn, with source_profile or credential_source. */
extern const struct credentials_source credentials_assume_role;
/* AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN, else the profile's. */
extern const struct credentials_source credentials_web_identity;
/* The profile's sso_session or sso_start_url, by the token that `aws sso login` has left. */
extern const struct credentials_source credentials_sso;
/* Keys of the shared credentials file. */
extern const struct credentials_source credentials_shared_file;
/* The profile's login_session (`aws login`): refused by name. */
extern const struct credentials_source credentials_login;
/* The profile's credential_process. */
extern const struct credentials_source credentials_process;
/* Keys of the config file. */
extern const struct credentials_source credentials_config_file;
/* A container's: AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or _FULL_URI. */
extern const struct credentials_source credentials_container;
/* The instance profile, from the instance metadata service. */
extern const struct credentials_source credentials_instance_metadata;

/* By settings->credentials_source: "static" looks at the configuration alone; "env_or_profile" at all others, in botocore's
 * order. settings->role_arn is then assumed with what was found. The secrets are registered with the log before this
 * returns. ERROR_CONFIG when there are none: says what was looked at and what to set. */
int credentials_load(const struct credentials_context *context, struct credentials *ret_credentials, struct error *err);

/* For a role's source_profile: what that profile itself has (web identity, SSO, keys, process), the environment's variables
 * and its role_arn left out. ERROR_CONFIG names the profile when it has none. */
int credentials_of_profile(const struct credentials_context *context, const char *profile,
			   struct credentials *ret_credentials, struct error *err);

/* Asks one source, and registers the secrets that it gives. */
int credentials_ask(const struct credentials_context *context, const struct credentials_source *source,
		    struct credentials *ret_credentials, enum credentials_found *ret_found, char *why, size_t why_size,
		    struct error *err);

/* Whether they should be loaded again: they expire within five minutes of now (seconds since 1970). */
bool credentials_expiring(const struct credentials *credentials, int64_t now);

/* For sources: refuses keys that could not be sent (empty, blanks, control characters). where names them in the
 * message. */
int credentials_check(const struct credentials *credentials, const char *where, struct error *err);

#endif
