/* SPDX-License-Identifier: Apache-2.0 */
/* upload-image's options: numbers, pairs, and what does not go together. */
#include "cpi/upload_command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/cleanup.h"

static struct command_line line_with(struct command_upload upload)
{
	upload.image = "root.img";
	return (struct command_line){ .command = COMMAND_UPLOAD_IMAGE, .upload = upload };
}

static void test_taken(void **state)
{
	CLEANUP_ARENA struct arena *arena = arena_new(65536);
	const struct command_line line = line_with((struct command_upload){
		.name = "n",
		.description = "d",
		.size = "16384",
		.architecture = "arm64",
		.boot_mode = "uefi",
		.kms_key = "arn:aws:kms:eu-west-1:123456789012:key/1",
		.connections = "64",
		.tags = { "a=b", "empty=", "e=q=uals" },
		.n_tags = 3,
		.make_ami = true,
		.encrypted = true,
		.skip_zero_blocks = true,
		.no_resume = true,
	});
	struct upload_command got;
	struct error err;

	(void)state;
	assert_int_equal(upload_command_read(&line, arena, &got, &err), 0);
	assert_string_equal(got.request.image_path, "root.img");
	assert_string_equal(got.request.name, "n");
	assert_string_equal(got.request.description, "d");
	assert_string_equal(got.request.architecture, "arm64");
	assert_string_equal(got.request.boot_mode, "uefi");
	assert_string_equal(got.request.kms_key_arn, line.upload.kms_key);
	assert_int_equal(got.request.size_gib, 16384);
	assert_int_equal(got.connections, 64);
	assert_true(got.request.make_ami && got.request.encrypted && got.request.no_resume && got.skip_zero_blocks);
	assert_int_equal(got.request.tags.count, 3);
	assert_string_equal(got.request.tags.items[0].key, "a");
	assert_string_equal(got.request.tags.items[0].value, "b");
	assert_string_equal(got.request.tags.items[1].value, "");
	assert_string_equal(got.request.tags.items[2].key, "e");
	assert_string_equal(got.request.tags.items[2].value, "q=uals");
}

static void test_nothing_given(void **state)
{
	CLEANUP_ARENA struct arena *arena = arena_new(65536);
	const struct command_line line = line_with((struct command_upload){ 0 });
	struct upload_command got;
	struct error err;

	(void)state;
	assert_int_equal(upload_command_read(&line, arena, &got, &err), 0);
	assert_int_equal(got.request.size_gib, 0);
	assert_int_equal(got.connections, 0);
	assert_int_equal(got.request.tags.count, 0);
	assert_false(got.request.make_ami);
}

static void test_refused(void **state)
{
	static const struct {
		struct command_upload upload;
		const char *text;
	} rows[] = {
		{ { .size = "0" }, "--size is '0', and should be a number from 1 to 16384" },
		{ { .size = "16385" }, "--size is '16385'" },
		{ { .size = "3GiB" }, "--size is '3GiB'" },
		{ { .size = "-1" }, "--size is '-1'" },
		{ { .connections = "65" }, "--connections is '65', and should be a number from 1 to 64" },
		{ { .connections = "many" }, "--connections is 'many'" },
		{ { .tags = { "a" }, .n_tags = 1 }, "--tag is 'a', and should be KEY=VALUE" },
		{ { .tags = { "a=b", "=b" }, .n_tags = 2 }, "--tag is '=b'" },
		{ { .architecture = "arm64" }, "--architecture is an AMI's: it goes with --register" },
		{ { .boot_mode = "uefi" }, "--boot-mode is an AMI's: it goes with --register" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		CLEANUP_ARENA struct arena *arena = arena_new(65536);
		const struct command_line line = line_with(rows[i].upload);
		struct upload_command got = { .connections = 77 };
		struct error err = { 0 };
		assert_int_equal(upload_command_read(&line, arena, &got, &err), -1);
		assert_int_equal(err.kind, ERROR_INVALID);
		if (strstr(err.message, rows[i].text) == NULL)
			fail_msg("%s", err.message);
		assert_int_equal(got.connections, 77);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_taken),
		cmocka_unit_test(test_nothing_given),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
