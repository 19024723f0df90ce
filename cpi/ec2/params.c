/* SPDX-License-Identifier: Apache-2.0 */
/* Lists in EC2's numbering. Limits (200 values a filter, 50 tags a resource) are EC2's to enforce. */
#include "cpi/ec2/params.h"

#include <inttypes.h>
#include <stdio.h>

void params_ids(struct aws_params *params, const char *name, struct ec2_ids ids)
{
	for (size_t i = 0; i < ids.count; i++)
		aws_params_addf(params, ids.items[i], "%s.%zu", name, i + 1);
}

void params_filters(struct aws_params *params, struct ec2_filters filters)
{
	for (size_t i = 0; i < filters.count; i++) {
		const struct ec2_filter *filter = &filters.items[i];
		aws_params_addf(params, filter->name, "Filter.%zu.Name", i + 1);
		for (size_t j = 0; j < filter->n_values; j++)
			aws_params_addf(params, filter->values[j], "Filter.%zu.Value.%zu", i + 1, j + 1);
	}
}

void params_tags(struct aws_params *params, const char *prefix, struct ec2_tags tags)
{
	for (size_t i = 0; i < tags.count; i++) {
		const char *value = tags.items[i].value;
		aws_params_addf(params, tags.items[i].key, "%s.%zu.Key", prefix, i + 1);
		aws_params_addf(params, value == NULL ? "" : value, "%s.%zu.Value", prefix, i + 1);
	}
}

void params_tag_specification(struct aws_params *params, unsigned index, const char *resource_type,
			      struct ec2_tags tags)
{
	char prefix[64];

	if (tags.count == 0)
		return;
	aws_params_addf(params, resource_type, "TagSpecification.%u.ResourceType", index);
	snprintf(prefix, sizeof(prefix), "TagSpecification.%u.Tag", index);
	params_tags(params, prefix, tags);
}

void params_u64(struct aws_params *params, const char *name, uint64_t value)
{
	char text[24];

	if (value == 0)
		return;
	snprintf(text, sizeof(text), "%" PRIu64, value);
	aws_params_add(params, name, text);
}

void params_true(struct aws_params *params, const char *name, bool value)
{
	if (value)
		aws_params_add(params, name, "true");
}
