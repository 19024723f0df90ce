/* SPDX-License-Identifier: Apache-2.0 */
/* All that credentials come from, for tests of who asks whom and in which order: a home folder for the shared files, and a
 * wire behind which STS, SSO, a container's service and instance metadata give keys that say whose they are. */
#ifndef TESTS_UNIT_CHAIN_KIT_H
#define TESTS_UNIT_CHAIN_KIT_H

#include "cpi/aws/credentials/credentials.h"
#include "tests/unit/fake_aws.h"
#include "tests/unit/tree.h"

#define CHAIN_MAX_REQUESTS 64

struct chain_request {
	char url[512];
	char body[2048];
	char authorization[512]; /* "" : not signed */
};

/* Keys by service: ASIASTS-<role's name>, ASIAWEB-<role's name>, ASIASSO, ASIACONTAINER, ASIAIMDS. Each "secret-of-" and the
 * id, with the token "token-of-" and the id. */
struct chain_kit {
	struct fake_aws fake; /* its wire is replaced */
	struct tree home;
	struct arena *arena;
	struct profiles profiles;
	struct credentials_context context;
	struct chain_request requests[CHAIN_MAX_REQUESTS];
	unsigned n_requests;
	bool has_metadata;        /* else nobody answers there */
	const char *denied_role;  /* its name; STS says AccessDenied */
	int64_t lifetime_s;       /* of what STS gives; 3600 */
};

/* An empty home, none of the variables set, credentials_source env_or_profile, region eu-west-1. */
void chain_open(struct chain_kit *kit);
void chain_close(struct chain_kit *kit);
/* Writes ~/.aws/config and ~/.aws/credentials (NULL: none) and reads them. */
void chain_files(struct chain_kit *kit, const char *config, const char *credentials);
/* ~/NAME with that content; its path lives until the next call. */
const char *chain_file(struct chain_kit *kit, const char *name, const char *content);
/* credentials_load's result is those keys, and the log hides them from now on. */
struct credentials chain_expect(struct chain_kit *kit, const char *access_key_id, const char *source);
/* … is ERROR_CONFIG with that text, and names none of the kit's secrets. */
void chain_expect_error(struct chain_kit *kit, const char *in_message);
/* The number of requests of that action so far. */
unsigned chain_count(const struct chain_kit *kit, const char *action);

#endif
