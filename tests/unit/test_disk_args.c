/* SPDX-License-Identifier: Apache-2.0 */
/* create_disk's and update_disk's arguments: what is read, where the configuration stands in, and every wrong type named. */
#include "cpi/rpc/disk_args.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cpi/ec2/tags.h"

#define ARENA_BYTES ((size_t)16 * 1024 * 1024)

static const struct json *parse(struct arena *arena, const char *text)
{
	const struct json *root;
	struct error err;

	if (json_parse(arena, text, strlen(text), 1 << 20, &root, &err) != 0)
		fail_msg("%s: %s", err.message, text);
	return root;
}

static struct disk_create_request read_ok(struct arena *arena, const char *arguments, const struct config *config)
{
	struct disk_create_request request;
	struct error err;

	if (disk_args_create(parse(arena, arguments), config, arena, &request, &err) != 0)
		fail_msg("%s: %s", arguments, err.message);
	return request;
}

static void test_all(void **state)
{
	const struct config config = { 0 };
	CLEANUP_ARENA struct arena *arena = arena_new(ARENA_BYTES);

	(void)state;
	struct disk_create_request request =
		read_ok(arena, "[512,{\"type\":\"io2\",\"iops\":4000,\"throughput\":500,\"encrypted\":\"yes\",\"kms_key_arn\":\"arn\","
			       "\"tags\":{\"a\":1},\"more\":0},\"i-1\"]", &config);
	const struct disk_properties *properties = &request.properties;
	assert_int_equal(request.size_mib, 512);
	assert_string_equal(request.vm_cid, "i-1");
	assert_string_equal(properties->type, "io2");
	assert_int_equal(properties->iops, 4000);
	assert_int_equal(properties->throughput_mibs, 500);
	assert_true(properties->encrypted && properties->encrypted_given && properties->kms_key_arn_given);
	assert_string_equal(properties->kms_key_arn, "arn");
	assert_string_equal(tags_get(properties->tags, "a"), "1");
}

static void test_little(void **state)
{
	static const char *const little[] = { "[1,{}]", "[1,{},null]", "[1,null]",
					      "[1,{\"type\":null,\"iops\":null,\"throughput\":null,\"tags\":null}]", "[1,{\"type\":\"\"}]" };
	const struct config config = { 0 };
	CLEANUP_ARENA struct arena *arena = arena_new(ARENA_BYTES);

	(void)state;
	for (size_t i = 0; i < sizeof(little) / sizeof(little[0]); i++) {
		struct disk_create_request request = read_ok(arena, little[i], &config);
		assert_null(request.properties.type);
		assert_int_equal(request.properties.iops, 0);
		assert_int_equal(request.properties.throughput_mibs, 0);
		assert_false(request.properties.encrypted || request.properties.encrypted_given);
		assert_null(request.properties.kms_key_arn);
		assert_int_equal(request.properties.tags.count, 0);
		assert_null(request.vm_cid);
		assert_null(request.availability_zone);
	}
}

static void test_configuration(void **state)
{
	CLEANUP_ARENA struct arena *arena = arena_new(ARENA_BYTES);
	const struct config config = {
		.encrypted = true,
		.kms_key_arn = "global",
		.aws_properties = parse(arena, "{\"availability_zone\":\"us-east-1b\"}"),
	};

	(void)state;
	struct disk_create_request request = read_ok(arena, "[1,{}]", &config);
	assert_true(request.properties.encrypted);
	assert_false(request.properties.encrypted_given || request.properties.kms_key_arn_given);
	assert_string_equal(request.properties.kms_key_arn, "global");
	assert_string_equal(request.availability_zone, "us-east-1b");

	request = read_ok(arena, "[1,{\"encrypted\":false,\"kms_key_arn\":null}]", &config);
	assert_false(request.properties.encrypted);
	assert_true(request.properties.encrypted_given);
	assert_null(request.properties.kms_key_arn);
	assert_false(read_ok(arena, "[1,{\"encrypted\":null}]", &config).properties.encrypted);
}

static void test_refused(void **state)
{
	static const struct {
		const char *arguments, *named;
		enum error_kind kind;
	} cases[] = {
		{ "[\"1\",{}]", "a string as size", ERROR_INVALID_CALL },
		{ "[1.5,{}]", "1.5 as size", ERROR_INVALID_CALL },
		{ "[0,{}]", "0 as size", ERROR_INVALID_CALL },
		{ "[-1,{}]", "-1 as size", ERROR_INVALID_CALL },
		{ "[null,{}]", "null as size", ERROR_INVALID_CALL },
		{ "[1,[]]", "an array as cloud_properties", ERROR_INVALID_CALL },
		{ "[1,{\"type\":1}]", "cloud_properties.type", ERROR_INVALID_CALL },
		{ "[1,{\"iops\":\"3k\"}]", "cloud_properties.iops", ERROR_INVALID_CALL },
		{ "[1,{\"iops\":-1}]", "cloud_properties.iops", ERROR_CLOUD },
		{ "[1,{\"throughput\":1.5}]", "cloud_properties.throughput", ERROR_INVALID_CALL },
		{ "[1,{\"kms_key_arn\":1}]", "cloud_properties.kms_key_arn", ERROR_INVALID_CALL },
		{ "[1,{\"tags\":[]}]", "cloud_properties.tags", ERROR_CLOUD },
		{ "[1,{},1]", "vm_cid", ERROR_INVALID_CALL },
	};
	const struct config config = { 0 };
	CLEANUP_ARENA struct arena *arena = arena_new(ARENA_BYTES);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct disk_create_request request;
		struct error err = { 0 };
		assert_int_equal(disk_args_create(parse(arena, cases[i].arguments), &config, arena, &request, &err), -1);
		assert_int_equal(err.kind, cases[i].kind);
		if (strstr(err.message, cases[i].named) == NULL)
			fail_msg("%s: %s", cases[i].arguments, err.message);
	}
}

static void test_wrong_configuration(void **state)
{
	CLEANUP_ARENA struct arena *arena = arena_new(ARENA_BYTES);
	const struct config config = { .aws_properties = parse(arena, "{\"availability_zone\":1}") };
	struct disk_create_request request;
	struct error err;

	(void)state;
	assert_int_equal(disk_args_create(parse(arena, "[1,{}]"), &config, arena, &request, &err), -1);
	assert_int_equal(err.kind, ERROR_CONFIG);
	assert_non_null(strstr(err.message, "aws.availability_zone"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all),	     cmocka_unit_test(test_little),
		cmocka_unit_test(test_configuration), cmocka_unit_test(test_refused),
		cmocka_unit_test(test_wrong_configuration),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
