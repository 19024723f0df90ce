/* SPDX-License-Identifier: Apache-2.0 */
/* Decoded denials. When one is decoded, and that it is not tried in vain twice, is client.c's. */
#include "cpi/aws/denial.h"

#include <string.h>

#include "common/buf.h"
#include "common/json_read.h"
#include "cpi/aws/failure.h"
#include "cpi/aws/sts.h"

#define MAX_DOCUMENT ((size_t)256 * 1024)
#define MAX_SENTENCE ((size_t)1536) /* of an error's message */
#define MAX_STATEMENTS 3

/* Statements that decided, those with a name. */
static void append_statements(struct buf *sentence, const struct json *matched)
{
	const struct json *items = json_get(matched, "items");
	unsigned shown = 0;

	for (const struct json *item = json_is(items, JSON_ARRAY) ? items->child : NULL;
	     item != NULL && shown < MAX_STATEMENTS; item = item->next) {
		const char *id = json_text(json_get(item, "statementId"));
		if (id == NULL || *id == '\0')
			continue;
		buf_printf(sentence, "%s%.200s", shown == 0 ? " (statement " : ", ", id);
		shown++;
	}
	if (shown > 0)
		buf_char(sentence, ')');
}

int denial_sentence(struct arena *arena, const char *json, const char **ret_sentence, struct error *err)
{
	struct buf sentence CLEANUP_BUF = BUF_INIT(MAX_SENTENCE);
	const struct json *root;

	if (json_parse(arena, json, strlen(json), MAX_DOCUMENT, &root, err) != 0)
		return error_prefix(err, "the decoded denial");
	const struct json *context = json_get(root, "context");
	const char *action = json_text(json_get(context, "action"));
	const char *resource = json_text(json_get(context, "resource"));
	const char *who = json_text(json_path(context, "principal", "arn", NULL));
	if (action == NULL)
		return error_set(err, ERROR_INVALID, "the decoded denial names no action");
	if (who == NULL)
		who = "the caller";
	if (json_true(json_get(root, "explicitDeny")))
		buf_printf(&sentence, "A policy denies %.300s explicitly %.100s", who, action);
	else
		buf_printf(&sentence, "No policy allows %.300s %.100s", who, action);
	if (resource != NULL && *resource != '\0')
		buf_printf(&sentence, " on %.300s", resource);
	append_statements(&sentence, json_get(root, "matchedStatements"));
	if (buf_check(&sentence, "the denial's description", err) != 0)
		return -1;
	*ret_sentence = arena_strdup(arena, buf_text(&sentence));
	return *ret_sentence == NULL ? error_nomem(err) : 0;
}

int denial_explain(struct aws_client *client, const char *encoded, struct arena *scratch, struct error *failure,
		   struct error *err)
{
	const char *json;
	const char *sentence;

	if (sts_decode_authorization_message(client, encoded, scratch, &json, err) != 0 ||
	    denial_sentence(scratch, json, &sentence, err) != 0)
		return -1;
	failure_replace_encoded(failure, sentence);
	return 0;
}
