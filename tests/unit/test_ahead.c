/* SPDX-License-Identifier: Apache-2.0 */
/* Decoding ahead: the same bytes as image_read's, errors in their turn, and an end in the middle. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "onhost/ahead.h"
#include "tests/unit/image_kit.h"

#define LEN (3 * SLOT_SIZE + 512)

static uint8_t disk[LEN];

struct fixture {
	struct kit_stream stream;
	struct kit_disk_image out;
	struct extents extents;
	struct image *image;
	struct ahead *ahead;
	struct error err;
};

static void open_on(struct fixture *f, const struct stream_in *in)
{
	kit_collect_init(&f->out, LEN);
	const struct extents_options options = {
		.limit = LEN, .where = "the disk", .slots = &f->out.slots, .emit = kit_collect, .emit_self = &f->out
	};
	assert_int_equal(extents_init(&f->extents, &options, &f->err), 0);
	assert_int_equal(image_open(in, &f->image, &f->err), 0);
	assert_int_equal(ahead_open(f->image, &f->extents, &f->ahead, &f->err), 0);
}

static void open_fixture(struct fixture *f, const struct buf *packed, size_t fail_at)
{
	f->stream = (struct kit_stream){
		.data = (const uint8_t *)packed->data, .len = packed->len, .step = 999, .fail_at = fail_at
	};
	const struct stream_in in = kit_stream_in(&f->stream);

	open_on(f, &in);
}

static void close_fixture(struct fixture *f)
{
	ahead_close(f->ahead);
	image_close(f->image);
	extents_destroy(&f->extents);
	kit_collect_free(&f->out);
}

static void expect_slot(struct fixture *f, size_t at, size_t want)
{
	const uint8_t *data;
	size_t len;

	assert_int_equal(ahead_read(f->ahead, &data, &len, &f->err), 0);
	assert_int_equal(len, want);
	assert_memory_equal(data, disk + at, want);
}

static void test_whole(void **state)
{
	struct buf packed CLEANUP_BUF = BUF_INIT(KIT_MAX);
	struct fixture f;

	(void)state;
	kit_gzip(&packed, disk, LEN);
	open_fixture(&f, &packed, SIZE_MAX);
	for (size_t at = 0; at < 3 * SLOT_SIZE; at += SLOT_SIZE)
		expect_slot(&f, at, SLOT_SIZE);
	expect_slot(&f, 3 * SLOT_SIZE, 512);
	expect_slot(&f, LEN, 0);
	expect_slot(&f, LEN, 0);
	close_fixture(&f);
}

/* What was decoded before a failure still comes, and then the failure. */
static void test_failures_in_turn(void **state)
{
	struct buf packed CLEANUP_BUF = BUF_INIT(KIT_MAX);
	struct fixture f;
	const uint8_t *data;
	size_t len;

	(void)state;
	kit_gzip(&packed, disk, 2 * SLOT_SIZE);
	size_t two = packed.len;
	kit_gzip(&packed, disk + 2 * SLOT_SIZE, SLOT_SIZE + 512);
	open_fixture(&f, &packed, two + 2000);
	expect_slot(&f, 0, SLOT_SIZE);
	expect_slot(&f, SLOT_SIZE, SLOT_SIZE);
	assert_int_equal(ahead_read(f.ahead, &data, &len, &f.err), -1);
	assert_int_equal(f.err.kind, ERROR_NETWORK);
	close_fixture(&f);

	/* the sum is wrong of what came two slots before: its own slots are the last ones that come */
	packed.data[two - 8] ^= 1;
	open_fixture(&f, &packed, SIZE_MAX);
	expect_slot(&f, 0, SLOT_SIZE);
	expect_slot(&f, SLOT_SIZE, SLOT_SIZE);
	assert_int_equal(ahead_read(f.ahead, &data, &len, &f.err), -1);
	assert_int_equal(f.err.kind, ERROR_IMAGE);
	assert_non_null(strstr(f.err.message, "(incorrect checksum)"));
	close_fixture(&f);
}

struct broken {
	struct buf *packed;
	unsigned calls;
};

/* All of it, and then a failure. */
static int next_of_broken(void *self, const uint8_t **ret_data, size_t *ret_len, struct error *err)
{
	struct broken *broken = self;

	if (broken->calls++ == 0) {
		*ret_data = (const uint8_t *)broken->packed->data;
		*ret_len = broken->packed->len;
		return 0;
	}
	return error_set(err, ERROR_NETWORK, "cut");
}

/* The second decoding that was asked for is not begun. */
static void test_not_read_after_a_failure(void **state)
{
	struct buf packed CLEANUP_BUF = BUF_INIT(KIT_MAX);
	struct broken broken = { .packed = &packed };
	const struct stream_in in = { next_of_broken, &broken };
	struct fixture f;
	const uint8_t *data;
	size_t len;

	(void)state;
	kit_gzip(&packed, disk, SLOT_SIZE / 2);
	packed.len -= 20;
	open_on(&f, &in);
	assert_int_equal(ahead_read(f.ahead, &data, &len, &f.err), -1);
	assert_int_equal(f.err.kind, ERROR_NETWORK);
	close_fixture(&f);
	assert_int_equal(broken.calls, 2);
}

static void test_left_alone(void **state)
{
	struct buf packed CLEANUP_BUF = BUF_INIT(KIT_MAX);
	struct fixture f;

	(void)state;
	kit_gzip(&packed, disk, LEN);
	open_fixture(&f, &packed, SIZE_MAX);
	close_fixture(&f);
	open_fixture(&f, &packed, SIZE_MAX);
	expect_slot(&f, 0, SLOT_SIZE);
	close_fixture(&f);
}

static void test_no_slots(void **state)
{
	struct buf packed CLEANUP_BUF = BUF_INIT(KIT_MAX);
	struct fixture f;
	const uint8_t *data;
	size_t len;

	(void)state;
	kit_gzip(&packed, disk, LEN);
	open_fixture(&f, &packed, SIZE_MAX);
	ring_stop(&f.out.slots.free);
	assert_int_equal(ahead_read(f.ahead, &data, &len, &f.err), -1);
	assert_int_equal(f.err.kind, ERROR_CANCELLED);
	close_fixture(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_failures_in_turn),
		cmocka_unit_test(test_not_read_after_a_failure),
		cmocka_unit_test(test_left_alone),
		cmocka_unit_test(test_no_slots),
	};

	kit_disk(disk, LEN, 3);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
