/* SPDX-License-Identifier: Apache-2.0 */
/* A file system with one file, "disk", over a backing file, that makes trouble where it is told to; for a loop device
 * over it. Lines written to its other file, "control", are the orders, and take effect at once:
 *
 *     write ERROR FROM TO [SKIP [COUNT]]   requests that touch bytes FROM up to TO (- is the end) fail
 *     read ERROR FROM TO [SKIP [COUNT]]
 *     fsync ERROR [SKIP [COUNT]]           SKIP of them pass first, then COUNT fail (without it, all)
 *     delay MS                             each read, write and fsync takes so much longer
 *     hold                                 requests that a rule is for wait, once they are noted, for "go" or "clear"
 *     go
 *     short BYTES                          no write takes more than that
 *     no-direct                            requests of descriptors with O_DIRECT are refused with EINVAL
 *     clear                                none of all these any more
 *
 * ERROR is a name such as EIO, or "none": the request passes, and is noted.
 * Reading "control" gives a line for each request that a rule was for, at once and not only after its delay:
 * "write 1048576 4096 5" (offset, length, errno), and
 * "refused direct" for no-direct. Of a request that fails nothing reaches the backing file.
 *
 * usage: fault_fs BACKING FOLDER [-f and other options of FUSE] */
#define FUSE_USE_VERSION 31

#include <errno.h>
#include <fcntl.h>
#include <fuse.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define RULES_MAX 16
#define REPORT_MAX 65536

enum operation { READ, WRITE, FSYNC };

static const char *const operations[] = { [READ] = "read", [WRITE] = "write", [FSYNC] = "fsync" };

struct rule {
	enum operation operation;
	int error;
	int64_t from, to;
	long skip, count;
};

struct faults {
	int fd;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t released;
	bool hold;
	struct rule rules[RULES_MAX];
	size_t n_rules;
	long delay_ms;
	size_t largest; /* 0: any */
	bool no_direct;
	char report[REPORT_MAX];
	size_t report_len;
};

static struct faults *faults_of_mount(void)
{
	return fuse_get_context()->private_data;
}

/* --- what goes wrong ---------------------------------------------------------------------------------------------- */

static void note(struct faults *faults, const char *line)
{
	size_t len = strlen(line);

	if (faults->report_len + len <= sizeof(faults->report)) {
		memcpy(faults->report + faults->report_len, line, len);
		faults->report_len += len;
	}
}

static int judge(struct faults *faults, enum operation operation, int64_t offset, size_t len)
{
	for (size_t i = 0; i < faults->n_rules; i++) {
		struct rule *rule = &faults->rules[i];
		if (rule->operation != operation || rule->count == 0 ||
		    (operation != FSYNC && (offset >= rule->to || offset + (int64_t)len <= rule->from)))
			continue;
		if (rule->skip > 0) {
			rule->skip--;
			continue;
		}
		if (rule->count > 0)
			rule->count--;
		char line[128];
		snprintf(line, sizeof(line), "%s %lld %zu %d\n", operations[operation], (long long)offset, len,
			 rule->error);
		note(faults, line);
		const int error = rule->error;
		while (faults->hold)
			pthread_cond_wait(&faults->released, &faults->lock);
		return error;
	}
	return 0;
}

/* The errno for this request, 0 when it may pass, after its delay. */
static int trouble(enum operation operation, const struct fuse_file_info *file, int64_t offset, size_t len)
{
	struct faults *faults = faults_of_mount();

	pthread_mutex_lock(&faults->lock);
	int error = judge(faults, operation, offset, len);
	const long ms = faults->delay_ms;
	if (error == 0 && faults->no_direct && (file->flags & O_DIRECT) != 0) {
		note(faults, "refused direct\n");
		error = EINVAL;
	}
	pthread_mutex_unlock(&faults->lock);
	const struct timespec delay = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };
	nanosleep(&delay, NULL);
	return error;
}

/* --- orders ------------------------------------------------------------------------------------------------------- */

static int error_named(const char *name)
{
	static const struct {
		const char *name;
		int error;
	} errors[] = { { "none", 0 },	    { "EIO", EIO },	{ "ENOSPC", ENOSPC },
		       { "ENODEV", ENODEV }, { "ENXIO", ENXIO }, { "EINVAL", EINVAL } };

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		if (strcmp(errors[i].name, name) == 0)
			return errors[i].error;
	}
	return -1;
}

static bool add_rule(struct faults *faults, enum operation operation, const char *order)
{
	struct rule rule = { .operation = operation, .to = INT64_MAX, .count = -1 };
	char name[16] = "", to[24] = "";
	long long from = 0;

	if (operation == FSYNC)
		sscanf(order, "%*s %15s %ld %ld", name, &rule.skip, &rule.count);
	else if (sscanf(order, "%*s %15s %lld %23s %ld %ld", name, &from, to, &rule.skip, &rule.count) < 3)
		return false;
	rule.error = error_named(name);
	rule.from = from;
	if (operation != FSYNC && strcmp(to, "-") != 0)
		rule.to = strtoll(to, NULL, 10);
	if (rule.error < 0 || faults->n_rules == RULES_MAX)
		return false;
	faults->rules[faults->n_rules++] = rule;
	return true;
}

static void go(struct faults *faults)
{
	faults->hold = false;
	pthread_cond_broadcast(&faults->released);
}

static void clear(struct faults *faults)
{
	go(faults);
	faults->n_rules = 0;
	faults->delay_ms = 0;
	faults->largest = 0;
	faults->no_direct = false;
	faults->report_len = 0;
}

static bool obey(struct faults *faults, const char *order)
{
	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
		size_t len = strlen(operations[i]);
		if (strncmp(order, operations[i], len) == 0 && order[len] == ' ')
			return add_rule(faults, (enum operation)i, order);
	}
	if (sscanf(order, "delay %ld", &faults->delay_ms) == 1 || sscanf(order, "short %zu", &faults->largest) == 1)
		return true;
	if (strcmp(order, "no-direct") == 0)
		faults->no_direct = true;
	else if (strcmp(order, "hold") == 0)
		faults->hold = true;
	else if (strcmp(order, "go") == 0)
		go(faults);
	else if (strcmp(order, "clear") == 0)
		clear(faults);
	else
		return false;
	return true;
}

static int control_write(const char *data, size_t len)
{
	struct faults *faults = faults_of_mount();
	char *text = strndup(data, len);
	char *rest = text;
	bool good = text != NULL;

	pthread_mutex_lock(&faults->lock);
	for (char *line = strsep(&rest, "\n"); good && line != NULL; line = strsep(&rest, "\n"))
		good = *line == '\0' || obey(faults, line);
	pthread_mutex_unlock(&faults->lock);
	free(text);
	return good ? (int)len : -EINVAL;
}

static int control_read(char *data, size_t len, size_t offset)
{
	struct faults *faults = faults_of_mount();
	size_t got = 0;

	pthread_mutex_lock(&faults->lock);
	if (offset < faults->report_len) {
		got = faults->report_len - offset < len ? faults->report_len - offset : len;
		memcpy(data, faults->report + offset, got);
	}
	pthread_mutex_unlock(&faults->lock);
	return (int)got;
}

/* --- the file system ---------------------------------------------------------------------------------------------- */

static bool is_disk(const char *path)
{
	return strcmp(path, "/disk") == 0;
}

static int fs_getattr(const char *path, struct stat *st, struct fuse_file_info *file)
{
	struct stat disk;

	(void)file;
	memset(st, 0, sizeof(*st));
	if (strcmp(path, "/") == 0) {
		st->st_mode = S_IFDIR | 0700;
		st->st_nlink = 2;
		return 0;
	}
	if (!is_disk(path) && strcmp(path, "/control") != 0)
		return -ENOENT;
	st->st_mode = S_IFREG | 0600;
	st->st_nlink = 1;
	if (is_disk(path)) {
		if (fstat(faults_of_mount()->fd, &disk) != 0)
			return -errno;
		st->st_size = disk.st_size;
	}
	return 0;
}

static int fs_readdir(const char *path, void *buffer, fuse_fill_dir_t fill, off_t offset, struct fuse_file_info *file,
		      enum fuse_readdir_flags flags)
{
	(void)path;
	(void)offset;
	(void)file;
	(void)flags;
	fill(buffer, "disk", NULL, 0, 0);
	fill(buffer, "control", NULL, 0, 0);
	return 0;
}

static int fs_open(const char *path, struct fuse_file_info *file)
{
	(void)path;
	/* each request comes here as it was made, and nothing is remembered by the kernel */
	file->direct_io = 1;
	return 0;
}

static int fs_read(const char *path, char *data, size_t len, off_t offset, struct fuse_file_info *file)
{
	if (!is_disk(path))
		return control_read(data, len, (size_t)offset);
	int error = trouble(READ, file, offset, len);
	if (error != 0)
		return -error;
	ssize_t got = pread(faults_of_mount()->fd, data, len, offset);
	return got < 0 ? -errno : (int)got;
}

static int fs_write(const char *path, const char *data, size_t len, off_t offset, struct fuse_file_info *file)
{
	if (!is_disk(path))
		return control_write(data, len);
	size_t largest = faults_of_mount()->largest;
	if (largest > 0 && len > largest)
		len = largest;
	int error = trouble(WRITE, file, offset, len);
	if (error != 0)
		return -error;
	ssize_t put = pwrite(faults_of_mount()->fd, data, len, offset);
	return put < 0 ? -errno : (int)put;
}

static int fs_truncate(const char *path, off_t size, struct fuse_file_info *file)
{
	(void)file;
	/* whoever opens the control file may want to empty it first */
	return is_disk(path) && ftruncate(faults_of_mount()->fd, size) != 0 ? -errno : 0;
}

static int fs_fsync(const char *path, int data_only, struct fuse_file_info *file)
{
	(void)data_only;
	return is_disk(path) ? -trouble(FSYNC, file, 0, 0) : 0;
}

static void *fs_init(struct fuse_conn_info *connection, struct fuse_config *config)
{
	connection->want &= ~(unsigned)FUSE_CAP_WRITEBACK_CACHE;
	config->attr_timeout = 0;
	return faults_of_mount();
}

static const struct fuse_operations file_system = {
	.init = fs_init,
	.getattr = fs_getattr,
	.readdir = fs_readdir,
	.open = fs_open,
	.read = fs_read,
	.write = fs_write,
	.truncate = fs_truncate,
	.fsync = fs_fsync,
};

int main(int argc, char *argv[])
{
	static struct faults faults = { .lock = PTHREAD_MUTEX_INITIALIZER, .released = PTHREAD_COND_INITIALIZER };

	if (argc < 3) {
		fputs("usage: fault_fs BACKING FOLDER [OPTION…]\n", stderr);
		return 2;
	}
	faults.fd = open(argv[1], O_RDWR | O_CLOEXEC);
	if (faults.fd < 0) {
		perror(argv[1]);
		return 1;
	}
	argv[1] = argv[0];
	return fuse_main(argc - 1, argv + 1, &file_system, &faults);
}
