/* SPDX-License-Identifier: Apache-2.0 */
/* What is typed behind `cpi call` to a request. */
#include "cpi/call_command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/cleanup.h"
#include "common/json_write.h"
#include "cpi/config.h"

#define MAX_OUTPUT ((size_t)16 * 1024)
#define MAX_ARGUMENTS 4

static int read_line(struct arena *arena, const char *method, const char *version, const char *const *arguments,
		     struct call_command *ret_command, struct error *err)
{
	struct command_line line = { .method = method, .api_version = version, .arguments = arguments };

	while (line.n_arguments < MAX_ARGUMENTS && arguments[line.n_arguments] != NULL)
		line.n_arguments++;
	return call_command_read(&line, arena, ret_command, err);
}

struct argument {
	const char *typed;
	const char *json;
};

static void test_arguments(void **state)
{
	static const struct argument table[] = {
		{ "i-0123456789abcdef0", "[\"i-0123456789abcdef0\"]" },
		{ "\"i-1\"", "[\"i-1\"]" },
		{ "1024", "[1024]" },
		{ "1024x", "[\"1024x\"]" },
		{ "1e400000", "[1e400000]" },
		{ "null", "[null]" },
		{ "nul", "[\"nul\"]" },
		{ "true", "[true]" },
		{ "{\"a\":[1,2]}", "[{\"a\":[1,2]}]" },
		{ " [1] ", "[[1]]" },
		{ "", "[\"\"]" },
		{ "/dev/sdf", "[\"/dev/sdf\"]" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		CLEANUP_ARENA struct arena *arena = arena_new(MAX_OUTPUT);
		CLEANUP_BUF struct buf out = BUF_INIT(MAX_OUTPUT);
		const char *const arguments[MAX_ARGUMENTS] = { table[i].typed };
		struct call_command command;
		struct json_writer writer;
		struct error err;
		assert_int_equal(read_line(arena, "has_vm", NULL, arguments, &command, &err), 0);
		json_writer_init(&writer, &out);
		json_value(&writer, command.request.arguments);
		assert_string_equal(buf_text(&out), table[i].json);
	}
}

static void test_request(void **state)
{
	CLEANUP_ARENA struct arena *arena = arena_new(MAX_OUTPUT);
	const char *const none[MAX_ARGUMENTS] = { NULL };
	const char *const two[MAX_ARGUMENTS] = { "i-1", "vol-1" };
	struct call_command command;
	struct error err;

	(void)state;
	assert_int_equal(read_line(arena, "info", NULL, none, &command, &err), 0);
	assert_string_equal(command.request.method, "info");
	assert_string_equal(command.request.director_uuid, "cpi-call");
	assert_null(command.request.request_id);
	assert_int_equal(command.request.arguments->count, 0);
	assert_null(json_at(command.request.arguments, 0));
	assert_true(command.highest_version);
	assert_int_equal(command.request.stemcell_api_version, CONFIG_API_VERSION_MAX);

	assert_int_equal(read_line(arena, "attach-disk", "2", two, &command, &err), 0);
	assert_string_equal(command.request.method, "attach_disk");
	assert_int_equal(command.request.arguments->count, 2);
	assert_string_equal(json_text(json_at(command.request.arguments, 1)), "vol-1");
	assert_false(command.highest_version);
	assert_int_equal(command.request.api_version, 2);
	assert_int_equal(command.request.stemcell_api_version, 2);
}

struct wrong {
	const char *method;
	const char *version;
	const char *argument;
	const char *message;
};

static void test_wrong(void **state)
{
	static const struct wrong table[] = {
		{ "has_wm", NULL, NULL, "no method has_wm; did you mean has_vm?" },
		{ "lst_workers", NULL, NULL, "did you mean list_workers?" },
		{ "create_network", NULL, NULL, "no method create_network" },
		{ "", NULL, NULL, "no method" },
		{ "info", "0", NULL, "--api-version is '0'" },
		{ "info", "-1", NULL, "--api-version is '-1'" },
		{ "info", "4", NULL, "from 1 to 3" },
		{ "has_vm", NULL, "{", "argument 1, {: not JSON: at byte 1" },
		{ "has_vm", NULL, "[1 2]", "not JSON: at byte 3" },
		{ "has_vm", NULL, "\"a", "argument 1, \"a: not JSON" },
		{ "has_vm", NULL, "{}{}", "not JSON" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		CLEANUP_ARENA struct arena *arena = arena_new(MAX_OUTPUT);
		const char *const arguments[MAX_ARGUMENTS] = { table[i].argument };
		struct call_command command = { .highest_version = true };
		struct error err = { 0 };
		assert_int_equal(read_line(arena, table[i].method, table[i].version, arguments, &command, &err), -1);
		assert_int_equal(err.kind, ERROR_INVALID);
		if (strstr(err.message, table[i].message) == NULL)
			fail_msg("%zu: %s", i, err.message);
		assert_null(command.request.method);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_arguments),
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_wrong),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
