/* SPDX-License-Identifier: Apache-2.0 */
/* Tags of things that are created, and the judgement whether a failed call may have created its thing all the same. */
#include "cpi/methods/created.h"

#include <string.h>

#include "cpi/ec2/tags.h"

static void put(struct ec2_tag *tags, size_t *count, struct ec2_tag tag)
{
	for (size_t i = 0; i < *count; i++) {
		if (strcmp(tags[i].key, tag.key) == 0) {
			tags[i] = tag;
			return;
		}
	}
	tags[(*count)++] = tag;
}

int created_merge(struct arena *arena, const struct ec2_tags *lists, size_t n_lists, struct ec2_tags *ret_tags,
		  struct error *err)
{
	size_t most = 0, count = 0;

	for (size_t i = 0; i < n_lists; i++)
		most += lists[i].count;
	struct ec2_tag *tags = arena_array(arena, most + 1, sizeof(*tags));
	if (tags == NULL)
		return error_nomem(err);
	for (size_t i = 0; i < n_lists; i++) {
		for (size_t j = 0; j < lists[i].count; j++) {
			const struct ec2_tag tag = {
				.key = tags_cut(arena, lists[i].items[j].key, TAG_KEY_MAX),
				.value = tags_cut(arena, lists[i].items[j].value, TAG_VALUE_MAX),
			};
			if (tag.key == NULL || tag.value == NULL)
				return error_nomem(err);
			put(tags, &count, tag);
		}
	}
	*ret_tags = (struct ec2_tags){ .items = tags, .count = count };
	return 0;
}

int created_tags(struct arena *arena, struct ec2_tags tags, const struct undo_step *step, struct ec2_tags *ret_tags,
		 struct error *err)
{
	const struct ec2_tags lists[] = { tags, { .items = &step->tag, .count = 1 } };
	return created_merge(arena, lists, 2, ret_tags, err);
}

/* Refusals that may be the answer to a repetition, after the answer to the call that took effect was lost. */
static bool says_nothing(const char *code)
{
	static const char *const codes[] = {
		"IdempotentParameterMismatch", "InvalidAMIName.Duplicate", "RequestExpired",
		"RequestLimitExceeded",	       "AuthFailure",		   "SignatureDoesNotMatch",
	};

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (strcmp(code, codes[i]) == 0)
			return true;
	return false;
}

bool created_refused(const struct error *err)
{
	return err->kind == ERROR_AWS && err->http_status >= 400 && err->http_status < 500 && !says_nothing(err->aws_code);
}

void created_not(struct undo *undo, const struct undo_step *step, const struct error *err)
{
	if (created_refused(err))
		undo_forget(undo, step);
}
