/* SPDX-License-Identifier: Apache-2.0 */
#include "cpi/builder/ssh_command.h"

#include <string.h>

#include "common/buf.h"
#include "cpi/builder/ssh_hosts.h"
#include "cpi/builder/ssh_words.h"

#define REMOTE_MAX ((size_t)4096)

/* What is given on the command line wins over every configuration file, so these are what a file must not change: that host keys
 * are checked, that nobody is asked, that the two streams carry the session and nothing else, that the connection is ours alone
 * (somebody's ControlMaster would have its own options, and end with him) and its end is noticed. Names, ports, users, keys,
 * jump hosts, proxies, addresses to bind to are the user's: they are not mentioned unless aws.stemcell.ssh names them; nor are ciphers
 * where the user has named some (ssh_ciphers.c). */
static const char *const options[] = {
	"BatchMode=yes", "StrictHostKeyChecking=yes", "NoHostAuthenticationForLocalhost=no", "CheckHostIP=no", "UpdateHostKeys=no",
	"RequestTTY=no", "RemoteCommand=none", "PermitLocalCommand=no", "ClearAllForwardings=yes", "ForwardAgent=no", "ForwardX11=no",
	"Tunnel=no", "ControlMaster=no", "ControlPath=none",
	/* the image is compressed */
	"Compression=no",
	/* a connection that is dead without a word is noticed within a minute */
	"ServerAliveInterval=15", "ServerAliveCountMax=3", "ConnectTimeout=15", "ConnectionAttempts=1",
	/* so much is said that the cause can be told, whatever a file says */
	"LogLevel=INFO",
};

/* With a key of the configuration, no other one will do, from whatever source. */
static const char *const host_key_options[] = {
	"GlobalKnownHostsFile=/dev/null", "KnownHostsCommand=none", "VerifyHostKeyDNS=no",
	("HostKeyAlias=" SSH_HOSTS_ALIAS),
};

static int add_option(struct builder_command *command, struct arena *arena, const char *name, const char *value,
		      struct error *err)
{
	const char *option = arena_printf(arena, "%s=%s", name, value);

	if (option == NULL)
		return error_nomem(err);
	builder_command_add(command, "-o");
	builder_command_add(command, option);
	return 0;
}

static void add_options(struct builder_command *command, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		builder_command_add(command, "-o");
		builder_command_add(command, list[i]);
	}
}

static int add_host_key(struct builder_command *command, const struct ssh_files *files, struct arena *arena,
			struct error *err)
{
	if (files->known_hosts == NULL)
		return 0;
	command->host_key_given = true;
	add_options(command, host_key_options, sizeof(host_key_options) / sizeof(host_key_options[0]));
	return add_option(command, arena, "UserKnownHostsFile", files->known_hosts, err);
}

static int add_key(struct builder_command *command, const struct config_ssh *ssh, const struct ssh_files *files,
		   struct arena *arena, struct error *err)
{
	if (ssh->private_key_file != NULL) {
		/* no other key of an agent comes before it; where the file is locked, an agent that has the same key helps */
		builder_command_add(command, "-o");
		builder_command_add(command, "IdentitiesOnly=yes");
		builder_command_add(command, "-i");
		builder_command_add(command, ssh->private_key_file);
	}
	if (files->agent == NULL)
		return 0;
	/* the keys of an agent come first unless files alone count, and ours has one key; the default files need not be tried */
	builder_command_add(command, "-o");
	builder_command_add(command, "IdentitiesOnly=no");
	builder_command_add(command, "-o");
	builder_command_add(command, "IdentityFile=none");
	return add_option(command, arena, "IdentityAgent", files->agent, err);
}

/* For the other machine's shell. */
static void add_quoted(struct buf *text, const char *word)
{
	buf_char(text, '\'');
	for (; *word != '\0'; word++) {
		if (*word == '\'')
			buf_str(text, "'\\''");
		else
			buf_char(text, *word);
	}
	buf_char(text, '\'');
}

/* One fixed text, so that it can stand in authorized_keys and sudoers; the lab's additions are for tests alone. */
static const char *remote_command(const struct config *config, bool through_sudo, struct arena *arena)
{
	CLEANUP_BUF struct buf text = BUF_INIT(REMOTE_MAX);
	const struct config_stemcell *stemcell = &config->stemcell;

	if (through_sudo)
		buf_str(&text, "sudo -n ");
	if (stemcell->lab && config->metadata_endpoint != NULL) {
		buf_str(&text, "env AWS_EC2_METADATA_SERVICE_ENDPOINT=");
		add_quoted(&text, config->metadata_endpoint);
		buf_char(&text, ' ');
	}
	buf_printf(&text, "%s serve", stemcell->ssh.onhost_path);
	if (stemcell->lab)
		buf_str(&text, " --lab");
	if (stemcell->lab && stemcell->lab_devices != NULL) {
		buf_str(&text, " --lab-devices ");
		add_quoted(&text, stemcell->lab_devices);
	}
	return text.failed ? NULL : arena_strdup(arena, buf_text(&text));
}

int ssh_command_add_place(struct builder_command *command, const struct config_ssh *ssh, struct arena *arena, struct error *err)
{
	if (ssh->port != 0) {
		const char *port = arena_printf(arena, "%d", ssh->port);
		if (port == NULL)
			return error_nomem(err);
		builder_command_add(command, "-p");
		builder_command_add(command, port);
	}
	if (ssh->user != NULL) {
		builder_command_add(command, "-l");
		builder_command_add(command, ssh->user);
	}
	builder_command_add(command, "--");
	builder_command_add(command, ssh->host);
	return 0;
}

int ssh_command(const struct config *config, const struct ssh_files *files, struct arena *arena,
		struct builder_command *ret_command, struct error *err)
{
	const struct config_ssh *ssh = &config->stemcell.ssh;
	const char *user = ssh->user != NULL ? ssh->user : "";
	struct builder_command command = {
		.name = "ssh",
		.advice = "",
		.explain = ssh_words_explain,
		/* who a file's User is, is not known */
		.through_sudo = strcmp(user, "root") != 0,
		.no_terminal = true,
	};
	const char *remote = remote_command(config, command.through_sudo, arena);

	command.machine = arena_printf(arena, "%s%s%s", user, user[0] == '\0' ? "" : "@", ssh->host);
	command.how = arena_printf(arena, "%s, %s%s serve", command.machine, command.through_sudo ? "sudo -n " : "", ssh->onhost_path);
	if (remote == NULL || command.machine == NULL || command.how == NULL)
		return error_nomem(err);
	builder_command_add(&command, "ssh");
	builder_command_add(&command, "-T");
	add_options(&command, options, sizeof(options) / sizeof(options[0]));
	if (files->ciphers != NULL && add_option(&command, arena, "Ciphers", files->ciphers, err) != 0)
		return -1;
	if (add_host_key(&command, files, arena, err) != 0 || add_key(&command, ssh, files, arena, err) != 0 ||
	    ssh_command_add_place(&command, ssh, arena, err) != 0)
		return -1;
	builder_command_add(&command, remote);
	*ret_command = command;
	return 0;
}
