/* SPDX-License-Identifier: Apache-2.0 */
/* What a run ends with, as text and as JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/cleanup.h"
#include "onhost/result.h"

static const struct pipeline_result done = {
	.read = 5, .written = 3145728, .skipped = 1048576, .image_size = 4194304, .seconds = 1.5, .input_sha256 = "ab",
	.format = "tar",
};

static void test_image(void **state)
{
	struct buf text CLEANUP_BUF = BUF_INIT(4096);

	(void)state;
	/* 3 MiB in 1.5 s: what was left out is no work */
	result_of_image(&done, "written", "/dev/x", false, &text);
	assert_string_equal(buf_text(&text), "written: 3145728 of 4194304 bytes, 1048576 left out, in 1.5 s (2 MiB/s); "
					     "tar\nSHA-256 of the input: ab\n");
	buf_reset(&text);
	result_of_image(&done, "written", "/dev/x", true, &text);
	assert_string_equal(buf_text(&text),
			    "{\"device\":\"/dev/x\",\"read\":5,\"written\":3145728,\"skipped\":1048576,"
			    "\"image_size\":4194304,\"seconds\":1.5,\"input_sha256\":\"ab\",\"image_sha256\":\"\","
			    "\"format\":\"tar\"}\n");
}

static void test_device(void **state)
{
	static const struct device device = { .node = "/dev/x", .recognised_by = "its name" };
	struct buf text CLEANUP_BUF = BUF_INIT(4096);

	(void)state;
	result_of_device(&device, false, &text);
	result_of_device(&device, true, &text);
	assert_string_equal(buf_text(&text),
			    "/dev/x\tits name\n{\"device\":\"/dev/x\",\"recognised_by\":\"its name\"}\n");
}

static void test_error(void **state)
{
	struct buf text CLEANUP_BUF = BUF_INIT(4096);
	struct error err;

	(void)state;
	error_fill(&err, ERROR_NO_DEVICE, "a \"b\"\nc");
	result_of_error_as_json(&err, &text);
	assert_string_equal(buf_text(&text), "{\"error\":{\"type\":\"no_device\",\"message\":\"a \\\"b\\\"\\nc\"}}\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_image),
		cmocka_unit_test(test_device),
		cmocka_unit_test(test_error),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
