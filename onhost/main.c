/* SPDX-License-Identifier: Apache-2.0 */
/* onhost: command line, signals, standard streams, exit status. What the commands do is in commands.c. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/cancel.h"
#include "common/cleanup.h"
#include "common/deadline.h"
#include "common/http.h"
#include "common/log.h"
#include "common/runtime.h"
#include "onhost/commands.h"
#include "onhost/options.h"

#define STATUS_USAGE 2
#define STATUS_SIGNAL 128 /* and the signal's number */

/* The one object with static storage: a signal handler can be handed nothing. */
static struct cancel cancel = { .read_fd = -1, .write_fd = -1 };

static void on_signal(int signal)
{
	int saved = errno;
	cancel_raise(&cancel, signal);
	errno = saved;
}

static int catch_signals(struct error *err)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP };
	struct sigaction action = { .sa_handler = on_signal };
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	struct sigaction old;

	if (cancel_open(&cancel, err) != 0)
		return -1;
	/* no SA_RESTART: a signal is to end waits */
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		/* whoever started us may have wanted one ignored (nohup) */
		if (sigaction(signals[i], NULL, &old) != 0 ||
		    (old.sa_handler != SIG_IGN && sigaction(signals[i], &action, NULL) != 0))
			return error_errno(err, ERROR_INTERNAL, errno, "cannot catch signals");
	}
	if (sigaction(SIGPIPE, &ignore, NULL) != 0)
		return error_errno(err, ERROR_INTERNAL, errno, "cannot ignore SIGPIPE");
	return 0;
}

static int exit_status(const struct error *error)
{
	switch (error->kind) {
	case ERROR_INVALID_CALL:
		return STATUS_USAGE;
	case ERROR_IMAGE:
		return 3;
	case ERROR_DEVICE_REFUSED:
		return 4;
	case ERROR_NO_DEVICE:
		return 5;
	case ERROR_IO:
		return 6;
	case ERROR_METADATA:
		return 7;
	case ERROR_PROTOCOL:
		return 8;
	case ERROR_SANDBOX:
		return 9;
	case ERROR_CANCELLED:
		return STATUS_SIGNAL + (int)cancel.signal;
	default:
		return 1;
	}
}

static void print_statuses(FILE *out)
{
	fputs("\nExit status: 0 done; 1 another failure; 2 usage; 3 the image is refused; 4 the device is refused;\n"
	      "5 the device did not come; 6 reading or writing failed; 7 no instance metadata; 8 the session's\n"
	      "protocol was broken; 9 privileges could not be dropped; 128 and the signal's number when stopped.\n",
	      out);
}

static void print_usage(FILE *out)
{
	size_t count;
	const struct command *commands = commands_list(&count);

	fputs("onhost " CPI_VERSION ": writes BOSH stemcells onto EBS volumes, on the EC2 instance that they are\n"
	      "attached to.\n\nUsage: onhost COMMAND [OPTION…]\n\n", out);
	for (size_t i = 0; i < count; i++)
		fprintf(out, "  %-12s %s\n", commands[i].name, commands[i].summary);
	fputs("\n`onhost COMMAND --help` lists a command's options, `onhost --version` tells the version.\n", out);
	print_statuses(out);
}

static void print_help(const struct command *command)
{
	printf("Usage: onhost %s %s\n\n%s: %s.\n%s\n", command->name, command->usage, command->name, command->summary,
	       command->details);
	options_print(stdout, command->options);
	print_statuses(stdout);
}

static int run(const struct command *command, const struct options *options, struct log *log, const struct clock *clock,
	       struct error *err)
{
	struct http_transport http;
	struct runtime runtime = { .log = log, .clock = clock, .cancel = &cancel, .http = NULL };

	if (!command->http)
		return command->run(&runtime, options, err);
	if (http_open(&http, err) != 0)
		return -1;
	runtime.http = &http;
	int status = command->run(&runtime, options, err);
	http_close(&http);
	return status;
}

static int fail(const struct command *command, struct log *log, const struct error *error)
{
	if (error->kind == ERROR_INVALID_CALL)
		fprintf(stderr, "onhost %s: %s\nTry `onhost %s --help`.\n", command->name, error->message,
			command->name);
	else if (command->log_info)
		log_error(log, "%s", error->message);
	else
		fprintf(stderr, "onhost %s: %s\n", command->name, error->message);
	return exit_status(error);
}

static int run_command(const struct command *command, int argc, char *argv[])
{
	struct options options;
	struct error error = { .kind = ERROR_NONE };
	struct clock clock;
	struct log log;

	clock_system(&clock);
	log_init(&log, STDERR_FILENO, command->log_info ? LOG_LEVEL_INFO : LOG_LEVEL_WARN, &clock);
	if (options_parse(argc, argv, command->options, &options, &error) != 0)
		return fail(command, &log, &error);
	if (options.help) {
		print_help(command);
		return fflush(stdout) == 0 ? 0 : 1;
	}
	if (options.verbose)
		log.level = LOG_LEVEL_DEBUG;
	if (catch_signals(&error) != 0 || run(command, &options, &log, &clock, &error) != 0)
		return fail(command, &log, &error);
	return 0;
}

int main(int argc, char *argv[])
{
	const char *word = argc > 1 ? argv[1] : "";

	if (strcmp(word, "--version") == 0 || strcmp(word, "--help") == 0) {
		if (strcmp(word, "--version") == 0)
			puts("onhost " CPI_VERSION);
		else
			print_usage(stdout);
		return fflush(stdout) == 0 ? 0 : 1;
	}
	const struct command *command = commands_find(word);
	if (command != NULL)
		return run_command(command, argc - 1, argv + 1);
	if (argc > 1)
		fprintf(stderr, "onhost: there is no command %s\n\n", word);
	print_usage(stderr);
	return STATUS_USAGE;
}
