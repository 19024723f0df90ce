/* SPDX-License-Identifier: Apache-2.0 */
/* Which paths are an image's file, and its SHA-256 against sha256sum's. */
#include "cpi/methods/image_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "tests/unit/tree.h"

#define MIB ((size_t)1024 * 1024)

#define PATH_SIZE 256

static void make_file(const char *path, size_t len)
{
	CLEANUP_FREE char *data = malloc(len + 1);
	CLEANUP_FILE FILE *file = fopen(path, "w");

	assert_non_null(data);
	assert_non_null(file);
	for (size_t i = 0; i < len; i++)
		data[i] = (char)(i * 7 + (i >> 16));
	assert_int_equal(fwrite(data, 1, len, file), len);
}

static void by_sha256sum(const char *path, char ret_hex[SHA256_HEX_SIZE])
{
	char command[512];

	snprintf(command, sizeof(command), "sha256sum '%s'", path);
	FILE *out = popen(command, "r");
	assert_non_null(out);
	assert_non_null(fgets(ret_hex, SHA256_HEX_SIZE, out));
	assert_int_equal(pclose(out), 0);
}

static void test_sums(void **state)
{
	static const size_t sizes[] = { 1, MIB - 1, MIB, MIB + 1, 3 * MIB };
	struct tree tree;

	(void)state;
	tree_make(&tree);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		CLEANUP_FD int fd = -1;
		char expected[SHA256_HEX_SIZE], got[SHA256_HEX_SIZE];
		char text[PATH_SIZE];
		const char *path = tree_path(&tree, "image", text, sizeof(text));
		struct error err;
		make_file(path, sizes[i]);
		by_sha256sum(path, expected);
		assert_int_equal(image_file_open(path, &fd, &err), 0);
		assert_int_equal(image_file_sha256(fd, path, NULL, got, &err), 0);
		assert_string_equal(got, expected);
		assert_int_equal(lseek(fd, 0, SEEK_CUR), 0);
	}
	tree_remove(&tree);
}

static void test_signal(void **state)
{
	CLEANUP_FD int fd = -1;
	char got[SHA256_HEX_SIZE];
	char text[PATH_SIZE];
	struct cancel cancel;
	struct tree tree;
	struct error err;

	(void)state;
	tree_make(&tree);
	make_file(tree_path(&tree, "image", text, sizeof(text)), 2 * MIB);
	assert_int_equal(image_file_open(text, &fd, &err), 0);
	assert_int_equal(cancel_open(&cancel, &err), 0);
	cancel_raise(&cancel, SIGTERM);
	assert_int_equal(image_file_sha256(fd, "image", &cancel, got, &err), -1);
	assert_int_equal(err.kind, ERROR_CANCELLED);
	cancel_close(&cancel);
	tree_remove(&tree);
}

static void test_refused(void **state)
{
	static const char *const rows[][2] = {
		{ "none", "cannot open" }, { "empty", "is empty" }, { "pipe", "is not a file" }, { "", "is not a file" }
	};
	char text[PATH_SIZE];
	struct tree tree;
	struct error err;
	int fd = 77;

	(void)state;
	tree_make(&tree);
	make_file(tree_path(&tree, "empty", text, sizeof(text)), 0);
	assert_int_equal(mkfifo(tree_path(&tree, "pipe", text, sizeof(text)), 0600), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *path = tree_path(&tree, rows[i][0], text, sizeof(text));
		assert_int_equal(image_file_open(path, &fd, &err), -1);
		assert_int_equal(err.kind, ERROR_CLOUD);
		assert_non_null(strstr(err.message, rows[i][1]));
		assert_non_null(strstr(err.message, path));
		assert_int_equal(fd, 77);
	}
	tree_remove(&tree);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sums),
		cmocka_unit_test(test_signal),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
