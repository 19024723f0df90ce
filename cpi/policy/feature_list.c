/* SPDX-License-Identifier: Apache-2.0 */
#include "cpi/policy/feature_list.h"

#include <string.h>

#include "common/json_write.h"

#define LINE_WIDTH 100

/* A text in lines of at most LINE_WIDTH, those after the first indented. */
static void put_item(struct buf *out, const char *service, const char *name, size_t *column)
{
	size_t len = strlen(service) + 1 + strlen(name) + 1;

	if (*column + len > LINE_WIDTH) {
		buf_str(out, "\n             ");
		*column = 13;
	}
	buf_printf(out, " %s:%s", service, name);
	*column += len;
}

void feature_list_write(const struct policy_selection *selection, struct buf *out)
{
	for (size_t f = 0; f < AWS_N_FEATURES; f++) {
		const struct aws_feature *feature = &aws_features[f];
		size_t column = 13;
		buf_printf(out, "%s%s%s\n", f == 0 ? "" : "\n", feature->name, selection->chosen[f] ? " (in the policy)" : "");
		buf_printf(out, "  used by:    %s\n  because of: %s\n  actions:   ", feature->used_by, feature->decided_by);
		for (size_t i = 0; i < aws_action_count; i++) {
			if (aws_action_serves(&aws_actions[i], (enum aws_feature_id)f))
				put_item(out, aws_actions[i].service, aws_actions[i].name, &column);
		}
		buf_char(out, '\n');
	}
}

static void put_json_actions(struct json_writer *writer, enum aws_feature_id feature, struct buf *name)
{
	json_key(writer, "actions");
	json_begin_array(writer);
	for (size_t i = 0; i < aws_action_count; i++) {
		const struct aws_action *action = &aws_actions[i];
		if (!aws_action_serves(action, feature))
			continue;
		buf_reset(name);
		buf_printf(name, "%s:%s", action->service, action->name);
		json_begin_object(writer);
		json_member_string(writer, "action", buf_text(name));
		json_member_boolean(writer, "called", !action->by_aws);
		json_member_string(writer, "can_do_without", action->can_do_without);
		json_end_object(writer);
	}
	json_end_array(writer);
}

void feature_list_json(const struct policy_selection *selection, struct buf *out)
{
	CLEANUP_BUF struct buf name = BUF_INIT(256);
	struct json_writer writer;

	json_writer_init(&writer, out);
	json_begin_object(&writer);
	json_key(&writer, "features");
	json_begin_array(&writer);
	for (size_t f = 0; f < AWS_N_FEATURES; f++) {
		json_begin_object(&writer);
		json_member_string(&writer, "name", aws_features[f].name);
		json_member_string(&writer, "sid", aws_features[f].sid);
		json_member_boolean(&writer, "included", selection->chosen[f]);
		json_member_string(&writer, "used_by", aws_features[f].used_by);
		json_member_string(&writer, "decided_by", aws_features[f].decided_by);
		put_json_actions(&writer, (enum aws_feature_id)f, &name);
		json_end_object(&writer);
	}
	json_end_array(&writer);
	json_end_object(&writer);
	buf_char(out, '\n');
}
