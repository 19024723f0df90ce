/* SPDX-License-Identifier: Apache-2.0 */
#include "cpi/ec2/regions.h"

#include "cpi/ec2/action.h"

#define NO_FILTERS ((struct ec2_filters){ NULL, 0 })
#define NO_IDS ((struct ec2_ids){ NULL, 0 })

static void read_region(struct fields *fields, void *item)
{
	*(const char **)item = fields_required(fields, "regionName");
}

int region_describe(struct ec2_client *ec2, struct arena *arena, struct ec2_ids *ret_names, struct error *err)
{
	/* never paged; without AllRegions those alone that are enabled */
	static const struct action_describe describe = {
		.action = "DescribeRegions",
		.id_name = "RegionName",
		.set = "regionInfo",
		.what = "regions",
		.item_size = sizeof(const char *),
		.read = read_region,
	};
	void *items;
	size_t count;

	if (action_describe(ec2, arena, &describe, NO_IDS, NO_FILTERS, &items, &count, err) != 0)
		return -1;
	*ret_names = (struct ec2_ids){ .items = items, .count = count };
	return 0;
}
