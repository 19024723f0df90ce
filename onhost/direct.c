/* SPDX-License-Identifier: Apache-2.0 */
/* Only the flag; falling back where a request is refused is the callers'. */
#include "onhost/direct.h"

#include <fcntl.h>

bool direct_set(int fd, bool direct)
{
	int flags = fcntl(fd, F_GETFL);

	return flags >= 0 && fcntl(fd, F_SETFL, direct ? flags | O_DIRECT : flags & ~O_DIRECT) == 0;
}
