/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of calls by class, and the few rules that look at arguments. A class is given whole, with its older and newer
 * names: which of them a libc uses changes between its releases. A name that this libseccomp or this architecture does
 * not have is passed over. */
#include "onhost/filter.h"

#include <asm/ioctls.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* gcc and clang tell of their sanitizers in different ways */
#if defined(__has_feature)
#define HAS_FEATURE(x) __has_feature(x)
#else
#define HAS_FEATURE(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || HAS_FEATURE(address_sanitizer) ||                  \
	HAS_FEATURE(thread_sanitizer)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

/* What a thread may be made with, and needs not: all other flags are fixed by thread_flags. */
#define THREAD_MUST ((scmp_datum_t)(CLONE_VM | CLONE_SIGHAND | CLONE_THREAD))
#define THREAD_MAY                                                                                                     \
	((scmp_datum_t)(CLONE_FS | CLONE_FILES | CLONE_SYSVSEM | CLONE_SETTLS | CLONE_PARENT_SETTID |                  \
			CLONE_CHILD_CLEARTID | CLONE_CHILD_SETTID | CLONE_DETACHED))

/* TCGETS2: the C library's headers do not have its struct termios2, of 44 bytes */
#define TERMIOS2_GET ((uint64_t)_IOC(_IOC_READ, 'T', 0x2A, 44))

static const char *const allowed[] = {
	/* memory; mmap and mprotect have rules of their own */
	"brk", "madvise", "mincore", "mremap", "msync", "munmap", "mlock", "munlock", "membarrier", "mseal",
	/* threads; clone has a rule of its own */
	"exit", "exit_group", "futex", "futex_requeue", "futex_time64", "futex_wait", "futex_waitv", "futex_wake",
	"getcpu", "gettid", "rseq", "sched_getaffinity", "sched_getparam", "sched_getscheduler", "sched_yield",
	"set_robust_list", "set_tid_address",
	/* clocks */
	"clock_getres", "clock_getres_time64", "clock_gettime", "clock_gettime64", "clock_nanosleep",
	"clock_nanosleep_time64", "gettimeofday", "nanosleep", "time", "times",
	/* descriptors that are open */
	"_llseek", "close", "fadvise64", "fdatasync", "fstat", "fstat64", "fsync", "lseek", "poll", "ppoll",
	"ppoll_time64", "pread64", "preadv", "preadv2", "pselect6", "pselect6_time64", "pwrite64", "pwritev",
	"pwritev2", "read", "readv", "select", "sync_file_range", "write", "writev",
	"eventfd2", /* how the pipeline's threads are told to stop: a counter, nothing outside of the process */
	/* signals; tgkill has a rule of its own */
	"rt_sigaction", "rt_sigpending", "rt_sigprocmask", "rt_sigreturn", "rt_sigsuspend", "rt_sigtimedwait",
	"restart_syscall", "sigaltstack",
	/* what the process may know of itself and the machine */
	"getegid", "geteuid", "getgid", "getgroups", "getpgrp", "getpid", "getppid", "getresgid", "getresuid",
	"getrlimit", "getrusage", "getuid", "getrandom", "sysinfo", "uname",
};

/* A library that tries one of these is to hear that it may not, rather than that this kernel is too old for it. */
static const char *const refused[] = {
	/* files by name */
	"access", "acct", "chdir", "chmod", "chown", "creat", "fchdir", "fchmodat", "fchownat", "faccessat", "getcwd",
	"getdents", "getdents64", "getxattr", "inotify_add_watch", "inotify_init1", "lchown", "link", "linkat", "listxattr",
	"lstat", "memfd_create", "memfd_secret", "mkdir", "mkdirat", "mknod", "mknodat", "name_to_handle_at", "open",
	"open_by_handle_at", "openat", "openat2", "readlink", "readlinkat", "rename", "renameat", "renameat2", "rmdir",
	"setxattr", "stat", "statfs", "swapoff", "swapon", "symlink", "symlinkat", "truncate", "umask", "unlink",
	"unlinkat", "utimensat",
	/* descriptors of other kinds, and copies of these */
	"dup", "dup2", "dup3", "epoll_create", "epoll_create1", "fanotify_init", "pidfd_getfd", "pidfd_open", "pipe",
	"pipe2", "signalfd4", "timerfd_create", "userfaultfd",
	/* other processes */
	"execve", "execveat", "fork", "vfork", "kcmp", "kill", "pidfd_send_signal", "process_madvise",
	"process_vm_readv", "process_vm_writev", "ptrace", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "setpgid",
	"setpriority", "setsid", "tkill", "wait4", "waitid",
	/* the network, and other processes' messages */
	"accept", "accept4", "bind", "connect", "getpeername", "getsockname", "getsockopt", "listen", "mq_open",
	"msgget", "recvfrom", "recvmmsg", "recvmsg", "semget", "sendmmsg", "sendmsg", "sendto", "setsockopt", "shmat",
	"shmget", "shutdown", "socket", "socketpair",
	/* privileges, and the kernel itself */
	"add_key", "bpf", "capget", "capset", "chroot", "delete_module", "finit_module", "init_module", "io_setup",
	"io_uring_enter", "io_uring_register", "io_uring_setup", "ioperm", "iopl", "kexec_file_load", "kexec_load",
	"keyctl", "mount", "move_mount", "move_pages", "open_tree", "perf_event_open", "personality", "pivot_root",
	"quotactl", "reboot", "request_key", "sched_setaffinity", "sched_setscheduler", "seccomp", "setdomainname",
	"setfsgid", "setfsuid", "setgid", "setgroups", "sethostname", "setns", "setregid", "setresgid", "setresuid",
	"setreuid", "setrlimit", "settimeofday", "setuid", "syslog", "umount2", "unshare", "vhangup",
};

static int failed(int errnum, struct error *err)
{
	return error_errno(err, ERROR_SANDBOX, errnum,
			   "the system-call filter cannot be set up, so that the image is not read (this takes a kernel "
			   "with CONFIG_SECCOMP_FILTER and, in a container, leave for seccomp(2))");
}

/* libseccomp gives 0 or a negative errno. */
static int add_all(scmp_filter_ctx filter, uint32_t action, const char *const *names, size_t count)
{
	int result = 0;

	for (size_t i = 0; i < count && result == 0; i++) {
		int number = seccomp_syscall_resolve_name(names[i]);
		if (number >= 0)
			result = seccomp_rule_add_array(filter, action, number, 0, NULL);
	}
	return result;
}

/* One call that is allowed when all of the conditions on its arguments hold. */
static int allow_if(scmp_filter_ctx filter, const char *name, const struct scmp_arg_cmp *conditions, unsigned count)
{
	int number = seccomp_syscall_resolve_name(name);

	return number < 0 ? 0 : seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, number, count, conditions);
}

/* One call, whose argument `at` may have these values. */
static int allow_values(scmp_filter_ctx filter, const char *name, unsigned at, const uint64_t *values, size_t count)
{
	int result = 0;

	for (size_t i = 0; i < count && result == 0; i++) {
		const struct scmp_arg_cmp condition = { .arg = at, .op = SCMP_CMP_EQ, .datum_a = values[i] };
		result = allow_if(filter, name, &condition, 1);
	}
	return result;
}

/* Memory is for data: nothing that the image brings along can become code. */
static int add_memory(scmp_filter_ctx filter)
{
	static const char *const names[] = { "mmap", "mmap2", "mprotect" };
	const struct scmp_arg_cmp no_code = {
		.arg = 2, .op = SCMP_CMP_MASKED_EQ, .datum_a = PROT_EXEC, .datum_b = 0,
	};
	int result = 0;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && result == 0; i++)
		result = allow_if(filter, names[i], &no_code, 1);
	return result;
}

/* A filter cannot look into clone3's structure: ENOSYS makes libc use clone, whose flags it can see. */
static int add_threads(scmp_filter_ctx filter)
{
	const struct scmp_arg_cmp thread_flags = {
		.arg = 0, .op = SCMP_CMP_MASKED_EQ, .datum_a = ~THREAD_MAY, .datum_b = THREAD_MUST,
	};
	const struct scmp_arg_cmp itself = { .arg = 0, .op = SCMP_CMP_EQ, .datum_a = (scmp_datum_t)getpid() };

	int result = allow_if(filter, "clone", &thread_flags, 1);
	return result != 0 ? result : allow_if(filter, "tgkill", &itself, 1);
}

static int add_descriptors(scmp_filter_ctx filter)
{
	static const uint64_t controls[] = { F_GETFD, F_SETFD, F_GETFL, F_SETFL };
	/* is this a terminal (by two names), how wide is it, and is the device that failed still there */
	static const uint64_t requests[] = { TCGETS, TERMIOS2_GET, TIOCGWINSZ, BLKGETSIZE64 };
	/* fstat as some libcs call it. The name beside the flag cannot be seen: see docs/security.md */
	const struct scmp_arg_cmp no_name = { .arg = 3, .op = SCMP_CMP_EQ, .datum_a = AT_EMPTY_PATH };

	int result = allow_values(filter, "fcntl", 1, controls, sizeof(controls) / sizeof(controls[0]));
	if (result == 0)
		result = allow_values(filter, "ioctl", 1, requests, sizeof(requests) / sizeof(requests[0]));
	return result != 0 ? result : allow_if(filter, "newfstatat", &no_name, 1);
}

/* Its own limits may be read, nobody's be set. */
static int add_limits(scmp_filter_ctx filter)
{
	const struct scmp_arg_cmp reading[] = {
		{ .arg = 0, .op = SCMP_CMP_EQ, .datum_a = 0 },
		{ .arg = 2, .op = SCMP_CMP_EQ, .datum_a = 0 },
	};

	return allow_if(filter, "prlimit64", reading, 2);
}

/* Only in builds with sanitizers, which are no releases: names of threads, and what is asked before looking for leaks. */
static int add_sanitizers(scmp_filter_ctx filter)
{
	static const uint64_t controls[] = { PR_GET_NAME, PR_SET_NAME, PR_GET_SECCOMP };

	return SANITIZED ? allow_values(filter, "prctl", 0, controls, sizeof(controls) / sizeof(controls[0])) : 0;
}

static int add_rules(scmp_filter_ctx filter)
{
	static int (*const rules[])(scmp_filter_ctx) = {
		add_memory, add_threads, add_descriptors, add_limits, add_sanitizers,
	};
	int result = add_all(filter, SCMP_ACT_ALLOW, allowed, sizeof(allowed) / sizeof(allowed[0]));

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]) && result == 0; i++)
		result = rules[i](filter);
	return result != 0 ? result
			   : add_all(filter, SCMP_ACT_ERRNO(EPERM), refused, sizeof(refused) / sizeof(refused[0]));
}

/* Another architecture's calls are no accident. All threads get the filter: a sanitizer has one of its own. */
static int set_attributes(scmp_filter_ctx filter)
{
	int result = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);

	if (result == 0)
		result = seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 1);
	if (result == 0)
		result = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	/* a tree in place of a long list: the calls that copy the image pass through it */
	return result != 0 ? result : seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
}

int filter_enter(struct error *err)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return failed(errno, err);
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	if (filter == NULL)
		return failed(ENOMEM, err);
	int result = set_attributes(filter);
	if (result == 0)
		result = add_rules(filter);
	if (result == 0)
		result = seccomp_load(filter);
	seccomp_release(filter);
	if (result != 0)
		return failed(-result, err);
	/* the proof of it */
	if (chdir("/") == 0 || errno != EPERM)
		return error_set(err, ERROR_SANDBOX,
				 "the system-call filter is in place and does not refuse what it should; the image is not "
				 "read");
	return 0;
}

#if SANITIZED
/* Looking for leaks takes ptrace: it is left to processes outside of the sandbox. */
__attribute__((visibility("default"))) int __lsan_is_turned_off(void); /* NOLINT(bugprone-reserved-identifier): the sanitizer's name for it */
int __lsan_is_turned_off(void)
{
	return prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == SECCOMP_MODE_FILTER;
}
#endif
