/* SPDX-License-Identifier: Apache-2.0 */
/* A process of its own, in the sandbox, that writes one image of a session onto its device: so that the session can go on
 * as root with the next one. What the session says, and when, is session.h's business. */
#ifndef ONHOST_WORKER_H
#define ONHOST_WORKER_H

#include "common/arena.h"
#include "common/error.h"
#include "common/onhost_msg.h"
#include "common/runtime.h"
#include "onhost/peer.h"
#include "onhost/target.h"

struct worker_job {
	/* The session's. The worker reads the image from it, to its end and not a byte further, and sends progress. */
	struct peer *peer;
	const struct onhost_write *write;
	const struct target *target;
};

/* Forks, and waits until the worker has ended; the caller has one thread. 0 and what the worker says of the image that it
 * has written (texts in the arena); -1 and its error. The worker may have been taken over by the image that it reads:
 * nothing it says is trusted beyond being one message of the session. A signal, and the session's other side when it
 * goes, reach it as SIGTERM; one that does not end then within WORKER_GRACE_MS is killed. If the caller dies, so does the
 * worker. On an error the first MiB of the target was not written. ERROR_SANDBOX: the image was not read. */
int worker_run(struct runtime *runtime, const struct worker_job *job, struct arena *arena,
	       struct onhost_written *ret_written, struct error *err);

#define WORKER_GRACE_MS 30000

#endif
