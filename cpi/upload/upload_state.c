/* SPDX-License-Identifier: Apache-2.0 */
/* The file: where it lies, whose it is, how a line gets into it. Its text, there and back, is upload_record.c's. */
#include "cpi/upload/upload_state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "common/state_dir.h"
#include "cpi/upload/upload_record.h"

#define FOLDER "uploads"
#define SUFFIX ".upload"
#define NAME_LEN (SHA256_HEX_SIZE - 1 + sizeof(SUFFIX) - 1)
/* Who clears away holds a file's lock for a moment; who uploads holds it for minutes. */
#define LOCK_LOOKS 10
#define LOCK_PAUSE_MS 30
#define OPEN_TRIES 5
/* What has no header that says otherwise: the longest time that AWS gives. */
#define LONGEST_TIMEOUT_MINUTES 4320

struct upload_state {
	const struct clock *clock;
	struct arena *arena;
	const char *directory;
	const char *path;
	char *header_target;         /* JSON */
	int fd;
	struct upload_record record; /* what was found when it was opened */
	const char *snapshot_id;     /* NULL: nothing to go on from */
	bool encrypted;
	pthread_mutex_t lock; /* over what follows */
	uint64_t end;         /* of the lines that count */
	bool to_be_cut;       /* something that does not count stands behind them */
	bool closed;          /* nothing more is recorded */
};

/* --- the lock --- */

/* 1: ours, 0: another's, -1: it cannot be locked. */
static int try_lock(int fd)
{
	int result;

	do {
		result = flock(fd, LOCK_EX | LOCK_NB);
	} while (result != 0 && errno == EINTR);
	if (result == 0)
		return 1;
	return errno == EWOULDBLOCK ? 0 : -1;
}

/* Beside the lock that counts, one that the system can name the holder of. */
static void leave_name(int fd)
{
	struct flock named = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	(void)fcntl(fd, F_SETLK, &named);
}

static int in_use(const struct upload_state *state, int fd, struct error *err)
{
	struct flock named = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char who[64] = "another process";

	if (fcntl(fd, F_GETLK, &named) == 0 && named.l_type != F_UNLCK && named.l_pid > 0)
		snprintf(who, sizeof(who), "process %ld", (long)named.l_pid);
	error_set(err, ERROR_IO,
		  "%s is uploading the same image to the same place already, and has %s locked: wait until it is done, or end it "
		  "and try again",
		  who, state->path);
	if (err != NULL)
		err->retryable = true;
	return -1;
}

static int take_lock(const struct upload_state *state, int fd, struct error *err)
{
	for (int look = 0; look < LOCK_LOOKS; look++) {
		int got = try_lock(fd);
		if (got > 0)
			return 0;
		if (got < 0)
			return error_errno(err, ERROR_IO, errno, "cannot lock %s", state->path);
		if (state->clock->sleep_ms(state->clock->self, LOCK_PAUSE_MS, NULL, err) != 0)
			return -1;
	}
	return in_use(state, fd, err);
}

/* --- the file --- */

static int open_file(struct upload_state *state, struct error *err)
{
	for (int attempt = 0; attempt < OPEN_TRIES; attempt++) {
		struct stat st;
		CLEANUP_FD int fd =
			open(state->path, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
		if (fd < 0 || fstat(fd, &st) != 0)
			return error_errno(err, ERROR_IO, errno, "cannot open %s, which says what is uploaded already", state->path);
		if (!S_ISREG(st.st_mode) || st.st_uid != geteuid())
			return error_set(err, ERROR_IO, "%s is not a file of this user; delete it", state->path);
		if (take_lock(state, fd, err) != 0)
			return -1;
		if (fstat(fd, &st) != 0)
			return error_errno(err, ERROR_IO, errno, "cannot look at %s", state->path);
		/* deleted by whoever had the lock before */
		if (st.st_nlink == 0)
			continue;
		leave_name(fd);
		state->fd = steal_fd(&fd);
		return 0;
	}
	return error_set(err, ERROR_IO, "%s was deleted by others time and again", state->path);
}

static bool is_over(const struct clock *clock, const struct stat *st, unsigned timeout_minutes)
{
	int64_t now = clock->wall_us(clock->self) / 1000000;
	return (int64_t)st->st_mtime + (int64_t)timeout_minutes * 60 <= now;
}

static int read_back(struct upload_state *state, struct error *err)
{
	struct stat st;

	if (fstat(state->fd, &st) != 0)
		return error_errno(err, ERROR_IO, errno, "cannot look at %s", state->path);
	if (upload_record_read(state->fd, state->path, UPLOAD_STATE_MAX_BYTES, &state->record, err) != 0)
		return -1;
	if (!state->record.has_header || is_over(state->clock, &st, state->record.timeout_minutes)) {
		upload_record_free(&state->record);
		/* recorded again only after upload_state_begin */
		state->closed = true;
		return 0;
	}
	state->snapshot_id = state->record.snapshot_id;
	state->encrypted = state->record.encrypted;
	state->end = state->record.good_bytes;
	state->to_be_cut = (uint64_t)st.st_size != state->record.good_bytes;
	return 0;
}

/* --- those of other uploads --- */

static bool is_ours_by_name(const char *name)
{
	size_t digits = strspn(name, "0123456789abcdef");
	return strlen(name) == NAME_LEN && digits == SHA256_HEX_SIZE - 1 && strcmp(name + digits, SUFFIX) == 0;
}

/* Under its lock, so that nobody is at it, and whoever opened it meanwhile sees that it is gone. */
static void remove_if_over(const struct upload_state *state, int folder, const char *name)
{
	struct upload_record record = { 0 };
	struct stat st;
	CLEANUP_FD int fd = openat(folder, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid() || try_lock(fd) <= 0 ||
	    fstat(fd, &st) != 0 || st.st_nlink == 0)
		return;
	if (upload_record_read_header(fd, name, &record, NULL) != 0)
		return;
	if (is_over(state->clock, &st, record.has_header ? record.timeout_minutes : LONGEST_TIMEOUT_MINUTES))
		(void)unlinkat(folder, name, 0);
	upload_record_free(&record);
}

/* A failure leaves a file behind, and no more. */
static void clear_away(const struct upload_state *state)
{
	CLEANUP_DIR DIR *dir = opendir(state->directory);
	const char *own = strrchr(state->path, '/') + 1;

	for (const struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
		if (is_ours_by_name(entry->d_name) && strcmp(entry->d_name, own) != 0)
			remove_if_over(state, dirfd(dir), entry->d_name);
	}
}

/* --- opening, closing --- */

static int prepare(struct upload_state *state, const struct upload_target *target, struct error *err)
{
	char name[SHA256_HEX_SIZE];

	state->arena = arena_new(65536);
	if (state->arena == NULL)
		return error_nomem(err);
	if (state_dir_make(state->arena, FOLDER, &state->directory, err) != 0 ||
	    upload_record_name(target, name, err) != 0 ||
	    upload_record_describe(target, &state->header_target, err) != 0)
		return -1;
	state->path = arena_printf(state->arena, "%s/%s" SUFFIX, state->directory, name);
	return state->path == NULL ? error_nomem(err) : 0;
}

int upload_state_open(const struct clock *clock, const struct upload_target *target, struct upload_state **ret_state,
		      struct error *err)
{
	struct upload_state *state = calloc(1, sizeof(*state));

	if (state == NULL)
		return error_nomem(err);
	state->clock = clock;
	state->fd = -1;
	if (pthread_mutex_init(&state->lock, NULL) != 0) {
		free(state);
		return error_nomem(err);
	}
	if (prepare(state, target, err) != 0 || open_file(state, err) != 0 || read_back(state, err) != 0) {
		upload_state_close(state);
		return -1;
	}
	clear_away(state);
	*ret_state = state;
	return 0;
}

void upload_state_close(struct upload_state *state)
{
	if (state == NULL)
		return;
	if (state->fd >= 0)
		close(state->fd);
	upload_record_free(&state->record);
	free(state->header_target);
	arena_free(state->arena);
	pthread_mutex_destroy(&state->lock);
	free(state);
}

void upload_state_remove(struct upload_state *state)
{
	if (state == NULL)
		return;
	/* before the lock goes: whoever waits for it must not go on from this */
	(void)unlink(state->path);
	upload_state_close(state);
}

/* --- what is recorded --- */

const char *upload_state_snapshot(const struct upload_state *state)
{
	return state->snapshot_id;
}

bool upload_state_encrypted(const struct upload_state *state)
{
	return state->encrypted;
}

bool upload_state_knows(const struct upload_state *state, uint32_t index)
{
	return upload_record_find(&state->record, index) != NULL;
}

bool upload_state_has(const struct upload_state *state, uint32_t index, const uint8_t sha256[SHA256_LEN])
{
	const uint8_t *known = upload_record_find(&state->record, index);
	return known != NULL && memcmp(known, sha256, SHA256_LEN) == 0;
}

uint32_t upload_state_count(const struct upload_state *state)
{
	return (uint32_t)state->record.n_blocks;
}

/* A file's name survives a power cut only when its folder is flushed too. */
static int flush(const struct upload_state *state, struct error *err)
{
	CLEANUP_FD int folder = open(state->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fsync(state->fd) != 0 || folder < 0 || fsync(folder) != 0)
		return error_errno(err, ERROR_IO, errno, "cannot flush %s", state->path);
	return 0;
}

int upload_state_begin(struct upload_state *state, const char *snapshot_id, bool encrypted, unsigned timeout_minutes,
		       struct error *err)
{
	CLEANUP_BUF struct buf line = BUF_INIT(UPLOAD_RECORD_HEADER_MAX);
	const struct upload_record_header header = {
		.snapshot_id = snapshot_id,
		.encrypted = encrypted,
		.timeout_minutes = timeout_minutes,
		.started = state->clock->wall_us(state->clock->self) / 1000000,
		.target = state->header_target,
	};

	state->closed = true;
	state->snapshot_id = NULL;
	upload_record_free(&state->record);
	const char *kept = arena_strdup(state->arena, snapshot_id);
	if (kept == NULL)
		return error_nomem(err);
	if (upload_record_header_line(&header, &line, err) != 0)
		return -1;
	if (ftruncate(state->fd, 0) != 0)
		return error_errno(err, ERROR_IO, errno, "cannot empty %s", state->path);
	if (io_write_all(state->fd, line.data, line.len, state->path, err) != 0 || flush(state, err) != 0)
		return -1;
	state->snapshot_id = kept;
	state->encrypted = encrypted;
	state->end = line.len;
	state->to_be_cut = false;
	state->closed = false;
	return 0;
}

static int append(struct upload_state *state, const char *line, size_t len, struct error *err)
{
	if (state->closed)
		return 0;
	state->closed = true;
	if (state->end + len > UPLOAD_STATE_MAX_BYTES)
		return 0;
	if (state->to_be_cut && ftruncate(state->fd, (off_t)state->end) != 0)
		return error_errno(err, ERROR_IO, errno, "cannot cut %s", state->path);
	if (io_write_all(state->fd, line, len, state->path, err) != 0)
		return -1;
	state->to_be_cut = false;
	state->end += len;
	state->closed = false;
	return 0;
}

int upload_state_add(struct upload_state *state, uint32_t index, const uint8_t sha256[SHA256_LEN], struct error *err)
{
	char line[UPLOAD_RECORD_LINE_SIZE];
	size_t len = upload_record_line(index, sha256, line);

	pthread_mutex_lock(&state->lock);
	int result = append(state, line, len, err);
	pthread_mutex_unlock(&state->lock);
	return result;
}
