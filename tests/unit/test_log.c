/* SPDX-License-Identifier: Apache-2.0 */
/* Log lines: their form to the letter, escaping, cutting, secrets in every spelling, descriptors that
 * do not take them, several threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/io.h"
#include "common/log.h"
#include "common/parallel.h"
#include "tests/unit/fail_alloc.h"
#include "tests/unit/gather.h"

#define KEY "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

static int64_t held_wall(void *self)
{
	(void)self;
	return INT64_C(1769854830000042); /* 2026-01-31 10:20:30.000042 UTC */
}

struct fixture {
	struct clock clock;
	struct log log;
	int read_fd;
	char line[40000];
};

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	int fds[2];

	setenv("TZ", "UTC0", 1);
	tzset();
	if (fixture == NULL || pipe(fds) != 0 || io_set_nonblocking(fds[0], NULL) != 0)
		return -1;
	fixture->clock.wall_us = held_wall;
	fixture->read_fd = fds[0];
	log_init(&fixture->log, fds[1], LOG_LEVEL_DEBUG, &fixture->clock);
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	close(fixture->read_fd);
	if (fixture->log.fd >= 0)
		close(fixture->log.fd);
	free(fixture);
	return 0;
}

/* All that was written since the last look. */
static const char *written(struct fixture *fixture)
{
	ssize_t n = read(fixture->read_fd, fixture->line, sizeof(fixture->line) - 1);

	fixture->line[n > 0 ? n : 0] = '\0';
	return fixture->line;
}

/* What stands behind the head, without the line break. */
static const char *text(struct fixture *fixture)
{
	const char *line = written(fixture);
	size_t len = strlen(line);

	assert_true(len > 0 && line[len - 1] == '\n');
	fixture->line[len - 1] = '\0';
	assert_null(strchr(line, '\n'));
	const char *colon = strstr(line, "-- : ");
	assert_non_null(colon);
	return colon + strlen("-- : ");
}

static void lines_are_as_rubys(void **state)
{
	struct fixture *fixture = *state;
	char expected[200];

	log_info(&fixture->log, "made %s", "vol-1");
	snprintf(expected, sizeof(expected), "I, [2026-01-31T10:20:30.000042 #%ld]  INFO -- : made vol-1\n",
		 (long)getpid());
	assert_string_equal(written(fixture), expected);

	log_set_request_id(&fixture->log, "cpi-123456");
	static const struct {
		void (*write)(struct log *log, const char *format, ...);
		const char *head;
		const char *word;
	} rows[] = {
		{ log_debug, "D, [", " DEBUG -- [req_id cpi-123456]: x\n" },
		{ log_info, "I, [", "  INFO -- [req_id cpi-123456]: x\n" },
		{ log_warn, "W, [", "  WARN -- [req_id cpi-123456]: x\n" },
		{ log_error, "E, [", " ERROR -- [req_id cpi-123456]: x\n" },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		rows[i].write(&fixture->log, "x");
		const char *line = written(fixture);
		assert_memory_equal(line, rows[i].head, 4);
		assert_string_equal(strchr(line, ']') + 1, rows[i].word);
	}
}

static void levels(void **state)
{
	struct fixture *fixture = *state;

	fixture->log.level = LOG_LEVEL_WARN;
	log_debug(&fixture->log, "a");
	log_info(&fixture->log, "b");
	assert_string_equal(written(fixture), "");
	log_warn(&fixture->log, "c");
	assert_string_equal(text(fixture), "c");
}

static void request_ids_are_tamed(void **state)
{
	struct fixture *fixture = *state;
	char longer[300];

	log_set_request_id(&fixture->log, "a]b[c\nd\x1b e\xc3\xa9");
	assert_string_equal(fixture->log.request_id, "abcde");
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	log_set_request_id(&fixture->log, longer);
	assert_int_equal(strlen(fixture->log.request_id), sizeof(fixture->log.request_id) - 1);
	log_set_request_id(&fixture->log, NULL);
	assert_string_equal(fixture->log.request_id, "");
}

static void escapes(void **state)
{
	static const char *const rows[][2] = {
		{ "one\ntwo\r\n\tthree", "one\\ntwo\\r\\n\\tthree" },
		{ "\x1b[31mred\x7f", "\\x1b[31mred\\x7f" },
		{ "gr\xc3\xbc\xc3\x9f dich \xe2\x82\xac \xf0\x9f\x98\x80", "gr\xc3\xbc\xc3\x9f dich \xe2\x82\xac \xf0\x9f\x98\x80" },
		{ "C1 \xc2\x9b end \xc2\xa0", "C1 \\xc2\\x9b end \xc2\xa0" },
		{ "bad \xff\xc3", "bad \\xff\\xc3" },
		{ "back\\slash", "back\\slash" },
		{ "", "" },
	};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		log_info(&fixture->log, "%s", rows[i][0]);
		assert_string_equal(text(fixture), rows[i][1]);
	}
}

static void long_lines_are_cut(void **state)
{
	static char longer[40000];
	struct fixture *fixture = *state;

	memset(longer, 'x', sizeof(longer) - 1);
	log_info(&fixture->log, "%s", longer);
	const char *line = written(fixture);
	size_t len = strlen(line);
	assert_in_range(len, 16000, 16 * 1024 + 8);
	assert_string_equal(line + len - 5, "x\xe2\x80\xa6\n");
	/* not in the middle of a character */
	for (size_t i = 0; i + 2 < sizeof(longer); i += 2)
		memcpy(longer + i, "\xc3\xbc", 2);
	log_info(&fixture->log, "%s", longer);
	line = written(fixture);
	assert_string_equal(line + strlen(line) - 6, "\xc3\xbc\xe2\x80\xa6\n");
	/* one that is too long for the first try of formatting, and is not cut */
	memset(longer, 'y', 3000);
	longer[3000] = '\0';
	log_info(&fixture->log, "%s", longer);
	assert_string_equal(text(fixture), longer);
}

static void secrets_in_every_spelling(void **state)
{
	static const char *const rows[][2] = {
		{ "key " KEY " end", "key <redacted> end" },
		{ "k=wJalrXUtnFEMI%2FK7MDENG%2BbPxRfiCYEXAMPLEKEY&x", "k=<redacted>&x" },
		{ "k=wJalrXUtnFEMI%2fK7MDENG%2bbPxRfiCYEXAMPLEKEY&x", "k=<redacted>&x" },
		{ "k=wJalrXUtnFEMI/K7MDENG%2BbPxRfiCYEXAMPLEKEY", "k=<redacted>" },
		{ "\"wJalrXUtnFEMI\\/K7MDENG+bPxRfiCYEXAMPLEKEY\"", "\"<redacted>\"" },
		{ "\"wJalrXUtnFEMI\\u002fK7MDENG\\u002BbPxRfiCYEXAMPLEKEY\"", "\"<redacted>\"" },
		{ "twice " KEY KEY, "twice <redacted><redacted>" },
		{ "first line\nsecond", "<redacted>" },
		{ "\"first line\\nsecond\"", "\"<redacted>\"" },
		{ "pass\"word\\", "<redacted>" },
		{ "pass\\\"word\\\\", "<redacted>" },
		{ "50%-off", "<redacted>" },
		{ "50%25-off", "<redacted>" },
		{ "shorter-and-longer shorter", "<redacted> <redacted>" },
		/* cut off */
		{ "key wJalrXUtnFEMI…", "key <redacted>…" },
		{ "key wJalrXUtnFEMI%2FK7…; and more", "key <redacted>…; and more" },
		{ "key wJalrXUtnFEMI%2…", "key <redacted>%2…" },
		{ "key wJalrXUtnFEMI\\u00…", "key <redacted>\\u00…" },
		{ "wJalr… is as good as nothing", "wJalr… is as good as nothing" },
		{ "wJalrXUtn is none", "wJalrXUtn is none" },
		{ "wJalrXUtn% is none…", "wJalrXUtn% is none…" },
		{ "wJalrXUtnFEMI/K7MDENG", "wJalrXUtnFEMI/K7MDENG" },
		{ "50%2", "50%2" },
		{ "pass\\", "pass\\" },
		{ "abc", "abc" },
	};
	struct fixture *fixture = *state;
	char copy[200];

	log_add_secret(&fixture->log, "shorter");
	log_add_secret(&fixture->log, "shorter-and-longer");
	log_add_secret(&fixture->log, KEY);
	log_add_secret(&fixture->log, "first line\nsecond");
	log_add_secret(&fixture->log, "pass\"word\\");
	log_add_secret(&fixture->log, "50%-off");
	log_add_secret(&fixture->log, "abc");
	log_add_secret(&fixture->log, NULL);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		log_debug(&fixture->log, "%s", rows[i][0]);
		assert_string_equal(text(fixture), rows[i][1]);
		snprintf(copy, sizeof(copy), "%s", rows[i][0]);
		log_redact(&fixture->log, copy, sizeof(copy));
		assert_string_equal(copy, rows[i][1]);
	}
}

/* The secret stands across the place where the line is cut: no part of it may remain. */
static void no_half_secret_at_the_cut(void **state)
{
	static char longer[20000];
	struct fixture *fixture = *state;

	log_add_secret(&fixture->log, KEY);
	for (size_t at = 16 * 1024 - 120; at < 16 * 1024 + 10; at++) {
		memset(longer, '.', sizeof(longer) - 1);
		memcpy(longer + at, KEY, strlen(KEY));
		log_info(&fixture->log, "%s", longer);
		assert_null(strstr(written(fixture), "wJ"));
	}
}

/* <redacted> is longer than the secret; where it does not fit, the end is lost and not the secret left. */
static void redacting_stays_within(void **state)
{
	struct fixture *fixture = *state;

	log_add_secret(&fixture->log, "hush");
	for (size_t size = 16; size < 60; size++) {
		char box[64];
		memset(box, '#', sizeof(box));
		snprintf(box, size, "a hush hush, hush: hush hush hush hush");
		bool whole = strlen(box) < size - 1;
		log_redact(&fixture->log, box, size);
		assert_true(strlen(box) < size);
		assert_int_equal(box[size], '#');
		if (whole)
			assert_null(strstr(box, "hush"));
	}
}

static void many_secrets(void **state)
{
	static char secrets[LOG_MAX_SECRETS + 10][16];
	struct fixture *fixture = *state;

	for (size_t i = 0; i < LOG_MAX_SECRETS + 10; i++) {
		snprintf(secrets[i], sizeof(secrets[i]), "secret-%03d", (int)i);
		log_add_secret(&fixture->log, secrets[i]);
		log_add_secret(&fixture->log, secrets[i]);
	}
	assert_int_equal(fixture->log.n_secrets, LOG_MAX_SECRETS);
	log_info(&fixture->log, "secret-063");
	assert_string_equal(text(fixture), "<redacted>");
}

static void secrets_are_forgotten_with_their_arena(void **state)
{
	struct fixture *fixture = *state;
	CLEANUP_ARENA struct arena *arena = arena_new(10000);
	CLEANUP_ARENA struct arena *other = arena_new(10000);

	log_add_secret(&fixture->log, arena_strdup(arena, "gone-one"));
	log_add_secret(&fixture->log, "of-nobody");
	log_add_secret(&fixture->log, arena_strdup(arena, "gone-two"));
	log_add_secret(&fixture->log, arena_strdup(other, "others"));
	log_forget_secrets(&fixture->log, arena);
	assert_int_equal(fixture->log.n_secrets, 2);
	log_info(&fixture->log, "gone-one of-nobody gone-two others");
	assert_string_equal(text(fixture), "gone-one <redacted> gone-two <redacted>");
}

#define WRITERS 6
#define LINES 60
#define LINE_LEN 9000 /* a pipe takes 4096 bytes in one piece */

struct writer {
	struct fixture *fixture;
	struct gather *gather;
	char letter;
};

static int write_lines(void *self, struct error *err)
{
	struct writer *writer = self;
	char longer[LINE_LEN + 1];

	(void)err;
	memset(longer, writer->letter, LINE_LEN);
	longer[LINE_LEN] = '\0';
	if (!gather_meet(writer->gather, WRITERS + 2))
		return -1;
	for (unsigned i = 0; i < LINES; i++)
		log_info(&writer->fixture->log, "%s", longer);
	return 0;
}

/* Secrets come and go while others write. */
static int change_secrets(void *self, struct error *err)
{
	struct writer *writer = self;
	struct log *log = &writer->fixture->log;

	(void)err;
	if (!gather_meet(writer->gather, WRITERS + 2))
		return -1;
	for (unsigned i = 0; i < 500; i++) {
		CLEANUP_ARENA struct arena *arena = arena_new(1000);
		char copy[40] = "this is hush-hush";
		log_add_secret(log, arena_strdup(arena, "hush-hush"));
		log_redact(log, copy, sizeof(copy));
		log_forget_secrets(log, arena);
		if (strcmp(copy, "this is <redacted>") != 0)
			return -1;
	}
	return 0;
}

/* Whole lines of one letter each; ends when all have come. */
static int read_lines(void *self, struct error *err)
{
	struct writer *writer = self;
	FILE *lines = fdopen(dup(writer->fixture->read_fd), "r");
	char line[LINE_LEN + 200];
	int result = 0;

	(void)err;
	if (lines == NULL || fcntl(fileno(lines), F_SETFL, 0) != 0 || !gather_meet(writer->gather, WRITERS + 2))
		return -1;
	for (unsigned ends = 0; ends < WRITERS * LINES && fgets(line, sizeof(line), lines) != NULL;) {
		const char *text = strstr(line, "-- : ");
		size_t same = text == NULL ? 0 : strspn(text + 5, (char[]){ text[5], '\0' });
		if (same != LINE_LEN || strcmp(text + 5 + same, "\n") != 0)
			result = -1;
		ends += strchr(line, '\n') != NULL;
	}
	fclose(lines);
	return result;
}

static void lines_of_several_threads(void **state)
{
	struct fixture *fixture = *state;
	struct gather gather = GATHER_INIT;
	struct writer writers[WRITERS + 2];
	struct parallel_task tasks[WRITERS + 2];

	for (unsigned i = 0; i < WRITERS + 2; i++) {
		writers[i] = (struct writer){ fixture, &gather, (char)('a' + i) };
		tasks[i] = (struct parallel_task){ write_lines, &writers[i] };
	}
	tasks[WRITERS].run = change_secrets;
	tasks[WRITERS + 1].run = read_lines;
	assert_int_equal(parallel_run(tasks, WRITERS + 2, NULL), 0);
}

static void descriptors_that_take_nothing(void **state)
{
	struct fixture *fixture = *state;
	int fds[2];

	signal(SIGPIPE, SIG_IGN);
	errno = 4711;
	int taken = fixture->log.fd;
	fixture->log.fd = -1;
	log_error(&fixture->log, "to nowhere");
	fixture->log.fd = 9999;
	log_error(&fixture->log, "closed");
	assert_int_equal(pipe(fds), 0);
	close(fds[0]);
	fixture->log.fd = fds[1];
	log_error(&fixture->log, "nobody reads");
	close(fds[1]);
	fixture->log.fd = taken;
	assert_int_equal(errno, 4711);
	assert_string_equal(written(fixture), "");
	log_error(&fixture->log, "still there");
	assert_string_equal(text(fixture), "still there");
}

/* A full pipe that nobody empties: the line is lost after a while, and the program goes on. */
static void a_full_pipe(void **state)
{
	struct fixture *fixture = *state;
	char block[4096] = "";

	assert_int_equal(io_set_nonblocking(fixture->log.fd, NULL), 0);
	while (write(fixture->log.fd, block, sizeof(block)) > 0)
		;
	log_error(&fixture->log, "does not fit");
}

static void no_memory(void **state)
{
	static char longer[5000];
	struct fixture *fixture = *state;
	char copy[100];

	memset(longer, 'x', sizeof(longer) - 1);
	fail_alloc_after(0);
	log_info(&fixture->log, "%s", longer);
	assert_true(fail_alloc_off());
	assert_non_null(strstr(text(fixture), "out of memory"));
	log_add_secret(&fixture->log, "hush");
	snprintf(copy, sizeof(copy), "%s", "no hush");
	log_redact(&fixture->log, copy, sizeof(copy));
	assert_string_equal(copy, "no <redacted>");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(lines_are_as_rubys),	 TEST(levels),
		TEST(request_ids_are_tamed),	 TEST(escapes),
		TEST(long_lines_are_cut),	 TEST(secrets_in_every_spelling),
		TEST(no_half_secret_at_the_cut), TEST(redacting_stays_within),
		TEST(many_secrets),		 TEST(descriptors_that_take_nothing),
		TEST(a_full_pipe),		 TEST(no_memory),
		TEST(lines_of_several_threads),	 TEST(secrets_are_forgotten_with_their_arena),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
