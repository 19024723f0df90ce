/* SPDX-License-Identifier: Apache-2.0 */
/* How a command's result and its failure are told: to people as text, to programs (--json) as a line of JSON. */
#ifndef ONHOST_RESULT_H
#define ONHOST_RESULT_H

#include <stdbool.h>

#include "common/buf.h"
#include "common/error.h"
#include "onhost/device.h"
#include "onhost/pipeline.h"

/* As a session tells it. Texts are borrowed from the result. */
void result_as_written(const struct pipeline_result *result, struct onhost_written *ret_written);

/* Appended to text, each with its line break. */

/* what: "written", "the same" … device: NULL where there is none. The rate is of the bytes that were written. */
void result_of_image(const struct pipeline_result *result, const char *what, const char *device, bool json,
		     struct buf *text);
void result_of_device(const struct device *device, bool json, struct buf *text);
/* {"error":{"type":…,"message":…}}, as in a session. */
void result_of_error_as_json(const struct error *error, struct buf *text);

#endif
