/* SPDX-License-Identifier: Apache-2.0 */
/* The table of worker actions against the one that was agreed on, written down here a second time. */
#include "cpi/actions/worker_action.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>

#include "cpi/dispatch.h"

#define R "+" /* required */
#define I "#" /* a whole number */

/* Parameters in any order: the mark, the name, "=" and the default. */
static const struct {
	const char *name;
	const char *parameters[WORKER_ACTION_MAX_PARAMETERS];
} wanted[] = {
	{ "test_install", { "region=us-east-1" } },
	{ "list_workers", { "region=us-east-1" } },
	{ "create_worker", { R "worker_name", "instance_type=t2.micro", "ami", "region=us-east-1" } },
	{ "delete_worker", { R "worker_id", "region=us-east-1" } },
	{ "get_worker", { R "worker_id", "region=us-east-1" } },
	{ "has_worker", { R "worker_id", "region=us-east-1" } },
	{ "start_worker", { R "worker_id", "region=us-east-1" } },
	{ "reboot_worker", { R "worker_id", "region=us-east-1" } },
	{ "get_volumes", { "region=us-east-1" } },
	{ "has_volume", { R "volume_id", "region=us-east-1" } },
	{ "create_volume", { R I "size_gb", R "availability_zone", "volume_type=gp2", "region=us-east-1" } },
	{ "delete_volume", { R "volume_id", "region=us-east-1" } },
	{ "attach_volume", { R "worker_id", R "volume_id", R "device_name", "region=us-east-1" } },
	{ "detach_volume", { R "volume_id", "region=us-east-1" } },
	{ "create_snapshot", { R "volume_id", R "snapshot_name", "region=us-east-1" } },
	{ "snapshot_volume", { R "source_volume_id", R "snapshot_name", "region=us-east-1" } },
	{ "delete_snapshot", { R "snapshot_id", "region=us-east-1" } },
	{ "has_snapshot", { R "snapshot_id", "region=us-east-1" } },
	{ "set_worker_metadata", { R "worker_id", R "key", R "value", "region=us-east-1" } },
};

#define N_WANTED (sizeof(wanted) / sizeof(wanted[0]))

static const struct json *parse(struct arena *arena, const char *text)
{
	const struct json *root = NULL;
	struct error err;

	if (json_parse(arena, text, strlen(text), (size_t)64 * 1024, &root, &err) != 0)
		fail_msg("%s: %s", err.message, text);
	return root;
}

/* A parameter as the table above has it. */
static void describe(const struct worker_parameter *parameter, char *text, size_t size)
{
	snprintf(text, size, "%s%s%s%s%s", parameter->required ? R : "", parameter->type == WORKER_INTEGER ? I : "", parameter->name,
		 parameter->fallback == NULL ? "" : "=", parameter->fallback == NULL ? "" : parameter->fallback);
}

static bool is_wanted(size_t row, const char *text)
{
	for (size_t i = 0; i < WORKER_ACTION_MAX_PARAMETERS && wanted[row].parameters[i] != NULL; i++) {
		if (strcmp(wanted[row].parameters[i], text) == 0)
			return true;
	}
	return false;
}

static void test_all_there(void **state)
{
	size_t count;

	(void)state;
	worker_actions(&count);
	assert_int_equal(count, N_WANTED);
	for (size_t i = 0; i < N_WANTED; i++) {
		const struct worker_action *action = worker_action_find(wanted[i].name);
		size_t n_wanted = 0, n = 0;
		assert_non_null(action);
		assert_string_equal(action->name, wanted[i].name);
		assert_non_null(action->run);
		while (n_wanted < WORKER_ACTION_MAX_PARAMETERS && wanted[i].parameters[n_wanted] != NULL)
			n_wanted++;
		for (; action->parameters[n].name != NULL; n++) {
			char text[128];
			describe(&action->parameters[n], text, sizeof(text));
			if (!is_wanted(i, text))
				fail_msg("%s: %s", action->name, text);
		}
		assert_int_equal(n, n_wanted);
	}
}

static void test_find(void **state)
{
	(void)state;
	assert_null(worker_action_find(""));
	assert_null(worker_action_find("get_workers"));
	assert_null(worker_action_find("info"));
	const struct worker_action *action = worker_action_find("create_worker");
	assert_string_equal(worker_action_parameter(action, "ami")->name, "ami");
	assert_null(worker_action_parameter(action, "worker_id"));
	assert_null(worker_action_parameter(action, ""));
}

/* One name is a method's as well. */
static void test_meant(void **state)
{
	CLEANUP_ARENA struct arena *arena = arena_new((size_t)1024 * 1024);
	const struct json *nothing = parse(arena, "[]"), *text = parse(arena, "[\"snap-1\"]"), *object = parse(arena, "[{}]");

	(void)state;
	assert_non_null(worker_action_meant("delete_snapshot", object));
	assert_null(worker_action_meant("delete_snapshot", text));
	assert_null(worker_action_meant("delete_snapshot", nothing));
	assert_non_null(worker_action_meant("get_worker", text));
	assert_non_null(worker_action_meant("list_workers", nothing));
	assert_null(worker_action_meant("snapshot_disk", object));
}

/* No other action has a method's name. */
static void test_names_are_their_own(void **state)
{
	CLEANUP_ARENA struct arena *arena = arena_new((size_t)1024 * 1024);
	const struct json *arguments = parse(arena, "[\"x\"]");
	const struct dispatch_method *method;
	struct error err;
	size_t count;

	(void)state;
	const struct worker_action *actions = worker_actions(&count);
	for (size_t i = 0; i < count; i++) {
		bool is_method = dispatch_find(actions[i].name, 1, 3, arguments, &method, &err) == 0;
		assert_int_equal(is_method, strcmp(actions[i].name, "delete_snapshot") == 0);
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(actions[i].name, actions[j].name);
	}
}

/* What a terminal shows of a list, and what people read. */
static void test_for_people(void **state)
{
	size_t count;

	(void)state;
	const struct worker_action *actions = worker_actions(&count);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(actions[i].list == NULL, actions[i].shown == NULL);
		assert_true(strlen(actions[i].description) > 0 && strchr(actions[i].description, '\n') == NULL);
		for (size_t j = 0; actions[i].parameters[j].name != NULL; j++)
			assert_true(strlen(actions[i].parameters[j].description) > 0);
	}
	assert_string_equal(worker_action_find("list_workers")->list, "workers");
	assert_string_equal(worker_action_find("get_volumes")->list, "volumes");
}

static void test_define(void **state)
{
	CLEANUP_ARENA struct arena *arena = arena_new((size_t)1024 * 1024);
	CLEANUP_BUF struct buf text = BUF_INIT((size_t)16 * 1024);
	struct json_writer writer;

	(void)state;
	json_writer_init(&writer, &text);
	worker_action_define(worker_action_find("create_volume"), &writer);
	const struct json *root = parse(arena, buf_text(&text));
	assert_int_equal(root->count, 3);
	assert_string_equal(json_text(json_get(root, "name")), "create_volume");
	assert_string_equal(json_text(json_get(root, "description")), "Create an EBS volume");
	const struct json *parameters = json_get(root, "parameters");
	assert_int_equal(parameters->count, 4);
	const struct json *size = json_at(parameters, 0), *type = json_at(parameters, 2), *region = json_at(parameters, 3);
	assert_int_equal(size->count, 5);
	assert_string_equal(json_text(json_get(size, "name")), "size_gb");
	assert_string_equal(json_text(json_get(size, "type")), "integer");
	assert_string_equal(json_text(json_get(size, "description")), "Size in GiB");
	assert_true(json_true(json_get(size, "required")));
	assert_true(json_is(json_get(size, "default"), JSON_NULL));
	assert_string_equal(json_text(json_get(type, "type")), "string");
	assert_true(json_is(json_get(type, "required"), JSON_BOOL) && !json_true(json_get(type, "required")));
	assert_string_equal(json_text(json_get(type, "default")), "gp2");
	assert_string_equal(json_text(json_get(region, "default")), WORKER_ACTION_REGION);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_there),	    cmocka_unit_test(test_find),       cmocka_unit_test(test_meant),
		cmocka_unit_test(test_names_are_their_own), cmocka_unit_test(test_for_people), cmocka_unit_test(test_define),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
