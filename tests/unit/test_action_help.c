/* SPDX-License-Identifier: Apache-2.0 */
/* Help of the actions: all that the table says of each. */
#include "cpi/action_help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define MAX_OUTPUT ((size_t)64 * 1024)

static void check_parameter(const struct worker_parameter *parameter, const char *text)
{
	char option[ACTION_OPTION_SIZE];
	char start[ACTION_OPTION_SIZE + 8];

	action_option_name(parameter, option);
	snprintf(start, sizeof(start), "\n  %s ", option);
	const char *line = strstr(text, start);
	assert_non_null(line);
	const char *end = strchr(line + 1, '\n');
	const char *description = strstr(line, parameter->description);
	assert_true(description != NULL && description < end);
	const char *required = strstr(line, "(required)");
	assert_int_equal(required != NULL && required < end, parameter->required);
	if (parameter->fallback != NULL)
		assert_non_null(strstr(line, parameter->fallback));
}

static void test_each(void **state)
{
	size_t count;
	const struct worker_action *actions = worker_actions(&count);

	(void)state;
	assert_int_equal(count, 19);
	for (size_t i = 0; i < count; i++) {
		struct buf out = BUF_INIT(MAX_OUTPUT);
		action_help_write(&actions[i], &out);
		assert_false(out.failed);
		assert_non_null(strstr(buf_text(&out), actions[i].description));
		for (const struct worker_parameter *parameter = actions[i].parameters; parameter->name != NULL; parameter++)
			check_parameter(parameter, buf_text(&out));
		/* nothing that is required is missing from the example */
		const char *example = strstr(buf_text(&out), "\nexample:\n");
		assert_non_null(example);
		for (const struct worker_parameter *parameter = actions[i].parameters; parameter->required; parameter++) {
			char option[ACTION_OPTION_SIZE];
			action_option_name(parameter, option);
			assert_non_null(strstr(example, option));
		}
		buf_free(&out);
	}
}

static void test_text(void **state)
{
	struct buf out = BUF_INIT(MAX_OUTPUT);

	(void)state;
	action_help_write(worker_action_find("create_volume"), &out);
	assert_non_null(strstr(buf_text(&out), "usage: cpi create_volume --size-gb NUMBER --availability-zone ZONE [--volume-type TYPE] "
						"[--region REGION]\n"));
	assert_non_null(strstr(buf_text(&out), "  --size-gb NUMBER            Size in GiB, 1 to 65536 (required)\n"));
	assert_non_null(strstr(buf_text(&out), "(default: gp2)\n"));
	buf_free(&out);
}

static void test_list(void **state)
{
	struct buf out = BUF_INIT(MAX_OUTPUT);

	(void)state;
	action_help_list(&out);
	assert_non_null(strstr(buf_text(&out), "\n  has_snapshot         Tell whether there is such a snapshot\n"));
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_list),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
