/* SPDX-License-Identifier: Apache-2.0 */
/* The token of an identity provider: variables and profile, the file, an unsigned call. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/chain_kit.h"

#define PROFILE "[default]\nrole_arn = arn:aws:iam::123456789012:role/of-profile\nweb_identity_token_file = ~/profile-token\n" \
		"role_session_name = of-profile\n"

static void open_with_tokens(struct chain_kit *kit)
{
	chain_open(kit);
	chain_file(kit, "profile-token", "profile.token");
	setenv("AWS_WEB_IDENTITY_TOKEN_FILE", chain_file(kit, "env-token", "env.token\r\n"), 1);
}

static void test_variables(void **state)
{
	(void)state;
	struct chain_kit kit;

	open_with_tokens(&kit);
	chain_expect_error(&kit, "a web identity token is named by AWS_WEB_IDENTITY_TOKEN_FILE, but no role: set AWS_ROLE_ARN");
	setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/web", 1);
	struct credentials credentials =
		chain_expect(&kit, "ASIAWEB-web", "role arn:aws:iam::123456789012:role/web by web identity");
	assert_string_equal(credentials.account, "123456789012");
	assert_int_equal(credentials.expires_at, FAKE_NOW + 3600);
	assert_int_equal(kit.n_requests, 1);
	/* nobody's signature: the token is what counts, without the line's end */
	assert_string_equal(kit.requests[0].authorization, "");
	assert_string_equal(kit.requests[0].url, "https://sts.eu-west-1.amazonaws.com/");
	assert_non_null(strstr(kit.requests[0].body, "&WebIdentityToken=env.token"));
	assert_string_equal(strstr(kit.requests[0].body, "&WebIdentityToken="), "&WebIdentityToken=env.token");
	assert_non_null(strstr(kit.requests[0].body, "&RoleSessionName=rsn-"));
	char text[] = "x env.token, which is redacted";
	log_redact(&kit.fake.log, text, sizeof(text));
	assert_null(strstr(text, "env.token"));
	setenv("AWS_ROLE_SESSION_NAME", "pod-1", 1);
	/* replaced meanwhile, and read anew */
	chain_file(&kit, "env-token", "newer.token");
	chain_expect(&kit, "ASIAWEB-web", NULL);
	assert_non_null(strstr(kit.requests[1].body, "&RoleSessionName=pod-1&WebIdentityToken=newer.token"));
	chain_close(&kit);
}

/* Each key for itself: the variable first, as in botocore. */
static void test_profile(void **state)
{
	(void)state;
	struct chain_kit kit;

	open_with_tokens(&kit);
	chain_files(&kit, PROFILE, NULL);
	chain_expect(&kit, "ASIAWEB-of-profile", NULL);
	assert_non_null(strstr(kit.requests[0].body, "&RoleSessionName=of-profile&WebIdentityToken=env.token"));
	unsetenv("AWS_WEB_IDENTITY_TOKEN_FILE");
	setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/web", 1);
	chain_expect(&kit, "ASIAWEB-web", NULL);
	assert_non_null(strstr(kit.requests[1].body, "&WebIdentityToken=profile.token"));
	setenv("AWS_ROLE_ARN", "", 1);
	chain_expect(&kit, "ASIAWEB-of-profile", "role arn:aws:iam::123456789012:role/of-profile by web identity");
	chain_files(&kit, "[default]\nweb_identity_token_file = ~/profile-token\n", NULL);
	chain_expect_error(&kit, "a web identity token is named by profile default of ");
	chain_close(&kit);
}

static void test_the_file(void **state)
{
	(void)state;
	struct chain_kit kit;

	open_with_tokens(&kit);
	setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/web", 1);
	chain_file(&kit, "env-token", " \n");
	chain_expect_error(&kit, "is empty or holds blanks");
	chain_file(&kit, "env-token", "two tokens");
	chain_expect_error(&kit, "is empty or holds blanks");
	chain_expect_error(&kit, "/env-token");
	setenv("AWS_WEB_IDENTITY_TOKEN_FILE", "/nowhere/token", 1);
	chain_expect_error(&kit, "the web identity token that AWS_WEB_IDENTITY_TOKEN_FILE names: ");
	chain_expect_error(&kit, "/nowhere/token");
	assert_int_equal(kit.n_requests, 0);
	chain_close(&kit);
}

static void test_denied(void **state)
{
	(void)state;
	struct chain_kit kit;
	struct credentials credentials;
	struct error err;

	open_with_tokens(&kit);
	kit.has_metadata = true;
	kit.denied_role = "web";
	setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/web", 1);
	assert_int_equal(credentials_load(&kit.context, &credentials, &err), -1);
	assert_int_equal(err.kind, ERROR_AWS);
	assert_non_null(strstr(err.message, "role arn:aws:iam::123456789012:role/web may not be assumed with the web identity's "
			       "token (check the role's trust policy, and that it names this identity provider)"));
	assert_null(strstr(err.message, "env.token"));
	assert_int_equal(kit.n_requests, 1);
	chain_close(&kit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_variables),
		cmocka_unit_test(test_profile),
		cmocka_unit_test(test_the_file),
		cmocka_unit_test(test_denied),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
