/* SPDX-License-Identifier: Apache-2.0 */
/* Networks that are the same in other words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cpi/ec2/cidr.h"

static void test_equal(void **state)
{
	(void)state;
	static const struct {
		const char *a;
		const char *b;
		bool equal;
	} rows[] = {
		{ "10.0.0.0/8", "10.0.0.0/8", true },
		{ "10.1.2.3/8", "10.0.0.0/8", true },
		{ "10.1.2.3/8", "10.200.0.1/8", true },
		{ "10.0.0.0/8", "10.0.0.0/9", false },
		{ "10.0.0.0/8", "11.0.0.0/8", false },
		{ "10.0.1.16/28", "10.0.1.31/28", true },
		{ "10.0.1.16/28", "10.0.1.32/28", false },
		{ "10.0.0.1/32", "10.0.0.2/32", false },
		{ "1.2.3.4/0", "0.0.0.0/0", true },
		{ "2001:DB8:0:0::/32", "2001:db8::/32", true },
		{ "2001:db8::1/32", "2001:db8:ffff::/32", true },
		{ "2001:db8::/80", "2001:db8::1:0:0:0/80", false },
		{ "::1/128", "::2/128", false },
		{ "::/0", "0.0.0.0/0", false },
		{ "::ffff:10.0.0.0/104", "10.0.0.0/8", false },
		/* no networks: equal only as texts */
		{ "pl-1", "pl-1", true },
		{ "pl-1", "pl-2", false },
		{ "10.0.0.0/33", "10.0.0.0/33", true },
		{ "10.0.0.0/33", "10.0.0.0/32", false },
		{ "10.0.0.0", "10.0.0.0/32", false },
		{ "10.0.0/8", "10.0.0.0/8", false },
		{ "10.0.0.0/", "10.0.0.0/0", false },
		{ "10.0.0.0/-8", "10.0.0.0/8", false },
		{ "::/129", "::/128", false },
		{ "::1/129", "::0001/129", false },
		{ "", "", true },
		{ "", "10.0.0.0/8", false },
		{ "1111111111111111111111111111111111111111111111111111111111111:/1", "::/1", false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (cidr_equal(rows[i].a, rows[i].b) != rows[i].equal || cidr_equal(rows[i].b, rows[i].a) != rows[i].equal)
			fail_msg("%s and %s", rows[i].a, rows[i].b);
	}
}

static void test_family(void **state)
{
	(void)state;
	assert_true(cidr_is_ipv6("2001:db8::/32"));
	assert_false(cidr_is_ipv6("10.0.0.0/8"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_equal),
		cmocka_unit_test(test_family),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
