/* SPDX-License-Identifier: Apache-2.0 */
/* Reads error answers. Whether the call is repeated is decided in retry.c, by what is found here. */
#include "cpi/aws/failure.h"

#include <stdio.h>
#include <string.h>

#include "common/json_read.h"
#include "cpi/aws/xml.h"

#define MAX_JSON ((size_t)256 * 1024)
#define SHOWN_OF_BODY 200
#define ENCODED "Encoded authorization failure message: "

struct found {
	const char *code;
	const char *message;
	const char *request_id;
	const char *reason; /* JSON's alone: "INVALID_CUSTOMER_KEY" */
};

/* EC2: Response / Errors / Error and RequestID. The others: ErrorResponse / Error and RequestId. */
static void read_tree(const struct xml_node *root, struct found *found)
{
	const struct xml_node *holder = xml_child(root, "Errors");
	const struct xml_node *error = xml_child(holder == NULL ? root : holder, "Error");

	if (error == NULL && strcmp(root->name, "Error") == 0)
		error = root;
	found->code = xml_text(error, "Code");
	found->message = xml_text(error, "Message");
	found->request_id = xml_text(root, "RequestID");
	if (found->request_id == NULL)
		found->request_id = xml_text(root, "RequestId");
}

static const char *first_text(const struct json *object, const char *const *keys, size_t count)
{
	const char *text = NULL;

	for (size_t i = 0; text == NULL && i < count; i++)
		text = json_text(json_get(object, keys[i]));
	return text;
}

/* "com.amazon…#ValidationException:http://…": what stands between. */
static const char *bare_code(struct arena *arena, const char *code)
{
	size_t len = strcspn(code, ":");
	const char *end = code + len;

	for (const char *at = end; at > code; at--) {
		if (at[-1] == '#')
			return arena_strndup(arena, at, (size_t)(end - at));
	}
	return arena_strndup(arena, code, len);
}

/* The code is in the header, else in the body under one of several names. */
static void read_json(const struct http_response *response, struct arena *arena, struct found *found)
{
	static const char *const codes[] = { "__type", "code", "Code" };
	static const char *const messages[] = { "message", "Message", "errorMessage" };
	const struct json *root = NULL;
	const char *code = http_header_value(response, "x-amzn-errortype");

	if (json_parse(arena, response->body, response->body_len, MAX_JSON, &root, NULL) != 0)
		root = NULL;
	if (code == NULL || *code == '\0')
		code = first_text(root, codes, sizeof(codes) / sizeof(codes[0]));
	if (code != NULL)
		found->code = bare_code(arena, code);
	found->message = first_text(root, messages, sizeof(messages) / sizeof(messages[0]));
	found->reason = json_text(json_get(root, "Reason"));
}

/* What EBS refuses as invalid although it passes. Fact: "Error retries for EBS direct APIs", Amazon EBS User Guide, for the
 * block that came to AWS cut; the reasons: EBS direct APIs Reference, ValidationException. */
static bool is_passing(const struct found *found)
{
	static const char *const reasons[] = { "CONFLICTING_BLOCK_UPDATE", "WRITE_REQUEST_TIMEOUT" };

	if (strcmp(found->code, "ValidationException") != 0)
		return false;
	if (found->message != NULL && strstr(found->message, "Failed to read block data") != NULL)
		return true;
	for (size_t i = 0; found->reason != NULL && i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		if (strcmp(found->reason, reasons[i]) == 0)
			return true;
	}
	return false;
}

const char *failure_request_id(const struct http_response *response)
{
	const char *id = http_header_value(response, "x-amzn-requestid");

	if (id == NULL)
		id = http_header_value(response, "x-amz-request-id");
	return id == NULL ? "" : id;
}

static int without_code(const char *action, const struct http_response *response, struct error *err)
{
	size_t shown = response->body_len < SHOWN_OF_BODY ? response->body_len : SHOWN_OF_BODY;

	if (shown == 0)
		return error_set(err, ERROR_AWS,
				 "%s failed: HTTP status %d with an empty body, which is not AWS's own form: "
				 "check the endpoint, and proxies on the way",
				 action, response->status);
	return error_set(err, ERROR_AWS,
			 "%s failed: HTTP status %d without an AWS error: check the endpoint, and proxies on "
			 "the way. The answer begins: %.*s%s",
			 action, response->status, (int)shown, response->body, shown < response->body_len ? "…" : "");
}

/* The message without its encoded part, and that one, in the arena; NULL where there is none. */
static const char *split_encoded(struct arena *arena, const char **message)
{
	const char *at = strstr(*message, ENCODED);

	if (at == NULL)
		return NULL;
	const char *start = at + strlen(ENCODED);
	size_t len = (size_t)(at - *message);
	while (len > 0 && (*message)[len - 1] == ' ')
		len--;
	const char *before = arena_strndup(arena, *message, len);
	const char *encoded = arena_strndup(arena, start, strcspn(start, " \t\r\n"));
	if (before == NULL || encoded == NULL || *encoded == '\0')
		return NULL;
	*message = before;
	return encoded;
}

/* The encoded part comes last: it is long, and for machines. */
static void with_code(const char *action, const struct found *found, const char *id, const char *encoded,
		      struct error *err)
{
	error_set(err, ERROR_AWS, "%s failed: %s (AWS code %s%s%s, request id %s)%s%s", action,
		  found->message == NULL || *found->message == '\0' ? "AWS gives no message" : found->message,
		  found->code, found->reason == NULL ? "" : ", reason ", found->reason == NULL ? "" : found->reason,
		  *id == '\0' ? "not given" : id, encoded == NULL ? "" : ". " ENCODED, encoded == NULL ? "" : encoded);
	snprintf(err->aws_code, sizeof(err->aws_code), "%s", found->code);
	snprintf(err->aws_message, sizeof(err->aws_message), "%s", found->message == NULL ? "" : found->message);
	err->retryable = is_passing(found);
}

void failure_replace_encoded(struct error *err, const char *sentence)
{
	char *at = strstr(err->message, ENCODED);

	if (at != NULL)
		snprintf(at, sizeof(err->message) - (size_t)(at - err->message), "%s", sentence);
}

int failure_from_answer(const char *action, const struct http_response *response, struct arena *scratch,
			const char **ret_encoded, struct error *err)
{
	struct found found = { 0 };
	const struct xml_node *root;
	struct error ignored;

	*ret_encoded = NULL;
	if (err == NULL)
		return -1;
	if (xml_parse(scratch, response->body, response->body_len, &root, &ignored) == 0)
		read_tree(root, &found);
	else
		read_json(response, scratch, &found);
	const char *header_id = failure_request_id(response);
	const char *id = found.request_id != NULL && *found.request_id != '\0' ? found.request_id : header_id;

	if (found.code == NULL || *found.code == '\0') {
		without_code(action, response, err);
		snprintf(err->aws_code, sizeof(err->aws_code), "%d", response->status);
	} else {
		if (found.message != NULL)
			*ret_encoded = split_encoded(scratch, &found.message);
		with_code(action, &found, id, *ret_encoded, err);
	}
	err->http_status = response->status;
	snprintf(err->aws_action, sizeof(err->aws_action), "%s", action);
	snprintf(err->aws_request_id, sizeof(err->aws_request_id), "%s", id);
	return -1;
}
