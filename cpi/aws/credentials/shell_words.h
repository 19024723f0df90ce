/* SPDX-License-Identifier: Apache-2.0 */
/* A command line to its words, by the shell's rules for blanks, quotes and backslashes and no others: no variables, no
 * patterns, no comments. Fact: Python's shlex.split, by which the AWS tools take credential_process apart. */
#ifndef CPI_AWS_CREDENTIALS_SHELL_WORDS_H
#define CPI_AWS_CREDENTIALS_SHELL_WORDS_H

#include <stddef.h>

#include "common/arena.h"
#include "common/error.h"

/* An argv that ends with NULL, in the arena. ERROR_CONFIG for a quote without its other half, a backslash at the end, and for no word
 * at all; quotes nothing of the text. */
int shell_words_split(const char *text, struct arena *arena, char ***ret_argv, size_t *ret_count, struct error *err);

#endif
