/* SPDX-License-Identifier: Apache-2.0 */
/* Availability zones. Which of them something goes into is the methods'. */
#include "cpi/ec2/zones.h"

#include <string.h>

#include "cpi/ec2/action.h"

#define NO_FILTERS ((struct ec2_filters){ NULL, 0 })
#define NO_IDS ((struct ec2_ids){ NULL, 0 })

struct zone {
	const char *name;
	const char *state;
	const char *type; /* availability-zone, local-zone, wavelength-zone; "" where EC2 knows the first alone */
};

static void read_zone(struct fields *fields, void *item)
{
	struct zone *zone = item;

	zone->name = fields_required(fields, "zoneName");
	zone->state = fields_text(fields, "zoneState");
	zone->type = fields_text(fields, "zoneType");
}

static bool is_usable(const struct zone *zone)
{
	return strcmp(zone->state, "available") == 0 &&
	       (*zone->type == '\0' || strcmp(zone->type, "availability-zone") == 0);
}

int zone_describe(struct ec2_client *ec2, struct arena *arena, struct ec2_ids *ret_names, struct error *err)
{
	/* never paged: without a page size, and without ids */
	static const struct action_describe describe = {
		.action = "DescribeAvailabilityZones",
		.id_name = "ZoneName",
		.set = "availabilityZoneInfo",
		.what = "availability zones",
		.item_size = sizeof(struct zone),
		.read = read_zone,
	};
	void *items;
	size_t count;
	size_t n_names = 0;

	if (action_describe(ec2, arena, &describe, NO_IDS, NO_FILTERS, &items, &count, err) != 0)
		return -1;
	const struct zone *zones = items;
	const char **names = arena_array(arena, count + 1, sizeof(*names));
	if (names == NULL)
		return error_nomem(err);
	for (size_t i = 0; i < count; i++) {
		if (is_usable(&zones[i]))
			names[n_names++] = zones[i].name;
	}
	*ret_names = (struct ec2_ids){ .items = names, .count = n_names };
	return 0;
}
