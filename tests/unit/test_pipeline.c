/* SPDX-License-Identifier: Apache-2.0 */
/* The whole pipeline, threads and all, from bytes in memory to files and pipes: what is right, what is refused with the
 * target's first MiB untouched, and everything that can end the work in the middle. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/digest.h"
#include "common/onhost_blocks.h"
#include "onhost/blockflow.h"
#include "onhost/pipeline.h"
#include "tests/unit/fail_alloc.h"
#include "tests/unit/image_kit.h"

#define MIB ((size_t)1024 * 1024)
#define LEN (2 * MIB + 4096 + 512)
#define TARGET (4 * MIB)
#define SMALL ((size_t)512)

static uint8_t disk[LEN];
static uint8_t old[TARGET]; /* what stands on a target before */
static uint8_t seen[TARGET];

/* --- a target and a run --------------------------------------------------------------------------------------------
 */

struct fixture {
	struct runtime runtime;
	struct cancel cancel;
	struct clock clock;
	struct pipeline_options options;
	struct pipeline_target target;
	struct pipeline_result result;
	struct error err;
	struct kit_stream stream;
};

static void open_fixture(struct fixture *f, const void *image, size_t len)
{
	memset(f, 0, sizeof(*f));
	assert_int_equal(cancel_open(&f->cancel, NULL), 0);
	kit_runtime(&f->runtime, &f->cancel);
	f->clock = *f->runtime.clock;
	f->runtime.clock = &f->clock;
	f->stream = (struct kit_stream){ .data = image, .len = len, .step = 100000, .fail_at = SIZE_MAX };
	f->options.source = kit_source(&f->stream);
	f->target = (struct pipeline_target){ .fd = -1, .name = "the disk", .size = TARGET, .fresh = true };
	f->target.fd = memfd_create("test_pipeline", MFD_CLOEXEC);
	assert_true(f->target.fd >= 0);
	assert_int_equal(pwrite(f->target.fd, old, TARGET, 0), TARGET);
}

static void close_fixture(struct fixture *f)
{
	close(f->target.fd);
	cancel_close(&f->cancel);
}

static int write_image(struct fixture *f)
{
	return pipeline_write(&f->runtime, &f->options, &f->target, &f->result, &f->err);
}

static void expect_old(struct fixture *f, size_t from, size_t to)
{
	kit_read_file(f->target.fd, seen, TARGET);
	assert_memory_equal(seen + from, old + from, to - from);
}

/* Refused, for that reason, with the first MiB as it was; and verify and unpack refuse it as well. */
static void expect_refused(const void *image, size_t len, const char *text)
{
	struct fixture f;
	int null CLEANUP_FD = open("/dev/null", O_WRONLY | O_CLOEXEC);

	open_fixture(&f, image, len);
	assert_int_equal(write_image(&f), -1);
	assert_int_equal(f.err.kind, ERROR_IMAGE);
	if (strstr(f.err.message, text) == NULL)
		fail_msg("'%s' is not in '%s'", text, f.err.message);
	assert_int_equal(f.result.read, 0);
	expect_old(&f, 0, MIB);
	f.stream.taken = 0;
	assert_int_equal(pipeline_unpack(&f.runtime, &f.options, null, &f.result, &f.err), -1);
	close_fixture(&f);
}

static void hex_of(const void *data, size_t len, char ret_hex[SHA256_HEX_SIZE])
{
	uint8_t sum[SHA256_LEN];

	digest_sha256(data, len, sum, NULL);
	digest_hex(sum, sizeof(sum), ret_hex);
}

/* --- what is right --------------------------------------------------------------------------------------------------
 */

static void make_image(int kind, struct buf *out, size_t len)
{
	struct buf plain CLEANUP_BUF = BUF_INIT(KIT_MAX);

	if (kind % 2 == 0)
		kit_tar(&plain, disk, len);
	else
		buf_append(&plain, disk, len);
	if (kind / 2 == 0)
		buf_append(out, plain.data, plain.len);
	else if (kind / 2 == 1)
		kit_gzip(out, plain.data, plain.len);
	else if (kind / 2 == 2)
		kit_zstd(out, plain.data, plain.len, 3, 0);
	else
		kit_xz(out, plain.data, plain.len, 0);
}

static void test_every_kind(void **state)
{
	static const char *const formats[] = { "tar",      "raw",      "gzip tar", "gzip raw",
					       "zstd tar", "zstd raw", "xz tar",   "xz raw" };
	static const size_t lens[] = { 512, MIB - 512, MIB, MIB + 512, LEN };
	char hex[SHA256_HEX_SIZE];

	(void)state;
	for (int i = 0; i < 8 * 5; i++) {
		struct buf image CLEANUP_BUF = BUF_INIT(KIT_MAX);
		struct fixture f;
		size_t len = lens[i / 8];
		make_image(i % 8, &image, len);
		open_fixture(&f, image.data, image.len);
		f.options.digest = i % 3 == 0;
		assert_int_equal(write_image(&f), 0);
		kit_read_file(f.target.fd, seen, TARGET);
		assert_memory_equal(seen, disk, len);
		expect_old(&f, len, TARGET);
		assert_string_equal(f.result.format, formats[i % 8]);
		assert_int_equal(f.result.read, image.len);
		assert_int_equal(f.result.written, len);
		assert_int_equal(f.result.skipped, 0);
		assert_int_equal(f.result.image_size, len);
		hex_of(image.data, image.len, hex);
		assert_string_equal(f.result.input_sha256, hex);
		hex_of(disk, len, hex);
		assert_string_equal(f.result.image_sha256, f.options.digest ? hex : "");

		f.stream.taken = 0;
		assert_int_equal(pipeline_verify(&f.runtime, &f.options, &f.target, &f.result, &f.err), 0);
		assert_int_equal(f.result.written, len);
		close_fixture(&f);
	}
}

/* Two parts of data in a hole. */
static void make_sparse(struct buf *out, uint8_t *whole)
{
	static const char *const records[] = { "GNU.sparse.major=1", "GNU.sparse.minor=0", "GNU.sparse.name=root.img",
					       "GNU.sparse.realsize=3145728", NULL };
	static const char map[] = "3\n8192\n1024\n2621440\n512\n3145728\n0\n";
	struct buf body CLEANUP_BUF = BUF_INIT(KIT_MAX);
	static const uint8_t zeros[512];

	buf_append(&body, map, sizeof(map) - 1);
	buf_append(&body, zeros, 512 - body.len);
	buf_append(&body, disk, 1536);
	const struct kit_member member = { KIT_USTAR, "x", NULL, '0', body.len };
	kit_pax(out, 'x', records);
	kit_tar_member(out, &member, body.data, body.len);
	kit_tar_end(out);
	memset(whole, 0, 3 * MIB);
	memcpy(whole + 8192, disk, 1024);
	memcpy(whole + 2621440, disk + 1024, 512);
}

static void test_sparse(void **state)
{
	struct buf image CLEANUP_BUF = BUF_INIT(KIT_MAX);
	static uint8_t whole[3 * MIB];
	struct fixture f;

	(void)state;
	make_sparse(&image, whole);
	open_fixture(&f, image.data, image.len);
	assert_int_equal(write_image(&f), 0);
	assert_int_equal(f.result.written, 8192);
	assert_int_equal(f.result.skipped, 3 * MIB - 8192);
	expect_old(&f, 0, 8192);
	assert_memory_equal(seen + 8192, whole + 8192, 4096);
	expect_old(&f, 12288, 2621440);
	assert_memory_equal(seen + 2621440, whole + 2621440, 4096);
	expect_old(&f, 2621440 + 4096, TARGET);
	/* what may be left out is not compared */
	f.stream.taken = 0;
	assert_int_equal(pipeline_verify(&f.runtime, &f.options, &f.target, &f.result, &f.err), 0);
	assert_int_equal(f.result.skipped, 3 * MIB - 8192);

	/* on any other target, holes are zeros that must be there; an encrypted one may be new */
	f.target.encrypted = true;
	f.stream.taken = 0;
	assert_int_equal(pipeline_verify(&f.runtime, &f.options, &f.target, &f.result, &f.err), -1);
	assert_non_null(strstr(f.err.message, "at offset 0"));
	f.target.encrypted = false;
	f.target.fresh = false;
	f.stream.taken = 0;
	assert_int_equal(pipeline_verify(&f.runtime, &f.options, &f.target, &f.result, &f.err), -1);
	assert_non_null(strstr(f.err.message, "at offset 0"));
	f.stream.taken = 0;
	assert_int_equal(write_image(&f), 0);
	assert_int_equal(f.result.written, 3 * MIB);
	assert_int_equal(f.result.skipped, 0);
	kit_read_file(f.target.fd, seen, TARGET);
	assert_memory_equal(seen, whole, 3 * MIB);

	f.target.fresh = f.target.encrypted = true;
	assert_int_equal(pwrite(f.target.fd, old, TARGET, 0), TARGET);
	f.stream.taken = 0;
	assert_int_equal(write_image(&f), 0);
	assert_int_equal(f.result.written, 3 * MIB);
	kit_read_file(f.target.fd, seen, TARGET);
	assert_memory_equal(seen, whole, 3 * MIB);
	close_fixture(&f);
}

static void test_skip_zero_blocks(void **state)
{
	static uint8_t mostly[2 * MIB];
	struct buf image CLEANUP_BUF = BUF_INIT(KIT_MAX);
	struct fixture f;

	(void)state;
	memcpy(mostly, disk, 512);
	mostly[MIB + 5000] = 1;
	kit_gzip(&image, mostly, sizeof(mostly));
	open_fixture(&f, image.data, image.len);
	f.target.skip_zero_blocks = true;
	assert_int_equal(write_image(&f), 0);
	assert_int_equal(f.result.written, 8192);
	assert_int_equal(f.result.skipped, 2 * MIB - 8192);
	expect_old(&f, 4096, MIB + 4096);
	assert_int_equal(seen[MIB + 5000], 1);
	f.target.fresh = false;
	assert_int_equal(write_image(&f), -1);
	assert_int_equal(f.err.kind, ERROR_INVALID);
	close_fixture(&f);
}

/* --- what is refused ------------------------------------------------------------------------------------------------
 */

static void test_cut(void **state)
{
	(void)state;
	for (int kind = 0; kind < 8; kind++) {
		struct buf image CLEANUP_BUF = BUF_INIT(KIT_MAX);
		if (kind == 1)
			continue; /* a raw image that is not packed has no end of its own */
		make_image(kind, &image, LEN);
		for (size_t i = 0; i < 20; i++)
			expect_refused(image.data, i * (image.len - 1) / 19, "");
		expect_refused(image.data, image.len - 1, "cut short");
	}
}

static void test_cut_everywhere(void **state)
{
	struct buf image CLEANUP_BUF = BUF_INIT(KIT_MAX);

	(void)state;
	make_image(2, &image, SMALL);
	for (size_t len = 0; len < image.len; len++)
		expect_refused(image.data, len, "");
}

/* Refused, or of no consequence: gzip has no sum over its own header, and a few bits at the end of its data are unused.
 */
static void test_flip_everywhere(void **state)
{
	struct buf image CLEANUP_BUF = BUF_INIT(KIT_MAX);
	size_t accepted = 0;

	(void)state;
	make_image(2, &image, SMALL);
	for (size_t i = 0; i < image.len; i++) {
		struct fixture f;
		image.data[i] ^= (char)(1 << (i % 8));
		open_fixture(&f, image.data, image.len);
		if (write_image(&f) == 0) {
			kit_read_file(f.target.fd, seen, TARGET);
			assert_memory_equal(seen, disk, SMALL);
			accepted++;
		} else {
			assert_int_equal(f.err.kind, ERROR_IMAGE);
			expect_old(&f, 0, MIB);
		}
		close_fixture(&f);
		image.data[i] ^= (char)(1 << (i % 8));
	}
	assert_true(accepted <= 16);
}

static void test_behind(void **state)
{
	struct buf image CLEANUP_BUF = BUF_INIT(KIT_MAX);

	(void)state;
	make_image(2, &image, LEN);
	buf_str(&image, "garbage");
	expect_refused(image.data, image.len, "follow the end of the image's gzip data");
	buf_reset(&image);
	make_image(0, &image, LEN);
	buf_str(&image, "garbage");
	expect_refused(image.data, image.len, "follow the end of the image's tar archive");
	buf_reset(&image);
	make_image(1, &image, LEN);
	buf_str(&image, "garbage");
	expect_refused(image.data, image.len, "not a multiple of 512");
}

static void test_not_an_image(void **state)
{
	(void)state;
	expect_refused("", 0, "the image is empty");
	expect_refused("some text", 9, "neither a tar archive nor a disk image");
	expect_refused("PK\x03\x04", 4, "a zip archive");
}

/* Known in advance: nothing is written at all. Only found out: the first MiB is not. */
static void test_too_large(void **state)
{
	struct fixture f;

	(void)state;
	for (int kind = 0; kind < 4; kind++) {
		struct buf image CLEANUP_BUF = BUF_INIT(KIT_MAX);
		make_image(kind, &image, LEN);
		open_fixture(&f, image.data, image.len);
		f.target.size = LEN - 512;
		assert_int_equal(write_image(&f), -1);
		assert_int_equal(f.err.kind, ERROR_IMAGE);
		assert_non_null(strstr(f.err.message, "the disk holds only 2101248"));
		expect_old(&f, 0, kind % 2 == 0 ? TARGET : MIB);
		close_fixture(&f);
	}
}

/* 16 MiB of zeros behind a boot sector, packed to next to nothing. */
static void test_bomb(void **state)
{
	struct buf image CLEANUP_BUF = BUF_INIT(KIT_MAX);
	static const uint8_t zeros[MIB];
	struct fixture f;

	(void)state;
	kit_gzip(&image, disk, 4096);
	for (int i = 0; i < 16; i++)
		kit_gzip(&image, zeros, sizeof(zeros));
	open_fixture(&f, image.data, image.len);
	assert_int_equal(write_image(&f), -1);
	assert_non_null(strstr(f.err.message, "at least"));
	expect_old(&f, 0, MIB);
	close_fixture(&f);
}

/* --- what ends the work in the middle ------------------------------------------------------------------------------
 */

static void test_source_error(void **state)
{
	struct buf image CLEANUP_BUF = BUF_INIT(KIT_MAX);
	struct fixture f;

	(void)state;
	make_image(2, &image, LEN);
	for (size_t at = 0; at <= image.len; at += image.len / 7) {
		open_fixture(&f, image.data, image.len);
		f.stream.fail_at = at;
		assert_int_equal(write_image(&f), -1);
		assert_int_equal(f.err.kind, ERROR_NETWORK);
		assert_string_equal(f.err.message, "the kit failed");
		expect_old(&f, 0, MIB);
		close_fixture(&f);
	}
}

/* A source that gives its bytes and then waits for ever, until it is told to stop. */
struct waiting {
	struct kit_stream stream;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool stopped;
};

static int waiting_read(void *self, void *data, size_t len, size_t *ret_got, struct error *err)
{
	struct waiting *waiting = self;

	if (waiting->stream.taken < waiting->stream.len) {
		struct image_source source = kit_source(&waiting->stream);
		return source.read(source.self, data, len, ret_got, err);
	}
	pthread_mutex_lock(&waiting->lock);
	while (!waiting->stopped)
		pthread_cond_wait(&waiting->changed, &waiting->lock);
	pthread_mutex_unlock(&waiting->lock);
	return error_set(err, ERROR_IO, "the source gave up");
}

static void waiting_stop(void *self)
{
	struct waiting *waiting = self;

	pthread_mutex_lock(&waiting->lock);
	assert_false(waiting->stopped);
	waiting->stopped = true;
	pthread_cond_broadcast(&waiting->changed);
	pthread_mutex_unlock(&waiting->lock);
}

static void wait_after(struct fixture *f, struct waiting *waiting, size_t len)
{
	*waiting = (struct waiting){ .stream = f->stream };
	waiting->stream.len = len;
	pthread_mutex_init(&waiting->lock, NULL);
	pthread_cond_init(&waiting->changed, NULL);
	f->options.source = (struct image_source){ .read = waiting_read, .self = waiting, .stop = waiting_stop };
	f->clock.scale = 0.001; /* progress a thousand times a second */
}

static int raise_cancel(void *self, const struct onhost_progress *progress, struct error *err)
{
	struct fixture *f = self;

	(void)progress;
	(void)err;
	cancel_raise(&f->cancel, SIGTERM);
	return 0;
}

static int refuse_progress(void *self, const struct onhost_progress *progress, struct error *err)
{
	(void)self;
	(void)progress;
	return error_set(err, ERROR_PROTOCOL, "nobody listens");
}

static void test_cancel(void **state)
{
	struct buf image CLEANUP_BUF = BUF_INIT(KIT_MAX);

	(void)state;
	make_image(2, &image, LEN);
	for (size_t i = 0; i < 10; i++) {
		struct fixture f;
		struct waiting waiting;
		open_fixture(&f, image.data, image.len);
		wait_after(&f, &waiting, image.len * i / 9);
		f.options.progress = raise_cancel;
		f.options.progress_self = &f;
		assert_int_equal(write_image(&f), -1);
		assert_int_equal(f.err.kind, ERROR_CANCELLED);
		assert_non_null(strstr(f.err.message, "signal 15"));
		expect_old(&f, 0, MIB);
		close_fixture(&f);
	}
}

static void test_progress_error(void **state)
{
	struct buf image CLEANUP_BUF = BUF_INIT(KIT_MAX);
	struct fixture f;
	struct waiting waiting;

	(void)state;
	make_image(2, &image, LEN);
	open_fixture(&f, image.data, image.len);
	wait_after(&f, &waiting, image.len);
	f.runtime.cancel = NULL;
	f.options.progress = refuse_progress;
	assert_int_equal(write_image(&f), -1);
	assert_int_equal(f.err.kind, ERROR_PROTOCOL);
	assert_string_equal(f.err.message, "nobody listens");
	expect_old(&f, 0, MIB);
	close_fixture(&f);
}

static int keep_progress(void *self, const struct onhost_progress *progress, struct error *err)
{
	(void)err;
	*(struct onhost_progress *)self = *progress;
	return 0;
}

static void test_progress(void **state)
{
	struct buf image CLEANUP_BUF = BUF_INIT(KIT_MAX);
	struct onhost_progress last = { 0 };
	struct fixture f;

	(void)state;
	make_image(2, &image, LEN);
	open_fixture(&f, image.data, image.len);
	f.options.progress = keep_progress;
	f.options.progress_self = &last;
	assert_int_equal(write_image(&f), 0);
	assert_int_equal(last.read, image.len);
	assert_int_equal(last.written, LEN);
	assert_int_equal(last.total, LEN);
	close_fixture(&f);
}

/* A device that fails is told at once, however long the source would still keep us waiting. */
static void test_device_error(void **state)
{
	struct buf image CLEANUP_BUF = BUF_INIT(KIT_MAX);
	struct fixture f;
	struct waiting waiting;

	(void)state;
	make_image(1, &image, LEN);
	open_fixture(&f, image.data, image.len);
	wait_after(&f, &waiting, image.len);
	close(f.target.fd);
	f.target.fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	assert_int_equal(write_image(&f), -1);
	assert_int_equal(f.err.kind, ERROR_IO);
	assert_non_null(strstr(f.err.message, "the disk at offset 1048576"));
	assert_non_null(strstr(f.err.message, "No space left on device"));
	close_fixture(&f);
}

static void test_no_memory(void **state)
{
	struct buf image CLEANUP_BUF = BUF_INIT(KIT_MAX);
	bool failed = true;

	(void)state;
	make_image(2, &image, LEN);
	for (long allocations = 0; failed; allocations++) {
		struct fixture f;
		open_fixture(&f, image.data, image.len);
		f.options.digest = true;
		fail_alloc_after(allocations);
		int result = write_image(&f);
		failed = fail_alloc_off();
		assert_int_equal(result, failed ? -1 : 0);
		if (failed) {
			assert_int_equal(f.err.kind, ERROR_NOMEM);
			expect_old(&f, 0, TARGET);
		}
		close_fixture(&f);
	}
}

/* --- verify and unpack ----------------------------------------------------------------------------------------------
 */

static void test_verify_differs(void **state)
{
	static const size_t places[] = { 0, 511, 4096, MIB - 1, MIB, 2 * MIB + 77, LEN - 1 };
	struct buf image CLEANUP_BUF = BUF_INIT(KIT_MAX);
	struct fixture f;

	(void)state;
	make_image(2, &image, LEN);
	open_fixture(&f, image.data, image.len);
	assert_int_equal(write_image(&f), 0);
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		char text[64];
		uint8_t byte = (uint8_t)(disk[places[i]] ^ 1);
		assert_int_equal(pwrite(f.target.fd, &byte, 1, (off_t)places[i]), 1);
		f.stream.taken = 0;
		assert_int_equal(pipeline_verify(&f.runtime, &f.options, &f.target, &f.result, &f.err), -1);
		assert_int_equal(f.err.kind, ERROR_IO);
		snprintf(text, sizeof(text), "differs from the image at offset %zu;", places[i]);
		assert_non_null(strstr(f.err.message, text));
		assert_int_equal(pwrite(f.target.fd, disk + places[i], 1, (off_t)places[i]), 1);
	}
	assert_int_equal(ftruncate(f.target.fd, (off_t)(2 * MIB + 100)), 0);
	f.stream.taken = 0;
	assert_int_equal(pipeline_verify(&f.runtime, &f.options, &f.target, &f.result, &f.err), -1);
	assert_non_null(strstr(f.err.message, "ends at offset 2097252"));
	f.target.size = 2 * MIB;
	f.stream.taken = 0;
	assert_int_equal(pipeline_verify(&f.runtime, &f.options, &f.target, &f.result, &f.err), -1);
	assert_int_equal(f.err.kind, ERROR_IMAGE);
	close_fixture(&f);
}

struct drain {
	int fd;
	uint8_t data[TARGET];
	size_t len;
};

static void *drain_main(void *self)
{
	struct drain *drain = self;
	ssize_t n;

	while (drain->len < TARGET && (n = read(drain->fd, drain->data + drain->len, TARGET - drain->len)) > 0)
		drain->len += (size_t)n;
	return NULL;
}

static void test_unpack(void **state)
{
	struct buf image CLEANUP_BUF = BUF_INIT(KIT_MAX);
	static uint8_t whole[3 * MIB];
	static struct drain drain;
	struct fixture f;
	pthread_t thread;
	int ends[2];

	(void)state;
	make_sparse(&image, whole);
	open_fixture(&f, image.data, image.len);
	assert_int_equal(pipe(ends), 0);
	drain.fd = ends[0];
	pthread_create(&thread, NULL, drain_main, &drain);
	assert_int_equal(pipeline_unpack(&f.runtime, &f.options, ends[1], &f.result, &f.err), 0);
	assert_int_equal(fcntl(ends[1], F_GETFL) & O_NONBLOCK, 0);
	close(ends[1]);
	pthread_join(thread, NULL);
	close(ends[0]);
	assert_int_equal(drain.len, 3 * MIB);
	assert_memory_equal(drain.data, whole, 3 * MIB);
	assert_int_equal(f.result.written, 3 * MIB);
	assert_int_equal(f.result.skipped, 0);

	f.stream.taken = 0;
	assert_int_equal(pipeline_unpack(&f.runtime, &f.options, f.target.fd, &f.result, &f.err), 0);
	close_fixture(&f);
}

static int raise_when_written(void *self, const struct onhost_progress *progress, struct error *err)
{
	return progress->written == 0 ? 0 : raise_cancel(self, progress, err);
}

/* Nobody reads: cancellation ends the wait, and a closed pipe is an error. */
static void test_unpack_stuck(void **state)
{
	struct buf image CLEANUP_BUF = BUF_INIT(KIT_MAX);
	struct fixture f;
	int ends[2];

	(void)state;
	make_image(2, &image, LEN);
	open_fixture(&f, image.data, image.len);
	f.clock.scale = 0.001;
	f.options.progress = raise_when_written;
	f.options.progress_self = &f;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(pipeline_unpack(&f.runtime, &f.options, ends[1], &f.result, &f.err), -1);
	assert_int_equal(f.err.kind, ERROR_CANCELLED);
	cancel_clear(&f.cancel);
	f.options.progress = NULL;
	f.stream.taken = 0;
	close(ends[0]);
	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(pipeline_unpack(&f.runtime, &f.options, ends[1], &f.result, &f.err), -1);
	assert_int_equal(f.err.kind, ERROR_IO);
	assert_non_null(strstr(f.err.message, "Broken pipe"));
	close(ends[1]);
	close_fixture(&f);
}

/* --- blocks ---------------------------------------------------------------------------------------------------------
 */

#define BLOCK ((size_t)ONHOST_BLOCK_SIZE)

/* The stream of blocks, into a drain as well; its letters by record (P, W, E: messages; B) and the disk that they make. */
struct blocks_run {
	struct blockflow flow;
	struct drain drain;
	int result;
	char letters[64];
	uint8_t made[3 * MIB];
	struct arena *arena;
};

static char take_message(struct blocks_run *run, const uint8_t *text, size_t len)
{
	struct onhost_msg msg;

	arena_reset(run->arena);
	assert_null(memchr(text, '\n', len));
	assert_int_equal(onhost_msg_decode(run->arena, (const char *)text, len, &msg, NULL), 0);
	return msg.type == ONHOST_MSG_PROGRESS ? 'P' : msg.type == ONHOST_MSG_WRITTEN ? 'W' : 'E';
}

static void parse_blocks(struct blocks_run *run)
{
	struct onhost_block_order order = { .any = false };
	struct onhost_block_header header;
	size_t at = 0;

	memset(run->letters, 0, sizeof(run->letters));
	memset(run->made, 0, sizeof(run->made));
	for (size_t i = 0; at < run->drain.len; i++) {
		const uint8_t *bytes = run->drain.data + at + ONHOST_BLOCK_HEADER;
		assert_int_equal(onhost_block_decode(run->drain.data + at, &order, &header, NULL), 0);
		run->letters[i] = header.is_message ? take_message(run, bytes, header.len) : 'B';
		if (!header.is_message)
			memcpy(run->made + header.index * BLOCK, bytes, header.len);
		at += ONHOST_BLOCK_HEADER + header.len;
	}
	assert_int_equal(at, run->drain.len);
}

static void unpack_blocks(struct fixture *f, struct pipeline_blocks blocks, struct blocks_run *run)
{
	static const struct onhost_written written = { .format = "tar", .input_sha256 =
		"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" };
	pthread_t thread;
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	run->drain.fd = ends[0];
	run->drain.len = 0;
	pthread_create(&thread, NULL, drain_main, &run->drain);
	assert_int_equal(blockflow_open(&run->flow, ends[1], &f->cancel, NULL), 0);
	blocks.out = &run->flow;
	run->result = pipeline_unpack_blocks(&f->runtime, &f->options, &blocks, &f->result, &f->err);
	if (run->result == 0)
		assert_int_equal(blockflow_written(&run->flow, &written, NULL), 0);
	else
		blockflow_failed(&run->flow, &f->err);
	blockflow_close(&run->flow);
	close(ends[1]);
	pthread_join(thread, NULL);
	close(ends[0]);
	parse_blocks(run);
}

static struct blocks_run *new_run(void)
{
	struct blocks_run *run = calloc(1, sizeof(*run));

	assert_non_null(run);
	run->arena = arena_new(MIB);
	assert_non_null(run->arena);
	return run;
}

static void free_run(struct blocks_run *run)
{
	arena_free(run->arena);
	free(run);
}

static void test_blocks_of_every_kind(void **state)
{
	static const size_t lens[] = { 512, BLOCK, BLOCK + 512, MIB - 512, LEN };
	struct blocks_run *run = new_run();

	(void)state;
	for (int i = 0; i < 8 * 5; i++) {
		struct buf image CLEANUP_BUF = BUF_INIT(KIT_MAX);
		struct fixture f;
		size_t len = lens[i / 8];
		make_image(i % 8, &image, len);
		open_fixture(&f, image.data, image.len);
		unpack_blocks(&f, (struct pipeline_blocks){ .encrypted = i % 2 != 0 }, run);
		assert_int_equal(run->result, 0);
		char want[16] = "P";
		size_t count = (len + BLOCK - 1) / BLOCK;
		memset(want + 1, 'B', count);
		want[count + 1] = 'W';
		assert_string_equal(run->letters, want);
		assert_memory_equal(run->made, disk, len);
		assert_int_equal(f.result.written, len);
		assert_int_equal(f.result.skipped, 0);
		close_fixture(&f);
	}
	free_run(run);
}

static void test_blocks_of_sparse(void **state)
{
	struct buf image CLEANUP_BUF = BUF_INIT(KIT_MAX);
	struct blocks_run *run = new_run();
	static uint8_t whole[3 * MIB];
	struct onhost_progress last = { 0 };
	struct fixture f;

	(void)state;
	make_sparse(&image, whole);
	open_fixture(&f, image.data, image.len);
	f.options.progress = keep_progress;
	f.options.progress_self = &last;
	unpack_blocks(&f, (struct pipeline_blocks){ .encrypted = false }, run);
	assert_string_equal(run->letters, "PBBW");
	assert_memory_equal(run->made, whole, sizeof(whole));
	assert_int_equal(f.result.written, 2 * BLOCK);
	assert_int_equal(f.result.skipped, 3 * MIB - 2 * BLOCK);
	assert_int_equal(last.written + last.skipped, 3 * MIB);
	f.stream.taken = 0;
	unpack_blocks(&f, (struct pipeline_blocks){ .encrypted = true }, run);
	assert_string_equal(run->letters, "PBBBBBBW");
	assert_memory_equal(run->made, whole, sizeof(whole));
	assert_int_equal(f.result.skipped, 0);
	f.stream.taken = 0;
	unpack_blocks(&f, (struct pipeline_blocks){ .encrypted = true, .skip_zero_blocks = true }, run);
	assert_int_equal(f.err.kind, ERROR_INVALID);
	assert_string_equal(run->letters, "PE");
	close_fixture(&f);
	free_run(run);
}

/* What was begun is ended, so that the error can be told. */
static void test_blocks_of_bad(void **state)
{
	struct buf image CLEANUP_BUF = BUF_INIT(KIT_MAX);
	struct blocks_run *run = new_run();

	(void)state;
	make_image(2, &image, LEN);
	for (size_t i = 0; i < 20; i++) {
		struct fixture f;
		open_fixture(&f, image.data, i * (image.len - 1) / 19);
		unpack_blocks(&f, (struct pipeline_blocks){ .encrypted = false }, run);
		assert_int_equal(run->result, -1);
		assert_int_equal(f.err.kind, ERROR_IMAGE);
		size_t len = strlen(run->letters);
		assert_true(len >= 2 && run->letters[0] == 'P' && run->letters[len - 1] == 'E');
		assert_int_equal(strspn(run->letters + 1, "B"), len - 2);
		assert_memory_equal(run->made, disk, (len - 2) * BLOCK < LEN ? (len - 2) * BLOCK : LEN);
		close_fixture(&f);
	}
	free_run(run);
}

/* Somebody reads nothing: only the signal ends it, and in the middle of a record nothing can be told. */
static void test_blocks_stuck(void **state)
{
	struct buf image CLEANUP_BUF = BUF_INIT(KIT_MAX);
	struct pipeline_blocks blocks = { .encrypted = false };
	struct blockflow flow;
	struct fixture f;
	int ends[2];

	(void)state;
	make_image(2, &image, LEN);
	open_fixture(&f, image.data, image.len);
	f.clock.scale = 0.001;
	f.options.progress = raise_cancel;
	f.options.progress_self = &f;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(blockflow_open(&flow, ends[1], &f.cancel, NULL), 0);
	blocks.out = &flow;
	assert_int_equal(pipeline_unpack_blocks(&f.runtime, &f.options, &blocks, &f.result, &f.err), -1);
	assert_int_equal(f.err.kind, ERROR_CANCELLED);
	assert_non_null(strstr(f.err.message, "signal 15"));
	blockflow_failed(&flow, &f.err);
	blockflow_close(&flow);
	close(ends[0]);
	close(ends[1]);
	close_fixture(&f);
}

static void test_blocks_no_memory(void **state)
{
	struct buf image CLEANUP_BUF = BUF_INIT(KIT_MAX);
	struct blocks_run *run = new_run();
	bool failed = true;

	(void)state;
	make_image(2, &image, LEN);
	for (long allocations = 0; failed; allocations++) {
		struct fixture f;
		int fd;
		open_fixture(&f, image.data, image.len);
		kit_file(&fd);
		assert_int_equal(blockflow_open(&run->flow, fd, &f.cancel, NULL), 0);
		const struct pipeline_blocks blocks = { .out = &run->flow };
		fail_alloc_after(allocations);
		int result = pipeline_unpack_blocks(&f.runtime, &f.options, &blocks, &f.result, &f.err);
		failed = fail_alloc_off();
		assert_int_equal(result, failed ? -1 : 0);
		if (failed)
			assert_int_equal(f.err.kind, ERROR_NOMEM);
		blockflow_close(&run->flow);
		close(fd);
		close_fixture(&f);
	}
	free_run(run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_kind),       cmocka_unit_test(test_sparse),
		cmocka_unit_test(test_skip_zero_blocks), cmocka_unit_test(test_cut),
		cmocka_unit_test(test_cut_everywhere),   cmocka_unit_test(test_flip_everywhere),
		cmocka_unit_test(test_behind),           cmocka_unit_test(test_not_an_image),
		cmocka_unit_test(test_too_large),        cmocka_unit_test(test_bomb),
		cmocka_unit_test(test_source_error),     cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_progress_error),   cmocka_unit_test(test_progress),
		cmocka_unit_test(test_device_error),     cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_verify_differs),   cmocka_unit_test(test_unpack),
		cmocka_unit_test(test_unpack_stuck),     cmocka_unit_test(test_blocks_of_every_kind),
		cmocka_unit_test(test_blocks_of_sparse), cmocka_unit_test(test_blocks_of_bad),
		cmocka_unit_test(test_blocks_stuck),     cmocka_unit_test(test_blocks_no_memory),
	};

	kit_disk(disk, LEN, 6);
	kit_disk(old, TARGET, 7);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
