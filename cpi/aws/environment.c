/* SPDX-License-Identifier: Apache-2.0 */
/* The one place where this folder reads the environment. Which variables count, and in which order, is said where they
 * are used. */
#include "cpi/aws/environment.h"

#include <stdlib.h>

const char *environment_get(const char *name)
{
	const char *value = getenv(name);

	return value == NULL || *value == '\0' ? NULL : value;
}
