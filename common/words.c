/* SPDX-License-Identifier: Apache-2.0 */
#include "common/words.h"

#include <string.h>

/* Makes room by letting the oldest lines go. */
static void keep(struct words *words, const char *line, size_t len)
{
	while (words->kept_len + len + 2 > sizeof(words->kept)) {
		const char *end = memchr(words->kept, '\n', words->kept_len);
		size_t gone = end == NULL ? words->kept_len : (size_t)(end - words->kept) + 1;
		memmove(words->kept, words->kept + gone, words->kept_len - gone);
		words->kept_len -= gone;
	}
	memcpy(words->kept + words->kept_len, line, len);
	words->kept_len += len;
	words->kept[words->kept_len++] = '\n';
	words->kept[words->kept_len] = '\0';
}

void words_end(struct words *words, struct log *log)
{
	/* ssh ends its lines with both */
	while (words->line_len > 0 && words->line[words->line_len - 1] == '\r')
		words->line_len--;
	if (words->line_len == 0)
		return;
	words->line[words->line_len] = '\0';
	log_debug(log, "onhost: %s", words->line);
	memcpy(words->last, words->line, words->line_len + 1);
	keep(words, words->line, words->line_len);
	words->line_len = 0;
}

void words_take(struct words *words, struct log *log, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\n')
			words_end(words, log);
		else if (words->line_len < sizeof(words->line) - 1)
			words->line[words->line_len++] = text[i] == '\0' ? ' ' : text[i];
	}
}
