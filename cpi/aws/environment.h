/* SPDX-License-Identifier: Apache-2.0 */
/* The variables that the AWS SDKs share. */
#ifndef CPI_AWS_ENVIRONMENT_H
#define CPI_AWS_ENVIRONMENT_H

#include <stdbool.h>

/* The variable's value, NULL when it is not set or empty: an empty one is absent. Borrowed from the environment. */
const char *environment_get(const char *name);
/* Set to "true" in any case of letters, as the SDKs read their switches. */
bool environment_true(const char *name);

#endif
