/* SPDX-License-Identifier: Apache-2.0 */
/* Log lines on a descriptor (standard error), in the form on which operators' filters of the Ruby CPI's log rest:
 *     I, [2026-01-31T10:20:30.123456 #4711]  INFO -- [req_id cpi-123456]: text
 * One line is one write(2), also where several threads log at the same time. Line breaks and control characters in the text are escaped. Registered secrets never appear.
 * Only main and the methods log above debug. */
#ifndef COMMON_LOG_H
#define COMMON_LOG_H

#include <pthread.h>
#include <stddef.h>

#include "common/arena.h"
#include "common/deadline.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };

#define LOG_MAX_SECRETS 1024

struct log {
	int fd; /* -1: nothing is written */
	enum log_level level;
	const struct clock *clock;
	pthread_mutex_t lock; /* over what follows, and over writing */
	char request_id[128]; /* "" : no [req_id …] part */
	const char *secrets[LOG_MAX_SECRETS]; /* borrowed */
	size_t n_secrets;
};

void log_init(struct log *log, int fd, enum log_level level, const struct clock *clock);
/* Cut to the field's size; characters that would break the form are left out. NULL empties it. */
void log_set_request_id(struct log *log, const char *request_id);
/* From now on the text is written as <redacted> wherever it would appear, and so is the beginning of it before "…". The caller keeps it alive as long as the log.
 * Texts under 4 characters and NULL are ignored: they would black out innocent words. */
void log_add_secret(struct log *log, const char *secret);
/* Forgets the secrets whose texts are in that arena: before it is freed. */
void log_forget_secrets(struct log *log, struct arena *arena);

void log_debug(struct log *log, const char *format, ...) __attribute__((format(printf, 2, 3)));
void log_info(struct log *log, const char *format, ...) __attribute__((format(printf, 2, 3)));
void log_warn(struct log *log, const char *format, ...) __attribute__((format(printf, 2, 3)));
void log_error(struct log *log, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Replaces registered secrets in text that goes elsewhere (an error's message): in place, never longer than size. */
void log_redact(struct log *log, char *text, size_t size);

#endif
