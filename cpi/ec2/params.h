/* SPDX-License-Identifier: Apache-2.0 */
/* What many EC2 calls take in the same form: ids, filters, tags, numbers. Fact: "Making requests to the Amazon EC2
 * API", Amazon EC2 API Reference (lists count from 1). */
#ifndef CPI_EC2_PARAMS_H
#define CPI_EC2_PARAMS_H

#include "cpi/aws/client.h"
#include "cpi/ec2/client.h"

#define PARAMS_CLEANUP __attribute__((cleanup(aws_params_free)))

/* NAME.1, NAME.2 … */
void params_ids(struct aws_params *params, const char *name, struct ec2_ids ids);
/* Filter.N.Name, Filter.N.Value.M */
void params_filters(struct aws_params *params, struct ec2_filters filters);
/* PREFIX.N.Key, PREFIX.N.Value */
void params_tags(struct aws_params *params, const char *prefix, struct ec2_tags tags);
/* TagSpecification.INDEX for one type of resource ("volume"); nothing where there are no tags. */
void params_tag_specification(struct aws_params *params, unsigned index, const char *resource_type,
			      struct ec2_tags tags);
/* Left out when 0. */
void params_u64(struct aws_params *params, const char *name, uint64_t value);
/* "true", or left out. */
void params_true(struct aws_params *params, const char *name, bool value);

#endif
