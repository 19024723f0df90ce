/* SPDX-License-Identifier: Apache-2.0 */
/* What everything needs and nothing owns: handed down from main, so that no state is global. */
#ifndef COMMON_RUNTIME_H
#define COMMON_RUNTIME_H

#include "common/cancel.h"
#include "common/deadline.h"
#include "common/log.h"

struct http_transport;

struct runtime {
	struct log *log;
	const struct clock *clock;
	struct cancel *cancel;
	struct http_transport *http; /* common/http.h */
};

#endif
