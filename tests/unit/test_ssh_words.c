/* SPDX-License-Identifier: Apache-2.0 */
/* What ssh, sudo and shells say, as they were seen to say it, and what is made of it. */
#include "cpi/builder/ssh_words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#define CHANGED                                                                                                        \
	"@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@\n"                                                 \
	"@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\n"                                                 \
	"@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@\n"                                                 \
	"IT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!\n"                                                       \
	"Host key for aws-cpi-stemcell-builder has changed and you have requested strict checking.\n"                   \
	"Host key verification failed.\n"

enum given { ROOT = 1, HOST_KEY = 2, GREETED = 4 };

struct row {
	int exit_status;
	unsigned given;
	const char *words;
	const char *meaning; /* a part of it; NULL: none */
};

static const struct row rows[] = {
	{ 255, 0, "command-line: line 0: Bad configuration option: knownhostscommand\n", "refuses an option" },
	{ 255, 0, "Bad owner or permissions on /root/.ssh/config\n", "configuration file that others can write" },
	{ 255, 0, "ssh: Could not resolve hostname nowhere.invalid: Name or service not known\n", "host name is not known" },
	{ 255, 0, "ssh: connect to host 127.0.0.1 port 1: Connection refused\n", "refuses the connection" },
	{ 255, 0, "ssh: connect to host 10.0.0.9 port 22: Connection timed out\n", "did not answer in time" },
	{ 255, 0, "Connection timed out during banner exchange\nConnection to 127.0.0.1 port 4 timed out\n", "did not answer in time" },
	{ 255, 0, "ssh: connect to host 10.0.0.9 port 22: No route to host\n", "no way to the builder" },
	{ 255, 0, "ssh: connect to host 10.0.0.9 port 22: Network is unreachable\n", "no way to the builder" },
	{ 255, 0, "Unable to negotiate with 127.0.0.1 port 22: no matching cipher found. Their offer: 3des-cbc\n", "no algorithm in common" },
	{ 255, HOST_KEY, CHANGED, "not the one of aws.stemcell.ssh.host_key" },
	{ 255, 0, CHANGED, "before known_hosts is changed" },
	{ 255, HOST_KEY, "No RSA host key is known for jump and you have requested strict checking.\nHost key verification failed.\n",
	  "that of a jump host" },
	{ 255, 0, "No ED25519 host key is known for x and you have requested strict checking.\nHost key verification failed.\n",
	  "host key is not known" },
	{ 255, 0, "@         WARNING: UNPROTECTED PRIVATE KEY FILE!          @\nLoad key \"/k\": bad permissions\nu@h: Permission denied "
		  "(publickey).\n", "chmod 600" },
	{ 255, 0, "Load key \"/k\": error in libcrypto\nu@h: Permission denied (publickey).\n", "cannot use the private key file" },
	{ 255, 0, "Received disconnect from ::1 port 22:2: Too many authentication failures\nDisconnected from ::1\n", "lost patience" },
	{ 255, 0, "builder@127.0.0.1: Permission denied (publickey).\n", "does not let us in" },
	{ 255, 0, "exec request failed on channel 0\n", "start no command" },
	{ 255, 0, "kex_exchange_identification: Connection closed by remote host\nConnection closed by 127.0.0.1 port 22\n",
	  "closed the connection before anything was said" },
	{ 255, 0, "", "by hand" },
	{ 255, GREETED, "client_loop: send disconnect: Broken pipe\n", "broke off in the middle" },
	{ 255, GREETED, "", "broke off in the middle" },
	{ 255, GREETED, "Timeout, server 10.0.0.9 not responding.\n", "fell silent" },
	/* what onhost had said before is not taken for ssh's */
	{ 255, GREETED, "onhost: I cannot ask: Connection refused\n", "broke off in the middle" },
	{ 127, 0, "bash: line 1: sudo: command not found\n", "no sudo" },
	{ 127, 0, "sh: 1: sudo: not found\n", "no sudo" },
	{ 127, 0, "zsh:1: command not found: sudo\n", "no sudo" },
	{ 127, 0, "env: 'onhost': No such file or directory\n", "no onhost" },
	{ 127, ROOT, "bash: line 1: onhost: command not found\n", "no onhost" },
	{ 127, ROOT, "bash: line 1: /opt/onhost: No such file or directory\n", "no onhost" },
	{ 126, ROOT, "bash: line 1: /etc: Is a directory\n", "cannot start onhost" },
	{ 1, 0, "sudo: onhost: command not found\n", "not where sudo looks" },
	{ 1, 0, "sudo: /opt/onhost: command not found\n", "not where sudo looks" },
	{ 1, 0, "sudo: a password is required\n", "wants a password" },
	{ 1, 0, "sudo: sorry, you must have a tty to run sudo\n", "requiretty" },
	{ 1, 0, "builder is not in the sudoers file.\n", "refuses: give the user an entry" },
	{ 1, 0, "Sorry, user builder is not allowed to execute 'onhost serve' as root on h.\n", "refuses: give the user an entry" },
	{ 1, 0, "sudo: PAM account management error: Permission denied\n", "by hand" },
	/* onhost's own ends are told by onhost */
	{ 7, GREETED, "onhost: no metadata\n", NULL },
	{ 1, GREETED, "sudo: a password is required\n", NULL },
	{ 1, ROOT, "sudo: a password is required\n", NULL },
	{ 127, GREETED, "", NULL },
	{ -1, 0, "Connection refused\n", NULL },
};

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];
		const struct builder_command command = {
			.through_sudo = (row->given & ROOT) == 0,
			.host_key_given = (row->given & HOST_KEY) != 0,
		};
		const struct builder_end end = {
			.exit_status = row->exit_status, .words = row->words, .greeted = (row->given & GREETED) != 0,
		};
		const char *meaning = ssh_words_explain(&command, &end);
		if ((meaning == NULL) != (row->meaning == NULL) || (meaning != NULL && strstr(meaning, row->meaning) == NULL))
			fail_msg("%d %s: %s", row->exit_status, row->words, meaning != NULL ? meaning : "nothing");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_rows) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
