/* SPDX-License-Identifier: Apache-2.0 */
/* What leftover.c asks of each kind, and what the kinds share in answering: one entry a kind, in leftover_….c. */
#ifndef CPI_METHODS_LEFTOVER_KIND_H
#define CPI_METHODS_LEFTOVER_KIND_H

#include "cpi/ec2/wait.h"
#include "cpi/methods/leftover.h"

struct leftover_query {
	const char *id; /* NULL: by filters alone */
	struct ec2_ids ids; /* that id */
	struct ec2_filters filters;
};

struct leftover_list {
	enum undo_kind kind;
	struct leftover *items;
	size_t count;
};

struct leftover_kind {
	const char *name; /* for people and in journals: once given, it stays */
	/* Into list; what EC2 does not know may be an error or none. */
	int (*find)(struct ec2_client *ec2, struct arena *arena, const struct leftover_query *query,
		    struct leftover_list *list, struct error *err);
	int (*remove)(struct ec2_client *ec2, const char *id, bool hurry, struct error *err); /* as leftover_remove */
};

/* Before the first leftover_kind_add: room for so many. */
int leftover_kind_room(struct leftover_list *list, struct arena *arena, size_t count, struct error *err);
void leftover_kind_add(struct leftover_list *list, const char *id, const char *state, struct ec2_tags tags);

/* 0 for success, and where EC2 answered with one of the codes (up to NULL): in a state that passes. Otherwise -1 with why. */
int leftover_kind_unless(int result, const struct error *why, const char *const *codes, struct error *err);

struct leftover_goal {
	const char *name;   /* of the kind */
	const char *id;
	int64_t limit_ms;
	wait_look_fn look;  /* asks for what the thing's state allows; WAIT_DONE: it is gone */
	void *self;         /* look's */
};

/* Looks until it is gone. hurry: twice and without waiting, so that what must be freed first can be freed; then -1
 * ERROR_CANCELLED unless it is gone. */
int leftover_kind_until_gone(struct ec2_client *ec2, const struct leftover_goal *goal, bool hurry, struct error *err);

#endif
