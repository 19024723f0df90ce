/* SPDX-License-Identifier: Apache-2.0 */
/* One image through a worker, onto a file that stands for the device: what comes back, how far it reads, and what is made
 * of a worker that does not say what it should. Whole sessions are test_session.c's, its life is test_sandbox.py's. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/io.h"
#include "onhost/worker.h"

#define MIB ((size_t)1024 * 1024)
#define IMAGE_SIZE (MIB + 4096)
#define BEHIND "{\"op\":\"hello\",\"version\":1}\n"

struct fixture {
	int in_fd; /* what cpi sends: a file, so that it can be told how much of it was read */
	int out[2];
	int device;
	uint8_t *image;
	struct cancel cancel;
	struct clock clock;
	struct log log;
	struct arena *arena;
	struct onhost_written written;
	struct error err;
};

static int scratch(size_t size)
{
	char path[] = "/tmp/worker-XXXXXX";
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	return fd;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	assert_non_null(f);
	f->in_fd = scratch(0);
	f->device = scratch(4 * MIB);
	assert_int_equal(pipe(f->out), 0);
	assert_int_equal(cancel_open(&f->cancel, NULL), 0);
	clock_system(&f->clock);
	log_init(&f->log, -1, LOG_LEVEL_ERROR, &f->clock);
	f->arena = arena_new(MIB);
	f->image = malloc(IMAGE_SIZE);
	assert_true(f->arena != NULL && f->image != NULL);
	for (size_t i = 0; i < IMAGE_SIZE; i++)
		f->image[i] = (uint8_t)(i * 7 + i / 4096 + 1);
	f->image[510] = 0x55;
	f->image[511] = 0xAA;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	close(f->in_fd);
	close(f->device);
	close(f->out[0]);
	close(f->out[1]);
	cancel_close(&f->cancel);
	arena_free(f->arena);
	free(f->image);
	free(f);
	return 0;
}

/* The image in one chunk for each of its parts, and what cpi says behind it; the length up to its end. */
static off_t send_image(const struct fixture *f)
{
	struct buf stream CLEANUP_BUF = BUF_INIT(4 * MIB);
	uint8_t header[4];
	uint8_t sum[SHA256_LEN];
	char hex[SHA256_HEX_SIZE];

	for (size_t at = 0; at < IMAGE_SIZE; at += 500000) {
		size_t len = IMAGE_SIZE - at < 500000 ? IMAGE_SIZE - at : 500000;
		onhost_chunk_header((uint32_t)len, header);
		buf_append(&stream, header, sizeof(header));
		buf_append(&stream, f->image + at, len);
	}
	onhost_chunk_header(0, header);
	buf_append(&stream, header, sizeof(header));
	assert_int_equal(digest_sha256(f->image, IMAGE_SIZE, sum, NULL), 0);
	digest_hex(sum, sizeof(sum), hex);
	buf_printf(&stream, "{\"op\":\"end\",\"sha256\":\"%s\"}\n", hex);
	size_t end = stream.len;
	buf_str(&stream, BEHIND);
	assert_int_equal(io_write_all(f->in_fd, stream.data, stream.len, "stream", NULL), 0);
	assert_int_equal(lseek(f->in_fd, 0, SEEK_SET), 0);
	return (off_t)end;
}

static int run(struct fixture *f)
{
	struct runtime runtime = { .log = &f->log, .clock = &f->clock, .cancel = &f->cancel };
	const struct onhost_write write = { .volume_id = "vol-00000001", .fresh = true, .digest = true };
	char node[] = "/dev/that";
	const struct target target = { .fd = f->device, .node = node, .size = 4 * MIB };
	struct peer peer;

	peer_init(&peer, f->in_fd, f->out[1], &f->cancel);
	const struct worker_job job = { .peer = &peer, .write = &write, .target = &target };
	f->err = (struct error){ .kind = ERROR_NONE };
	int result = worker_run(&runtime, &job, f->arena, &f->written, &f->err);
	peer_free(&peer);
	return result;
}

static void assert_no_child(void)
{
	int status;
	assert_int_equal(waitpid(-1, &status, WNOHANG), -1);
}

static void assert_head_blank(const struct fixture *f)
{
	uint8_t *head = calloc(1, MIB);
	assert_int_equal(io_pread_full(f->device, head, MIB, 0, "device", NULL), MIB);
	for (size_t i = 0; i < MIB; i++)
		assert_int_equal(head[i], 0);
	free(head);
}

static void test_written(void **state)
{
	struct fixture *f = *state;
	uint8_t *back = malloc(IMAGE_SIZE);

	off_t end = send_image(f);
	if (run(f) != 0)
		fail_msg("%s", f->err.message);
	assert_int_equal(f->written.read, IMAGE_SIZE);
	assert_int_equal(f->written.image_size, IMAGE_SIZE);
	assert_string_equal(f->written.format, "raw");
	assert_string_equal(f->written.input_sha256, f->written.image_sha256);
	assert_int_equal(io_pread_full(f->device, back, IMAGE_SIZE, 0, "device", NULL), IMAGE_SIZE);
	assert_memory_equal(back, f->image, IMAGE_SIZE);
	/* not a byte of what follows is the worker's */
	assert_int_equal(lseek(f->in_fd, 0, SEEK_CUR), end);
	assert_no_child();
	free(back);
}

static void test_progress_is_sent_by_the_worker(void **state)
{
	struct fixture *f = *state;
	char text[4096];

	send_image(f);
	assert_int_equal(run(f), 0);
	ssize_t got = read(f->out[0], text, sizeof(text) - 1);
	assert_true(got > 0);
	text[got] = '\0';
	assert_non_null(strstr(text, "\"progress\""));
	/* the answer is the session's to send */
	assert_null(strstr(text, "input_sha256"));
}

static void test_error_of_the_image(void **state)
{
	struct fixture *f = *state;

	f->image[510] = 0;
	send_image(f);
	assert_int_equal(run(f), -1);
	assert_int_equal(f->err.kind, ERROR_IMAGE);
	assert_non_null(strstr(f->err.message, "neither a tar archive nor a disk image"));
	assert_head_blank(f);
	assert_no_child();
}

static void test_cancelled_before(void **state)
{
	struct fixture *f = *state;

	send_image(f);
	cancel_raise(&f->cancel, SIGHUP);
	assert_int_equal(run(f), -1);
	assert_int_equal(f->err.kind, ERROR_CANCELLED);
	assert_non_null(strstr(f->err.message, "signal 1"));
	assert_head_blank(f);
	assert_no_child();
}

static void test_nobody_listens(void **state)
{
	struct fixture *f = *state;
	int in[2];

	/* an image that never comes, and nobody who reads what is said of it */
	assert_int_equal(pipe(in), 0);
	assert_int_equal(dup2(in[0], f->in_fd), f->in_fd);
	close(f->out[0]);
	f->out[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_int_equal(run(f), -1);
	assert_int_equal(f->err.kind, ERROR_PROTOCOL);
	assert_no_child();
	close(in[0]);
	close(in[1]);
}

/* Without the descriptor for its result, a worker has nothing to say: as if it had been taken over, or killed. */
static void test_killed(void **state)
{
	struct fixture *f = *state;
	int in[2];

	assert_int_equal(pipe(in), 0);
	assert_int_equal(dup2(in[0], f->in_fd), f->in_fd);
	pid_t killer = fork();
	if (killer == 0) {
		char path[64], children[64] = "";
		/* the worker is our sister */
		snprintf(path, sizeof(path), "/proc/%d/task/%d/children", getppid(), getppid());
		for (;;) {
			long self = 0, sister = 0;
			int fd = open(path, O_RDONLY | O_CLOEXEC);
			ssize_t got = read(fd, children, sizeof(children) - 1);
			close(fd);
			children[got > 0 ? got : 0] = '\0';
			if (sscanf(children, "%ld %ld", &self, &sister) == 2)
				_exit(kill((pid_t)(self == getpid() ? sister : self), SIGKILL) == 0 ? 0 : 1);
			usleep(1000);
		}
	}
	assert_int_equal(run(f), -1);
	assert_int_equal(f->err.kind, ERROR_INTERNAL);
	assert_non_null(strstr(f->err.message, "was killed by signal 9"));
	assert_head_blank(f);
	int status = -1;
	assert_int_equal(waitpid(killer, &status, 0), killer);
	assert_int_equal(status, 0);
	assert_no_child();
	close(in[0]);
	close(in[1]);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_written),	    TEST(test_progress_is_sent_by_the_worker),
		TEST(test_error_of_the_image), TEST(test_cancelled_before),
		TEST(test_nobody_listens),     TEST(test_killed),
	};
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
