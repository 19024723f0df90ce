/* SPDX-License-Identifier: Apache-2.0 */
/* Files, folders and links for tests; see the header. */
#include "tests/unit/tree.h"

#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

void tree_make(struct tree *tree)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(tree->root, sizeof(tree->root), "%.40s/tree-XXXXXX", tmp == NULL ? "/tmp" : tmp);
	assert_non_null(mkdtemp(tree->root));
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *position)
{
	(void)st;
	(void)type;
	(void)position;
	return remove(path);
}

void tree_remove(struct tree *tree)
{
	assert_int_equal(nftw(tree->root, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

const char *tree_path(const struct tree *tree, const char *path, char *text, size_t size)
{
	snprintf(text, size, "%s/%s", tree->root, path);
	return text;
}

static void make_folders(char *path, size_t start)
{
	for (char *slash = strchr(path + start, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		assert_true(mkdir(path, 0700) == 0 || errno == EEXIST);
		*slash = '/';
	}
}

__attribute__((format(printf, 2, 0))) static void make_path(const struct tree *tree, const char *format, va_list args,
							    char path[PATH_MAX])
{
	size_t start = (size_t)snprintf(path, PATH_MAX, "%s/", tree->root);

	vsnprintf(path + start, PATH_MAX - start, format, args);
	make_folders(path, start);
}

void tree_file(const struct tree *tree, const char *content, const char *format, ...)
{
	char path[PATH_MAX];
	va_list args;

	va_start(args, format);
	make_path(tree, format, args, path);
	va_end(args);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(content, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

void tree_folder(const struct tree *tree, const char *format, ...)
{
	char path[PATH_MAX];
	va_list args;

	va_start(args, format);
	make_path(tree, format, args, path);
	va_end(args);
	assert_true(mkdir(path, 0700) == 0 || errno == EEXIST);
}

void tree_link(const struct tree *tree, const char *target, const char *format, ...)
{
	char path[PATH_MAX];
	va_list args;

	va_start(args, format);
	make_path(tree, format, args, path);
	va_end(args);
	assert_int_equal(symlink(target, path), 0);
}
