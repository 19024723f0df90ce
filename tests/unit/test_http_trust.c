/* SPDX-License-Identifier: Apache-2.0 */
/* When a folder of certificates counts as the whole: all of the file's are in it, under names that are looked for. */
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

#include "common/http_trust.h"
#include "tests/unit/tree.h"

#define BEGIN "-----BEGIN CERTIFICATE-----\n"
#define END "-----END CERTIFICATE-----\n"

struct fixture {
	struct tree tree;
	char folder[128];
	char file[128];
};

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	tree_make(&fixture->tree);
	tree_path(&fixture->tree, "certs", fixture->folder, sizeof(fixture->folder));
	tree_path(&fixture->tree, "all.pem", fixture->file, sizeof(fixture->file));
	assert_int_equal(mkdir(fixture->folder, 0700), 0);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	tree_remove(&fixture->tree);
	free(fixture);
	return 0;
}

/* Certificate number n: text as long as one, of letters that the number gives. */
static void print_certificate(FILE *out, unsigned n)
{
	unsigned seed = n * 7919 + 1;

	fputs(BEGIN, out);
	for (unsigned i = 0; i < 1200; i++) {
		seed = seed * 1103515245 + 12345;
		fputc("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[seed >> 16 & 63], out);
		if (i % 64 == 63)
			fputc('\n', out);
	}
	fputs("==\n" END, out);
}

static void put(const struct fixture *fixture, const char *name, unsigned from, unsigned to)
{
	char path[256];

	if (name == NULL)
		snprintf(path, sizeof(path), "%s", fixture->file);
	else
		snprintf(path, sizeof(path), "%s/%s", fixture->folder, name);
	FILE *out = fopen(path, "w");
	assert_non_null(out);
	for (unsigned n = from; n < to; n++)
		print_certificate(out, n);
	assert_int_equal(fclose(out), 0);
}

static bool has_all(const struct fixture *fixture)
{
	return http_trust_folder_has_all(fixture->folder, fixture->file);
}

static void test_all_are_there(void **state)
{
	struct fixture *fixture = *state;
	char name[32];

	for (unsigned n = 0; n < 200; n++) {
		snprintf(name, sizeof(name), "%08x.%u", n * 2654435761U, n % 11);
		put(fixture, name, n, n + 1);
	}
	put(fixture, NULL, 0, 200);
	assert_true(has_all(fixture));
	/* more in the folder do no harm */
	put(fixture, "ffffffff.0", 300, 301);
	put(fixture, "other.pem", 301, 302);
	assert_true(has_all(fixture));
	/* one that somebody has put into the file alone */
	put(fixture, NULL, 0, 201);
	assert_false(has_all(fixture));
}

static void test_names(void **state)
{
	struct fixture *fixture = *state;
	static const char *const bad[] = { "one.pem",   "1234567.0",  "123456789.0", "12345678",   "12345678.",
					   "12345678.x", "1234567G.0", "12345678.r0", "ABCDEF01.0", "12345678.0.bak" };

	put(fixture, NULL, 0, 1);
	assert_false(has_all(fixture));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		put(fixture, bad[i], 0, 1);
		if (has_all(fixture))
			fail_msg("%s counts", bad[i]);
	}
	put(fixture, "12345678.10", 0, 1);
	assert_true(has_all(fixture));
}

static void test_what_is_not_there(void **state)
{
	struct fixture *fixture = *state;
	char path[256];

	assert_false(http_trust_folder_has_all(NULL, fixture->file));
	assert_false(http_trust_folder_has_all(fixture->folder, NULL));
	put(fixture, "12345678.0", 0, 1);
	assert_false(has_all(fixture)); /* no file */
	put(fixture, NULL, 0, 0);
	assert_false(has_all(fixture)); /* an empty one: nothing would be trusted by it, and something by the folder */
	put(fixture, NULL, 0, 1);
	assert_true(has_all(fixture));
	assert_false(http_trust_folder_has_all("/nowhere", fixture->file));
	assert_false(http_trust_folder_has_all(fixture->file, fixture->file));
	/* a link that leads nowhere, and a folder of such a name */
	snprintf(path, sizeof(path), "%s/11111111.0", fixture->folder);
	assert_int_equal(symlink("nowhere", path), 0);
	snprintf(path, sizeof(path), "%s/22222222.0", fixture->folder);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_true(has_all(fixture));
	/* as short as no certificate is */
	FILE *out = fopen(fixture->file, "w");
	fputs(BEGIN END, out);
	fclose(out);
	assert_false(has_all(fixture));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = { TEST(test_all_are_there), TEST(test_names), TEST(test_what_is_not_there) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
