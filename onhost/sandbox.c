/* SPDX-License-Identifier: Apache-2.0 */
/* From the outside in: what takes privileges is done while there are any, then they go, then it is checked that they are
 * gone, and the filter comes last because it refuses all of this. */
#include "onhost/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <iconv.h>
#include <langinfo.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/digest.h"
#include "onhost/filter.h"

#define UNPRIVILEGED "nobody"
#define ICONV_NONE ((iconv_t)-1) /* NOLINT(performance-no-int-to-ptr): as iconv.h says */
/* Mappings, not memory in use, of which an image takes some 25 MiB: the C library sets 64 MiB aside for each thread. */
#define MEMORY_MAX ((rlim_t)2 * 1024 * 1024 * 1024)
/* An xz image of 1 TiB takes some six hours. */
#define CPU_SECONDS_MAX ((rlim_t)24 * 3600)
#define MORE_DESCRIPTORS 4 /* the pipeline's event counters, with some room */
#define CAPABILITIES_MAX 64

/* Sanitizers reserve terabytes and valgrind puts its own memory in, so there is no limit with them. -D is valgrind's. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define INSTRUMENTED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(SANDBOX_FOR_VALGRIND)
#define INSTRUMENTED 1
#endif
#if !defined(INSTRUMENTED)
#define INSTRUMENTED 0
#endif
/* It keeps a limit of descriptors itself, which it does not let anybody change. */
#if defined(SANDBOX_FOR_VALGRIND)
#define FOR_VALGRIND 1
#else
#define FOR_VALGRIND 0
#endif

#if defined(SANDBOX_FOR_COVERAGE)
void __gcov_dump(void); /* NOLINT(bugprone-reserved-identifier): libgcov's */
#endif

static int refuse(int errnum, const char *what, struct error *err)
{
	return error_errno(err, ERROR_SANDBOX, errnum, "%s; the image is not read", what);
}

/* --- what is left open, and how much of everything -------------------------------------------------------------------- */

/* What libraries open when they are first used: OpenSSL its configuration; the C library the time zone, and its list of
 * character sets for libarchive, which turns a tar's UTF-8 names into this one's. */
static int open_what_comes_late(struct error *err)
{
	struct digest *digest;

	tzset();
	iconv_t names = iconv_open(nl_langinfo(CODESET), "UTF-8");
	if (names != ICONV_NONE)
		iconv_close(names);
	if (digest_new(&digest, err) != 0)
		return -1;
	digest_free(digest);
	return 0;
}

static int highest_kept(const struct sandbox_rules *rules)
{
	int highest = -1;

	for (size_t i = 0; i < rules->n_keep; i++)
		highest = rules->keep[i] > highest ? rules->keep[i] : highest;
	return highest;
}

static void close_others(const struct sandbox_rules *rules)
{
	int highest = highest_kept(rules);

	for (int fd = 0; fd < highest; fd++) {
		bool kept = false;
		for (size_t i = 0; i < rules->n_keep; i++)
			kept = kept || rules->keep[i] == fd;
		if (!kept)
			close(fd);
	}
	closefrom(highest + 1);
}

static rlim_t largest_file(const struct sandbox_rules *rules)
{
	off_t largest = 0;
	struct stat st;

	for (size_t i = 0; i < rules->n_keep; i++) {
		if (rules->keep[i] >= 0 && fstat(rules->keep[i], &st) == 0 && S_ISREG(st.st_mode) && st.st_size > largest)
			largest = st.st_size;
	}
	return (rlim_t)largest;
}

/* A limit that is lower already stays as it is. */
static int limit(__rlimit_resource_t resource, rlim_t most, struct error *err)
{
	struct rlimit now;

	if (getrlimit(resource, &now) != 0)
		return refuse(errno, "a resource limit cannot be read", err);
	if (now.rlim_max != RLIM_INFINITY && now.rlim_max < most)
		most = now.rlim_max;
	const struct rlimit wanted = { .rlim_cur = most, .rlim_max = most };
	return setrlimit(resource, &wanted) == 0 ? 0 : refuse(errno, "a resource limit cannot be set", err);
}

static int set_limits(const struct sandbox_rules *rules, struct error *err)
{
	if (limit(RLIMIT_CORE, 0, err) != 0 || limit(RLIMIT_CPU, CPU_SECONDS_MAX, err) != 0)
		return -1;
	if (!FOR_VALGRIND && limit(RLIMIT_NOFILE, (rlim_t)highest_kept(rules) + 1 + MORE_DESCRIPTORS, err) != 0)
		return -1;
	if (!INSTRUMENTED && limit(RLIMIT_AS, MEMORY_MAX, err) != 0)
		return -1;
	if (rules->file_room == 0)
		return 0;
	/* a log that cannot grow any more is an error of writing to it, and no signal */
	if (signal(SIGXFSZ, SIG_IGN) == SIG_ERR)
		return refuse(errno, "SIGXFSZ cannot be ignored", err);
	return limit(RLIMIT_FSIZE, largest_file(rules) + rules->file_room, err);
}

/* --- what only root can do -------------------------------------------------------------------------------------------- */

static int find_unprivileged(uid_t *ret_uid, gid_t *ret_gid, struct error *err)
{
	errno = 0;
	const struct passwd *user = getpwnam(UNPRIVILEGED);

	if (user == NULL)
		return error_set(err, ERROR_SANDBOX,
				 "there is no user " UNPRIVILEGED " here, as whom the image would be read (see "
				 "/etc/passwd)%s%s",
				 errno != 0 ? ": " : "", errno != 0 ? strerror(errno) : "");
	if (user->pw_uid == 0 || user->pw_gid == 0)
		return error_set(err, ERROR_SANDBOX,
				 "the user " UNPRIVILEGED " is root here, or in root's group (see /etc/passwd): the image "
				 "is not read as root");
	*ret_uid = user->pw_uid;
	*ret_gid = user->pw_gid;
	return 0;
}

/* Into the folder of a process that has ended, as the root directory: nothing is in it, nobody can put anything there, and
 * nothing is left behind. It can be entered until the process is waited for. */
static bool enter_empty_root(void)
{
	char path[64];
	int status;

	pid_t child = fork();
	if (child == 0)
		_exit(0);
	if (child < 0)
		return false;
	snprintf(path, sizeof(path), "/proc/%ld/fdinfo", (long)child);
	bool entered = chdir(path) == 0 && chroot(".") == 0;
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	return entered;
}

static const char *leave_the_machine(void)
{
	bool root = enter_empty_root();
	/* no mount namespace: it would keep alive what others unmount meanwhile */
	bool namespaces = unshare(CLONE_NEWNET | CLONE_NEWIPC) == 0;

	if (!root && !namespaces)
		return "neither namespaces of its own nor an empty root directory";
	if (!namespaces)
		return "no namespaces of its own";
	return root ? NULL : "no empty root directory";
}

static int become(uid_t uid, gid_t gid, struct error *err)
{
	if (setgroups(0, NULL) != 0 || setresgid(gid, gid, gid) != 0 || setresuid(uid, uid, uid) != 0)
		return refuse(errno,
			      "onhost cannot become the user " UNPRIVILEGED " (in a container it needs CAP_SETUID and "
			      "CAP_SETGID, or is started as an ordinary user)",
			      err);
	uid_t real, effective, saved;
	if (getresuid(&real, &effective, &saved) != 0 || real != uid || effective != uid || saved != uid ||
	    getgroups(0, NULL) != 0 || setresuid(0, 0, 0) == 0 || seteuid(0) == 0 || setresgid(0, 0, 0) == 0)
		return refuse(EPERM, "onhost is still root, though it was told to be " UNPRIVILEGED, err);
	return 0;
}

/* --- capabilities ----------------------------------------------------------------------------------------------------- */

/* Without CAP_SETPCAP this is refused, and the set means nothing: nothing can be executed. */
static void empty_bounding_set(void)
{
	for (unsigned long capability = 0; capability < CAPABILITIES_MAX; capability++)
		prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
}

static int drop_capabilities(struct error *err)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = { { 0, 0, 0 } };

	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (syscall(SYS_capset, &header, sets) != 0 || syscall(SYS_capget, &header, sets) != 0)
		return refuse(errno, "capabilities cannot be dropped", err);
	for (size_t i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		if ((sets[i].effective | sets[i].permitted | sets[i].inheritable) != 0)
			return refuse(EPERM, "capabilities were dropped and are still there", err);
	}
	for (unsigned long capability = 0; capability < CAPABILITIES_MAX; capability++) {
		if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, capability, 0, 0) == 1)
			return refuse(EPERM, "ambient capabilities are still there", err);
	}
	return 0;
}

/* --- in order --------------------------------------------------------------------------------------------------------- */

/* A change of user forgets this, so it comes behind. The parent may have died before. */
static int die_with(pid_t parent, struct error *err)
{
	if (parent == 0)
		return 0;
	if (prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0) != 0)
		return refuse(errno, "the parent's end cannot be watched", err);
	return getppid() == parent ? 0 : error_set(err, ERROR_CANCELLED, "the parent has ended");
}

static int give_up_root(const char **ret_missing, struct error *err)
{
	uid_t uid;
	gid_t gid;

	if (find_unprivileged(&uid, &gid, err) != 0)
		return -1;
	*ret_missing = leave_the_machine();
	empty_bounding_set();
	return become(uid, gid, err);
}

int sandbox_enter(const struct sandbox_rules *rules, const char **ret_missing, struct error *err)
{
	const char *missing = NULL;

	if (open_what_comes_late(err) != 0)
		return -1;
#if defined(SANDBOX_FOR_COVERAGE)
	__gcov_dump(); /* at the end it could write no files; what comes in between is not counted */
#endif
	if ((geteuid() == 0 || getuid() == 0) && give_up_root(&missing, err) != 0)
		return -1;
	close_others(rules);
	if (set_limits(rules, err) != 0 || drop_capabilities(err) != 0)
		return -1;
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		return refuse(errno, "other programs cannot be kept from tracing this one", err);
	if (die_with(rules->parent, err) != 0)
		return -1;
	if (!FOR_VALGRIND && filter_enter(err) != 0)
		return -1;
	*ret_missing = missing;
	return 0;
}
