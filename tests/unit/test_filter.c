/* SPDX-License-Identifier: Apache-2.0 */
/* The filter alone, in children: who keeps their privileges has no use for them any more. All that is tried from inside
 * the whole sandbox is tests/tools/sandbox_probe.c's. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "onhost/filter.h"
#include "tests/unit/in_child.h"

static void enter(void)
{
	struct error err;
	CHILD_REQUIRE(filter_enter(&err) == 0);
}

static void refused(void *self)
{
	(void)self;
	enter();
	CHILD_REQUIRE(open("/dev/null", O_RDONLY) == -1 && errno == EPERM);
	CHILD_REQUIRE(socket(AF_UNIX, SOCK_STREAM, 0) == -1 && errno == EPERM);
	CHILD_REQUIRE(fcntl(0, F_DUPFD, 3) == -1 && errno == ENOSYS);
	CHILD_REQUIRE(fork() == -1 && errno == ENOSYS);
	CHILD_REQUIRE(kill(getppid(), 0) == -1 && errno == EPERM);
	CHILD_REQUIRE(syscall(SYS_tgkill, getppid(), getppid(), 0) == -1 && errno == ENOSYS);
	CHILD_REQUIRE(syscall(SYS_clone3, NULL, 0L) == -1 && errno == ENOSYS);
	CHILD_REQUIRE(syscall(1000L) == -1 && errno == ENOSYS);
	CHILD_REQUIRE(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == -1 && errno == ENOSYS);
	CHILD_REQUIRE(syscall(SYS_setuid, getuid()) == -1 && errno == EPERM);
}

static void no_code(void *self)
{
	(void)self;
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	enter();
	CHILD_REQUIRE(page != MAP_FAILED && mprotect(page, 4096, PROT_READ) == 0);
	CHILD_REQUIRE(mprotect(page, 4096, PROT_READ | PROT_EXEC) == -1 && errno == ENOSYS);
	CHILD_REQUIRE(mmap(NULL, 4096, PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
	CHILD_REQUIRE(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
}

static void *thread(void *self)
{
	uint64_t one = 1;
	int fd = *(int *)self;

	/* the filter is every thread's */
	bool confined = open("/dev/null", O_RDONLY) == -1 && errno == EPERM;
	return confined && write(fd, &one, sizeof(one)) == sizeof(one) ? self : NULL;
}

static void threads_work(void *self)
{
	uint64_t count = 0;
	pthread_t id;
	void *result;

	(void)self;
	enter();
	int fd = eventfd(0, EFD_CLOEXEC);
	CHILD_REQUIRE(fd >= 0);
	CHILD_REQUIRE(pthread_create(&id, NULL, thread, &fd) == 0);
	CHILD_REQUIRE(pthread_join(id, &result) == 0 && result == &fd);
	CHILD_REQUIRE(read(fd, &count, sizeof(count)) == sizeof(count) && count == 1);
}

static void handler(int number)
{
	(void)number;
}

static void signals_to_itself(void *self)
{
	const struct sigaction action = { .sa_handler = handler };

	(void)self;
	enter();
	CHILD_REQUIRE(sigaction(SIGUSR1, &action, NULL) == 0 && raise(SIGUSR1) == 0);
}

static void no_new_privileges(void *self)
{
	char text[4096];
	int pipes[2];

	(void)self;
	/* what the kernel says of us is opened before */
	int status = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	CHILD_REQUIRE(status >= 0 && pipe(pipes) == 0);
	enter();
	ssize_t got = read(status, text, sizeof(text) - 1);
	CHILD_REQUIRE(got > 0);
	text[got] = '\0';
	CHILD_REQUIRE(strstr(text, "NoNewPrivs:\t1\n") != NULL && strstr(text, "Seccomp:\t2\n") != NULL);
}

/* Nothing but filters may be refused to a filter. */
static void twice(void *self)
{
	struct error err;

	(void)self;
	enter();
	CHILD_REQUIRE(filter_enter(&err) == -1 && err.kind == ERROR_SANDBOX);
	CHILD_REQUIRE(strstr(err.message, "the image is not read") != NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CHILD_TEST(refused), CHILD_TEST(no_code), CHILD_TEST(threads_work), CHILD_TEST(signals_to_itself),
		CHILD_TEST(no_new_privileges), CHILD_TEST(twice),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
