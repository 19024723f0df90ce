/* SPDX-License-Identifier: Apache-2.0 */
/* What a session by SSH makes beside the command, and that nothing of it is left. */
#include "cpi/builder/ssh.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"

#define HOST_KEY "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFNJ0zKQ1h"

struct fixture {
	struct log log;
	struct clock clock;
	struct runtime runtime;
	struct arena *arena;
	struct config config;
	struct config_ssh *wanted;
	struct ssh *ssh;
	struct builder_command command;
	char base[64];
	char folder[300]; /* the session's */
};

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	signal(SIGPIPE, SIG_IGN);
	clock_system(&fixture->clock);
	log_init(&fixture->log, -1, LOG_LEVEL_ERROR, &fixture->clock);
	fixture->runtime = (struct runtime){ .log = &fixture->log, .clock = &fixture->clock };
	fixture->arena = arena_new(1 << 20);
	fixture->wanted = &fixture->config.stemcell.ssh;
	fixture->wanted->host = "h";
	fixture->wanted->onhost_path = "onhost";
	snprintf(fixture->base, sizeof(fixture->base), "/tmp/test_ssh.XXXXXX");
	assert_non_null(mkdtemp(fixture->base));
	setenv("TMPDIR", fixture->base, 1);
	*state = fixture;
	return 0;
}

/* How many entries a folder has; the last one's path. */
static unsigned entries(const char *path, char *ret_last, size_t size)
{
	CLEANUP_DIR DIR *dir = opendir(path);
	unsigned count = 0;

	assert_non_null(dir);
	for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
		if (entry->d_name[0] == '.')
			continue;
		count++;
		if (ret_last != NULL)
			snprintf(ret_last, size, "%s/%s", path, entry->d_name);
	}
	return count;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	ssh_close(fixture->ssh);
	assert_int_equal(entries(fixture->base, NULL, 0), 0);
	assert_int_equal(rmdir(fixture->base), 0);
	unsetenv("TMPDIR");
	arena_free(fixture->arena);
	free(fixture);
	return 0;
}

static int open_it(struct fixture *fixture, struct error *err)
{
	return ssh_open(&fixture->runtime, &fixture->config, fixture->arena, &fixture->ssh, &fixture->command, err);
}

static bool has_argument(const struct fixture *fixture, const char *part)
{
	for (size_t i = 0; i < fixture->command.count; i++) {
		if (strstr(fixture->command.argv[i], part) != NULL)
			return true;
	}
	return false;
}

static void test_nothing_is_needed(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(open_it(fixture, NULL), 0);
	assert_int_equal(entries(fixture->base, NULL, 0), 0);
	assert_false(has_argument(fixture, "KnownHosts"));
}

static void test_host_key(void **state)
{
	struct fixture *fixture = *state;
	char path[400];
	char wanted[400];
	struct stat st;
	char *text;

	fixture->wanted->host_key = HOST_KEY;
	assert_int_equal(open_it(fixture, NULL), 0);
	assert_int_equal(entries(fixture->base, fixture->folder, sizeof(fixture->folder)), 1);
	assert_int_equal(stat(fixture->folder, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(entries(fixture->folder, path, sizeof(path)), 1);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(io_read_file(path, 4096, fixture->arena, &text, NULL, NULL), 0);
	assert_non_null(strstr(text, " " HOST_KEY "\n"));
	snprintf(wanted, sizeof(wanted), "UserKnownHostsFile=%.300s", path);
	assert_true(has_argument(fixture, wanted));
	ssh_close(STEAL(fixture->ssh));
	assert_int_equal(entries(fixture->base, NULL, 0), 0);
}

static void test_a_wrong_host_key(void **state)
{
	struct fixture *fixture = *state;
	struct error err = { 0 };

	fixture->wanted->host_key = "what";
	assert_int_equal(open_it(fixture, &err), -1);
	assert_int_equal(err.kind, ERROR_CONFIG);
	assert_null(fixture->ssh);
}

static void test_a_bad_key(void **state)
{
	struct fixture *fixture = *state;
	struct error err = { 0 };

	fixture->wanted->host_key = HOST_KEY;
	fixture->wanted->private_key = "-----BEGIN RSA PRIVATE KEY-----\nMIIEogIBAAKCAQEA\n-----END RSA PRIVATE KEY-----\n";
	assert_int_equal(open_it(fixture, &err), -1);
	assert_int_equal(err.kind, ERROR_CONFIG);
	assert_non_null(strstr(err.message, "aws.stemcell.ssh.private_key"));
	assert_null(strstr(err.message, "MIIEog"));
}

static void test_key_file_that_is_not_there(void **state)
{
	struct fixture *fixture = *state;
	struct error err = { 0 };

	fixture->wanted->private_key_file = "/nowhere/key";
	assert_int_equal(open_it(fixture, &err), -1);
	assert_int_equal(err.kind, ERROR_CONFIG);
	assert_non_null(strstr(err.message, "aws.stemcell.ssh.private_key_file: /nowhere/key cannot be read"));
	assert_non_null(strstr(err.message, "No such file"));
}

/* Paths that are too long for a socket, or that ssh would read as something else. */
static void test_unusable_temporary_folders(void **state)
{
	struct fixture *fixture = *state;
	char deep[400];
	char last[64];

	snprintf(deep, sizeof(deep), "%s/%0100d", fixture->base, 7);
	const char *const unusable[] = { deep, "relative", "/tmp/a b", "/tmp/%h", "/tmp/$HOME", "/tmp/\"", "" };
	fixture->wanted->host_key = HOST_KEY;
	for (size_t i = 0; i < sizeof(unusable) / sizeof(unusable[0]); i++) {
		setenv("TMPDIR", unusable[i], 1);
		assert_int_equal(open_it(fixture, NULL), 0);
		assert_true(has_argument(fixture, "UserKnownHostsFile=/tmp/aws-cpi-ssh-"));
		ssh_close(STEAL(fixture->ssh));
	}
	/* and the longest that will do */
	size_t len = 108 - sizeof("/aws-cpi-ssh-XXXXXX") - sizeof("/known_hosts") - 1;
	snprintf(last, sizeof(last), "%0*d", (int)(len - strlen(fixture->base) - 1), 7);
	snprintf(deep, sizeof(deep), "%s/%s", fixture->base, last);
	assert_int_equal(mkdir(deep, 0700), 0);
	setenv("TMPDIR", deep, 1);
	assert_int_equal(open_it(fixture, NULL), 0);
	assert_true(has_argument(fixture, deep));
	ssh_close(STEAL(fixture->ssh));
	assert_int_equal(rmdir(deep), 0);
}

static void test_temporary_folder_is_not_there(void **state)
{
	struct fixture *fixture = *state;
	struct error err = { 0 };

	fixture->wanted->host_key = HOST_KEY;
	setenv("TMPDIR", "/nowhere", 1);
	assert_int_equal(open_it(fixture, &err), -1);
	assert_int_equal(err.kind, ERROR_IO);
	assert_non_null(strstr(err.message, "cannot make a folder in /nowhere"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(test_nothing_is_needed),
		TEST(test_host_key),
		TEST(test_a_wrong_host_key),
		TEST(test_a_bad_key),
		TEST(test_key_file_that_is_not_there),
		TEST(test_unusable_temporary_folders),
		TEST(test_temporary_folder_is_not_there),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
