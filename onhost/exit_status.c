/* SPDX-License-Identifier: Apache-2.0 */
/* A deadline that passes has no status of its own: it is the device that did not come, or the metadata service that did
 * not answer. */
#include "onhost/exit_status.h"

#include <stddef.h>

static const struct {
	int status;
	enum error_kind kind; /* ERROR_NONE: no kind's own */
	const char *text;     /* the man page has the same, and a full stop */
} statuses[] = {
	{ EXIT_STATUS_DONE, ERROR_NONE, "Done" },
	{ EXIT_STATUS_OTHER, ERROR_INTERNAL, "A failure that is none of these" },
	{ EXIT_STATUS_USAGE, ERROR_INVALID_CALL, "The command line is wrong" },
	{ 3, ERROR_IMAGE, "The image is refused" },
	{ 4, ERROR_DEVICE_REFUSED, "The device is refused" },
	{ 5, ERROR_NO_DEVICE, "The device did not come, or went away" },
	{ 6, ERROR_IO, "Reading or writing failed, or a comparison found a difference" },
	{ 7, ERROR_METADATA, "The instance metadata service did not answer as it should" },
	{ 8, ERROR_PROTOCOL, "The session's protocol was broken, or its other side went away" },
	{ 9, ERROR_SANDBOX, "The sandbox could not be entered; the image was not read" },
	{ 10, ERROR_NOMEM, "Out of memory" },
};

#define N_STATUSES (sizeof(statuses) / sizeof(statuses[0]))

int exit_status_of(enum error_kind kind, int signal)
{
	if (kind == ERROR_CANCELLED)
		return EXIT_STATUS_SIGNAL + signal;
	for (size_t i = 0; i < N_STATUSES; i++) {
		if (statuses[i].kind == kind && kind != ERROR_NONE)
			return statuses[i].status;
	}
	return EXIT_STATUS_OTHER;
}

void exit_status_print(FILE *out)
{
	fputs("\nExit status:\n", out);
	for (size_t i = 0; i < N_STATUSES; i++)
		fprintf(out, "  %3d  %s\n", statuses[i].status, statuses[i].text);
	fprintf(out, "  %3d and more  Stopped by a signal: %d and its number\n", EXIT_STATUS_SIGNAL, EXIT_STATUS_SIGNAL);
}
