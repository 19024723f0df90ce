/* SPDX-License-Identifier: Apache-2.0 */
/* The list of what `cpi check` has found, and its forms. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/json_read.h"
#include "cpi/check/findings.h"

struct fixture {
	struct clock clock;
	struct log log;
	struct findings findings;
};

static int begin(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	clock_system(&fixture->clock);
	log_init(&fixture->log, -1, LOG_LEVEL_ERROR, &fixture->clock);
	fixture->findings = (struct findings){ .arena = arena_new(8 * 1024 * 1024), .log = &fixture->log };
	assert_non_null(fixture->findings.arena);
	*state = fixture;
	return 0;
}

static int end(void **state)
{
	struct fixture *fixture = *state;

	arena_free(fixture->findings.arena);
	free(fixture);
	return 0;
}

static void assert_lines(const struct findings *findings, enum findings_style style, const char *expected)
{
	CLEANUP_BUF struct buf out = BUF_INIT(1024 * 1024);

	findings_write_lines(findings, style, &out);
	assert_string_equal(buf_text(&out), expected);
}

static void test_lines(void **state)
{
	struct findings *findings = &((struct fixture *)*state)->findings;

	findings_ok(findings, "region", "%s", "eu-west-1");
	findings_failed(findings, "EC2", "try harder", "refused %d times", 3);
	findings_unknown(findings, "clock", "look", "not told");
	assert_lines(findings, FINDINGS_PLAIN,
		     "ok    region: eu-west-1\nWRONG EC2: refused 3 times\n      to do: try harder\n"
		     "?     clock: not told\n      to do: look\n");
	assert_lines(findings, FINDINGS_TICKS,
		     "✔ region: eu-west-1\n✘ EC2: refused 3 times\n  to do: try harder\n? clock: not told\n  to do: look\n");
	assert_lines(findings, FINDINGS_COLOUR,
		     "\033[32m✔\033[0m region: eu-west-1\n\033[31m✘\033[0m EC2: refused 3 times\n  to do: try harder\n"
		     "\033[33m?\033[0m clock: not told\n  to do: look\n");
}

/* Foreign bytes are AWS's, a proxy's, a file name's. */
static void test_no_control_character(void **state)
{
	struct findings *findings = &((struct fixture *)*state)->findings;

	findings_failed(findings, "EC2", "see \033[1m", "a\033[2Jb\rc\nd\te\x7F"
							 "f\xC2\x9B"
							 "1mg é");
	assert_lines(findings, FINDINGS_PLAIN, "WRONG EC2: a [2Jb c d e f 1mg é\n      to do: see  [1m\n");
}

static void test_fine(void **state)
{
	struct findings *findings = &((struct fixture *)*state)->findings;

	assert_true(findings_are_fine(findings));
	findings_ok(findings, "a", "well");
	findings_unknown(findings, "b", "look", "not known");
	assert_true(findings_are_fine(findings));
	findings_failed(findings, "c", "do", "wrong");
	assert_false(findings_are_fine(findings));
}

static void test_json(void **state)
{
	struct findings *findings = &((struct fixture *)*state)->findings;
	CLEANUP_BUF struct buf out = BUF_INIT(1024 * 1024);

	findings_ok(findings, "a", "well");
	findings_failed(findings, "b", "do \"this\"", "wrong");
	findings_unknown(findings, "c", "look", "not known");
	findings_write_json(findings, &out);
	assert_string_equal(buf_text(&out),
			    "{\"ok\":false,\"checks\":["
			    "{\"name\":\"a\",\"ok\":true,\"state\":\"ok\",\"text\":\"well\",\"advice\":null},"
			    "{\"name\":\"b\",\"ok\":false,\"state\":\"failed\",\"text\":\"wrong\",\"advice\":\"do \\\"this\\\"\"},"
			    "{\"name\":\"c\",\"ok\":true,\"state\":\"unknown\",\"text\":\"not known\",\"advice\":\"look\"}]}\n");
}

static void test_secrets(void **state)
{
	struct fixture *fixture = *state;

	log_add_secret(&fixture->log, "abcd");
	findings_failed(&fixture->findings, "a", "not abcd", "it is abcd, abcd, abcd, abcd, abcd, abcd, abcd and abcd");
	assert_null(strstr(fixture->findings.items[0].text, "abcd"));
	assert_null(strstr(fixture->findings.items[0].advice, "abcd"));
	assert_non_null(strstr(fixture->findings.items[0].text, "<redacted>"));
}

static void test_limits(void **state)
{
	struct findings *findings = &((struct fixture *)*state)->findings;
	static char text[64 * 1024];

	memset(text, 'x', sizeof(text) - 1);
	findings_ok(findings, "long", "%s", text);
	assert_false(findings->incomplete);
	assert_in_range(strlen(findings->items[0].text), 4096, 16 * 1024);
	while (findings->count < FINDINGS_MAX)
		findings_ok(findings, "more", "well");
	assert_false(findings->incomplete);
	findings_ok(findings, "too many", "well");
	assert_true(findings->incomplete);
	assert_int_equal(findings->count, FINDINGS_MAX);
}

static void test_no_memory(void **state)
{
	struct findings findings = ((struct fixture *)*state)->findings;
	struct arena *small CLEANUP_ARENA = arena_new(64);

	findings.arena = small;
	findings_failed(&findings, "a", "advice", "a text that is longer than what is left of so small an arena as this one");
	assert_true(findings.incomplete);
	assert_int_equal(findings.count, 0);
}

static void test_style(void **state)
{
	(void)state;
	setenv("TERM", "xterm-256color", 1);
	unsetenv("NO_COLOR");
	assert_int_equal(findings_style(false), FINDINGS_PLAIN);
	assert_int_equal(findings_style(true), FINDINGS_COLOUR);
	setenv("NO_COLOR", "1", 1);
	assert_int_equal(findings_style(true), FINDINGS_TICKS);
	setenv("NO_COLOR", "", 1);
	assert_int_equal(findings_style(true), FINDINGS_COLOUR);
	setenv("TERM", "dumb", 1);
	assert_int_equal(findings_style(true), FINDINGS_PLAIN);
	setenv("TERM", "", 1);
	assert_int_equal(findings_style(true), FINDINGS_PLAIN);
	unsetenv("TERM");
	assert_int_equal(findings_style(true), FINDINGS_PLAIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_lines, begin, end),
		cmocka_unit_test_setup_teardown(test_no_control_character, begin, end),
		cmocka_unit_test_setup_teardown(test_fine, begin, end),
		cmocka_unit_test_setup_teardown(test_json, begin, end),
		cmocka_unit_test_setup_teardown(test_secrets, begin, end),
		cmocka_unit_test_setup_teardown(test_limits, begin, end),
		cmocka_unit_test_setup_teardown(test_no_memory, begin, end),
		cmocka_unit_test(test_style),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
