/* SPDX-License-Identifier: Apache-2.0 */
/* One request of the model: what its events add to it, and its times once it has ended. */
#ifndef CPI_TIMELINE_MODEL_REQUEST_H
#define CPI_TIMELINE_MODEL_REQUEST_H

#include <sys/types.h>

#include "cpi/timeline/model.h"

/* NULL: no memory. The caller frees it. */
struct model_request *model_request_new(const struct event *event);
/* Returns how many bytes its calls took. */
size_t model_request_free(struct model_request *request);
/* An event that is no call. */
void model_request_line(struct model_request *request, const struct event *event);
/* A call; kept if there is room. The bytes that it takes, or -1: no memory. */
ssize_t model_request_call(struct model_request *request, const struct event *event, bool room);
/* ahead_us: how far local time is ahead of UTC, for a request that does not show it. */
void model_request_close(struct model_request *request, int64_t ahead_us);

#endif
