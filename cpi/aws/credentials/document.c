/* SPDX-License-Identifier: Apache-2.0 */
/* The fields of a credentials document. A null counts as left out, as the SDKs see it. */
#include "cpi/aws/credentials/document.h"

#include "common/log.h"
#include "common/parse.h"

static bool is_there(const struct json *root, const char *field)
{
	const struct json *value = json_get(root, field);

	return value != NULL && value->type != JSON_NULL;
}

int document_text(const struct json *root, const char *whose, const char *field, const char **ret_text,
		  struct error *err)
{
	const char *text = json_text(json_get(root, field));

	if (!is_there(root, field))
		return error_set(err, ERROR_CONFIG, "%s: %s is missing", whose, field);
	if (text == NULL)
		return error_set(err, ERROR_CONFIG, "%s: %s is not a text", whose, field);
	if (*text == '\0')
		return error_set(err, ERROR_CONFIG, "%s: %s is empty", whose, field);
	*ret_text = text;
	return 0;
}

static int read_optional(const struct json *root, const char *whose, const char *field, const char **ret_text,
			 struct error *err)
{
	if (field == NULL || !is_there(root, field))
		return 0;
	return document_text(root, whose, field, ret_text, err);
}

static int read_milliseconds(const struct json *root, const struct document *document, int64_t *ret_seconds,
			     struct error *err)
{
	int64_t milliseconds;

	if (!is_there(root, document->expiration))
		return error_set(err, ERROR_CONFIG, "%s: %s is missing", document->whose, document->expiration);
	if (!json_int(json_get(root, document->expiration), &milliseconds) || milliseconds < 1000)
		return error_set(err, ERROR_CONFIG, "%s: %s is not a number of milliseconds", document->whose,
				 document->expiration);
	*ret_seconds = milliseconds / 1000;
	return 0;
}

static int read_time(const struct json *root, const struct document *document, int64_t *ret_seconds, struct error *err)
{
	const char *text;

	if (document_text(root, document->whose, document->expiration, &text, err) != 0)
		return -1;
	/* 0 stands for "never" from here on */
	if (!parse_zoned_time(text, ret_seconds) || *ret_seconds <= 0)
		return error_set(err, ERROR_CONFIG, "%s: %s is not a time such as 2026-01-31T10:20:30Z",
				 document->whose, document->expiration);
	return 0;
}

static int read_expiration(const struct credentials_context *context, const struct json *root,
			   const struct document *document, int64_t *ret_seconds, struct error *err)
{
	const struct clock *clock = context->runtime->clock;
	int64_t seconds;

	if (document->lasting && !is_there(root, document->expiration))
		return 0;
	int result = document->milliseconds ? read_milliseconds(root, document, &seconds, err) :
					      read_time(root, document, &seconds, err);
	if (result != 0)
		return -1;
	int64_t age = clock->wall_us(clock->self) / 1000000 - seconds;
	if (age >= 0 && !document->may_be_expired)
		return error_set(err, ERROR_CONFIG, "the credentials of %s have expired already, %lld s ago; is this "
				 "machine's clock right?", document->whose, (long long)age);
	*ret_seconds = seconds;
	return 0;
}

int document_read(const struct credentials_context *context, const struct json *root, const struct document *document,
		  struct credentials *ret_credentials, struct error *err)
{
	struct credentials credentials = { 0 };
	const char *whose = document->whose;

	/* before anything can fail: a message must not repeat them */
	log_add_secret(context->runtime->log, json_text(json_get(root, document->secret)));
	log_add_secret(context->runtime->log, json_text(json_get(root, document->token)));
	if (document_text(root, whose, document->id, &credentials.access_key_id, err) != 0 ||
	    document_text(root, whose, document->secret, &credentials.secret_access_key, err) != 0)
		return -1;
	int token_read = document->lasting ?
				 read_optional(root, whose, document->token, &credentials.session_token, err) :
				 document_text(root, whose, document->token, &credentials.session_token, err);
	if (token_read != 0 || read_optional(root, whose, document->account, &credentials.account, err) != 0 ||
	    read_expiration(context, root, document, &credentials.expires_at, err) != 0)
		return -1;
	if (credentials_check(&credentials, whose, err) != 0)
		return -1;
	*ret_credentials = credentials;
	return 0;
}
