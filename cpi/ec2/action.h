/* SPDX-License-Identifier: Apache-2.0 */
/* What the typed calls do alike: one action, and a Describe action paged to its end; of EC2 or of a service like it. */
#ifndef CPI_EC2_ACTION_H
#define CPI_EC2_ACTION_H

#include "cpi/ec2/client.h"
#include "cpi/ec2/fields.h"

#define ACTION_ARENA ((size_t)256 * 1024 * 1024) /* for the tree of one answer; allocated as it is used */

/* A service of the Query family, and how it pages and wraps its answers. */
struct action_service {
	struct aws_service aws;
	const char *page_size; /* "MaxResults" */
	const char *token;     /* "NextToken" */
	const char *next;      /* "nextToken", in the answer */
	bool wrapped;          /* <XxxResponse><XxxResult>…: what counts is in the inner one */
};

/* aws_call with EC2's service and version filled in, where the call names no other. */
int action_call(struct ec2_client *ec2, struct aws_call call, struct arena *arena, const struct xml_node **ret_root,
		struct error *err);
/* The same where nothing of the answer is wanted. */
int action_plain(struct ec2_client *ec2, struct aws_call call, struct error *err);

/* ERROR_INTERNAL unless the client token has 1 to 64 characters. */
int action_check_token(const char *action, const char *token, struct error *err);
/* A settle function for such calls: *(bool *)self becomes true after an attempt whose answer was lost. If the next one finds
 * nothing, that one has taken it away. */
int action_note_lost(void *self, struct error *err);
/* A call that takes something away: gone already (ec2_is_not_found) counts as success, *ret_existed (may be NULL)
 * tells, and when it is false *err holds EC2's refusal. */
int action_remove_by(struct ec2_client *ec2, struct aws_call call, bool *ret_existed, struct error *err);

struct action_removal {
	const char *action;  /* "DeleteVolume" */
	const char *id_name; /* "VolumeId" */
	const char *what;    /* "volume", for the log */
};

/* The same for a thing that has an id. */
int action_remove(struct ec2_client *ec2, const struct action_removal *removal, const char *id, bool *ret_existed,
		  struct error *err);

struct action_describe {
	const struct action_service *service; /* NULL: EC2 */
	const char *action;   /* "DescribeVolumes" */
	const char *id_name;  /* "VolumeId" */
	const char *set;      /* "volumeSet" */
	const char *inner_set; /* "instancesSet" inside each item of set; NULL: the items themselves */
	const char *what;     /* "volumes", for the log */
	const char *owner;    /* Owner.1; NULL: not said */
	const char *owner_name; /* what the parameter is called */
	bool include_deprecated;
	unsigned page_size;   /* MaxResults, where no ids are given; 0: not said */
	bool created_by_us;   /* as in struct aws_call */
	size_t item_size;
	void (*read)(struct fields *fields, void *item); /* item is zeroed; failures stick in fields */
};

/* By ids or filters. The items are in the arena, NULL where there are none. */
int action_describe(struct ec2_client *ec2, struct arena *arena, const struct action_describe *describe,
		    struct ec2_ids ids, struct ec2_filters filters, void **ret_items, size_t *ret_count,
		    struct error *err);

#endif
