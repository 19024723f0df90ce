/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the fields of one element of an answer into plain values. The first failure sticks, and the caller asks once,
 * at the end. */
#ifndef CPI_EC2_FIELDS_H
#define CPI_EC2_FIELDS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/error.h"
#include "cpi/aws/xml.h"
#include "cpi/ec2/client.h"

enum fields_failure { FIELDS_NOMEM, FIELDS_MISSING, FIELDS_NO_NUMBER };

struct fields {
	struct arena *arena;         /* takes the texts */
	const struct xml_node *node; /* NULL: every field is absent */
	const char *failed;          /* name of the first field that failed, NULL while none has */
	enum fields_failure failure;
};

/* A copy in the arena; "" where the field is absent. Never NULL. */
const char *fields_text(struct fields *fields, const char *name);
/* The same of the element itself: an item of a list of texts. */
const char *fields_own_text(struct fields *fields);
/* NULL where the field is absent or empty. */
const char *fields_optional(struct fields *fields, const char *name);
/* Absent or empty is a failure. */
const char *fields_required(struct fields *fields, const char *name);
/* 0 where it is absent or empty; anything but digits is a failure. */
uint64_t fields_u64(struct fields *fields, const char *name);
/* true for "true" only. */
bool fields_bool(struct fields *fields, const char *name);
/* The list "tagSet". */
struct ec2_tags fields_tags(struct fields *fields);
/* The items of the list of that name, each read into a zeroed struct of item_size bytes; NULL and 0 where there are
 * none. */
void *fields_list(struct fields *fields, const char *name, size_t item_size,
		  void (*read)(struct fields *fields, void *item), size_t *ret_count);
/* Makes a failure of an inner element the outer one's. */
void fields_inherit(struct fields *fields, const struct fields *inner);
/* 0, or -1: ERROR_INVALID that names action and field, or ERROR_NOMEM. */
int fields_check(const struct fields *fields, const char *action, struct error *err);

#endif
