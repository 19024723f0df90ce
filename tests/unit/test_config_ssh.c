/* SPDX-License-Identifier: Apache-2.0 */
/* Which values of aws.stemcell.ssh are let through to a command line. */
#include "cpi/config_ssh.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#define KEY "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk\n-----END OPENSSH PRIVATE KEY-----\n"

static void test_accepted(void **state)
{
	static const struct config_ssh rows[] = {
		{ .host = NULL },
		{ .host = "builder.example", .user = "bosh", .port = 22, .onhost_path = "onhost" },
		{ .host = "10.0.0.7", .user = "first.last@corp", .onhost_path = "/usr/bin/onhost" },
		{ .host = "fe80::1%eth0", .user = "_x-1", .onhost_path = "/opt/aws-cpi_1+2/bin/onhost" },
		{ .host = "my_alias", .private_key = KEY },
		{ .host = "h", .private_key = "-----BEGIN RSA PRIVATE KEY-----\nMII\n" },
		{ .host = "h", .private_key_file = "/home/me/my keys/\"id\"" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct error err = { 0 };
		if (config_ssh_check(&rows[i], &err) != 0)
			fail_msg("%zu: %s", i, err.message);
	}
}

struct bad {
	struct config_ssh ssh;
	const char *says;
};

static void check_refused(const struct bad *row)
{
	struct error err = { 0 };

	assert_int_equal(config_ssh_check(&row->ssh, &err), -1);
	if (err.kind != ERROR_CONFIG || strstr(err.message, row->says) == NULL || strstr(err.message, "b3Blbn") != NULL)
		fail_msg("%s: got %s", row->says, err.message);
}

static void test_refused(void **state)
{
	static const struct bad rows[] = {
		{ { .host = "-oProxyCommand=x" }, "ssh.host should be" },
		{ { .host = "--" }, "not begin with a hyphen" },
		{ { .host = "a b" }, "ssh.host should be" },
		{ { .host = "a;b" }, "ssh.host should be" },
		{ { .host = "user@host" }, "ssh.host should be" },
		{ { .host = "ssh://host" }, "ssh.host should be" },
		{ { .host = "h\n" }, "ssh.host should be" },
		{ { .host = "h\xc3\xa4" }, "ssh.host should be" },
		{ { .host = "h", .user = "-l" }, "not begin with a hyphen" },
		{ { .host = "h", .user = "a b" }, "ssh.user should be" },
		{ { .host = "h", .user = "$(id)" }, "ssh.user should be" },
		{ { .host = "h", .user = "a'" }, "ssh.user should be" },
		{ { .host = "h", .onhost_path = "onhost; reboot" }, "ssh.onhost_path should be" },
		{ { .host = "h", .onhost_path = "/o'" }, "ssh.onhost_path should be" },
		{ { .host = "h", .onhost_path = "/o`x`" }, "ssh.onhost_path should be" },
		{ { .host = "h", .onhost_path = "$HOME/onhost" }, "ssh.onhost_path should be" },
		{ { .host = "h", .onhost_path = "~/onhost" }, "ssh.onhost_path should be" },
		{ { .host = "h", .onhost_path = "-u" }, "not begin with a hyphen" },
		{ { .host = "h", .onhost_path = "a=b" }, "ssh.onhost_path should be" },
		{ { .host = "h", .private_key = "/home/me/.ssh/id" }, "belongs into private_key_file" },
		{ { .host = "h", .private_key = "-----BEGIN CERTIFICATE-----" }, "is not a private key" },
		{ { .host = "h", .private_key = KEY, .private_key_file = "/k" }, "leave one of them out" },
		{ { .host = "h", .private_key_file = KEY }, "belongs into private_key" },
		{ { .host = "h", .private_key_file = "id" }, "begins with /" },
		{ { .host = "h", .private_key_file = "~/.ssh/id" }, "begins with /" },
		{ { .host = "h", .private_key_file = "/k%h" }, "without % and $" },
		{ { .host = "h", .private_key_file = "/${HOME}/k" }, "without % and $" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check_refused(&rows[i]);
}

static void test_too_long(void **state)
{
	char *text = malloc(CONFIG_SSH_KEY_MAX + 100);

	(void)state;
	assert_non_null(text);
	memset(text, 'a', CONFIG_SSH_KEY_MAX + 99);
	text[CONFIG_SSH_KEY_MAX + 99] = '\0';
	check_refused(&(struct bad){ { .host = text }, "at most 512 characters" });
	check_refused(&(struct bad){ { .host = "h", .host_key = text }, "host_key has over 16384 bytes" });
	memcpy(text, KEY, strlen(KEY));
	check_refused(&(struct bad){ { .host = "h", .private_key = text }, "private_key has over 16384 bytes" });
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepted),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_too_long),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
