/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of ssh, for each configuration; and how a session's files appear in it. */
#include "cpi/builder/ssh_command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "cpi/builder/ssh_hosts.h"

struct fixture {
	struct arena *arena;
	struct config config;
	struct config_ssh *ssh;
	struct ssh_files files;
	struct builder_command got;
};

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	fixture->arena = arena_new(65536);
	fixture->ssh = &fixture->config.stemcell.ssh;
	fixture->ssh->host = "builder.example";
	fixture->ssh->onhost_path = "onhost";
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	arena_free(fixture->arena);
	free(fixture);
	return 0;
}

static void make(struct fixture *fixture)
{
	struct error err = { 0 };

	if (ssh_command(&fixture->config, &fixture->files, fixture->arena, &fixture->got, &err) != 0)
		fail_msg("%s", err.message);
	assert_string_equal(fixture->got.argv[0], "ssh");
	assert_null(fixture->got.argv[fixture->got.count]);
	/* there is room for all, and then some */
	assert_true(fixture->got.count + 8 < BUILDER_MAX_ARGS);
}

/* Where it stands, after "-o"; 0 where it does not. */
static size_t option(const struct fixture *fixture, const char *wanted)
{
	for (size_t i = 1; i < fixture->got.count; i++) {
		if (strcmp(fixture->got.argv[i], wanted) == 0 && strcmp(fixture->got.argv[i - 1], "-o") == 0)
			return i;
	}
	return 0;
}

static bool has(const struct fixture *fixture, const char *part)
{
	for (size_t i = 0; i < fixture->got.count; i++) {
		if (strstr(fixture->got.argv[i], part) != NULL)
			return true;
	}
	return false;
}

/* The last words of the line. */
static void assert_end(const struct fixture *fixture, const char *const *wanted, size_t count)
{
	for (size_t i = 0; i < count; i++)
		assert_string_equal(fixture->got.argv[fixture->got.count - count + i], wanted[i]);
}
#define assert_ends(fixture, ...)                                                                                      \
	assert_end(fixture, (const char *const[]){ __VA_ARGS__ }, sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))

static void test_the_least(void **state)
{
	struct fixture *fixture = *state;

	make(fixture);
	assert_ends(fixture, "--", "builder.example", "sudo -n onhost serve");
	assert_string_equal(fixture->got.name, "ssh");
	assert_string_equal(fixture->got.machine, "builder.example");
	assert_string_equal(fixture->got.how, "builder.example, sudo -n onhost serve");
	assert_true(fixture->got.through_sudo);
	assert_true(fixture->got.no_terminal);
	assert_false(fixture->got.host_key_given);
	assert_non_null(fixture->got.explain);
	/* what is not ours to say is not said */
	static const char *const unsaid[] = { "IdentityAgent", "IdentityFile", "IdentitiesOnly", "KnownHosts", "HostKeyAlias", "Ciphers",
					      "ProxyJump", "Port", "User=" };
	for (size_t i = 0; i < sizeof(unsaid) / sizeof(unsaid[0]); i++)
		assert_false(has(fixture, unsaid[i]));
}

static void test_what_no_file_may_change(void **state)
{
	struct fixture *fixture = *state;
	static const char *const wanted[] = {
		"BatchMode=yes", "StrictHostKeyChecking=yes", "NoHostAuthenticationForLocalhost=no", "ControlMaster=no", "ControlPath=none",
		"ClearAllForwardings=yes", "ForwardAgent=no", "RequestTTY=no", "RemoteCommand=none", "PermitLocalCommand=no",
		"Compression=no", "ServerAliveInterval=15", "ServerAliveCountMax=3", "ConnectTimeout=15", "LogLevel=INFO",
		"UpdateHostKeys=no",
	};

	make(fixture);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		if (option(fixture, wanted[i]) == 0)
			fail_msg("no %s", wanted[i]);
	}
}

static void test_user_and_port(void **state)
{
	struct fixture *fixture = *state;

	fixture->ssh->user = "bosh";
	fixture->ssh->port = 2222;
	fixture->ssh->onhost_path = "/opt/aws-cpi/bin/onhost";
	make(fixture);
	assert_ends(fixture, "-p", "2222", "-l", "bosh", "--", "builder.example", "sudo -n /opt/aws-cpi/bin/onhost serve");
	assert_string_equal(fixture->got.machine, "bosh@builder.example");
	assert_string_equal(fixture->got.how, "bosh@builder.example, sudo -n /opt/aws-cpi/bin/onhost serve");
}

static void test_root_needs_no_sudo(void **state)
{
	struct fixture *fixture = *state;

	fixture->ssh->user = "root";
	make(fixture);
	assert_ends(fixture, "-l", "root", "--", "builder.example", "onhost serve");
	assert_false(fixture->got.through_sudo);
}

static void test_host_key(void **state)
{
	struct fixture *fixture = *state;

	fixture->files.known_hosts = "/tmp/x/known_hosts";
	make(fixture);
	assert_true(fixture->got.host_key_given);
	assert_true(option(fixture, "UserKnownHostsFile=/tmp/x/known_hosts") > 0);
	assert_true(option(fixture, "GlobalKnownHostsFile=/dev/null") > 0);
	assert_true(option(fixture, "KnownHostsCommand=none") > 0);
	assert_true(option(fixture, "VerifyHostKeyDNS=no") > 0);
	assert_true(option(fixture, "HostKeyAlias=" SSH_HOSTS_ALIAS) > 0);
}

static void test_key_file(void **state)
{
	struct fixture *fixture = *state;

	fixture->ssh->private_key_file = "/keys/the key";
	make(fixture);
	assert_true(option(fixture, "IdentitiesOnly=yes") > 0);
	assert_ends(fixture, "-i", "/keys/the key", "--", "builder.example", "sudo -n onhost serve");
}

static void test_key_in_an_agent(void **state)
{
	struct fixture *fixture = *state;

	fixture->ssh->private_key = "-----BEGIN hush";
	fixture->files.agent = "/tmp/x/agent";
	make(fixture);
	assert_true(option(fixture, "IdentityAgent=/tmp/x/agent") > 0);
	assert_true(option(fixture, "IdentitiesOnly=no") > 0);
	assert_true(option(fixture, "IdentityFile=none") > 0);
	assert_false(has(fixture, "hush"));
}

static void test_the_lab(void **state)
{
	struct fixture *fixture = *state;

	fixture->config.metadata_endpoint = "http://127.0.0.1:1/it's";
	fixture->config.stemcell.lab_devices = "/lab dev";
	make(fixture);
	/* only with lab: true */
	assert_ends(fixture, "sudo -n onhost serve");
	fixture->config.stemcell.lab = true;
	make(fixture);
	assert_ends(fixture, "sudo -n env AWS_EC2_METADATA_SERVICE_ENDPOINT='http://127.0.0.1:1/it'\\''s' onhost serve --lab --lab-devices "
			     "'/lab dev'");
	fixture->ssh->user = "root";
	fixture->config.metadata_endpoint = NULL;
	fixture->config.stemcell.lab_devices = NULL;
	make(fixture);
	assert_ends(fixture, "onhost serve --lab");
}

/* Everything at once fits. */
static void test_everything(void **state)
{
	struct fixture *fixture = *state;

	fixture->ssh->user = "bosh";
	fixture->ssh->port = 65535;
	fixture->ssh->private_key_file = "/k";
	fixture->files = (struct ssh_files){ .known_hosts = "/h", .agent = "/a" };
	make(fixture);
	assert_ends(fixture, "-p", "65535", "-l", "bosh", "--", "builder.example", "sudo -n onhost serve");
}

static void test_no_memory(void **state)
{
	struct fixture *fixture = *state;
	struct builder_command got;
	unsigned failures = 0;

	fixture->ssh->user = "bosh";
	fixture->ssh->port = 22;
	fixture->files = (struct ssh_files){ .known_hosts = "/h", .agent = "/a" };
	for (size_t max = 1; max < 4096; max += 16) {
		CLEANUP_ARENA struct arena *small = arena_new(max);
		struct error err = { 0 };
		if (small == NULL || ssh_command(&fixture->config, &fixture->files, small, &got, &err) == 0)
			continue;
		assert_int_equal(err.kind, ERROR_NOMEM);
		failures++;
	}
	assert_true(failures > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(test_the_least),
		TEST(test_what_no_file_may_change),
		TEST(test_user_and_port),
		TEST(test_root_needs_no_sudo),
		TEST(test_host_key),
		TEST(test_key_file),
		TEST(test_key_in_an_agent),
		TEST(test_the_lab),
		TEST(test_everything),
		TEST(test_no_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
