/* SPDX-License-Identifier: Apache-2.0 */
/* What the typed EC2 calls share. Each call is one typed request and one typed result, in the file of its family; each
 * retries what may be retried (cpi/aws), and answers ERROR_AWS with aws_code otherwise. All texts live in the arena
 * that is given; what EC2 left out is "", not NULL, except in struct image_mapping. Facts: Amazon EC2 API Reference,
 * version 2016-11-15. */
#ifndef CPI_EC2_CLIENT_H
#define CPI_EC2_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/error.h"
#include "common/runtime.h"
#include "cpi/aws/client.h"

struct ec2_tag {
	const char *key;
	const char *value;
};

struct ec2_tags {
	const struct ec2_tag *items;
	size_t count;
};

/* DescribeXxx filters: Filter.N.Name, Filter.N.Value.M. */
struct ec2_filter {
	const char *name;
	const char *const *values;
	size_t n_values;
};

struct ec2_filters {
	const struct ec2_filter *items;
	size_t count;
};

struct ec2_ids {
	const char *const *items;
	size_t count;
};

struct ec2_client {
	struct aws_client *aws;
};

/* Whether the list has this text. */
bool ec2_ids_have(struct ec2_ids list, const char *text);

/* true for InvalidVolume.NotFound, InvalidSnapshot.NotFound, InvalidAMIID.NotFound (and .Unavailable),
 * InvalidInstanceID.NotFound …: ERROR_AWS whose code says that the resource does not exist. */
bool ec2_is_not_found(const struct error *err);
/* true for UnauthorizedOperation and its like: the credentials have no right to the call. */
bool ec2_is_denied(const struct error *err);
/* true for IncorrectState and IncorrectInstanceState: the thing is not in a state in which the call can be done. */
bool ec2_is_wrong_state(const struct error *err);

#endif
