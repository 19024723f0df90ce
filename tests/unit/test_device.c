/* SPDX-License-Identifier: Apache-2.0 */
/* Which disk is the volume, on made-up trees: NVMe names, instance storage, Xen's shifts, the lab's links; and waiting,
 * with a clock of our own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cmocka.h>

#include "onhost/device.h"
#include "onhost/nvme.h"
#include "tests/unit/tree.h"

#define VOLUME "vol-0123456789abcdef0"
#define SERIAL "vol0123456789abcdef0"
#define EBS NVME_MODEL_EBS
#define INSTANCE_STORE NVME_MODEL_INSTANCE_STORE
#define GIB_SECTORS 2097152UL

struct fixture {
	struct tree tree;
	char sys[96], dev[96], proc[96], run[96], links[96];
	struct device_paths paths;
	struct arena *arena;
	struct device_want want;
	struct device device;
	bool found;
	struct error err;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	assert_non_null(f);
	tree_make(&f->tree);
	f->paths = (struct device_paths){
		.sys = tree_path(&f->tree, "sys", f->sys, sizeof(f->sys)),
		.dev = tree_path(&f->tree, "dev", f->dev, sizeof(f->dev)),
		.proc = tree_path(&f->tree, "proc", f->proc, sizeof(f->proc)),
		.run = tree_path(&f->tree, "run", f->run, sizeof(f->run)),
	};
	tree_folder(&f->tree, "sys/block");
	tree_folder(&f->tree, "links");
	tree_path(&f->tree, "links", f->links, sizeof(f->links));
	f->arena = arena_new(1 << 20);
	assert_non_null(f->arena);
	f->want.volume_id = VOLUME;
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

/* As in all trees of the kind, the node's number is what counts; it is never opened. */
static void add_node(const struct fixture *f, const char *name, unsigned minor)
{
	char node[200];
	tree_folder(&f->tree, "dev");
	snprintf(node, sizeof(node), "%s/%s", f->dev, name);
	unlink(node);
	assert_int_equal(mknod(node, S_IFBLK | 0600, makedev(259, minor)), 0);
}

static void add_disk(const struct fixture *f, const char *name, unsigned minor, unsigned long sectors)
{
	char text[64];
	snprintf(text, sizeof(text), "259:%u\n", minor);
	tree_file(&f->tree, text, "sys/block/%s/dev", name);
	snprintf(text, sizeof(text), "%lu\n", sectors);
	tree_file(&f->tree, text, "sys/block/%s/size", name);
	add_node(f, name, minor);
}

/* The controller pads with blanks. */
static void add_nvme(const struct fixture *f, const char *name, unsigned minor, const char *serial, const char *model)
{
	char text[128];
	add_disk(f, name, minor, GIB_SECTORS);
	snprintf(text, sizeof(text), "%-20s \n", serial);
	tree_file(&f->tree, text, "sys/block/%s/device/serial", name);
	snprintf(text, sizeof(text), "%-40s\n", model);
	tree_file(&f->tree, text, "sys/block/%s/device/model", name);
}

static int look(struct fixture *f)
{
	return device_look(&f->paths, &f->want, f->arena, &f->device, &f->found, &f->err);
}

static void assert_found(struct fixture *f, const char *name)
{
	char node[160];
	assert_int_equal(look(f), 0);
	assert_true(f->found);
	snprintf(node, sizeof(node), "%s/%s", f->dev, name);
	assert_string_equal(f->device.node, node);
}

static void assert_not_found(struct fixture *f)
{
	f->found = true;
	assert_int_equal(look(f), 0);
	assert_false(f->found);
}

/* --- NVMe --------------------------------------------------------------------------------------------------------- */

static void test_nvme_by_serial(void **state)
{
	struct fixture *f = *state;
	add_nvme(f, "nvme0n1", 0, "vol0aaaaaaaaaaaaaaaa", EBS);
	assert_not_found(f);
	add_nvme(f, "nvme1n1", 1, "AWS0123456789ABCDEF0", INSTANCE_STORE);
	add_nvme(f, "nvme12n1", 2, SERIAL, EBS);
	assert_found(f, "nvme12n1");
	assert_string_equal(f->device.recognised_by, "controller serial " SERIAL);
	assert_true(f->device.number != 0);
	assert_false(f->device.regular_file);
}

static void test_nvme_serial_must_be_whole(void **state)
{
	struct fixture *f = *state;
	add_nvme(f, "nvme0n1", 0, "vol0123456789abcdef", EBS);
	add_nvme(f, "nvme1n1", 1, SERIAL "1", EBS);
	add_nvme(f, "nvme2n1", 2, "VOL0123456789ABCDEF0", EBS);
	assert_not_found(f);
}

/* Instance storage is out by what sysfs says; about any other model the controller itself is asked, once it is open. */
static void test_nvme_models(void **state)
{
	struct fixture *f = *state;
	add_nvme(f, "nvme0n1", 0, SERIAL, INSTANCE_STORE);
	assert_not_found(f);
	const char *others = device_describe_others(&f->paths, &f->want, f->arena);
	assert_non_null(strstr(others, "nvme0n1 (1.0 GiB, " INSTANCE_STORE ", serial " SERIAL ": instance storage)"));
	add_nvme(f, "nvme1n1", 1, SERIAL, "QEMU NVMe Ctrl");
	assert_found(f, "nvme1n1");
	assert_int_equal(f->device.claim, DEVICE_BY_SERIAL);
	add_nvme(f, "nvme2n1", 2, SERIAL, EBS); /* now there are two */
	assert_int_equal(look(f), -1);
}

/* What has to be proven later goes along. */
static void test_what_goes_along(void **state)
{
	struct fixture *f = *state;
	f->want.device_name = "/dev/sdf";
	f->want.size = 12345;
	add_nvme(f, "nvme1n1", 1, SERIAL, EBS);
	assert_found(f, "nvme1n1");
	assert_int_equal(f->device.claim, DEVICE_BY_SERIAL);
	assert_string_equal(f->device.serial, SERIAL);
	assert_string_equal(f->device.device_name, "/dev/sdf");
	assert_int_equal(f->device.size, 12345);
	assert_int_equal(f->device.number, makedev(259, 1));
}

/* Unplugged, and still on show: the kernel takes its size first. */
static void test_nvme_without_size(void **state)
{
	struct fixture *f = *state;
	add_nvme(f, "nvme1n1", 1, SERIAL, EBS);
	tree_file(&f->tree, "0\n", "sys/block/nvme1n1/size");
	assert_not_found(f);
}

/* The disk is there before its node, and multipath's paths have no number at all. */
static void test_nvme_not_ready(void **state)
{
	struct fixture *f = *state;
	char node[160];
	add_nvme(f, "nvme1n1", 1, SERIAL, EBS);
	snprintf(node, sizeof(node), "%s/nvme1n1", f->dev);
	assert_int_equal(unlink(node), 0);
	tree_file(&f->tree, SERIAL "\n", "sys/block/nvme1c1n1/device/serial");
	tree_file(&f->tree, EBS "\n", "sys/block/nvme1c1n1/device/model");
	assert_not_found(f);
	tree_file(&f->tree, "", "dev/nvme1n1"); /* somebody wrote to the name before the disk was there */
	assert_not_found(f);
	add_node(f, "nvme1n1", 2); /* the node of a disk that was there under that name */
	assert_not_found(f);
	add_node(f, "nvme1n1", 1);
	assert_found(f, "nvme1n1");
}

static void test_nvme_twice_is_refused(void **state)
{
	struct fixture *f = *state;
	add_nvme(f, "nvme1n1", 1, SERIAL, EBS);
	add_nvme(f, "nvme2n1", 2, SERIAL, EBS);
	assert_int_equal(look(f), -1);
	assert_int_equal(f->err.kind, ERROR_DEVICE_REFUSED);
	assert_non_null(strstr(f->err.message, "nvme1n1"));
	assert_non_null(strstr(f->err.message, "nvme2n1"));
}

/* A by-id link proves nothing outside of the lab. */
static void test_links_are_no_proof(void **state)
{
	struct fixture *f = *state;
	add_disk(f, "loop0", 7, GIB_SECTORS);
	tree_link(&f->tree, "../../loop0", "dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_" SERIAL);
	assert_not_found(f);
	/* ... and is not followed where sysfs says otherwise */
	add_nvme(f, "nvme1n1", 1, SERIAL, EBS);
	assert_found(f, "nvme1n1");
	tree_link(&f->tree, "../../gone", "dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_" SERIAL "_1");
	assert_found(f, "nvme1n1");
}

/* --- Xen ---------------------------------------------------------------------------------------------------------- */

static void test_xen_names(void **state)
{
	static const struct {
		const char *asked;
		const char *disk;
		bool fits;
	} cases[] = {
		{ "/dev/sdf", "xvdf", true },	{ "/dev/sdf", "xvdj", true },	{ "/dev/sdf", "sdf", true },
		{ "sdf", "xvdf", true },	{ "/dev/xvdf", "xvdf", true },	{ "/dev/xvdba", "xvdba", true },
		{ "/dev/sdf1", "xvdf1", true }, { "/dev/sdf1", "xvdj1", true }, { "/dev/sdf", "xvdg", false },
		{ "/dev/sdf", "xvdf1", false }, { "/dev/sdf", "sdj", false },	{ "/dev/sdf", "xvdfa", false },
		{ "/dev/sdx", "xvdb", false },	{ "/dev/sdba", "xvdfa", false }, { "/dev/sdf", "nvme1n1", false },
		{ "/dev/nvme1n1", "xvdf", false }, { "", "xvdf", false },	{ "/dev/sd", "xvdf", false },
	};
	struct fixture *f = *state;
	const struct sysfs_disks none = { .count = 0 };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char folder[96];
		add_disk(f, cases[i].disk, 5, GIB_SECTORS);
		f->want.device_name = cases[i].asked;
		f->want.before = &none;
		if (cases[i].fits)
			assert_found(f, cases[i].disk);
		else
			assert_not_found(f);
		snprintf(folder, sizeof(folder), "sys/block/%s/dev", cases[i].disk);
		char path[200];
		assert_int_equal(unlink(tree_path(&f->tree, folder, path, sizeof(path))), 0);
	}
}

static void test_xen_only_what_arrived(void **state)
{
	struct fixture *f = *state;
	struct sysfs_disks before;
	f->want.device_name = "/dev/sdf";
	add_disk(f, "xvde", 0, GIB_SECTORS); /* the first: this kernel shifts */
	add_disk(f, "xvdj", 5, GIB_SECTORS);
	assert_not_found(f); /* nothing is known of before: no guess */
	assert_int_equal(sysfs_list_disks(&f->paths, f->arena, &before, &f->err), 0);
	f->want.before = &before;
	assert_not_found(f);
	assert_non_null(strstr(device_describe_others(&f->paths, &f->want, f->arena), "it was there before"));
	tree_file(&f->tree, "2\n", "sys/block/xvdj/diskseq"); /* that one went, and another came */
	assert_found(f, "xvdj");
	assert_string_equal(f->device.recognised_by, "new disk xvdj, asked for as /dev/sdf");
	assert_int_equal(f->device.claim, DEVICE_BY_NAME);
}

/* The disks that were there tell whether letters are shifted; another volume that comes under the other name is not it. */
static void test_xen_shift_is_known(void **state)
{
	static const struct {
		const char *first;
		const char *right;
		const char *wrong;
	} cases[] = { { "xvda", "xvdf", "xvdj" }, { "xvde", "xvdj", "xvdf" } };
	struct fixture *f = *state;
	f->want.device_name = "/dev/sdf";
	for (size_t i = 0; i < 2; i++) {
		struct sysfs_disks before;
		char path[200], folder[64];
		add_disk(f, cases[i].first, 0, GIB_SECTORS);
		assert_int_equal(sysfs_list_disks(&f->paths, f->arena, &before, &f->err), 0);
		f->want.before = &before;
		add_disk(f, cases[i].wrong, 5, GIB_SECTORS);
		assert_not_found(f);
		add_disk(f, cases[i].right, 6, GIB_SECTORS);
		assert_found(f, cases[i].right);
		const char *const names[] = { cases[i].first, cases[i].wrong, cases[i].right };
		for (size_t n = 0; n < 3; n++) {
			snprintf(folder, sizeof(folder), "sys/block/%s/dev", names[n]);
			assert_int_equal(unlink(tree_path(&f->tree, folder, path, sizeof(path))), 0);
		}
	}
}

/* The old disk went and a new one came under the same name. */
static void test_xen_name_used_again(void **state)
{
	struct fixture *f = *state;
	struct sysfs_disks before;
	f->want.device_name = "/dev/sdf";
	add_disk(f, "xvdf", 5, GIB_SECTORS);
	tree_file(&f->tree, "11\n", "sys/block/xvdf/diskseq");
	assert_int_equal(sysfs_list_disks(&f->paths, f->arena, &before, &f->err), 0);
	f->want.before = &before;
	assert_not_found(f);
	tree_file(&f->tree, "12\n", "sys/block/xvdf/diskseq");
	assert_found(f, "xvdf");
}

static void test_xen_size_must_be_right(void **state)
{
	struct fixture *f = *state;
	const struct sysfs_disks none = { .count = 0 };
	f->want.device_name = "/dev/sdf";
	f->want.before = &none;
	f->want.size = 3 * GIB_SECTORS * 512;
	add_disk(f, "xvdf", 5, GIB_SECTORS);
	assert_not_found(f);
	assert_non_null(strstr(device_describe_others(&f->paths, &f->want, f->arena), "its size is another"));
	add_disk(f, "xvdj", 9, 3 * GIB_SECTORS);
	assert_found(f, "xvdj");
}

static void test_xen_never_a_guess(void **state)
{
	struct fixture *f = *state;
	const struct sysfs_disks none = { .count = 0 };
	f->want.device_name = "/dev/sdf";
	f->want.before = &none;
	add_disk(f, "xvdf", 5, GIB_SECTORS);
	add_disk(f, "xvdj", 9, GIB_SECTORS);
	assert_int_equal(look(f), -1);
	assert_int_equal(f->err.kind, ERROR_DEVICE_REFUSED);
	assert_non_null(strstr(f->err.message, "could both be"));
}

/* --- the lab's links ---------------------------------------------------------------------------------------------- */

static void test_link_names(void **state)
{
	static const struct {
		const char *suffix;
		bool fits;
	} cases[] = {
		{ "", true },	    { "_1", true },	{ "-ns-1", true },  { "-part1", false }, { "_", false },
		{ "-ns-", false },  { "_1-part1", false }, { "0", false }, { "-ns-1x", false },
	};
	struct fixture *f = *state;
	f->want.lab_links = f->links;
	f->want.lab_files = true;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char name[128];
		char path[300];
		snprintf(name, sizeof(name), "links/nvme-Amazon_Elastic_Block_Store_" SERIAL "%s", cases[i].suffix);
		tree_file(&f->tree, "x", "volume");
		tree_link(&f->tree, "../volume", "%s", name);
		assert_int_equal(look(f), 0);
		assert_int_equal(f->found, cases[i].fits);
		assert_int_equal(unlink(tree_path(&f->tree, name, path, sizeof(path))), 0);
	}
}

static void test_link_to_a_file(void **state)
{
	struct fixture *f = *state;
	f->want.lab_links = f->links;
	tree_link(&f->tree, "../volume", "links/nvme-Amazon_Elastic_Block_Store_" SERIAL);
	assert_not_found(f); /* dangling */
	tree_file(&f->tree, "x", "volume");
	assert_not_found(f); /* files are not taken unless the lab says so */
	f->want.lab_files = true;
	assert_int_equal(look(f), 0);
	assert_true(f->found);
	assert_true(f->device.regular_file);
	assert_string_equal(f->device.recognised_by, "by-id link nvme-Amazon_Elastic_Block_Store_" SERIAL " (lab)");
}

static void test_two_links(void **state)
{
	struct fixture *f = *state;
	f->want.lab_links = f->links;
	f->want.lab_files = true;
	tree_file(&f->tree, "x", "volume");
	tree_file(&f->tree, "x", "another");
	tree_link(&f->tree, "../volume", "links/nvme-Amazon_Elastic_Block_Store_" SERIAL);
	tree_link(&f->tree, "../volume", "links/nvme-Amazon_Elastic_Block_Store_" SERIAL "_1");
	assert_int_equal(look(f), 0);
	assert_true(f->found);
	tree_link(&f->tree, "../another", "links/nvme-Amazon_Elastic_Block_Store_" SERIAL "-ns-1");
	assert_int_equal(look(f), -1);
	assert_int_equal(f->err.kind, ERROR_DEVICE_REFUSED);
}

/* --- waiting ------------------------------------------------------------------------------------------------------ */

/* Each reading of the clock is a second later; at the given second the volume's disk appears. */
struct steps {
	const struct fixture *f;
	int64_t now_ms;
	int64_t appears_ms; /* 0: never */
};

static int64_t step(void *self)
{
	struct steps *steps = self;
	steps->now_ms += 1000;
	if (steps->appears_ms != 0 && steps->now_ms >= steps->appears_ms) {
		add_nvme(steps->f, "nvme1n1", 1, SERIAL, EBS);
		steps->appears_ms = 0;
	}
	return steps->now_ms;
}

static int await(struct fixture *f, struct steps *steps, struct cancel *cancel, int in_fd, int out_fd)
{
	struct clock clock;
	struct log log;
	clock_system(&clock);
	clock.monotonic_ms = step;
	clock.self = steps;
	log_init(&log, -1, LOG_LEVEL_ERROR, &clock);
	struct runtime runtime = { .log = &log, .clock = &clock, .cancel = cancel };
	const struct device_wait wait = {
		.paths = &f->paths, .want = f->want, .look_every_ms = 1, .in_fd = in_fd, .out_fd = out_fd,
	};
	return device_await(&runtime, &wait, &f->device, &f->err);
}

static void test_comes_after_59_seconds(void **state)
{
	struct fixture *f = *state;
	struct steps steps = { .f = f, .appears_ms = 59000 };
	assert_int_equal(await(f, &steps, NULL, -1, -1), 0);
	assert_string_equal(f->device.recognised_by, "controller serial " SERIAL);
}

static void test_never_comes(void **state)
{
	struct fixture *f = *state;
	struct steps steps = { .f = f };
	struct sysfs_disks before = { .count = 0 };
	f->want.before = &before;
	f->want.device_name = "/dev/sdf";
	add_nvme(f, "nvme0n1", 0, "vol0aaaaaaaaaaaaaaaa", EBS);
	add_disk(f, "loop3", 3, 0);
	assert_int_equal(await(f, &steps, NULL, -1, -1), -1);
	assert_int_equal(f->err.kind, ERROR_NO_DEVICE);
	assert_true(steps.now_ms >= 60000);
	assert_non_null(strstr(f->err.message, "of " VOLUME " as /dev/sdf did not appear within 60 s"));
	assert_non_null(strstr(f->err.message, "newly arrived nvme0n1 (1.0 GiB, " EBS
					       ", serial vol0aaaaaaaaaaaaaaaa: another volume)"));
	assert_null(strstr(f->err.message, "loop3")); /* empty: no disk to anybody */
}

/* In a container the kernel's disks are on show, and /dev stays as it was. */
static void test_dev_without_new_nodes(void **state)
{
	struct fixture *f = *state;
	struct steps steps = { .f = f };
	char node[160];
	add_nvme(f, "nvme1n1", 1, SERIAL, EBS);
	snprintf(node, sizeof(node), "%s/nvme1n1", f->dev);
	assert_int_equal(unlink(node), 0);
	assert_int_equal(await(f, &steps, NULL, -1, -1), -1);
	assert_int_equal(f->err.kind, ERROR_NO_DEVICE);
	assert_non_null(strstr(f->err.message, "the kernel has the disk of " VOLUME " (controller serial " SERIAL ")"));
	assert_non_null(strstr(f->err.message, "nvme1n1 is not there, even after 60 s"));
	assert_non_null(strstr(f->err.message, "as in a container"));
	add_node(f, "nvme1n1", 3);
	steps = (struct steps){ .f = f };
	assert_int_equal(await(f, &steps, NULL, -1, -1), -1);
	assert_non_null(strstr(f->err.message, "nvme1n1 is the node of another device"));
	assert_int_equal(unlink(node), 0);
	tree_file(&f->tree, "", "dev/nvme1n1");
	steps = (struct steps){ .f = f };
	assert_int_equal(await(f, &steps, NULL, -1, -1), -1);
	assert_non_null(strstr(f->err.message, "nvme1n1 is no block device's node but a file"));
}

static void test_wait_in_the_lab_tells_the_links(void **state)
{
	struct fixture *f = *state;
	struct steps steps = { .f = f };
	f->want.lab_links = f->links;
	assert_int_equal(await(f, &steps, NULL, -1, -1), -1);
	assert_non_null(strstr(f->err.message, "no link at all in"));
	tree_link(&f->tree, "../x", "links/nvme-Amazon_Elastic_Block_Store_vol0bbb");
	assert_int_equal(await(f, &steps, NULL, -1, -1), -1);
	assert_non_null(strstr(f->err.message, "nvme-Amazon_Elastic_Block_Store_vol0bbb in "));
}

static void test_cancel_ends_the_wait(void **state)
{
	struct fixture *f = *state;
	struct steps steps = { .f = f };
	struct cancel cancel;
	assert_int_equal(cancel_open(&cancel, &f->err), 0);
	cancel_raise(&cancel, 15);
	assert_int_equal(await(f, &steps, &cancel, -1, -1), -1);
	assert_int_equal(f->err.kind, ERROR_CANCELLED);
	assert_true(steps.now_ms < 10000);
	cancel_close(&cancel);
}

static void test_the_other_side_gone_ends_the_wait(void **state)
{
	struct fixture *f = *state;
	int pair[2];
	struct steps steps = { .f = f };
	assert_int_equal(pipe(pair), 0);
	close(pair[1]);
	assert_int_equal(await(f, &steps, NULL, pair[0], -1), -1);
	assert_int_equal(f->err.kind, ERROR_PROTOCOL);
	close(pair[0]);

	assert_int_equal(pipe(pair), 0);
	close(pair[0]);
	assert_int_equal(await(f, &steps, NULL, -1, pair[1]), -1);
	assert_int_equal(f->err.kind, ERROR_PROTOCOL);
	close(pair[1]);

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(shutdown(pair[1], SHUT_WR), 0);
	assert_int_equal(await(f, &steps, NULL, pair[0], -1), -1);
	assert_int_equal(f->err.kind, ERROR_PROTOCOL);
	assert_true(steps.now_ms < 20000);
	close(pair[0]);
	close(pair[1]);
}

/* Who sent everything ahead and closed is still there in what it sent. */
static void test_sent_ahead_is_not_gone(void **state)
{
	struct fixture *f = *state;
	struct steps steps = { .f = f, .appears_ms = 30000 };
	int pair[2];
	assert_int_equal(pipe(pair), 0);
	assert_int_equal(write(pair[1], "x", 1), 1);
	close(pair[1]);
	assert_int_equal(await(f, &steps, NULL, pair[0], -1), 0);
	close(pair[0]);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	if (geteuid() != 0) {
		puts("skipped: made-up device nodes can only be made by root");
		return 0;
	}
	const struct CMUnitTest tests[] = {
		TEST(test_nvme_by_serial),
		TEST(test_nvme_serial_must_be_whole),
		TEST(test_nvme_models),
		TEST(test_what_goes_along),
		TEST(test_nvme_without_size),
		TEST(test_nvme_not_ready),
		TEST(test_nvme_twice_is_refused),
		TEST(test_links_are_no_proof),
		TEST(test_xen_names),
		TEST(test_xen_only_what_arrived),
		TEST(test_xen_shift_is_known),
		TEST(test_xen_name_used_again),
		TEST(test_xen_size_must_be_right),
		TEST(test_xen_never_a_guess),
		TEST(test_link_names),
		TEST(test_link_to_a_file),
		TEST(test_two_links),
		TEST(test_comes_after_59_seconds),
		TEST(test_never_comes),
		TEST(test_dev_without_new_nodes),
		TEST(test_wait_in_the_lab_tells_the_links),
		TEST(test_cancel_ends_the_wait),
		TEST(test_the_other_side_gone_ends_the_wait),
		TEST(test_sent_ahead_is_not_gone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
