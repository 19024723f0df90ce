/* SPDX-License-Identifier: Apache-2.0 */
/* Splits a command line. Words are written one behind the other into one copy, which is never longer than the text. */
#include "cpi/aws/credentials/shell_words.h"

#include <stdbool.h>
#include <string.h>

struct reader {
	const char *at;
	char *to;
};

static bool is_blank(char c)
{
	return c != '\0' && strchr(" \t\r\n", c) != NULL;
}

static void skip_blanks(struct reader *reader)
{
	while (is_blank(*reader->at))
		reader->at++;
}

/* What a backslash stands before. In double quotes it means itself, unless it is before one or another backslash. */
static int take_escaped(struct reader *reader, bool quoted, struct error *err)
{
	reader->at++;
	if (*reader->at == '\0')
		return error_set(err, ERROR_CONFIG, "it ends with a backslash");
	if (quoted && *reader->at != '"' && *reader->at != '\\')
		*reader->to++ = '\\';
	*reader->to++ = *reader->at++;
	return 0;
}

static int take_quoted(struct reader *reader, struct error *err)
{
	char quote = *reader->at++;

	while (*reader->at != quote) {
		if (*reader->at == '\0')
			return error_set(err, ERROR_CONFIG, "a quote (%c) is not closed", quote);
		if (*reader->at != '\\' || quote == '\'')
			*reader->to++ = *reader->at++;
		else if (take_escaped(reader, true, err) != 0)
			return -1;
	}
	reader->at++;
	return 0;
}

static int take_word(struct reader *reader, struct error *err)
{
	while (*reader->at != '\0' && !is_blank(*reader->at)) {
		int result = 0;
		if (*reader->at == '"' || *reader->at == '\'')
			result = take_quoted(reader, err);
		else if (*reader->at == '\\')
			result = take_escaped(reader, false, err);
		else
			*reader->to++ = *reader->at++;
		if (result != 0)
			return -1;
	}
	*reader->to++ = '\0';
	return 0;
}

int shell_words_split(const char *text, struct arena *arena, char ***ret_argv, size_t *ret_count, struct error *err)
{
	size_t len = strlen(text);
	size_t count = 0;
	/* a word has at least one character and one blank behind it, but for the last; each takes a NUL */
	char **argv = arena_array(arena, len / 2 + 2, sizeof(*argv));
	struct reader reader = { .at = text, .to = arena_alloc(arena, len + 2) };

	if (argv == NULL || reader.to == NULL)
		return error_nomem(err);
	for (skip_blanks(&reader); *reader.at != '\0'; skip_blanks(&reader)) {
		argv[count++] = reader.to;
		if (take_word(&reader, err) != 0)
			return -1;
	}
	if (count == 0)
		return error_set(err, ERROR_CONFIG, "it names no program");
	argv[count] = NULL;
	*ret_argv = argv;
	*ret_count = count;
	return 0;
}
