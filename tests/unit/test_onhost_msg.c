/* SPDX-License-Identifier: Apache-2.0 */
/* The session's messages: each one there and back, and what is refused about each field. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/onhost_msg.h"
#include "tests/unit/fail_alloc.h"

#define SUM "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static struct arena *arena;
static struct buf out = BUF_INIT(ONHOST_LINE_MAX);

static int setup(void **state)
{
	(void)state;
	arena = arena_new(10000000);
	return arena == NULL ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_free(arena);
	buf_free(&out);
	return 0;
}

static struct onhost_msg decode(const char *line)
{
	struct onhost_msg msg = { .type = ONHOST_MSG_UNKNOWN };
	struct error err;
	if (onhost_msg_decode(arena, line, strlen(line), &msg, &err) != 0)
		fail_msg("%s", err.message);
	return msg;
}

/* Encodes, checks the wire form, and decodes. */
static struct onhost_msg there_and_back(const struct onhost_msg *msg, const char *wire)
{
	struct onhost_msg back = { .type = ONHOST_MSG_UNKNOWN };
	struct error err;

	buf_reset(&out);
	if (onhost_msg_encode(msg, &out, &err) != 0)
		fail_msg("%s", err.message);
	assert_int_equal(out.data[out.len - 1], '\n');
	assert_null(memchr(out.data, '\n', out.len - 1));
	if (onhost_msg_decode(arena, out.data, out.len - 1, &back, &err) != 0)
		fail_msg("%s", err.message);
	assert_int_equal(back.type, msg->type);
	assert_null(back.unknown);
	out.data[--out.len] = '\0';
	assert_string_equal(out.data, wire);
	return back;
}

static void test_requests(void **state)
{
	(void)state;
	struct onhost_msg hello = { .type = ONHOST_MSG_HELLO, .hello = { .version = 1, .release = "0.1.0" } };
	struct onhost_msg said = there_and_back(&hello, "{\"op\":\"hello\",\"version\":1,\"release\":\"0.1.0\"}");
	assert_int_equal(said.hello.version, 1);
	assert_string_equal(said.hello.release, "0.1.0");

	struct onhost_msg write = { .type = ONHOST_MSG_WRITE,
				    .write = { .volume_id = "vol-0123456789abcdef0",
					       .device_name = "/dev/sdf",
					       .size_mib = 3072,
					       .fresh = true,
					       .digest = true,
					       .device_timeout_ms = 5000 } };
	struct onhost_msg back = there_and_back(
		&write, "{\"op\":\"write\",\"volume_id\":\"vol-0123456789abcdef0\",\"device_name\":\"/dev/sdf\","
			"\"size_mib\":3072,\"fresh\":true,\"encrypted\":false,\"digest\":true,"
			"\"skip_zero_blocks\":false,\"device_timeout_ms\":5000,\"image\":{\"source\":\"stream\"}}");
	assert_string_equal(back.write.volume_id, "vol-0123456789abcdef0");
	assert_string_equal(back.write.device_name, "/dev/sdf");
	assert_int_equal(back.write.size_mib, 3072);
	assert_true(back.write.fresh && back.write.digest);
	assert_false(back.write.encrypted || back.write.skip_zero_blocks);
	assert_int_equal(back.write.device_timeout_ms, 5000);

	struct onhost_msg end = { .type = ONHOST_MSG_END, .end_sha256 = SUM };
	assert_string_equal(there_and_back(&end, "{\"op\":\"end\",\"sha256\":\"" SUM "\"}").end_sha256, SUM);
}

static void test_answers(void **state)
{
	(void)state;
	struct onhost_msg hello = { .type = ONHOST_MSG_HELLO_OK,
				    .hello_ok = { 1, "0.1.0", "i-0123456789abcdef0", "eu-central-1", "eu-central-1a",
						  "x86_64", "", "no nodes" } };
	struct onhost_msg back = there_and_back(
		&hello, "{\"ok\":\"hello\",\"version\":1,\"release\":\"0.1.0\",\"instance_id\":\"i-0123456789abcdef0\","
			"\"region\":\"eu-central-1\",\"availability_zone\":\"eu-central-1a\","
			"\"architecture\":\"x86_64\",\"metadata_error\":\"\",\"devices_error\":\"no nodes\"}");
	assert_string_equal(back.hello_ok.instance_id, "i-0123456789abcdef0");
	assert_string_equal(back.hello_ok.architecture, "x86_64");
	assert_string_equal(back.hello_ok.metadata_error, "");
	assert_string_equal(back.hello_ok.devices_error, "no nodes");

	struct onhost_msg ready = { .type = ONHOST_MSG_READY, .ready = { "/dev/nvme1n1", "controller serial" } };
	back = there_and_back(&ready, "{\"ok\":\"ready\",\"device\":\"/dev/nvme1n1\",\"recognised_by\":"
				      "\"controller serial\"}");
	assert_string_equal(back.ready.device, "/dev/nvme1n1");
	assert_string_equal(back.ready.recognised_by, "controller serial");

	struct onhost_msg progress = { .type = ONHOST_MSG_PROGRESS, .progress = { 1, 2, 3, (uint64_t)1 << 40, 1.5 } };
	back = there_and_back(&progress, "{\"event\":\"progress\",\"read\":1,\"written\":2,\"skipped\":3,"
					 "\"total\":1099511627776,\"seconds\":1.5}");
	assert_true(back.progress.total == (uint64_t)1 << 40);
	assert_true(back.progress.seconds == 1.5);

	struct onhost_msg written = { .type = ONHOST_MSG_WRITTEN,
				      .written = { 1, 2, 3, 4, 0.25, SUM, "", "gzip tar" } };
	back = there_and_back(&written, "{\"ok\":\"written\",\"read\":1,\"written\":2,\"skipped\":3,\"image_size\":4,"
					"\"seconds\":0.25,\"input_sha256\":\"" SUM "\",\"image_sha256\":\"\","
					"\"format\":\"gzip tar\"}");
	assert_int_equal(back.written.image_size, 4);
	assert_string_equal(back.written.input_sha256, SUM);
	assert_string_equal(back.written.format, "gzip tar");

	struct onhost_msg error = { .type = ONHOST_MSG_ERROR, .error = { "image", "two\nlines \"and\" \xE2\x82\xAC" } };
	back = there_and_back(&error, "{\"error\":{\"type\":\"image\",\"message\":"
				      "\"two\\nlines \\\"and\\\" \xE2\x82\xAC\"}}");
	assert_string_equal(back.error.type, "image");
	assert_string_equal(back.error.message, "two\nlines \"and\" \xE2\x82\xAC");
}

static void test_absent_texts_are_sent_empty(void **state)
{
	(void)state;
	struct onhost_msg hello = { .type = ONHOST_MSG_HELLO_OK, .hello_ok = { .version = 1 } };
	struct onhost_msg back = there_and_back(
		&hello, "{\"ok\":\"hello\",\"version\":1,\"release\":\"\",\"instance_id\":\"\",\"region\":\"\","
			"\"availability_zone\":\"\",\"architecture\":\"\",\"metadata_error\":\"\",\"devices_error\":\"\"}");
	assert_string_equal(back.hello_ok.region, "");
}

static void test_optional_and_unknown_fields(void **state)
{
	(void)state;
	struct onhost_msg msg = decode(
		" { \"op\":\"write\", \"volume_id\":\"vol-01234567\",\"device_name\":\"/dev/xvdba\",\"size_mib\":1,"
		"\"fresh\":false,\"encrypted\":true,\"image\":{\"source\":\"stream\",\"x\":1},\"new\":[{\"op\":1}]} ");
	assert_int_equal(msg.type, ONHOST_MSG_WRITE);
	assert_true(msg.write.encrypted);
	assert_false(msg.write.fresh || msg.write.digest || msg.write.skip_zero_blocks);
	assert_int_equal(msg.write.device_timeout_ms, 0);

	msg = decode("{\"ok\":\"hello\",\"version\":1,\"release\":\"1\",\"instance_id\":\"\",\"region\":\"\","
		     "\"availability_zone\":\"\",\"architecture\":\"arm64\"}");
	assert_string_equal(msg.hello_ok.metadata_error, "");
	assert_string_equal(msg.hello_ok.devices_error, "");
	assert_string_equal(msg.hello_ok.architecture, "arm64");

	msg = decode("{\"ok\":\"written\",\"read\":1,\"written\":2,\"skipped\":3,\"image_size\":4,\"seconds\":1,"
		     "\"input_sha256\":\"" SUM "\",\"format\":\"tar\"}");
	assert_string_equal(msg.written.image_sha256, "");
}

/* So that the refusal can name both. */
static void test_other_versions_are_read(void **state)
{
	(void)state;
	assert_int_equal(decode("{\"op\":\"hello\",\"version\":2}").hello.version, 2);
	assert_string_equal(decode("{\"op\":\"hello\",\"version\":2}").hello.release, "");
	assert_string_equal(decode("{\"op\":\"hello\",\"version\":2,\"release\":\"1.2~rc1\"}").hello.release, "1.2~rc1");
	assert_string_equal(decode("{\"op\":\"hello\",\"version\":2,\"release\":\"a\\nb\"}").hello.release, "");
	struct onhost_msg msg = decode("{\"ok\":\"hello\",\"version\":7,\"release\":{}}");
	assert_int_equal(msg.hello_ok.version, 7);
	assert_string_equal(msg.hello_ok.release, "");
	assert_string_equal(msg.hello_ok.metadata_error, "");
	assert_string_equal(msg.hello_ok.devices_error, "");
	assert_string_equal(decode("{\"ok\":\"hello\",\"version\":7,\"release\":\"9.9\"}").hello_ok.release, "9.9");
}

static void test_unknown_messages(void **state)
{
	(void)state;
	static const char *const lines[] = { "{\"op\":\"dance\"}", "{\"ok\":\"dance\"}", "{\"event\":\"dance\"}" };
	for (size_t i = 0; i < 3; i++) {
		struct onhost_msg msg = decode(lines[i]);
		assert_int_equal(msg.type, ONHOST_MSG_UNKNOWN);
		assert_string_equal(msg.unknown, "dance");
	}
	/* a name that is another kind's */
	assert_int_equal(decode("{\"op\":\"written\"}").type, ONHOST_MSG_UNKNOWN);
	assert_int_equal(decode("{\"op\":\"error\"}").type, ONHOST_MSG_UNKNOWN);
	assert_int_equal(decode("{\"ok\":\"write\"}").type, ONHOST_MSG_UNKNOWN);
	assert_int_equal(decode("{\"event\":\"\"}").type, ONHOST_MSG_UNKNOWN);
}

static void assert_refused(const char *line, size_t len, const char *named)
{
	struct onhost_msg msg = { .type = ONHOST_MSG_UNKNOWN, .unknown = "untouched" };
	struct error err = { .kind = ERROR_NONE };

	assert_int_equal(onhost_msg_decode(arena, line, len, &msg, &err), -1);
	if (err.kind != ERROR_PROTOCOL || strstr(err.message, named) == NULL)
		fail_msg("%s: %s lacks %s", line, err.message, named);
	assert_string_equal(msg.unknown, "untouched");
	assert_int_equal(onhost_msg_decode(arena, line, len, &msg, NULL), -1);
}

static void test_not_messages(void **state)
{
	(void)state;
	static const char *const cases[][2] = {
		{ "", "not JSON" },
		{ "hello", "not JSON" },
		{ "{\"op\":\"hello\",\"version\":1", "not JSON" },
		{ "{\"op\":\"hello\",\"version\":1}}", "not JSON" },
		{ "[]", "not a JSON object" },
		{ "\"hello\"", "not a JSON object" },
		{ "null", "not a JSON object" },
		{ "{}", "none of op, ok, event and error" },
		{ "{\"version\":1}", "none of op, ok, event and error" },
		{ "{\"op\":\"hello\",\"version\":-1}", "version is not an integer of 0 or more" },
		{ "{\"op\":1}", "op that is not a string" },
		{ "{\"ok\":null}", "ok that is not a string" },
		{ "{\"op\":\"hel\\u0000lo\"}", "op that is not a string" },
		{ "{\"op\":\"hello\",\"ok\":\"hello\",\"version\":1}", "both op and ok" },
		{ "{\"ok\":\"ready\",\"error\":{\"type\":\"x\",\"message\":\"y\"}}", "both ok and error" },
		{ "{\"error\":\"text\"}", "error is not an object" },
		{ "{\"error\":null}", "error is not an object" },
		{ "{\"error\":{\"type\":\"x\"}}", "message is missing" },
		{ "{\"error\":{\"message\":\"x\"}}", "type is missing" },
		{ "{\"error\":{\"type\":1,\"message\":\"x\"}}", "type is not a string" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_refused(cases[i][0], strlen(cases[i][0]), cases[i][1]);
	assert_refused("{\"op\":\"hello\",\"version\":1}\0", 27, "not JSON");
}

/* A whole message and, in turn, one field of it left out or replaced. */
struct field {
	const char *name;
	const char *good;
	const char *bad[12]; /* ends with NULL */
};

static void build_line(char *line, size_t size, const char *head, const struct field *fields, size_t n, size_t which,
		       const char *value)
{
	int used = snprintf(line, size, "{%s", head);
	for (size_t i = 0; i < n; i++) {
		const char *shown = i == which ? value : fields[i].good;
		if (shown != NULL)
			used += snprintf(line + used, size - (size_t)used, ",\"%s\":%s", fields[i].name, shown);
	}
	snprintf(line + used, size - (size_t)used, "}");
}

static void run_fields(const char *head, enum onhost_msg_type type, const struct field *fields, size_t n)
{
	char line[2000];

	build_line(line, sizeof(line), head, fields, n, n, NULL);
	assert_int_equal(decode(line).type, type);
	for (size_t i = 0; i < n; i++) {
		char missing[100];
		build_line(line, sizeof(line), head, fields, n, i, NULL);
		snprintf(missing, sizeof(missing), "%s is missing", fields[i].name);
		assert_refused(line, strlen(line), missing);
		for (size_t k = 0; fields[i].bad[k] != NULL; k++) {
			build_line(line, sizeof(line), head, fields, n, i, fields[i].bad[k]);
			assert_refused(line, strlen(line), fields[i].name);
		}
	}
}

#define NOT_TEXT "1", "null", "true", "[]", "{}", "\"a\\u0000\""
#define NOT_COUNT "-1", "1.5", "1e3", "\"1\"", "null", "true", "9223372036854775808"
#define NOT_FLAG "0", "1", "\"true\"", "null", "[]"
#define NOT_SUM "\"\"", "\"0123\"", "\"" SUM "0\"", "1", "null", \
	"\"0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef\"", \
	"\"x123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\""
#define N(fields) (sizeof(fields) / sizeof((fields)[0]))

static void test_fields_of_requests(void **state)
{
	(void)state;
	static const struct field hello[] = { { "version", "1", { NOT_COUNT } } };
	run_fields("\"op\":\"hello\"", ONHOST_MSG_HELLO, hello, N(hello));

	static const struct field end[] = { { "sha256", "\"" SUM "\"", { NOT_SUM } } };
	run_fields("\"op\":\"end\"", ONHOST_MSG_END, end, N(end));

	static const struct field write[] = {
		{ "volume_id", "\"vol-0123456789abcdef0\"",
		  { "\"\"", "\"vol-\"", "\"vol-0123456789abcdef\"", "\"VOL-0123456789abcdef0\"",
		    "\"i-0123456789abcdef0\"", "\"vol-0123456789abcdeg0\"", "\"/dev/sda\"", "1", "null" } },
		{ "device_name", "\"/dev/sdf\"",
		  { "\"\"", "\"/dev/\"", "\"sdf\"", "\"/dev/../sda\"", "\"/dev/disk/by-id/x\"", "\"/dev/SDF\"",
		    "\"/dev/sd f\"", "\"/dev/sdf\\n\"", "\"/dev/sdf\\u0000\"",
		    "\"/dev/abcdefghijklmnopqrstuvwxyz01234\"", "7" } },
		{ "size_mib", "3072", { NOT_COUNT, "0", "8796093022208" } },
		{ "fresh", "true", { NOT_FLAG } },
		{ "encrypted", "false", { NOT_FLAG } },
		{ "image", "{\"source\":\"stream\"}",
		  { "{}", "{\"source\":\"file\"}", "{\"source\":1}", "\"stream\"", "null", "[]", "{\"source\":null}",
		    "{\"path\":\"/etc/shadow\"}", "{\"source\":\"stream\",\"source\":\"/etc/shadow\"}" } },
	};
	run_fields("\"op\":\"write\"", ONHOST_MSG_WRITE, write, N(write));
}

static void test_optional_fields_of_write(void **state)
{
	(void)state;
	static const char head[] = "{\"op\":\"write\",\"volume_id\":\"vol-01234567\",\"device_name\":\"/dev/sdf\","
				   "\"size_mib\":1,\"fresh\":true,\"encrypted\":false,"
				   "\"image\":{\"source\":\"stream\"}";
	static const char *const cases[][2] = {
		{ "digest", "1" },
		{ "digest", "null" },
		{ "skip_zero_blocks", "\"yes\"" },
		{ "device_timeout_ms", "-1" },
		{ "device_timeout_ms", "\"1\"" },
		{ "device_timeout_ms", "86400001" },
		{ "device_timeout_ms", "null" },
	};
	char line[1000];

	for (size_t i = 0; i < N(cases); i++) {
		snprintf(line, sizeof(line), "%s,\"%s\":%s}", head, cases[i][0], cases[i][1]);
		assert_refused(line, strlen(line), cases[i][0]);
	}
	snprintf(line, sizeof(line), "%s,\"device_timeout_ms\":86400000}", head);
	assert_int_equal(decode(line).write.device_timeout_ms, 86400000);
}

static void test_fields_of_answers(void **state)
{
	(void)state;
	static const struct field hello[] = {
		{ "version", "1", { NOT_COUNT } },
		{ "release", "\"0.1.0\"", { NOT_TEXT } },
		{ "instance_id", "\"i-01234567\"", { NOT_TEXT, "\"i-\"", "\"vol-01234567\"", "\"i-0123456 \"" } },
		{ "region", "\"r\"", { NOT_TEXT } },
		{ "availability_zone", "\"z\"", { NOT_TEXT } },
		{ "architecture", "\"arm64\"", { NOT_TEXT } },
	};
	run_fields("\"ok\":\"hello\"", ONHOST_MSG_HELLO_OK, hello, N(hello));

	static const struct field ready[] = {
		{ "device", "\"/dev/x\"", { NOT_TEXT } },
		{ "recognised_by", "\"serial\"", { NOT_TEXT } },
	};
	run_fields("\"ok\":\"ready\"", ONHOST_MSG_READY, ready, N(ready));

	static const struct field progress[] = {
		{ "read", "1", { NOT_COUNT } },    { "written", "1", { NOT_COUNT } },
		{ "skipped", "1", { NOT_COUNT } }, { "total", "0", { NOT_COUNT } },
		{ "seconds", "0.5", { "-1", "\"1\"", "null", "1e999", "[]" } },
	};
	run_fields("\"event\":\"progress\"", ONHOST_MSG_PROGRESS, progress, N(progress));

	static const struct field written[] = {
		{ "read", "1", { NOT_COUNT } },
		{ "written", "1", { NOT_COUNT } },
		{ "skipped", "1", { NOT_COUNT } },
		{ "image_size", "0", { NOT_COUNT } },
		{ "seconds", "3", { "-0.1", "\"1\"", "null", "1e999" } },
		{ "input_sha256", "\"" SUM "\"", { NOT_SUM } },
		{ "format", "\"tar\"", { NOT_TEXT } },
	};
	run_fields("\"ok\":\"written\"", ONHOST_MSG_WRITTEN, written, N(written));
	static const char bad_sum[] = "{\"ok\":\"written\",\"read\":1,\"written\":1,\"skipped\":1,\"image_size\":1,"
				      "\"seconds\":1,\"input_sha256\":\"" SUM "\",\"image_sha256\":\"12\","
				      "\"format\":\"tar\"}";
	assert_refused(bad_sum, strlen(bad_sum), "image_sha256");
}

static void test_nothing_foreign_is_quoted(void **state)
{
	(void)state;
	static const char line[] = "{\"op\":\"write\",\"volume_id\":\"hunter2\"}";
	struct onhost_msg msg;
	struct error err;
	assert_int_equal(onhost_msg_decode(arena, line, strlen(line), &msg, &err), -1);
	assert_null(strstr(err.message, "hunter2"));
}

static void test_what_cannot_be_sent(void **state)
{
	(void)state;
	struct error err;
	struct onhost_msg unknown = { .type = ONHOST_MSG_UNKNOWN };
	buf_reset(&out);
	assert_int_equal(onhost_msg_encode(&unknown, &out, &err), -1);
	assert_int_equal(err.kind, ERROR_INTERNAL);
	assert_int_equal(out.len, 0);

	char *text = malloc(ONHOST_LINE_MAX + 1);
	assert_non_null(text);
	memset(text, 'x', ONHOST_LINE_MAX);
	text[ONHOST_LINE_MAX] = '\0';
	struct onhost_msg large = { .type = ONHOST_MSG_ERROR, .error = { "io", text } };
	struct buf roomy = BUF_INIT(10 * ONHOST_LINE_MAX);
	assert_int_equal(onhost_msg_encode(&large, &roomy, &err), -1);
	assert_int_equal(err.kind, ERROR_TOO_BIG);
	assert_int_equal(roomy.len, 0);

	/* exactly as long as a line may be, and one more */
	size_t around = strlen("{\"error\":{\"type\":\"io\",\"message\":\"\"}}\n");
	text[ONHOST_LINE_MAX - around] = '\0';
	assert_int_equal(onhost_msg_encode(&large, &roomy, &err), 0);
	assert_int_equal(roomy.len, ONHOST_LINE_MAX);
	assert_int_equal(onhost_msg_encode(&large, &out, &err), 0);
	assert_int_equal(onhost_msg_encode(&large, &out, &err), -1);
	text[ONHOST_LINE_MAX - around] = 'x';
	text[ONHOST_LINE_MAX - around + 1] = '\0';
	assert_int_equal(onhost_msg_encode(&large, &roomy, &err), -1);
	buf_free(&roomy);
	free(text);
}

static void test_memory(void **state)
{
	(void)state;
	static const char line[] = "{\"op\":\"hello\",\"version\":1}";
	struct onhost_msg msg = { .type = ONHOST_MSG_HELLO, .hello = { .version = 1, .release = "" } };
	struct error err;
	struct arena *small = arena_new(100);

	assert_int_equal(onhost_msg_decode(small, line, strlen(line), &msg, &err), -1);
	assert_int_equal(err.kind, ERROR_NOMEM);
	arena_free(small);
	buf_reset(&out);
	fail_alloc_after(0);
	int result = onhost_msg_encode(&msg, &out, &err);
	fail_alloc_off();
	assert_int_equal(result, -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_requests, setup, teardown),
		cmocka_unit_test_setup_teardown(test_answers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_absent_texts_are_sent_empty, setup, teardown),
		cmocka_unit_test_setup_teardown(test_optional_and_unknown_fields, setup, teardown),
		cmocka_unit_test_setup_teardown(test_other_versions_are_read, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unknown_messages, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_messages, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fields_of_requests, setup, teardown),
		cmocka_unit_test_setup_teardown(test_optional_fields_of_write, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fields_of_answers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nothing_foreign_is_quoted, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_cannot_be_sent, setup, teardown),
		cmocka_unit_test_setup_teardown(test_memory, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
