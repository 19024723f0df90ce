/* SPDX-License-Identifier: Apache-2.0 */
/* A made-up tree of files in a temporary folder, for tests of what reads /sys, /proc and /dev. All paths are relative
 * to the folder and made as by printf; whatever cannot be made fails the test. */
#ifndef TESTS_UNIT_TREE_H
#define TESTS_UNIT_TREE_H

#include <stddef.h>

struct tree {
	char root[64];
};

void tree_make(struct tree *tree);
/* Removes all of it. */
void tree_remove(struct tree *tree);
/* "ROOT/path", written into text. */
const char *tree_path(const struct tree *tree, const char *path, char *text, size_t size);
/* A file with that content; folders on the way are made. */
void tree_file(const struct tree *tree, const char *content, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void tree_folder(const struct tree *tree, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A symbolic link that leads to target, taken as it is. */
void tree_link(const struct tree *tree, const char *target, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
