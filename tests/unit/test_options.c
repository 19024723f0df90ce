/* SPDX-License-Identifier: Apache-2.0 */
/* onhost's command lines: what each command's table allows, and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "onhost/options.h"

#define ALL "vdnitrezfsjlLVh"

static int parse(const char *allowed, char *const words[], struct options *ret_options, struct error *err)
{
	int count = 0;
	while (words[count] != NULL)
		count++;
	return options_parse(count, words, allowed, ret_options, err);
}

#define PARSE(allowed, ...) parse(allowed, (char *[]){ (char *)"onhost", __VA_ARGS__, NULL }, &options, &err)
#define W (char *)

static void test_all(void **state)
{
	struct options options;
	struct error err;
	(void)state;
	assert_int_equal(PARSE(ALL, W "--volume", W "vol-0123456789abcdef0", W "--device=/dev/x", W "--device-name",
			       W "/dev/sdf", W "--image", W "-", W "--timeout", W "90", W "--lab-devices", W "/l"),
			 0);
	assert_string_equal(options.volume, "vol-0123456789abcdef0");
	assert_string_equal(options.device, "/dev/x");
	assert_string_equal(options.device_name, "/dev/sdf");
	assert_string_equal(options.image, "-");
	assert_int_equal(options.timeout_ms, 90000);
	assert_string_equal(options.lab_devices, "/l");
	assert_true(options.lab);
	assert_false(options.fresh || options.force || options.json || options.digest || options.help);
	assert_int_equal(PARSE(ALL, W "--fresh", W "--encrypted", W "--skip-zero-blocks", W "--force", W "--digest",
			       W "--json", W "--lab", W "--verbose", W "--help"), 0);
	assert_true(options.fresh && options.encrypted && options.skip_zero_blocks && options.force && options.digest);
	assert_true(options.json && options.lab && options.verbose && options.help);
}

static void test_misuse(void **state)
{
	static const struct {
		const char *first;
		const char *second;
		const char *text;
	} cases[] = {
		{ "--force", NULL, "--force" },
		{ "--frob", NULL, "--frob" },
		{ "--image", NULL, "--image" },
		{ "/dev/x", NULL, "unexpected argument: /dev/x" },
		{ "--timeout", "0", "whole seconds" },
		{ "--timeout", "1.5", "whole seconds" },
		{ "--timeout", "-1", "whole seconds" },
		{ "--timeout", "86401", "whole seconds" },
		{ "--volume", "nvme1n1", "not the id of an EBS volume" },
		{ "--volume", "vol-123", "not the id" },
		{ "--json=x", NULL, "--json" },
	};
	struct options options = { .image = "untouched" };
	struct error err;
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(PARSE("vdnitrjh", W cases[i].first, W cases[i].second), -1);
		assert_int_equal(err.kind, ERROR_INVALID_CALL);
		if (strstr(err.message, cases[i].text) == NULL)
			fail_msg("\"%s\" does not say \"%s\"", err.message, cases[i].text);
		assert_string_equal(options.image, "untouched");
	}
}

static void test_help_lists_what_is_allowed(void **state)
{
	char text[4096] = "";
	FILE *file = fmemopen(text, sizeof(text), "w");
	(void)state;
	assert_non_null(file);
	options_print(file, "vh");
	assert_int_equal(fclose(file), 0);
	assert_non_null(strstr(text, "--volume ID"));
	assert_non_null(strstr(text, "--help"));
	assert_null(strstr(text, "--force"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_misuse),
		cmocka_unit_test(test_help_lists_what_is_allowed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
