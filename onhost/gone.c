/* SPDX-License-Identifier: Apache-2.0 */
/* One question, which the finding of a device and the writing to it both have. */
#include "onhost/gone.h"

#include <errno.h>
#include <linux/fs.h>
#include <stdint.h>
#include <sys/ioctl.h>

static bool means_gone(int errnum)
{
	return errnum == ENODEV || errnum == ENXIO || errnum == ENOMEDIUM;
}

bool gone_device(int fd, int errnum)
{
	int saved = errno;
	uint64_t size = 0;
	bool gone = means_gone(errnum) ||
		    (ioctl(fd, BLKGETSIZE64, &size) == 0 ? size == 0 : means_gone(errno));

	errno = saved;
	return gone;
}
