/* SPDX-License-Identifier: Apache-2.0 */
/* The program: its signals, its standard streams, and which command is meant. What a command does is in serve.c,
 * check.c, policy_command.c, upload_command.c, action_command.c, call_command.c and methods/sweep.c. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <strings.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif
#include <sys/resource.h>
#include <unistd.h>

#include "common/cancel.h"
#include "common/io.h"
#include "common/log.h"
#include "common/runtime.h"
#include "cpi/action_command.h"
#include "cpi/action_help.h"
#include "cpi/call_command.h"
#include "cpi/check.h"
#include "cpi/methods/sweep.h"
#include "cpi/command_line.h"
#include "cpi/complete.h"
#include "cpi/policy_command.h"
#include "cpi/serve.h"
#include "cpi/setup.h"
#include "cpi/timeline/timeline.h"
#include "cpi/upload_command.h"

#define EXIT_USAGE 2
#define TEXT_MAX ((size_t)256 * 1024)
/* The tree of the largest request, one-digit numbers only, takes over a hundred bytes for each of them. */
#define ARENA_MAX_BYTES ((size_t)1536 * 1024 * 1024)

/* The one variable that has to be reached from outside: by the signal handler. */
static struct cancel *signalled;

static void on_signal(int signal)
{
	cancel_raise(signalled, signal);
}

/* SIGHUP and SIGINT that somebody ignores (nohup, a shell's background job) stay ignored. */
static int catch_signals(struct cancel *cancel, struct error *err)
{
	static const int stopping[] = { SIGTERM, SIGINT, SIGHUP };
	struct sigaction action = { .sa_handler = on_signal };
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	struct sigaction before;

	if (cancel_open(cancel, err) != 0)
		return -1;
	signalled = cancel;
	sigemptyset(&action.sa_mask);
	sigemptyset(&ignore.sa_mask);
	/* a reader that went away shows in write's result */
	sigaction(SIGPIPE, &ignore, NULL);
	for (size_t i = 0; i < sizeof(stopping) / sizeof(stopping[0]); i++) {
		if (sigaction(stopping[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
			sigaction(stopping[i], &action, NULL);
	}
	return 0;
}

/* A standard stream that is closed would be taken by the next file that is opened. Standard output gets a descriptor
 * that cannot be written, so that a lost answer is noticed. */
static void hold_standard_streams(void)
{
	static const int modes[] = { O_RDONLY, O_RDONLY, O_WRONLY };

	for (int fd = 0; fd <= 2; fd++) {
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", modes[fd]) < 0)
			_exit(EXIT_FAILURE);
	}
}

/* Credentials are in this process's memory. */
static void forbid_core_dumps(void)
{
	struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
#ifdef __linux__
	/* a program that takes dumps (a pipe in core_pattern) gets them in spite of the limit; nor may a debugger come */
	prctl(PR_SET_DUMPABLE, 0);
#endif
}

/* A person reads what check and sweep print; the log is for when something is wrong. */
static enum log_level wanted_level(enum command command)
{
	static const char *const names[] = { "debug", "info", "warn", "error" };
	const char *wanted = getenv("CPI_LOG_LEVEL");

	for (size_t i = 0; wanted != NULL && i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcasecmp(wanted, names[i]) == 0)
			return (enum log_level)i;
	}
	return command == COMMAND_SERVE ? LOG_LEVEL_INFO : LOG_LEVEL_WARN;
}

static int say(int fd, const char *text)
{
	struct error err;

	return io_write_all(fd, text, strlen(text), "the output", &err) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int usage_error(const struct error *err, const char *topic)
{
	size_t len = strlen(err->message);
	bool asks = len > 0 && err->message[len - 1] == '?';

	fprintf(stderr, "cpi: %s%s see cpi %s%s--help\n", err->message, asks ? "" : ";", topic, *topic == '\0' ? "" : " ");
	return EXIT_USAGE;
}

/* --- commands --- */

static int run_serve(struct setup *setup, const struct command_line *line)
{
	struct serve_options serve = {
		.config_path = line->config,
		.in_fd = STDIN_FILENO,
		.out_fd = STDOUT_FILENO,
	};

	if (isatty(STDIN_FILENO)) {
		fprintf(stderr, "cpi: a request is expected on standard input, which is a terminal\n\n%s",
			command_line_help());
		return EXIT_USAGE;
	}
	return serve_request(setup, &serve);
}

static int run_check(struct setup *setup, const struct command_line *line, struct error *err)
{
	struct check_options check = {
		.config_path = line->config,
		.json = line->json,
		.terminal = isatty(STDOUT_FILENO),
		.out_fd = STDOUT_FILENO,
	};
	bool fine = false;

	if (check_run(setup, &check, &fine, err) != 0)
		return -1;
	return fine ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int run_sweep(struct setup *setup, const struct command_line *line, struct error *err)
{
	struct sweep_options sweep = {
		.delete_found = line->delete,
		.by_tag = line->by_tag,
		.director_uuid = line->director_uuid,
		.ids = line->ids,
		.n_ids = line->n_ids,
		.out_fd = STDOUT_FILENO,
	};

	if (setup_config(setup, line->config, NULL, err) != 0 || setup_aws(setup, err) != 0)
		return -1;
	return sweep_run(setup->runtime, &setup->ec2, &sweep, err);
}

static int run_upload(struct setup *setup, const struct command_line *line, struct error *err)
{
	struct upload_command upload;

	if (upload_command_read(line, setup->arena, &upload, err) != 0)
		return usage_error(err, "");
	return upload_command_run(setup, line->config, &upload, err);
}

static int run_action(struct setup *setup, const struct command_line *line, struct error *err)
{
	const struct json *arguments;

	if (action_command_read(line, setup->arena, &arguments, err) != 0)
		return usage_error(err, line->action->name);
	return action_command_run(setup, line, arguments);
}

static int run_policy(struct setup *setup, const struct command_line *line, struct error *err)
{
	if (policy_command_run(setup, line, STDOUT_FILENO, err) == 0)
		return EXIT_SUCCESS;
	return err->kind == ERROR_INVALID ? usage_error(err, "policy") : -1;
}

static int run_by_hand(struct setup *setup, const struct command_line *line, struct error *err)
{
	struct call_command call;

	if (call_command_read(line, setup->arena, &call, err) != 0)
		return usage_error(err, "call");
	return call_command_run(setup, line, &call);
}

/* For commands of people: what failed is said in one line, and not as an answer to a Director. */
static int run_command(struct setup *setup, const struct command_line *line)
{
	struct error err;
	int status;

	if (line->command == COMMAND_CHECK)
		status = run_check(setup, line, &err);
	else if (line->command == COMMAND_POLICY)
		status = run_policy(setup, line, &err);
	else if (line->command == COMMAND_UPLOAD_IMAGE)
		status = run_upload(setup, line, &err);
	else if (line->command == COMMAND_ACTION)
		status = run_action(setup, line, &err);
	else if (line->command == COMMAND_CALL)
		status = run_by_hand(setup, line, &err);
	else
		status = run_sweep(setup, line, &err);
	setup_close(setup);
	if (status >= 0)
		return status;
	log_redact(setup->runtime->log, err.message, sizeof(err.message));
	fprintf(stderr, "cpi: %s\n", err.message);
	return EXIT_FAILURE;
}

static int run(const struct command_line *line, struct error *err)
{
	CLEANUP_ARENA struct arena *arena = arena_new(ARENA_MAX_BYTES);
	struct cancel cancel;
	struct clock clock;
	struct log log;

	if (arena == NULL)
		return error_nomem(err);
	if (catch_signals(&cancel, err) != 0)
		return -1;
	clock_system(&clock);
	log_init(&log, STDERR_FILENO, wanted_level(line->command), &clock);
	struct runtime runtime = { .log = &log, .clock = &clock, .cancel = &cancel };
	struct setup setup = { .runtime = &runtime, .clock = &clock, .arena = arena };
	return line->command == COMMAND_SERVE ? run_serve(&setup, line) : run_command(&setup, line);
}

/* Without the signals' handlers: nothing has to be taken back, and a pager that is left ends the drawing too. */
static int run_timeline(const struct command_line *line)
{
	struct timeline_options timeline = {
		.path = line->log,
		.only_id = line->request_id,
		.slowest = line->slowest,
		.svg = line->svg,
		.json = line->json,
	};
	struct error err;

	if (timeline_run(&timeline, &err) == 0)
		return EXIT_SUCCESS;
	fprintf(stderr, "cpi: %s\n", err.message);
	return EXIT_FAILURE;
}

static int print(const struct buf *text)
{
	return text->failed ? EXIT_FAILURE : say(STDOUT_FILENO, buf_text(text));
}

static int run_help(const struct command_line *line)
{
	CLEANUP_BUF struct buf text = BUF_INIT(TEXT_MAX);

	if (line->topic == COMMAND_ACTION) {
		action_help_write(line->action, &text);
	} else if (line->topic == COMMAND_POLICY) {
		policy_command_help(&text);
	} else if (line->topic == COMMAND_CALL) {
		call_command_help(&text);
	} else {
		buf_str(&text, command_line_help());
		action_help_list(&text);
	}
	return print(&text);
}

static int run_complete(const struct command_line *line)
{
	CLEANUP_BUF struct buf text = BUF_INIT(TEXT_MAX);

	complete_write(line->arguments, line->n_arguments, &text);
	return print(&text);
}

int main(int argc, char **argv)
{
	struct command_line line;
	struct error err;

	hold_standard_streams();
	forbid_core_dumps();
	if (command_line_parse(argc, argv, &line, &err) != 0)
		return usage_error(&err, "");
	if (line.command == COMMAND_HELP)
		return run_help(&line);
	if (line.command == COMMAND_COMPLETE)
		return run_complete(&line);
	if (line.command == COMMAND_VERSION)
		return say(STDOUT_FILENO, "cpi " CPI_VERSION "\n");
	if (line.command == COMMAND_TIMELINE)
		return run_timeline(&line);
	int status = run(&line, &err);
	if (status >= 0)
		return status;
	fprintf(stderr, "cpi: %s\n", err.message);
	return EXIT_FAILURE;
}
