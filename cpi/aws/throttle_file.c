/* SPDX-License-Identifier: Apache-2.0 */
/* Locking, reading and writing. What the values mean is token_bucket.c's; a process that dies in the middle of a write leaves
 * a text without its last line, which is as good as none. */
#include "cpi/aws/throttle_file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/cleanup.h"
#include "common/io.h"
#include "common/parse.h"

#define FIRST_LINE "aws-cpi throttle 1\n"
#define LAST_LINE "end\n"
#define SUFFIX ".buckets"
#define LOCK_TRIES 500 /* a millisecond apart; nobody keeps it for one */
#define OLD_S (24 * 3600)
#define N_VALUES 11

/* --- reading and writing --- */

/* The bucket's values in the order in which they stand in a line. */
static void values_of(struct token_bucket *bucket, int64_t *ret_values[N_VALUES])
{
	int64_t *const values[N_VALUES] = { &bucket->born,   &bucket->at,    &bucket->issued, &bucket->given,
					    &bucket->rate,   &bucket->epoch, &bucket->sent,   &bucket->refused,
					    &bucket->streak, &bucket->first, &bucket->since };

	memcpy(ret_values, values, sizeof(values));
}

static bool is_name(const char *name)
{
	size_t len = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.");

	return len > 0 && len < THROTTLE_NAME_SIZE && name[len] == '\0';
}

/* "CreateVolume 1 2 3 …"; cuts the line up. */
static bool read_line(char *line, struct throttle_entry *entry)
{
	int64_t *values[N_VALUES];
	char *rest = line;
	char *word = strsep(&rest, " ");

	values_of(&entry->bucket, values);
	if (!is_name(word))
		return false;
	memcpy(entry->name, word, strlen(word) + 1);
	for (size_t i = 0; i < N_VALUES; i++) {
		word = strsep(&rest, " ");
		if (word == NULL || !parse_i64(word, values[i]))
			return false;
	}
	return rest == NULL && token_bucket_is_sane(&entry->bucket);
}

static bool read_text(char *text, struct throttle_table *table)
{
	size_t len = strlen(text);

	table->count = 0;
	if (strncmp(text, FIRST_LINE, strlen(FIRST_LINE)) != 0 || len < strlen(FIRST_LINE LAST_LINE) ||
	    strcmp(text + len - strlen("\n" LAST_LINE), "\n" LAST_LINE) != 0)
		return false;
	text[len - strlen(LAST_LINE)] = '\0';
	for (char *at = text + strlen(FIRST_LINE); *at != '\0';) {
		char *line = strsep(&at, "\n");
		if (table->count == THROTTLE_MAX_BUCKETS || !read_line(line, &table->entries[table->count]))
			return false;
		table->count++;
	}
	return true;
}

static void read_table(int fd, struct throttle_table *table)
{
	char text[THROTTLE_MAX_BYTES];
	ssize_t len = io_pread_full(fd, text, sizeof(text) - 1, 0, "", NULL);

	table->count = 0;
	if (len < 0)
		return;
	text[len] = '\0';
	if (!read_text(text, table))
		table->count = 0;
}

int throttle_file_write(int fd, const char *path, const struct throttle_table *table, struct error *err)
{
	CLEANUP_BUF struct buf text = BUF_INIT(THROTTLE_MAX_BYTES - 1);

	if (table->count == 0) {
		if (unlink(path) != 0 && errno != ENOENT)
			return error_errno(err, ERROR_IO, errno, "cannot remove %s", path);
		return 0;
	}
	buf_str(&text, FIRST_LINE);
	for (size_t i = 0; i < table->count; i++) {
		struct throttle_entry entry = table->entries[i];
		int64_t *values[N_VALUES];
		values_of(&entry.bucket, values);
		buf_str(&text, entry.name);
		for (size_t k = 0; k < N_VALUES; k++)
			buf_printf(&text, " %lld", (long long)*values[k]);
		buf_char(&text, '\n');
	}
	buf_str(&text, LAST_LINE);
	if (buf_check(&text, path, err) != 0)
		return -1;
	/* half of it is as good as none: the last line is missing, or is not the last one */
	if (io_pwrite_all(fd, text.data, text.len, 0, path, err) != 0)
		return -1;
	if (ftruncate(fd, (off_t)text.len) != 0)
		return error_errno(err, ERROR_IO, errno, "cannot cut %s", path);
	return 0;
}

/* --- opening --- */

/* Not waited for in the kernel: who holds it may have been stopped, and a lock on a network file system may never come. */
static bool lock(int fd)
{
	for (int i = 0; i < LOCK_TRIES; i++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return true;
		if (errno != EWOULDBLOCK && errno != EINTR)
			return false;
		(void)poll(NULL, 0, 1);
	}
	return false;
}

static int check_file(int fd, const char *path, struct stat *ret_st, struct error *err)
{
	if (fstat(fd, ret_st) != 0)
		return error_errno(err, ERROR_IO, errno, "cannot look at %s", path);
	if (!S_ISREG(ret_st->st_mode) || ret_st->st_uid != geteuid() || (ret_st->st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return error_set(err, ERROR_IO, "%s is not a file that this user alone can write to", path);
	return 0;
}

int throttle_file_open(const char *path, bool create, enum throttle_opened *ret_opened, int *ret_fd,
		       struct throttle_table *ret_table, struct error *err)
{
	const int flags = O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | (create ? O_CREAT : 0);
	struct stat st;

	/* again where another one has removed it between our opening and our locking it */
	for (int attempt = 0; attempt < 10; attempt++) {
		CLEANUP_FD int fd = open(path, flags, 0600);
		if (fd < 0 && errno == ENOENT && !create) {
			*ret_opened = THROTTLE_FILE_NONE;
			return 0;
		}
		if (fd < 0)
			return error_errno(err, ERROR_IO, errno, "cannot open %s", path);
		if (check_file(fd, path, &st, err) != 0)
			return -1;
		if (!lock(fd))
			break;
		if (fstat(fd, &st) != 0 || st.st_nlink == 0)
			continue;
		read_table(fd, ret_table);
		*ret_opened = THROTTLE_FILE_OPEN;
		*ret_fd = steal_fd(&fd);
		return 0;
	}
	*ret_opened = THROTTLE_FILE_BUSY;
	return 0;
}

/* --- sweeping --- */

static bool is_ours(const char *name)
{
	size_t len = strlen(name);

	return len > strlen(SUFFIX) && strcmp(name + len - strlen(SUFFIX), SUFFIX) == 0;
}

void throttle_file_sweep(const char *folder, int64_t now_s)
{
	CLEANUP_DIR DIR *dir = opendir(folder);
	struct stat st;

	for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
		if (is_ours(entry->d_name) && fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISREG(st.st_mode) && now_s - st.st_mtime > OLD_S)
			(void)unlinkat(dirfd(dir), entry->d_name, 0);
	}
}
