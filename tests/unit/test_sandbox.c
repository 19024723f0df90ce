/* SPDX-License-Identifier: Apache-2.0 */
/* Entering the sandbox, in children: what stays open, what is limited, who one is then. What it is for is shown by
 * tests/integration/test_sandbox.py. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "onhost/sandbox.h"
#include "tests/unit/in_child.h"
#include "tests/unit/under_valgrind.h"

#define ROOM ((uint64_t)4096)

static struct sandbox_rules keeping(int fd)
{
	return (struct sandbox_rules){
		.keep = { STDERR_FILENO, fd, -1, STDOUT_FILENO }, .n_keep = 4, .file_room = ROOM,
	};
}

static void enter(const struct sandbox_rules *rules)
{
	const char *missing;
	struct error err;
	int result = sandbox_enter(rules, &missing, &err);

	if (result != 0)
		dprintf(STDERR_FILENO, "%s\n", err.message);
	CHILD_REQUIRE(result == 0);
}

/* A regular file without a name, of ROOM bytes. */
static int scratch(void)
{
	char path[] = "/tmp/sandbox-XXXXXX";
	int fd = mkstemp(path);

	CHILD_REQUIRE(fd >= 0 && unlink(path) == 0 && ftruncate(fd, (off_t)ROOM) == 0);
	return fd;
}

static void only_the_list_stays_open(void *self)
{
	int pipes[2];
	int more = 0;

	(void)self;
	CHILD_REQUIRE(pipe(pipes) == 0 && dup2(pipes[0], 40) == 40 && dup2(pipes[0], 7) == 7);
	const struct sandbox_rules rules = keeping(pipes[1]);
	enter(&rules);
	CHILD_REQUIRE(fcntl(pipes[1], F_GETFD) >= 0 && fcntl(STDERR_FILENO, F_GETFD) >= 0);
	for (int fd = 0; fd < 64; fd++) {
		if (fd != STDERR_FILENO && fd != STDOUT_FILENO && fd != pipes[1])
			CHILD_REQUIRE(fcntl(fd, F_GETFD) == -1 && errno == EBADF);
	}
	/* standard input's place and those between are free, and few behind */
	while (more < 64 && eventfd(0, EFD_CLOEXEC) >= 0)
		more++;
	CHILD_REQUIRE(more >= 2 && more <= pipes[1] + 4);
}

static void files_grow_a_little(void *self)
{
	char block[ROOM];

	(void)self;
	/* standard error may be a file, too: the largest one counts */
	const off_t size = (off_t)1 << 36;
	int fd = scratch();
	CHILD_REQUIRE(ftruncate(fd, size) == 0);
	const struct sandbox_rules rules = keeping(fd);
	enter(&rules);
	memset(block, 'x', sizeof(block));
	CHILD_REQUIRE(pwrite(fd, block, sizeof(block), size) == (ssize_t)sizeof(block));
	CHILD_REQUIRE(pwrite(fd, block, sizeof(block), size + (off_t)ROOM) == -1 && errno == EFBIG);
}

static void files_grow_without_a_limit(void *self)
{
	(void)self;
	int fd = scratch();
	struct sandbox_rules rules = keeping(fd);
	rules.file_room = 0;
	enter(&rules);
	CHILD_REQUIRE(pwrite(fd, "x", 1, (off_t)1 << 30) == 1);
}

static void lower_limits_stay(void *self)
{
	struct rlimit mine = { .rlim_cur = 100, .rlim_max = 100 };

	(void)self;
	CHILD_REQUIRE(setrlimit(RLIMIT_CPU, &mine) == 0);
	const struct sandbox_rules rules = keeping(-1);
	enter(&rules);
	CHILD_REQUIRE(getrlimit(RLIMIT_CPU, &mine) == 0 && mine.rlim_max == 100);
	CHILD_REQUIRE(getrlimit(RLIMIT_CORE, &mine) == 0 && mine.rlim_max == 0);
}

static void nobody(void *self)
{
	uid_t before = getuid();
	gid_t groups[8];

	(void)self;
	const struct sandbox_rules rules = keeping(-1);
	enter(&rules);
	if (before == 0)
		CHILD_REQUIRE(getuid() != 0 && geteuid() != 0 && getgid() != 0 && getegid() != 0 &&
			      getgroups(8, groups) == 0);
	else
		CHILD_REQUIRE(getuid() == before);
	CHILD_REQUIRE(syscall(SYS_setuid, 0) == -1);
}

static void parent_is_another(void *self)
{
	const char *missing = "untouched";
	struct error err;

	(void)self;
	struct sandbox_rules rules = keeping(-1);
	rules.parent = getpid();
	CHILD_REQUIRE(sandbox_enter(&rules, &missing, &err) == -1);
	CHILD_REQUIRE(err.kind == ERROR_CANCELLED && strcmp(missing, "untouched") == 0);
}

/* A process in the sandbox, whose parent ends before it does. */
static void leave_behind(void *self)
{
	int *pipes = self;
	char byte;

	pid_t parent = getpid();
	pid_t child = fork();
	if (child == 0) {
		struct sandbox_rules rules = keeping(pipes[1]);
		rules.parent = parent;
		enter(&rules);
		CHILD_REQUIRE(write(pipes[1], "1", 1) == 1);
		for (;;)
			sigsuspend(&(sigset_t){ { 0 } });
	}
	CHILD_REQUIRE(child > 0 && read(pipes[0], &byte, 1) == 1);
}

static void dies_with_its_parent(void **state)
{
	int pipes[2];
	char byte;

	(void)state;
	if (under_valgrind())
		skip();
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(in_child(leave_behind, pipes), 0);
	close(pipes[1]);
	/* the last end of the pipe is closed by the child's end, and by nothing else */
	struct pollfd closed = { .fd = pipes[0], .events = POLLIN };
	assert_int_equal(poll(&closed, 1, 60000), 1);
	assert_int_equal(read(pipes[0], &byte, 1), 0);
	close(pipes[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CHILD_TEST(only_the_list_stays_open), CHILD_TEST(files_grow_a_little), CHILD_TEST(files_grow_without_a_limit),
		CHILD_TEST(lower_limits_stay), CHILD_TEST(nobody), CHILD_TEST(parent_is_another),
		cmocka_unit_test(dies_with_its_parent),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
