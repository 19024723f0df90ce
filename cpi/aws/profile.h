/* SPDX-License-Identifier: Apache-2.0 */
/* The files that the AWS tools share, ~/.aws/config and ~/.aws/credentials, read as botocore reads them. Knows sections
 * and keys; what a key means is its reader's business. Asks nobody.
 * Fact: "Shared config and credentials files", AWS SDKs and Tools Reference Guide; botocore's configloader for the
 * syntax. */
#ifndef CPI_AWS_PROFILE_H
#define CPI_AWS_PROFILE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/arena.h"
#include "common/error.h"

#define PROFILE_MAX_BYTES ((size_t)1024 * 1024) /* of one file */

/* One key, lower case. nested: the indented lines under a key without a value ("services" sections hold such), else
 * NULL. Of a repeated key the first in the list counts. */
struct profile_entry {
	const char *key;
	const char *value;
	const struct profile_entry *nested;
	const struct profile_entry *next;
};

struct profile_section {
	const char *kind; /* "profile", "sso-session", "services"; the credentials file's are all "profile" */
	const char *name;
	const struct profile_entry *entries;
	const struct profile_section *next;
};

struct profiles {
	const char *config_path;      /* AWS_CONFIG_FILE, else ~/.aws/config; NULL where there is no home */
	const char *credentials_path; /* AWS_SHARED_CREDENTIALS_FILE, else ~/.aws/credentials */
	const struct profile_section *config; /* NULL: no such file, or nothing in it */
	const struct profile_section *credentials;
	const char *active; /* AWS_DEFAULT_PROFILE, AWS_PROFILE (in this order, as botocore), else "default" */
	bool active_is_chosen; /* by a variable: then it must exist for whoever wants credentials of it */
};

/* Everything is in the arena. A file that is not there, or no ordinary one, is empty; one that cannot be read, or is no
 * such file, is ERROR_CONFIG with its path and line; never a line's text, which may be a secret. */
int profiles_load(struct arena *arena, struct profiles *ret_profiles, struct error *err);
/* Whether one of the files has that profile. */
bool profiles_has(const struct profiles *profiles, const char *profile);
/* A profile's value; the credentials file wins, also with an empty one. NULL: not there, or empty. profiles NULL:
 * NULL. */
const char *profiles_get(const struct profiles *profiles, const char *profile, const char *key);
/* The same, of one file alone. */
const char *profiles_get_config(const struct profiles *profiles, const char *profile, const char *key);
const char *profiles_get_credentials(const struct profiles *profiles, const char *profile, const char *key);
/* Whether there is such a section, [sso-session NAME] and the like. profiles NULL: no. */
bool profiles_has_section(const struct profiles *profiles, const char *kind, const char *name);
/* A key of it. */
const char *profiles_get_section(const struct profiles *profiles, const char *kind, const char *name, const char *key);
/* A nested key of [services NAME]: profiles_get_nested(p, "services", "local", "ec2", "endpoint_url"). */
const char *profiles_get_nested(const struct profiles *profiles, const char *kind, const char *name, const char *key,
				const char *nested);
/* A setting that the SDKs share: the variable's value, else the active profile's; NULL where both are absent or empty.
 * profiles may be NULL. */
const char *profiles_setting(const struct profiles *profiles, const char *variable, const char *key);
/* Whether that is "true", in any case of letters. */
bool profiles_switch(const struct profiles *profiles, const char *variable, const char *key);
/* Where a profile stands, for messages: "profile dev of /home/me/.aws/config"; of both files where neither or both have
 * it. In the arena; NULL without memory. */
const char *profiles_where(const struct profiles *profiles, const char *profile, struct arena *arena);
/* A path of the files' or variables', "~/" put in full (HOME, else the user database). In the arena. */
const char *profiles_expand(const char *path, struct arena *arena);

#endif
