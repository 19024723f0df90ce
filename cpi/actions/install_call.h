/* SPDX-License-Identifier: Apache-2.0 */
/* test_install. The table's functions (worker_action.h). */
#ifndef CPI_ACTIONS_INSTALL_CALL_H
#define CPI_ACTIONS_INSTALL_CALL_H

#include "cpi/actions/worker_action.h"

int install_call_test(struct call *call, const struct worker_values *values, struct json_writer *result,
		      struct error *err);

#endif
