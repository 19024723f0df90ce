/* SPDX-License-Identifier: Apache-2.0 */
/* `onhost serve`: the session with cpi on standard input and output, from hello to the last written. */
#ifndef ONHOST_SESSION_H
#define ONHOST_SESSION_H

#include <stdbool.h>

#include "common/error.h"
#include "common/runtime.h"
#include "onhost/sysfs.h"

struct session_options {
	int in_fd;
	int out_fd; /* nothing but messages is ever written to it */
	const struct device_paths *paths;
	const char *lab_links; /* the lab: a folder of by-id links that are taken for identity; NULL otherwise */
	bool lab_files;        /* there, a link may lead to a regular file */
};

/* Serves until the other side ends the session between two messages: 0. Errors are answered; those after which the
 * stream cannot be understood any more (an image was under way, a malformed message, the other side is gone) and
 * cancellation end the session with -1 and that error. Whatever ends it, a device that was not written to the end has a
 * blank first MiB. */
int session_serve(struct runtime *runtime, const struct session_options *options, struct error *err);

#endif
