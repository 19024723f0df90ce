/* SPDX-License-Identifier: Apache-2.0 */
#include "cpi/command_call.h"

#include <string.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/io.h"
#include "common/json_write.h"
#include "common/log.h"
#include "cpi/rpc/response.h"
#include "cpi/run_call.h"

/* A table is wider than its JSON. */
#define OUTPUT_MAX (4 * RESPONSE_MAX_BYTES)
#define OUTPUT "standard output"
#define FOR_DIRECTORS "Arguments are not correct, got: "

struct running {
	const struct command_call *command;
	struct run_call run;
	bool undeliverable; /* nothing more can be said there */
};

static int show(const struct running *running, const struct buf *result, struct buf *out, struct error *err)
{
	const struct command_call *command = running->command;
	const struct json *root;

	if (command->show == NULL) {
		buf_append(out, result->data, result->len);
		buf_char(out, '\n');
	} else {
		if (json_parse(running->run.setup->arena, result->data, result->len, RESPONSE_MAX_BYTES, &root, err) != 0)
			return -1;
		command->show(command->self, root, out);
	}
	return buf_check(out, "the output", err);
}

/* From the first byte on somebody may know what was made. */
static int deliver(struct running *running, const struct buf *out, struct error *err)
{
	run_call_delivering(&running->run);
	if (io_write_all(STDOUT_FILENO, out->data, out->len, OUTPUT, err) != 0) {
		running->undeliverable = true;
		return error_prefix(err, "the result could not be printed%s",
				    running->run.undo != NULL ? "; what this call has made is removed again" : "");
	}
	run_call_delivered(&running->run);
	return 0;
}

static int run(struct running *running, struct error *err)
{
	CLEANUP_BUF struct buf result = BUF_INIT(RESPONSE_MAX_BYTES);
	CLEANUP_BUF struct buf out = BUF_INIT(OUTPUT_MAX);

	if (run_call(&running->run, &result, err) != 0)
		return -1;
	if (show(running, &result, &out, err) == 0 && deliver(running, &out, err) == 0)
		return 0;
	run_call_undelivered(&running->run, err);
	return -1;
}

static void write_failure(const struct error *failure)
{
	CLEANUP_BUF struct buf out = BUF_INIT(RESPONSE_MAX_BYTES);
	struct json_writer writer;
	struct error err;

	json_writer_init(&writer, &out);
	response_action_failure(failure, &writer);
	buf_char(&out, '\n');
	/* the exit status and standard error say it as well */
	if (buf_check(&out, OUTPUT, &err) == 0)
		(void)io_write_all(STDOUT_FILENO, out.data, out.len, OUTPUT, &err);
}

static int fail(const struct running *running, struct error *failure)
{
	bool for_directors = strncmp(failure->message, FOR_DIRECTORS, strlen(FOR_DIRECTORS)) == 0;

	log_redact(running->run.setup->runtime->log, failure->message, sizeof(failure->message));
	if (running->command->json_failure && !running->undeliverable)
		write_failure(failure);
	fprintf(stderr, "cpi: %s%s\n", for_directors ? "wrong arguments: " : "",
		failure->message + (for_directors ? strlen(FOR_DIRECTORS) : 0));
	return failure->kind == ERROR_INVALID_CALL ? COMMAND_CALL_WRONG : COMMAND_CALL_FAILED;
}

int command_call_run(struct setup *setup, const struct command_call *command)
{
	struct running running = {
		.command = command,
		.run = {
			.setup = setup,
			.config_path = command->config_path,
			.request = command->request,
			.highest_version = command->highest_version,
		},
	};
	struct error failure;

	int status = run(&running, &failure) == 0 ? 0 : fail(&running, &failure);
	run_call_end(&running.run);
	return status;
}
