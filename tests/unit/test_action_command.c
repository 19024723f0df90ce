/* SPDX-License-Identifier: Apache-2.0 */
/* An action's options to its object, and what is wrong with them. */
#include "cpi/action_command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/cleanup.h"
#include "common/json_write.h"

#define MAX_OUTPUT ((size_t)16 * 1024)

static struct command_parameter given(const char *option, const char *value)
{
	return (struct command_parameter){ .option = option, .option_len = strcspn(option, "="), .value = value };
}

static struct command_line line_of(const char *action)
{
	return (struct command_line){ .command = COMMAND_ACTION, .action = worker_action_find(action) };
}

static void test_object(void **state)
{
	CLEANUP_ARENA struct arena *arena = arena_new(MAX_OUTPUT);
	CLEANUP_BUF struct buf out = BUF_INIT(MAX_OUTPUT);
	struct command_line line = line_of("create_volume");
	struct json_writer writer;
	const struct json *arguments;
	struct error err;

	(void)state;
	line.parameters[0] = given("--size_gb=007", "007");
	line.parameters[1] = given("--availability-zone", "us-east-1a");
	line.n_parameters = 2;
	line.region = "eu-west-1";
	assert_int_equal(action_command_read(&line, arena, &arguments, &err), 0);
	assert_int_equal(arguments->count, 1);
	assert_int_equal(json_at(arguments, 0)->count, 3);
	json_writer_init(&writer, &out);
	json_value(&writer, json_path(json_at(arguments, 0), "region", NULL));
	assert_string_equal(buf_text(&out), "\"eu-west-1\"");
	int64_t size;
	assert_true(json_int(json_get(json_at(arguments, 0), "size_gb"), &size));
	assert_int_equal(size, 7);
	assert_string_equal(json_text(json_get(json_at(arguments, 0), "availability_zone")), "us-east-1a");
}

static void test_nothing_at_all(void **state)
{
	CLEANUP_ARENA struct arena *arena = arena_new(MAX_OUTPUT);
	struct command_line line = line_of("list_workers");
	const struct json *arguments;
	struct error err;

	(void)state;
	assert_int_equal(action_command_read(&line, arena, &arguments, &err), 0);
	assert_true(json_is(json_at(arguments, 0), JSON_OBJECT));
	assert_null(json_at(arguments, 0)->child);
}

static void test_empty_value_where_it_may_be(void **state)
{
	CLEANUP_ARENA struct arena *arena = arena_new(MAX_OUTPUT);
	struct command_line line = line_of("set_worker_metadata");
	const struct json *arguments;
	struct error err;

	(void)state;
	line.parameters[0] = given("--worker-id", "i-1");
	line.parameters[1] = given("--key", "k");
	line.parameters[2] = given("--value", "");
	line.n_parameters = 3;
	assert_int_equal(action_command_read(&line, arena, &arguments, &err), 0);
	assert_string_equal(json_text(json_get(json_at(arguments, 0), "value")), "");
	line.parameters[1].value = "";
	assert_int_equal(action_command_read(&line, arena, &arguments, &err), -1);
	assert_non_null(strstr(err.message, "--key is empty"));
}

struct wrong {
	const char *action;
	struct command_parameter parameter;
	const char *message;
};

static void test_wrong(void **state)
{
	const struct wrong table[] = {
		{ "get_worker", given("--key", "x"), "get_worker has no option --key. It takes --worker-id [--region] [--config]" },
		{ "get_worker", given("--worker-idd=x", "x"), "has no option --worker-idd. Did you mean --worker-id?" },
		{ "get_worker", given("--", "x"), "has no option --." },
		{ "get_worker", given("-", "x"), "has no option -." },
		{ "get_worker", given("--hepl", NULL), "Did you mean --help?" },
		{ "get_worker", given("--worker-id", NULL), "--worker-id needs a value" },
		{ "create_volume", given("--availability-zone", "z"), "create_volume needs --size-gb (Size in GiB)" },
		{ "create_volume", given("--size-gb", ""), "--size-gb is ''" },
		{ "create_volume", given("--size-gb", "0x10"), "--size-gb is '0x10'" },
		{ "create_volume", given("--size-gb", " 1"), "--size-gb is ' 1'" },
		{ "create_volume", given("--size-gb", "65537"), "from 1 to 65536" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		CLEANUP_ARENA struct arena *arena = arena_new(MAX_OUTPUT);
		struct command_line line = line_of(table[i].action);
		const struct json *arguments = NULL;
		struct error err = { 0 };
		line.parameters[0] = table[i].parameter;
		line.n_parameters = 1;
		assert_int_equal(action_command_read(&line, arena, &arguments, &err), -1);
		assert_int_equal(err.kind, ERROR_INVALID);
		assert_null(arguments);
		if (strstr(err.message, table[i].message) == NULL)
			fail_msg("%zu: %s", i, err.message);
	}
}

static void test_no_memory(void **state)
{
	CLEANUP_ARENA struct arena *arena = arena_new(16);
	struct command_line line = line_of("list_workers");
	const struct json *arguments;
	struct error err;

	(void)state;
	assert_int_equal(action_command_read(&line, arena, &arguments, &err), -1);
	assert_int_equal(err.kind, ERROR_NOMEM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_object),
		cmocka_unit_test(test_nothing_at_all),
		cmocka_unit_test(test_empty_value_where_it_may_be),
		cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_no_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
