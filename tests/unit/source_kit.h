/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the credentials' sources have in common: an empty environment, a home of their own, an HTTP server that answers
 * by a script, and a clock that stands at SOURCE_NOW for all that is signed or expires. Every secret of these tests holds
 * the word "hush", which must be in no message and no line of the log. */
#ifndef TESTS_UNIT_SOURCE_KIT_H
#define TESTS_UNIT_SOURCE_KIT_H

#include <pthread.h>
#include <stdint.h>

#include "common/http.h"
#include "cpi/aws/credentials/credentials.h"
#include "tests/unit/http_server.h"

#define SOURCE_NOW INT64_C(1767225600) /* 2026-01-01T00:00:00Z */
#define SOURCE_MAX 16

enum source_way {
	SOURCE_ANSWERS,
	SOURCE_HANGS,   /* and the time-out comes soon */
	SOURCE_RESETS,
	SOURCE_CUTS,    /* half of the answer */
	SOURCE_SIGNALS, /* a signal comes instead of the answer */
};

struct source_answer {
	enum source_way way;
	int status; /* 0: 200 */
	const char *body;
	const char *header; /* "Name: value\r\n"; NULL: none */
};

struct source_kit {
	char home[64];
	pthread_mutex_t lock; /* over the script and the requests */
	struct source_answer script[SOURCE_MAX]; /* the last one is repeated */
	unsigned n_script;
	char *requests[SOURCE_MAX];
	struct http_server *server;
	int speed; /* of the monotonic clock; 1 unless a test says so */
	struct clock clock;
	struct log log;
	struct cancel cancel;
	struct http_transport real_http;
	struct http_transport http;
	struct runtime runtime;
	struct aws_settings settings;
	struct profiles profiles;
	struct arena *arena;
	struct credentials_context context;
	/* of the last load */
	struct credentials credentials;
	enum credentials_found found;
	char why[512];
	struct error err;
};

/* For cmocka: *state is the kit. */
int source_kit_open(void **state);
int source_kit_close(void **state);

/* A file below the home (".aws/config"), its folders too; %s in the text are the arguments. */
void source_kit_file(struct source_kit *kit, const char *name, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* The whole of such a file, in the kit's arena. */
const char *source_kit_read(struct source_kit *kit, const char *name);
/* Empties the script and begins it anew with that answer. */
void source_kit_script(struct source_kit *kit, struct source_answer answer);
void source_kit_then(struct source_kit *kit, struct source_answer answer);
/* Another answer to the request of that number. */
void source_kit_change(struct source_kit *kit, unsigned number, struct source_answer answer);
/* How many requests have come since the script began, and one of them as it came. */
unsigned source_kit_requests(struct source_kit *kit);
const char *source_kit_request(struct source_kit *kit, unsigned number);

/* Reads the files and asks the source, for kit->context.profile. Fails the test when a secret is in a message or the log. */
int source_kit_load(struct source_kit *kit, const struct credentials_source *source);
void source_kit_expect_loaded(struct source_kit *kit, const struct credentials_source *source, const char *id,
			      const char *secret, const char *token);
void source_kit_expect_absent(struct source_kit *kit, const struct credentials_source *source, const char *why);
void source_kit_expect_error(struct source_kit *kit, const struct credentials_source *source, enum error_kind kind,
			     const char *words);
/* With ever more memory: ERROR_NOMEM and nothing touched, until it is loaded. kit->profiles is read by the caller. */
void source_kit_expect_nomem(struct source_kit *kit, const struct credentials_source *source);
/* All that was logged so far. */
const char *source_kit_log(struct source_kit *kit);

#define SOURCE_TEST(name) cmocka_unit_test_setup_teardown(name, source_kit_open, source_kit_close)

#endif
