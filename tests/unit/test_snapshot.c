/* SPDX-License-Identifier: Apache-2.0 */
/* What a snapshot is called: the whole metadata, none of it, and what is too long. */
#include "cpi/methods/snapshot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cpi/ec2/tags.h"

#define ARENA_BYTES ((size_t)1024 * 1024)

static struct snapshot_labels label(struct arena *arena, const struct ec2_tag *tags, size_t count, const char *device)
{
	struct snapshot_labels labels = { 0 };
	struct error err;

	if (snapshot_label(arena, (struct ec2_tags){ tags, count }, device, &labels, &err) != 0)
		fail_msg("%s", err.message);
	return labels;
}

static void check(struct ec2_tags actual, const struct ec2_tag *wanted, size_t count)
{
	assert_int_equal(actual.count, count);
	for (size_t i = 0; i < count; i++) {
		const char *value = tags_get(actual, wanted[i].key);
		if (value == NULL || strcmp(value, wanted[i].value) != 0)
			fail_msg("%s is %s", wanted[i].key, value != NULL ? value : "not there");
	}
}

static void test_all(void **state)
{
	static const struct ec2_tag metadata[] = {
		{ "agent_id", "agent" }, { "instance_id", "2e52d8ad" }, { "director_name", "Test Director" },
		{ "director_uuid", "6d06" }, { "deployment", "cf" }, { "job", "db" }, { "index", "0" }, { "Name", "not this" },
	};
	static const struct ec2_tag wanted[] = {
		{ "agent_id", "agent" }, { "instance_id", "2e52d8ad" }, { "director", "Test Director" },
		{ "director_uuid", "6d06" }, { "deployment", "cf" }, { "instance_index", "0" },
		{ "instance_name", "db/2e52d8ad" }, { "device", "/dev/sdf" }, { "Name", "cf/db/0/sdf" },
	};
	CLEANUP_ARENA struct arena *arena = arena_new(ARENA_BYTES);

	(void)state;
	struct snapshot_labels labels = label(arena, metadata, 8, "/dev/sdf");
	assert_string_equal(labels.description, "cf/db/0/sdf");
	check(labels.tags, wanted, 9);
	labels = label(arena, metadata, 8, NULL);
	assert_string_equal(labels.description, "cf/db/0");
	assert_null(tags_get(labels.tags, "device"));
}

static void test_little(void **state)
{
	static const struct ec2_tag metadata[] = { { "job", "db" } };
	static const struct ec2_tag wanted[] = { { "device", "sdg" }, { "Name", "db/sdg" } };
	CLEANUP_ARENA struct arena *arena = arena_new(ARENA_BYTES);

	(void)state;
	check(label(arena, metadata, 1, "sdg").tags, wanted, 2);
	struct snapshot_labels labels = label(arena, NULL, 0, NULL);
	assert_null(labels.description);
	assert_int_equal(labels.tags.count, 0);
}

static void test_long(void **state)
{
	char text[256];
	const struct ec2_tag metadata[] = { { "deployment", text }, { "job", text } };
	CLEANUP_ARENA struct arena *arena = arena_new(ARENA_BYTES);

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	struct snapshot_labels labels = label(arena, metadata, 2, NULL);
	assert_int_equal(strlen(labels.description), 255);
	assert_string_equal(tags_get(labels.tags, "Name"), labels.description);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all), cmocka_unit_test(test_little), cmocka_unit_test(test_long),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
