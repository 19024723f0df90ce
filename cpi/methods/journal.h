/* SPDX-License-Identifier: Apache-2.0 */
/* The journal: one file a process, locked while the process lives, that names each thing before it is created. Lines of JSON
 * under the state directory; what they mean for the account is undo's and sweep's business. */
#ifndef CPI_METHODS_JOURNAL_H
#define CPI_METHODS_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/arena.h"
#include "common/deadline.h"
#include "common/error.h"

#define JOURNAL_MAX_BYTES ((size_t)1024 * 1024)

/* Whose journal it is. access_key_id and endpoint may be NULL: not known. */
struct journal_header {
	const char *method;
	const char *director_uuid;
	const char *request_id;
	const char *endpoint;      /* of EC2: another one's things are not ours to judge */
	const char *access_key_id; /* of the first key, so never a secret */
};

struct journal_entry {
	unsigned number;
	const char *kind; /* leftover_name's */
	const char *token;
	const char *tag_value;
	const char *id; /* NULL: not known yet, or the answer never came */
	bool settled;   /* read alone */
};

struct journal;

/* The folder "journal" of the state directory (common/state_dir.h). The path, in the arena; nothing is created. */
int journal_directory(struct arena *arena, const char **ret_path, struct error *err);
/* Makes the directory (0700) and a locked file (0600) in it, and writes the header. ERROR_IO with the path when that cannot
 * be done, or the directory belongs to another user or is writable for others. */
int journal_open(const struct clock *clock, const struct journal_header *header, struct journal **ret_journal,
		 struct error *err);
/* Closes it; the file stays for sweep. */
void journal_close(struct journal *journal);
/* Deletes the file and closes it. */
void journal_remove(struct journal *journal);
const char *journal_path(const struct journal *journal);

/* Each is one line, on the disk when it returns. After a failure nothing more is written: the lines that are there stay valid. */
int journal_intend(struct journal *journal, const struct journal_entry *entry, struct error *err);
int journal_created(struct journal *journal, unsigned number, const char *id, struct error *err);
/* It does not exist (any more). */
int journal_settled(struct journal *journal, unsigned number, struct error *err);
int journal_answering(struct journal *journal, struct error *err);

/* --- reading what others left --- */

struct journal_record {
	struct journal_header header;
	int64_t pid;
	int64_t started; /* seconds since 1970 */
	bool answering;
	const struct journal_entry *entries; /* oldest first */
	size_t n_entries;
};

enum journal_claim { JOURNAL_CLAIMED, JOURNAL_LIVE, JOURNAL_GONE };

/* Names of the journals in the directory, oldest first by name; none when there is no directory. */
int journal_list(struct arena *arena, const char *directory, const char *const **ret_names, size_t *ret_count,
		 struct error *err);
/* Opens a journal and takes its lock. JOURNAL_LIVE: its process lives (or another sweep has it). */
int journal_claim(const char *path, enum journal_claim *ret_claim, struct journal **ret_journal, struct error *err);
/* Reads a claimed one. A last line that was cut is left out; anything else that is not a journal's line is ERROR_INVALID. */
int journal_read(struct journal *journal, struct arena *arena, struct journal_record *ret_record, struct error *err);

#endif
