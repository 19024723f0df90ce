/* SPDX-License-Identifier: Apache-2.0 */
/* An action's parameters: what is taken, with which defaults, and what is said of everything else. */
#include "cpi/actions/worker_values.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ARENA_BYTES ((size_t)1024 * 1024)
#define ZONE "\"availability_zone\":\"us-east-1a\""

static int read_values(struct arena *arena, const char *action, const char *arguments, struct worker_values *ret_values,
		       struct error *err)
{
	const struct json *root = NULL;

	if (json_parse(arena, arguments, strlen(arguments), (size_t)64 * 1024, &root, err) != 0)
		fail_msg("%s: %s", err->message, arguments);
	return worker_values_of_arguments(worker_action_find(action), root, ret_values, err);
}

static void test_values(void **state)
{
	CLEANUP_ARENA struct arena *arena = arena_new(ARENA_BYTES);
	struct worker_values values;
	struct error err;

	(void)state;
	assert_int_equal(read_values(arena, "create_volume", "[{\"size_gb\":7," ZONE ",\"volume_type\":\"io2\",\"region\":\"eu-west-1\"}]",
				     &values, &err), 0);
	assert_string_equal(values.action->name, "create_volume");
	assert_int_equal(worker_values_number(&values, "size_gb"), 7);
	assert_string_equal(worker_values_text(&values, "availability_zone"), "us-east-1a");
	assert_string_equal(worker_values_text(&values, "volume_type"), "io2");
	assert_string_equal(worker_values_text(&values, "region"), "eu-west-1");
	/* not this action's */
	assert_null(worker_values_text(&values, "worker_id"));
	assert_int_equal(worker_values_number(&values, "worker_id"), 0);
}

static void test_defaults(void **state)
{
	static const char *const nothing[] = { "[]", "[null]", "[{}]", "[{\"region\":null}]" };
	CLEANUP_ARENA struct arena *arena = arena_new(ARENA_BYTES);
	struct worker_values values;
	struct error err;

	(void)state;
	for (size_t i = 0; i < sizeof(nothing) / sizeof(nothing[0]); i++) {
		assert_int_equal(read_values(arena, "list_workers", nothing[i], &values, &err), 0);
		/* the configuration's and the environment's come first */
		assert_null(worker_values_text(&values, "region"));
	}
	assert_int_equal(worker_values_read(worker_action_find("list_workers"), NULL, &values, &err), 0);
	assert_int_equal(read_values(arena, "create_worker", "[{\"worker_name\":\"web\",\"instance_type\":null}]", &values, &err), 0);
	assert_string_equal(worker_values_text(&values, "instance_type"), "t2.micro");
	assert_null(worker_values_text(&values, "ami"));
	assert_int_equal(read_values(arena, "create_volume", "[{\"size_gb\":1," ZONE "}]", &values, &err), 0);
	assert_string_equal(worker_values_text(&values, "volume_type"), "gp2");
	assert_int_equal(read_values(arena, "set_worker_metadata", "[{\"worker_id\":\"i-1\",\"key\":\"a\",\"value\":\"\"}]", &values,
				     &err), 0);
	assert_string_equal(worker_values_text(&values, "value"), "");
	/* of a repeated one the last counts */
	assert_int_equal(read_values(arena, "get_worker", "[{\"worker_id\":\"i-1\",\"worker_id\":\"i-2\"}]", &values, &err), 0);
	assert_string_equal(worker_values_text(&values, "worker_id"), "i-2");
}

static void test_sizes(void **state)
{
	static const struct {
		const char *text;
		int64_t number; /* 0: refused */
	} table[] = {
		{ "1", 1 }, { "65536", 65536 }, { "0", 0 }, { "65537", 0 }, { "-1", 0 }, { "1.0", 0 }, { "1e3", 0 },
		{ "9223372036854775808", 0 }, { "\"8\"", 0 }, { "true", 0 }, { "[]", 0 }, { "{}", 0 },
	};
	struct error err;

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		CLEANUP_ARENA struct arena *arena = arena_new(ARENA_BYTES);
		struct worker_values values;
		char text[128];
		snprintf(text, sizeof(text), "[{" ZONE ",\"size_gb\":%s}]", table[i].text);
		int outcome = read_values(arena, "create_volume", text, &values, &err);
		assert_int_equal(outcome, table[i].number == 0 ? -1 : 0);
		if (outcome == 0) {
			assert_int_equal(worker_values_number(&values, "size_gb"), table[i].number);
			continue;
		}
		assert_int_equal(err.kind, ERROR_INVALID_CALL);
		assert_non_null(strstr(err.message, " as size_gb, which should be a whole number from 1 to 65536"));
	}
}

static void test_refused(void **state)
{
	static const struct {
		const char *action;
		const char *arguments;
		const char *message; /* behind "Arguments are not correct, got: " */
	} table[] = {
		{ "get_worker", "[]", "nothing as worker_id (ID of the instance). get_worker takes worker_id, and if wanted region" },
		{ "get_worker", "[{\"worker_id\":null}]", "nothing as worker_id (" },
		{ "get_worker", "[{\"worker_id\":\"\"}]", "an empty string as worker_id, which should be a string" },
		{ "get_worker", "[{\"worker_id\":\"a\\u0000b\"}]", "a string with a NUL as worker_id, which" },
		{ "get_worker", "[{\"worker_id\":[]}]", "an array as worker_id, which should be a string" },
		{ "get_worker", "[{\"worker_id\":1}]", " as worker_id, which should be a string" },
		{ "get_worker", "[{\"worker-id\":\"i-1\"}]",
		  "the parameter worker-id, which get_worker does not have. Did you mean worker_id? It takes worker_id, and if wanted region" },
		{ "list_workers", "[{\"zebra\":1}]", "the parameter zebra, which list_workers does not have. It takes if wanted region" },
		{ "list_workers", "[{\"region\\u0000\":\"x\"}]", "a parameter with a NUL in its name" },
		{ "list_workers", "[{\"region\":\"\"}]", "an empty string as region" },
		{ "create_worker", "[{\"worker_name\":\"a\",\"type\":\"b\"}]",
		  "the parameter type, which create_worker does not have. It takes worker_name, and if wanted instance_type, ami, region" },
		{ "get_worker", "[{},{}]", "2, and get_worker takes one object with its parameters" },
		{ "get_worker", "[\"i-1\"]", "and get_worker takes one object with its parameters" },
		{ "set_worker_metadata", "[{\"worker_id\":\"i-1\",\"key\":\"\",\"value\":\"\"}]", "an empty string as key" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		CLEANUP_ARENA struct arena *arena = arena_new(ARENA_BYTES);
		struct worker_values values = { .numbers = { 77 } };
		struct error err;
		if (read_values(arena, table[i].action, table[i].arguments, &values, &err) == 0)
			fail_msg("%s was taken", table[i].arguments);
		assert_int_equal(err.kind, ERROR_INVALID_CALL);
		assert_ptr_equal(strstr(err.message, "Arguments are not correct, got: "), err.message);
		if (strstr(err.message, table[i].message) == NULL)
			fail_msg("%s: %s", table[i].arguments, err.message);
		assert_int_equal(values.numbers[0], 77);
	}
}

/* A message stays one, however long a name or a number is. */
static void test_huge(void **state)
{
	CLEANUP_ARENA struct arena *arena = arena_new(ARENA_BYTES);
	static char text[8192];
	struct worker_values values;
	struct error err;

	(void)state;
	snprintf(text, sizeof(text), "[{\"%0*d\":1}]", 6000, 7);
	assert_int_equal(read_values(arena, "list_workers", text, &values, &err), -1);
	assert_non_null(strstr(err.message, "00, which list_workers does not have"));
	snprintf(text, sizeof(text), "[{" ZONE ",\"size_gb\":1%0*d}]", 6000, 7);
	assert_int_equal(read_values(arena, "create_volume", text, &values, &err), -1);
	assert_non_null(strstr(err.message, "00 as size_gb, which should be"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),  cmocka_unit_test(test_defaults), cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_refused), cmocka_unit_test(test_huge),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
