/* SPDX-License-Identifier: Apache-2.0 */
/* The one place where this folder reads the environment. Which variables count, and in which order, is said where they
 * are used. */
#include "cpi/aws/environment.h"

#include <stdlib.h>
#include <strings.h>

const char *environment_get(const char *name)
{
	const char *value = getenv(name);

	return value == NULL || *value == '\0' ? NULL : value;
}

bool environment_true(const char *name)
{
	const char *value = environment_get(name);

	return value != NULL && strcasecmp(value, "true") == 0;
}
