/* SPDX-License-Identifier: Apache-2.0 */
#include "cpi/command_line.h"

#include <string.h>

#define ALL_COMMANDS (~0U)
#define ONLY(command) (1U << (command))
#define ALL_BUT(command) (ALL_COMMANDS & ~ONLY(command))
#define UPLOAD ONLY(COMMAND_UPLOAD_IMAGE)
#define TAG "--tag"

struct command_name {
	const char *name;
	enum command command;
};

static const struct command_name commands[] = {
	{ "check", COMMAND_CHECK },
	{ "sweep", COMMAND_SWEEP },
	{ "timeline", COMMAND_TIMELINE },
	{ "upload-image", COMMAND_UPLOAD_IMAGE },
	{ "help", COMMAND_HELP },
	{ "version", COMMAND_VERSION },
};

/* A flag sets one of the booleans, the others take a value; --tag may come again and again. */
struct option_name {
	const char *name;
	unsigned commands; /* for which it is allowed */
	size_t flag;       /* offset in struct command_line, 0: it takes a value */
	size_t value; /* 0: of a list */
};

static const struct option_name option_names[] = {
	{ "--config", ALL_BUT(COMMAND_TIMELINE), 0, offsetof(struct command_line, config) },
	{ "--json", ONLY(COMMAND_CHECK) | ONLY(COMMAND_TIMELINE) | ONLY(COMMAND_UPLOAD_IMAGE), offsetof(struct command_line, json), 0 },
	{ "--delete", ONLY(COMMAND_SWEEP), offsetof(struct command_line, delete), 0 },
	{ "--by-tag", ONLY(COMMAND_SWEEP), offsetof(struct command_line, by_tag), 0 },
	{ "--director", ONLY(COMMAND_SWEEP), 0, offsetof(struct command_line, director_uuid) },
	{ "--svg", ONLY(COMMAND_TIMELINE), offsetof(struct command_line, svg), 0 },
	{ "--request", ONLY(COMMAND_TIMELINE), 0, offsetof(struct command_line, request_id) },
	{ "--slowest", ONLY(COMMAND_TIMELINE), 0, offsetof(struct command_line, slowest) },
	{ "--name", UPLOAD, 0, offsetof(struct command_line, upload.name) },
	{ "--description", UPLOAD, 0, offsetof(struct command_line, upload.description) },
	{ "--size", UPLOAD, 0, offsetof(struct command_line, upload.size) },
	{ "--register", UPLOAD, offsetof(struct command_line, upload.make_ami), 0 },
	{ "--architecture", UPLOAD, 0, offsetof(struct command_line, upload.architecture) },
	{ "--boot-mode", UPLOAD, 0, offsetof(struct command_line, upload.boot_mode) },
	{ "--encrypted", UPLOAD, offsetof(struct command_line, upload.encrypted), 0 },
	{ "--kms-key", UPLOAD, 0, offsetof(struct command_line, upload.kms_key) },
	{ "--skip-zero-blocks", UPLOAD, offsetof(struct command_line, upload.skip_zero_blocks), 0 },
	{ "--connections", UPLOAD, 0, offsetof(struct command_line, upload.connections) },
	{ "--no-resume", UPLOAD, offsetof(struct command_line, upload.no_resume), 0 },
	{ TAG, UPLOAD, 0, 0 },
};

static const char help[] =
	"cpi " CPI_VERSION ": the AWS CPI of BOSH\n"
	"\n"
	"usage: cpi [CONFIG]                read one request (JSON) on standard input and answer it on standard output\n"
	"       cpi check [CONFIG] [--json] is the configuration right, and does AWS take it?\n"
	"       cpi sweep [CONFIG] [--delete] [--by-tag --director UUID] [ID...]\n"
	"                                   list, or delete, what calls that were killed have left in the account\n"
	"       cpi timeline [FILE] [--svg | --json] [--request ID] [--slowest N]\n"
	"                                   draw where the time went, from a log: bosh task 12 --cpi | cpi timeline\n"
	"       cpi upload-image IMAGE [--register] [--name NAME] [--size GIB] [OPTION...]\n"
	"                                   make a snapshot, or an AMI, of a stemcell's image or a raw disk, without an\n"
	"                                   instance: through the EBS direct APIs\n"
	"       cpi help, cpi version       also --help, --version\n"
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

static const struct option_name *find_option(const char *argument, size_t name_len)
{
	for (size_t i = 0; i < sizeof(option_names) / sizeof(option_names[0]); i++) {
		const char *name = option_names[i].name;
		if (strlen(name) == name_len && strncmp(name, argument, name_len) == 0)
			return &option_names[i];
	}
	return NULL;
}

static int take_tag(const char *value, struct command_upload *upload, struct error *err)
{
	if (upload->n_tags == COMMAND_MAX_TAGS)
		return error_set(err, ERROR_INVALID, "EC2 takes at most %d tags", COMMAND_MAX_TAGS);
	upload->tags[upload->n_tags++] = value;
	return 0;
}

/* Takes the option at argv[*at] and moves *at to the last word that belongs to it. */
static int take_option(int argc, char **argv, int *at, struct command_line *line, unsigned *seen, struct error *err)
{
	const char *argument = argv[*at];
	const char *equals = strchr(argument, '=');
	size_t name_len = equals == NULL ? strlen(argument) : (size_t)(equals - argument);
	const struct option_name *option = find_option(argument, name_len);

	if (option == NULL)
		return error_set(err, ERROR_INVALID, "there is no option %s", argument);
	*seen |= 1U << (option - option_names);
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

/* Sorts argv into options and positional arguments; the latter end up in argv[1..*ret_count]. */
static int sort_arguments(int argc, char **argv, struct command_line *line, unsigned *seen, int *ret_count,
			  struct error *err)
{
	int count = 0;
	bool options_end = false;

	for (int i = 1; i < argc; i++) {
		if (options_end || argv[i][0] != '-' || argv[i][1] == '\0') {
			argv[++count] = argv[i];
		} else if (strcmp(argv[i], "--") == 0) {
			options_end = true;
		} else if (is_help(argv[i])) {
			line->command = COMMAND_HELP;
		} else if (strcmp(argv[i], "--version") == 0) {
			if (line->command != COMMAND_HELP)
				line->command = COMMAND_VERSION;
		} else if (take_option(argc, argv, &i, line, seen, err) != 0) {
			return -1;
		}
	}
	*ret_count = count;
	return 0;
}

static enum command command_of(const char *word)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(commands[i].name, word) == 0)
			return commands[i].command;
	}
	return COMMAND_SERVE;
}

/* What is left after the command's own word: CONFIG, and for sweep ids; timeline's log; upload-image's IMAGE. */
static int take_positional(char **argv, int at, int count, struct command_line *line, struct error *err)
{
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
	for (size_t i = 0; i < sizeof(option_names) / sizeof(option_names[0]); i++) {
		if ((seen & 1U << i) != 0 && (option_names[i].commands & ONLY(line->command)) == 0)
			return error_set(err, ERROR_INVALID, "%s does not go with this command", option_names[i].name);
	}
	if (line->by_tag != (line->director_uuid != NULL))
		return error_set(err, ERROR_INVALID, "--by-tag and --director go together");
	return 0;
}

int command_line_parse(int argc, char **argv, struct command_line *ret_line, struct error *err)
{
	struct command_line line = { .command = COMMAND_SERVE };
	unsigned seen = 0;
	int count, at = 1;

	if (sort_arguments(argc, argv, &line, &seen, &count, err) != 0)
		return -1;
	if (line.command == COMMAND_SERVE && count > 0) {
		line.command = command_of(argv[1]);
		if (line.command != COMMAND_SERVE)
			at = 2;
	}
	if (line.command != COMMAND_HELP && line.command != COMMAND_VERSION &&
	    (take_positional(argv, at, count, &line, err) != 0 || check_fit(&line, seen, err) != 0))
		return -1;
	*ret_line = line;
	return 0;
}
