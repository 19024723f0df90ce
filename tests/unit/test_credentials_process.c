/* SPDX-License-Identifier: Apache-2.0 */
/* credential_process: real programs of all kinds. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "tests/unit/source_kit.h"
#include "tests/unit/under_valgrind.h"

#define SOURCE &credentials_process
#define KEYS "\"Version\":1,\"AccessKeyId\":\"AKIDPROC\",\"SecretAccessKey\":\"hush/+secret\""

/* The profile runs a program that prints the text. */
static void prints(struct source_kit *kit, const char *text)
{
	source_kit_file(kit, "output", "%s", text);
	source_kit_file(kit, ".aws/config", "[profile dev]\ncredential_process = cat %s/output\n", kit->home);
}

/* The profile runs a shell script. */
static void runs(struct source_kit *kit, const char *script)
{
	char path[200];

	source_kit_file(kit, "my helper", "#!/bin/sh\n%s\n", script);
	snprintf(path, sizeof(path), "%s/my helper", kit->home);
	assert_int_equal(chmod(path, 0700), 0);
	source_kit_file(kit, ".aws/config", "[profile dev]\ncredential_process = \"%s\" --token hush 'two words'\n", path);
}

static void right(void **state)
{
	struct source_kit *kit = *state;

	prints(kit, "{" KEYS "}");
	source_kit_expect_loaded(kit, SOURCE, "AKIDPROC", "hush/+secret", NULL);
	assert_int_equal(kit->credentials.expires_at, 0);
	assert_null(kit->credentials.account);
	prints(kit, " {" KEYS ",\"SessionToken\":\"hush-token\",\"Expiration\":\"2026-01-01T00:10:00Z\",\"AccountId\":"
	       "\"123456789012\"}\n");
	source_kit_expect_loaded(kit, SOURCE, "AKIDPROC", "hush/+secret", "hush-token");
	assert_int_equal(kit->credentials.expires_at, SOURCE_NOW + 600);
	assert_string_equal(kit->credentials.account, "123456789012");
	prints(kit, "{" KEYS ",\"SessionToken\":null,\"Expiration\":null,\"AccountId\":null,\"more\":[1]}");
	source_kit_expect_loaded(kit, SOURCE, "AKIDPROC", "hush/+secret", NULL);
	prints(kit, "{" KEYS ",\"Expiration\":\"2026-01-01T02:00:00+01:30\"}");
	source_kit_expect_loaded(kit, SOURCE, "AKIDPROC", "hush/+secret", NULL);
	assert_int_equal(kit->credentials.expires_at, SOURCE_NOW + 1800);
	/* the profile's account where the program says none; the credentials file's profile as well */
	source_kit_file(kit, ".aws/config", "[profile dev]\naws_account_id = 210987654321\n");
	source_kit_file(kit, ".aws/credentials", "[dev]\ncredential_process = cat %s/output\n", kit->home);
	source_kit_expect_loaded(kit, SOURCE, "AKIDPROC", "hush/+secret", NULL);
	assert_string_equal(kit->credentials.account, "210987654321");
}

static void absent(void **state)
{
	struct source_kit *kit = *state;

	source_kit_expect_absent(kit, SOURCE, "no credential_process in profile dev");
	source_kit_file(kit, ".aws/config", "[profile other]\ncredential_process = false\n[profile dev]\ncredential_process =\n");
	source_kit_expect_absent(kit, SOURCE, "no credential_process in profile dev");
	kit->context.profiles = NULL;
	source_kit_expect_absent(kit, SOURCE, "no credential_process");
}

/* Words as they are written, our environment, no input, no shell. */
static void how_it_is_run(void **state)
{
	struct source_kit *kit = *state;

	setenv("OF_OURS", "passed", 1);
	runs(kit, "[ \"$#\" = 3 ] && [ \"$3\" = 'two words' ] && [ \"$OF_OURS\" = passed ] && ! read line && "
	     "echo '{" KEYS "}'");
	source_kit_expect_loaded(kit, SOURCE, "AKIDPROC", "hush/+secret", NULL);
	unsetenv("OF_OURS");
	source_kit_file(kit, ".aws/config", "[profile dev]\ncredential_process = echo $HOME `id` | cat\n");
	source_kit_expect_error(kit, SOURCE, ERROR_CONFIG, "not JSON");
}

static void malformed(void **state)
{
	static const char *const rows[][2] = {
		{ "", "what it prints: not JSON" },
		{ "hush", "what it prints: not JSON" },
		{ "{" KEYS, "what it prints: not JSON" },
		{ "{" KEYS "} hush", "what it prints: not JSON" },
		{ "[]", "\"Version\": 1" },
		{ "{}", "\"Version\": 1" },
		{ "{\"Version\":2}", "\"Version\": 1" },
		{ "{\"Version\":\"1\"}", "\"Version\": 1" },
		{ "{\"Version\":1}", ": AccessKeyId is missing" },
		{ "{\"Version\":1,\"AccessKeyId\":17}", ": AccessKeyId is not a text" },
		{ "{\"Version\":1,\"AccessKeyId\":\"\"}", ": AccessKeyId is empty" },
		{ "{\"Version\":1,\"AccessKeyId\":\"AK\"}", ": SecretAccessKey is missing" },
		{ "{\"Version\":1,\"AccessKeyId\":\"AK\",\"SecretAccessKey\":null}", ": SecretAccessKey is missing" },
		{ "{\"Version\":1,\"AccessKeyId\":\"AK\",\"SecretAccessKey\":[\"hush\"]}", ": SecretAccessKey is not a text" },
		{ "{\"Version\":1,\"AccessKeyId\":\"AK\",\"SecretAccessKey\":\"hush hush\"}", "blanks" },
		{ "{" KEYS ",\"SessionToken\":{}}", ": SessionToken is not a text" },
		{ "{" KEYS ",\"SessionToken\":\"\"}", ": SessionToken is empty" },
		{ "{" KEYS ",\"AccountId\":12}", ": AccountId is not a text" },
		{ "{" KEYS ",\"Expiration\":1767225600}", ": Expiration is not a text" },
		{ "{" KEYS ",\"Expiration\":\"tomorrow\"}", ": Expiration is not a time" },
		{ "{" KEYS ",\"Expiration\":\"1970-01-01T00:00:00Z\"}", ": Expiration is not a time" },
		{ "{" KEYS ",\"Expiration\":\"2025-12-31T23:59:00Z\"}", "expired already, 60 s ago" },
		{ "{" KEYS ",\"Expiration\":\"2026-01-01T00:00:00Z\"}", "expired already, 0 s ago" },
	};
	struct source_kit *kit = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		prints(kit, rows[i][0]);
		source_kit_expect_error(kit, SOURCE, ERROR_CONFIG, rows[i][1]);
		assert_non_null(strstr(kit->err.message, "credential_process of profile dev of "));
		assert_non_null(strstr(kit->err.message, "/.aws/config"));
	}
}

static void it_fails(void **state)
{
	struct source_kit *kit = *state;

	runs(kit, "echo hush; echo hush >&2; exit 3");
	source_kit_expect_error(kit, SOURCE, ERROR_CONFIG, "my helper exited with status 3 and wrote to its standard error what is not "
				"repeated here");
	runs(kit, "echo '{" KEYS "}'; kill -9 $$");
	source_kit_expect_error(kit, SOURCE, ERROR_CONFIG, "my helper was killed by signal 9 (Killed); run it by hand");
	runs(kit, "while :; do echo hush; done");
	source_kit_expect_error(kit, SOURCE, ERROR_CONFIG, "prints more than 65536 bytes");
	source_kit_file(kit, ".aws/config", "[profile dev]\ncredential_process = 'hush\n");
	source_kit_expect_error(kit, SOURCE, ERROR_CONFIG, "a quote (') is not closed");
	if (under_valgrind())
		return;
	source_kit_file(kit, ".aws/config", "[profile dev]\ncredential_process = /no/such/program hush\n");
	source_kit_expect_error(kit, SOURCE, ERROR_IO, "cannot start /no/such/program");
	assert_non_null(strstr(kit->err.message, "credential_process of profile dev of "));
}

static void it_is_slow(void **state)
{
	struct source_kit *kit = *state;

	runs(kit, "echo '{'; sleep 0.1; echo '" KEYS "}' >&2; echo '" KEYS "}'");
	source_kit_expect_loaded(kit, SOURCE, "AKIDPROC", "hush/+secret", NULL);
	runs(kit, "echo '{" KEYS "}'; sleep 120");
	kit->speed = 200; /* a minute takes 0.3 s */
	source_kit_expect_error(kit, SOURCE, ERROR_TIMEOUT, "has not ended within 60 s and was stopped");
}

static struct cancel *raised_by_signal;

static void on_signal(int signal)
{
	cancel_raise(raised_by_signal, signal);
}

static void a_signal_ends_it(void **state)
{
	struct source_kit *kit = *state;

	raised_by_signal = &kit->cancel;
	signal(SIGUSR1, on_signal);
	runs(kit, "kill -USR1 $PPID; sleep 120");
	source_kit_expect_error(kit, SOURCE, ERROR_CANCELLED, "stopped by signal");
	signal(SIGUSR1, SIG_DFL);
}

static void no_memory(void **state)
{
	struct source_kit *kit = *state;

	prints(kit, "{" KEYS ",\"SessionToken\":\"hush-token\"}");
	assert_int_equal(profiles_load(kit->arena, &kit->profiles, NULL), 0);
	source_kit_expect_nomem(kit, &credentials_process);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SOURCE_TEST(right),	   SOURCE_TEST(absent),	    SOURCE_TEST(how_it_is_run),
		SOURCE_TEST(malformed),	   SOURCE_TEST(it_fails),   SOURCE_TEST(it_is_slow),
		SOURCE_TEST(a_signal_ends_it), SOURCE_TEST(no_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
