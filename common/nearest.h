/* SPDX-License-Identifier: Apache-2.0 */
/* "Did you mean …?": the name nearest to a mistyped word. */
#ifndef COMMON_NEAREST_H
#define COMMON_NEAREST_H

#include <stddef.h>

/* How far a word may be from a name at most: one letter, or a third of its letters, is wrong, missing, too much, or has
 * changed places with its neighbour. */
#define NEAREST_SHARE 3

struct nearest {
	const char *word;
	const char *name; /* the nearest so far; NULL while none is near enough */
	size_t distance;
};

/* Starts a search: struct nearest found = NEAREST_INIT(word). */
#define NEAREST_INIT(text) { .word = (text), .name = NULL, .distance = 0 }

/* Looks at one name, which is borrowed; of names equally near, the first stays. */
void nearest_try(struct nearest *nearest, const char *name);

#define NEAREST_QUESTION_SIZE 80

/* lead (" Did you mean ", at most 40 bytes), the name and "?", in text, which is returned; empty where no name is near enough. */
const char *nearest_question(const struct nearest *nearest, const char *lead, char text[static NEAREST_QUESTION_SIZE]);

#endif
