/* SPDX-License-Identifier: Apache-2.0 */
/* The list of what a call has created, kept in memory and in the journal. How a thing is found and removed is leftover.c's,
 * the file's form journal.c's. */
#include "cpi/methods/undo.h"

#include <stdio.h>
#include <string.h>

#include "common/digest.h"
#include "cpi/methods/journal.h"
#include "cpi/methods/leftover.h"

#define ARENA_BYTES ((size_t)64 * 1024 * 1024)
#define NAME_MAX_CHARS 100 /* of director and request in the tag: its value has room for 255 */

struct entry {
	struct entry *older;
	unsigned number;
	enum undo_kind kind;
	const char *tag_value;
	const char *id; /* NULL: the answer never came */
	bool created;   /* said to be; otherwise the call may be on its way */
	struct deadline visible_by; /* once created: from then on EC2 shows it to whoever asks */
	bool settled;
};

struct undo {
	struct runtime *runtime;
	struct ec2_client *ec2;
	struct arena *arena;
	const char *method;
	const char *director_uuid;
	const char *request_id;
	char process[UUID_SIZE]; /* tells this process from all others, also those that serve the same request */
	struct entry *newest;
	unsigned n_entries;
	struct journal *journal; /* NULL: not opened yet, or it cannot be written */
	bool journal_tried;
};

/* In a filter `*`, `?` and `\` are not themselves, and `/` parts the tag's value. */
static const char *plain_name(struct arena *arena, const char *text)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:";
	char *plain = arena_strndup(arena, text, strnlen(text, NAME_MAX_CHARS));

	for (char *at = plain; at != NULL && *at != '\0'; at++)
		if (strchr(allowed, *at) == NULL)
			*at = '_';
	return plain;
}

int undo_new(struct runtime *runtime, struct ec2_client *ec2, const char *director_uuid, const char *request_id,
	     const char *method, struct undo **ret_undo, struct error *err)
{
	struct undo *undo = calloc(1, sizeof(*undo));

	if (undo == NULL)
		return error_nomem(err);
	undo->runtime = runtime;
	undo->ec2 = ec2;
	undo->arena = arena_new(ARENA_BYTES);
	if (undo->arena == NULL || (undo->method = arena_strdup(undo->arena, method)) == NULL ||
	    (undo->director_uuid = plain_name(undo->arena, director_uuid)) == NULL ||
	    (undo->request_id = plain_name(undo->arena, request_id)) == NULL) {
		undo_free(undo);
		return error_nomem(err);
	}
	if (digest_uuid(undo->process, err) != 0) {
		undo_free(undo);
		return -1;
	}
	*ret_undo = undo;
	return 0;
}

static bool anything_left(const struct undo *undo)
{
	for (const struct entry *entry = undo->newest; entry != NULL; entry = entry->older)
		if (!entry->settled)
			return true;
	return false;
}

static void drop_journal(struct undo *undo)
{
	journal_remove(undo->journal);
	undo->journal = NULL;
}

void undo_free(struct undo *undo)
{
	if (undo == NULL)
		return;
	if (anything_left(undo))
		journal_close(undo->journal);
	else
		journal_remove(undo->journal);
	arena_free(undo->arena);
	free(undo);
}

/* --- what is created --- */

static void open_journal(struct undo *undo)
{
	struct journal_header header = {
		.method = undo->method,
		.director_uuid = undo->director_uuid,
		.request_id = undo->request_id,
	};
	const char *source;
	struct error why;

	if (undo->journal_tried)
		return;
	undo->journal_tried = true;
	if (aws_client_endpoint(undo->ec2->aws, "ec2", undo->arena, &header.endpoint, NULL) != 0)
		header.endpoint = NULL;
	if (aws_client_identity(undo->ec2->aws, &header.access_key_id, &source, NULL) != 0)
		header.access_key_id = NULL;
	if (journal_open(undo->runtime->clock, &header, &undo->journal, &why) != 0)
		log_warn(undo->runtime->log,
			 "no journal: %s. What this call creates is lost track of if the process is killed; set AWS_CPI_STATE_DIR "
			 "to a directory that it can write to",
			 why.message);
}

/* A line that is not on the disk is a warning: the thing itself carries its tag. */
static void noted(struct undo *undo, int result, const struct error *why)
{
	if (result != 0)
		log_warn(undo->runtime->log, "the journal is no longer kept: %s", why->message);
}

static int intend(struct undo *undo, enum undo_kind kind, const char *id, struct undo_step *ret_step, struct error *err)
{
	struct entry *entry = arena_alloc(undo->arena, sizeof(*entry));
	unsigned number = undo->n_entries + 1;
	/* request ids are short and come again; the process's part makes the step unlike any other's */
	const char *tag_value = arena_printf(undo->arena, "%s/%s/%u-%.8s", undo->director_uuid, undo->request_id, number,
					     undo->process);
	const char *token = arena_printf(undo->arena, "cpi-%s-%u", undo->process, number);
	const struct journal_entry line = {
		.number = number,
		.kind = leftover_name(kind),
		.token = token,
		.tag_value = tag_value,
		.id = id,
	};
	struct error why;

	if (entry == NULL || tag_value == NULL || token == NULL)
		return error_nomem(err);
	*entry = (struct entry){ .older = undo->newest, .number = number, .kind = kind, .tag_value = tag_value, .id = id };
	open_journal(undo);
	if (undo->journal != NULL)
		noted(undo, journal_intend(undo->journal, &line, &why), &why);
	undo->newest = entry;
	undo->n_entries = number;
	*ret_step = (struct undo_step){
		.number = number,
		.token = token,
		.tag = { .key = LEFTOVER_TAG, .value = tag_value },
	};
	return 0;
}

int undo_intend(struct undo *undo, enum undo_kind kind, struct undo_step *ret_step, struct error *err)
{
	return intend(undo, kind, NULL, ret_step, err);
}

int undo_intend_known(struct undo *undo, enum undo_kind kind, const char *id, struct undo_step *ret_step,
		      struct error *err)
{
	const char *copy = arena_strdup(undo->arena, id);
	return copy != NULL ? intend(undo, kind, copy, ret_step, err) : error_nomem(err);
}

static struct entry *entry_of(struct undo *undo, const struct undo_step *step)
{
	struct entry *entry = undo->newest;

	while (entry != NULL && entry->number != step->number)
		entry = entry->older;
	return entry;
}

void undo_created(struct undo *undo, const struct undo_step *step, const char *id)
{
	struct entry *entry = entry_of(undo, step);
	struct error why;

	if (entry == NULL)
		return;
	/* without memory for it, it is found by its tag */
	entry->id = arena_strdup(undo->arena, id);
	entry->created = entry->id != NULL;
	entry->visible_by = deadline_in(undo->runtime->clock, LEFTOVER_AWAIT_MS);
	if (undo->journal != NULL)
		noted(undo, journal_created(undo->journal, step->number, id, &why), &why);
}

static void settle(struct undo *undo, struct entry *entry)
{
	struct error why;

	entry->settled = true;
	if (undo->journal != NULL)
		noted(undo, journal_settled(undo->journal, entry->number, &why), &why);
}

void undo_forget(struct undo *undo, const struct undo_step *step)
{
	struct entry *entry = entry_of(undo, step);

	if (entry != NULL)
		settle(undo, entry);
}

/* --- undoing --- */

/* What was made a moment ago may not be there for EC2's eyes yet: not found is not gone. An interface that was made long
 * before went with its instance. */
static int find_entry(struct undo *undo, const struct entry *entry, bool hurry, struct leftover **ret_found,
		      size_t *ret_count, struct error *err)
{
	if (hurry || (entry->created && deadline_passed(undo->runtime->clock, entry->visible_by)))
		return leftover_find(undo->ec2, undo->arena, entry->kind, entry->id, entry->tag_value, ret_found, ret_count,
				     err);
	return leftover_await(undo->ec2, undo->arena, entry->kind, entry->id, entry->tag_value, ret_found, ret_count, err);
}

static int undo_entry(struct undo *undo, const struct entry *entry, bool hurry, struct error *err)
{
	const char *kind = leftover_name(entry->kind);
	struct leftover *found = NULL;
	size_t count = 0;

	if (find_entry(undo, entry, hurry, &found, &count, err) != 0) {
		/* a description that is denied must not keep the thing alive */
		if (entry->id == NULL || err->kind == ERROR_CANCELLED)
			return -1;
		count = 0;
	}
	if (count == 0 && entry->id != NULL)
		return leftover_remove(undo->ec2, entry->kind, entry->id, hurry, err);
	for (size_t i = 0; i < count; i++) {
		if (leftover_remove(undo->ec2, entry->kind, found[i].id, hurry, err) != 0)
			return -1;
		log_info(undo->runtime->log, "removed %s %s again", kind, found[i].id);
	}
	return 0;
}

int undo_now(struct undo *undo, const struct undo_step *step, struct error *err)
{
	struct entry *entry = entry_of(undo, step);

	if (entry == NULL || entry->settled)
		return 0;
	if (undo_entry(undo, entry, false, err) != 0)
		return -1;
	settle(undo, entry);
	return 0;
}

/* A further signal while undoing: what is left is asked to go, and not waited for. */
static int undo_entry_patiently(struct undo *undo, const struct entry *entry, bool *hurry, struct error *err)
{
	int result = undo_entry(undo, entry, *hurry, err);

	if (result == 0 || !cancel_raised(undo->runtime->cancel))
		return result;
	cancel_clear(undo->runtime->cancel);
	*hurry = true;
	return undo_entry(undo, entry, true, err);
}

static void append(struct error *err, const char *text)
{
	size_t len = strlen(err->message);
	snprintf(err->message + len, sizeof(err->message) - len, "%s", text);
}

static void name_left(struct undo *undo, const struct entry *entry, const struct error *why, bool first,
		      struct error *err)
{
	const char *kind = leftover_name(entry->kind);
	char text[1024];

	if (entry->id != NULL)
		snprintf(text, sizeof(text), "%s %s (%.600s)", kind, entry->id, why->message);
	else
		snprintf(text, sizeof(text), "%s %s with the tag %s=%s, if it was created (%.500s)",
			 kind[0] == 'i' ? "an" : "a", kind, LEFTOVER_TAG, entry->tag_value, why->message);
	log_error(undo->runtime->log, "left behind: %s", text);
	if (err == NULL)
		return;
	/* the names must get through, however long the error itself is */
	if (first && strlen(err->message) > sizeof(err->message) / 2)
		err->message[sizeof(err->message) / 2] = '\0';
	append(err, first ? "; left behind: " : ", ");
	append(err, text);
}

void undo_run(struct undo *undo, struct error *err)
{
	bool hurry = false, all = true;

	if (cancel_raised(undo->runtime->cancel))
		cancel_clear(undo->runtime->cancel);
	for (struct entry *entry = undo->newest; entry != NULL; entry = entry->older) {
		struct error why;
		if (entry->settled)
			continue;
		if (undo_entry_patiently(undo, entry, &hurry, &why) == 0) {
			settle(undo, entry);
			continue;
		}
		name_left(undo, entry, &why, all, err);
		all = false;
	}
	if (all)
		drop_journal(undo);
	else if (err != NULL)
		append(err, "; `cpi sweep CONFIG --delete` tries again");
}

/* --- the answer --- */

void undo_answering(struct undo *undo)
{
	struct error why;

	if (undo->journal == NULL)
		return;
	if (!anything_left(undo)) {
		drop_journal(undo);
		return;
	}
	if (journal_answering(undo->journal, &why) != 0) {
		/* rather none than one by which a sweep deletes what the Director was told of */
		log_warn(undo->runtime->log, "the journal is no longer kept: %s", why.message);
		drop_journal(undo);
	}
}

void undo_answered(struct undo *undo)
{
	drop_journal(undo);
	for (struct entry *entry = undo->newest; entry != NULL; entry = entry->older)
		entry->settled = true;
}
