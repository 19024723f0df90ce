/* SPDX-License-Identifier: Apache-2.0 */
/* One table holds all options; each command allows some of them. There are only long ones: the letters are for the
 * lists of what is allowed. */
#include "onhost/options.h"

#include <getopt.h>
#include <string.h>

#include "common/parse.h"
#include "common/nearest.h"

#define N_OPTIONS (sizeof(known) / sizeof(known[0]))
#define MAX_TIMEOUT_S ((uint64_t)86400)

static const struct known {
	char letter;
	const char *name;
	const char *value; /* NULL: takes none */
	const char *help;
} known[] = {
	{ 'v', "volume", "ID", "the EBS volume, vol-…: its device is waited for" },
	{ 'd', "device", "PATH", "the block device" },
	{ 'n', "device-name", "NAME", "the name given to AttachVolume, such as /dev/sdf (needed on Xen)" },
	{ 'i', "image", "FILE", "the stemcell image; - is standard input (the default where one is needed)" },
	{ 't', "timeout", "SECONDS", "how long to wait for the volume's device (60)" },
	{ 'r', "fresh", NULL, "the volume is new: holes of the archive, and free blocks of zeros, need not be written" },
	{ 'b', "blocks", NULL, "for cpi: only what a snapshot needs of the image, as records of 512 KiB" },
	{ 'e', "encrypted", NULL, "the volume (snapshot) is encrypted: it need not read as zeros; holes in use are written" },
	{ 'z', "skip-zero-blocks", NULL, "leave out all blocks of zeros (a volume's only with --fresh; not with --encrypted)" },
	{ 'f', "force", NULL, "overwrite a device that is not blank; one that is in use is refused all the same" },
	{ 's', "digest", NULL, "tell the SHA-256 of the disk image itself too" },
	{ OPTION_JSON, "json", NULL, "the result as a line of JSON; progress and errors too, to standard error" },
	{ 'l', "lab", NULL, "the test lab: take the by-id links for the volumes' identity" },
	{ 'L', "lab-devices", "DIR", "the test lab: its links are in DIR and may lead to regular files" },
	{ 'V', "verbose", NULL, "log what is done, to standard error" },
	{ 'h', "help", NULL, "this text" },
};

static int set_timeout(struct options *options, const char *value, struct error *err)
{
	uint64_t seconds;

	if (!parse_u64(value, &seconds) || seconds == 0 || seconds > MAX_TIMEOUT_S)
		return error_set(err, ERROR_INVALID_CALL, "--timeout %s: give whole seconds, 1 to %llu", value,
				 (unsigned long long)MAX_TIMEOUT_S);
	options->timeout_ms = (int64_t)seconds * 1000;
	return 0;
}

static int set_volume(struct options *options, const char *value, struct error *err)
{
	if (!parse_aws_id(value, "vol-"))
		return error_set(err, ERROR_INVALID_CALL,
				 "--volume %s: not the id of an EBS volume (vol- and 8 or 17 hexadecimal digits)",
				 value);
	options->volume = value;
	return 0;
}

static void set_text(struct options *options, char letter, const char *value)
{
	switch (letter) {
	case 'd':
		options->device = value;
		break;
	case 'n':
		options->device_name = value;
		break;
	case 'i':
		options->image = value;
		break;
	default:
		options->lab_devices = value;
		options->lab = true;
	}
}

static void set_flag(struct options *options, char letter)
{
	switch (letter) {
	case 'r':
		options->fresh = true;
		break;
	case 'b':
		options->blocks = true;
		break;
	case 'e':
		options->encrypted = true;
		break;
	case 'z':
		options->skip_zero_blocks = true;
		break;
	case 'f':
		options->force = true;
		break;
	case 's':
		options->digest = true;
		break;
	case OPTION_JSON:
		options->json = true;
		break;
	case 'l':
		options->lab = true;
		break;
	case 'V':
		options->verbose = true;
		break;
	default:
		options->help = true;
	}
}

static int set_option(struct options *options, const struct known *option, const char *value, struct error *err)
{
	switch (option->letter) {
	case 't':
		return set_timeout(options, value, err);
	case 'v':
		return set_volume(options, value, err);
	default:
		if (option->value == NULL)
			set_flag(options, option->letter);
		else
			set_text(options, option->letter, value);
		return 0;
	}
}

static const struct known *find_known(const char *name, size_t len)
{
	for (size_t i = 0; i < N_OPTIONS; i++) {
		if (strlen(known[i].name) == len && strncmp(known[i].name, name, len) == 0)
			return &known[i];
	}
	return NULL;
}

/* The word is an option that this command does not have, or that is none at all. */
static int refuse_word(const char *word, const char *allowed, struct error *err)
{
	const char *name = word + strspn(word, "-");
	const size_t len = strcspn(name, "=");
	char text[64];

	if (find_known(name, len) != NULL)
		return error_set(err, ERROR_INVALID_CALL, "the option --%.*s is not one of this command's", (int)len, name);
	snprintf(text, sizeof(text), "%.*s", (int)len, name);
	struct nearest nearest = NEAREST_INIT(text);
	for (size_t i = 0; i < N_OPTIONS; i++) {
		if (strchr(allowed, known[i].letter) != NULL)
			nearest_try(&nearest, known[i].name);
	}
	if (nearest.name != NULL)
		return error_set(err, ERROR_INVALID_CALL, "there is no option %s. Did you mean --%s?", word, nearest.name);
	return error_set(err, ERROR_INVALID_CALL, "there is no option %s, or it is short for several", word);
}

/* result is what getopt_long gave, and optopt the option that it was about, if any. */
static int refuse(int result, int about, const char *word, const char *allowed, struct error *err)
{
	const struct known *option = about >= 1 && about <= (int)N_OPTIONS ? &known[about - 1] : NULL;

	if (option != NULL && result == ':')
		return error_set(err, ERROR_INVALID_CALL, "--%s needs a value: --%s %s", option->name, option->name,
				 option->value);
	if (option != NULL && option->value == NULL)
		return error_set(err, ERROR_INVALID_CALL, "--%s takes no value, and %s gives it one", option->name, word);
	return refuse_word(word, allowed, err);
}

int options_parse(int argc, char *const argv[], const char *allowed, struct options *ret_options, struct error *err)
{
	struct option list[N_OPTIONS + 1] = { { NULL, 0, NULL, 0 } };
	struct options options = { .volume = NULL };
	size_t count = 0;
	int index;

	for (size_t i = 0; i < N_OPTIONS; i++) {
		if (strchr(allowed, known[i].letter) != NULL)
			list[count++] = (struct option){
				.name = known[i].name,
				.has_arg = known[i].value == NULL ? no_argument : required_argument,
				.val = (int)i + 1,
			};
	}
	opterr = 0;
	optind = 0; /* glibc: start anew, with another list */
	while ((index = getopt_long(argc, argv, "+:", list, NULL)) != -1) {
		if (index < 1 || index > (int)N_OPTIONS)
			return refuse(index, optopt, argv[optind - 1], allowed, err);
		if (set_option(&options, &known[index - 1], optarg, err) != 0)
			return -1;
	}
	if (optind < argc)
		return error_set(err, ERROR_INVALID_CALL, "unexpected argument: %s", argv[optind]);
	*ret_options = options;
	return 0;
}

void options_print(FILE *out, const char *allowed)
{
	for (size_t i = 0; i < N_OPTIONS; i++) {
		char text[64];
		if (strchr(allowed, known[i].letter) == NULL)
			continue;
		snprintf(text, sizeof(text), "--%s%s%s", known[i].name, known[i].value == NULL ? "" : " ",
			 known[i].value == NULL ? "" : known[i].value);
		fprintf(out, "  %-20s %s\n", text, known[i].help);
	}
}
