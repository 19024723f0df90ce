/* SPDX-License-Identifier: Apache-2.0 */
/* What `cpi check` has found, line by line, and how it is shown: to people, to terminals, to programs. What is looked at
 * is the other files' business. */
#ifndef CPI_CHECK_FINDINGS_H
#define CPI_CHECK_FINDINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/arena.h"
#include "common/buf.h"
#include "common/log.h"

#define FINDINGS_MAX 64

enum finding_state {
	FINDING_OK,
	FINDING_FAILED,  /* something is wrong */
	FINDING_UNKNOWN, /* could not be found out; shown as such, and no failure */
};

struct finding {
	const char *name; /* stable, for programs */
	enum finding_state state;
	const char *text;
	const char *advice; /* what to do; NULL where all is well */
};

/* Starts as { .arena = …, .log = … }. Texts are copied to the arena, and the log's secrets blacked out in them. */
struct findings {
	struct arena *arena;
	struct log *log;
	struct finding items[FINDINGS_MAX];
	size_t count;
	bool incomplete; /* out of memory, or more than FINDINGS_MAX */
};

void findings_ok(struct findings *findings, const char *name, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void findings_failed(struct findings *findings, const char *name, const char *advice, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
void findings_unknown(struct findings *findings, const char *name, const char *advice, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
void findings_add(struct findings *findings, const struct finding *finding);

/* Nothing is known to be wrong. */
bool findings_are_fine(const struct findings *findings);

enum findings_style { FINDINGS_PLAIN, FINDINGS_TICKS, FINDINGS_COLOUR };

/* Plain lines where the output is no terminal, or TERM is dumb or not set; no colour where NO_COLOR is set
 * (no-color.org). */
enum findings_style findings_style(bool terminal);
void findings_write_lines(const struct findings *findings, enum findings_style style, struct buf *out);
/* One object: ok, and checks with name, state ("ok", "failed", "unknown"), ok (false for failed alone), text, advice. */
void findings_write_json(const struct findings *findings, struct buf *out);

#endif
