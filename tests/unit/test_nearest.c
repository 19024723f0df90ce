/* SPDX-License-Identifier: Apache-2.0 */
/* What a mistyped word is taken for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/nearest.h"

static const char *find(const char *word)
{
	static const char *const names[] = { "serve", "metadata", "wait-device", "write", "verify", "unpack", "image" };
	struct nearest found = NEAREST_INIT(word);

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		nearest_try(&found, names[i]);
	return found.name;
}

static void test_near(void **state)
{
	static const struct {
		const char *word;
		const char *name;
	} cases[] = {
		{ "wirte", "write" },		/* changed places */
		{ "wite", "write" },		/* missing */
		{ "wriite", "write" },		/* too much */
		{ "wrate", "write" },		/* wrong */
		{ "verfiy", "verify" },		{ "metdata", "metadata" },	{ "waitdevice", "wait-device" },
		{ "wait-devcie", "wait-device" }, { "upnack", "unpack" },	{ "imgae", "image" },
		{ "wait_device", "wait-device" }, { "write", "write" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_non_null(find(cases[i].word));
		assert_string_equal(find(cases[i].word), cases[i].name);
	}
}

static void test_far(void **state)
{
	static const char *const words[] = {
		"", "x", "frob", "wait", "device", "server-status", "wryyyy",
		"a-word-that-is-longer-than-any-name-could-be-mistyped",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		assert_null(find(words[i]));
}

static void test_question(void **state)
{
	struct nearest near = NEAREST_INIT("writ"), far = NEAREST_INIT("frob");
	char text[NEAREST_QUESTION_SIZE];

	(void)state;
	nearest_try(&near, "write");
	nearest_try(&far, "write");
	assert_string_equal(nearest_question(&near, "; did you mean ", text), "; did you mean write?");
	assert_string_equal(nearest_question(&far, "; did you mean ", text), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_near),
		cmocka_unit_test(test_far),
		cmocka_unit_test(test_question),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
