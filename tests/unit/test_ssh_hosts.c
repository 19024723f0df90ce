/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration's host keys as a known_hosts file. */
#include "cpi/builder/ssh_hosts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#define KEY "AAAAC3NzaC1lZDI1NTE5AAAAIFNJ0zKQ1h+b/c8D0v7xAAAA"

static void test_forms(void **state)
{
	static const char *const ed25519[] = {
		"ssh-ed25519 " KEY,
		"ssh-ed25519 " KEY "\n",
		"  ssh-ed25519\t" KEY "  root@builder a comment \r\n",
		"builder.example ssh-ed25519 " KEY,
		"[builder.example]:2222,[10.0.0.7]:2222 ssh-ed25519 " KEY " comment",
		"|1|F1E1KeoE/eEWhi10WpGv4OdiO6Y=|3988QV0VE8wmZL7suNrYQLITLCg= ssh-ed25519 " KEY,
		"# builder:22 SSH-2.0-OpenSSH_9.2\n\nbuilder ssh-ed25519 " KEY "\n\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(ed25519) / sizeof(ed25519[0]); i++) {
		CLEANUP_BUF struct buf out = BUF_INIT(4096);
		struct error err = { 0 };
		if (ssh_hosts_write(ed25519[i], &out, &err) != 0)
			fail_msg("%s: %s", ed25519[i], err.message);
		assert_string_equal(buf_text(&out), SSH_HOSTS_ALIAS " ssh-ed25519 " KEY "\n");
	}
}

static void test_several(void **state)
{
	CLEANUP_BUF struct buf out = BUF_INIT(4096);

	(void)state;
	assert_int_equal(ssh_hosts_write("ssh-rsa AAAAB3+/=\nh ecdsa-sha2-nistp256 AAAAE2\nsk-ssh-ed25519@openssh.com AAAAG\n"
					 "sk-ecdsa-sha2-nistp256@openssh.com AAAAI", &out, NULL), 0);
	assert_string_equal(buf_text(&out), SSH_HOSTS_ALIAS " ssh-rsa AAAAB3+/=\n" SSH_HOSTS_ALIAS " ecdsa-sha2-nistp256 AAAAE2\n"
			    SSH_HOSTS_ALIAS " sk-ssh-ed25519@openssh.com AAAAG\n"
			    SSH_HOSTS_ALIAS " sk-ecdsa-sha2-nistp256@openssh.com AAAAI\n");
}

static void test_refused(void **state)
{
	static const struct {
		const char *text;
		const char *says;
	} rows[] = {
		{ "", "has no key in it" },
		{ " \n# nothing\n", "has no key in it" },
		{ KEY, "should be a host's public key" },
		{ "ssh-ed25519", "should be a host's public key" },
		{ "builder ssh-ed25519", "should be a host's public key" },
		{ "builder 10.0.0.1 ssh-ed25519 " KEY, "should be a host's public key" },
		{ "SHA256:77anmCuK+GlrzfmcsMRKxHS8qJwDEwgYDumimfESjEg", "should be a host's public key" },
		{ "ssh-ed25519 AAAA\"B", "should be a host's public key" },
		{ "ssh-ed25519 BBBB", "should be a host's public key" },
		{ "-----BEGIN OPENSSH PRIVATE KEY-----\nhush\n", "should be a host's public key" },
		{ "@cert-authority *.example ssh-ed25519 " KEY, "has the marker @cert-authority" },
		{ "@revoked * ssh-ed25519 " KEY, "has the marker @revoked" },
		/* one that is wrong spoils the others */
		{ "ssh-ed25519 " KEY "\nwhat", "should be a host's public key" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		CLEANUP_BUF struct buf out = BUF_INIT(4096);
		struct error err = { 0 };
		assert_int_equal(ssh_hosts_write(rows[i].text, &out, &err), -1);
		if (err.kind != ERROR_CONFIG || strstr(err.message, rows[i].says) == NULL ||
		    strstr(err.message, "aws.stemcell.ssh.host_key") == NULL || strstr(err.message, "hush") != NULL)
			fail_msg("%s gave %s", rows[i].text, err.message);
	}
}

static void test_too_much(void **state)
{
	CLEANUP_BUF struct buf out = BUF_INIT(10);
	struct error err = { 0 };

	(void)state;
	assert_int_equal(ssh_hosts_write("ssh-ed25519 " KEY, &out, &err), -1);
	assert_int_equal(err.kind, ERROR_TOO_BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_several),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_too_much),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
