/* SPDX-License-Identifier: Apache-2.0 */
/* Whole sessions against files that stand for devices: right ones, cut ones, wrong ones. What cpi sends is a file, so
 * that each test says what came before the end of the stream. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/arena.h"
#include "common/buf.h"
#include "common/digest.h"
#include "common/http.h"
#include "common/io.h"
#include "common/onhost_msg.h"
#include "onhost/session.h"
#include "tests/unit/tree.h"

#define MIB ((size_t)1024 * 1024)
#define VOLUME_MIB 4
#define IMAGE_SIZE (2 * MIB + 4096)
#define CHUNK ((size_t)300000)
#define HELLO "{\"op\":\"hello\",\"version\":1}\n"
#define MAX_ANSWERS 16

struct fixture {
	struct tree tree;
	char links[128];
	char volume[128];
	char in[128];
	char out[128];
	uint8_t *image;
	struct buf stream; /* what cpi sends */
	struct cancel cancel;
	struct device_paths paths;
	bool real; /* no lab */
	struct arena *arena;
	struct onhost_msg answers[MAX_ANSWERS];
	size_t n_answers;
	struct error err;
};

static void add_volume(const struct fixture *f, const char *id, size_t mib)
{
	char path[160];
	char name[32];
	snprintf(name, sizeof(name), "volume-%s", id);
	tree_file(&f->tree, "", "%s", name);
	assert_int_equal(truncate(tree_path(&f->tree, name, path, sizeof(path)), (off_t)(mib * MIB)), 0);
	tree_link(&f->tree, path, "links/nvme-Amazon_Elastic_Block_Store_vol%s", id);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	assert_non_null(f);
	tree_make(&f->tree);
	tree_path(&f->tree, "links", f->links, sizeof(f->links));
	tree_path(&f->tree, "in", f->in, sizeof(f->in));
	tree_path(&f->tree, "out", f->out, sizeof(f->out));
	tree_path(&f->tree, "volume-00000001", f->volume, sizeof(f->volume));
	tree_folder(&f->tree, "links");
	add_volume(f, "00000001", VOLUME_MIB);
	f->image = malloc(IMAGE_SIZE);
	assert_non_null(f->image);
	for (size_t i = 0; i < IMAGE_SIZE; i++)
		f->image[i] = (uint8_t)(i * 7 + i / 4096 + 1);
	f->image[510] = 0x55;
	f->image[511] = 0xAA;
	f->stream = (struct buf)BUF_INIT(16 * MIB);
	f->paths = (struct device_paths)DEVICE_PATHS_SYSTEM;
	f->arena = arena_new(16 * MIB);
	assert_int_equal(cancel_open(&f->cancel, NULL), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	tree_remove(&f->tree);
	free(f->image);
	buf_free(&f->stream);
	arena_free(f->arena);
	cancel_close(&f->cancel);
	free(f);
	return 0;
}

/* --- what cpi sends ----------------------------------------------------------------------------------------------- */

static void put_write(struct fixture *f, const char *id, const char *more)
{
	buf_printf(&f->stream,
		   "{\"op\":\"write\",\"volume_id\":\"vol-%s\",\"device_name\":\"/dev/"
		   "sdf\",\"size_mib\":%d,\"fresh\":true,"
		   "\"device_timeout_ms\":1,\"image\":{\"source\":\"stream\"}%s}\n",
		   id, VOLUME_MIB, more);
}

#define PLAIN ",\"encrypted\":false"

static void put_chunks(struct fixture *f)
{
	uint8_t header[4];
	for (size_t at = 0; at < IMAGE_SIZE; at += CHUNK) {
		size_t len = IMAGE_SIZE - at < CHUNK ? IMAGE_SIZE - at : CHUNK;
		onhost_chunk_header((uint32_t)len, header);
		buf_append(&f->stream, header, sizeof(header));
		buf_append(&f->stream, f->image + at, len);
	}
	onhost_chunk_header(0, header);
	buf_append(&f->stream, header, sizeof(header));
}

static void put_end(struct fixture *f)
{
	uint8_t sum[SHA256_LEN];
	char hex[SHA256_HEX_SIZE];
	assert_int_equal(digest_sha256(f->image, IMAGE_SIZE, sum, NULL), 0);
	digest_hex(sum, sizeof(sum), hex);
	buf_printf(&f->stream, "{\"op\":\"end\",\"sha256\":\"%s\"}\n", hex);
}

static void put_image(struct fixture *f)
{
	put_chunks(f);
	put_end(f);
}

/* --- serving ------------------------------------------------------------------------------------------------------ */

static int no_network(void *self, const struct http_request *request, const struct cancel *cancel, struct arena *arena,
		      struct http_response *ret_response, struct error *err)
{
	(void)self;
	(void)request;
	(void)cancel;
	(void)arena;
	(void)ret_response;
	return error_set(err, ERROR_NETWORK, "no route to host");
}

static void read_answers(struct fixture *f)
{
	char *text;
	size_t len;
	f->n_answers = 0;
	assert_int_equal(io_read_file(f->out, 1 << 20, f->arena, &text, &len, &f->err), 0);
	while (len > 0) {
		const char *end = memchr(text, '\n', len);
		assert_non_null(end);
		assert_true(f->n_answers < MAX_ANSWERS);
		assert_int_equal(onhost_msg_decode(f->arena, text, (size_t)(end - text), &f->answers[f->n_answers],
						   &f->err), 0);
		if (f->answers[f->n_answers].type != ONHOST_MSG_PROGRESS)
			f->n_answers++;
		len -= (size_t)(end - text) + 1;
		text += end - text + 1;
	}
}

static int serve_on(struct fixture *f, int in_fd, int out_fd)
{
	struct clock clock;
	struct log log;
	struct http_transport http = { .perform = no_network };
	clock_system(&clock);
	log_init(&log, -1, LOG_LEVEL_ERROR, &clock);
	struct runtime runtime = { .log = &log, .clock = &clock, .cancel = &f->cancel, .http = &http };
	const struct session_options options = {
		.in_fd = in_fd,
		.out_fd = out_fd,
		.paths = &f->paths,
		.lab_links = f->real ? NULL : f->links,
		.lab_files = !f->real,
	};
	f->err = (struct error){ .kind = ERROR_NONE };
	return session_serve(&runtime, &options, &f->err);
}

/* The session over the first len bytes of the stream. */
static int serve_first(struct fixture *f, size_t len)
{
	int in_fd = open(f->in, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int out_fd = open(f->out, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(in_fd >= 0 && out_fd >= 0);
	assert_int_equal(buf_check(&f->stream, "stream", NULL), 0);
	assert_int_equal(io_write_all(in_fd, f->stream.data, len, "in", NULL), 0);
	assert_int_equal(lseek(in_fd, 0, SEEK_SET), 0);
	int result = serve_on(f, in_fd, out_fd);
	struct error err = f->err;
	close(in_fd);
	close(out_fd);
	read_answers(f);
	f->err = err;
	return result;
}

static int serve(struct fixture *f)
{
	return serve_first(f, f->stream.len);
}

static void assert_error(const struct fixture *f, size_t index, const char *type, const char *text)
{
	assert_true(index < f->n_answers);
	assert_int_equal(f->answers[index].type, ONHOST_MSG_ERROR);
	assert_string_equal(f->answers[index].error.type, type);
	if (strstr(f->answers[index].error.message, text) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", f->answers[index].error.message, text);
}

static void assert_first_mib_blank(const struct fixture *f)
{
	int fd = open(f->volume, O_RDONLY | O_CLOEXEC);
	static uint8_t data[1024 * 1024];
	assert_int_equal(io_pread_full(fd, data, sizeof(data), 0, "volume", NULL), sizeof(data));
	for (size_t i = 0; i < sizeof(data); i++)
		assert_int_equal(data[i], 0);
	close(fd);
}

static void assert_written(const struct fixture *f)
{
	char *text;
	size_t len;
	assert_int_equal(io_read_file(f->volume, VOLUME_MIB * MIB, f->arena, &text, &len, NULL), 0);
	assert_int_equal(len, VOLUME_MIB * MIB);
	assert_memory_equal(text, f->image, IMAGE_SIZE);
	for (size_t i = IMAGE_SIZE; i < len; i++)
		assert_int_equal(text[i], 0);
}

/* --- right -------------------------------------------------------------------------------------------------------- */

static void test_whole_session(void **state)
{
	struct fixture *f = *state;
	buf_str(&f->stream, HELLO);
	put_write(f, "00000001", PLAIN ",\"digest\":true,\"of\":\"the future\"");
	put_image(f);
	add_volume(f, "00000002", VOLUME_MIB);
	put_write(f, "00000002", PLAIN);
	put_image(f);
	assert_int_equal(serve(f), 0);
	assert_int_equal(f->n_answers, 5);
	assert_int_equal(f->answers[0].type, ONHOST_MSG_HELLO_OK);
	assert_int_equal(f->answers[0].hello_ok.version, 1);
	assert_string_equal(f->answers[0].hello_ok.release, CPI_VERSION);
	assert_string_equal(f->answers[0].hello_ok.instance_id, "");
	assert_true(f->answers[0].hello_ok.metadata_error[0] != '\0');
	assert_true(f->answers[0].hello_ok.architecture[0] != '\0');
	assert_int_equal(f->answers[1].type, ONHOST_MSG_READY);
	assert_string_equal(f->answers[1].ready.device, f->volume);
	assert_non_null(strstr(f->answers[1].ready.recognised_by, "by-id link"));
	assert_int_equal(f->answers[2].type, ONHOST_MSG_WRITTEN);
	assert_int_equal(f->answers[2].written.read, IMAGE_SIZE);
	assert_int_equal(f->answers[2].written.image_size, IMAGE_SIZE);
	assert_string_equal(f->answers[2].written.image_sha256, f->answers[2].written.input_sha256);
	assert_int_equal(f->answers[4].type, ONHOST_MSG_WRITTEN);
	assert_string_equal(f->answers[4].written.image_sha256, "");
	assert_written(f);
}

/* Without the lab, on a machine that is made up. */
static void make_machine(struct fixture *f, char sys[128], char dev[128])
{
	f->real = true;
	f->paths.sys = tree_path(&f->tree, "sys", sys, 128);
	f->paths.dev = tree_path(&f->tree, "dev", dev, 128);
	tree_folder(&f->tree, "dev");
}

static void test_hello_where_nodes_do_not_come(void **state)
{
	struct fixture *f = *state;
	char sys[128], dev[128];

	make_machine(f, sys, dev);
	tree_file(&f->tree, "259:0\n", "sys/block/nvme0n1/dev");
	tree_folder(&f->tree, "sys/block/nvme0n1/device");
	buf_str(&f->stream, HELLO);
	assert_int_equal(serve(f), 0);
	assert_int_equal(f->n_answers, 1);
	assert_int_equal(f->answers[0].type, ONHOST_MSG_HELLO_OK);
	assert_non_null(strstr(f->answers[0].hello_ok.devices_error, "none of this machine's disks (nvme0n1)"));
	/* the lab's devices are its own affair */
	f->real = false;
	assert_int_equal(serve(f), 0);
	assert_string_equal(f->answers[0].hello_ok.devices_error, "");
}

/* The session begins all the same, so that it can be told; a write comes to the same end. */
static void test_hello_without_sysfs(void **state)
{
	struct fixture *f = *state;
	char sys[128], dev[128];

	make_machine(f, sys, dev);
	buf_str(&f->stream, HELLO);
	put_write(f, "00000001", PLAIN);
	assert_int_equal(serve(f), 0);
	assert_int_equal(f->n_answers, 2);
	assert_int_equal(f->answers[0].type, ONHOST_MSG_HELLO_OK);
	assert_non_null(strstr(f->answers[0].hello_ok.devices_error, "sys/block is not there"));
	assert_error(f, 1, "io", "sys/block is not there");
}

static void test_nothing_at_all(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(serve(f), 0);
	assert_int_equal(f->n_answers, 0);
}

/* --- cut ---------------------------------------------------------------------------------------------------------- */

static void test_cut_anywhere(void **state)
{
	struct fixture *f = *state;
	size_t hello = strlen(HELLO);
	buf_str(&f->stream, HELLO);
	put_write(f, "00000001", PLAIN);
	size_t image = f->stream.len;
	put_chunks(f);
	size_t end = f->stream.len;
	put_end(f);
	const struct {
		size_t at;
		int result;
	} cuts[] = {
		{ 5, -1 },	   { hello - 1, -1 }, { hello, 0 },	   { hello + 20, -1 },
		{ image - 1, -1 }, { image, -1 },     { image + 2, -1 },   { image + 4, -1 },
		{ image + 5, -1 }, { image + 4 + CHUNK, -1 }, { end - 100, -1 }, { end - 4, -1 },
		{ end - 1, -1 },   { end, -1 },	      { end + 10, -1 },	   { f->stream.len - 1, -1 },
	};
	for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
		/* what an earlier cut left behind its first MiB does not make the volume another one */
		assert_int_equal(truncate(f->volume, 0), 0);
		assert_int_equal(truncate(f->volume, VOLUME_MIB * MIB), 0);
		if (serve_first(f, cuts[i].at) != cuts[i].result)
			fail_msg("cut at %zu: %s", cuts[i].at, f->err.message);
		assert_first_mib_blank(f);
		if (cuts[i].result == 0)
			continue;
		assert_int_equal(f->err.kind, ERROR_PROTOCOL);
		assert_error(f, f->n_answers - 1, "protocol", "ended");
	}
	assert_int_equal(serve(f), 0);
	assert_written(f);
}

static void test_wrong_sum(void **state)
{
	struct fixture *f = *state;
	buf_str(&f->stream, HELLO);
	put_write(f, "00000001", PLAIN);
	put_chunks(f);
	f->image[1500000] ^= 1;
	put_end(f);
	buf_str(&f->stream, HELLO);
	assert_int_equal(serve(f), -1);
	assert_int_equal(f->n_answers, 3);
	assert_error(f, 2, "protocol", "damaged on its way");
	assert_first_mib_blank(f);
}

static void test_end_is_another_message(void **state)
{
	struct fixture *f = *state;
	buf_str(&f->stream, HELLO);
	put_write(f, "00000001", PLAIN);
	put_chunks(f);
	buf_str(&f->stream, HELLO);
	assert_int_equal(serve(f), -1);
	assert_error(f, 2, "protocol", "another message came where the image's end message was due");
	assert_first_mib_blank(f);
}

static void test_chunk_too_large(void **state)
{
	struct fixture *f = *state;
	uint8_t header[4];
	buf_str(&f->stream, HELLO);
	put_write(f, "00000001", PLAIN);
	onhost_chunk_header(ONHOST_CHUNK_MAX + 1, header);
	buf_append(&f->stream, header, sizeof(header));
	buf_append(&f->stream, f->image, IMAGE_SIZE);
	assert_int_equal(serve(f), -1);
	assert_error(f, 2, "protocol", "1048577");
	assert_first_mib_blank(f);
}

/* --- wrong -------------------------------------------------------------------------------------------------------- */

static void test_bad_image(void **state)
{
	struct fixture *f = *state;
	f->image[510] = 0;
	buf_str(&f->stream, HELLO);
	put_write(f, "00000001", PLAIN);
	put_image(f);
	assert_int_equal(serve(f), -1);
	assert_int_equal(f->err.kind, ERROR_IMAGE);
	assert_error(f, 2, "image", "vol-00000001 on ");
	assert_first_mib_blank(f);
}

static void test_errors_that_leave_the_session_usable(void **state)
{
	struct fixture *f = *state;
	buf_str(&f->stream, "{\"op\":\"hello\",\"version\":7,\"release\":\"9.9.9\"}\n");
	put_write(f, "00000001", PLAIN);
	buf_str(&f->stream, HELLO);
	buf_str(&f->stream, "{\"op\":\"format\",\"disk\":1}\n");
	buf_str(&f->stream, "{\"ok\":\"ready\",\"device\":\"/dev/x\",\"recognised_by\":\"y\"}\n");
	put_write(f, "00000009", PLAIN);
	put_write(f, "00000001", ",\"encrypted\":true,\"skip_zero_blocks\":true");
	put_write(f, "00000001", PLAIN);
	put_image(f);
	assert_int_equal(serve(f), 0);
	assert_int_equal(f->n_answers, 9);
	assert_error(f, 0, "protocol", "cpi 9.9.9 speaks version 7 of the session and onhost " CPI_VERSION " version 1");
	assert_error(f, 1, "protocol", "say hello first");
	assert_int_equal(f->answers[2].type, ONHOST_MSG_HELLO_OK);
	assert_error(f, 3, "protocol", "does not know the operation \"format\"");
	assert_error(f, 4, "protocol", "not for onhost to receive");
	assert_error(f, 5, "no_device", "vol-00000009 as /dev/sdf did not appear within 1 s");
	assert_error(f, 6, "config", "cannot be used with encryption");
	assert_int_equal(f->answers[7].type, ONHOST_MSG_READY);
	assert_int_equal(f->answers[8].type, ONHOST_MSG_WRITTEN);
	assert_written(f);
}

static void test_device_refused(void **state)
{
	struct fixture *f = *state;
	add_volume(f, "00000002", VOLUME_MIB - 1);
	int fd = open(f->volume, O_RDWR | O_CLOEXEC);
	assert_int_equal(io_pwrite_all(fd, "x", 1, VOLUME_MIB * MIB - 1, "volume", NULL), 0);
	close(fd);
	buf_str(&f->stream, HELLO);
	put_write(f, "00000001", PLAIN);
	put_write(f, "00000002", PLAIN);
	put_write(f, "00000001", ",\"encrypted\":true"); /* noise is no obstacle there */
	put_image(f);
	assert_int_equal(serve(f), 0);
	assert_int_equal(f->n_answers, 5);
	assert_error(f, 1, "device_refused", "byte 4194303 is not zero");
	assert_error(f, 2, "device_refused",
		     "holds 3145728 bytes (3 MiB) where at least 4194304 bytes (4 MiB) are needed");
	assert_int_equal(f->answers[3].type, ONHOST_MSG_READY);
	assert_int_equal(f->answers[4].type, ONHOST_MSG_WRITTEN);
}

static void test_garbage_ends_the_session(void **state)
{
	static const char *const lines[] = {
		"garbage\n",  "[]\n", "{}\n", "\n", "{\"op\":1}\n", "{\"op\":\"write\"}\n", "{\"op\":\"hello\"}\n",
		"\xff\xfe\n",
	};
	struct fixture *f = *state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		buf_reset(&f->stream);
		buf_str(&f->stream, lines[i]);
		buf_str(&f->stream, HELLO);
		assert_int_equal(serve(f), -1);
		assert_int_equal(f->err.kind, ERROR_PROTOCOL);
		assert_int_equal(f->n_answers, 1);
		assert_error(f, 0, "protocol", "");
	}
}

static void test_line_too_long(void **state)
{
	struct fixture *f = *state;
	for (size_t i = 0; i < 70000; i++)
		buf_char(&f->stream, ' ');
	buf_str(&f->stream, HELLO);
	assert_int_equal(serve(f), -1);
	assert_int_equal(f->n_answers, 1);
	assert_error(f, 0, "protocol", "longer than 65536 bytes");
}

/* --- the other side, and signals
 * -------------------------------------------------------------------------------------- */

static void test_answers_are_not_read(void **state)
{
	struct fixture *f = *state;
	int in_pipe[2];
	int out_pipe[2];
	assert_int_equal(pipe(in_pipe), 0);
	assert_int_equal(pipe(out_pipe), 0);
	close(out_pipe[0]);
	/* our input stays open: the closed output alone ends it */
	assert_int_equal(serve_on(f, in_pipe[0], out_pipe[1]), -1);
	assert_int_equal(f->err.kind, ERROR_PROTOCOL);
	assert_int_equal(write(in_pipe[1], HELLO, strlen(HELLO)), (ssize_t)strlen(HELLO));
	assert_int_equal(serve_on(f, in_pipe[0], out_pipe[1]), -1);
	assert_int_equal(f->err.kind, ERROR_PROTOCOL);
	close(in_pipe[0]);
	close(in_pipe[1]);
	close(out_pipe[1]);
}

static void test_cancelled(void **state)
{
	struct fixture *f = *state;
	buf_str(&f->stream, HELLO);
	put_write(f, "00000001", PLAIN);
	put_image(f);
	cancel_raise(&f->cancel, 15);
	assert_int_equal(serve(f), -1);
	assert_int_equal(f->err.kind, ERROR_CANCELLED);
	assert_error(f, f->n_answers - 1, "cancelled", "");
	assert_first_mib_blank(f);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_whole_session),
		TEST(test_hello_where_nodes_do_not_come),
		TEST(test_hello_without_sysfs),
		TEST(test_nothing_at_all),
		TEST(test_cut_anywhere),
		TEST(test_wrong_sum),
		TEST(test_end_is_another_message),
		TEST(test_chunk_too_large),
		TEST(test_bad_image),
		TEST(test_errors_that_leave_the_session_usable),
		TEST(test_device_refused),
		TEST(test_garbage_ends_the_session),
		TEST(test_line_too_long),
		TEST(test_answers_are_not_read),
		TEST(test_cancelled),
	};
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
