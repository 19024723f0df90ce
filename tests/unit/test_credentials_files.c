/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of the shared credentials file and of the config file: the same for both, but each file's alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/source_kit.h"

static const struct side {
	const struct credentials_source *source;
	const char *file;
	const char *section; /* of profile dev */
	const struct credentials_source *other;
} sides[] = {
	{ &credentials_shared_file, ".aws/credentials", "dev", &credentials_config_file },
	{ &credentials_config_file, ".aws/config", "profile dev", &credentials_shared_file },
};

static void for_both(struct source_kit *kit, void (*check)(struct source_kit *kit, const struct side *side))
{
	for (size_t i = 0; i < 2; i++) {
		source_kit_file(kit, ".aws/config", "%s", "");
		source_kit_file(kit, ".aws/credentials", "%s", "");
		check(kit, &sides[i]);
	}
}

static void check_right(struct source_kit *kit, const struct side *side)
{
	source_kit_file(kit, side->file, "[%s]\naws_access_key_id = AKIDDEV\naws_secret_access_key = hush/+secret\n"
			"[other]\naws_access_key_id = no\n", side->section);
	source_kit_expect_loaded(kit, side->source, "AKIDDEV", "hush/+secret", NULL);
	assert_null(kit->credentials.account);
	assert_int_equal(kit->credentials.expires_at, 0);
	assert_true(arena_holds(kit->arena, kit->credentials.secret_access_key));
	source_kit_expect_absent(kit, side->other, "no aws_access_key_id in profile dev of ");

	source_kit_file(kit, side->file, "[%s]\naws_access_key_id = AKIDDEV\naws_secret_access_key = hush-secret\n"
			"aws_session_token = hush-token\naws_account_id = 123456789012\n", side->section);
	source_kit_expect_loaded(kit, side->source, "AKIDDEV", "hush-secret", "hush-token");
	assert_string_equal(kit->credentials.account, "123456789012");

	/* the token's older name wins, as in the SDKs */
	source_kit_file(kit, side->file, "[%s]\naws_access_key_id = AKIDDEV\naws_secret_access_key = hush-secret\n"
			"aws_session_token = hush-token\naws_security_token = hush-old\n", side->section);
	source_kit_expect_loaded(kit, side->source, "AKIDDEV", "hush-secret", "hush-old");
}

static void right(void **state)
{
	for_both(*state, check_right);
}

static void check_absent(struct source_kit *kit, const struct side *side)
{
	static const char *const rows[] = {
		"", "region = eu-west-1\n", "aws_access_key_id =\naws_secret_access_key =\n",
		/* as in botocore the id decides */
		"aws_secret_access_key = hush\n", "aws_session_token = hush\n",
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		source_kit_file(kit, side->file, "[%s]\n%s", side->section, rows[i]);
		source_kit_expect_absent(kit, side->source, "no aws_access_key_id in profile dev of ");
		assert_non_null(strstr(kit->why, side->file));
	}
	const struct profiles *before = kit->context.profiles;
	kit->context.profiles = NULL;
	source_kit_expect_absent(kit, side->source, "not read");
	kit->context.profiles = before;
}

static void absent(void **state)
{
	for_both(*state, check_absent);
}

static void check_broken(struct source_kit *kit, const struct side *side)
{
	static const char *const rows[][2] = {
		{ "aws_access_key_id = AKIDDEV\n", "profile dev has aws_access_key_id and no aws_secret_access_key" },
		{ "aws_access_key_id = AKIDDEV\naws_secret_access_key =\n", "and no aws_secret_access_key" },
		{ "aws_access_key_id = AKIDDEV\naws_secret_access_key = hush hush\n", "blanks" },
		{ "aws_access_key_id = AKID\x01\naws_secret_access_key = hush\n", "blanks" },
		{ "aws_access_key_id = AKID\naws_secret_access_key = hush\naws_session_token = hush two\n", "blanks" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		source_kit_file(kit, side->file, "[%s]\n%s", side->section, rows[i][0]);
		source_kit_expect_error(kit, side->source, ERROR_CONFIG, rows[i][1]);
		assert_non_null(strstr(kit->err.message, side->file));
		assert_non_null(strstr(kit->err.message, "profile dev"));
	}
}

static void broken(void **state)
{
	for_both(*state, check_broken);
}

static void check_no_memory(struct source_kit *kit, const struct side *side)
{
	source_kit_file(kit, side->file, "[%s]\naws_access_key_id = AKIDDEV\naws_secret_access_key = hush/+secret\n"
			"aws_session_token = hush-token\naws_account_id = 123456789012\n", side->section);
	assert_int_equal(profiles_load(kit->arena, &kit->profiles, NULL), 0);
	source_kit_expect_nomem(kit, side->source);
}

static void no_memory(void **state)
{
	for_both(*state, check_no_memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SOURCE_TEST(right),
		SOURCE_TEST(absent),
		SOURCE_TEST(broken),
		SOURCE_TEST(no_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
