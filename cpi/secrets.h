/* SPDX-License-Identifier: Apache-2.0 */
/* Finds what must never be seen in a configuration, in a request and in the environment, and tells the log, which hides it
 * everywhere. What a log line may show of a request is the other way round: an allow-list, and all else is hidden.
 *
 * Texts of three kinds are told to the log, whole and line by line, up to LOG_MAX_SECRETS in all, in this order:
 * - what is under a name that speaks of a secret (password, secret, token, private_key …), every private key in PEM form,
 *   and the password of every URL;
 * - every text of the agent's configuration (mbus, blobstore …) but its ntp servers;
 * - every text of a request's env, tags and metadata.
 * Of the last two those are left out that would black out innocent words and are no use as a secret: under 8 characters,
 * a short word of lower-case letters ("director"), and what the allow-list shows of the same request (a tag that repeats
 * the zone). Our own lines name none of them anyway: this is for what others repeat, as AWS does in its errors. */
#ifndef CPI_SECRETS_H
#define CPI_SECRETS_H

#include "common/arena.h"
#include "common/buf.h"
#include "common/error.h"
#include "common/json_read.h"
#include "common/log.h"
#include "cpi/rpc/request.h"

/* The environment's keys and tokens for AWS, and the password of every URL in it: of proxies, of endpoints. */
int secrets_of_environment(struct log *log, struct arena *arena, struct error *err);
/* By names and URLs alone. NULL is fine. The tree and the arena must outlive the log, here and below. */
int secrets_of_json(struct log *log, const struct json *value, struct arena *arena, struct error *err);
/* The configuration's root, NULL where there is none. */
int secrets_of_configuration(struct log *log, const struct json *root, struct arena *arena, struct error *err);
/* Of its arguments. region (may be NULL) is innocent too: tags like to repeat it. */
int secrets_of_request(struct log *log, const struct request *request, const char *region, struct arena *arena,
		       struct error *err);

/* The arguments for a log line, as JSON: ids, sizes and paths as they are, of cloud properties and networks the values of
 * allow-listed keys, and "<redacted>" in the place of everything else; all of it for a method that is not in the list. */
void secrets_allowed_text(const struct request *request, struct buf *out);

#endif
