/* SPDX-License-Identifier: Apache-2.0 */
/* Whoever reads the message must know whether to look at the device or for it, and what to do next. */
#include "onhost/fault.h"

#include <errno.h>
#include <linux/fs.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "onhost/gone.h"

#define PLACE_MAX 96
#define SECOND_LOOKS 10
#define SECOND_LOOK_MS 50

static const struct {
	const char *failed; /* behind "cannot" */
	const char *during; /* behind "while it was" */
	const char *remedy;
} words[] = {
	[FAULT_WRITE] = { "write to", "written", "try again with a new volume" },
	[FAULT_FLUSH] = { "flush what was written to", "written", "try again with a new volume" },
	[FAULT_READ] = { "read", "read", "read it again, or write it anew" },
};

/* What the device has now; target->size where it cannot be told, as for a regular file. */
static uint64_t size_now(const struct pipeline_target *target)
{
	uint64_t size = 0;

	return ioctl(target->fd, BLKGETSIZE64, &size) == 0 ? size : target->size;
}

/* A disk that is pulled out may fail a request with EIO just before the kernel takes its size from it. */
static bool goes_now(const struct pipeline_target *target, int errnum)
{
	for (int looks = 0; errnum == EIO && looks < SECOND_LOOKS; looks++) {
		poll(NULL, 0, SECOND_LOOK_MS);
		if (gone_device(target->fd, 0) || size_now(target) < target->size)
			return true;
	}
	return false;
}

/* " at offset N (LEN bytes)", or nothing for a flush. */
static void format_place(const struct fault *fault, char ret_text[PLACE_MAX])
{
	if (fault->kind == FAULT_FLUSH)
		ret_text[0] = '\0';
	else
		snprintf(ret_text, PLACE_MAX, " at offset %llu (%zu bytes)", (unsigned long long)fault->offset,
			 fault->len);
}

static int tell_gone(const struct pipeline_target *target, const struct fault *fault, uint64_t size, struct error *err)
{
	char place[PLACE_MAX];
	const char *during = words[fault->kind].during;
	int errnum = fault->errnum == 0 ? ENODEV : fault->errnum;

	format_place(fault, place);
	if (size > 0 && size < target->size)
		return error_errno(err, ERROR_NO_DEVICE, errnum,
				   "%s became smaller while it was %s: it has %llu bytes now and had %llu. Attach the "
				   "volume anew and start again; what failed is the request%s",
				   target->name, during, (unsigned long long)size, (unsigned long long)target->size,
				   fault->kind == FAULT_FLUSH ? " to flush it" : place);
	return error_errno(err, ERROR_NO_DEVICE, errnum,
			   "%s went away while it was %s%s: the volume was detached, or the instance lost it. Look at "
			   "the volume's state and the kernel's log, and start again with a new volume; the request "
			   "ended with",
			   target->name, during, place);
}

int fault_tell(const struct pipeline_target *target, const struct fault *fault, struct error *err)
{
	char place[PLACE_MAX];

	if (gone_device(target->fd, fault->errnum) || size_now(target) < target->size || goes_now(target, fault->errnum))
		return tell_gone(target, fault, size_now(target), err);
	format_place(fault, place);
	if (fault->kind == FAULT_READ && fault->errnum == 0)
		return error_set(err, ERROR_IO, "%s ends at offset %llu, before the image does", target->name,
				 (unsigned long long)fault->offset);
	return error_errno(err, ERROR_IO, fault->errnum == 0 ? ENOSPC : fault->errnum,
			   "cannot %s %s%s. The kernel's log may say why; %s. The error is", words[fault->kind].failed,
			   target->name, place, words[fault->kind].remedy);
}

int fault_if_gone(const struct pipeline_target *target, struct error *err)
{
	const struct fault fault = { .kind = FAULT_FLUSH };
	uint64_t size = size_now(target);

	return gone_device(target->fd, 0) || size < target->size ? tell_gone(target, &fault, size, err) : 0;
}
