/* SPDX-License-Identifier: Apache-2.0 */
/* Lines in the log about an image's way: what they say, and that they do not come too often. */
#include "cpi/methods/image_progress.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/create_kit.h"

#define MIB ((uint64_t)1024 * 1024)

static void test_lines(void **state)
{
	struct create_kit *kit = *state;
	struct image_progress progress = { .runtime = kit->call.runtime, .what = "writing stemcell" };
	struct onhost_progress done = { .written = 20 * MIB, .skipped = 10 * MIB, .total = 64 * MIB, .seconds = 2 };

	image_progress_log(&progress, &done);
	assert_true(create_kit_logged(kit, "writing stemcell: 30 of 64 MiB, 15 MiB/s"));
	done.written = 21 * MIB;
	image_progress_log(&progress, &done);
	assert_false(create_kit_logged(kit, "31 of 64 MiB"));
}

static void test_unknown_size(void **state)
{
	struct create_kit *kit = *state;
	struct image_progress progress = { .runtime = kit->call.runtime, .what = "uploading stemcell" };
	const struct onhost_progress done = { .written = 3 * MIB };

	image_progress_log(&progress, &done);
	assert_true(create_kit_logged(kit, "uploading stemcell: 3 MiB, 0 MiB/s"));
}

static void test_rate(void **state)
{
	(void)state;
	assert_true(image_progress_rate(10 * MIB, 2.5) > 3.99 && image_progress_rate(10 * MIB, 2.5) < 4.01);
	assert_true(image_progress_rate(10 * MIB, 0) < 0.01);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CREATE_KIT_TEST(test_lines),
		CREATE_KIT_TEST(test_unknown_size),
		cmocka_unit_test(test_rate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
