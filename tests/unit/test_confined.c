/* SPDX-License-Identifier: Apache-2.0 */
/* Machines of all kinds, made up: with nodes, without, with others' nodes, and without a sysfs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <cmocka.h>

#include "onhost/confined.h"
#include "tests/unit/tree.h"

struct fixture {
	struct tree tree;
	char sys[96], dev[96];
	struct device_paths paths;
	struct arena *arena;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	tree_make(&f->tree);
	f->paths = (struct device_paths){
		.sys = tree_path(&f->tree, "sys", f->sys, sizeof(f->sys)),
		.dev = tree_path(&f->tree, "dev", f->dev, sizeof(f->dev)),
	};
	tree_folder(&f->tree, "dev");
	f->arena = arena_new(1 << 20);
	assert_non_null(f->arena);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	tree_remove(&f->tree);
	arena_free(f->arena);
	free(f);
	return 0;
}

static void add_disk(const struct fixture *f, const char *name, unsigned minor, bool controller)
{
	char text[32];

	snprintf(text, sizeof(text), "259:%u\n", minor);
	tree_file(&f->tree, text, "sys/block/%s/dev", name);
	if (controller)
		tree_file(&f->tree, "a model\n", "sys/block/%s/device/model", name);
}

static void add_node(const struct fixture *f, const char *name, mode_t kind, unsigned minor)
{
	char node[200];

	snprintf(node, sizeof(node), "%s/%s", f->dev, name);
	assert_int_equal(mknod(node, kind | 0600, makedev(259, minor)), 0);
}

static void assert_says(struct fixture *f, const char *text)
{
	const char *why = NULL;
	struct error err;

	assert_int_equal(confined_check(&f->paths, f->arena, &why, &err), 0);
	if (*text == '\0')
		assert_string_equal(why, "");
	else if (strstr(why, text) == NULL)
		fail_msg("'%s' is not in '%s'", text, why);
}

/* One node is enough: others may be another container's, or come later. */
static void test_with_nodes(void **state)
{
	static const char *const names[] = { "nvme0n1", "xvda", "sda", "vda" };
	struct fixture *f = *state;

	for (unsigned i = 0; i < 4; i++) {
		add_disk(f, names[i], i, true);
		assert_says(f, "none of this machine's disks");
		add_node(f, names[i], S_IFBLK, i);
		assert_says(f, "");
		tree_remove(&f->tree);
		tree_make(&f->tree);
		f->paths.sys = tree_path(&f->tree, "sys", f->sys, sizeof(f->sys));
		f->paths.dev = tree_path(&f->tree, "dev", f->dev, sizeof(f->dev));
		tree_folder(&f->tree, "dev");
	}
	add_disk(f, "nvme0n1", 0, true);
	add_disk(f, "nvme1n1", 1, true);
	add_disk(f, "nvme2n1", 2, true);
	add_node(f, "nvme1n1", S_IFBLK, 1);
	assert_says(f, "");
}

static void test_without_nodes(void **state)
{
	struct fixture *f = *state;
	char text[400];

	add_disk(f, "nvme1n1", 1, true);
	add_disk(f, "nvme0n1", 0, true);
	add_disk(f, "loop0", 9, false);
	add_node(f, "loop0", S_IFBLK, 9);
	snprintf(text, sizeof(text), "none of this machine's disks (nvme0n1, nvme1n1) has its node in %s, ", f->dev);
	assert_says(f, text);
}

/* A file of that name, another device's node, a character device's. */
static void test_with_other_nodes(void **state)
{
	struct fixture *f = *state;

	add_disk(f, "nvme0n1", 0, true);
	add_disk(f, "nvme1n1", 1, true);
	add_disk(f, "nvme2n1", 2, true);
	tree_file(&f->tree, "", "dev/nvme0n1");
	add_node(f, "nvme1n1", S_IFBLK, 7);
	add_node(f, "nvme2n1", S_IFCHR, 2);
	assert_says(f, "(nvme0n1, nvme1n1, nvme2n1)");
}

/* Loop devices, a CD drive, a disk of memory, a multipath's without a controller: that these have nodes says nothing. */
static void test_not_the_machines(void **state)
{
	static const char *const names[] = { "loop0", "sr0", "zram0", "dm-0", "md0", "vda" };
	struct fixture *f = *state;

	for (unsigned i = 0; i < 6; i++) {
		add_disk(f, names[i], i, i == 1 || i == 2);
		add_node(f, names[i], S_IFBLK, i);
	}
	assert_says(f, "/block shows none of this machine's disks, so that an attached volume would not show up either");
}

static void test_no_disks(void **state)
{
	struct fixture *f = *state;

	tree_folder(&f->tree, "sys/block");
	assert_says(f, "shows none of this machine's disks");
}

static void test_no_sysfs(void **state)
{
	struct fixture *f = *state;

	assert_says(f, "sys/block is not there: onhost looks for disks in sysfs; mount it");
	tree_file(&f->tree, "", "sys/block");
	assert_says(f, "is not there");
}

/* The kernel's '!' is a folder below /dev. */
static void test_name_with_a_slash(void **state)
{
	struct fixture *f = *state;

	add_disk(f, "nvme!0!n1", 3, true);
	tree_folder(&f->tree, "dev/nvme/0");
	assert_says(f, "none of this machine's disks");
	add_node(f, "nvme/0/n1", S_IFBLK, 3);
	assert_says(f, "");
}

static void test_many(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < 200; i++) {
		char name[32];
		snprintf(name, sizeof(name), "nvme%un1", 100 + i);
		add_disk(f, name, i, true);
	}
	assert_says(f, "nvme100n1, nvme101n1, ");
	assert_says(f, ") has its node in ");
}

static void test_no_memory(void **state)
{
	struct fixture *f = *state;
	struct arena *small = arena_new(1);
	const char *why = "untouched";
	struct error err;

	add_disk(f, "nvme0n1", 0, true);
	assert_int_equal(confined_check(&f->paths, small, &why, &err), -1);
	assert_int_equal(err.kind, ERROR_NOMEM);
	assert_string_equal(why, "untouched");
	arena_free(small);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_with_nodes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_without_nodes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_with_other_nodes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_the_machines, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_disks, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_sysfs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_name_with_a_slash, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_memory, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
