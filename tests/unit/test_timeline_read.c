/* SPDX-License-Identifier: Apache-2.0 */
/* cpi's log lines in all that may stand around them: heads, other programs' lines, escaped strings, cuts, long lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/buf.h"
#include "cpi/timeline/read.h"
#include "cpi/timeline/record.h"
#include "cpi/timeline/stream.h"

#define MAX_EVENTS 64

struct gathered {
	struct event events[MAX_EVENTS];
	size_t count; /* also of those for which there was no room */
};

static void gather(void *self, const struct event *event)
{
	struct gathered *gathered = self;

	if (gathered->count < MAX_EVENTS)
		gathered->events[gathered->count] = *event;
	gathered->count++;
}

static struct reader read_line(struct gathered *gathered, const char *text, size_t len)
{
	struct reader reader = { .take = gather, .self = gathered };

	*gathered = (struct gathered){ 0 };
	/* in memory of exactly that size, so that a sanitizer sees each read beyond it */
	char *copy = malloc(len + 1);
	assert_non_null(copy);
	memmove(copy + 1, text, len);
	assert_int_equal(read_events(&reader, copy + 1, len, true), len);
	free(copy);
	return reader;
}

#define HEAD "I, [2026-11-21T21:11:50.141199 #11300]  INFO -- [req_id cpi-123456]: "
#define FIELDS                                                                                                         \
	"aws-call action=DescribeVolumes start=2026-11-21T21:11:50.134Z duration_ms=1207 attempts=3 wait_ms=900 "      \
	"status=503 aws_request_id=59dbff89-35bd-4eac-99ed-be587EXAMPLE throttled=2 throttle_ms=800 "                  \
	"code=RequestLimitExceeded for=\"volume \\\"vol-1\\\" of C:\\\\\""
#define CALL HEAD FIELDS
#define START HEAD "Starting create_vm..."
#define FINISH HEAD "Finished create_vm in 5.17 seconds"
#define FAILURE                                                                                                        \
	"E, [2026-11-21T21:11:55.341199 #11300] ERROR -- [req_id cpi-123456]: create_vm failed: "                      \
	"Bosh::Clouds::CloudError: no \"room\""
#define LOG_US INT64_C(1795295510141199)

static void check_call(const struct event_call *call)
{
	assert_string_equal(call->action, "DescribeVolumes");
	assert_int_equal(call->start_ms, 1795295510134);
	assert_int_equal(call->duration_ms, 1207);
	assert_int_equal(call->attempts, 3);
	assert_int_equal(call->wait_ms, 900);
	assert_int_equal(call->status, 503);
	assert_int_equal(call->throttled, 2);
	assert_int_equal(call->throttle_ms, 800);
	assert_string_equal(call->aws_request_id, "59dbff89-35bd-4eac-99ed-be587EXAMPLE");
	assert_string_equal(call->code, "RequestLimitExceeded");
}

static void test_call(void **state)
{
	struct gathered got;

	(void)state;
	struct reader reader = read_line(&got, CALL, strlen(CALL));
	assert_int_equal(got.count, 1);
	assert_int_equal(reader.cut, 0);
	assert_int_equal(got.events[0].kind, EVENT_CALL);
	assert_int_equal(got.events[0].pid, 11300);
	assert_int_equal(got.events[0].log_us, LOG_US);
	assert_string_equal(got.events[0].request_id, "cpi-123456");
	check_call(&got.events[0].call);
	assert_string_equal(got.events[0].call.purpose, "volume \"vol-1\" of C:\\");
}

struct line {
	const char *text;
	size_t events;
	const char *method; /* of the first */
	const char *request_id;
	uint32_t pid;
	uint64_t cut;
};

static void test_lines(void **state)
{
	static const struct line table[] = {
		{ "", 0, NULL, NULL, 0, 0 },
		{ "Starting create_vm...", 0, NULL, NULL, 0, 0 },
		{ START, 1, "create_vm", "cpi-123456", 11300, 0 },
		{ FINISH, 1, "create_vm", "cpi-123456", 11300, 0 },
		{ FAILURE, 1, "create_vm", "cpi-123456", 11300, 0 },
		{ "I, [2026-11-21T21:11:50.141199 #7]  INFO -- : Starting info...", 1, "info", "", 7, 0 },
		{ "E, [2026-11-21T21:11:50.141199 #7] ERROR -- : the request failed: InvalidCall: x", 1, "", "", 7, 0 },
		{ "D, [2026-11-21T21:11:50.141199 #7] DEBUG -- [req_id a]: it failed: InvalidCall: x", 0, NULL, NULL, 0, 0 },
		{ "D, [2026-11-21T21:11:50.141199 #7] [task:12] DEBUG -- DirectorJobRunner: Starting x...", 0, NULL, NULL, 0, 0 },
		{ HEAD "Starting create_vm", 0, NULL, NULL, 0, 0 },
		{ HEAD "Finished create_vm in 5.17", 0, NULL, NULL, 0, 0 },
		{ HEAD "Finished create_vm in soon seconds", 0, NULL, NULL, 0, 0 },
		{ HEAD "aws-call action=", 0, NULL, NULL, 0, 1 },
		{ HEAD "aws-call is no record", 0, NULL, NULL, 0, 0 },
		{ HEAD "aws-call action=X;rm start=2026-11-21T21:11:50.134Z duration_ms=1 attempts=1 wait_ms=0 status=200 "
		       "aws_request_id=a for=\"\"", 0, NULL, NULL, 0, 1 },
		{ HEAD "aws-call action=X start=2026-13-21T21:11:50.134Z duration_ms=1 attempts=1 wait_ms=0 status=200 "
		       "aws_request_id=a for=\"\"", 0, NULL, NULL, 0, 1 },
		{ HEAD "aws-call action=X start=2026-11-21T21:11:50.134Z duration_ms=-1 attempts=1 wait_ms=0 status=200 "
		       "aws_request_id=a for=\"\"", 0, NULL, NULL, 0, 1 },
		{ HEAD "aws-call action=X start=2026-11-21T21:11:50.134Z duration_ms=1 attempts=1 wait_ms=0 status=0 "
		       "aws_request_id= new_field=\"1 2\" for=\"\"", 1, "", "cpi-123456", 11300, 0 },
		/* lines of two processes that ran into each other */
		{ HEAD "aws-call action=Descr" CALL, 1, "", "cpi-123456", 11300, 1 },
		{ HEAD "aws-call action=Descr" START, 1, "create_vm", "cpi-123456", 11300, 1 },
		{ START CALL CALL FINISH FAILURE, 5, "create_vm", "cpi-123456", 11300, 0 },
		/* no head, or not all of it */
		{ FIELDS, 1, "", "", 0, 0 },
		{ "q_id cpi-123456]: " FIELDS, 1, "", "", 0, 0 },
		{ "[req_id cpi-123456]: " FIELDS, 1, "", "cpi-123456", 0, 0 },
		{ "300]  INFO -- [req_id cpi-123456]: " FIELDS, 1, "", "cpi-123456", 0, 0 },
		{ "=300]  INFO -- [req_id cpi-123456]: " FIELDS, 1, "", "cpi-123456", 0, 0 },
		{ "#300]  INFO -- [req_id cpi-123456]: " FIELDS, 1, "", "cpi-123456", 300, 0 },
		{ "#99999999999]  INFO -- [req_id cpi-123456]: " FIELDS, 1, "", "cpi-123456", 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct gathered got;
		struct reader reader = read_line(&got, table[i].text, strlen(table[i].text));
		if (got.count != table[i].events || reader.cut != table[i].cut || reader.found != got.count)
			fail_msg("%zu events, %llu cut in: %s", got.count, (unsigned long long)reader.cut, table[i].text);
		if (got.count == 0)
			continue;
		assert_string_equal(got.events[0].method, table[i].method);
		assert_string_equal(got.events[0].request_id, table[i].request_id);
		assert_int_equal(got.events[0].pid, table[i].pid);
	}
}

static void test_cut_by_another_line(void **state)
{
	struct gathered got;
	size_t cut = strlen(CALL) - 4;
	char line[4096];

	(void)state;
	snprintf(line, sizeof(line), "%.*s%s", (int)cut, CALL, CALL);
	struct reader reader = read_line(&got, line, strlen(line));
	assert_int_equal(got.count, 2);
	assert_int_equal(reader.cut, 1);
	assert_string_equal(got.events[0].call.purpose, "volume \"vol-1\" of C");
	check_call(&got.events[1].call);
}

static void test_finish_and_failure(void **state)
{
	struct gathered got;

	(void)state;
	read_line(&got, FINISH, strlen(FINISH));
	assert_int_equal(got.events[0].kind, EVENT_FINISH);
	assert_int_equal(got.events[0].took_ms, 5170);
	read_line(&got, FAILURE, strlen(FAILURE));
	assert_int_equal(got.events[0].kind, EVENT_FAILURE);
	assert_string_equal(got.events[0].failure, "Bosh::Clouds::CloudError: no \"room\"");
}

/* --- escaped strings --- */

static void escape(struct buf *to, const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '\n')
			buf_str(to, "\\n");
		else if (*text == '"' || *text == '\\')
			buf_printf(to, "\\%c", *text);
		else if (*text == '<')
			buf_str(to, "\\u003c");
		else
			buf_char(to, *text);
	}
}

static void test_escaped_in_one_line(void **state)
{
	static const char log[] = START "\n" CALL "\n" CALL "\n" FINISH "\n" FAILURE;
	struct buf text = BUF_INIT(1 << 20);

	(void)state;
	buf_str(&text, log);
	for (unsigned level = 1; level <= RECORD_MAX_LEVEL; level++) {
		struct buf escaped = BUF_INIT(1 << 20);
		struct gathered got;
		buf_str(&escaped, "{\"log\":\"");
		escape(&escaped, buf_text(&text));
		buf_str(&escaped, "\",\"result\":null}");
		struct reader reader = read_line(&got, buf_text(&escaped), escaped.len);
		assert_int_equal(got.count, 5);
		assert_int_equal(reader.cut, 0);
		assert_int_equal(got.events[0].kind, EVENT_START);
		check_call(&got.events[1].call);
		check_call(&got.events[2].call);
		assert_string_equal(got.events[1].call.purpose, "volume \"vol-1\" of C:\\");
		assert_int_equal(got.events[2].pid, 11300);
		assert_int_equal(got.events[3].took_ms, 5170);
		assert_string_equal(got.events[4].failure, "Bosh::Clouds::CloudError: no \"room\"");
		buf_free(&text);
		text = escaped;
	}
	buf_free(&text);
}

static void test_unicode_escape(void **state)
{
	static const char line[] = "x aws-call action=X start=2026-11-21T21:11:50.134Z duration_ms=1 attempts=1 wait_ms=0 "
				   "status=200 aws_request_id=a for=\\\"\\u003ca\\u2026\\u00e4\\ud83d\\u00\\\"";
	struct gathered got;

	(void)state;
	read_line(&got, line, strlen(line));
	assert_int_equal(got.count, 1);
	assert_string_equal(got.events[0].call.purpose, "<a…ä??");
}

/* As the Director writes it: its own head and the answer in front of the first line, the exit status behind the last. */
static void test_director_debug(void **state)
{
	static const char *const lines[] = {
		"D, [2026-11-21T21:11:56.000001 #4711] [task:12] DEBUG -- DirectorJobRunner: [external-cpi] [cpi-123456] "
		"response: {\"result\":null,\"error\":null,\"log\":\"\"}, err: " START,
		CALL, FINISH, ", exit_status: 0",
	};
	struct gathered got = { 0 };
	struct reader reader = { .take = gather, .self = &got };

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		read_events(&reader, lines[i], strlen(lines[i]), true);
	assert_int_equal(got.count, 3);
	for (size_t i = 0; i < got.count; i++) {
		assert_int_equal(got.events[i].pid, 11300);
		assert_int_equal(got.events[i].task, 12);
		assert_int_equal(got.events[i].log_us, LOG_US);
	}
}

/* --- cuts --- */

static void test_cut_behind(void **state)
{
	size_t numbers = strlen(CALL) - strlen("volume \\\"vol-1\\\" of C:\\\\\"");

	(void)state;
	for (size_t len = 0; len < strlen(CALL); len++) {
		struct gathered got;
		struct reader reader = read_line(&got, CALL, len);
		bool begun = len >= strlen(HEAD "aws-call action=");
		assert_int_equal(got.count, len >= numbers ? 1 : 0);
		assert_int_equal(reader.cut, begun ? 1 : 0);
		if (got.count == 1)
			check_call(&got.events[0].call);
	}
}

static void test_cut_in_front(void **state)
{
	(void)state;
	for (size_t from = 0; from <= strlen(CALL); from++) {
		struct gathered got;
		struct reader reader = read_line(&got, &CALL[from], strlen(CALL) - from);
		assert_int_equal(got.count, from <= strlen(HEAD) ? 1 : 0);
		assert_int_equal(reader.cut, 0);
		if (got.count == 0)
			continue;
		const struct event *event = &got.events[0];
		check_call(&event->call);
		assert_true(event->pid == 11300 || event->pid == 0);
		assert_true(event->log_us == LOG_US || event->log_us == EVENT_TIME_UNKNOWN);
		if (event->request_id[0] != '\0')
			assert_string_equal(event->request_id, "cpi-123456");
	}
}

/* In an escaped string too: all numbers, or none. */
static void test_cut_escaped(void **state)
{
	struct buf text = BUF_INIT(1 << 20);

	(void)state;
	escape(&text, CALL "\n" CALL "\n");
	for (size_t len = 0; len < text.len; len++) {
		struct gathered got;
		read_line(&got, buf_text(&text), len);
		assert_true(got.count <= 2);
		for (size_t i = 0; i < got.count; i++)
			check_call(&got.events[i].call);
	}
	buf_free(&text);
}

/* --- streams --- */

static void test_stream(void **state)
{
	struct buf text = BUF_INIT(16 << 20);
	struct gathered *got = calloc(1, sizeof(*got));
	struct reader reader = { .take = gather, .self = got };
	struct stream_counts counts;
	struct error err;
	size_t expected = 0;

	(void)state;
	assert_non_null(got);
	/* lines of all lengths around the buffer's, calls at both ends and within */
	static const size_t lengths[] = { 0, 1, 1000, READ_MIN_PIECE, STREAM_BUFFER - 3000, STREAM_BUFFER - 1000,
					  STREAM_BUFFER - 500, STREAM_BUFFER, STREAM_BUFFER + 70000, 3 * STREAM_BUFFER };
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		buf_str(&text, CALL);
		for (size_t n = 0; n < lengths[i]; n++) {
			if (n % 300007 == 299999) {
				buf_str(&text, " " CALL);
				expected++;
			}
			buf_char(&text, n % 7 == 0 ? '\0' : (char)(n % 251 == 10 ? 11 : n % 251));
		}
		buf_str(&text, CALL "\n");
		expected += 2;
	}
	/* a long line full of them */
	for (size_t n = 0; n < 3 * STREAM_BUFFER; n += strlen(CALL), expected++)
		buf_str(&text, CALL);
	buf_str(&text, "\nforeign\n\n" CALL);
	expected++;
	assert_false(text.failed);
	int fd = memfd_create("log", MFD_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, buf_text(&text), text.len), text.len);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_int_equal(stream_read(fd, "the log", &reader, &counts, &err), 0);
	assert_int_equal(got->count, expected);
	assert_int_equal(reader.found, expected);
	assert_int_equal(reader.cut, 0);
	assert_int_equal(counts.lines, sizeof(lengths) / sizeof(lengths[0]) + 4);
	assert_int_equal(counts.foreign, 2);
	assert_int_equal(counts.bytes, text.len);
	for (size_t i = 0; i < MAX_EVENTS && i < got->count; i++)
		check_call(&got->events[i].call);
	close(fd);
	buf_free(&text);
	free(got);
}

static void test_stream_that_cannot_be_read(void **state)
{
	struct gathered got;
	struct reader reader = { .take = gather, .self = &got };
	struct stream_counts counts;
	struct error err;

	(void)state;
	assert_int_equal(stream_read(-1, "the log", &reader, &counts, &err), -1);
	assert_int_equal(err.kind, ERROR_IO);
	assert_non_null(strstr(err.message, "the log"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_call),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_cut_by_another_line),
		cmocka_unit_test(test_finish_and_failure),
		cmocka_unit_test(test_escaped_in_one_line),
		cmocka_unit_test(test_unicode_escape),
		cmocka_unit_test(test_director_debug),
		cmocka_unit_test(test_cut_behind),
		cmocka_unit_test(test_cut_in_front),
		cmocka_unit_test(test_cut_escaped),
		cmocka_unit_test(test_stream),
		cmocka_unit_test(test_stream_that_cannot_be_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
