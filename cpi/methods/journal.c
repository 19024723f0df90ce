/* SPDX-License-Identifier: Apache-2.0 */
/* The journal's files: where they lie, how a line gets onto the disk, and how lines are read again. What is looked up or
 * deleted because of them is decided in undo.c and sweep.c. */
#include "cpi/methods/journal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/cleanup.h"
#include "common/digest.h"
#include "common/io.h"
#include "common/json_read.h"
#include "common/json_write.h"
#include "common/state_dir.h"

#define JOURNAL_VERSION 1
#define FOLDER "journal"
#define SUFFIX ".jsonl"
#define LINE_MAX_BYTES ((size_t)8192)

struct journal {
	int fd;
	bool broken; /* a line could not be written whole: nothing may follow it */
	char *path;
};

/* --- the directory --- */

int journal_directory(struct arena *arena, const char **ret_path, struct error *err)
{
	return state_dir_find(arena, FOLDER, ret_path, err);
}

/* A file's name survives a crash only when its directory is flushed too. */
static void flush_directory(const char *directory)
{
	CLEANUP_FD int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		(void)fsync(fd);
}

/* --- writing --- */

static int lock(int fd)
{
	int result;

	do {
		result = flock(fd, LOCK_EX | LOCK_NB);
	} while (result != 0 && errno == EINTR);
	return result;
}

/* Between its making and its locking a sweep may take a new file for one whose process is dead, and delete it. */
static bool is_ours(int fd)
{
	struct stat st;
	return lock(fd) == 0 && fstat(fd, &st) == 0 && st.st_nlink > 0;
}

static struct journal *journal_new(int *fd, const char *path)
{
	struct journal *journal = calloc(1, sizeof(*journal));

	if (journal == NULL)
		return NULL;
	journal->path = strdup(path);
	if (journal->path == NULL) {
		free(journal);
		return NULL;
	}
	journal->fd = steal_fd(fd);
	return journal;
}

static int create_file(const struct clock *clock, const char *directory, struct journal **ret_journal,
		       struct error *err)
{
	for (int attempt = 0; attempt < 3; attempt++) {
		CLEANUP_BUF struct buf path = BUF_INIT(4096);
		char uuid[UUID_SIZE];

		if (digest_uuid(uuid, err) != 0)
			return -1;
		buf_printf(&path, "%s/%013lld-%s" SUFFIX, directory, (long long)(clock->wall_us(clock->self) / 1000), uuid);
		if (buf_check(&path, "the journal's path", err) != 0)
			return -1;
		CLEANUP_FD int fd = open(buf_text(&path), O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (fd < 0)
			return error_errno(err, ERROR_IO, errno, "cannot create the journal %s", buf_text(&path));
		if (!is_ours(fd))
			continue;
		struct journal *journal = journal_new(&fd, buf_text(&path));
		if (journal == NULL) {
			unlink(buf_text(&path));
			return error_nomem(err);
		}
		*ret_journal = journal;
		return 0;
	}
	return error_set(err, ERROR_IO, "cannot lock a new journal in %s", directory);
}

static int write_line(struct journal *journal, struct buf *line, struct error *err)
{
	if (journal->broken)
		return error_set(err, ERROR_IO, "the journal %s could not be written before", journal->path);
	buf_char(line, '\n');
	if (buf_check(line, "a journal's line", err) != 0)
		return -1;
	journal->broken = true;
	if (io_write_all(journal->fd, line->data, line->len, journal->path, err) != 0)
		return -1;
	if (fsync(journal->fd) != 0)
		return error_errno(err, ERROR_IO, errno, "cannot flush the journal %s", journal->path);
	journal->broken = false;
	return 0;
}

static int write_header(struct journal *journal, const struct clock *clock, const struct journal_header *header,
			struct error *err)
{
	CLEANUP_BUF struct buf line = BUF_INIT(LINE_MAX_BYTES);
	struct json_writer writer;

	json_writer_init(&writer, &line);
	json_begin_object(&writer);
	json_member_integer(&writer, "journal", JOURNAL_VERSION);
	json_member_integer(&writer, "pid", getpid());
	json_member_integer(&writer, "started", clock->wall_us(clock->self) / 1000000);
	json_member_string(&writer, "method", header->method);
	json_member_string(&writer, "director", header->director_uuid);
	json_member_string(&writer, "request", header->request_id);
	json_member_string(&writer, "endpoint", header->endpoint);
	json_member_string(&writer, "access_key_id", header->access_key_id);
	json_end_object(&writer);
	return write_line(journal, &line, err);
}

int journal_open(const struct clock *clock, const struct journal_header *header, struct journal **ret_journal,
		 struct error *err)
{
	CLEANUP_ARENA struct arena *arena = arena_new(16384);
	const char *directory;
	struct journal *journal = NULL;

	if (arena == NULL)
		return error_nomem(err);
	if (state_dir_make(arena, FOLDER, &directory, err) != 0 || create_file(clock, directory, &journal, err) != 0)
		return -1;
	if (write_header(journal, clock, header, err) != 0) {
		journal_remove(journal);
		return -1;
	}
	flush_directory(directory);
	*ret_journal = journal;
	return 0;
}

void journal_close(struct journal *journal)
{
	if (journal == NULL)
		return;
	close(journal->fd);
	free(journal->path);
	free(journal);
}

void journal_remove(struct journal *journal)
{
	if (journal == NULL)
		return;
	/* before the lock goes: nobody else may take it for a dead one's */
	(void)unlink(journal->path);
	journal_close(journal);
}

const char *journal_path(const struct journal *journal)
{
	return journal->path;
}

int journal_intend(struct journal *journal, const struct journal_entry *entry, struct error *err)
{
	CLEANUP_BUF struct buf line = BUF_INIT(LINE_MAX_BYTES);
	struct json_writer writer;

	json_writer_init(&writer, &line);
	json_begin_object(&writer);
	json_member_unsigned(&writer, "intend", entry->number);
	json_member_string(&writer, "kind", entry->kind);
	json_member_string(&writer, "token", entry->token);
	json_member_string(&writer, "tag", entry->tag_value);
	if (entry->id != NULL)
		json_member_string(&writer, "id", entry->id);
	json_end_object(&writer);
	return write_line(journal, &line, err);
}

static int write_event(struct journal *journal, const char *event, unsigned number, const char *id, struct error *err)
{
	CLEANUP_BUF struct buf line = BUF_INIT(LINE_MAX_BYTES);
	struct json_writer writer;

	json_writer_init(&writer, &line);
	json_begin_object(&writer);
	json_member_unsigned(&writer, event, number);
	if (id != NULL)
		json_member_string(&writer, "id", id);
	json_end_object(&writer);
	return write_line(journal, &line, err);
}

int journal_created(struct journal *journal, unsigned number, const char *id, struct error *err)
{
	return write_event(journal, "created", number, id, err);
}

int journal_settled(struct journal *journal, unsigned number, struct error *err)
{
	return write_event(journal, "settled", number, NULL, err);
}

int journal_answering(struct journal *journal, struct error *err)
{
	return write_event(journal, "answering", 0, NULL, err);
}

/* --- reading --- */

static bool is_journal_name(const char *name)
{
	size_t len = strlen(name);
	return name[0] != '.' && len > strlen(SUFFIX) && strcmp(name + len - strlen(SUFFIX), SUFFIX) == 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int journal_list(struct arena *arena, const char *directory, const char *const **ret_names, size_t *ret_count,
		 struct error *err)
{
	CLEANUP_DIR DIR *dir = opendir(directory);
	const char **names = NULL;
	size_t count = 0, room = 0;

	if (dir == NULL && errno != ENOENT)
		return error_errno(err, ERROR_IO, errno, "cannot read the state directory %s", directory);
	if (dir != NULL && state_dir_check(directory, err) != 0)
		return -1;
	for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
		if (!is_journal_name(entry->d_name))
			continue;
		if (count == room) {
			room = room == 0 ? 16 : room * 2;
			const char **larger = arena_array(arena, room, sizeof(*larger));
			if (larger == NULL)
				return error_nomem(err);
			for (size_t i = 0; i < count; i++)
				larger[i] = names[i];
			names = larger;
		}
		if ((names[count++] = arena_strdup(arena, entry->d_name)) == NULL)
			return error_nomem(err);
	}
	if (count > 0)
		qsort(names, count, sizeof(*names), by_name);
	*ret_names = names;
	*ret_count = count;
	return 0;
}

int journal_claim(const char *path, enum journal_claim *ret_claim, struct journal **ret_journal, struct error *err)
{
	struct stat st;
	CLEANUP_FD int fd = open(path, O_RDWR | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT) {
		*ret_claim = JOURNAL_GONE;
		return 0;
	}
	if (fd < 0 || fstat(fd, &st) != 0)
		return error_errno(err, ERROR_IO, errno, "cannot open the journal %s", path);
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid())
		return error_set(err, ERROR_IO, "%s is not a journal of this user", path);
	if (lock(fd) != 0) {
		if (errno != EWOULDBLOCK)
			return error_errno(err, ERROR_IO, errno, "cannot lock the journal %s", path);
		*ret_claim = JOURNAL_LIVE;
		return 0;
	}
	if (fstat(fd, &st) != 0 || st.st_nlink == 0) {
		*ret_claim = JOURNAL_GONE;
		return 0;
	}
	struct journal *journal = journal_new(&fd, path);
	if (journal == NULL)
		return error_nomem(err);
	*ret_claim = JOURNAL_CLAIMED;
	*ret_journal = journal;
	return 0;
}

static struct journal_entry *entry_by_number(struct journal_entry *entries, size_t count, int64_t number)
{
	for (size_t i = 0; i < count; i++)
		if (entries[i].number == number)
			return &entries[i];
	return NULL;
}

static bool read_header(const struct json *line, struct journal_record *record)
{
	int64_t version;

	if (!json_int(json_get(line, "journal"), &version) || version != JOURNAL_VERSION ||
	    !json_int(json_get(line, "pid"), &record->pid) || !json_int(json_get(line, "started"), &record->started))
		return false;
	record->header = (struct journal_header){
		.method = json_text(json_get(line, "method")),
		.director_uuid = json_text(json_get(line, "director")),
		.request_id = json_text(json_get(line, "request")),
		.endpoint = json_text(json_get(line, "endpoint")),
		.access_key_id = json_text(json_get(line, "access_key_id")),
	};
	return record->header.method != NULL && record->header.director_uuid != NULL && record->header.request_id != NULL;
}

/* entries has room for one more. */
static bool read_event(const struct json *line, struct journal_entry *entries, struct journal_record *record)
{
	int64_t number;

	if (json_int(json_get(line, "intend"), &number)) {
		struct journal_entry *entry = &entries[record->n_entries++];
		*entry = (struct journal_entry){
			.number = (unsigned)number,
			.kind = json_text(json_get(line, "kind")),
			.token = json_text(json_get(line, "token")),
			.tag_value = json_text(json_get(line, "tag")),
			.id = json_text(json_get(line, "id")),
		};
		return number > 0 && number < 1000000 && entry->kind != NULL && entry->tag_value != NULL;
	}
	if (json_int(json_get(line, "created"), &number)) {
		struct journal_entry *entry = entry_by_number(entries, record->n_entries, number);
		if (entry != NULL)
			entry->id = json_text(json_get(line, "id"));
		return entry != NULL && entry->id != NULL;
	}
	if (json_int(json_get(line, "settled"), &number)) {
		struct journal_entry *entry = entry_by_number(entries, record->n_entries, number);
		if (entry != NULL)
			entry->settled = true;
		return entry != NULL;
	}
	if (json_get(line, "answering") != NULL) {
		record->answering = true;
		return true;
	}
	return false;
}

static size_t count_lines(const struct buf *text)
{
	size_t lines = 0;
	for (size_t i = 0; i < text->len; i++)
		lines += text->data[i] == '\n';
	return lines;
}

int journal_read(struct journal *journal, struct arena *arena, struct journal_record *ret_record, struct error *err)
{
	CLEANUP_BUF struct buf text = BUF_INIT(JOURNAL_MAX_BYTES);
	struct journal_record record = { 0 };

	if (lseek(journal->fd, 0, SEEK_SET) < 0)
		return error_errno(err, ERROR_IO, errno, "cannot read the journal %s", journal->path);
	if (io_read_to_end(journal->fd, &text, journal->path, err) != 0)
		return -1;
	size_t lines = count_lines(&text);
	struct journal_entry *entries = arena_array(arena, lines + 1, sizeof(*entries));
	if (entries == NULL)
		return error_nomem(err);
	const char *at = buf_text(&text);
	for (size_t i = 0; i < lines; i++) {
		const char *end = strchr(at, '\n');
		const struct json *line;
		if (end == NULL || json_parse(arena, at, (size_t)(end - at), LINE_MAX_BYTES, &line, err) != 0 ||
		    !(i == 0 ? read_header(line, &record) : read_event(line, entries, &record)))
			return error_set(err, ERROR_INVALID, "line %zu of %s is not a journal's; look at it, and delete it by hand",
					 i + 1, journal->path);
		at = end + 1;
	}
	/* killed before its header was whole: nothing can have been created after it */
	if (lines == 0)
		record.header = (struct journal_header){ .method = "", .director_uuid = "", .request_id = "" };
	/* a line that a kill cut must not swallow the next one that is written */
	if (ftruncate(journal->fd, at - buf_text(&text)) != 0)
		return error_errno(err, ERROR_IO, errno, "cannot cut the journal %s", journal->path);
	record.entries = entries;
	*ret_record = record;
	return 0;
}
