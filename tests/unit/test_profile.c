/* SPDX-License-Identifier: Apache-2.0 */
/* The shared files: where they are, what is looked up how, messages, limits, no memory. Their syntax is compared with
 * botocore's by an integration test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "cpi/aws/ini.h"
#include "cpi/aws/profile.h"
#include "tests/unit/fail_alloc.h"

#define ARENA_BYTES ((size_t)64 * 1024 * 1024)

static const char *const variables[] = { "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_PROFILE",
					 "AWS_DEFAULT_PROFILE", "TEST_PROFILE_FOLDER" };

struct fixture {
	struct arena *arena;
	struct profiles profiles;
	struct error err;
	char folder[64];
	char config[128];
	char credentials[128];
	char *home; /* of the process before */
};

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	if (fixture == NULL)
		return -1;
	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
		unsetenv(variables[i]);
	fixture->home = getenv("HOME") == NULL ? NULL : strdup(getenv("HOME"));
	snprintf(fixture->folder, sizeof(fixture->folder), "/tmp/test_profile-XXXXXX");
	if (mkdtemp(fixture->folder) == NULL)
		return -1;
	setenv("HOME", fixture->folder, 1);
	snprintf(fixture->config, sizeof(fixture->config), "%s/.aws", fixture->folder);
	if (mkdir(fixture->config, 0700) != 0)
		return -1;
	snprintf(fixture->config, sizeof(fixture->config), "%s/.aws/config", fixture->folder);
	snprintf(fixture->credentials, sizeof(fixture->credentials), "%s/.aws/credentials", fixture->folder);
	fixture->arena = arena_new(ARENA_BYTES);
	*state = fixture;
	return fixture->arena == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;
	char folder[128];

	unlink(fixture->config);
	unlink(fixture->credentials);
	rmdir(fixture->config);
	snprintf(folder, sizeof(folder), "%s/.aws", fixture->folder);
	rmdir(folder);
	rmdir(fixture->folder);
	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
		unsetenv(variables[i]);
	if (fixture->home != NULL)
		setenv("HOME", fixture->home, 1);
	free(fixture->home);
	arena_free(fixture->arena);
	free(fixture);
	return 0;
}

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void load(struct fixture *fixture)
{
	if (profiles_load(fixture->arena, &fixture->profiles, &fixture->err) != 0)
		fail_msg("%s", fixture->err.message);
}

static void load_texts(struct fixture *fixture, const char *config, const char *credentials)
{
	write_file(fixture->config, config);
	write_file(fixture->credentials, credentials);
	load(fixture);
}

static void expect(const char *value, const char *wanted)
{
	if (wanted == NULL)
		assert_null(value);
	else if (value == NULL)
		fail_msg("nothing in place of %s", wanted);
	else
		assert_string_equal(value, wanted);
}

static void test_no_files(void **state)
{
	struct fixture *fixture = *state;

	load(fixture);
	assert_string_equal(fixture->profiles.config_path, fixture->config);
	assert_string_equal(fixture->profiles.credentials_path, fixture->credentials);
	assert_null(fixture->profiles.config);
	assert_null(fixture->profiles.credentials);
	assert_string_equal(fixture->profiles.active, "default");
	assert_false(fixture->profiles.active_is_chosen);
	assert_false(profiles_has(&fixture->profiles, "default"));
	assert_null(profiles_get(&fixture->profiles, "default", "region"));
	assert_false(profiles_has(NULL, "default"));
	assert_null(profiles_get(NULL, "default", "region"));
	assert_null(profiles_get_config(NULL, "default", "region"));
	assert_null(profiles_get_credentials(NULL, "default", "region"));
	assert_null(profiles_get_section(NULL, "services", "x", "y"));
	assert_null(profiles_get_nested(NULL, "services", "x", "y", "z"));
	assert_false(profiles_has_section(NULL, "services", "x"));
}

static void test_values(void **state)
{
	struct fixture *fixture = *state;
	const struct profiles *profiles = &fixture->profiles;

	load_texts(fixture,
		   "[default]\nREGION = of-config\noutput=text\nempty =\n\n[profile dev]\nregion: eu-west-1\nservices = local\n"
		   "[profile \"two words\"]\nregion = x\n[sso-session corp]\nsso_region = us-east-1\n"
		   "[services local]\nec2 =\n  endpoint_url = http://e\n  endpoint_url = http://f\nflat = http://flat\n",
		   "[default]\naws_access_key_id = AKID\noutput =\n[dev]\nregion = of-credentials\n[profile odd]\nregion = y\n");
	assert_true(profiles_has(profiles, "default"));
	assert_true(profiles_has(profiles, "dev"));
	assert_true(profiles_has(profiles, "two words"));
	assert_true(profiles_has(profiles, "profile odd"));
	assert_false(profiles_has(profiles, "odd"));
	assert_false(profiles_has(profiles, "corp"));
	expect(profiles_get(profiles, "default", "region"), "of-config");
	expect(profiles_get(profiles, "default", "aws_access_key_id"), "AKID");
	expect(profiles_get_config(profiles, "default", "aws_access_key_id"), NULL);
	expect(profiles_get_credentials(profiles, "default", "aws_access_key_id"), "AKID");
	/* the credentials file wins, also with an empty value */
	expect(profiles_get(profiles, "dev", "region"), "of-credentials");
	expect(profiles_get_config(profiles, "dev", "region"), "eu-west-1");
	expect(profiles_get(profiles, "default", "output"), NULL);
	expect(profiles_get_config(profiles, "default", "output"), "text");
	expect(profiles_get(profiles, "default", "empty"), NULL);
	expect(profiles_get_section(profiles, "sso-session", "corp", "sso_region"), "us-east-1");
	expect(profiles_get_section(profiles, "services", "local", "flat"), "http://flat");
	expect(profiles_get_section(profiles, "services", "local", "ec2"), NULL);
	expect(profiles_get_nested(profiles, "services", "local", "ec2", "endpoint_url"), "http://f");
	expect(profiles_get_nested(profiles, "services", "local", "flat", "endpoint_url"), NULL);
	expect(profiles_get_nested(profiles, "services", "other", "ec2", "endpoint_url"), NULL);
	assert_true(profiles_has_section(profiles, "services", "local"));
	assert_false(profiles_has_section(profiles, "services", "other"));
}

static void test_default_of_all(void **state)
{
	struct fixture *fixture = *state;

	load_texts(fixture, "[profile a]\nregion = own\n[DEFAULT]\nregion = all\noutput = text\n[profile b]\n",
		   "[b]\nx = y\n");
	expect(profiles_get(&fixture->profiles, "a", "region"), "own");
	expect(profiles_get(&fixture->profiles, "a", "output"), "text");
	expect(profiles_get(&fixture->profiles, "b", "region"), "all");
	expect(profiles_get_credentials(&fixture->profiles, "b", "region"), NULL);
	assert_false(profiles_has(&fixture->profiles, "DEFAULT"));
}

static void test_active(void **state)
{
	struct fixture *fixture = *state;

	setenv("AWS_PROFILE", "", 1);
	load(fixture);
	assert_string_equal(fixture->profiles.active, "default");
	assert_false(fixture->profiles.active_is_chosen);
	setenv("AWS_PROFILE", "a", 1);
	load(fixture);
	assert_string_equal(fixture->profiles.active, "a");
	assert_true(fixture->profiles.active_is_chosen);
	setenv("AWS_DEFAULT_PROFILE", "b", 1);
	load(fixture);
	assert_string_equal(fixture->profiles.active, "b");
}

static void test_settings(void **state)
{
	struct fixture *fixture = *state;
	const struct profiles *profiles = &fixture->profiles;

	load_texts(fixture, "[profile a]\nflag = TRUE\n[default]\nflag = 1\n", "");
	unsetenv("TEST_PROFILE_FOLDER");
	expect(profiles_setting(profiles, "TEST_PROFILE_FOLDER", "flag"), "1");
	expect(profiles_setting(NULL, "TEST_PROFILE_FOLDER", "flag"), NULL);
	assert_false(profiles_switch(profiles, "TEST_PROFILE_FOLDER", "flag"));
	setenv("AWS_PROFILE", "a", 1);
	load(fixture);
	assert_true(profiles_switch(profiles, "TEST_PROFILE_FOLDER", "flag"));
	setenv("TEST_PROFILE_FOLDER", "", 1);
	assert_true(profiles_switch(profiles, "TEST_PROFILE_FOLDER", "flag"));
	setenv("TEST_PROFILE_FOLDER", "false", 1);
	assert_false(profiles_switch(profiles, "TEST_PROFILE_FOLDER", "flag"));
	setenv("TEST_PROFILE_FOLDER", "True", 1);
	assert_true(profiles_switch(NULL, "TEST_PROFILE_FOLDER", "flag"));
}

static void test_paths(void **state)
{
	struct fixture *fixture = *state;
	char wanted[256];

	expect(profiles_expand("/a/~/b", fixture->arena), "/a/~/b");
	expect(profiles_expand("~other/b", fixture->arena), "~other/b");
	expect(profiles_expand("~", fixture->arena), fixture->folder);
	snprintf(wanted, sizeof(wanted), "%s/b", fixture->folder);
	expect(profiles_expand("~/b", fixture->arena), wanted);
	setenv("HOME", "/x//", 1);
	expect(profiles_expand("~/b", fixture->arena), "/x/b");
	setenv("HOME", "/", 1);
	expect(profiles_expand("~/b", fixture->arena), "/b");
	/* the user database's; whoever runs this is in it */
	unsetenv("HOME");
	const char *path = profiles_expand("~/b", fixture->arena);
	assert_non_null(path);
	assert_int_not_equal(path[0], '~');
	setenv("HOME", fixture->folder, 1);
	setenv("TEST_PROFILE_FOLDER", fixture->folder, 1);
	static const char *const rows[][2] = {
		{ "$TEST_PROFILE_FOLDER/b", "/b" },
		{ "${TEST_PROFILE_FOLDER}b", "b" },
		{ "~/$TEST_PROFILE_NOT/${TEST_PROFILE_NOT}/$/${", "/$TEST_PROFILE_NOT/${TEST_PROFILE_NOT}/$/${" },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		setenv("AWS_CONFIG_FILE", rows[i][0], 1);
		load(fixture);
		snprintf(wanted, sizeof(wanted), "%s%s", fixture->folder, rows[i][1]);
		expect(fixture->profiles.config_path, wanted);
	}
}

static void test_where(void **state)
{
	struct fixture *fixture = *state;
	char wanted[400];

	load_texts(fixture, "[profile a]\n[profile both]\n", "[b]\n[both]\n");
	snprintf(wanted, sizeof(wanted), "profile a of %s", fixture->config);
	expect(profiles_where(&fixture->profiles, "a", fixture->arena), wanted);
	snprintf(wanted, sizeof(wanted), "profile b of %s", fixture->credentials);
	expect(profiles_where(&fixture->profiles, "b", fixture->arena), wanted);
	snprintf(wanted, sizeof(wanted), "profile both of %s and %s", fixture->config, fixture->credentials);
	expect(profiles_where(&fixture->profiles, "both", fixture->arena), wanted);
	snprintf(wanted, sizeof(wanted), "profile none of %s and %s", fixture->config, fixture->credentials);
	expect(profiles_where(&fixture->profiles, "none", fixture->arena), wanted);
}

static void test_refused(void **state)
{
	struct fixture *fixture = *state;
	static const struct {
		const char *text;
		const char *line;
	} rows[] = {
		{ "SECRET=1\n", "line 1 stands outside" },
		{ "[default]\n\nSECRET\n", "line 3 is neither" },
		{ "[default]\r\r= SECRET\r", "line 3 is neither" },
		{ "[default]\r\na = SECRET\r\na = SECRET\r\n", "line 3 has a key" },
		{ "[a]\n[b]\n[a]\n", "line 3 begins a section" },
		{ "[a]\nx =\n  y = 1\n  SECRET\n[b]\n", "line 2 begins a list" },
		{ "[a]\nx = \xFFSECRET\n", "line 2 is not UTF-8" },
		{ "\xEF\xBB\xBF[a]\n", "line 1 stands outside" },
	};
	struct profiles untouched = { .active = "untouched" };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		write_file(fixture->config, rows[i].text);
		fixture->profiles = untouched;
		assert_int_equal(profiles_load(fixture->arena, &fixture->profiles, &fixture->err), -1);
		assert_int_equal(fixture->err.kind, ERROR_CONFIG);
		assert_string_equal(fixture->profiles.active, "untouched");
		if (strstr(fixture->err.message, rows[i].line) == NULL ||
		    strstr(fixture->err.message, fixture->config) == NULL ||
		    strstr(fixture->err.message, "SECRET") != NULL)
			fail_msg("row %zu: %s", i, fixture->err.message);
		assert_int_equal(profiles_load(fixture->arena, &fixture->profiles, NULL), -1);
	}
}

static void test_too_large(void **state)
{
	struct fixture *fixture = *state;
	FILE *file = fopen(fixture->credentials, "w");

	assert_non_null(file);
	for (size_t i = 0; i < PROFILE_MAX_BYTES; i++)
		assert_int_equal(fputc('\n', file), '\n');
	assert_int_equal(fflush(file), 0);
	load(fixture);
	assert_int_equal(fputc('\n', file), '\n');
	assert_int_equal(fclose(file), 0);
	assert_int_equal(profiles_load(fixture->arena, &fixture->profiles, &fixture->err), -1);
	assert_int_equal(fixture->err.kind, ERROR_CONFIG);
	assert_non_null(strstr(fixture->err.message, fixture->credentials));
}

/* A directory, a device, a closed way: as if it were not there. */
static void test_no_files_at_all(void **state)
{
	struct fixture *fixture = *state;

	setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null", 1);
	assert_int_equal(mkdir(fixture->config, 0700), 0);
	load(fixture);
	assert_null(fixture->profiles.config);
	setenv("AWS_CONFIG_FILE", "/dev/null/config", 1);
	load(fixture);
	assert_null(fixture->profiles.config);
}

/* Many keys: no quadratic time, which this would show as minutes. */
static void test_many_keys(void **state)
{
	struct fixture *fixture = *state;
	FILE *file = fopen(fixture->config, "w");

	assert_non_null(file);
	fputs("[default]\n", file);
	for (unsigned i = 0; i < 100000; i++)
		fprintf(file, "k%x=1\n", i);
	assert_int_equal(fclose(file), 0);
	load(fixture);
	expect(profiles_get(&fixture->profiles, "default", "k1869f"), "1");
}

static void test_no_memory(void **state)
{
	struct fixture *fixture = *state;
	bool succeeded = false;

	write_file(fixture->config, "[profile a]\nx = 1\n[profile 'b c']\ny =\n  z = 1\n[DEFAULT]\nq = 1\n");
	write_file(fixture->credentials, "[a]\nx = 2\n");
	setenv("AWS_CONFIG_FILE", "$HOME/.aws/config", 1);
	for (long n = 0; !succeeded; n++) {
		CLEANUP_ARENA struct arena *arena = arena_new(ARENA_BYTES);
		struct profiles profiles;
		struct error err = { .kind = ERROR_NONE };
		fail_alloc_after(n);
		int result = profiles_load(arena, &profiles, &err);
		succeeded = !fail_alloc_off();
		assert_int_equal(result, succeeded ? 0 : -1);
		if (!succeeded)
			assert_int_equal(err.kind, ERROR_NOMEM);
		assert_true(n < 1000);
	}
}

/* An arena that is used up at any place. */
static void test_small_arena(void **state)
{
	static const char text[] = "[a]\nx = 1\ny =\n  z = 1\n";
	bool succeeded = false;

	(void)state;
	for (size_t size = 1; !succeeded; size += 8) {
		CLEANUP_ARENA struct arena *arena = arena_new(size);
		const struct profile_section *sections = NULL;
		struct error err = { .kind = ERROR_NONE };
		succeeded = ini_parse(text, strlen(text), arena, &sections, &err) == 0;
		if (!succeeded)
			assert_int_equal(err.kind, ERROR_NOMEM);
		assert_true(succeeded == (sections != NULL));
		assert_true(size < 10000);
	}
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_no_files),
		TEST(test_values),
		TEST(test_default_of_all),
		TEST(test_active),
		TEST(test_settings),
		TEST(test_paths),
		TEST(test_where),
		TEST(test_refused),
		TEST(test_too_large),
		TEST(test_no_files_at_all),
		TEST(test_many_keys),
		TEST(test_no_memory),
		cmocka_unit_test(test_small_arena),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
