/* SPDX-License-Identifier: Apache-2.0 */
/* Answers: exactly one JSON object on one line, the Director's types, and who may be retried. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "common/json_read.h"
#include "cpi/rpc/response.h"
#include "tests/unit/fail_alloc.h"

static const struct json *parse(struct arena *arena, const char *text)
{
	const struct json *root;
	struct error err;
	size_t len = strlen(text);

	assert_true(len > 0 && text[len - 1] == '\n');
	assert_null(memchr(text, '\n', len - 1));
	if (json_parse(arena, text, len, len, &root, &err) != 0)
		fail_msg("%s: %s", err.message, text);
	assert_true(json_is(root, JSON_OBJECT));
	assert_int_equal(root->count, 3);
	assert_string_equal(json_text(json_get(root, "log")), "");
	return root;
}

static void test_result(void **state)
{
	CLEANUP_ARENA struct arena *arena = arena_new(1 << 20);
	CLEANUP_BUF struct buf out = BUF_INIT(1000);
	struct error err;

	(void)state;
	assert_int_equal(response_result("[1,\"two\"]", 9, &out, &err), 0);
	assert_string_equal(buf_text(&out), "{\"result\":[1,\"two\"],\"error\":null,\"log\":\"\"}\n");
	parse(arena, buf_text(&out));
}

static void test_result_too_big(void **state)
{
	CLEANUP_BUF struct buf out = BUF_INIT(20);
	struct error err;

	(void)state;
	assert_int_equal(response_result("[1,\"two\"]", 9, &out, &err), -1);
	assert_int_equal(err.kind, ERROR_TOO_BIG);
}

struct row {
	enum error_kind kind;
	const char *type;
	bool may_be_retried;
};

static const struct row table[] = {
	{ ERROR_NONE, "Unknown", false },
	{ ERROR_INTERNAL, "Unknown", false },
	{ ERROR_NOMEM, "Unknown", false },
	{ ERROR_INVALID, "Bosh::Clouds::CloudError", false },
	{ ERROR_TOO_BIG, "Bosh::Clouds::CloudError", false },
	{ ERROR_CONFIG, "Bosh::Clouds::CloudError", false },
	{ ERROR_IO, "Bosh::Clouds::CloudError", false },
	{ ERROR_TIMEOUT, "Bosh::Clouds::CloudError", false },
	{ ERROR_CANCELLED, "Bosh::Clouds::CloudError", false },
	{ ERROR_NETWORK, "Bosh::Clouds::CloudError", false },
	{ ERROR_AWS, "Bosh::Clouds::CloudError", false },
	{ ERROR_CLOUD, "Bosh::Clouds::CloudError", false },
	{ ERROR_INVALID_CALL, "InvalidCall", false },
	{ ERROR_API_VERSION, "Bosh::Clouds::CPIAPIVersionNotSupported", false },
	{ ERROR_NOT_SUPPORTED, "Bosh::Clouds::NotSupported", false },
	{ ERROR_NOT_IMPLEMENTED, "Bosh::Clouds::NotImplemented", false },
	{ ERROR_VM_NOT_FOUND, "Bosh::Clouds::VMNotFound", false },
	{ ERROR_VM_CREATION_FAILED, "Bosh::Clouds::VMCreationFailed", true },
	{ ERROR_NETWORK_NOT_FOUND, "Bosh::Clouds::NetworkNotFound", false },
	{ ERROR_DISK_NOT_FOUND, "Bosh::Clouds::DiskNotFound", true },
	{ ERROR_DISK_NOT_ATTACHED, "Bosh::Clouds::DiskNotAttached", true },
	{ ERROR_NO_DISK_SPACE, "Bosh::Clouds::NoDiskSpace", true },
	{ ERROR_IMAGE, "Bosh::Clouds::CloudError", false },
	{ ERROR_DEVICE_REFUSED, "Bosh::Clouds::CloudError", false },
	{ ERROR_NO_DEVICE, "Bosh::Clouds::CloudError", false },
	{ ERROR_METADATA, "Bosh::Clouds::CloudError", false },
	{ ERROR_PROTOCOL, "Bosh::Clouds::CloudError", false },
	{ ERROR_SANDBOX, "Bosh::Clouds::CloudError", false },
};

static void test_errors(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		CLEANUP_ARENA struct arena *arena = arena_new(1 << 20);
		CLEANUP_BUF struct buf out = BUF_INIT(RESPONSE_MAX_BYTES);
		struct error err;
		/* every kind is in the table, in its order: a new one cannot be forgotten */
		assert_int_equal(table[i].kind, i);
		(void)error_set(&err, table[i].kind, "it \"broke\"\nin two");
		for (int retryable = 0; retryable <= 1; retryable++) {
			err.retryable = retryable;
			const struct json *error = json_get(parse(arena, response_error(&err, false, &out)), "error");
			assert_string_equal(json_text(json_get(error, "type")), table[i].type);
			assert_string_equal(json_text(json_get(error, "message")), "it \"broke\"\nin two");
			assert_true(json_is(json_get(error, "ok_to_retry"), JSON_BOOL));
			assert_int_equal(json_true(json_get(error, "ok_to_retry")),
					 retryable && table[i].may_be_retried);
		}
	}
	assert_int_equal(sizeof(table) / sizeof(table[0]), ERROR_SANDBOX + 1);
	assert_string_equal(response_error_type((enum error_kind)999), "Unknown");
}

/* Bytes of a foreign answer that are no UTF-8 must not make the whole answer unreadable. */
/* An action's error says whether to retry by itself, and what AWS said where it did. */
static void test_of_action(void **state)
{
	CLEANUP_ARENA struct arena *arena = arena_new((size_t)1024 * 1024);
	CLEANUP_BUF struct buf out = BUF_INIT(RESPONSE_MAX_BYTES);
	struct error err;

	(void)state;
	(void)error_set(&err, ERROR_NETWORK, "nobody answers");
	for (int retryable = 0; retryable <= 1; retryable++) {
		err.retryable = retryable;
		const struct json *error = json_get(parse(arena, response_error(&err, true, &out)), "error");
		assert_int_equal(json_true(json_get(error, "ok_to_retry")), retryable);
		assert_null(json_get(error, "aws"));
		assert_int_equal(error->count, 3);
	}
	(void)error_set(&err, ERROR_AWS, "DeleteVolume failed: gone");
	snprintf(err.aws_code, sizeof(err.aws_code), "InvalidVolume.NotFound");
	snprintf(err.aws_message, sizeof(err.aws_message), "it is \"gone\"");
	snprintf(err.aws_request_id, sizeof(err.aws_request_id), "r-1");
	snprintf(err.aws_action, sizeof(err.aws_action), "DeleteVolume");
	const struct json *error = json_get(parse(arena, response_error(&err, true, &out)), "error");
	assert_string_equal(json_text(json_get(error, "type")), "Bosh::Clouds::CloudError");
	assert_string_equal(json_text(json_get(error, "message")), "DeleteVolume failed: gone");
	const struct json *aws = json_get(error, "aws");
	assert_int_equal(aws->count, 4);
	assert_string_equal(json_text(json_get(aws, "code")), "InvalidVolume.NotFound");
	assert_string_equal(json_text(json_get(aws, "message")), "it is \"gone\"");
	assert_string_equal(json_text(json_get(aws, "request_id")), "r-1");
	assert_string_equal(json_text(json_get(aws, "action")), "DeleteVolume");
	/* a method's has what the contract has, and no more */
	error = json_get(parse(arena, response_error(&err, false, &out)), "error");
	assert_int_equal(error->count, 3);
}

static void test_foreign_bytes(void **state)
{
	CLEANUP_ARENA struct arena *arena = arena_new(1 << 20);
	CLEANUP_BUF struct buf out = BUF_INIT(RESPONSE_MAX_BYTES);
	struct error err;

	(void)state;
	(void)error_set(&err, ERROR_AWS, "AWS said \xff\xfe and \x1b[2J");
	const struct json *root = parse(arena, response_error(&err, false, &out));
	assert_non_null(json_text(json_path(root, "error", "message", NULL)));
}

/* What a half-done success left in the buffer is gone. */
static void test_error_replaces_result(void **state)
{
	CLEANUP_ARENA struct arena *arena = arena_new(1 << 20);
	CLEANUP_BUF struct buf out = BUF_INIT(RESPONSE_MAX_BYTES);
	struct error err;

	(void)state;
	buf_str(&out, "{\"result\":");
	(void)error_set(&err, ERROR_CLOUD, "no");
	parse(arena, response_error(&err, false, &out));
}

static void test_no_memory(void **state)
{
	CLEANUP_ARENA struct arena *arena = arena_new(1 << 20);
	CLEANUP_BUF struct buf out = BUF_INIT(RESPONSE_MAX_BYTES);
	struct error err;

	(void)state;
	(void)error_set(&err, ERROR_CLOUD, "no");
	fail_alloc_after(0);
	const char *text = response_error(&err, false, &out);
	assert_true(fail_alloc_off());
	const struct json *root = parse(arena, text);
	assert_string_equal(json_text(json_path(root, "error", "type", NULL)), "Unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_result),
		cmocka_unit_test(test_result_too_big),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_of_action),
		cmocka_unit_test(test_foreign_bytes),
		cmocka_unit_test(test_error_replaces_result),
		cmocka_unit_test(test_no_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
