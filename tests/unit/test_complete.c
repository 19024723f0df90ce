/* SPDX-License-Identifier: Apache-2.0 */
/* What is offered at the cursor; tests/integration/test_completion.py asks more, and the shells. */
#include "cpi/complete.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define MAX_OUTPUT ((size_t)64 * 1024)
#define MAX_WORDS 8

struct offered {
	const char *words[MAX_WORDS];
	const char *text;
};

static void test_offered(void **state)
{
	static const struct offered table[] = {
		{ { "ver" }, "version\tShow the version\n\tfiles\n" },
		{ { "get_worker", "--w" }, "--worker-id\tID of the instance\n" },
		{ { "get-worker", "--worker_" }, "--worker-id\tID of the instance\n" },
		{ { "get_worker", "--worker-id=i-1", "--w" }, "" },
		{ { "get_worker", "--worker_id", "i-1", "--w" }, "" },
		{ { "get_worker", "--worker-id", "--w" }, "" },
		{ { "get_worker", "--worker-id", "x", "--h" }, "--help\tShow help\n" },
		{ { "--config", "" }, "\tfiles\n" },
		{ { "--config", "call", "check", "--j" }, "--json\tJSON, also on a terminal\n" },
		{ { "call", "ping" }, "ping\tCPI method\n" },
		{ { "call", "ping", "p" }, "" },
		{ { "call", "delete_sna" }, "delete_snapshot\tDelete a snapshot\n" },
		{ { "help", "ping" }, "" },
		{ { "help", "chec" }, "check\tIs the configuration right, and does AWS take it\n" },
		{ { "sweep", "a.json", "vol" }, "" },
		{ { "some.json", "c" }, "" },
		{ { "a-word-that-is-longer-than-any-candidate-can-be-and-longer-than-what-is-looked-at" }, "\tfiles\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct buf out = BUF_INIT(MAX_OUTPUT);
		size_t count = 0;
		while (table[i].words[count] != NULL)
			count++;
		complete_write(table[i].words, count, &out);
		assert_string_equal(buf_text(&out), table[i].text);
		buf_free(&out);
	}
}

static void test_no_words(void **state)
{
	struct buf out = BUF_INIT(MAX_OUTPUT);

	(void)state;
	complete_write(NULL, 0, &out);
	assert_non_null(strstr(buf_text(&out), "list_workers\tList all EC2 instances\n"));
	assert_null(strstr(buf_text(&out), "complete"));
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_offered), cmocka_unit_test(test_no_words) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
