/* SPDX-License-Identifier: Apache-2.0 */
/* The name and version of EC2, removals, and paging. Signing, retries and errors are cpi/aws's; the fields are the
 * typed calls'. */
#include "cpi/ec2/action.h"

#include <stdio.h>
#include <string.h>

#include "cpi/ec2/params.h"

#define MAX_PAGES 10000
#define MAX_CLIENT_TOKEN 64

static const struct action_service ec2_service = {
	.aws = { .name = "ec2", .version = "2016-11-15" },
	.page_size = "MaxResults",
	.token = "NextToken",
	.next = "nextToken",
};

int action_call(struct ec2_client *ec2, struct aws_call call, struct arena *arena, const struct xml_node **ret_root,
		struct error *err)
{
	if (call.service == NULL)
		call.service = &ec2_service.aws;
	return aws_call(ec2->aws, &call, arena, ret_root, err);
}

int action_plain(struct ec2_client *ec2, struct aws_call call, struct error *err)
{
	struct arena *scratch CLEANUP_ARENA = arena_new(ACTION_ARENA);
	const struct xml_node *root;

	if (scratch == NULL)
		return error_nomem(err);
	return action_call(ec2, call, scratch, &root, err);
}

int action_check_token(const char *action, const char *token, struct error *err)
{
	if (token == NULL || *token == '\0' || strlen(token) > MAX_CLIENT_TOKEN)
		return error_set(err, ERROR_INTERNAL, "%s needs a client token of 1 to %d characters", action,
				 MAX_CLIENT_TOKEN);
	return 0;
}

int action_note_lost(void *self, struct error *err)
{
	bool *lost = self;

	(void)err;
	*lost = true;
	return 0;
}

int action_remove_by(struct ec2_client *ec2, struct aws_call call, bool *ret_existed, struct error *err)
{
	struct error failure = { 0 };
	bool lost = false;

	call.settle = action_note_lost;
	call.settle_self = &lost;
	bool existed = action_plain(ec2, call, &failure) == 0 || (lost && ec2_is_not_found(&failure));
	if (!existed && err != NULL)
		*err = failure;
	if (!existed && !ec2_is_not_found(&failure))
		return -1;
	if (ret_existed != NULL)
		*ret_existed = existed;
	return 0;
}

int action_remove(struct ec2_client *ec2, const struct action_removal *removal, const char *id, bool *ret_existed,
		  struct error *err)
{
	struct aws_params params PARAMS_CLEANUP;
	char purpose[160];

	aws_params_init(&params);
	aws_params_add(&params, removal->id_name, id);
	snprintf(purpose, sizeof(purpose), "%s %s", removal->what, id);
	struct aws_call call = { .action = removal->action, .params = &params, .purpose = purpose };
	return action_remove_by(ec2, call, ret_existed, err);
}

/* --- describe ----------------------------------------------------------------------------------------------------- */

struct listing {
	const struct action_describe *describe;
	struct arena *arena;
	char *items;
	size_t count;
	size_t room;
};

static void *next_item(struct listing *listing)
{
	size_t size = listing->describe->item_size;

	if (listing->count == listing->room) {
		size_t room = listing->room == 0 ? 8 : listing->room * 2;
		char *items = arena_array(listing->arena, room, size);
		if (items == NULL)
			return NULL;
		if (listing->count > 0)
			memcpy(items, listing->items, listing->count * size);
		listing->items = items;
		listing->room = room;
	}
	return listing->items + size * listing->count++;
}

static int read_items(struct listing *listing, const struct xml_node *set, struct error *err)
{
	for (const struct xml_node *node = xml_item(set); node != NULL; node = xml_next_item(node)) {
		struct fields fields = { .arena = listing->arena, .node = node };
		void *item = next_item(listing);
		if (item == NULL)
			return error_nomem(err);
		listing->describe->read(&fields, item);
		if (fields_check(&fields, listing->describe->action, err) != 0)
			return -1;
	}
	return 0;
}

static const struct action_service *service_of(const struct action_describe *describe)
{
	return describe->service == NULL ? &ec2_service : describe->service;
}

/* The element that holds the list and the next page's token. */
static const struct xml_node *content_of(const struct xml_node *root, const struct action_describe *describe)
{
	char wrapper[128];

	if (!service_of(describe)->wrapped)
		return root;
	snprintf(wrapper, sizeof(wrapper), "%sResult", describe->action);
	return xml_child(root, wrapper);
}

static int read_page(struct listing *listing, const struct xml_node *content, struct error *err)
{
	const struct action_describe *describe = listing->describe;
	const struct xml_node *set = xml_child(content, describe->set);

	if (set == NULL)
		return error_set(err, ERROR_INVALID, "%s: AWS's answer lacks %s", describe->action, describe->set);
	if (describe->inner_set == NULL)
		return read_items(listing, set, err);
	for (const struct xml_node *node = xml_item(set); node != NULL; node = xml_next_item(node)) {
		if (read_items(listing, xml_child(node, describe->inner_set), err) != 0)
			return -1;
	}
	return 0;
}

static void page_params(struct aws_params *params, const struct action_describe *describe, struct ec2_ids ids,
			struct ec2_filters filters, const char *token)
{
	const struct action_service *service = service_of(describe);

	params_ids(params, describe->id_name, ids);
	params_filters(params, filters);
	if (describe->owner != NULL)
		aws_params_addf(params, describe->owner, "%s.1", describe->owner_name);
	params_true(params, "IncludeDeprecated", describe->include_deprecated);
	/* EC2 refuses a page size together with ids; without them, paging also draws on the larger bucket */
	if (ids.count == 0)
		params_u64(params, service->page_size, describe->page_size);
	aws_params_add(params, service->token, token);
}

static void describe_purpose(char *purpose, size_t size, const struct action_describe *describe, struct ec2_ids ids,
			     struct ec2_filters filters)
{
	if (ids.count == 1)
		snprintf(purpose, size, "%s %s", describe->what, ids.items[0]);
	else if (ids.count > 1)
		snprintf(purpose, size, "%s %s and %zu more", describe->what, ids.items[0], ids.count - 1);
	else if (filters.count > 0)
		snprintf(purpose, size, "%s by %s", describe->what, filters.items[0].name);
	else
		snprintf(purpose, size, "all %s", describe->what);
}

/* token is replaced by the next page's, "" at the end. */
static int describe_page(struct ec2_client *ec2, struct listing *listing, struct ec2_ids ids,
			 struct ec2_filters filters, struct buf *token, struct error *err)
{
	const struct action_describe *describe = listing->describe;
	struct arena *scratch CLEANUP_ARENA = arena_new(ACTION_ARENA);
	struct aws_params params PARAMS_CLEANUP;
	const struct xml_node *root;
	char purpose[160];

	aws_params_init(&params);
	if (scratch == NULL)
		return error_nomem(err);
	page_params(&params, describe, ids, filters, token->len == 0 ? NULL : buf_text(token));
	describe_purpose(purpose, sizeof(purpose), describe, ids, filters);
	struct aws_call call = {
		.service = &service_of(describe)->aws,
		.action = describe->action,
		.params = &params,
		.purpose = purpose,
		.created_by_us = describe->created_by_us,
	};
	if (action_call(ec2, call, scratch, &root, err) != 0)
		return -1;
	const struct xml_node *content = content_of(root, describe);
	if (read_page(listing, content, err) != 0)
		return -1;
	const char *next = xml_text(content, service_of(describe)->next);
	if (next != NULL && *next != '\0' && strcmp(next, buf_text(token)) == 0)
		return error_set(err, ERROR_INVALID, "%s: AWS gives the same page again and again", describe->action);
	buf_reset(token);
	buf_str(token, next == NULL ? "" : next);
	return buf_check(token, "AWS's paging token", err);
}

int action_describe(struct ec2_client *ec2, struct arena *arena, const struct action_describe *describe,
		    struct ec2_ids ids, struct ec2_filters filters, void **ret_items, size_t *ret_count,
		    struct error *err)
{
	struct listing listing = { .describe = describe, .arena = arena };
	struct buf token CLEANUP_BUF = BUF_INIT(64 * 1024);

	for (unsigned page = 0; page < MAX_PAGES; page++) {
		if (describe_page(ec2, &listing, ids, filters, &token, err) != 0)
			return -1;
		if (token.len == 0) {
			*ret_items = listing.items;
			*ret_count = listing.count;
			return 0;
		}
	}
	return error_set(err, ERROR_TOO_BIG, "%s: more than %d pages", describe->action, MAX_PAGES);
}
