/* SPDX-License-Identifier: Apache-2.0 */
/* Which onhost is started, and how. */
#include "cpi/builder/local.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct fixture {
	struct arena *arena;
	struct config config;
	char folder[64];
	char onhost[80];
	char *path; /* the variable, as it was */
	struct error err;
};

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	fixture->arena = arena_new(65536);
	fixture->path = strdup(getenv("PATH") != NULL ? getenv("PATH") : "");
	snprintf(fixture->folder, sizeof(fixture->folder), "/tmp/test_local.XXXXXX");
	assert_non_null(mkdtemp(fixture->folder));
	assert_int_equal(chmod(fixture->folder, 0755), 0);
	snprintf(fixture->onhost, sizeof(fixture->onhost), "%s/onhost", fixture->folder);
	int fd = open(fixture->onhost, O_CREAT | O_WRONLY | O_CLOEXEC, 0755);
	assert_true(fd >= 0);
	close(fd);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	unlink(fixture->onhost);
	rmdir(fixture->folder);
	setenv("PATH", fixture->path, 1);
	free(fixture->path);
	arena_free(fixture->arena);
	free(fixture);
	return 0;
}

static int command(struct fixture *fixture, struct builder_command *ret_command)
{
	return local_command(&fixture->config, fixture->arena, ret_command, &fixture->err);
}

static void assert_argv(const struct builder_command *got, const char *const *wanted)
{
	size_t i;

	for (i = 0; wanted[i] != NULL; i++) {
		assert_non_null(got->argv[i]);
		assert_string_equal(got->argv[i], wanted[i]);
	}
	assert_null(got->argv[i]);
}

static void test_through_sudo(void **state)
{
	struct fixture *fixture = *state;
	struct builder_command got;

	if (geteuid() == 0 && seteuid(65534) != 0)
		skip();
	fixture->config.stemcell.onhost_path = fixture->onhost;
	/* a variable would not get through sudo */
	fixture->config.metadata_endpoint = "http://127.0.0.1:1";
	int result = command(fixture, &got);
	if (getuid() == 0)
		assert_int_equal(seteuid(0), 0);
	assert_int_equal(result, 0);
	assert_argv(&got, (const char *const[]){ "sudo", "-n", fixture->onhost, "serve", NULL });
	assert_non_null(strstr(got.how, "sudo -n "));
	assert_non_null(strstr(got.advice, "sudoers"));
	assert_string_equal(got.name, "local");
	assert_true(got.through_sudo);
	assert_false(got.no_terminal);
}

static void test_for_the_lab(void **state)
{
	struct fixture *fixture = *state;
	struct builder_command got;

	fixture->config.stemcell.onhost_path = fixture->onhost;
	fixture->config.stemcell.lab = true;
	assert_int_equal(command(fixture, &got), 0);
	assert_argv(&got, (const char *const[]){ fixture->onhost, "serve", "--lab", NULL });
	assert_string_equal(got.advice, "");
	fixture->config.stemcell.lab_devices = "/lab/dev";
	fixture->config.metadata_endpoint = "http://127.0.0.1:1";
	assert_int_equal(command(fixture, &got), 0);
	assert_argv(&got, (const char *const[]){ "env", "AWS_EC2_METADATA_SERVICE_ENDPOINT=http://127.0.0.1:1",
						  fixture->onhost, "serve", "--lab", "--lab-devices", "/lab/dev", NULL });
}

static void test_devices_of_a_lab_without_the_lab(void **state)
{
	struct fixture *fixture = *state;
	struct builder_command got;

	fixture->config.stemcell.onhost_path = fixture->onhost;
	fixture->config.stemcell.lab_devices = "/lab/dev";
	assert_int_equal(command(fixture, &got), 0);
	for (size_t i = 0; got.argv[i] != NULL; i++)
		assert_null(strstr(got.argv[i], "--lab"));
}

static void test_in_path(void **state)
{
	struct fixture *fixture = *state;
	struct builder_command got;
	char path[512];

	fixture->config.stemcell.lab = true;
	/* relative folders do not count */
	assert_int_equal(chdir(fixture->folder), 0);
	setenv("PATH", ".::/nowhere", 1);
	assert_int_equal(command(fixture, &got), -1);
	assert_int_equal(fixture->err.kind, ERROR_CONFIG);
	assert_non_null(strstr(fixture->err.message, "aws.stemcell.onhost_path"));
	snprintf(path, sizeof(path), "/nowhere:%s", fixture->folder);
	setenv("PATH", path, 1);
	assert_int_equal(command(fixture, &got), 0);
	assert_string_equal(got.argv[0], fixture->onhost);
	assert_int_equal(chdir("/"), 0);
}

static void test_given_and_not_there(void **state)
{
	struct fixture *fixture = *state;
	const char *const paths[] = { "/nowhere/onhost", fixture->folder, "/etc/passwd" };
	struct builder_command got;

	for (size_t i = 0; i < 3; i++) {
		fixture->config.stemcell.onhost_path = paths[i];
		assert_int_equal(command(fixture, &got), -1);
		assert_int_equal(fixture->err.kind, ERROR_CONFIG);
		assert_non_null(strstr(fixture->err.message, paths[i]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(test_through_sudo),
		TEST(test_for_the_lab),
		TEST(test_devices_of_a_lab_without_the_lab),
		TEST(test_in_path),
		TEST(test_given_and_not_there),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
