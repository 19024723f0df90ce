/* SPDX-License-Identifier: Apache-2.0 */
#include "cpi/complete.h"

#include <string.h>

#include "cpi/action_help.h"
#include "cpi/aws/aws_actions.h"
#include "cpi/command_line.h"
#include "cpi/dispatch.h"

struct completion {
	const char *const *words;
	size_t count;
	const char *typed; /* the word at the cursor */
	enum command command;
	const struct worker_action *action;
	size_t n_positional; /* before the cursor, behind the command's word */
	struct buf *out;
};

/* --- candidates --------------------------------------------------------------------------------------------------- */

static void offer(struct completion *completion, const char *candidate, const char *description)
{
	size_t typed = strlen(completion->typed);
	char start[256];

	if (typed >= sizeof(start))
		return;
	snprintf(start, typed + 1, "%s", candidate);
	if (command_line_same(start, completion->typed, typed))
		buf_printf(completion->out, "%s\t%s\n", candidate, description);
}

static void offer_files(struct completion *completion)
{
	buf_str(completion->out, "\tfiles\n");
}

static void offer_actions(struct completion *completion)
{
	size_t count;
	const struct worker_action *actions = worker_actions(&count);

	for (size_t i = 0; i < count; i++)
		offer(completion, actions[i].name, actions[i].description);
}

static void offer_words(struct completion *completion)
{
	size_t count;
	const struct command_word *words = command_line_words(&count);

	for (size_t i = 0; i < count; i++)
		offer(completion, words[i].name, words[i].description);
	offer_actions(completion);
}

static void offer_methods(struct completion *completion)
{
	const char *name;

	for (size_t i = 0; (name = dispatch_method_name(i)) != NULL; i++) {
		/* what is both stands among the actions */
		if (worker_action_find(name) == NULL)
			offer(completion, name, "CPI method");
	}
	offer_actions(completion);
}

/* --- options ------------------------------------------------------------------------------------------------------ */

static size_t name_length(const char *word)
{
	return strcspn(word, "=");
}

/* Whether it stands before the cursor already. */
static bool is_there(const struct completion *completion, const char *option)
{
	for (size_t i = 0; i + 1 < completion->count; i++) {
		const char *word = completion->words[i];
		if (command_line_same(option, word, name_length(word)))
			return true;
	}
	return false;
}

static void offer_parameters(struct completion *completion)
{
	char option[ACTION_OPTION_SIZE];

	if (completion->action == NULL)
		return;
	for (const struct worker_parameter *parameter = completion->action->parameters; parameter->name != NULL; parameter++) {
		action_option_name(parameter, option);
		/* the region stands among the options of all */
		if (strcmp(parameter->name, "region") != 0 && !is_there(completion, option))
			offer(completion, option, parameter->description);
	}
}

static void offer_options(struct completion *completion)
{
	size_t count;
	const struct command_option *options = command_line_options(&count);

	offer_parameters(completion);
	for (size_t i = 0; i < count; i++) {
		bool again = options[i].flag == 0 && options[i].value == 0;
		if (command_option_fits(&options[i], completion->command) && (again || !is_there(completion, options[i].name)))
			offer(completion, options[i].name, options[i].description);
	}
	offer(completion, "--help", "Show help");
	if (completion->command == COMMAND_SERVE)
		offer(completion, "--version", "Show the version");
}

/* Of the common options, or of an action's: those all take one. */
static bool takes_value(const struct completion *completion, const char *word)
{
	size_t count;
	const struct command_option *options = command_line_options(&count);

	if (strncmp(word, "--", 2) != 0 || strchr(word, '=') != NULL)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (strcmp(options[i].name, word) == 0)
			return options[i].flag == 0;
	}
	for (size_t i = 0; completion->action != NULL && completion->action->parameters[i].name != NULL; i++) {
		if (command_line_same(completion->action->parameters[i].name, word + 2, strlen(word) - 2))
			return true;
	}
	return false;
}

/* --- the line ----------------------------------------------------------------------------------------------------- */

/* Looks at what stands before the cursor. true: the word there is the value of the option before it. */
static bool look_before(struct completion *completion)
{
	bool found = false;

	for (size_t i = 0; i + 1 < completion->count; i++) {
		const char *word = completion->words[i];
		if (takes_value(completion, word)) {
			if (++i + 1 >= completion->count)
				return true;
		} else if (word[0] == '-') {
			continue;
		} else if (!found) {
			completion->command = command_line_meaning(word, &completion->action);
			found = true;
		} else {
			completion->n_positional++;
		}
	}
	/* a configuration is no command */
	if (found && completion->command == COMMAND_SERVE)
		completion->n_positional++;
	return false;
}

/* One more behind those that stand there already, with commas between them. */
static void offer_features(struct completion *completion)
{
	const char *comma = strrchr(completion->typed, ',');
	int before = comma == NULL ? 0 : (int)(comma + 1 - completion->typed);
	char candidate[256];

	for (size_t i = 0; i < AWS_N_FEATURES; i++) {
		snprintf(candidate, sizeof(candidate), "%.*s%s", before, completion->typed, aws_features[i].name);
		offer(completion, candidate, aws_features[i].used_by);
	}
}

static void offer_value(struct completion *completion)
{
	const char *option = completion->words[completion->count - 2];

	if (strcmp(option, "--config") == 0)
		offer_files(completion);
	if (strcmp(option, "--architecture") == 0) {
		offer(completion, "x86_64", "The default");
		offer(completion, "arm64", "Graviton");
	}
	if (strcmp(option, "--only") == 0 || strcmp(option, "--with") == 0 || strcmp(option, "--without") == 0)
		offer_features(completion);
	for (int i = 1; i <= CONFIG_API_VERSION_MAX && strcmp(option, "--api-version") == 0; i++) {
		char version[16];
		snprintf(version, sizeof(version), "%d", i);
		offer(completion, version, "CPI API");
	}
}

static void offer_positional(struct completion *completion)
{
	switch (completion->command) {
	case COMMAND_SERVE:
		if (completion->n_positional > 0)
			return;
		offer_words(completion);
		offer_files(completion);
		return;
	case COMMAND_HELP:
		if (completion->n_positional == 0)
			offer_words(completion);
		return;
	case COMMAND_CALL:
		if (completion->n_positional == 0)
			offer_methods(completion);
		return;
	case COMMAND_ACTION:
		offer_options(completion);
		return;
	case COMMAND_CHECK:
	case COMMAND_POLICY:
	case COMMAND_SWEEP:
	case COMMAND_TIMELINE:
	case COMMAND_UPLOAD_IMAGE:
		if (completion->n_positional == 0)
			offer_files(completion);
		return;
	case COMMAND_COMPLETE:
	case COMMAND_VERSION:
		return;
	}
}

void complete_write(const char *const *words, size_t count, struct buf *out)
{
	struct completion completion = {
		.words = words,
		.count = count,
		.typed = count == 0 ? "" : words[count - 1],
		.command = COMMAND_SERVE,
		.out = out,
	};

	if (look_before(&completion))
		offer_value(&completion);
	else if (completion.typed[0] == '-')
		offer_options(&completion);
	else
		offer_positional(&completion);
}
