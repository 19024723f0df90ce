/* SPDX-License-Identifier: Apache-2.0 */
/* One table, read from top to bottom: the first row that fits is the cause. */
#include "cpi/builder/ssh_words.h"

#include <string.h>

#define SSH_FAILED 255
#define NOT_FOUND 127
#define NOT_STARTED 126
#define ANY (-2)

enum when { ALWAYS, BEFORE_HELLO };
/* what a row further asks for */
enum which { EVERY, KEY_GIVEN, KEY_NOT_GIVEN, BY_SUDO };

struct row {
	int exit_status; /* or ANY */
	enum when when;
	enum which which;
	const char *words; /* somewhere in the last lines; "" fits always */
	const char *meaning;
};

static const struct row rows[] = {
	/* before there is a connection */
	{ SSH_FAILED, BEFORE_HELLO, EVERY, "Bad configuration option",
	  "ssh refuses an option: correct ~/.ssh/config or /etc/ssh/ssh_config, or install OpenSSH 8.5 or later" },
	{ SSH_FAILED, BEFORE_HELLO, EVERY, "Bad owner or permissions on",
	  "ssh refuses a configuration file that others can write: correct its owner and mode (chmod go-w)" },
	{ SSH_FAILED, BEFORE_HELLO, EVERY, "Could not resolve hostname",
	  "the builder's host name is not known: correct aws.stemcell.ssh.host, or make the name known (DNS, /etc/hosts, a Host entry in "
	  "~/.ssh/config)" },
	{ SSH_FAILED, BEFORE_HELLO, EVERY, "Connection refused",
	  "the builder refuses the connection: start sshd there, or correct aws.stemcell.ssh.host and port" },
	{ SSH_FAILED, BEFORE_HELLO, EVERY, "timed out",
	  "the builder did not answer in time: start that machine, correct aws.stemcell.ssh.host and port, or let its security group "
	  "and the routes let SSH through" },
	{ SSH_FAILED, BEFORE_HELLO, EVERY, "No route to host",
	  "there is no way to the builder: correct aws.stemcell.ssh.host, or the routes and security groups to it" },
	{ SSH_FAILED, BEFORE_HELLO, EVERY, "Network is unreachable",
	  "there is no way to the builder: correct aws.stemcell.ssh.host, or the routes and security groups to it" },
	{ SSH_FAILED, BEFORE_HELLO, EVERY, "Unable to negotiate with",
	  "ssh and the builder's sshd have no algorithm in common: update the older of both, or allow one of those that are offered" },
	/* its key */
	{ SSH_FAILED, BEFORE_HELLO, KEY_GIVEN, "IDENTIFICATION HAS CHANGED",
	  "the builder's host key is not the one of aws.stemcell.ssh.host_key: either this is another machine, or it has a new key; compare "
	  "with the key that the machine itself shows (ssh-keygen -l -f /etc/ssh/ssh_host_ed25519_key.pub) before the configuration is "
	  "changed" },
	{ SSH_FAILED, BEFORE_HELLO, KEY_NOT_GIVEN, "IDENTIFICATION HAS CHANGED",
	  "the builder's host key is not the one that is known: either this is another machine, or it has a new key; compare with the key "
	  "that the machine itself shows (ssh-keygen -l -f /etc/ssh/ssh_host_ed25519_key.pub) before known_hosts is changed" },
	{ SSH_FAILED, BEFORE_HELLO, KEY_GIVEN, "Host key verification failed",
	  "a host key is not known, or revoked: that of a jump host on the way has to be in ~/.ssh/known_hosts of the user that runs cpi, as "
	  "aws.stemcell.ssh.host_key is the builder's alone" },
	{ SSH_FAILED, BEFORE_HELLO, KEY_NOT_GIVEN, "Host key verification failed",
	  "the builder's (or a jump host's) host key is not known: set aws.stemcell.ssh.host_key to the key that the machine itself shows "
	  "(/etc/ssh/ssh_host_ed25519_key.pub), or add it to ~/.ssh/known_hosts of the user that runs cpi" },
	/* who we are */
	{ SSH_FAILED, BEFORE_HELLO, EVERY, "UNPROTECTED PRIVATE KEY FILE",
	  "ssh refuses a private key file that others can read: chmod 600 it" },
	{ SSH_FAILED, BEFORE_HELLO, EVERY, "Load key ",
	  "ssh cannot use the private key file: it is not readable, not a key, or protected by a passphrase that nobody can be asked for "
	  "here (ssh-keygen -p takes it off; or let an ssh-agent hold the key)" },
	{ SSH_FAILED, BEFORE_HELLO, EVERY, "Too many authentication failures",
	  "the builder lost patience with keys that do not fit: set aws.stemcell.ssh.private_key or private_key_file, so that the right "
	  "one comes first" },
	{ SSH_FAILED, BEFORE_HELLO, EVERY, "Permission denied (",
	  "the builder does not let us in: the user is another one or the key is not in its authorized_keys; correct aws.stemcell.ssh.user "
	  "and private_key or private_key_file (a file with a passphrase is passed over, unless an ssh-agent holds its key)" },
	/* the command */
	{ SSH_FAILED, BEFORE_HELLO, EVERY, "request failed on channel",
	  "the builder's sshd lets this user start no command: correct its sshd_config or the options of the key in authorized_keys" },
	{ SSH_FAILED, BEFORE_HELLO, EVERY, "Connection closed by",
	  "the builder closed the connection before anything was said: look into its sshd's log (MaxStartups, DenyUsers, AllowUsers, a jump "
	  "host that does not let through)" },
	{ SSH_FAILED, BEFORE_HELLO, EVERY, "",
	  "ssh could not start onhost on the builder: try the same command by hand, as the user that runs cpi" },
	{ SSH_FAILED, ALWAYS, EVERY, "not responding",
	  "the builder fell silent in the middle of the work: the machine stopped, or the network between does" },
	{ SSH_FAILED, ALWAYS, EVERY, "",
	  "the connection to the builder broke off in the middle of the work: the machine or its sshd stopped, or the network between did; "
	  "try again" },
	{ NOT_FOUND, BEFORE_HELLO, BY_SUDO, "sudo",
	  "there is no sudo on the builder: install it there, or let aws.stemcell.ssh.user be root" },
	{ NOT_FOUND, BEFORE_HELLO, EVERY, "",
	  "there is no onhost on the builder: install it there, of the same release as cpi, or correct aws.stemcell.ssh.onhost_path" },
	{ NOT_STARTED, BEFORE_HELLO, EVERY, "",
	  "the builder cannot start onhost: aws.stemcell.ssh.onhost_path is no program, or is one for another kind of machine" },
	/* sudo */
	{ 1, BEFORE_HELLO, BY_SUDO, "command not found",
	  "there is no onhost on the builder, or not where sudo looks: install it there, of the same release as cpi, or set "
	  "aws.stemcell.ssh.onhost_path to its whole path" },
	{ 1, BEFORE_HELLO, BY_SUDO, "a password is required",
	  "sudo on the builder wants a password: give the user an entry in sudoers for `onhost serve` with NOPASSWD (docs/builders.md)" },
	{ 1, BEFORE_HELLO, BY_SUDO, "must have a tty",
	  "sudo on the builder wants a terminal: switch requiretty off for the user in sudoers (docs/builders.md)" },
	{ 1, BEFORE_HELLO, BY_SUDO, "sudoers",
	  "sudo on the builder refuses: give the user an entry in sudoers for `onhost serve` with NOPASSWD (docs/builders.md)" },
	{ 1, BEFORE_HELLO, BY_SUDO, "not allowed to",
	  "sudo on the builder refuses: give the user an entry in sudoers for `onhost serve` with NOPASSWD (docs/builders.md)" },
	{ 1, BEFORE_HELLO, BY_SUDO, "sudo:", "sudo on the builder refuses: try `sudo -n onhost serve` there by hand" },
};

static bool fits(const struct row *row, const struct builder_command *command, const struct builder_end *end)
{
	if (row->exit_status != ANY && row->exit_status != end->exit_status)
		return false;
	if ((row->when == BEFORE_HELLO && end->greeted) || strstr(end->words, row->words) == NULL)
		return false;
	switch (row->which) {
	case EVERY:
		return true;
	case KEY_GIVEN:
		return command->host_key_given;
	case KEY_NOT_GIVEN:
		return !command->host_key_given;
	case BY_SUDO:
		return command->through_sudo;
	}
	return false;
}

const char *ssh_words_explain(const struct builder_command *command, const struct builder_end *end)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (fits(&rows[i], command, end))
			return rows[i].meaning;
	}
	return NULL;
}
