/* SPDX-License-Identifier: Apache-2.0 */
/* Makes and removes what a session needs beside the command; the command itself is ssh_command.c's. */
#include "cpi/builder/ssh.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/cleanup.h"
#include "common/io.h"
#include "cpi/builder/ssh_agent.h"
#include "cpi/builder/ssh_ciphers.h"
#include "cpi/builder/ssh_command.h"
#include "cpi/builder/ssh_hosts.h"

#define FOLDER "aws-cpi-ssh-XXXXXX"
#define LONGEST_NAME "/known_hosts"
#define HOSTS_MAX ((size_t)64 * 1024)

struct ssh {
	char folder[128]; /* "" : none was made */
	char known_hosts[160];
	char socket[160];
	struct ssh_agent agent;
};

/* --- the folder --------------------------------------------------------------------------------------------------- */

/* Where paths are short enough for a socket, and have nothing in them that ssh would read as something else. */
static bool is_usable(const char *base)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._+-";
	struct sockaddr_un address;

	return base != NULL && base[0] == '/' && base[strspn(base, plain)] == '\0' &&
	       strlen(base) + sizeof("/" FOLDER) + sizeof(LONGEST_NAME) < sizeof(address.sun_path);
}

/* With mode 0700 (mkdtemp). */
static int make_folder(struct ssh *ssh, struct error *err)
{
	const char *base = getenv("TMPDIR");
	char path[sizeof(ssh->folder)];

	snprintf(path, sizeof(path), "%s/" FOLDER, is_usable(base) ? base : "/tmp");
	if (mkdtemp(path) == NULL)
		return error_errno(err, ERROR_IO, errno, "cannot make a folder in %s", is_usable(base) ? base : "/tmp");
	memcpy(ssh->folder, path, sizeof(path));
	snprintf(ssh->known_hosts, sizeof(ssh->known_hosts), "%s" LONGEST_NAME, ssh->folder);
	snprintf(ssh->socket, sizeof(ssh->socket), "%s/agent", ssh->folder);
	return 0;
}

static void remove_folder(struct ssh *ssh)
{
	if (ssh->folder[0] == '\0')
		return;
	unlink(ssh->known_hosts);
	unlink(ssh->socket);
	rmdir(ssh->folder);
}

static int write_known_hosts(const struct ssh *ssh, const char *host_key, struct error *err)
{
	CLEANUP_BUF struct buf text = BUF_INIT(HOSTS_MAX);
	CLEANUP_FD int fd = -1;

	if (ssh_hosts_write(host_key, &text, err) != 0)
		return -1;
	fd = open(ssh->known_hosts, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_errno(err, ERROR_IO, errno, "cannot make %s", ssh->known_hosts);
	return io_write_all(fd, text.data, text.len, ssh->known_hosts, err);
}

/* --- the key ------------------------------------------------------------------------------------------------------ */

/* ssh would go on without it, and the refusal that follows would not say why. */
static int check_key_file(const char *path, struct error *err)
{
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return error_errno(err, ERROR_CONFIG, errno,
				   "aws.stemcell.ssh.private_key_file: %s cannot be read by the user that runs this", path);
	return 0;
}

/* --- the interface ------------------------------------------------------------------------------------------------ */

static int prepare(struct ssh *ssh, struct runtime *runtime, const struct config_ssh *config, struct error *err)
{
	if (config->private_key_file != NULL && check_key_file(config->private_key_file, err) != 0)
		return -1;
	if ((config->host_key != NULL || config->private_key != NULL) && make_folder(ssh, err) != 0)
		return -1;
	if (config->host_key != NULL && write_known_hosts(ssh, config->host_key, err) != 0)
		return -1;
	if (config->private_key == NULL)
		return 0;
	return ssh_agent_start(&ssh->agent, runtime, ssh->socket, config->private_key, err);
}

int ssh_open(struct runtime *runtime, const struct config *config, struct arena *arena, struct ssh **ret_ssh,
	     struct builder_command *ret_command, struct error *err)
{
	const struct config_ssh *wanted = &config->stemcell.ssh;
	struct ssh *ssh = calloc(1, sizeof(*ssh));

	if (ssh == NULL)
		return error_nomem(err);
	struct ssh_files files = {
		.known_hosts = wanted->host_key != NULL ? ssh->known_hosts : NULL,
		.agent = wanted->private_key != NULL ? ssh->socket : NULL,
	};
	int result = prepare(ssh, runtime, wanted, err);
	if (result == 0) {
		files.ciphers = ssh_ciphers(runtime, wanted, arena);
		result = ssh_command(config, &files, arena, ret_command, err);
	}
	if (result != 0) {
		ssh_close(ssh);
		return -1;
	}
	*ret_ssh = ssh;
	return 0;
}

void ssh_close(struct ssh *ssh)
{
	if (ssh == NULL)
		return;
	ssh_agent_close(&ssh->agent);
	remove_folder(ssh);
	free(ssh);
}
