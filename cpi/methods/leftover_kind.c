/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of leftovers, and the loop that removes one. Which call is made in which state is the kinds'. */
#include "cpi/methods/leftover_kind.h"

#include <stdio.h>
#include <string.h>

#include "cpi/ec2/tags.h"

#define ARENA_BYTES ((size_t)64 * 1024 * 1024)

int leftover_kind_room(struct leftover_list *list, struct arena *arena, size_t count, struct error *err)
{
	list->items = arena_array(arena, count + 1, sizeof(*list->items));
	return list->items != NULL ? 0 : error_nomem(err);
}

static const char *tag_or_empty(struct ec2_tags tags, const char *key)
{
	const char *value = tags_get(tags, key);
	return value != NULL ? value : "";
}

void leftover_kind_add(struct leftover_list *list, const char *id, const char *state, struct ec2_tags tags)
{
	list->items[list->count++] = (struct leftover){
		.kind = list->kind,
		.id = id,
		.state = state,
		.tag_value = tag_or_empty(tags, LEFTOVER_TAG),
		.name = tag_or_empty(tags, "Name"),
	};
}

int leftover_kind_unless(int result, const struct error *why, const char *const *codes, struct error *err)
{
	if (result == 0)
		return 0;
	for (; why->kind == ERROR_AWS && *codes != NULL; codes++)
		if (strcmp(why->aws_code, *codes) == 0)
			return 0;
	if (err != NULL)
		*err = *why;
	return -1;
}

static int ask_once(const struct leftover_goal *goal, struct error *err)
{
	CLEANUP_ARENA struct arena *scratch = arena_new(ARENA_BYTES);
	enum wait_look done = WAIT_AGAIN;
	char seen[256] = "";

	if (scratch == NULL)
		return error_nomem(err);
	int result = goal->look(goal->self, scratch, &done, seen, sizeof(seen), err);
	if (result != 0 || done == WAIT_DONE)
		return result;
	return error_set(err, ERROR_CANCELLED, "asked to go, not waited for (%s)", seen);
}

int leftover_kind_until_gone(struct ec2_client *ec2, const struct leftover_goal *goal, bool hurry, struct error *err)
{
	char what[256];

	if (hurry)
		return ask_once(goal, NULL) == 0 ? 0 : ask_once(goal, err);
	snprintf(what, sizeof(what), "%s %s to be gone", goal->name, goal->id);
	return wait_until(ec2, what, goal->limit_ms, goal->look, goal->self, err);
}
