/* SPDX-License-Identifier: Apache-2.0 */
/* cpi's end of the session with a running onhost (common/onhost_msg.h), over a child's three pipes. Which program is started,
 * and where, is the command's business. */
#ifndef CPI_BUILDER_SESSION_H
#define CPI_BUILDER_SESSION_H

#include <stdbool.h>

#include "common/arena.h"
#include "common/error.h"
#include "common/onhost_msg.h"
#include "common/process.h"
#include "common/runtime.h"
#include "common/words.h"
#include "cpi/builder/command.h"

struct builder_session {
	struct runtime *runtime;
	struct process process;
	struct onhost_frames frames;
	bool in_broken; /* the child reads no more */
	bool out_ended;
	bool err_ended;
	bool greeted; /* the other side is onhost, of our version */
	struct words words;
	const struct builder_command *command;
};

/* Starts the command, which must live as long as the session. Its standard error goes to the log at debug, line by line. SIGPIPE
 * must be ignored. */
int builder_session_open(struct builder_session *session, struct runtime *runtime, const struct builder_command *command,
			 struct error *err);
/* Texts in the arena. ERROR_PROTOCOL names both versions when the other side speaks another one, and quotes what came in place of
 * onhost's answer when something else prints there. */
int builder_session_hello(struct builder_session *session, struct arena *arena, struct onhost_hello_ok *ret_hello,
			  struct error *err);

struct builder_session_image {
	int fd; /* read to its end */
	const char *path; /* for messages */
	void (*ready)(void *self, const struct onhost_ready *ready); /* may be NULL, as progress */
	void (*progress)(void *self, const struct onhost_progress *progress);
	void *self;
};

/* Sends the image and waits until it is on the device. Errors of the other side keep their kind; a child that ends or falls
 * silent is ERROR_IO, ERROR_TIMEOUT, with its exit status, its last words and what the command makes of them. The sums of both ends are compared. Texts of
 * *ret_written live in the arena. */
int builder_session_write(struct builder_session *session, struct arena *arena, const struct onhost_write *write,
			  const struct builder_session_image *image, struct onhost_written *ret_written,
			  struct error *err);

/* Ends the session: the child sees the end of its input and gets a moment to end, then signals. Safe on a closed one. */
void builder_session_close(struct builder_session *session);

#endif
