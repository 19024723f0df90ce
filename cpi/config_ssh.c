/* SPDX-License-Identifier: Apache-2.0 */
/* Checks values, opens nothing: whether the key fits and the host is there is seen when ssh is started. */
#include "cpi/config_ssh.h"

#include <string.h>

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"
#define TEXT_MAX 512

/* Texts of these characters alone, and none at the beginning that makes an option of it. */
static int check_plain(const char *name, const char *text, const char *more, const char *wanted, struct error *err)
{
	size_t len;

	if (text == NULL)
		return 0;
	len = strlen(text);
	for (size_t i = 0; i < len && len <= TEXT_MAX; i++) {
		if (strchr(LETTERS DIGITS, text[i]) == NULL && strchr(more, text[i]) == NULL)
			return error_set(err, ERROR_CONFIG,
					 "the configuration's aws.stemcell.ssh.%s should be %s, of letters, digits and %s alone", name,
					 wanted, more);
	}
	if (text[0] == '-' || len > TEXT_MAX)
		return error_set(err, ERROR_CONFIG,
				 "the configuration's aws.stemcell.ssh.%s should be %s, of at most %d characters, and not begin "
				 "with a hyphen", name, wanted, TEXT_MAX);
	return 0;
}

static bool is_pem(const char *text)
{
	const char *begin = strstr(text, "-----BEGIN ");

	return begin != NULL && strstr(begin, "PRIVATE KEY-----") != NULL;
}

static int check_private_key(const struct config_ssh *ssh, struct error *err)
{
	if (ssh->private_key == NULL)
		return 0;
	if (ssh->private_key_file != NULL)
		return error_set(err, ERROR_CONFIG,
				 "the configuration has both aws.stemcell.ssh.private_key and private_key_file: leave one of them out");
	if (!is_pem(ssh->private_key))
		return error_set(err, ERROR_CONFIG,
				 "the configuration's aws.stemcell.ssh.private_key is not a private key: its first line should be "
				 "like -----BEGIN OPENSSH PRIVATE KEY-----; the path of a file belongs into private_key_file");
	if (strlen(ssh->private_key) > CONFIG_SSH_KEY_MAX)
		return error_set(err, ERROR_CONFIG, "the configuration's aws.stemcell.ssh.private_key has over %d bytes",
				 CONFIG_SSH_KEY_MAX);
	return 0;
}

/* ssh replaces %, $ and ~ in it. */
static int check_private_key_file(const char *path, struct error *err)
{
	if (path == NULL || (path[0] == '/' && strpbrk(path, "%$\n\r") == NULL))
		return 0;
	if (is_pem(path))
		return error_set(err, ERROR_CONFIG,
				 "the configuration's aws.stemcell.ssh.private_key_file is a key, but should be the path of a file; the "
				 "key itself belongs into private_key");
	return error_set(err, ERROR_CONFIG,
			 "the configuration's aws.stemcell.ssh.private_key_file should be a path that begins with /, without %% and $");
}

int config_ssh_check(const struct config_ssh *ssh, struct error *err)
{
	if (check_plain("host", ssh->host, "._:%-", "a host's name or address, or an alias of ~/.ssh/config", err) != 0 ||
	    check_plain("user", ssh->user, "._+@-", "a user's name", err) != 0 ||
	    check_plain("onhost_path", ssh->onhost_path, "/._+-", "the path of onhost on that machine", err) != 0 ||
	    check_private_key(ssh, err) != 0 || check_private_key_file(ssh->private_key_file, err) != 0)
		return -1;
	if (ssh->host_key != NULL && strlen(ssh->host_key) > CONFIG_SSH_KEY_MAX)
		return error_set(err, ERROR_CONFIG, "the configuration's aws.stemcell.ssh.host_key has over %d bytes",
				 CONFIG_SSH_KEY_MAX);
	return 0;
}
