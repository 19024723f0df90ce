/* SPDX-License-Identifier: Apache-2.0 */
/* create_stemcell's arguments: what is read, what the configuration overrides, and every wrong type named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "cpi/ec2/tags.h"
#include "cpi/rpc/stemcell_args.h"

#define ARENA_BYTES ((size_t)16 * 1024 * 1024)

static const struct json *parse(struct arena *arena, const char *text)
{
	const struct json *root;
	struct error err;

	if (json_parse(arena, text, strlen(text), 1 << 20, &root, &err) != 0)
		fail_msg("%s: %s", err.message, text);
	return root;
}

/* overrides: aws.stemcell, NULL for none. */
static int read_args(struct arena *arena, const char *arguments, const char *overrides,
		     struct stemcell_create_request *ret_request, struct error *err)
{
	struct config config = { .stemcell.properties = overrides == NULL ? NULL : parse(arena, overrides) };

	return stemcell_args_create(parse(arena, arguments), &config, arena, ret_request, err);
}

static void read_ok(struct arena *arena, const char *arguments, const char *overrides,
		    struct stemcell_create_request *ret_request)
{
	struct error err;

	if (read_args(arena, arguments, overrides, ret_request, &err) != 0)
		fail_msg("%s: %s", arguments, err.message);
}

static void test_heavy(void **state)
{
	CLEANUP_ARENA struct arena *arena = arena_new(ARENA_BYTES);
	struct stemcell_create_request request;
	const struct stemcell_properties *properties = &request.properties;

	(void)state;
	read_ok(arena,
		"[\"/image\",{\"name\":\"bosh-aws\",\"version\":1.5,\"infrastructure\":\"aws\",\"architecture\":\"x86_64\",\"disk\":3072,"
		"\"root_device_name\":\"/dev/sda1\",\"virtualization_type\":\"hvm\",\"boot_mode\":\"uefi\",\"kernel_id\":\"aki-1\","
		"\"encrypted\":true,\"kms_key_arn\":\"arn\",\"tags\":{\"a\":1}},{\"tags\":{\"b\":\"2\"},\"more\":0}]",
		NULL, &request);
	assert_string_equal(request.image_path, "/image");
	assert_string_equal(properties->name, "bosh-aws");
	assert_string_equal(properties->version, "1.5");
	assert_string_equal(properties->architecture, "x86_64");
	assert_string_equal(properties->root_device_name, "/dev/sda1");
	assert_string_equal(properties->virtualization_type, "hvm");
	assert_string_equal(properties->boot_mode, "uefi");
	assert_string_equal(properties->kernel_id, "aki-1");
	assert_int_equal(properties->disk_mib, 3072);
	assert_true(properties->encrypted_set && properties->encrypted);
	assert_true(properties->kms_key_arn_set);
	assert_string_equal(properties->kms_key_arn, "arn");
	assert_string_equal(tags_get(properties->tags, "a"), "1");
	assert_string_equal(tags_get(request.env_tags, "b"), "2");
	assert_int_equal(request.env_tags.count, 1);
	assert_int_equal(properties->n_amis, 0);
}

static void test_defaults(void **state)
{
	static const char *const table[] = {
		"[\"/image\",{}]",
		"[\"/image\",{},null]",
		"[\"/image\",{\"ami\":null,\"disk\":null,\"name\":null,\"boot_mode\":\"\",\"tags\":null},{\"tags\":null}]",
		"[\"/image\",{\"ami\":{}},{}]",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		CLEANUP_ARENA struct arena *arena = arena_new(ARENA_BYTES);
		struct stemcell_create_request request;
		const struct stemcell_properties *properties = &request.properties;
		read_ok(arena, table[i], NULL, &request);
		assert_int_equal(properties->n_amis, 0);
		assert_null(properties->amis);
		assert_null(properties->name);
		assert_null(properties->boot_mode);
		assert_int_equal(properties->disk_mib, 0);
		assert_false(properties->encrypted_set);
		assert_false(properties->kms_key_arn_set);
		assert_int_equal(properties->tags.count, 0);
		assert_int_equal(request.env_tags.count, 0);
	}
}

static void test_light(void **state)
{
	CLEANUP_ARENA struct arena *arena = arena_new(ARENA_BYTES);
	struct stemcell_create_request request;

	(void)state;
	read_ok(arena, "[\"/image\",{\"ami\":{\"eu-1\":\"ami-1\",\"us-1\":\"ami-2\",\"eu-1\":\"ami-3\"}}]", NULL, &request);
	assert_int_equal(request.properties.n_amis, 2);
	assert_string_equal(request.properties.amis[0].region, "us-1");
	assert_string_equal(request.properties.amis[0].image_id, "ami-2");
	assert_string_equal(request.properties.amis[1].region, "eu-1");
	assert_string_equal(request.properties.amis[1].image_id, "ami-3");
}

/* Ruby's truth; and false, or null, is said, so that the global setting does not count. */
static void test_encryption(void **state)
{
	static const struct {
		const char *properties;
		bool encrypted_set, encrypted, key_set;
	} table[] = {
		{ "{\"encrypted\":true}", true, true, false },      { "{\"encrypted\":false}", true, false, false },
		{ "{\"encrypted\":null}", true, false, false },     { "{\"encrypted\":\"false\"}", true, true, false },
		{ "{\"kms_key_arn\":null}", false, false, true },   { "{}", false, false, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		CLEANUP_ARENA struct arena *arena = arena_new(ARENA_BYTES);
		struct stemcell_create_request request;
		read_ok(arena, arena_printf(arena, "[\"/image\",%s]", table[i].properties), NULL, &request);
		assert_int_equal(request.properties.encrypted_set, table[i].encrypted_set);
		assert_int_equal(request.properties.encrypted, table[i].encrypted);
		assert_int_equal(request.properties.kms_key_arn_set, table[i].key_set);
		assert_null(request.properties.kms_key_arn);
	}
}

static void test_overrides(void **state)
{
	CLEANUP_ARENA struct arena *arena = arena_new(ARENA_BYTES);
	struct stemcell_create_request request;

	(void)state;
	read_ok(arena, "[\"/image\",{\"kernel_id\":\"aki-1\",\"disk\":2048,\"name\":\"n\",\"encrypted\":true,\"ami\":{\"r\":\"ami-1\"}}]",
		"{\"kernel_id\":\"aki-2\",\"disk\":4096,\"encrypted\":false,\"ami\":null,\"builder\":\"local\"}", &request);
	assert_string_equal(request.properties.kernel_id, "aki-2");
	assert_int_equal(request.properties.disk_mib, 4096);
	assert_string_equal(request.properties.name, "n");
	assert_true(request.properties.encrypted_set);
	assert_false(request.properties.encrypted);
	assert_int_equal(request.properties.n_amis, 0);
}

static void test_refused(void **state)
{
	static const struct {
		const char *arguments;
		const char *overrides;
		enum error_kind kind;
		const char *says;
	} table[] = {
		{ "[7,{}]", NULL, ERROR_INVALID_CALL, "got: a number as image_path (argument 1)" },
		{ "[\"i\",[]]", NULL, ERROR_INVALID_CALL, "got: an array as cloud_properties (argument 2)" },
		{ "[\"i\",null]", NULL, ERROR_INVALID_CALL, "got: null as cloud_properties" },
		{ "[\"i\",{},[]]", NULL, ERROR_INVALID_CALL, "got: an array as env (argument 3)" },
		{ "[\"i\",{\"ami\":\"ami-1\"}]", NULL, ERROR_INVALID_CALL, "got: a string as cloud_properties.ami" },
		{ "[\"i\",{\"ami\":{\"r\":7}}]", NULL, ERROR_INVALID_CALL, "cloud_properties.ami" },
		{ "[\"i\",{\"name\":{}}]", NULL, ERROR_INVALID_CALL, "cloud_properties.name" },
		{ "[\"i\",{\"architecture\":64}]", NULL, ERROR_INVALID_CALL, "a number as cloud_properties.architecture" },
		{ "[\"i\",{\"virtualization_type\":1}]", NULL, ERROR_INVALID_CALL, "cloud_properties.virtualization_type" },
		{ "[\"i\",{\"root_device_name\":1}]", NULL, ERROR_INVALID_CALL, "cloud_properties.root_device_name" },
		{ "[\"i\",{\"kernel_id\":1}]", NULL, ERROR_INVALID_CALL, "cloud_properties.kernel_id" },
		{ "[\"i\",{\"boot_mode\":1}]", NULL, ERROR_INVALID_CALL, "cloud_properties.boot_mode" },
		{ "[\"i\",{\"kms_key_arn\":1}]", NULL, ERROR_INVALID_CALL, "cloud_properties.kms_key_arn" },
		{ "[\"i\",{\"disk\":\"3072\"}]", NULL, ERROR_INVALID_CALL, "a string as cloud_properties.disk" },
		{ "[\"i\",{\"disk\":1.5}]", NULL, ERROR_INVALID_CALL, "cloud_properties.disk" },
		{ "[\"i\",{\"disk\":99999999999999999999}]", NULL, ERROR_INVALID_CALL, "cloud_properties.disk" },
		{ "[\"i\",{\"disk\":0}]", NULL, ERROR_CLOUD, "0 MiB" },
		{ "[\"i\",{\"disk\":-1}]", NULL, ERROR_CLOUD, "-1 MiB" },
		{ "[\"i\",{\"tags\":[]}]", NULL, ERROR_CLOUD, "cloud_properties.tags" },
		{ "[\"i\",{},{\"tags\":\"x\"}]", NULL, ERROR_CLOUD, "env.tags" },
		{ "[\"i\",{\"disk\":2048}]", "{\"disk\":\"x\"}", ERROR_CONFIG, "aws.stemcell.disk is a string" },
		{ "[\"i\",{}]", "{\"kernel_id\":7}", ERROR_CONFIG, "aws.stemcell.kernel_id is a number" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		CLEANUP_ARENA struct arena *arena = arena_new(ARENA_BYTES);
		struct stemcell_create_request request = { .image_path = "untouched" };
		struct error err = { 0 };
		if (read_args(arena, table[i].arguments, table[i].overrides, &request, &err) != -1)
			fail_msg("accepted: %s", table[i].arguments);
		if (err.kind != table[i].kind || strstr(err.message, table[i].says) == NULL)
			fail_msg("%s gave %s: %s", table[i].arguments, error_kind_name(err.kind), err.message);
		if (err.kind == ERROR_INVALID_CALL)
			assert_int_equal(strncmp(err.message, "Arguments are not correct", 25), 0);
		assert_string_equal(request.image_path, "untouched");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_heavy),      cmocka_unit_test(test_defaults),  cmocka_unit_test(test_light),
		cmocka_unit_test(test_encryption), cmocka_unit_test(test_overrides), cmocka_unit_test(test_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
