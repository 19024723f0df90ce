/* SPDX-License-Identifier: Apache-2.0 */
/* The table of kinds, and what is the same for all: asking by id or by tag, and asking again. Does not decide what may go. */
#include "cpi/methods/leftover.h"

#include <stdio.h>
#include <string.h>

#include "cpi/ec2/wait.h"
#include "cpi/methods/leftover_compute.h"
#include "cpi/methods/leftover_links.h"
#include "cpi/methods/leftover_storage.h"

static const struct leftover_kind *const kinds[] = {
	[UNDO_VOLUME] = &leftover_storage_volume,
	[UNDO_SNAPSHOT] = &leftover_storage_snapshot,
	[UNDO_IMAGE] = &leftover_storage_image,
	[UNDO_INSTANCE] = &leftover_compute_instance,
	[UNDO_INTERFACE] = &leftover_compute_interface,
	[UNDO_ATTACHMENT] = &leftover_links_attachment,
	[UNDO_ROUTE] = &leftover_links_route,
};

const char *leftover_name(enum undo_kind kind)
{
	return kinds[kind]->name;
}

bool leftover_by_name(const char *name, enum undo_kind *ret_kind)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(name, kinds[i]->name) == 0) {
			*ret_kind = (enum undo_kind)i;
			return true;
		}
	}
	return false;
}

int leftover_find(struct ec2_client *ec2, struct arena *arena, enum undo_kind kind, const char *id, const char *tag_value,
		  struct leftover **ret_found, size_t *ret_count, struct error *err)
{
	const struct ec2_filter filter = { .name = "tag:" LEFTOVER_TAG, .values = &tag_value, .n_values = 1 };
	struct leftover_query query = { .id = id };
	struct leftover_list list = { .kind = kind };
	struct error why;

	if (id != NULL)
		query.ids = (struct ec2_ids){ .items = &id, .count = 1 };
	else
		query.filters = (struct ec2_filters){ .items = &filter, .count = 1 };
	if (id == NULL && kind >= UNDO_ATTACHMENT)
		return error_set(err, ERROR_INVALID, "the %s has no name", leftover_name(kind));
	if (kinds[kind]->find(ec2, arena, &query, &list, &why) != 0 && !ec2_is_not_found(&why)) {
		if (err != NULL)
			*err = why;
		return -1;
	}
	*ret_found = list.items;
	*ret_count = list.count;
	return 0;
}

struct awaited {
	struct ec2_client *ec2;
	struct arena *arena;
	enum undo_kind kind;
	const char *id;
	const char *tag_value;
	bool looked; /* at least once with success */
	struct leftover *found;
	size_t count;
};

static int look_for(void *self, struct arena *scratch, enum wait_look *ret_look, char *seen, size_t seen_size,
		    struct error *err)
{
	struct awaited *awaited = self;

	(void)scratch;
	snprintf(seen, seen_size, "none");
	if (leftover_find(awaited->ec2, awaited->arena, awaited->kind, awaited->id, awaited->tag_value, &awaited->found,
			  &awaited->count, err) != 0)
		return -1;
	awaited->looked = true;
	*ret_look = awaited->count > 0 ? WAIT_DONE : WAIT_AGAIN;
	return 0;
}

int leftover_await(struct ec2_client *ec2, struct arena *arena, enum undo_kind kind, const char *id,
		   const char *tag_value, struct leftover **ret_found, size_t *ret_count, struct error *err)
{
	struct awaited awaited = { .ec2 = ec2, .arena = arena, .kind = kind, .id = id, .tag_value = tag_value };
	struct error why;
	char what[512];

	snprintf(what, sizeof(what), "%s %s to show up, if it is there", leftover_name(kind), id != NULL ? id : tag_value);
	if (wait_until(ec2, what, LEFTOVER_AWAIT_MS, look_for, &awaited, &why) != 0 &&
	    (why.kind != ERROR_TIMEOUT || !awaited.looked)) {
		if (err != NULL)
			*err = why;
		return -1;
	}
	*ret_found = awaited.found;
	*ret_count = awaited.count;
	return 0;
}

int leftover_remove(struct ec2_client *ec2, enum undo_kind kind, const char *id, bool hurry, struct error *err)
{
	return kinds[kind]->remove(ec2, id, hurry, err);
}
