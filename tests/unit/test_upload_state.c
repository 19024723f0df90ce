/* SPDX-License-Identifier: Apache-2.0 */
/* Uploads' files on a disk: what stands there after a kill, whose it is, and when it is too old. */
#include "cpi/upload/upload_state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "tests/unit/fail_alloc.h"
#include "tests/unit/tree.h"

static const struct upload_target one = { .image_sha256 = "aa", .region = "eu-west-1", .size_gib = 3 };
static const struct upload_target another = { .image_sha256 = "bb", .region = "eu-west-1", .size_gib = 3 };

struct fixture {
	struct tree tree;
	struct clock clock;
	char folder[96];
	char path[512];
	struct error err;
};

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	tree_make(&fixture->tree);
	assert_int_equal(setenv("AWS_CPI_STATE_DIR", fixture->tree.root, 1), 0);
	tree_path(&fixture->tree, "uploads", fixture->folder, sizeof(fixture->folder));
	clock_system(&fixture->clock);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	unsetenv("AWS_CPI_STATE_DIR");
	tree_remove(&fixture->tree);
	free(fixture);
	return 0;
}

static struct upload_state *open_target(struct fixture *fixture, const struct upload_target *target)
{
	struct upload_state *opened = NULL;

	if (upload_state_open(&fixture->clock, target, &opened, &fixture->err) != 0)
		fail_msg("%s", fixture->err.message);
	return opened;
}

static unsigned count_files(struct fixture *fixture)
{
	CLEANUP_DIR DIR *dir = opendir(fixture->folder);
	unsigned count = 0;

	assert_non_null(dir);
	for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
		if (entry->d_name[0] == '.')
			continue;
		count++;
		snprintf(fixture->path, sizeof(fixture->path), "%s/%s", fixture->folder, entry->d_name);
	}
	return count;
}

/* The one file that there is. */
static const char *only_file(struct fixture *fixture)
{
	assert_int_equal(count_files(fixture), 1);
	return fixture->path;
}

static void sum_of(uint32_t index, uint8_t sum[SHA256_LEN])
{
	memset(sum, 0x11, SHA256_LEN);
	memcpy(sum, &index, sizeof(index));
}

static int add(struct upload_state *state, uint32_t index, struct error *err)
{
	uint8_t sum[SHA256_LEN];

	sum_of(index, sum);
	return upload_state_add(state, index, sum, err);
}

static bool has(const struct upload_state *state, uint32_t index)
{
	uint8_t sum[SHA256_LEN];

	sum_of(index, sum);
	return upload_state_has(state, index, sum);
}

static void begin(struct fixture *fixture, struct upload_state *state)
{
	assert_int_equal(upload_state_begin(state, "snap-0123456789abcdef0", true, 60, &fixture->err), 0);
}

/* As if nothing had been acknowledged for so long. */
static void let_pass(const char *path, int minutes)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	struct timespec times[2] = { st.st_atim, st.st_mtim };
	times[1].tv_sec -= (time_t)minutes * 60;
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void append(const char *path, const void *text, size_t len)
{
	CLEANUP_FD int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(io_write_all(fd, text, len, path, NULL), 0);
}

/* --- one upload after the other --- */

static void it_goes_on(void **state)
{
	struct fixture *fixture = *state;
	struct upload_state *upload = open_target(fixture, &one);
	uint8_t wrong[SHA256_LEN] = { 0 };

	assert_null(upload_state_snapshot(upload));
	assert_int_equal(upload_state_count(upload), 0);
	assert_false(has(upload, 0));
	begin(fixture, upload);
	assert_string_equal(upload_state_snapshot(upload), "snap-0123456789abcdef0");
	assert_true(upload_state_encrypted(upload));
	assert_int_equal(add(upload, 7, &fixture->err), 0);
	assert_int_equal(add(upload, 3, &fixture->err), 0);
	upload_state_close(upload);

	upload = open_target(fixture, &one);
	assert_string_equal(upload_state_snapshot(upload), "snap-0123456789abcdef0");
	assert_true(upload_state_encrypted(upload));
	assert_int_equal(upload_state_count(upload), 2);
	assert_true(has(upload, 3) && has(upload, 7));
	assert_false(has(upload, 4) || upload_state_knows(upload, 4));
	assert_true(upload_state_knows(upload, 3));
	assert_false(upload_state_has(upload, 3, wrong));
	assert_int_equal(add(upload, 4, &fixture->err), 0);
	upload_state_close(upload);

	upload = open_target(fixture, &one);
	assert_int_equal(upload_state_count(upload), 3);
	assert_true(has(upload, 4));
	upload_state_remove(upload);
	assert_int_equal(count_files(fixture), 0);
}

static void another_target_knows_nothing_of_it(void **state)
{
	struct fixture *fixture = *state;
	struct upload_state *upload = open_target(fixture, &one);
	struct upload_state *other = open_target(fixture, &another);

	begin(fixture, upload);
	assert_int_equal(add(upload, 0, &fixture->err), 0);
	upload_state_close(upload);
	upload_state_close(other);
	other = open_target(fixture, &another);
	assert_null(upload_state_snapshot(other));
	upload_state_close(other);
	assert_int_equal(count_files(fixture), 2);
}

static void starting_over_forgets(void **state)
{
	struct fixture *fixture = *state;
	struct upload_state *upload = open_target(fixture, &one);

	begin(fixture, upload);
	assert_int_equal(add(upload, 7, &fixture->err), 0);
	upload_state_close(upload);
	upload = open_target(fixture, &one);
	assert_int_equal(upload_state_begin(upload, "snap-00000000", false, 4320, &fixture->err), 0);
	assert_string_equal(upload_state_snapshot(upload), "snap-00000000");
	assert_false(upload_state_encrypted(upload));
	assert_int_equal(upload_state_count(upload), 0);
	assert_false(has(upload, 7));
	assert_int_equal(add(upload, 8, &fixture->err), 0);
	upload_state_close(upload);
	upload = open_target(fixture, &one);
	assert_string_equal(upload_state_snapshot(upload), "snap-00000000");
	assert_int_equal(upload_state_count(upload), 1);
	assert_true(has(upload, 8));
	upload_state_close(upload);
}

static void not_begun_is_nothing_to_go_on_from(void **state)
{
	struct fixture *fixture = *state;
	struct upload_state *upload = open_target(fixture, &one);

	assert_int_equal(add(upload, 1, &fixture->err), 0);
	upload_state_close(upload);
	upload = open_target(fixture, &one);
	assert_null(upload_state_snapshot(upload));
	assert_int_equal(upload_state_count(upload), 0);
	upload_state_close(upload);
	upload_state_close(NULL);
	upload_state_remove(NULL);
}

static void permissions(void **state)
{
	struct fixture *fixture = *state;
	struct upload_state *upload = open_target(fixture, &one);
	struct stat st;

	assert_int_equal(stat(only_file(fixture), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(stat(fixture->folder, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	upload_state_close(upload);
}

/* --- what is left after a kill or a power cut --- */

static void behind_a_cut_line_it_goes_on(void **state)
{
	static const char zeros[200];
	static const struct {
		const char *text;
		size_t len;
	} tails[] = { { "12 00112", 8 }, { zeros, sizeof(zeros) }, { "garbage\n", 8 }, { "\n", 1 } };
	struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
		struct upload_state *upload = open_target(fixture, &one);
		begin(fixture, upload);
		assert_int_equal(add(upload, 1, &fixture->err), 0);
		upload_state_close(upload);
		append(only_file(fixture), tails[i].text, tails[i].len);

		upload = open_target(fixture, &one);
		assert_int_equal(upload_state_count(upload), 1);
		assert_int_equal(add(upload, 2, &fixture->err), 0);
		assert_int_equal(add(upload, 5, &fixture->err), 0);
		upload_state_close(upload);
		upload = open_target(fixture, &one);
		assert_int_equal(upload_state_count(upload), 3);
		assert_true(has(upload, 1) && has(upload, 2) && has(upload, 5));
		upload_state_remove(upload);
	}
}

/* Looking is no sign of life. */
static void opening_leaves_its_time(void **state)
{
	struct fixture *fixture = *state;
	struct upload_state *upload = open_target(fixture, &one);
	struct stat before, after;

	begin(fixture, upload);
	upload_state_close(upload);
	append(only_file(fixture), "cut", 3);
	let_pass(fixture->path, 30);
	assert_int_equal(stat(fixture->path, &before), 0);
	upload_state_close(open_target(fixture, &one));
	assert_int_equal(stat(fixture->path, &after), 0);
	assert_int_equal(after.st_mtim.tv_sec, before.st_mtim.tv_sec);
	assert_int_equal(after.st_size, before.st_size);
}

static void over_its_time(void **state)
{
	struct fixture *fixture = *state;
	struct upload_state *upload = open_target(fixture, &one);

	begin(fixture, upload);
	assert_int_equal(add(upload, 1, &fixture->err), 0);
	upload_state_close(upload);
	let_pass(only_file(fixture), 59);
	upload = open_target(fixture, &one);
	assert_non_null(upload_state_snapshot(upload));
	upload_state_close(upload);
	let_pass(fixture->path, 2);
	upload = open_target(fixture, &one);
	assert_null(upload_state_snapshot(upload));
	assert_int_equal(upload_state_count(upload), 0);
	assert_false(upload_state_encrypted(upload));
	/* nothing is added to what does not count */
	assert_int_equal(add(upload, 2, &fixture->err), 0);
	upload_state_close(upload);
	upload = open_target(fixture, &one);
	assert_null(upload_state_snapshot(upload));
	begin(fixture, upload);
	upload_state_close(upload);
	upload = open_target(fixture, &one);
	assert_non_null(upload_state_snapshot(upload));
	assert_int_equal(upload_state_count(upload), 0);
	upload_state_close(upload);
}

/* --- others --- */

static void old_ones_of_others_are_deleted(void **state)
{
	static const char digits[] = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
	struct fixture *fixture = *state;
	struct upload_state *upload = open_target(fixture, &another);
	char name[100];
	char path[300];

	begin(fixture, upload);
	upload_state_close(upload);
	let_pass(only_file(fixture), 61);
	upload_state_close(open_target(fixture, &one));
	assert_int_equal(access(fixture->path, F_OK), -1);
	assert_int_equal(count_files(fixture), 1);

	/* without a header that says how long: after three days */
	snprintf(name, sizeof(name), "uploads/%s.upload", digits);
	tree_file(&fixture->tree, "what is this", "%s", name);
	tree_path(&fixture->tree, name, path, sizeof(path));
	let_pass(path, 4319);
	upload_state_close(open_target(fixture, &one));
	assert_int_equal(access(path, F_OK), 0);
	let_pass(path, 2);
	upload_state_close(open_target(fixture, &one));
	assert_int_equal(access(path, F_OK), -1);
}

static void what_is_not_ours_stays(void **state)
{
	static const char *const names[] = { "notes.upload", "README", "00.upload",
					     "x0112233445566778899aabbccddeeff00112233445566778899aabbccddeeff.upload",
					     "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff.uploads",
					     "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeffa.upload" };
	struct fixture *fixture = *state;
	char path[300];
	const char *link = "uploads/ff112233445566778899aabbccddeeff00112233445566778899aabbccddeeff.upload";

	tree_folder(&fixture->tree, "uploads");
	tree_file(&fixture->tree, "", "elsewhere");
	tree_link(&fixture->tree, "../elsewhere", "%s", link);
	assert_int_equal(chmod(fixture->folder, 0700), 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		tree_file(&fixture->tree, "", "uploads/%s", names[i]);
		snprintf(path, sizeof(path), "%s/%s", fixture->folder, names[i]);
		let_pass(path, 100000);
	}
	let_pass(tree_path(&fixture->tree, "elsewhere", path, sizeof(path)), 100000);
	upload_state_remove(open_target(fixture, &one));
	assert_int_equal(count_files(fixture), sizeof(names) / sizeof(names[0]) + 1);
}

static void old_ones_in_use_stay(void **state)
{
	struct fixture *fixture = *state;
	struct upload_state *upload = open_target(fixture, &another);

	begin(fixture, upload);
	let_pass(only_file(fixture), 61);
	upload_state_close(open_target(fixture, &one));
	assert_int_equal(count_files(fixture), 2);
	upload_state_close(upload);
}

static void two_at_the_same_upload(void **state)
{
	struct fixture *fixture = *state;
	struct upload_state *second = NULL;
	char name[64];
	int ready[2];
	int done[2];
	int status;
	char byte;

	assert_int_equal(pipe(ready) | pipe(done), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct upload_state *first = NULL;
		close(done[1]);
		if (upload_state_open(&fixture->clock, &one, &first, NULL) != 0 || write(ready[1], "", 1) != 1)
			_exit(1);
		_exit(read(done[0], &byte, 1) < 0);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(upload_state_open(&fixture->clock, &one, &second, &fixture->err), -1);
	assert_null(second);
	assert_int_equal(fixture->err.kind, ERROR_IO);
	assert_true(fixture->err.retryable);
	snprintf(name, sizeof(name), "process %ld ", (long)pid);
	assert_non_null(strstr(fixture->err.message, name));
	/* and another upload is none of its business */
	upload_state_close(open_target(fixture, &another));
	close(done[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	upload_state_close(open_target(fixture, &one));
	close(ready[0]);
	close(done[0]);
}

/* Whoever holds the lock deletes the file and lets go while another one waits for it: a test's clock does it in between. */
struct deleting {
	struct clock system;
	char path[512];
	int fd;
	unsigned slept;
};

static int64_t deleting_monotonic(void *self)
{
	struct deleting *deleting = self;
	return deleting->system.monotonic_ms(deleting->system.self);
}

static int64_t deleting_wall(void *self)
{
	struct deleting *deleting = self;
	return deleting->system.wall_us(deleting->system.self);
}

static int delete_and_let_go(void *self, int64_t ms, const struct cancel *cancel, struct error *err)
{
	struct deleting *deleting = self;

	(void)ms;
	(void)cancel;
	(void)err;
	if (++deleting->slept == 3) {
		assert_int_equal(unlink(deleting->path), 0);
		close(deleting->fd);
	}
	return 0;
}

static void deleted_while_it_waits_for_the_lock(void **state)
{
	struct fixture *fixture = *state;
	struct deleting deleting = { .fd = -1 };
	const struct clock clock = { deleting_monotonic, deleting_wall, delete_and_let_go, &deleting, 1.0 };
	struct upload_state *upload = open_target(fixture, &one);

	begin(fixture, upload);
	upload_state_close(upload);
	clock_system(&deleting.system);
	snprintf(deleting.path, sizeof(deleting.path), "%s", only_file(fixture));
	deleting.fd = open(deleting.path, O_RDWR | O_CLOEXEC);
	assert_int_equal(flock(deleting.fd, LOCK_EX), 0);
	upload = NULL;
	assert_int_equal(upload_state_open(&clock, &one, &upload, &fixture->err), 0);
	assert_int_equal(deleting.slept, 3);
	/* a new one, which is there */
	assert_null(upload_state_snapshot(upload));
	begin(fixture, upload);
	assert_int_equal(count_files(fixture), 1);
	upload_state_close(upload);
}

/* --- what cannot be --- */

static void a_state_directory_that_cannot_be_used(void **state)
{
	struct fixture *fixture = *state;
	struct upload_state *upload = NULL;

	tree_folder(&fixture->tree, "uploads");
	assert_int_equal(chmod(fixture->folder, 0777), 0);
	assert_int_equal(upload_state_open(&fixture->clock, &one, &upload, &fixture->err), -1);
	assert_int_equal(fixture->err.kind, ERROR_IO);
	assert_false(fixture->err.retryable);
	assert_int_equal(setenv("AWS_CPI_STATE_DIR", "/dev/null/nowhere", 1), 0);
	assert_int_equal(upload_state_open(&fixture->clock, &one, &upload, &fixture->err), -1);
	assert_int_equal(fixture->err.kind, ERROR_IO);
	assert_non_null(strstr(fixture->err.message, "/dev/null/nowhere/uploads"));
	assert_null(upload);
}

static void something_else_in_its_place(void **state)
{
	struct fixture *fixture = *state;
	struct upload_state *upload = NULL;

	upload_state_remove(open_target(fixture, &one));
	/* the file's name is known from the one that was there */
	upload_state_close(open_target(fixture, &one));
	char path[512];
	snprintf(path, sizeof(path), "%s", only_file(fixture));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/dev/null", path), 0);
	assert_int_equal(upload_state_open(&fixture->clock, &one, &upload, &fixture->err), -1);
	assert_int_equal(fixture->err.kind, ERROR_IO);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(upload_state_open(&fixture->clock, &one, &upload, &fixture->err), -1);
	assert_int_equal(fixture->err.kind, ERROR_IO);
	assert_non_null(strstr(fixture->err.message, path));
	assert_null(upload);
}

static void a_failure_to_write_is_told_once(void **state)
{
	struct fixture *fixture = *state;
	struct upload_state *upload = open_target(fixture, &one);

	begin(fixture, upload);
	assert_int_equal(add(upload, 1, &fixture->err), 0);
	/* the descriptor under it can only be read: it is the one with the file's inode */
	struct stat wanted, st;
	assert_int_equal(stat(only_file(fixture), &wanted), 0);
	int fd = 3;
	while (fd < 256 && (fstat(fd, &st) != 0 || st.st_ino != wanted.st_ino || st.st_dev != wanted.st_dev))
		fd++;
	assert_true(fd < 256);
	CLEANUP_FD int kept = dup(fd);
	CLEANUP_FD int reading = open(fixture->path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(dup2(reading, fd), fd);
	assert_int_equal(add(upload, 2, &fixture->err), -1);
	assert_int_equal(fixture->err.kind, ERROR_IO);
	assert_non_null(strstr(fixture->err.message, fixture->path));
	assert_int_equal(dup2(kept, fd), fd);
	assert_int_equal(add(upload, 3, &fixture->err), 0);
	upload_state_close(upload);
	cleanup_close_fd(&kept);
	kept = -1;
	upload = open_target(fixture, &one);
	assert_int_equal(upload_state_count(upload), 1);
	/* starting over writes again */
	begin(fixture, upload);
	assert_int_equal(add(upload, 3, &fixture->err), 0);
	upload_state_close(upload);
	upload = open_target(fixture, &one);
	assert_true(has(upload, 3));
	upload_state_close(upload);
}

static void full(void **state)
{
	struct fixture *fixture = *state;
	struct upload_state *upload = open_target(fixture, &one);
	struct stat before, after;

	begin(fixture, upload);
	upload_state_close(upload);
	/* a file that is as long as it may be, all of it good lines; each is 67 bytes */
	only_file(fixture);
	struct buf lines = BUF_INIT((size_t)1024 * 1024);
	for (int i = 0; i < 1000; i++)
		buf_str(&lines, "1 0000000000000000000000000000000000000000000000000000000000000000\n");
	assert_int_equal(stat(fixture->path, &before), 0);
	for (size_t size = (size_t)before.st_size; size + lines.len <= UPLOAD_STATE_MAX_BYTES; size += lines.len)
		append(fixture->path, lines.data, lines.len);
	assert_int_equal(stat(fixture->path, &before), 0);
	size_t left = UPLOAD_STATE_MAX_BYTES - (size_t)before.st_size;
	append(fixture->path, lines.data, left / 67 * 67);
	buf_free(&lines);
	assert_int_equal(stat(fixture->path, &before), 0);
	upload = open_target(fixture, &one);
	assert_int_equal(upload_state_count(upload), 1);
	assert_int_equal(add(upload, 2, &fixture->err), 0);
	upload_state_close(upload);
	assert_int_equal(stat(fixture->path, &after), 0);
	assert_int_equal(after.st_size, before.st_size);
}

/* --- threads, memory --- */

struct adder {
	struct upload_state *state;
	uint32_t first;
};

static void *add_many(void *self)
{
	struct adder *adder = self;

	for (uint32_t i = 0; i < 500; i++) {
		if (add(adder->state, adder->first + 8 * i, NULL) != 0)
			return self;
		(void)has(adder->state, i);
	}
	return NULL;
}

static void from_many_threads(void **state)
{
	struct fixture *fixture = *state;
	struct upload_state *upload = open_target(fixture, &one);
	struct adder adders[8];
	pthread_t threads[8];

	begin(fixture, upload);
	for (uint32_t i = 0; i < 8; i++) {
		adders[i] = (struct adder){ upload, i };
		assert_int_equal(pthread_create(&threads[i], NULL, add_many, &adders[i]), 0);
	}
	for (uint32_t i = 0; i < 8; i++) {
		void *failed;
		pthread_join(threads[i], &failed);
		assert_null(failed);
	}
	upload_state_close(upload);
	upload = open_target(fixture, &one);
	assert_int_equal(upload_state_count(upload), 4000);
	for (uint32_t i = 0; i < 4000; i++)
		assert_true(has(upload, i));
	upload_state_close(upload);
}

static void out_of_memory(void **state)
{
	struct fixture *fixture = *state;
	struct upload_state *upload = open_target(fixture, &one);
	bool failed = true;

	begin(fixture, upload);
	assert_int_equal(add(upload, 1, &fixture->err), 0);
	upload_state_close(upload);
	for (long allowed = 0; failed; allowed++) {
		upload = NULL;
		fail_alloc_after(allowed);
		int result = upload_state_open(&fixture->clock, &one, &upload, &fixture->err);
		failed = fail_alloc_off();
		if (result != 0) {
			assert_true(failed);
			assert_null(upload);
			continue;
		}
		/* only clearing away may have gone without */
		assert_non_null(upload_state_snapshot(upload));
		assert_int_equal(upload_state_count(upload), 1);
		upload_state_close(upload);
	}
	upload = open_target(fixture, &one);
	assert_int_equal(upload_state_count(upload), 1);
	upload_state_close(upload);
}

#define UPLOAD_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		UPLOAD_TEST(it_goes_on),
		UPLOAD_TEST(another_target_knows_nothing_of_it),
		UPLOAD_TEST(starting_over_forgets),
		UPLOAD_TEST(not_begun_is_nothing_to_go_on_from),
		UPLOAD_TEST(permissions),
		UPLOAD_TEST(behind_a_cut_line_it_goes_on),
		UPLOAD_TEST(opening_leaves_its_time),
		UPLOAD_TEST(over_its_time),
		UPLOAD_TEST(old_ones_of_others_are_deleted),
		UPLOAD_TEST(what_is_not_ours_stays),
		UPLOAD_TEST(old_ones_in_use_stay),
		UPLOAD_TEST(two_at_the_same_upload),
		UPLOAD_TEST(deleted_while_it_waits_for_the_lock),
		UPLOAD_TEST(a_state_directory_that_cannot_be_used),
		UPLOAD_TEST(something_else_in_its_place),
		UPLOAD_TEST(a_failure_to_write_is_told_once),
		UPLOAD_TEST(full),
		UPLOAD_TEST(from_many_threads),
		UPLOAD_TEST(out_of_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
