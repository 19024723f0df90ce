/* SPDX-License-Identifier: Apache-2.0 */
/* Finds what must never be seen in a configuration and in the environment, and tells the log, which hides it
 * everywhere. */
#ifndef CPI_SECRETS_H
#define CPI_SECRETS_H

#include "common/arena.h"
#include "common/error.h"
#include "common/json_read.h"
#include "common/log.h"

/* The environment's AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN. */
void secrets_of_environment(struct log *log);
/* Every text of the tree under a name that speaks of a secret (password, secret, token, private_key …), and the
 * password of every URL. NULL is fine. The tree and the arena must outlive the log. At most LOG_MAX_SECRETS are kept. */
int secrets_of_json(struct log *log, const struct json *value, struct arena *arena, struct error *err);

#endif
