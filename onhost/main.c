/* SPDX-License-Identifier: Apache-2.0 */
/* onhost: command line, signals, standard streams, exit status. What the commands do is in commands.c. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/cancel.h"
#include "common/cleanup.h"
#include "common/deadline.h"
#include "common/http.h"
#include "common/io.h"
#include "common/log.h"
#include "common/runtime.h"
#include "onhost/commands.h"
#include "onhost/exit_status.h"
#include "common/nearest.h"
#include "onhost/options.h"
#include "onhost/result.h"

#define MESSAGE_MAX ((size_t)65536)

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
	struct sigaction normal = { .sa_handler = SIG_DFL };
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
	/* where it is ignored, nobody can wait for a child */
	if (sigaction(SIGCHLD, &normal, NULL) != 0)
		return error_errno(err, ERROR_INTERNAL, errno, "cannot set SIGCHLD to its default");
	return 0;
}

static void print_usage(FILE *out)
{
	size_t count;
	const struct command *commands = commands_list(&count);

	fputs("onhost " CPI_VERSION ": writes BOSH stemcells onto EBS volumes, on the EC2 instance that they are\n"
	      "attached to.\n\nUsage: onhost COMMAND [OPTION…]\n\n", out);
	for (size_t i = 0; i < count; i++)
		fprintf(out, "  %-12s %s\n", commands[i].name, commands[i].summary);
	fputs("\n`onhost COMMAND --help` lists a command's options, `onhost --version` tells the version.\n"
	      "Example: onhost write --volume vol-0123456789abcdef0 --fresh --image stemcell/image\n",
	      out);
	exit_status_print(out);
}

static void print_help(const struct command *command)
{
	printf("Usage: onhost %s %s\n\n%s: %s.\n%s\nExample: %s\n\n", command->name, command->usage, command->name,
	       command->summary, command->details, command->example);
	options_print(stdout, command->options);
	exit_status_print(stdout);
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

static void say_as_json(const struct error *error)
{
	struct buf text CLEANUP_BUF = BUF_INIT(MESSAGE_MAX);

	result_of_error_as_json(error, &text);
	(void)io_write_all(STDERR_FILENO, text.data, text.len, "a message", NULL);
}

static int fail(const struct command *command, bool json, struct log *log, const struct error *error)
{
	if (json)
		say_as_json(error);
	else if (error->kind == ERROR_INVALID_CALL)
		fprintf(stderr, "onhost %s: %s\nTry `onhost %s --help`.\n", command->name, error->message, command->name);
	else if (command->log_info)
		log_error(log, "%s", error->message);
	else
		fprintf(stderr, "onhost %s: %s\n", command->name, error->message);
	return exit_status_of(error->kind, (int)cancel.signal);
}

/* What was printed must have gone out. */
static int end_output(void)
{
	if (fflush(stdout) == 0)
		return EXIT_STATUS_DONE;
	fprintf(stderr, "onhost: cannot write to standard output: %s\n", strerror(errno));
	return EXIT_STATUS_OTHER;
}

/* Also where the command line is wrong and so has no options: whoever reads JSON wants that error as JSON too. */
static bool asks_for_json(const struct command *command, int argc, char *const argv[])
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--json") == 0)
			return strchr(command->options, OPTION_JSON) != NULL;
	}
	return false;
}

static int run_command(const struct command *command, int argc, char *argv[])
{
	const bool json = asks_for_json(command, argc, argv);
	struct options options;
	struct error error = { .kind = ERROR_NONE };
	struct clock clock;
	struct log log;

	clock_system(&clock);
	log_init(&log, STDERR_FILENO, command->log_info ? LOG_LEVEL_INFO : LOG_LEVEL_WARN, &clock);
	if (options_parse(argc, argv, command->options, &options, &error) != 0)
		return fail(command, json, &log, &error);
	if (options.help) {
		print_help(command);
		return end_output();
	}
	if (options.verbose)
		log.level = LOG_LEVEL_DEBUG;
	if (catch_signals(&error) != 0 || run(command, &options, &log, &clock, &error) != 0)
		return fail(command, json || options.json, &log, &error);
	return EXIT_STATUS_DONE;
}

static int unknown_command(const char *word)
{
	size_t count;
	const struct command *commands = commands_list(&count);
	struct nearest nearest = NEAREST_INIT(word);

	for (size_t i = 0; i < count; i++)
		nearest_try(&nearest, commands[i].name);
	if (nearest.name != NULL)
		fprintf(stderr, "onhost: there is no command %s. Did you mean %s?\nTry `onhost --help`.\n", word, nearest.name);
	else
		fprintf(stderr, "onhost: there is no command %s.\nTry `onhost --help`.\n", word);
	return EXIT_STATUS_USAGE;
}

static bool is_one_of(const char *word, const char *const names[])
{
	while (*names != NULL && strcmp(word, *names) != 0)
		names++;
	return *names != NULL;
}

int main(int argc, char *argv[])
{
	static const char *const helps[] = { "--help", "-h", "help", NULL };
	static const char *const versions[] = { "--version", "version", NULL };
	const char *word = argc > 1 ? argv[1] : "";
	const struct command *command = commands_find(word);

	if (command != NULL)
		return run_command(command, argc - 1, argv + 1);
	if (argc < 2) {
		print_usage(stderr);
		return EXIT_STATUS_USAGE;
	}
	if (is_one_of(word, versions)) {
		puts("onhost " CPI_VERSION);
		return end_output();
	}
	if (!is_one_of(word, helps))
		return unknown_command(word);
	command = argc > 2 ? commands_find(argv[2]) : NULL;
	if (argc > 2 && command == NULL)
		return unknown_command(argv[2]);
	if (command != NULL)
		print_help(command);
	else
		print_usage(stdout);
	return end_output();
}
