/* SPDX-License-Identifier: Apache-2.0 */
/* Results as people see them: widths, what gives way in a narrow window, colours, and text that is up to no good. */
#include "cpi/action_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/cleanup.h"
#include "cpi/timeline/show.h"

#define MAX_OUTPUT ((size_t)64 * 1024)
#define ESC "\033["

static const struct action_table wide = { .region = "eu-west-1", .columns = 200, .unicode = true };

/* What is written for a result; in the arena. */
static const char *written(struct arena *arena, const char *action, struct action_table table, const char *result)
{
	CLEANUP_BUF struct buf out = BUF_INIT(MAX_OUTPUT);
	const struct json *root;
	struct error err;

	table.action = worker_action_find(action);
	assert_non_null(table.action);
	assert_int_equal(json_parse(arena, result, strlen(result), MAX_OUTPUT, &root, &err), 0);
	action_table_write(&table, root, &out);
	assert_false(out.failed);
	return arena_strdup(arena, buf_text(&out));
}

#define WORKERS                                                                                                          \
	"{\"success\":true,\"workers\":[{\"id\":\"i-0123456789abcdef0\",\"name\":\"a-rather-long-name-indeed\","         \
	"\"state\":\"running\",\"instance_type\":\"t2.micro\",\"public_ip\":\"203.0.113.200\","                          \
	"\"private_ip\":\"10.0.0.1\"},{\"id\":\"i-0fedcba9876543210\",\"name\":\"\346\227\245\346\234\254\","            \
	"\"state\":\"stopped\",\"instance_type\":\"m5.24xlarge\",\"public_ip\":null,\"private_ip\":\"10.0.0.22\"}]}"

static void test_table(void **state)
{
	CLEANUP_ARENA struct arena *arena = arena_new(MAX_OUTPUT * 4);

	(void)state;
	assert_string_equal(written(arena, "list_workers", wide, WORKERS),
			    "id                   name                       state    type         public IP      private IP\n"
			    "i-0123456789abcdef0  a-rather-long-name-indeed  running  t2.micro     203.0.113.200  10.0.0.1\n"
			    "i-0fedcba9876543210  \346\227\245\346\234\254                       stopped  m5.24xlarge  -              10.0.0.22\n");
}

/* In each window: the widest line, and whether ids and other values are whole. */
static void test_narrow(void **state)
{
	CLEANUP_ARENA struct arena *arena = arena_new(MAX_OUTPUT * 64);

	(void)state;
	for (size_t columns = 200; columns >= 34; columns--) {
		struct action_table table = wide;
		table.columns = columns;
		const char *text = written(arena, "list_workers", table, WORKERS);
		if (columns >= 78 && strstr(text, "203.0.113.200") == NULL)
			fail_msg("%zu: an address is cut before the name is:\n%s", columns, text);
		if (columns >= 49 && (strstr(text, "i-0123456789abcdef0") == NULL || strstr(text, "i-0fedcba9876543210") == NULL))
			fail_msg("%zu: an id is cut:\n%s", columns, text);
		for (const char *line = text; *line != '\0';) {
			size_t len = strcspn(line, "\n");
			const char *copy = arena_strndup(arena, line, len);
			if (show_width(copy, true) > columns)
				fail_msg("%zu: '%s'", columns, copy);
			line += len + 1;
		}
	}
}

static void test_headings_give_way_before_values(void **state)
{
	CLEANUP_ARENA struct arena *arena = arena_new(MAX_OUTPUT * 4);
	struct action_table table = wide;
	const char *result = "{\"volumes\":[{\"id\":\"vol-0123456789abcdef0\",\"size_mb\":8192,\"state\":\"in-use\","
			     "\"availability_zone\":\"us-east-1a\",\"attached_to\":null}]}";

	(void)state;
	/* 21 + 4 + 6 + 10 + 4, and four gaps */
	table.columns = 53;
	assert_string_equal(written(arena, "get_volumes", table, result),
			    "id                      MiB  state   zone        at\342\200\246o\n"
			    "vol-0123456789abcdef0  8192  in-use  us-east-1a  -\n");
}

static void test_window_is_not_known(void **state)
{
	CLEANUP_ARENA struct arena *arena = arena_new(MAX_OUTPUT * 4);
	struct action_table table = wide;

	(void)state;
	table.columns = 0;
	assert_string_equal(written(arena, "list_workers", table, WORKERS), written(arena, "list_workers", wide, WORKERS));
}

static void test_ascii(void **state)
{
	CLEANUP_ARENA struct arena *arena = arena_new(MAX_OUTPUT * 4);
	struct action_table table = wide;

	(void)state;
	table.unicode = false;
	table.columns = 80;
	const char *text = written(arena, "list_workers", table, WORKERS);
	for (const char *c = text; *c != '\0'; c++)
		assert_true((unsigned char)*c < 0x80);
	assert_non_null(strstr(text, ".."));
	assert_non_null(strstr(text, "i-0fedcba9876543210  ?? "));
}

struct coloured {
	const char *state;
	const char *colour; /* NULL: none */
};

static void test_colours(void **state)
{
	static const struct coloured table[] = {
		{ "running", ESC "32m" }, { "available", ESC "32m" }, { "in-use", ESC "32m" }, { "pending", ESC "33m" },
		{ "creating", ESC "33m" }, { "stopping", ESC "33m" }, { "shutting-down", ESC "33m" }, { "deleting", ESC "33m" },
		{ "stopped", ESC "31m" }, { "error", ESC "31m" }, { "terminated", ESC "2m" }, { "deleted", ESC "2m" },
		{ "unheard-of", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		CLEANUP_ARENA struct arena *arena = arena_new(MAX_OUTPUT * 4);
		struct action_table look = wide;
		look.colour = true;
		const char *result = arena_printf(arena, "{\"workers\":[{\"id\":\"running\",\"state\":\"%s\"}]}", table[i].state);
		const char *text = written(arena, "list_workers", look, result);
		assert_int_equal(strncmp(text, ESC "1mid", 6), 0);
		const char *wanted = table[i].colour == NULL ? table[i].state :
							     arena_printf(arena, "%s%s" ESC "0m", table[i].colour, table[i].state);
		assert_non_null(strstr(text, wanted));
		/* only the state is coloured, and only where colours are wanted */
		assert_non_null(strstr(text, "\nrunning  "));
		assert_null(strchr(written(arena, "list_workers", wide, result), '\033'));
	}
}

static void test_nothing_moves_the_cursor(void **state)
{
	CLEANUP_ARENA struct arena *arena = arena_new(MAX_OUTPUT * 4);
	const char *result = "{\"workers\":[{\"id\":\"i-1\",\"name\":\"a\\u001b[2Jb\\u0007\\nc\\u009bd\\u202ee\"}]}";
	const char *vm = "{\"vm\":{\"name\":\"a\\u001b[2J\"}}";

	(void)state;
	assert_non_null(strstr(written(arena, "list_workers", wide, result), "i-1  a?[2Jb??c?d?e  -"));
	assert_string_equal(written(arena, "get_worker", wide, vm), "name  a?[2J\n");
}

static void test_empty(void **state)
{
	CLEANUP_ARENA struct arena *arena = arena_new(MAX_OUTPUT * 4);
	struct action_table table = wide;

	(void)state;
	assert_string_equal(written(arena, "list_workers", table, "{\"workers\":[]}"), "no workers in eu-west-1\n");
	table.region = NULL;
	assert_string_equal(written(arena, "get_volumes", table, "{\"volumes\":[]}"), "no volumes\n");
}

static void test_lines(void **state)
{
	CLEANUP_ARENA struct arena *arena = arena_new(MAX_OUTPUT * 4);
	struct action_table table = wide;
	const char *vm = "{\"success\":true,\"vm\":{\"id\":\"i-1\",\"state\":\"running\",\"public_ip\":null}}";

	(void)state;
	assert_string_equal(written(arena, "get_worker", table, vm), "id         i-1\nstate      running\npublic_ip  -\n");
	assert_string_equal(written(arena, "has_worker", table, "{\"success\":true,\"exists\":false}"), "exists  false\n");
	assert_string_equal(written(arena, "delete_worker", table, "{\"success\":true}"), "success\n");
	table.colour = true;
	assert_non_null(strstr(written(arena, "get_worker", table, vm), "state      " ESC "32mrunning" ESC "0m\n"));
	table.columns = 20;
	assert_string_equal(written(arena, "test_install", table, "{\"regions\":[\"eu-west-1\",\"x\",\"y\",\"us-east-1\"]}"),
			    "regions  eu-west-1 x\n         y us-east-1\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_narrow),
		cmocka_unit_test(test_headings_give_way_before_values),
		cmocka_unit_test(test_window_is_not_known),
		cmocka_unit_test(test_ascii),
		cmocka_unit_test(test_colours),
		cmocka_unit_test(test_nothing_moves_the_cursor),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_lines),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
