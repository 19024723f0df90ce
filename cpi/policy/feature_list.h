/* SPDX-License-Identifier: Apache-2.0 */
/* All features there are, for who chooses among them: whether the policy would hold each, what uses it, which properties decide, and
 * the actions that it needs, those that other features need too included. */
#ifndef CPI_POLICY_FEATURE_LIST_H
#define CPI_POLICY_FEATURE_LIST_H

#include "common/buf.h"
#include "cpi/policy/selection.h"

void feature_list_write(const struct policy_selection *selection, struct buf *out);
/* {"features": [{"name", "sid", "included", "used_by", "decided_by", "actions": [{"action", "called", "can_do_without"}]}]} */
void feature_list_json(const struct policy_selection *selection, struct buf *out);

#endif
