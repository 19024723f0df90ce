/* SPDX-License-Identifier: Apache-2.0 */
/* From the journals of dead processes, or from a director's tag, to a table of what is left, and its removal where that was
 * asked for and is safe. Finding and removing one thing is leftover.c's. */
#include "cpi/methods/sweep.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/arena.h"
#include "common/buf.h"
#include "common/cleanup.h"
#include "common/io.h"
#include "common/parallel.h"
#include "cpi/methods/journal.h"
#include "cpi/methods/leftover.h"

#define ARENA_BYTES ((size_t)256 * 1024 * 1024)
#define TABLE_MAX_BYTES ((size_t)16 * 1024 * 1024)
#define N_COLUMNS 6
#define MOST_DIRECTOR_CHARS 100

struct row {
	struct row *next;
	const char *cells[N_COLUMNS];
};

struct sweep {
	struct runtime *runtime;
	struct ec2_client *ec2;
	const struct sweep_options *options;
	struct arena *arena;
	const char *directory;
	const char *endpoint;
	const char *access_key_id;
	struct row *rows;
	struct row **last;
	bool *id_seen; /* one for each of options->ids */
	size_t n_found;
	size_t n_removed;
	size_t n_failed;
	size_t n_live;
	size_t n_foreign;
	size_t n_journals; /* of dead processes */
};

/* --- the table --- */

static const char *age_text(struct sweep *sweep, int64_t started)
{
	int64_t seconds = sweep->runtime->clock->wall_us(sweep->runtime->clock->self) / 1000000 - started;

	if (seconds < 0)
		seconds = 0;
	if (seconds < 120)
		return arena_printf(sweep->arena, "%" PRId64 " s", seconds);
	if (seconds < 120 * 60)
		return arena_printf(sweep->arena, "%" PRId64 " min", seconds / 60);
	if (seconds < 48 * 3600)
		return arena_printf(sweep->arena, "%" PRId64 " h", seconds / 3600);
	return arena_printf(sweep->arena, "%" PRId64 " days", seconds / 86400);
}

static void add_row(struct sweep *sweep, const struct leftover *thing, const char *by, const char *age, const char *what)
{
	struct row *row = arena_alloc(sweep->arena, sizeof(*row));

	if (row == NULL) {
		sweep->n_failed++;
		return;
	}
	*row = (struct row){ .cells = { leftover_name(thing->kind), thing->id, thing->state, age, by, what } };
	*sweep->last = row;
	sweep->last = &row->next;
}

static const char *cell_text(const struct row *row, size_t column)
{
	return row->cells[column] != NULL ? row->cells[column] : "";
}

static void put_row(struct buf *out, const struct row *row, const int widths[N_COLUMNS])
{
	for (size_t i = 0; i < N_COLUMNS - 1; i++)
		buf_printf(out, "%-*s  ", widths[i], cell_text(row, i));
	buf_printf(out, "%s\n", cell_text(row, N_COLUMNS - 1));
}

static void put_summary(const struct sweep *sweep, struct buf *out)
{
	buf_printf(out, "%zu found, %zu removed", sweep->n_found, sweep->n_removed);
	if (sweep->n_failed > 0)
		buf_printf(out, ", %zu not removed or not readable", sweep->n_failed);
	if (sweep->options->by_tag) {
		buf_printf(out, "; by the tag " LEFTOVER_TAG " of director %s\n", sweep->options->director_uuid);
		return;
	}
	buf_printf(out, "; %zu journals of dead processes in %s", sweep->n_journals, sweep->directory);
	if (sweep->n_live > 0)
		buf_printf(out, "; %zu of live ones skipped", sweep->n_live);
	if (sweep->n_foreign > 0)
		buf_printf(out, "; %zu for another endpoint or access key left alone", sweep->n_foreign);
	buf_char(out, '\n');
}

static int put_table(const struct sweep *sweep, struct error *err)
{
	static const struct row head = { .cells = { "KIND", "ID", "STATE", "AGE", "MADE BY", "WHAT" } };
	CLEANUP_BUF struct buf out = BUF_INIT(TABLE_MAX_BYTES);
	int widths[N_COLUMNS];

	for (size_t i = 0; i < N_COLUMNS; i++) {
		widths[i] = (int)strlen(head.cells[i]);
		for (const struct row *row = sweep->rows; row != NULL; row = row->next)
			if ((int)strlen(cell_text(row, i)) > widths[i])
				widths[i] = (int)strlen(cell_text(row, i));
	}
	if (sweep->rows != NULL)
		put_row(&out, &head, widths);
	for (const struct row *row = sweep->rows; row != NULL; row = row->next)
		put_row(&out, row, widths);
	put_summary(sweep, &out);
	if (buf_check(&out, "the table", err) != 0)
		return -1;
	return io_write_all(sweep->options->out_fd, out.data, out.len, "the table", err);
}

/* --- one thing --- */

static bool is_asked_for(struct sweep *sweep, const char *id)
{
	for (size_t i = 0; i < sweep->options->n_ids; i++) {
		if (strcmp(sweep->options->ids[i], id) == 0) {
			sweep->id_seen[i] = true;
			return true;
		}
	}
	return false;
}

/* by_id_alone: what somebody may know of. Returns whether it is gone. */
static bool judge(struct sweep *sweep, const struct leftover *thing, const char *by, const char *age, bool by_id_alone)
{
	const struct sweep_options *options = sweep->options;
	bool asked = is_asked_for(sweep, thing->id);
	struct error why;

	sweep->n_found++;
	if (!options->delete_found || (options->n_ids > 0 ? !asked : by_id_alone)) {
		add_row(sweep, thing, by, age,
			by_id_alone ? "may be in use: removed only by `--delete` with its id" : "left behind: `--delete` removes it");
		return false;
	}
	if (leftover_remove(sweep->ec2, thing->kind, thing->id, false, &why) != 0) {
		sweep->n_failed++;
		add_row(sweep, thing, by, age, arena_printf(sweep->arena, "not removed: %s", why.message));
		return false;
	}
	sweep->n_removed++;
	log_info(sweep->runtime->log, "removed %s %s", leftover_name(thing->kind), thing->id);
	add_row(sweep, thing, by, age, "removed");
	return true;
}

/* --- journals --- */

static bool is_temporary_key(const char *access_key_id)
{
	return strncmp(access_key_id, "ASIA", 4) == 0;
}

/* Ids that this account does not know are not gone when the journal is about another account. */
static bool is_foreign(const struct sweep *sweep, const struct journal_header *header)
{
	if (header->endpoint != NULL && sweep->endpoint != NULL && strcmp(header->endpoint, sweep->endpoint) != 0)
		return true;
	return header->access_key_id != NULL && sweep->access_key_id != NULL && !is_temporary_key(header->access_key_id) &&
	       !is_temporary_key(sweep->access_key_id) && strcmp(header->access_key_id, sweep->access_key_id) != 0;
}

/* An upload that was killed and gone on with carries the tag of the call that did that. */
static bool is_taken_over(const struct journal_entry *entry, const struct leftover *thing)
{
	return thing->kind == UNDO_SNAPSHOT && thing->tag_value[0] != '\0' && strcmp(thing->tag_value, entry->tag_value) != 0;
}

/* Whether all that the entry stands for is gone. */
static bool sweep_entry(struct sweep *sweep, const struct journal_record *record, const struct journal_entry *entry)
{
	const char *by = arena_printf(sweep->arena, "%s %s", record->header.method, entry->tag_value);
	const char *age = age_text(sweep, record->started);
	struct leftover *found;
	enum undo_kind kind;
	struct error why;
	size_t count;
	bool gone = true;

	if (!leftover_by_name(entry->kind, &kind)) {
		log_warn(sweep->runtime->log, "a journal names a '%s', which this version does not know", entry->kind);
		sweep->n_failed++;
		return false;
	}
	/* unless that is over, the call that creates it may still be on its way */
	bool over = entry->id != NULL && (kind < UNDO_ATTACHMENT || record->answering);
	int (*look)(struct ec2_client *, struct arena *, enum undo_kind, const char *, const char *, struct leftover **,
		    size_t *, struct error *) = over ? leftover_find : leftover_await;
	if (look(sweep->ec2, sweep->arena, kind, entry->id, entry->tag_value, &found, &count, &why) != 0) {
		log_warn(sweep->runtime->log, "cannot look for %s %s: %s", entry->kind,
			 entry->id != NULL ? entry->id : entry->tag_value, why.message);
		sweep->n_failed++;
		return false;
	}
	/* the Director repeats an attachment that failed, and means it then */
	bool by_id_alone = record->answering || kind == UNDO_ATTACHMENT;
	for (size_t i = 0; i < count; i++)
		if (!is_taken_over(entry, &found[i]) && !judge(sweep, &found[i], by, age, by_id_alone))
			gone = false;
	return gone;
}

/* Newest first: an AMI before the snapshot behind it. */
static void sweep_entries(struct sweep *sweep, struct journal *journal, const struct journal_record *record)
{
	bool all_gone = true;

	for (size_t i = record->n_entries; i-- > 0;) {
		const struct journal_entry *entry = &record->entries[i];
		if (entry->settled)
			continue;
		if (cancel_raised(sweep->runtime->cancel) || !sweep_entry(sweep, record, entry))
			all_gone = false;
		else if (sweep->options->delete_found)
			(void)journal_settled(journal, entry->number, NULL);
	}
	if (all_gone && sweep->options->delete_found)
		journal_remove(journal);
	else
		journal_close(journal);
}

static void sweep_journal(struct sweep *sweep, const char *path)
{
	struct journal *journal = NULL;
	struct journal_record record;
	enum journal_claim claim;
	struct error why;

	if (journal_claim(path, &claim, &journal, &why) != 0) {
		log_warn(sweep->runtime->log, "%s", why.message);
		sweep->n_failed++;
		return;
	}
	sweep->n_live += claim == JOURNAL_LIVE;
	if (claim != JOURNAL_CLAIMED)
		return;
	if (journal_read(journal, sweep->arena, &record, &why) != 0) {
		log_warn(sweep->runtime->log, "%s", why.message);
		sweep->n_failed++;
		journal_close(journal);
		return;
	}
	if (is_foreign(sweep, &record.header)) {
		sweep->n_foreign++;
		journal_close(journal);
		return;
	}
	sweep->n_journals++;
	sweep_entries(sweep, journal, &record);
}

static int sweep_journals(struct sweep *sweep, struct error *err)
{
	const char *const *names;
	const char *source;
	size_t count;

	if (journal_directory(sweep->arena, &sweep->directory, err) != 0 ||
	    journal_list(sweep->arena, sweep->directory, &names, &count, err) != 0)
		return -1;
	if (count > 0 && (aws_client_endpoint(sweep->ec2->aws, "ec2", sweep->arena, &sweep->endpoint, err) != 0 ||
			  aws_client_identity(sweep->ec2->aws, &sweep->access_key_id, &source, err) != 0))
		return -1;
	for (size_t i = 0; i < count; i++) {
		const char *path = arena_printf(sweep->arena, "%s/%s", sweep->directory, names[i]);
		if (path == NULL)
			return error_nomem(err);
		if (cancel_check(sweep->runtime->cancel, err) != 0)
			return -1;
		sweep_journal(sweep, path);
	}
	return 0;
}

/* --- by tag --- */

static int check_director(const char *uuid, struct error *err)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:";

	if (uuid == NULL || uuid[0] == '\0')
		return error_set(err, ERROR_INVALID, "--by-tag needs --director UUID (`bosh env` shows it)");
	if (strlen(uuid) > MOST_DIRECTOR_CHARS || strspn(uuid, allowed) != strlen(uuid))
		return error_set(err, ERROR_INVALID, "--director takes a director's UUID, not '%.100s'", uuid);
	return 0;
}

struct search {
	struct sweep *sweep;
	enum undo_kind kind;
	const char *pattern;
	struct leftover *found;
	size_t count;
};

static int search(void *self, struct error *err)
{
	struct search *search = self;
	struct sweep *sweep = search->sweep;

	if (leftover_find(sweep->ec2, sweep->arena, search->kind, NULL, search->pattern, &search->found, &search->count,
			  err) != 0)
		return error_prefix(err, "cannot look for %ss", leftover_name(search->kind));
	return 0;
}

static int judge_search(struct sweep *sweep, const struct search *search, struct error *err)
{
	for (size_t i = 0; i < search->count; i++) {
		const struct leftover *thing = &search->found[i];
		if (cancel_check(sweep->runtime->cancel, err) != 0)
			return -1;
		const char *by = thing->name[0] != '\0' ?
					 arena_printf(sweep->arena, "%s (%s)", thing->tag_value, thing->name) :
					 thing->tag_value;
		(void)judge(sweep, thing, by, "", true);
	}
	return 0;
}

/* In the order in which they can be removed: what holds another thing comes before it. */
static int sweep_by_tag(struct sweep *sweep, struct error *err)
{
	static const enum undo_kind kinds[] = { UNDO_INSTANCE, UNDO_INTERFACE, UNDO_VOLUME, UNDO_IMAGE, UNDO_SNAPSHOT };
	const char *pattern = arena_printf(sweep->arena, "%s/*", sweep->options->director_uuid);
	struct search searches[sizeof(kinds) / sizeof(kinds[0])];
	struct parallel_task tasks[sizeof(kinds) / sizeof(kinds[0])];
	size_t n_kinds = sizeof(kinds) / sizeof(kinds[0]);

	if (pattern == NULL)
		return error_nomem(err);
	for (size_t i = 0; i < n_kinds; i++) {
		searches[i] = (struct search){ .sweep = sweep, .kind = kinds[i], .pattern = pattern };
		tasks[i] = (struct parallel_task){ .run = search, .self = &searches[i] };
	}
	if (parallel_run(tasks, n_kinds, err) != 0)
		return -1;
	for (size_t i = 0; i < n_kinds; i++)
		if (judge_search(sweep, &searches[i], err) != 0)
			return -1;
	return 0;
}

/* --- all of it --- */

static int check_options(const struct sweep_options *options, struct error *err)
{
	if (options->n_ids > 0 && !options->delete_found)
		return error_set(err, ERROR_INVALID, "ids go with --delete");
	if (!options->by_tag)
		return 0;
	if (check_director(options->director_uuid, err) != 0)
		return -1;
	if (options->delete_found && options->n_ids == 0)
		return error_set(err, ERROR_INVALID,
				 "with --by-tag, --delete takes the ids to remove: the list also has what is in use");
	return 0;
}

static int verdict(const struct sweep *sweep, struct error *err)
{
	if (cancel_check(sweep->runtime->cancel, err) != 0)
		return -1;
	for (size_t i = 0; i < sweep->options->n_ids; i++)
		if (!sweep->id_seen[i])
			return error_set(err, ERROR_CLOUD, "%.64s is not among what was found, so it was not removed",
					 sweep->options->ids[i]);
	if (sweep->n_failed > 0)
		return error_set(err, ERROR_CLOUD, "%zu could not be removed or read; the table and the log say why, and a further "
				 "sweep tries again", sweep->n_failed);
	return 0;
}

int sweep_run(struct runtime *runtime, struct ec2_client *ec2, const struct sweep_options *options, struct error *err)
{
	CLEANUP_ARENA struct arena *arena = arena_new(ARENA_BYTES);
	struct sweep sweep = { .runtime = runtime, .ec2 = ec2, .options = options, .arena = arena };
	struct error table_err;

	if (check_options(options, err) != 0)
		return -1;
	if (arena == NULL || (sweep.id_seen = arena_array(arena, options->n_ids + 1, sizeof(*sweep.id_seen))) == NULL)
		return error_nomem(err);
	sweep.last = &sweep.rows;
	sweep.directory = "";
	int result = options->by_tag ? sweep_by_tag(&sweep, err) : sweep_journals(&sweep, err);
	if (put_table(&sweep, &table_err) != 0 && result == 0) {
		*err = table_err;
		return -1;
	}
	return result == 0 ? verdict(&sweep, err) : -1;
}
