/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/source_kit.h"

#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/io.h"

#define HANG_MS 200

extern char **environ;

/* --- the clock and the wire --------------------------------------------------------------------------------------- */

static int64_t monotonic_ms(void *self)
{
	const struct source_kit *kit = self;
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return ((int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000) * kit->speed;
}

static int64_t wall_us(void *self)
{
	(void)self;
	return SOURCE_NOW * 1000000;
}

/* A thousandth of it. */
static int sleep_ms(void *self, int64_t ms, const struct cancel *cancel, struct error *err)
{
	(void)self;
	usleep((useconds_t)ms);
	return cancel_check(cancel, err);
}

static struct source_answer answer_to(struct source_kit *kit, unsigned number)
{
	pthread_mutex_lock(&kit->lock);
	struct source_answer answer = kit->script[number < kit->n_script ? number : kit->n_script - 1];
	pthread_mutex_unlock(&kit->lock);
	return answer;
}

static int perform(void *self, const struct http_request *request, const struct cancel *cancel, struct arena *arena,
		   struct http_response *ret_response, struct error *err)
{
	struct source_kit *kit = self;
	struct http_request quick = *request;
	unsigned number = kit->server == NULL ? 0 : http_server_requests(kit->server);
	bool hangs = kit->server != NULL && answer_to(kit, number).way == SOURCE_HANGS;

	assert_true(request->timeout_ms > 0);
	if (hangs)
		quick.timeout_ms = HANG_MS;
	int result = kit->real_http.perform(kit->real_http.self, &quick, cancel, arena, ret_response, err);
	/* the server may be slower than the time-out to see what was sent to it */
	while (hangs && http_server_requests(kit->server) == number)
		usleep(1000);
	return result;
}

static void send_answer(const struct http_server_request *request, const struct source_answer *answer)
{
	size_t size = strlen(answer->body) + 1000;
	char *text = malloc(size);

	if (text == NULL)
		abort();
	snprintf(text, size, "HTTP/1.1 %d X\r\nContent-Length: %zu\r\n%s\r\n%s", answer->status == 0 ? 200 : answer->status,
		 strlen(answer->body), answer->header == NULL ? "" : answer->header, answer->body);
	if (answer->way == SOURCE_CUTS)
		text[strlen(text) - strlen(answer->body) / 2] = '\0';
	http_server_send(request, text);
	free(text);
}

static bool serve(struct http_server *server, const struct http_server_request *request, void *context)
{
	struct source_kit *kit = context;
	unsigned number = request->number;

	(void)server;
	pthread_mutex_lock(&kit->lock);
	if (number < SOURCE_MAX)
		kit->requests[number] = strdup(request->text);
	pthread_mutex_unlock(&kit->lock);
	const struct source_answer answer = answer_to(kit, number);
	switch (answer.way) {
	case SOURCE_SIGNALS:
		cancel_raise(&kit->cancel, SIGTERM);
		http_server_hang(request);
		return false;
	case SOURCE_HANGS:
		http_server_hang(request);
		return false;
	case SOURCE_RESETS:
		http_server_reset(request);
		return false;
	case SOURCE_CUTS:
		send_answer(request, &answer);
		return false;
	default:
		send_answer(request, &answer);
		return true;
	}
}

/* --- its life ----------------------------------------------------------------------------------------------------- */

static void clean_environment(void)
{
	for (char **at = environ; *at != NULL;) {
		char name[200];
		snprintf(name, sizeof(name), "%.*s", (int)strcspn(*at, "="), *at);
		if (strncmp(name, "AWS_", 4) == 0 && unsetenv(name) == 0)
			at = environ;
		else
			at++;
	}
}

static void stop_server(struct source_kit *kit)
{
	if (kit->server != NULL)
		http_server_stop(kit->server);
	kit->server = NULL;
	for (unsigned i = 0; i < SOURCE_MAX; i++) {
		free(kit->requests[i]);
		kit->requests[i] = NULL;
	}
}

int source_kit_open(void **state)
{
	struct source_kit *kit = calloc(1, sizeof(*kit));

	clean_environment();
	if (kit == NULL)
		return -1;
	snprintf(kit->home, sizeof(kit->home), "/tmp/test_credentials.XXXXXX");
	if (mkdtemp(kit->home) == NULL || cancel_open(&kit->cancel, NULL) != 0 || http_open(&kit->real_http, NULL) != 0)
		return -1;
	setenv("HOME", kit->home, 1);
	pthread_mutex_init(&kit->lock, NULL);
	kit->speed = 1;
	kit->clock = (struct clock){ monotonic_ms, wall_us, sleep_ms, kit, 1.0 };
	log_init(&kit->log, memfd_create("log", MFD_CLOEXEC), LOG_LEVEL_DEBUG, &kit->clock);
	kit->http = (struct http_transport){ .perform = perform, .self = kit };
	kit->runtime = (struct runtime){ &kit->log, &kit->clock, &kit->cancel, &kit->http };
	kit->settings = (struct aws_settings){ .region = "eu-west-1", .credentials_source = "env_or_profile" };
	kit->arena = arena_new((size_t)16 * 1024 * 1024);
	kit->context = (struct credentials_context){
		.runtime = &kit->runtime,
		.settings = &kit->settings,
		.profiles = &kit->profiles,
		.profile = "dev",
		.arena = kit->arena,
	};
	*state = kit;
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *walk)
{
	(void)st;
	(void)kind;
	(void)walk;
	return remove(path);
}

int source_kit_close(void **state)
{
	struct source_kit *kit = *state;

	clean_environment();
	stop_server(kit);
	http_close(&kit->real_http);
	cancel_close(&kit->cancel);
	close(kit->log.fd);
	arena_free(kit->arena);
	pthread_mutex_destroy(&kit->lock);
	int removed = nftw(kit->home, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(kit);
	return removed;
}

/* --- files and answers -------------------------------------------------------------------------------------------- */

void source_kit_file(struct source_kit *kit, const char *name, const char *format, ...)
{
	char path[300];
	va_list args;

	snprintf(path, sizeof(path), "%s/%s", kit->home, name);
	for (char *slash = path + strlen(kit->home) + 1; (slash = strchr(slash, '/')) != NULL; *slash++ = '/') {
		*slash = '\0';
		assert_true(mkdir(path, 0700) == 0 || errno == EEXIST);
	}
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	va_start(args, format);
	assert_true(vfprintf(file, format, args) >= 0);
	va_end(args);
	assert_int_equal(fclose(file), 0);
}

const char *source_kit_read(struct source_kit *kit, const char *name)
{
	char path[300];
	char *text;

	snprintf(path, sizeof(path), "%s/%s", kit->home, name);
	assert_int_equal(io_read_file(path, 1000000, kit->arena, &text, NULL, NULL), 0);
	return text;
}

void source_kit_script(struct source_kit *kit, struct source_answer answer)
{
	stop_server(kit);
	kit->script[0] = answer;
	kit->n_script = 1;
	kit->server = http_server_start(serve, kit);
}

void source_kit_then(struct source_kit *kit, struct source_answer answer)
{
	assert_true(kit->n_script < SOURCE_MAX);
	pthread_mutex_lock(&kit->lock);
	kit->script[kit->n_script++] = answer;
	pthread_mutex_unlock(&kit->lock);
}

void source_kit_change(struct source_kit *kit, unsigned number, struct source_answer answer)
{
	assert_true(number < kit->n_script);
	pthread_mutex_lock(&kit->lock);
	kit->script[number] = answer;
	pthread_mutex_unlock(&kit->lock);
}

const char *source_kit_request(struct source_kit *kit, unsigned number)
{
	assert_true(number < SOURCE_MAX);
	pthread_mutex_lock(&kit->lock);
	const char *text = kit->requests[number];
	pthread_mutex_unlock(&kit->lock);
	assert_non_null(text);
	return text;
}

unsigned source_kit_requests(struct source_kit *kit)
{
	return http_server_requests(kit->server);
}

/* --- loading ------------------------------------------------------------------------------------------------------ */

void source_kit_expect_nomem(struct source_kit *kit, const struct credentials_source *source)
{
	bool loaded = false;

	for (size_t room = 0; room < 8192 && !loaded; room += 16) {
		struct arena *small CLEANUP_ARENA = arena_new(room);
		struct credentials credentials = { .access_key_id = "untouched" };
		struct error err = { 0 };
		kit->context.arena = small;
		loaded = source->load(&kit->context, &credentials, &kit->found, kit->why, sizeof(kit->why), &err) == 0;
		if (!loaded) {
			if (err.kind != ERROR_NOMEM)
				fail_msg("%zu: %s", room, err.message);
			assert_string_equal(credentials.access_key_id, "untouched");
		}
		log_forget_secrets(&kit->log, small);
	}
	assert_true(loaded);
	kit->context.arena = kit->arena;
}

const char *source_kit_log(struct source_kit *kit)
{
	char *text = arena_alloc(kit->arena, 100000);

	assert_non_null(text);
	assert_true(pread(kit->log.fd, text, 99999, 0) >= 0);
	return text;
}

static void assert_no_secret(struct source_kit *kit)
{
	if (strstr(kit->err.message, "hush") != NULL)
		fail_msg("a secret in the message: %s", kit->err.message);
	if (strstr(kit->why, "hush") != NULL)
		fail_msg("a secret in the reason: %s", kit->why);
	if (strstr(source_kit_log(kit), "hush") != NULL)
		fail_msg("a secret in the log: %s", source_kit_log(kit));
}

int source_kit_load(struct source_kit *kit, const struct credentials_source *source)
{
	kit->err = (struct error){ 0 };
	kit->why[0] = '\0';
	kit->credentials = (struct credentials){ .access_key_id = "untouched" };
	if (profiles_load(kit->arena, &kit->profiles, &kit->err) != 0)
		fail_msg("%s", kit->err.message);
	int result = source->load(&kit->context, &kit->credentials, &kit->found, kit->why, sizeof(kit->why), &kit->err);
	assert_no_secret(kit);
	return result;
}

void source_kit_expect_loaded(struct source_kit *kit, const struct credentials_source *source, const char *id,
			      const char *secret, const char *token)
{
	if (source_kit_load(kit, source) != 0)
		fail_msg("%s", kit->err.message);
	if (kit->found != CREDENTIALS_LOADED)
		fail_msg("absent: %s", kit->why);
	assert_string_equal(kit->credentials.access_key_id, id);
	assert_string_equal(kit->credentials.secret_access_key, secret);
	if (token == NULL)
		assert_null(kit->credentials.session_token);
	else
		assert_string_equal(kit->credentials.session_token, token);
}

void source_kit_expect_absent(struct source_kit *kit, const struct credentials_source *source, const char *why)
{
	if (source_kit_load(kit, source) != 0)
		fail_msg("%s", kit->err.message);
	assert_int_equal(kit->found, CREDENTIALS_ABSENT);
	if (strstr(kit->why, why) == NULL)
		fail_msg("'%s' is not in: %s", why, kit->why);
	assert_string_equal(kit->credentials.access_key_id, "untouched");
}

void source_kit_expect_error(struct source_kit *kit, const struct credentials_source *source, enum error_kind kind,
			     const char *words)
{
	if (source_kit_load(kit, source) == 0)
		fail_msg("no error; expected: %s", words);
	if (strstr(kit->err.message, words) == NULL)
		fail_msg("'%s' is not in: %s", words, kit->err.message);
	if (kit->err.kind != kind)
		fail_msg("kind %d: %s", (int)kit->err.kind, kit->err.message);
	assert_string_equal(kit->credentials.access_key_id, "untouched");
}
