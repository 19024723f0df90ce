/* SPDX-License-Identifier: Apache-2.0 */
/* The answer: a result or an error to exactly one JSON object, on one line. Sending it is left to the caller. */
#ifndef CPI_RPC_RESPONSE_H
#define CPI_RPC_RESPONSE_H

#include <stdbool.h>

#include "common/buf.h"
#include "common/error.h"
#include "common/json_write.h"

#define RESPONSE_MAX_BYTES ((size_t)16 * 1024 * 1024)

/* The type that the Director knows for it ("Bosh::Clouds::CloudError", "InvalidCall", "Unknown" …). */
const char *response_error_type(enum error_kind kind);
/* Only the types that the Director retries carry it: NoDiskSpace, DiskNotAttached, DiskNotFound, VMCreationFailed. */
bool response_ok_to_retry(const struct error *err);

/* result is the JSON text of one value. Appended to out, with a line break. ERROR_TOO_BIG over out's maximum. */
int response_result(const char *result, size_t len, struct buf *out, struct error *err);
/* of_action: ok_to_retry says whether the same call may succeed later, and of a refusal by AWS the error has
 * "aws": {"code", "message", "request_id", "action"}. Never fails: where memory runs out, out refers to nothing and the
 * text that is returned says so. Otherwise the text is out's, owned by out. failure's texts have been redacted by the
 * caller, here and below. */
const char *response_error(const struct error *failure, bool of_action, struct buf *out);
/* {"success": false, "error": {…}}, the error as an action's: what it answers where there is no Director. */
void response_action_failure(const struct error *failure, struct json_writer *writer);

#endif
