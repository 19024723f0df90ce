/* SPDX-License-Identifier: Apache-2.0 */
/* Where processes of one user leave what the next ones must know: journals, the account's throttling. */
#ifndef COMMON_STATE_DIR_H
#define COMMON_STATE_DIR_H

#include "common/arena.h"
#include "common/error.h"

/* AWS_CPI_STATE_DIR, else XDG_STATE_HOME/aws-cpi, else HOME/.local/state/aws-cpi, else TMPDIR/aws-cpi-<uid> (TMPDIR or
 * /tmp); a variable that is no absolute path is passed over. With folder, the folder of that name in it (NULL: itself). The
 * path, in the arena; nothing is created. */
int state_dir_find(struct arena *arena, const char *folder, const char **ret_path, struct error *err);
/* Finds it and makes it, with mode 0700. ERROR_IO with the path when that cannot be done, or it belongs to another user or is
 * writable for others. */
int state_dir_make(struct arena *arena, const char *folder, const char **ret_path, struct error *err);
/* One that is there already: ERROR_IO as above. */
int state_dir_check(const char *path, struct error *err);

#endif
