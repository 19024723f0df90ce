/* SPDX-License-Identifier: Apache-2.0 */
#include "cpi/command_line.h"

#include <string.h>
#include <unistd.h>

#include "common/nearest.h"

#define MAX_QUOTED 80 /* bytes of a word that a message repeats */
#define COMPLETE "complete"
#define ALL_COMMANDS (~0U)
#define ONLY(command) (1U << (command))
#define ALL_BUT(command) (ALL_COMMANDS & ~ONLY(command))
#define UPLOAD ONLY(COMMAND_UPLOAD_IMAGE)
#define POLICY ONLY(COMMAND_POLICY)
#define BY_HAND (ONLY(COMMAND_ACTION) | ONLY(COMMAND_CALL))
#define TAG "--tag"

static const struct command_word words[] = {
	{ "check", COMMAND_CHECK, "Is the configuration right, and does AWS take it" },
	{ "policy", COMMAND_POLICY, "Print the IAM policy for what the configuration uses" },
	{ "sweep", COMMAND_SWEEP, "List, or delete, what killed calls have left in the account" },
	{ "timeline", COMMAND_TIMELINE, "Draw where the time went, from a log" },
	{ "upload-image", COMMAND_UPLOAD_IMAGE, "Make a snapshot or an AMI of an image" },
	{ "call", COMMAND_CALL, "Run a method of the CPI by hand" },
	{ "help", COMMAND_HELP, "Show a summary, or what an action takes" },
	{ "version", COMMAND_VERSION, "Show the version" },
};

/* --tag may come again and again. */
static const struct command_option options[] = {
	{ "--config", ALL_BUT(COMMAND_TIMELINE), 0, offsetof(struct command_line, config), "The configuration, cpi.json" },
	{ "--region", BY_HAND | POLICY, 0, offsetof(struct command_line, region), "The AWS region" },
	{ "--profile", BY_HAND, 0, offsetof(struct command_line, profile), "The profile of ~/.aws whose credentials are taken" },
	{ "--json", ONLY(COMMAND_CHECK) | ONLY(COMMAND_TIMELINE) | UPLOAD | POLICY | ONLY(COMMAND_ACTION),
	  offsetof(struct command_line, json), 0, "JSON, also on a terminal" },
	{ "--api-version", ONLY(COMMAND_CALL), 0, offsetof(struct command_line, api_version), "The version of the CPI API" },
	{ "--list", POLICY, offsetof(struct command_line, policy.list), 0, "List the features" },
	{ "--only", POLICY, 0, offsetof(struct command_line, policy.only), "These features alone" },
	{ "--with", POLICY, 0, offsetof(struct command_line, policy.with), "These features too" },
	{ "--without", POLICY, 0, offsetof(struct command_line, policy.without), "Without these features" },
	{ "--role", POLICY, 0, offsetof(struct command_line, policy.role), "The role that VMs get" },
	{ "--delete", ONLY(COMMAND_SWEEP), offsetof(struct command_line, delete), 0, "Delete what is found" },
	{ "--by-tag", ONLY(COMMAND_SWEEP), offsetof(struct command_line, by_tag), 0, "Look for a Director's tags" },
	{ "--director", ONLY(COMMAND_SWEEP), 0, offsetof(struct command_line, director_uuid), "The Director's UUID" },
	{ "--svg", ONLY(COMMAND_TIMELINE), offsetof(struct command_line, svg), 0, "A picture" },
	{ "--request", ONLY(COMMAND_TIMELINE), 0, offsetof(struct command_line, request_id), "Draw this request alone" },
	{ "--slowest", ONLY(COMMAND_TIMELINE), 0, offsetof(struct command_line, slowest), "Draw so many, the slowest" },
	{ "--name", UPLOAD, 0, offsetof(struct command_line, upload.name), "The AMI's name" },
	{ "--description", UPLOAD, 0, offsetof(struct command_line, upload.description), "Of what is made" },
	{ "--size", UPLOAD, 0, offsetof(struct command_line, upload.size), "The snapshot's size in GiB" },
	{ "--register", UPLOAD, offsetof(struct command_line, upload.make_ami), 0, "Make an AMI" },
	{ "--architecture", UPLOAD, 0, offsetof(struct command_line, upload.architecture), "x86_64 or arm64" },
	{ "--boot-mode", UPLOAD, 0, offsetof(struct command_line, upload.boot_mode), "The AMI's boot mode" },
	{ "--encrypted", UPLOAD, offsetof(struct command_line, upload.encrypted), 0, "Encrypt" },
	{ "--kms-key", UPLOAD | POLICY, 0, offsetof(struct command_line, upload.kms_key), "Encrypt with this key" },
	{ "--skip-zero-blocks", UPLOAD, offsetof(struct command_line, upload.skip_zero_blocks), 0, "Leave out blocks of zeros" },
	{ "--connections", UPLOAD, 0, offsetof(struct command_line, upload.connections), "At most so many at once" },
	{ "--no-resume", UPLOAD, offsetof(struct command_line, upload.no_resume), 0, "Begin again" },
	{ TAG, UPLOAD, 0, 0, "KEY=VALUE; may be repeated" },
};

#define N_WORDS (sizeof(words) / sizeof(words[0]))
#define N_OPTIONS (sizeof(options) / sizeof(options[0]))

static const char help[] =
	"cpi " CPI_VERSION ": the AWS CPI of BOSH\n"
	"\n"
	"usage: cpi [CONFIG]                read one request (JSON) on standard input and answer it on standard output\n"
	"       cpi check [CONFIG] [--json] is the configuration right, and does AWS take it?\n"
	"       cpi policy [CONFIG] [--list] [--only F,... | --with F,...] [--without F,...]\n"
	"                                   print the least IAM policy for what the configuration uses; asks nobody\n"
	"       cpi sweep [CONFIG] [--delete] [--by-tag --director UUID] [ID...]\n"
	"                                   list, or delete, what calls that were killed have left in the account\n"
	"       cpi timeline [FILE] [--svg | --json] [--request ID] [--slowest N]\n"
	"                                   draw where the time went, from a log: bosh task 12 --cpi | cpi timeline\n"
	"       cpi upload-image IMAGE [--register] [--name NAME] [--size GIB] [OPTION...]\n"
	"                                   make a snapshot, or an AMI, of a stemcell's image or a raw disk, without an\n"
	"                                   instance: through the EBS direct APIs\n"
	"       cpi ACTION [--PARAMETER VALUE...] [--config CONFIG] [--region R] [--profile P] [--json]\n"
	"                                   look at, and change, instances, volumes and snapshots; the actions are below\n"
	"       cpi call METHOD [ARGUMENT...] [--config CONFIG] [--region R] [--profile P] [--api-version N]\n"
	"                                   run a method of the CPI by hand; its arguments are JSON\n"
	"       cpi help [ACTION], cpi version    also --help, --version\n"
	"\n"
	"upload-image prints the AMI's or the snapshot's id. Its further options:\n"
	"  --description TEXT, --tag KEY=VALUE       of what is made; --tag may be repeated\n"
	"  --architecture x86_64|arm64, --boot-mode M   of the AMI (x86_64, legacy-bios)\n"
	"  --encrypted, --kms-key ARN                encrypt, with the account's default key or with this one\n"
	"  --skip-zero-blocks                        leave out all blocks of zeros (not on encrypted ones)\n"
	"  --connections N                           at most so many at once, 1 to 64 (32)\n"
	"  --no-resume                               do not go on with the same upload where it was killed\n"
	"  --json                                    the result as JSON\n"
	"\n"
	"CONFIG is the cpi.json that a BOSH release writes; --config CONFIG says the same, for every command. Without it,\n"
	"region and credentials come from the environment. A file named like a command is ./check and so on.\n"
	"\n"
	"A request, as the Director or `bosh create-env` writes it:\n"
	"  echo '{\"method\":\"info\",\"arguments\":[],\"context\":{\"director_uuid\":\"me\"}}' | cpi cpi.json\n"
	"\n"
	"The log goes to standard error; CPI_LOG_LEVEL is debug, info (the default), warn or error. See also: man cpi.\n";

const char *command_line_help(void)
{
	return help;
}

/* --- names -------------------------------------------------------------------------------------------------------- */

const struct command_word *command_line_words(size_t *ret_count)
{
	*ret_count = N_WORDS;
	return words;
}

const struct command_option *command_line_options(size_t *ret_count)
{
	*ret_count = N_OPTIONS;
	return options;
}

bool command_option_fits(const struct command_option *option, enum command command)
{
	return (option->commands & ONLY(command)) != 0;
}

bool command_line_same(const char *name, const char *typed, size_t typed_len)
{
	for (size_t i = 0; i < typed_len; i++) {
		char a = name[i] == '-' ? '_' : name[i];
		char b = typed[i] == '-' ? '_' : typed[i];
		if (a == '\0' || a != b)
			return false;
	}
	return name[typed_len] == '\0';
}

static const struct command_option *find_option(const char *argument)
{
	size_t name_len = strcspn(argument, "=");

	for (size_t i = 0; i < N_OPTIONS; i++) {
		if (strlen(options[i].name) == name_len && strncmp(options[i].name, argument, name_len) == 0)
			return &options[i];
	}
	return NULL;
}

enum command command_line_meaning(const char *word, const struct worker_action **ret_action)
{
	size_t count;
	const struct worker_action *actions = worker_actions(&count);

	for (size_t i = 0; i < N_WORDS; i++) {
		if (strcmp(words[i].name, word) == 0)
			return words[i].command;
	}
	for (size_t i = 0; i < count; i++) {
		if (command_line_same(actions[i].name, word, strlen(word))) {
			*ret_action = &actions[i];
			return COMMAND_ACTION;
		}
	}
	return COMMAND_SERVE;
}

static int unknown_word(const char *word, bool or_file, struct error *err)
{
	struct nearest nearest = NEAREST_INIT(word);
	char question[NEAREST_QUESTION_SIZE];

	for (size_t i = 0; i < N_WORDS; i++)
		nearest_try(&nearest, words[i].name);
	worker_actions_try(&nearest);
	return error_set(err, ERROR_INVALID, "there is no command%s %.*s%s", or_file ? " or file" : "", MAX_QUOTED, word,
			 nearest_question(&nearest, "; did you mean ", question));
}

/* A slip of the finger, and no configuration: those are paths, and a Director waits for an answer about one that is missing. */
static bool is_mistyped(const char *word)
{
	return strpbrk(word, "./") == NULL && access(word, F_OK) != 0;
}

/* The first word that is neither an option nor the value of one; NULL: there is none. */
static const char *first_word(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const char *word = argv[i];
		if (strcmp(word, "--") == 0)
			return i + 1 < argc ? argv[i + 1] : NULL;
		if (word[0] != '-' || word[1] == '\0')
			return word;
		const struct command_option *option = find_option(word);
		if (option != NULL && option->flag == 0 && strchr(word, '=') == NULL)
			i++;
	}
	return NULL;
}

static int take_command(int argc, char **argv, struct command_line *line, struct error *err)
{
	const char *word = first_word(argc, argv);

	line->command = word == NULL ? COMMAND_SERVE : command_line_meaning(word, &line->action);
	if (word != NULL && line->command == COMMAND_SERVE && is_mistyped(word))
		return unknown_word(word, true, err);
	return 0;
}

/* --- options ------------------------------------------------------------------------------------------------------ */

static int take_tag(const char *value, struct command_upload *upload, struct error *err)
{
	if (upload->n_tags == COMMAND_MAX_TAGS)
		return error_set(err, ERROR_INVALID, "EC2 takes at most %d tags", COMMAND_MAX_TAGS);
	upload->tags[upload->n_tags++] = value;
	return 0;
}

/* What begins like an option is no value, unless it stands behind "=": then a value has been forgotten. */
static int take_parameter(int argc, char **argv, int *at, struct command_line *line, struct error *err)
{
	const char *argument = argv[*at];
	const char *equals = strchr(argument, '=');
	struct command_parameter parameter = { .option = argument, .option_len = strcspn(argument, "=") };

	if (line->n_parameters == COMMAND_MAX_PARAMETERS)
		return error_set(err, ERROR_INVALID, "%.*s is one option too many", MAX_QUOTED, argument);
	if (equals != NULL)
		parameter.value = equals + 1;
	else if (*at + 1 < argc && strncmp(argv[*at + 1], "--", 2) != 0)
		parameter.value = argv[++*at];
	line->parameters[line->n_parameters++] = parameter;
	return 0;
}

static int unknown_option(const char *argument, enum command command, struct error *err)
{
	char name[MAX_QUOTED + 1];
	char question[NEAREST_QUESTION_SIZE];
	struct nearest nearest = NEAREST_INIT(name);

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(argument, "="), argument);
	for (size_t i = 0; i < N_OPTIONS; i++) {
		if (command_option_fits(&options[i], command))
			nearest_try(&nearest, options[i].name);
	}
	return error_set(err, ERROR_INVALID, "there is no option %.*s%s", MAX_QUOTED, argument,
			 nearest_question(&nearest, "; did you mean ", question));
}

/* Takes the option at argv[*at] and moves *at to the last word that belongs to it. */
static int take_option(int argc, char **argv, int *at, struct command_line *line, unsigned *seen, struct error *err)
{
	const char *argument = argv[*at];
	const char *equals = strchr(argument, '=');
	const struct command_option *option = find_option(argument);

	if (line->command == COMMAND_ACTION && (option == NULL || !command_option_fits(option, COMMAND_ACTION)))
		return take_parameter(argc, argv, at, line, err);
	if (option == NULL)
		return unknown_option(argument, line->command, err);
	*seen |= 1U << (option - options);
	if (option->flag != 0) {
		if (equals != NULL)
			return error_set(err, ERROR_INVALID, "%s takes no value", option->name);
		*(bool *)((char *)line + option->flag) = true;
		return 0;
	}
	const char *value = equals != NULL ? equals + 1 : *at + 1 < argc ? argv[++*at] : NULL;
	if (value == NULL || value[0] == '\0')
		return error_set(err, ERROR_INVALID, "%s needs a value", option->name);
	if (option->value == 0)
		return take_tag(value, &line->upload, err);
	*(const char **)((char *)line + option->value) = value;
	return 0;
}

static bool is_help(const char *argument)
{
	return strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0;
}

/* What is asked for in place of the command. */
static void ask_for(enum command wanted, struct command_line *line)
{
	line->topic = wanted == COMMAND_HELP && line->command != COMMAND_VERSION ? line->command : COMMAND_SERVE;
	line->command = wanted;
}

/* Sorts argv into options and positional arguments; the latter end up in argv[1..*ret_count]. */
static int sort_arguments(int argc, char **argv, struct command_line *line, unsigned *seen, int *ret_count,
			  struct error *err)
{
	enum command wanted = line->command;
	int count = 0;
	bool options_end = false;

	for (int i = 1; i < argc; i++) {
		if (options_end || argv[i][0] != '-' || argv[i][1] == '\0') {
			argv[++count] = argv[i];
		} else if (strcmp(argv[i], "--") == 0) {
			options_end = true;
		} else if (is_help(argv[i])) {
			wanted = COMMAND_HELP;
		} else if (strcmp(argv[i], "--version") == 0) {
			if (wanted != COMMAND_HELP)
				wanted = COMMAND_VERSION;
		} else if (take_option(argc, argv, &i, line, seen, err) != 0) {
			return -1;
		}
	}
	if (wanted != line->command)
		ask_for(wanted, line);
	*ret_count = count;
	return 0;
}

/* --- positional arguments ----------------------------------------------------------------------------------------- */

static void take_rest(char **argv, int at, int count, struct command_line *line)
{
	line->arguments = (const char *const *)&argv[at];
	line->n_arguments = (size_t)(count - at + 1);
}

static int take_call(char **argv, int at, int count, struct command_line *line, struct error *err)
{
	if (at > count)
		return error_set(err, ERROR_INVALID, "call needs a METHOD");
	line->method = argv[at];
	take_rest(argv, at + 1, count, line);
	return 0;
}

/* What is left after the command's own word: CONFIG, and for sweep ids; timeline's log; upload-image's IMAGE; call's METHOD. */
static int take_positional(char **argv, int at, int count, struct command_line *line, struct error *err)
{
	if (line->command == COMMAND_CALL)
		return take_call(argv, at, count, line, err);
	if (line->command == COMMAND_ACTION) {
		take_rest(argv, at, count, line);
		return 0;
	}
	if (line->command == COMMAND_TIMELINE) {
		if (at <= count)
			line->log = argv[at++];
	} else if (line->command == COMMAND_UPLOAD_IMAGE) {
		if (at > count)
			return error_set(err, ERROR_INVALID, "upload-image needs an IMAGE");
		line->upload.image = argv[at++];
	} else if (at <= count && line->config == NULL) {
		line->config = argv[at++];
	}
	if (line->command == COMMAND_SWEEP) {
		line->ids = (const char *const *)&argv[at];
		line->n_ids = (size_t)(count - at + 1);
	} else if (at <= count) {
		return error_set(err, ERROR_INVALID, "%s is one argument too many", argv[at]);
	}
	return 0;
}

static int check_fit(const struct command_line *line, unsigned seen, struct error *err)
{
	for (size_t i = 0; i < N_OPTIONS; i++) {
		if ((seen & 1U << i) != 0 && !command_option_fits(&options[i], line->command))
			return error_set(err, ERROR_INVALID, "%s does not go with this command", options[i].name);
	}
	if (line->by_tag != (line->director_uuid != NULL))
		return error_set(err, ERROR_INVALID, "--by-tag and --director go together");
	return 0;
}

/* --- the line ----------------------------------------------------------------------------------------------------- */

/* `cpi help WORD` */
static int take_topic(char **argv, int count, struct command_line *line, struct error *err)
{
	if (count < 2 || strcmp(argv[1], "help") != 0)
		return 0;
	line->topic = command_line_meaning(argv[2], &line->action);
	return line->topic == COMMAND_SERVE ? unknown_word(argv[2], false, err) : 0;
}

/* The words to complete are no options of ours. */
static bool is_completion(int argc, char **argv, struct command_line *line)
{
	if (argc < 2 || strcmp(argv[1], COMPLETE) != 0)
		return false;
	line->command = COMMAND_COMPLETE;
	line->arguments = (const char *const *)&argv[2];
	line->n_arguments = (size_t)(argc - 2);
	return true;
}

int command_line_parse(int argc, char **argv, struct command_line *ret_line, struct error *err)
{
	struct command_line line = { .command = COMMAND_SERVE };
	unsigned seen = 0;
	int count;

	if (is_completion(argc, argv, &line)) {
		*ret_line = line;
		return 0;
	}
	if (take_command(argc, argv, &line, err) != 0)
		return -1;
	int at = line.command == COMMAND_SERVE ? 1 : 2;
	if (sort_arguments(argc, argv, &line, &seen, &count, err) != 0)
		return -1;
	if (line.command == COMMAND_HELP && take_topic(argv, count, &line, err) != 0)
		return -1;
	if (line.command != COMMAND_HELP && line.command != COMMAND_VERSION &&
	    (take_positional(argv, at, count, &line, err) != 0 || check_fit(&line, seen, err) != 0))
		return -1;
	*ret_line = line;
	return 0;
}
