/* SPDX-License-Identifier: Apache-2.0 */
/* What may stand at the cursor of a command line, for the shells' completion: `cpi complete WORD…`, which is for
 * packaging/completions and for nobody else. The words are those behind "cpi", up to and including the one at the cursor, which may
 * be empty. */
#ifndef CPI_COMPLETE_H
#define CPI_COMPLETE_H

#include <stddef.h>

#include "common/buf.h"

/* Lines "CANDIDATE<TAB>description"; one without a candidate, "<TAB>files", says that names of files fit as well. Only candidates
 * that go on from what is typed, where dashes and underscores are the same. */
void complete_write(const char *const *words, size_t count, struct buf *out);

#endif
