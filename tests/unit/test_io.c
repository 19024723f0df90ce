/* SPDX-License-Identifier: Apache-2.0 */
/* Whole reads and writes over pipes and files: short counts, non-blocking ends, ends of streams, refusals, limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "tests/unit/fail_alloc.h"

#define BIG ((size_t)1024 * 1024) /* more than a pipe holds */

static char big[BIG];

static void fill(void)
{
	for (size_t i = 0; i < BIG; i++)
		big[i] = (char)(i * 31 + i / 4096);
}

static int scratch_file(void)
{
	char path[] = "/tmp/test_io.XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	unlink(path);
	return fd;
}

struct writer {
	int fd;
	size_t piece; /* 0: all by io_write_all */
	size_t len;
	int result;
};

static void *write_big(void *self)
{
	struct writer *writer = self;

	if (writer->piece == 0)
		writer->result = io_write_all(writer->fd, big, writer->len, "the pipe", NULL);
	for (size_t at = 0; writer->piece != 0 && at < writer->len; at += writer->piece) {
		size_t len = writer->len - at < writer->piece ? writer->len - at : writer->piece;
		writer->result |= write(writer->fd, big + at, len) == (ssize_t)len ? 0 : -1;
	}
	close(writer->fd);
	return NULL;
}

static void whole_through_a_pipe(size_t piece, bool nonblocking)
{
	CLEANUP_FREE char *got = malloc(BIG);
	int fds[2];
	pthread_t thread;

	fill();
	assert_int_equal(pipe(fds), 0);
	struct writer writer = { .fd = fds[1], .piece = piece, .len = piece == 0 ? BIG : 20000 };
	if (nonblocking) {
		assert_int_equal(io_set_nonblocking(fds[0], NULL), 0);
		assert_int_equal(io_set_nonblocking(fds[1], NULL), 0);
	}
	assert_int_equal(pthread_create(&thread, NULL, write_big, &writer), 0);
	assert_int_equal(io_read_full(fds[0], got, writer.len, "the pipe", NULL), writer.len);
	assert_memory_equal(got, big, writer.len);
	assert_int_equal(io_read_full(fds[0], got, 1, "the pipe", NULL), 0);
	pthread_join(thread, NULL);
	assert_int_equal(writer.result, 0);
	close(fds[0]);
}

static void more_than_a_pipe_holds(void **state)
{
	(void)state;
	whole_through_a_pipe(0, false);
}

static void split_in_pieces(void **state)
{
	(void)state;
	whole_through_a_pipe(7, false);
}

static void non_blocking_ends(void **state)
{
	(void)state;
	whole_through_a_pipe(0, true);
}

static void fewer_at_the_end(void **state)
{
	char got[16];
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(io_write_all(fds[1], "abc", 3, "the pipe", NULL), 0);
	close(fds[1]);
	assert_int_equal(io_read_full(fds[0], got, sizeof(got), "the pipe", NULL), 3);
	assert_memory_equal(got, "abc", 3);
	assert_int_equal(io_read_full(fds[0], got, 0, "the pipe", NULL), 0);
	close(fds[0]);
}

static void nobody_reads(void **state)
{
	struct error err;
	int fds[2];

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(pipe(fds), 0);
	close(fds[0]);
	assert_int_equal(io_write_all(fds[1], "x", 1, "the session", &err), -1);
	assert_int_equal(err.kind, ERROR_IO);
	assert_string_equal(err.message, "cannot write the session: Broken pipe");
	close(fds[1]);
}

static void bad_descriptors(void **state)
{
	CLEANUP_BUF struct buf buf = BUF_INIT(10);
	struct error err;
	char byte;

	(void)state;
	assert_int_equal(io_write_all(-1, "x", 1, "it", &err), -1);
	assert_int_equal(io_read_full(-1, &byte, 1, "it", &err), -1);
	assert_string_equal(err.message, "cannot read it: Bad file descriptor");
	assert_int_equal(io_pread_full(-1, &byte, 1, 0, "it", &err), -1);
	assert_int_equal(io_pwrite_all(-1, "x", 1, 0, "it", &err), -1);
	assert_int_equal(io_read_to_end(-1, &buf, "it", &err), -1);
	assert_int_equal(io_set_cloexec(-1, &err), -1);
	assert_int_equal(io_set_nonblocking(-1, &err), -1);
	assert_int_equal(err.kind, ERROR_IO);
}

static void at_offsets(void **state)
{
	CLEANUP_FD int fd = scratch_file();
	char got[8] = "";
	struct error err;

	(void)state;
	assert_int_equal(io_pwrite_all(fd, "hello", 5, 1000, "the file", NULL), 0);
	assert_int_equal(io_pread_full(fd, got, 5, 1000, "the file", NULL), 5);
	assert_string_equal(got, "hello");
	assert_int_equal(io_pread_full(fd, got, 8, 1003, "the file", NULL), 2);
	assert_int_equal(io_pread_full(fd, got, 8, 5000, "the file", NULL), 0);
	assert_int_equal(io_pread_full(fd, got, 1, UINT64_MAX, "the file", &err), -1);
	assert_non_null(strstr(err.message, "the file has no offset"));
	assert_int_equal(io_pwrite_all(fd, got, 8, INT64_MAX - 4, "the file", &err), -1);
	assert_int_equal(err.kind, ERROR_IO);
}

static void a_full_disk(void **state)
{
	CLEANUP_FD int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	struct error err;

	(void)state;
	if (fd < 0)
		skip();
	assert_int_equal(io_pwrite_all(fd, "x", 1, 512, "/dev/sdf", &err), -1);
	assert_string_equal(err.message, "cannot write /dev/sdf at offset 512: No space left on device");
	assert_int_equal(io_write_all(fd, "x", 1, "/dev/sdf", &err), -1);
}

/* The first write is short, the second is refused: the limit of a file's size does both. */
static void short_then_refused(void **state)
{
	CLEANUP_FD int fd = scratch_file();
	struct rlimit before;
	struct error err;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &before);
	struct rlimit limit = { .rlim_cur = 1000, .rlim_max = before.rlim_max };
	setrlimit(RLIMIT_FSIZE, &limit);
	int done = io_pwrite_all(fd, big, 5000, 0, "the file", &err);
	setrlimit(RLIMIT_FSIZE, &before);
	assert_int_equal(done, -1);
	assert_string_equal(err.message, "cannot write the file at offset 1000: File too large");
	struct stat info;
	assert_int_equal(fstat(fd, &info), 0);
	assert_int_equal(info.st_size, 1000);
}

static void to_the_end(void **state)
{
	static const struct {
		size_t len;
		size_t max;
		enum error_kind kind;
	} rows[] = {
		{ 0, 10, ERROR_NONE },	     { 0, 0, ERROR_NONE },	     { 9, 10, ERROR_NONE },
		{ 10, 10, ERROR_NONE },	     { 11, 10, ERROR_TOO_BIG },	     { 1, 0, ERROR_TOO_BIG },
		{ 65536, 65536, ERROR_NONE }, { 65537, 65536, ERROR_TOO_BIG }, { 200000, 1000000, ERROR_NONE },
	};

	(void)state;
	fill();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		CLEANUP_BUF struct buf buf = BUF_INIT(rows[i].max);
		CLEANUP_FD int fd = scratch_file();
		struct error err = { .kind = ERROR_NONE };
		assert_int_equal(io_write_all(fd, big, rows[i].len, "the file", NULL), 0);
		lseek(fd, 0, SEEK_SET);
		int done = io_read_to_end(fd, &buf, "the request", &err);
		assert_int_equal(done, rows[i].kind == ERROR_NONE ? 0 : -1);
		assert_int_equal(err.kind, rows[i].kind);
		if (done == 0) {
			assert_int_equal(buf.len, rows[i].len);
			assert_int_equal(buf_text(&buf)[buf.len], '\0');
			assert_memory_equal(buf_text(&buf), big, buf.len);
		}
	}
}

static void whole_files(void **state)
{
	char path[] = "/tmp/test_io.XXXXXX";
	CLEANUP_ARENA struct arena *arena = arena_new(100000);
	struct error err;
	char *text = NULL;
	size_t len = 0;

	(void)state;
	int fd = mkstemp(path);
	assert_int_equal(write(fd, "one\ntwo\n", 8), 8);
	close(fd);
	assert_int_equal(io_read_file(path, 8, arena, &text, &len, &err), 0);
	assert_string_equal(text, "one\ntwo\n");
	assert_int_equal(len, 8);
	assert_int_equal(io_read_file(path, 7, arena, &text, NULL, &err), -1);
	assert_int_equal(err.kind, ERROR_TOO_BIG);
	assert_non_null(strstr(err.message, path));
	unlink(path);
	assert_int_equal(io_read_file(path, 8, arena, &text, NULL, &err), -1);
	assert_int_equal(err.kind, ERROR_IO);
	assert_non_null(strstr(err.message, "No such file"));
	assert_int_equal(io_read_file("/", 8, arena, &text, NULL, &err), -1);
	assert_int_equal(io_read_file("/dev/null", 8, arena, &text, &len, &err), 0);
	assert_string_equal(text, "");
	assert_int_equal(len, 0);
}

static void no_memory(void **state)
{
	CLEANUP_ARENA struct arena *tiny = arena_new(8);
	CLEANUP_ARENA struct arena *arena = arena_new(100000);
	struct error err;
	char *text = NULL;

	(void)state;
	assert_int_equal(io_read_file("/proc/self/status", 100000, tiny, &text, NULL, &err), -1);
	assert_int_equal(err.kind, ERROR_NOMEM);
	for (long n = 0;; n++) {
		fail_alloc_after(n);
		int done = io_read_file("/proc/self/status", 100000, arena, &text, NULL, &err);
		if (!fail_alloc_off()) {
			assert_int_equal(done, 0);
			break;
		}
		assert_int_equal(done, -1);
		assert_int_equal(err.kind, ERROR_NOMEM);
		assert_null(text);
	}
}

static void flags_are_added(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(io_set_cloexec(fds[0], NULL), 0);
	assert_int_equal(io_set_nonblocking(fds[0], NULL), 0);
	assert_true((fcntl(fds[0], F_GETFD) & FD_CLOEXEC) != 0);
	assert_true((fcntl(fds[0], F_GETFL) & O_NONBLOCK) != 0);
	assert_true((fcntl(fds[1], F_GETFL) & O_ACCMODE) == O_WRONLY);
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(more_than_a_pipe_holds), cmocka_unit_test(split_in_pieces),
		cmocka_unit_test(non_blocking_ends),	  cmocka_unit_test(fewer_at_the_end),
		cmocka_unit_test(nobody_reads),		  cmocka_unit_test(bad_descriptors),
		cmocka_unit_test(at_offsets),		  cmocka_unit_test(a_full_disk),
		cmocka_unit_test(short_then_refused),	  cmocka_unit_test(to_the_end),
		cmocka_unit_test(whole_files),		  cmocka_unit_test(no_memory),
		cmocka_unit_test(flags_are_added),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
