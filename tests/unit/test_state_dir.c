/* SPDX-License-Identifier: Apache-2.0 */
/* Where the state directory is, how it is made, and which ones are refused. */
#include "common/state_dir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/cleanup.h"
#include "tests/unit/fail_alloc.h"
#include "tests/unit/tree.h"

struct fixture {
	struct tree tree;
	char base[96];
	struct arena *arena;
};

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	tree_make(&fixture->tree);
	tree_path(&fixture->tree, "deep/er", fixture->base, sizeof(fixture->base));
	assert_int_equal(setenv("AWS_CPI_STATE_DIR", fixture->base, 1), 0);
	fixture->arena = arena_new(1024 * 1024);
	assert_non_null(fixture->arena);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	tree_remove(&fixture->tree);
	arena_free(fixture->arena);
	free(fixture);
	unsetenv("AWS_CPI_STATE_DIR");
	return 0;
}

static mode_t mode_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_mode & 07777;
}

static void test_order(void **state)
{
	struct fixture *fixture = *state;
	char by_user[64];
	snprintf(by_user, sizeof(by_user), "aws-cpi-%lu", (unsigned long)geteuid());
	const char *const t = arena_printf(fixture->arena, "/t/%s", by_user);
	const char *const tmp = arena_printf(fixture->arena, "/tmp/%s", by_user);
	/* variables, and what they give; a path that is not absolute counts for nothing */
	const struct {
		const char *ours, *xdg, *home, *tmpdir, *path;
	} rows[] = {
		{ "/o", "/x", "/h", "/t", "/o" },
		{ NULL, "/x", "/h", "/t", "/x/aws-cpi" },
		{ "o", "/x", "/h", "/t", "/x/aws-cpi" },
		{ "", "x", "/h", "/t", "/h/.local/state/aws-cpi" },
		{ NULL, NULL, "", "/t", t },
		{ NULL, NULL, NULL, "", tmp },
	};
	static const char *const names[] = { "AWS_CPI_STATE_DIR", "XDG_STATE_HOME", "HOME", "TMPDIR" };
	char *before[4];

	for (size_t i = 0; i < 4; i++) {
		const char *value = getenv(names[i]);
		before[i] = value == NULL ? NULL : arena_strdup(fixture->arena, value);
	}
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *const values[] = { rows[i].ours, rows[i].xdg, rows[i].home, rows[i].tmpdir };
		const char *path;
		for (size_t k = 0; k < 4; k++)
			assert_int_equal(values[k] == NULL ? unsetenv(names[k]) : setenv(names[k], values[k], 1), 0);
		assert_int_equal(state_dir_find(fixture->arena, NULL, &path, NULL), 0);
		assert_string_equal(path, rows[i].path);
		assert_int_equal(state_dir_find(fixture->arena, "folder", &path, NULL), 0);
		assert_string_equal(path, arena_printf(fixture->arena, "%s/folder", rows[i].path));
	}
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(before[i] == NULL ? unsetenv(names[i]) : setenv(names[i], before[i], 1), 0);
	assert_int_equal(access(fixture->base, F_OK), -1);
}

static void test_made_for_us_alone(void **state)
{
	struct fixture *fixture = *state;
	const char *path = NULL;
	struct error err = { 0 };
	mode_t mask = umask(0);

	assert_int_equal(state_dir_make(fixture->arena, "folder", &path, &err), 0);
	umask(mask);
	assert_string_equal(path, arena_printf(fixture->arena, "%s/folder", fixture->base));
	assert_int_equal(mode_of(path), 0700);
	assert_int_equal(mode_of(fixture->base), 0700);
	/* and once more */
	assert_int_equal(state_dir_make(fixture->arena, "folder", &path, &err), 0);
	assert_int_equal(state_dir_make(fixture->arena, NULL, &path, &err), 0);
	assert_string_equal(path, fixture->base);
}

static void refuse(struct fixture *fixture, const char *why)
{
	const char *path = "untouched";
	struct error err = { 0 };

	assert_int_equal(state_dir_make(fixture->arena, NULL, &path, &err), -1);
	assert_string_equal(path, "untouched");
	assert_int_equal(err.kind, ERROR_IO);
	assert_non_null(strstr(err.message, fixture->base));
	if (strstr(err.message, why) == NULL)
		fail_msg("%s", err.message);
}

static void test_refused(void **state)
{
	struct fixture *fixture = *state;
	const char *path;

	assert_int_equal(state_dir_make(fixture->arena, NULL, &path, NULL), 0);
	assert_int_equal(chmod(fixture->base, 0770), 0);
	refuse(fixture, "chmod 0700");
	assert_int_equal(chmod(fixture->base, 0755), 0);
	assert_int_equal(state_dir_make(fixture->arena, NULL, &path, NULL), 0);
	if (geteuid() == 0) {
		assert_int_equal(chown(fixture->base, 12345, 0), 0);
		refuse(fixture, "belongs to user 12345");
	}
	assert_int_equal(rmdir(fixture->base), 0);
	assert_int_equal(symlink("/tmp", fixture->base), 0);
	refuse(fixture, "not a directory");
	assert_int_equal(unlink(fixture->base), 0);
	CLEANUP_FILE FILE *file = fopen(fixture->base, "we");
	assert_non_null(file);
	refuse(fixture, "not a directory");
	snprintf(fixture->base, sizeof(fixture->base), "/dev/null/nowhere");
	setenv("AWS_CPI_STATE_DIR", fixture->base, 1);
	refuse(fixture, "cannot make");
}

static void test_no_memory(void **state)
{
	struct fixture *fixture = *state;

	for (long n = 0; n < 50; n++) {
		struct arena *arena CLEANUP_ARENA = arena_new(1024 * 1024);
		struct error err = { 0 };
		const char *path;
		assert_non_null(arena);
		fail_alloc_after(n);
		int result = state_dir_make(arena, "folder", &path, &err);
		bool failed = fail_alloc_off();
		if (!failed) {
			assert_int_equal(result, 0);
			assert_true(n > 0);
			return;
		}
		assert_int_equal(result, -1);
		assert_int_equal(err.kind, ERROR_NOMEM);
	}
	fail_msg("%s", fixture->base);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(test_order),
		TEST(test_made_for_us_alone),
		TEST(test_refused),
		TEST(test_no_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
