/* SPDX-License-Identifier: Apache-2.0 */
/* Finding, making and judging the state directory. What is left in it is the business of those who leave it. */
#include "common/state_dir.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"

static const char *variable(const char *name)
{
	const char *value = getenv(name);
	return value != NULL && value[0] == '/' ? value : NULL;
}

int state_dir_find(struct arena *arena, const char *folder, const char **ret_path, struct error *err)
{
	const char *slash = folder == NULL ? "" : "/";
	const char *name = folder == NULL ? "" : folder;
	const char *path;
	const char *base;

	if ((base = variable("AWS_CPI_STATE_DIR")) != NULL)
		path = arena_printf(arena, "%s%s%s", base, slash, name);
	else if ((base = variable("XDG_STATE_HOME")) != NULL)
		path = arena_printf(arena, "%s/aws-cpi%s%s", base, slash, name);
	else if ((base = variable("HOME")) != NULL)
		path = arena_printf(arena, "%s/.local/state/aws-cpi%s%s", base, slash, name);
	else
		path = arena_printf(arena, "%s/aws-cpi-%lu%s%s", (base = variable("TMPDIR")) != NULL ? base : "/tmp",
				    (unsigned long)geteuid(), slash, name);
	if (path == NULL)
		return error_nomem(err);
	*ret_path = path;
	return 0;
}

/* Who could put a file there could have things deleted from the account. */
int state_dir_check(const char *path, struct error *err)
{
	struct stat st;

	if (lstat(path, &st) != 0)
		return error_errno(err, ERROR_IO, errno, "cannot look at the state directory %s", path);
	if (!S_ISDIR(st.st_mode))
		return error_set(err, ERROR_IO, "the state directory %s is not a directory", path);
	if (st.st_uid != geteuid())
		return error_set(err, ERROR_IO, "the state directory %s belongs to user %lu, not to user %lu who runs this",
				 path, (unsigned long)st.st_uid, (unsigned long)geteuid());
	if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return error_set(err, ERROR_IO, "the state directory %s is writable for others; chmod 0700 it", path);
	return 0;
}

int state_dir_make(struct arena *arena, const char *folder, const char **ret_path, struct error *err)
{
	const char *path;

	if (state_dir_find(arena, folder, &path, err) != 0)
		return -1;
	CLEANUP_FREE char *partial = strdup(path);
	if (partial == NULL)
		return error_nomem(err);
	for (char *at = partial + 1; *at != '\0'; at++) {
		if (*at != '/')
			continue;
		*at = '\0';
		/* a parent that cannot be made shows in the next one */
		(void)mkdir(partial, 0700);
		*at = '/';
	}
	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		return error_errno(err, ERROR_IO, errno, "cannot make the state directory %s", path);
	if (state_dir_check(path, err) != 0)
		return -1;
	*ret_path = path;
	return 0;
}
