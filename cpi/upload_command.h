/* SPDX-License-Identifier: Apache-2.0 */
/* `cpi upload-image`: its options to a request, a progress bar on standard error, the result on standard output. What is done is
 * methods/upload_image.c's. */
#ifndef CPI_UPLOAD_COMMAND_H
#define CPI_UPLOAD_COMMAND_H

#include "cpi/command_line.h"
#include "cpi/methods/upload_image.h"
#include "cpi/setup.h"

struct upload_command {
	struct upload_image_request request;
	unsigned connections; /* 0: the configuration's */
	bool skip_zero_blocks;
	bool json;
};

/* ERROR_INVALID says which option is wrong, and how it should be. Texts are the line's or in the arena. */
int upload_command_read(const struct command_line *line, struct arena *arena, struct upload_command *ret_command,
			struct error *err);
/* The exit status; or -1, when nothing is left of what was made (what is, is named in the message). */
int upload_command_run(struct setup *setup, const char *config_path, const struct upload_command *command, struct error *err);

#endif
