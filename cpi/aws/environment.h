/* SPDX-License-Identifier: Apache-2.0 */
/* The variables that the AWS SDKs share. Those that a profile's key stands in for: profiles_setting. */
#ifndef CPI_AWS_ENVIRONMENT_H
#define CPI_AWS_ENVIRONMENT_H

/* The variable's value, NULL when it is not set or empty: an empty one is absent. Borrowed from the environment. */
const char *environment_get(const char *name);

/* Elements of an array of names: those whose values no log shows, and those that a program does not get which asks AWS
 * nothing. */
#define ENVIRONMENT_SECRETS \
	"AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN"
#define ENVIRONMENT_CREDENTIALS "AWS_ACCESS_KEY_ID", ENVIRONMENT_SECRETS

#endif
