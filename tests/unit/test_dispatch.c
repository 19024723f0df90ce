/* SPDX-License-Identifier: Apache-2.0 */
/* The table: which methods there are, their versions and numbers of arguments, and what needs nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "cpi/dispatch.h"

#define ARENA_BYTES ((size_t)1024 * 1024)

static const struct {
	const char *name;
	size_t least, most;
	enum dispatch_needs needs;
} table[] = {
	{ "info", 0, 0, DISPATCH_NEEDS_NOTHING },
	{ "ping", 0, 0, DISPATCH_NEEDS_NOTHING },
	{ "current_vm_id", 0, 0, DISPATCH_NEEDS_HTTP },
	{ "calculate_vm_cloud_properties", 1, 1, DISPATCH_NEEDS_NOTHING },
	{ "configure_networks", 0, 2, DISPATCH_NEEDS_NOTHING },
	{ "create_stemcell", 2, 3, DISPATCH_NEEDS_AWS },
	{ "delete_stemcell", 1, 1, DISPATCH_NEEDS_AWS },
	{ "create_vm", 4, 6, DISPATCH_NEEDS_AWS },
	{ "delete_vm", 1, 1, DISPATCH_NEEDS_AWS },
	{ "has_vm", 1, 1, DISPATCH_NEEDS_AWS },
	{ "reboot_vm", 1, 1, DISPATCH_NEEDS_AWS },
	{ "set_vm_metadata", 2, 2, DISPATCH_NEEDS_AWS },
	{ "create_disk", 2, 3, DISPATCH_NEEDS_AWS },
	{ "delete_disk", 1, 1, DISPATCH_NEEDS_AWS },
	{ "has_disk", 1, 1, DISPATCH_NEEDS_AWS },
	{ "resize_disk", 2, 2, DISPATCH_NEEDS_AWS },
	{ "update_disk", 3, 3, DISPATCH_NEEDS_AWS },
	{ "attach_disk", 2, 2, DISPATCH_NEEDS_AWS },
	{ "detach_disk", 2, 2, DISPATCH_NEEDS_AWS },
	{ "set_disk_metadata", 2, 2, DISPATCH_NEEDS_AWS },
	{ "get_disks", 1, 1, DISPATCH_NEEDS_AWS },
	{ "snapshot_disk", 1, 2, DISPATCH_NEEDS_AWS },
	{ "delete_snapshot", 1, 1, DISPATCH_NEEDS_AWS },
};

/* Of the contract, and in no CPI for AWS. */
static const char *const not_served[] = { "create_network", "delete_network" };

/* So many arguments. */
static const struct json *arguments_of(struct arena *arena, size_t count)
{
	struct json *array = arena_alloc(arena, sizeof(*array));
	const struct json **tail = &array->child;

	array->type = JSON_ARRAY;
	array->count = count;
	for (size_t i = 0; i < count; i++) {
		struct json *item = arena_alloc(arena, sizeof(*item));
		item->type = JSON_STRING;
		item->text = "x";
		item->len = 1;
		*tail = item;
		tail = &item->next;
	}
	return array;
}

static void test_known(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		assert_true(dispatch_known(table[i].name));
	for (size_t i = 0; i < sizeof(not_served) / sizeof(not_served[0]); i++)
		assert_true(dispatch_known(not_served[i]));
	/* worker actions, too; they are in a table of their own */
	assert_true(dispatch_known("get_worker"));
	assert_true(dispatch_known("test_install"));
	assert_false(dispatch_known("get_workers"));
	assert_false(dispatch_known(""));
	assert_false(dispatch_known("inf"));
	assert_false(dispatch_known("info "));
	assert_false(dispatch_known("INFO"));
}

static void test_not_served(void **state)
{
	CLEANUP_ARENA struct arena *arena = arena_new(ARENA_BYTES);
	const struct dispatch_method *method;
	struct error err;

	(void)state;
	for (size_t i = 0; i < sizeof(not_served) / sizeof(not_served[0]); i++) {
		assert_int_equal(dispatch_find(not_served[i], 2, 3, arguments_of(arena, 0), &method, &err), -1);
		assert_int_equal(err.kind, ERROR_NOT_IMPLEMENTED);
		assert_non_null(strstr(err.message, not_served[i]));
	}
}

static void test_counts(void **state)
{

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		CLEANUP_ARENA struct arena *arena = arena_new(ARENA_BYTES);
		for (size_t count = 0; count < 6; count++) {
			const struct dispatch_method *method = NULL;
			struct error err = { 0 };
			bool fits = count >= table[i].least && count <= table[i].most;
			int result = dispatch_find(table[i].name, 1, 3, arguments_of(arena, count), &method, &err);
			assert_int_equal(result, fits ? 0 : -1);
			assert_int_equal(method != NULL, fits);
			if (fits)
				continue;
			assert_int_equal(err.kind, ERROR_INVALID_CALL);
			assert_int_equal(strncmp(err.message, "Arguments are not correct, got: ", 32), 0);
		}
	}
}

static void test_versions(void **state)
{
	CLEANUP_ARENA struct arena *arena = arena_new(ARENA_BYTES);
	const struct json *none = arguments_of(arena, 0);
	const struct dispatch_method *method;
	struct error err;

	(void)state;
	for (int version = 1; version <= 3; version++)
		assert_int_equal(dispatch_find("info", version, 3, none, &method, &err), 0);
	assert_int_equal(dispatch_find("info", 4, 3, none, &method, &err), -1);
	assert_int_equal(err.kind, ERROR_API_VERSION);
	assert_non_null(strstr(err.message, "version 4"));
	assert_non_null(strstr(err.message, "is 3"));
	/* where the configuration lowers it */
	assert_int_equal(dispatch_find("info", 2, 1, none, &method, &err), -1);
	assert_int_equal(err.kind, ERROR_API_VERSION);
}

static void test_needs(void **state)
{
	CLEANUP_ARENA struct arena *arena = arena_new(ARENA_BYTES);

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		const struct dispatch_method *method;
		struct error err;
		assert_int_equal(
			dispatch_find(table[i].name, 1, 3, arguments_of(arena, table[i].least), &method, &err), 0);
		assert_int_equal(dispatch_needs(method), table[i].needs);
	}
}

/* Runs a method that needs nothing, with nothing there. */
static int run(struct arena *arena, const char *name, struct buf *result, struct error *err)
{
	struct config config = { .api_version = 2 };
	struct call call = { .config = &config, .arena = arena };
	const struct json *none = arguments_of(arena, 0);
	const struct dispatch_method *method;
	struct json_writer writer;

	assert_int_equal(dispatch_find(name, 1, 3, none, &method, err), 0);
	json_writer_init(&writer, result);
	return dispatch_run(method, &call, none, &writer, err);
}

static void test_run(void **state)
{
	CLEANUP_ARENA struct arena *arena = arena_new(ARENA_BYTES);
	CLEANUP_BUF struct buf info = BUF_INIT(1000);
	CLEANUP_BUF struct buf pong = BUF_INIT(1000);
	CLEANUP_BUF struct buf none = BUF_INIT(1000);
	struct error err;

	(void)state;
	assert_int_equal(run(arena, "info", &info, &err), 0);
	assert_string_equal(buf_text(&info), "{\"stemcell_formats\":[\"aws-raw\",\"aws-light\"],\"api_version\":2}");
	assert_int_equal(run(arena, "ping", &pong, &err), 0);
	assert_string_equal(buf_text(&pong), "\"pong\"");
	assert_int_equal(run(arena, "configure_networks", &none, &err), -1);
	assert_int_equal(err.kind, ERROR_NOT_SUPPORTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known),    cmocka_unit_test(test_not_served), cmocka_unit_test(test_counts),
		cmocka_unit_test(test_versions), cmocka_unit_test(test_needs),      cmocka_unit_test(test_run),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
