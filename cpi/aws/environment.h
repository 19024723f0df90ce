/* SPDX-License-Identifier: Apache-2.0 */
/* The variables that the AWS SDKs share. Those that a profile's key stands in for: profiles_setting. */
#ifndef CPI_AWS_ENVIRONMENT_H
#define CPI_AWS_ENVIRONMENT_H

/* The variable's value, NULL when it is not set or empty: an empty one is absent. Borrowed from the environment. */
const char *environment_get(const char *name);

#endif
