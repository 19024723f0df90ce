/* SPDX-License-Identifier: Apache-2.0 */
/* Stands where the archive's parser stands, as if an image had taken it over: enters the sandbox as onhost does, with
 * DEVICE open, and then tries everything. One line each on standard output: "refused NAME ERRNO" or "OPEN NAME" for what
 * must be refused, "works NAME" or "BROKEN NAME ERRNO" for what must go on working. With a second argument it makes one
 * call that is to kill it.
 *     sandbox_probe DEVICE [i386|x32] */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/keyctl.h>
#include <linux/openat2.h>
#include <linux/prctl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "onhost/sandbox.h"

#define NVME_ADMIN_COMMAND 0xC0484E41UL
#define BLOCK ((size_t)4096)

struct probe {
	const char *device;
	int fd;        /* the device */
	int pipe[2];
	int forgotten; /* a descriptor that is not in the sandbox's list */
	int folder;    /* and a folder, which leads to names */
	char *page;
	pid_t parent;
};

static void told(const char *name, long result)
{
	if (result == -1)
		printf("refused %s %s\n", name, strerrorname_np(errno));
	else
		printf("OPEN %s\n", name);
}

static void check(const char *name, bool works)
{
	if (works)
		printf("works %s\n", name);
	else
		printf("BROKEN %s %s\n", name, errno == 0 ? "0" : strerrorname_np(errno));
	errno = 0;
}

/* An attempt at something that must be refused. */
#define TRY(name, ...) told(name, syscall(__VA_ARGS__))
#define HERE AT_FDCWD

static void try_files(const struct probe *p)
{
	struct open_how how = { .flags = O_RDONLY };
	struct stat st;

	TRY("read /etc/shadow", SYS_openat, HERE, "/etc/shadow", O_RDONLY, 0);
	TRY("read /etc/passwd", SYS_openat, HERE, "/etc/passwd", O_RDONLY, 0);
	TRY("read /proc/self/mem", SYS_openat, HERE, "/proc/self/mem", O_RDWR, 0);
	TRY("read /proc/self/exe", SYS_openat, HERE, "/proc/self/exe", O_RDONLY, 0);
	TRY("write a new file", SYS_openat, HERE, "/tmp/sandbox-probe", O_WRONLY | O_CREAT, 0600);
	TRY("a file without a name", SYS_openat, HERE, "/tmp", O_TMPFILE | O_RDWR, 0600);
	TRY("a file in a folder", SYS_openat, p->folder, "x", O_RDONLY, 0);
	TRY("openat2", SYS_openat2, HERE, "/etc/passwd", &how, sizeof(how));
	TRY("the device again", SYS_openat, HERE, p->device, O_RDONLY, 0);
	TRY("another device", SYS_openat, HERE, "/dev/null", O_RDONLY, 0);
	TRY("the terminal", SYS_openat, HERE, "/dev/tty", O_RDWR, 0);
	TRY("mknod", SYS_mknodat, HERE, "/tmp/sandbox-probe", S_IFBLK | 0600, 0x100);
	TRY("mkdir", SYS_mkdirat, HERE, "/tmp/sandbox-probe", 0700);
	TRY("unlink", SYS_unlinkat, HERE, "/tmp/sandbox-probe", 0);
	TRY("rename", SYS_renameat2, HERE, "/tmp/sandbox-probe", HERE, "/tmp/x", 0);
	TRY("symlink", SYS_symlinkat, "/etc/passwd", HERE, "/tmp/sandbox-probe");
	TRY("link", SYS_linkat, HERE, "/etc/passwd", HERE, "/tmp/sandbox-probe", 0);
	TRY("chmod", SYS_fchmodat, HERE, "/tmp", 0777);
	TRY("chown", SYS_fchownat, HERE, "/tmp", 0, 0, 0);
	TRY("truncate", SYS_truncate, "/tmp/sandbox-probe", 0L);
	TRY("ftruncate", SYS_ftruncate, p->fd, 0L);
	TRY("fallocate", SYS_fallocate, p->fd, 3, 0L, 4096L);
	TRY("stat by name", SYS_newfstatat, HERE, "/etc/passwd", &st, 0);
	TRY("stat by name where none is due", SYS_newfstatat, HERE, "/etc/passwd", &st, AT_EMPTY_PATH);
	TRY("statx", SYS_statx, HERE, "/etc/passwd", 0, 0x7FF, p->page);
	TRY("access", SYS_faccessat, HERE, "/etc/passwd", R_OK);
	TRY("readlink", SYS_readlinkat, HERE, "/proc/self/exe", p->page, BLOCK);
	TRY("getcwd", SYS_getcwd, p->page, BLOCK);
	TRY("chdir", SYS_chdir, "/");
	TRY("fchdir", SYS_fchdir, p->folder);
	TRY("statfs", SYS_statfs, "/", p->page);
	TRY("getxattr", SYS_getxattr, "/", "user.x", p->page, BLOCK);
	TRY("inotify", SYS_inotify_init1, 0);
	TRY("fanotify", SYS_fanotify_init, 0, 0);
	TRY("name_to_handle_at", SYS_name_to_handle_at, HERE, "/", p->page, p->page, 0);
	TRY("open_by_handle_at", SYS_open_by_handle_at, HERE, p->page, 0);
	TRY("memfd_create", SYS_memfd_create, "x", 0);
}

static void try_network(void)
{
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET };
	char name[64];
	int pair[2];

	for (int family = 0; family < AF_MAX; family++) {
		for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
			snprintf(name, sizeof(name), "socket of family %d, type %d", family, types[i]);
			TRY(name, SYS_socket, family, types[i], 0);
		}
	}
	TRY("socketpair", SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, pair);
	TRY("connect", SYS_connect, 0, "", 0);
	TRY("bind", SYS_bind, 0, "", 0);
	TRY("listen", SYS_listen, 0, 1);
	TRY("sendmsg", SYS_sendmsg, 1, "", 0);
	TRY("recvmsg", SYS_recvmsg, 0, "", 0);
}

/* A child, if there should be one, ends at once. */
static void try_child(const char *name, long result)
{
	if (result == 0)
		_exit(0);
	told(name, result);
}

static void try_processes(const struct probe *p)
{
	static const char *const arguments[] = { "true", NULL };
	struct iovec here = { .iov_base = p->page, .iov_len = 8 };
	uint64_t clone_args[11] = { 0, 0, 0, 0, SIGCHLD };

#ifdef SYS_fork
	try_child("fork", syscall(SYS_fork));
#endif
	try_child("clone of a process", syscall(SYS_clone, SIGCHLD, 0L, 0L, 0L, 0L));
	try_child("clone into a user namespace", syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0L, 0L, 0L, 0L));
	try_child("clone of a thread that is traced", syscall(SYS_clone, CLONE_PTRACE | SIGCHLD, 0L, 0L, 0L, 0L));
	try_child("clone3", syscall(SYS_clone3, clone_args, sizeof(clone_args)));
	TRY("exec", SYS_execve, "/bin/true", arguments, NULL);
	TRY("exec of a descriptor", SYS_execveat, p->fd, "", arguments, NULL, AT_EMPTY_PATH);
	TRY("ptrace", SYS_ptrace, PTRACE_ATTACH, p->parent, 0L, 0L);
	TRY("ptrace of itself", SYS_ptrace, PTRACE_TRACEME, 0, 0L, 0L);
	TRY("process_vm_readv", SYS_process_vm_readv, p->parent, &here, 1L, &here, 1L, 0L);
	TRY("process_vm_writev", SYS_process_vm_writev, p->parent, &here, 1L, &here, 1L, 0L);
	TRY("process_madvise", SYS_process_madvise, p->fd, &here, 1L, 0, 0);
	TRY("kill the parent", SYS_kill, p->parent, 0);
	TRY("kill all", SYS_kill, -1, 0);
	TRY("kill the group", SYS_kill, 0, 0);
	TRY("tgkill the parent", SYS_tgkill, p->parent, p->parent, 0);
	TRY("tkill the parent", SYS_tkill, p->parent, 0);
	TRY("rt_sigqueueinfo", SYS_rt_sigqueueinfo, p->parent, 0, p->page);
	TRY("pidfd_open", SYS_pidfd_open, p->parent, 0);
	TRY("pidfd_getfd", SYS_pidfd_getfd, p->fd, 0, 0);
	TRY("kcmp", SYS_kcmp, p->parent, p->parent, 0, 0, 0);
	TRY("setpriority", SYS_setpriority, PRIO_PROCESS, 0, 0);
	TRY("sched_setaffinity", SYS_sched_setaffinity, 0, BLOCK, p->page);
	TRY("sched_setscheduler", SYS_sched_setscheduler, 0, SCHED_OTHER, p->page);
	TRY("the parent's limits", SYS_prlimit64, p->parent, RLIMIT_NOFILE, NULL, p->page);
	TRY("its own limits", SYS_prlimit64, 0, RLIMIT_CORE, p->page, NULL);
	TRY("setsid", SYS_setsid);
	TRY("setpgid", SYS_setpgid, 0, 0);
	TRY("shmget", SYS_shmget, 1, BLOCK, 01777);
	TRY("shmat", SYS_shmat, 0, NULL, 0);
	TRY("msgget", SYS_msgget, 1, 01777);
	TRY("mq_open", SYS_mq_open, "x", O_CREAT | O_RDWR, 0600, NULL);
}

static void try_identity(void)
{
	uint32_t header[2] = { 0x20080522, 0 };
	uint32_t sets[6] = { UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX };
	gid_t group = 0;

	TRY("setuid", SYS_setuid, 0);
	TRY("setreuid", SYS_setreuid, 0, 0);
	TRY("setresuid", SYS_setresuid, 0, 0, 0);
	TRY("setfsuid", SYS_setfsuid, 0);
	TRY("setgid", SYS_setgid, 0);
	TRY("setresgid", SYS_setresgid, 0, 0, 0);
	TRY("setgroups", SYS_setgroups, 1L, &group);
	TRY("capset", SYS_capset, header, sets);
	TRY("dumpable again", SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0);
	TRY("outlive the parent", SYS_prctl, PR_SET_PDEATHSIG, 0, 0, 0, 0);
	TRY("new privileges", SYS_prctl, PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0);
	TRY("ambient capabilities", SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 0, 0, 0);
	TRY("securebits", SYS_prctl, PR_SET_SECUREBITS, 0, 0, 0, 0);
	TRY("who may trace it", SYS_prctl, PR_SET_PTRACER, -1L, 0, 0, 0);
	TRY("its memory's map", SYS_prctl, PR_SET_MM, 0, 0, 0, 0);
	TRY("another filter", SYS_seccomp, 1, 0, NULL);
	TRY("personality", SYS_personality, 0x0400000);
}

static void try_kernel(const struct probe *p)
{
	TRY("chroot", SYS_chroot, "/");
	TRY("pivot_root", SYS_pivot_root, "/", "/");
	TRY("mount", SYS_mount, "x", "/", "tmpfs", 0L, NULL);
	TRY("umount", SYS_umount2, "/", 0);
	TRY("fsopen", SYS_fsopen, "tmpfs", 0);
	TRY("open_tree", SYS_open_tree, HERE, "/", 0);
	TRY("unshare", SYS_unshare, CLONE_NEWUSER);
	TRY("setns", SYS_setns, p->fd, 0);
	TRY("bpf", SYS_bpf, 0, p->page, BLOCK);
	TRY("perf_event_open", SYS_perf_event_open, p->page, 0, -1, -1, 0L);
	TRY("keyctl", SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0, 0, 0);
	TRY("add_key", SYS_add_key, "user", "x", "x", 1L, KEY_SPEC_PROCESS_KEYRING);
	TRY("request_key", SYS_request_key, "user", "x", NULL, 0);
	TRY("io_uring", SYS_io_uring_setup, 1, p->page);
	TRY("io_setup", SYS_io_setup, 1, p->page);
	TRY("userfaultfd", SYS_userfaultfd, 0);
	TRY("init_module", SYS_init_module, p->page, BLOCK, "");
	TRY("finit_module", SYS_finit_module, p->fd, "", 0);
	TRY("delete_module", SYS_delete_module, "x", 0);
	TRY("kexec_load", SYS_kexec_load, 0L, 0L, NULL, 0L);
	TRY("reboot", SYS_reboot, 0xfee1deadL, 672274793L, 0L, NULL);
	TRY("swapon", SYS_swapon, "/x", 0);
	TRY("quotactl", SYS_quotactl, 0, "/x", 0, NULL);
	TRY("syslog", SYS_syslog, 3, p->page, 1);
	TRY("acct", SYS_acct, NULL);
	TRY("sethostname", SYS_sethostname, "x", 1L);
	TRY("settimeofday", SYS_settimeofday, NULL, p->page);
	TRY("landlock", SYS_landlock_create_ruleset, NULL, 0L, 1);
	TRY("a call that is not there yet", 1000L);
#ifdef SYS_ioperm
	TRY("ioperm", SYS_ioperm, 0L, 1L, 1);
	TRY("iopl", SYS_iopl, 3);
	TRY("modify_ldt", SYS_modify_ldt, 0, p->page, 1L);
#endif
}

static void try_memory(const struct probe *p)
{
	const int code = PROT_READ | PROT_EXEC;
	const int anonymous = MAP_PRIVATE | MAP_ANONYMOUS;

	TRY("memory with code", SYS_mmap, NULL, BLOCK, code, anonymous, -1, 0L);
	TRY("memory with all rights", SYS_mmap, NULL, BLOCK, code | PROT_WRITE, anonymous, -1, 0L);
	TRY("memory with nothing but code", SYS_mmap, NULL, BLOCK, PROT_EXEC, anonymous, -1, 0L);
	TRY("code from the device", SYS_mmap, NULL, BLOCK, code, MAP_PRIVATE, p->fd, 0L);
	TRY("code of memory", SYS_mprotect, p->page, BLOCK, code);
	TRY("code of memory by a key", SYS_pkey_mprotect, p->page, BLOCK, code, -1);
	TRY("remap_file_pages", SYS_remap_file_pages, p->page, BLOCK, 0, 0, 0);
}

static void try_descriptors(const struct probe *p)
{
	int fds[2];

	TRY("a descriptor not in the list", SYS_write, p->forgotten, "", 0L);
	TRY("its flags", SYS_fcntl, p->forgotten, F_GETFL, 0L);
	TRY("dup", SYS_dup, p->fd);
	TRY("dup3", SYS_dup3, p->fd, 9, 0);
	TRY("F_DUPFD", SYS_fcntl, p->fd, F_DUPFD, 0L);
	TRY("F_SETOWN", SYS_fcntl, p->pipe[0], F_SETOWN, (long)p->parent);
	TRY("F_SETSIG", SYS_fcntl, p->pipe[0], F_SETSIG, (long)SIGKILL);
	TRY("F_SETPIPE_SZ", SYS_fcntl, p->pipe[0], F_SETPIPE_SZ, 1L << 20);
	TRY("F_NOTIFY", SYS_fcntl, p->fd, F_NOTIFY, 1L);
	TRY("pipe", SYS_pipe2, fds, 0);
	TRY("epoll", SYS_epoll_create1, 0);
	TRY("timerfd", SYS_timerfd_create, CLOCK_MONOTONIC, 0);
	TRY("signalfd", SYS_signalfd4, -1, p->page, 8L, 0);
	TRY("splice", SYS_splice, p->pipe[0], NULL, p->fd, NULL, 1L, 0);
	TRY("sendfile", SYS_sendfile, p->pipe[1], p->fd, NULL, 1L);
	TRY("copy_file_range", SYS_copy_file_range, p->fd, NULL, p->fd, NULL, 1L, 0);
	TRY("vmsplice", SYS_vmsplice, p->pipe[1], p->page, 0L, 0);
	TRY("tee", SYS_tee, p->pipe[0], p->pipe[1], 1L, 0);
	TRY("flock", SYS_flock, p->fd, 0);
}

static void try_requests(const struct probe *p)
{
	static const struct {
		const char *name;
		unsigned long request;
	} requests[] = {
		{ "an NVMe admin command", NVME_ADMIN_COMMAND },
		{ "a SCSI command", 0x2285 },
		{ "BLKDISCARD", BLKDISCARD },
		{ "BLKZEROOUT", BLKZEROOUT },
		{ "BLKROSET", BLKROSET },
		{ "BLKRRPART", BLKRRPART },
		{ "BLKFLSBUF", BLKFLSBUF },
		{ "LOOP_CLR_FD", 0x4C01 },
		{ "FICLONE", FICLONE },
		{ "FIONBIO", FIONBIO },
	};

	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
		TRY(requests[i].name, SYS_ioctl, p->fd, requests[i].request, p->page);
	/* also on what is no terminal: the filter must be what says no */
	TRY("TIOCSTI", SYS_ioctl, STDOUT_FILENO, TIOCSTI, "x");
	TRY("TIOCSCTTY", SYS_ioctl, STDOUT_FILENO, TIOCSCTTY, 0L);
	TRY("TIOCLINUX", SYS_ioctl, STDOUT_FILENO, TIOCLINUX, "\x03");
	TRY("TIOCSWINSZ", SYS_ioctl, STDOUT_FILENO, TIOCSWINSZ, p->page);
}

/* --- what must work ------------------------------------------------------------------------------------------------- */

static void *in_thread(void *self)
{
	struct probe *p = self;
	/* the C library takes an arena, a stack and more for it */
	char *memory = malloc((size_t)1 << 20);
	bool good = memory != NULL && write(p->pipe[1], "t", 1) == 1;

	free(memory);
	return good ? p : NULL;
}

static void work_in_threads(struct probe *p)
{
	pthread_t threads[4];
	size_t started = 0, ended = 0;
	char taken[4];

	while (started < 4 && pthread_create(&threads[started], NULL, in_thread, p) == 0)
		started++;
	for (size_t i = 0; i < started; i++) {
		void *result = NULL;
		if (pthread_join(threads[i], &result) == 0 && result == p)
			ended++;
	}
	check("threads", ended == 4);
	check("a pipe", read(p->pipe[0], taken, sizeof(taken)) == 4);
}

static void work_on_device(const struct probe *p)
{
	struct iovec part = { .iov_base = p->page, .iov_len = BLOCK };
	struct stat st;

	memset(p->page, 'x', BLOCK);
	check("O_DIRECT on", fcntl(p->fd, F_SETFL, fcntl(p->fd, F_GETFL) | O_DIRECT) == 0);
	check("pwrite past the cache", pwrite(p->fd, p->page, BLOCK, 1 << 20) == (ssize_t)BLOCK);
	check("pread past the cache", pread(p->fd, p->page, BLOCK, 1 << 20) == (ssize_t)BLOCK);
	check("O_DIRECT off", fcntl(p->fd, F_SETFL, fcntl(p->fd, F_GETFL) & ~O_DIRECT) == 0);
	check("pwritev", pwritev(p->fd, &part, 1, 2 << 20) == (ssize_t)BLOCK);
	check("preadv", preadv(p->fd, &part, 1, 2 << 20) == (ssize_t)BLOCK);
	check("lseek", lseek(p->fd, BLOCK, SEEK_SET) == (off_t)BLOCK);
	check("write", write(p->fd, p->page, 512) == 512);
	check("fsync", fsync(p->fd) == 0);
	check("fdatasync", fdatasync(p->fd) == 0);
	check("sync_file_range", sync_file_range(p->fd, 0, BLOCK, SYNC_FILE_RANGE_WRITE) == 0);
	check("posix_fadvise", posix_fadvise(p->fd, 0, 0, POSIX_FADV_DONTNEED) == 0);
	check("fstat", fstat(p->fd, &st) == 0);
}

static void on_signal(int number)
{
	(void)number;
}

static void work_otherwise(const struct probe *p)
{
	struct pollfd nothing = { .fd = p->pipe[0], .events = POLLIN };
	struct timespec now, moment = { .tv_nsec = 1000 };
	const struct sigaction action = { .sa_handler = on_signal };
	struct tm local;
	struct winsize window;
	uint64_t random = 0;
	char *memory = malloc((size_t)16 << 20);

	check("memory", memory != NULL);
	free(memory);
	check("memory that grows", (memory = realloc(malloc((size_t)1 << 20), (size_t)32 << 20)) != NULL);
	free(memory);
	check("poll", poll(&nothing, 1, 1) == 0);
	check("clock_gettime", syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now) == 0);
	check("nanosleep", nanosleep(&moment, NULL) == 0);
	check("the local time", localtime_r(&now.tv_sec, &local) != NULL);
	check("sigaction", sigaction(SIGUSR1, &action, NULL) == 0);
	check("a signal to itself", raise(SIGUSR1) == 0);
	check("getrandom", syscall(SYS_getrandom, &random, sizeof(random), 0) == sizeof(random));
	check("getpid", getpid() > 0 && syscall(SYS_gettid) > 0);
	check("who it is", syscall(SYS_getuid) >= 0 && syscall(SYS_getegid) >= 0);
	check("sched_yield", sched_yield() == 0);
	check("the processors", sysconf(_SC_NPROCESSORS_ONLN) > 0);
	check("its usage", getrusage(RUSAGE_SELF, &(struct rusage){ .ru_maxrss = 0 }) == 0);
	check("its own limits, read", getrlimit(RLIMIT_NOFILE, &(struct rlimit){ .rlim_cur = 0 }) == 0);
	check("is it a terminal", isatty(p->fd) == 0 && errno != ENOSYS && errno != EPERM);
	uint64_t size = 0;
	check("the device's size", ioctl(p->fd, BLKGETSIZE64, &size) == 0 ? size > 0 : errno == ENOTTY);
	check("how wide is it", ioctl(p->fd, TIOCGWINSZ, &window) == -1 && errno != ENOSYS && errno != EPERM);
}

/* The pipeline needs two, and there are few more. */
static void count_descriptors(void)
{
	int made = 0;

	while (made < 100 && eventfd(0, EFD_CLOEXEC) >= 0)
		made++;
	bool full = errno == EMFILE;
	check("event counters", made >= 2);
	check("no more than a few descriptors", made <= 8 && full);
}

/* --- in another way --------------------------------------------------------------------------------------------------- */

static int be_killed(const char *how)
{
#if defined(__x86_64__)
	long result = 20; /* i386's getpid */
	if (strcmp(how, "i386") == 0)
		__asm__ volatile("int $0x80" : "+a"(result) : : "memory");
	else
		result = syscall(0x40000000L | SYS_getpid);
	printf("OPEN %s %ld\n", how, result);
#else
	printf("no %s here\n", how);
#endif
	return 1;
}

static int enter(struct probe *p)
{
	const struct sandbox_rules rules = {
		.keep = { STDOUT_FILENO, STDERR_FILENO, p->fd, p->pipe[0], p->pipe[1] },
		.n_keep = 5,
		.file_room = SANDBOX_FILE_ROOM,
	};
	struct error err;
	const char *missing;

	if (sandbox_enter(&rules, &missing, &err) != 0) {
		fprintf(stderr, "sandbox_probe: %s\n", err.message);
		return 9;
	}
	printf("missing %s\n", missing == NULL ? "nothing" : missing);
	return 0;
}

int main(int argc, char *argv[])
{
	struct probe p = { .device = argc > 1 ? argv[1] : "", .parent = getppid() };

	setvbuf(stdout, NULL, _IOLBF, 1 << 16);
	p.fd = open(p.device, O_RDWR | O_EXCL | O_CLOEXEC);
	p.folder = open("/", O_RDONLY | O_DIRECTORY);
	p.page = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p.fd < 0 || pipe(p.pipe) != 0 || (p.forgotten = open("/dev/null", O_RDWR)) < 0 || p.page == MAP_FAILED) {
		perror("sandbox_probe DEVICE [i386|x32]");
		return 2;
	}
	int status = enter(&p);
	if (status != 0)
		return status;
	if (argc > 2)
		return be_killed(argv[2]);
	try_files(&p);
	try_network();
	try_processes(&p);
	try_identity();
	try_kernel(&p);
	try_memory(&p);
	try_descriptors(&p);
	try_requests(&p);
	work_in_threads(&p);
	work_on_device(&p);
	work_otherwise(&p);
	count_descriptors();
	puts("end");
	return fflush(stdout) == 0 ? 0 : 1;
}
