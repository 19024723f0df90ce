/* SPDX-License-Identifier: Apache-2.0 */
/* Cleanup attributes (gnu17): what a scope owns is released when the scope ends, on every way out. */
#ifndef COMMON_CLEANUP_H
#define COMMON_CLEANUP_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CLEANUP(function) __attribute__((cleanup(function)))

static inline void cleanup_free_ptr(void *pp)
{
	free(*(void **)pp);
}

static inline void cleanup_close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void cleanup_close_file(FILE **file)
{
	if (*file != NULL)
		fclose(*file);
}

static inline void cleanup_close_dir(DIR **dir)
{
	if (*dir != NULL)
		closedir(*dir);
}

/* Start these at NULL, respectively -1. */
#define CLEANUP_FREE CLEANUP(cleanup_free_ptr)
#define CLEANUP_FD CLEANUP(cleanup_close_fd)
#define CLEANUP_FILE CLEANUP(cleanup_close_file)
#define CLEANUP_DIR CLEANUP(cleanup_close_dir)

static inline int steal_fd(int *fd)
{
	int taken = *fd;
	*fd = -1;
	return taken;
}

/* Hands the pointer over: the variable is NULL afterwards and its cleanup does nothing. */
#define STEAL(p)                                                                                                       \
	__extension__({                                                                                                \
		__typeof__(p) steal_taken_ = (p);                                                                      \
		(p) = NULL;                                                                                            \
		steal_taken_;                                                                                          \
	})

#endif
