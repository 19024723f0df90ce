/* SPDX-License-Identifier: Apache-2.0 */
#include "cpi/action_help.h"

#include <inttypes.h>
#include <string.h>

#define OPTION_WIDTH 30
#define NAME_WIDTH 20
#define REGION "region"

void action_option_name(const struct worker_parameter *parameter, char ret_name[static ACTION_OPTION_SIZE])
{
	snprintf(ret_name, ACTION_OPTION_SIZE, "--%s", parameter->name);
	for (char *c = ret_name; *c != '\0'; c++)
		*c = *c == '_' ? '-' : *c;
}

/* What stands for a value: "ID", "NUMBER", else the last word of the name. */
static void put_placeholder(const struct worker_parameter *parameter, struct buf *out)
{
	const char *word = strrchr(parameter->name, '_');

	if (parameter->type == WORKER_INTEGER) {
		buf_str(out, "NUMBER");
		return;
	}
	for (word = word == NULL ? parameter->name : word + 1; *word != '\0'; word++)
		buf_char(out, *word >= 'a' && *word <= 'z' ? (char)(*word - 'a' + 'A') : *word);
}

static void put_usage(const struct worker_action *action, struct buf *out)
{
	char option[ACTION_OPTION_SIZE];

	buf_printf(out, "usage: cpi %s", action->name);
	for (const struct worker_parameter *parameter = action->parameters; parameter->name != NULL; parameter++) {
		if (strcmp(parameter->name, REGION) == 0)
			continue;
		action_option_name(parameter, option);
		buf_printf(out, parameter->required ? " %s " : " [%s ", option);
		put_placeholder(parameter, out);
		buf_str(out, parameter->required ? "" : "]");
	}
	buf_str(out, " [--region REGION]\n           [--config CONFIG] [--profile PROFILE] [--json]\n");
}

static void put_parameter(const struct worker_parameter *parameter, struct buf *out)
{
	char option[ACTION_OPTION_SIZE];
	size_t start = out->len;

	action_option_name(parameter, option);
	buf_printf(out, "  %s ", option);
	put_placeholder(parameter, out);
	do
		buf_char(out, ' ');
	while (!out->failed && out->len < start + OPTION_WIDTH);
	buf_str(out, parameter->description);
	if (parameter->type == WORKER_INTEGER)
		buf_printf(out, ", %" PRId64 " to %" PRId64, parameter->least, parameter->most);
	if (parameter->required)
		buf_str(out, " (required)");
	else if (strcmp(parameter->name, REGION) == 0)
		buf_printf(out, "; else the configuration's, AWS_REGION's, the profile's, or\n%*s%s", OPTION_WIDTH, "",
			   parameter->fallback);
	else if (parameter->fallback != NULL)
		buf_printf(out, " (default: %s)", parameter->fallback);
	buf_char(out, '\n');
}

/* A value that could be one. */
static const char *example_of(const struct worker_parameter *parameter)
{
	static const char *const examples[][2] = {
		{ "worker_id", "i-0123456789abcdef0" },
		{ "volume_id", "vol-0123456789abcdef0" },
		{ "source_volume_id", "vol-0123456789abcdef0" },
		{ "snapshot_id", "snap-0123456789abcdef0" },
		{ "snapshot_name", "nightly" },
		{ "worker_name", "web-1" },
		{ "ami", "ami-0123456789abcdef0" },
		{ "size_gb", "10" },
		{ "availability_zone", "eu-west-1a" },
		{ "device_name", "/dev/sdf" },
		{ "key", "owner" },
		{ "value", "me" },
		{ REGION, "eu-west-1" },
	};

	for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
		if (strcmp(examples[i][0], parameter->name) == 0)
			return examples[i][1];
	}
	return NULL;
}

/* With what has no default; what has one, and no example, is left out; and so is the region, where there is something else to
 * say. */
static void put_example(const struct worker_action *action, struct buf *out)
{
	char option[ACTION_OPTION_SIZE];

	buf_printf(out, "\nexample:\n  cpi %s", action->name);
	for (const struct worker_parameter *parameter = action->parameters; parameter->name != NULL; parameter++) {
		const char *value = example_of(parameter);
		bool further = parameter != action->parameters;
		if (value == NULL || (further && strcmp(parameter->name, REGION) == 0))
			continue;
		action_option_name(parameter, option);
		buf_printf(out, " %s %s", option, value);
	}
	buf_char(out, '\n');
}

void action_help_write(const struct worker_action *action, struct buf *out)
{
	put_usage(action, out);
	buf_printf(out, "\n%s.\n\nparameters:\n", action->description);
	for (const struct worker_parameter *parameter = action->parameters; parameter->name != NULL; parameter++)
		put_parameter(parameter, out);
	buf_str(out, "\noptions:\n"
		     "  --config CONFIG             The cpi.json of a BOSH release; without one, the environment and ~/.aws count\n"
		     "  --profile PROFILE           The profile of ~/.aws whose credentials are taken, before all others\n"
		     "  --json                      JSON, as in a pipe, also on a terminal\n"
		     "  --help                      Show this\n"
		     "Dashes and underscores are the same: --worker-id, --worker_id, --worker-id=ID.\n"
		     "\n"
		     "exit status:\n"
		     "  0  it is done, and the result is on standard output\n"
		     "  1  it failed: standard error says why, and where the result would be JSON, so does standard output\n"
		     "  2  a parameter is wrong or missing; nothing was sent\n");
	put_example(action, out);
}

void action_help_list(struct buf *out)
{
	size_t count;
	const struct worker_action *actions = worker_actions(&count);

	buf_str(out, "\nThe actions; cpi ACTION --help says what each takes:\n");
	for (size_t i = 0; i < count; i++)
		buf_printf(out, "  %-*s %s\n", NAME_WIDTH, actions[i].name, actions[i].description);
}
