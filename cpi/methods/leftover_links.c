/* SPDX-License-Identifier: Apache-2.0 */
/* Attachments are detached and routes led back. Both are known by a text of their own, and are only touched while they are
 * what that text says. */
#include "cpi/methods/leftover_links.h"

#include <stdio.h>
#include <string.h>

#include "cpi/ec2/routes.h"
#include "cpi/ec2/volumes.h"

#define DETACH_LIMIT_MS ((int64_t)10 * 60 * 1000)
#define ARENA_BYTES ((size_t)64 * 1024 * 1024)
#define MOST_WORDS 5
#define NO_FILTERS ((struct ec2_filters){ 0 })

/* The words of an id; -1 when there are none, or more than there is room for. */
static int split(struct arena *arena, const char *id, const char *ret_words[MOST_WORDS])
{
	char *text = arena_strdup(arena, id);
	char *rest = NULL;
	int count = 0;

	if (text == NULL)
		return -1;
	for (char *word = strtok_r(text, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
		if (count == MOST_WORDS)
			return -1;
		ret_words[count++] = word;
	}
	return count;
}

static struct ec2_ids one(const char *const *id)
{
	return (struct ec2_ids){ .items = id, .count = 1 };
}

/* --- attachments --- */

struct attachment {
	struct ec2_client *ec2;
	const char *volume_id;
	const char *instance_id;
	bool asked;
};

static int read_attachment(struct ec2_client *ec2, struct arena *arena, const char *id, struct attachment *ret_attachment,
			   struct error *err)
{
	const char *words[MOST_WORDS];

	if (split(arena, id, words) != 2)
		return error_set(err, ERROR_INVALID, "'%.100s' does not name an attachment (vol-... i-...)", id);
	*ret_attachment = (struct attachment){ .ec2 = ec2, .volume_id = words[0], .instance_id = words[1] };
	return 0;
}

/* *ret_state NULL: it is not attached there, or there is no such volume. */
static int attachment_state(const struct attachment *attachment, struct arena *arena, const char **ret_state,
			    struct error *err)
{
	const struct volume_attachment *there = NULL;
	struct volume *volume;

	if (volume_find(attachment->ec2, arena, attachment->volume_id, &volume, err) != 0)
		return -1;
	if (volume != NULL)
		there = volume_attachment_to(volume, attachment->instance_id);
	*ret_state = there != NULL ? there->state : NULL;
	return 0;
}

static int found(struct leftover_list *list, struct arena *arena, const char *id, const char *state, struct error *err)
{
	const char *copy = arena_strdup(arena, id);

	if (copy == NULL || leftover_kind_room(list, arena, 1, NULL) != 0)
		return error_nomem(err);
	leftover_kind_add(list, copy, state, (struct ec2_tags){ 0 });
	return 0;
}

static int find_attachment(struct ec2_client *ec2, struct arena *arena, const struct leftover_query *query,
			   struct leftover_list *list, struct error *err)
{
	struct attachment attachment;
	const char *state;

	if (read_attachment(ec2, arena, query->id, &attachment, err) != 0 ||
	    attachment_state(&attachment, arena, &state, err) != 0)
		return -1;
	return state != NULL ? found(list, arena, query->id, state, err) : 0;
}

/* Never by force: a system that has it mounted would lose data. */
static int look_attachment(void *self, struct arena *scratch, enum wait_look *ret_look, char *seen, size_t seen_size,
			   struct error *err)
{
	static const char *const busy[] = { "IncorrectState", "VolumeInUse", NULL };
	struct attachment *attachment = self;
	const char *state;
	struct error why;

	if (attachment_state(attachment, scratch, &state, err) != 0)
		return -1;
	*ret_look = state == NULL ? WAIT_DONE : WAIT_AGAIN;
	if (state == NULL)
		return 0;
	snprintf(seen, seen_size, "%s", state);
	if (attachment->asked || strcmp(state, "detaching") == 0)
		return 0;
	int result = volume_detach(attachment->ec2, attachment->volume_id, attachment->instance_id, false, &why);
	attachment->asked = result == 0;
	return leftover_kind_unless(result, &why, busy, err);
}

static int remove_attachment(struct ec2_client *ec2, const char *id, bool hurry, struct error *err)
{
	CLEANUP_ARENA struct arena *arena = arena_new(ARENA_BYTES);
	struct attachment attachment;

	if (arena == NULL)
		return error_nomem(err);
	if (read_attachment(ec2, arena, id, &attachment, err) != 0)
		return -1;
	const struct leftover_goal goal = {
		.name = leftover_links_attachment.name,
		.id = id,
		.limit_ms = DETACH_LIMIT_MS,
		.look = look_attachment,
		.self = &attachment,
	};
	return leftover_kind_until_gone(ec2, &goal, hurry, err);
}

const struct leftover_kind leftover_links_attachment = { "attachment", find_attachment, remove_attachment };

/* --- routes --- */

struct lead {
	struct ec2_client *ec2;
	const char *table_id;
	const char *destination;
	const char *instance_id;
	const char *old_kind; /* NULL: there was no route, or none that can be had again */
	const char *old_id;
};

static int read_lead(struct ec2_client *ec2, struct arena *arena, const char *id, struct lead *ret_lead, struct error *err)
{
	const char *words[MOST_WORDS] = { NULL };
	int count = split(arena, id, words);

	if (count != 3 && count != 5)
		return error_set(err, ERROR_INVALID,
				 "'%.100s' does not name a route (rtb-... CIDR i-..., and perhaps KIND ID: where it led before)", id);
	*ret_lead = (struct lead){
		.ec2 = ec2,
		.table_id = words[0],
		.destination = words[1],
		.instance_id = words[2],
		.old_kind = words[3],
		.old_id = words[4],
	};
	return 0;
}

/* *ret_route NULL: there is no such route, or no such table. */
static int look_up(const struct lead *lead, struct arena *arena, const struct route **ret_route, struct error *err)
{
	struct route_table *tables;
	struct error why;
	size_t count = 0;

	if (route_table_describe(lead->ec2, arena, one(&lead->table_id), NO_FILTERS, &tables, &count, &why) != 0 &&
	    !ec2_is_not_found(&why)) {
		if (err != NULL)
			*err = why;
		return -1;
	}
	*ret_route = count > 0 ? route_find(&tables[0], lead->destination) : NULL;
	return 0;
}

static int find_route(struct ec2_client *ec2, struct arena *arena, const struct leftover_query *query,
		      struct leftover_list *list, struct error *err)
{
	const struct route *route;
	struct lead lead;

	if (read_lead(ec2, arena, query->id, &lead, err) != 0 || look_up(&lead, arena, &route, err) != 0)
		return -1;
	if (route == NULL || !route_leads_to(route, lead.instance_id))
		return 0;
	return found(list, arena, query->id, route->state, err);
}

/* What EC2 says when a target is no more: an old instance, as a rule, in whose place the new one came. */
static bool is_target_gone(const struct error *err)
{
	return err->kind == ERROR_AWS &&
	       (ec2_is_not_found(err) || strcmp(err->aws_code, "InvalidInstanceID") == 0 ||
		strcmp(err->aws_code, "InvalidInstanceId") == 0 || strcmp(err->aws_code, "IncorrectInstanceState") == 0 ||
		strcmp(err->aws_code, "InvalidParameterValue") == 0);
}

static int lead_back(const struct lead *lead, const struct route *route, struct error *err)
{
	struct log *log = aws_client_runtime(lead->ec2->aws)->log;
	struct error why;

	if (lead->old_kind == NULL)
		return route_delete(lead->ec2, lead->table_id, route->destination, NULL, err);
	if (route_replace(lead->ec2, lead->table_id, route->destination, lead->old_kind, lead->old_id, &why) == 0)
		return 0;
	if (is_target_gone(&why)) {
		log_warn(log, "route %s of %s cannot lead to %s again (%s); it is deleted", route->destination, lead->table_id,
			 lead->old_id, why.message);
		return route_delete(lead->ec2, lead->table_id, route->destination, NULL, err);
	}
	if (err != NULL)
		*err = why;
	return -1;
}

/* Each call takes effect at once, so there is nothing to wait for, and no hurry. */
static int remove_route(struct ec2_client *ec2, const char *id, bool hurry, struct error *err)
{
	CLEANUP_ARENA struct arena *arena = arena_new(ARENA_BYTES);
	struct log *log = aws_client_runtime(ec2->aws)->log;
	const struct route *route;
	struct lead lead;

	(void)hurry;
	if (arena == NULL)
		return error_nomem(err);
	if (read_lead(ec2, arena, id, &lead, err) != 0 || look_up(&lead, arena, &route, err) != 0)
		return -1;
	if (route == NULL)
		return 0;
	if (route_leads_to(route, lead.instance_id))
		return lead_back(&lead, route, err);
	if (lead.old_id == NULL || !route_leads_to(route, lead.old_id))
		log_info(log, "route %s of %s leads to %s by now, not to %s: it is left as it is", route->destination,
			 lead.table_id, route->target_id, lead.instance_id);
	return 0;
}

const struct leftover_kind leftover_links_route = { "route", find_route, remove_route };
