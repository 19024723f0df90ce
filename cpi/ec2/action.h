/* SPDX-License-Identifier: Apache-2.0 */
/* What the typed calls do alike: one EC2 action, and a Describe action paged to its end. */
#ifndef CPI_EC2_ACTION_H
#define CPI_EC2_ACTION_H

#include "cpi/ec2/client.h"
#include "cpi/ec2/fields.h"

#define ACTION_ARENA ((size_t)256 * 1024 * 1024) /* for the tree of one answer; allocated as it is used */

/* aws_call with EC2's service and version filled in. */
int action_call(struct ec2_client *ec2, struct aws_call call, struct arena *arena, const struct xml_node **ret_root,
		struct error *err);
/* The same where nothing of the answer is wanted. */
int action_plain(struct ec2_client *ec2, struct aws_call call, struct error *err);

struct action_removal {
	const char *action;  /* "DeleteVolume" */
	const char *id_name; /* "VolumeId" */
	const char *what;    /* "volume", for the log */
};

/* Removes a thing by its id. Gone already counts as success: *ret_existed (may be NULL) tells. */
int action_remove(struct ec2_client *ec2, const struct action_removal *removal, const char *id, bool *ret_existed,
		  struct error *err);

struct action_describe {
	const char *action;   /* "DescribeVolumes" */
	const char *id_name;  /* "VolumeId" */
	const char *set;      /* "volumeSet" */
	const char *inner_set; /* "instancesSet" inside each item of set; NULL: the items themselves */
	const char *what;     /* "volumes", for the log */
	const char *owner;    /* Owner.1; NULL: not said */
	const char *owner_name; /* what the parameter is called */
	bool include_deprecated;
	unsigned page_size;   /* MaxResults, where no ids are given */
	bool created_by_us;   /* as in struct aws_call */
	size_t item_size;
	void (*read)(struct fields *fields, void *item); /* item is zeroed; failures stick in fields */
};

/* By ids or filters. The items are in the arena, NULL where there are none. */
int action_describe(struct ec2_client *ec2, struct arena *arena, const struct action_describe *describe,
		    struct ec2_ids ids, struct ec2_filters filters, void **ret_items, size_t *ret_count,
		    struct error *err);

#endif
