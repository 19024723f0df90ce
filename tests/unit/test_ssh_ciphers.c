/* SPDX-License-Identifier: Apache-2.0 */
/* Which ciphers ssh is told to prefer, from what `ssh -G` prints. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "cpi/builder/ssh_ciphers.h"

#define CHACHA "chacha20-poly1305@openssh.com"
#define GCM128 "aes128-gcm@openssh.com"
#define GCM256 "aes256-gcm@openssh.com"
/* of OpenSSH 9.2 */
#define USUAL "host x\nuser me\nciphers " CHACHA ",aes128-ctr,aes192-ctr,aes256-ctr," GCM128 "," GCM256 "\nport 22\n"

static void test_preferred(void **state)
{
	static const struct {
		const char *configured, *built_in, *want;
	} rows[] = {
		{ USUAL, USUAL, GCM128 "," GCM256 "," CHACHA ",aes128-ctr,aes192-ctr,aes256-ctr" },
		{ "ciphers a," GCM256 "\n", "ciphers a," GCM256, GCM256 ",a" },
		{ "ciphers " GCM256 "\n", "ciphers " GCM256 "\n", GCM256 },
		/* somebody has chosen */
		{ "ciphers aes256-ctr\n", USUAL, NULL },
		{ "ciphers aes128-ctr," GCM128 "\n", USUAL, NULL },
		{ "ciphers " CHACHA ",aes128-ctr,aes192-ctr,aes256-ctr," GCM128 "\n", USUAL, NULL },
		/* there is none */
		{ "ciphers a,aes-gcm@openssh.com.example\n", "ciphers a,aes-gcm@openssh.com.example\n", NULL },
		{ "ciphers aes128-ctr\n", "ciphers aes128-ctr\n", NULL },
		/* nothing is said, or said elsewhere */
		{ "", USUAL, NULL },
		{ USUAL, "", NULL },
		{ "xciphers a\nciphers\n", "xciphers a\nciphers\n", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		CLEANUP_ARENA struct arena *arena = arena_new(65536);
		const char *got = ssh_ciphers_of(rows[i].configured, rows[i].built_in, arena);
		if (rows[i].want == NULL)
			assert_null(got);
		else
			assert_string_equal(got, rows[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_preferred) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
