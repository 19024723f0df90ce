/* SPDX-License-Identifier: Apache-2.0 */
/* The edit distance with neighbours that changed places (optimal string alignment), row by row. */
#include "common/nearest.h"

#include <stdio.h>
#include <string.h>

/* Longer words are nobody's slip of the finger. */
#define WORD_MAX ((size_t)32)

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Both are at most WORD_MAX long. */
static size_t distance_of(const char *a, const char *b)
{
	size_t rows[3][WORD_MAX + 1] = { { 0 } };
	size_t *before = rows[0], *above = rows[1], *row = rows[2];
	const size_t len = strlen(b);

	for (size_t j = 0; j <= len; j++)
		above[j] = j;
	for (size_t i = 1; a[i - 1] != '\0'; i++) {
		row[0] = i;
		for (size_t j = 1; j <= len; j++) {
			row[j] = least(least(above[j], row[j - 1]) + 1, above[j - 1] + (a[i - 1] != b[j - 1] ? 1 : 0));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = least(row[j], before[j - 2] + 1);
		}
		size_t *oldest = before;
		before = above;
		above = row;
		row = oldest;
	}
	return above[len];
}

void nearest_try(struct nearest *nearest, const char *name)
{
	const size_t len = strlen(nearest->word);

	if (len == 0 || len > WORD_MAX || strlen(name) > WORD_MAX)
		return;
	const size_t distance = distance_of(nearest->word, name);
	const size_t most = len / NEAREST_SHARE > 1 ? len / NEAREST_SHARE : 1;
	/* not all of a short word may be wrong */
	if (distance > most || distance >= len || (nearest->name != NULL && distance >= nearest->distance))
		return;
	nearest->name = name;
	nearest->distance = distance;
}

const char *nearest_question(const struct nearest *nearest, const char *lead, char text[static NEAREST_QUESTION_SIZE])
{
	text[0] = '\0';
	if (nearest->name != NULL)
		snprintf(text, NEAREST_QUESTION_SIZE, "%s%s?", lead, nearest->name);
	return text;
}
