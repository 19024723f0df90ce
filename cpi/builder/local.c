/* SPDX-License-Identifier: Apache-2.0 */
/* Finds onhost and says how to start it with root's rights. Does not start it. */
#include "cpi/builder/local.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"

#define PROGRAM "onhost"

static bool is_program(const char *path)
{
	struct stat st;
	return path != NULL && stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

/* Where cpi itself lies; NULL where the system does not tell. */
static const char *beside_cpi(struct arena *arena)
{
	char self[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (len <= 0)
		return NULL;
	self[len] = '\0';
	char *slash = strrchr(self, '/');
	if (slash == NULL)
		return NULL;
	*slash = '\0';
	return arena_printf(arena, "%s/" PROGRAM, self);
}

static const char *in_path(struct arena *arena)
{
	const char *at = getenv("PATH");

	while (at != NULL && *at != '\0') {
		size_t len = strcspn(at, ":");
		/* only absolute folders: what runs as root must not depend on the working directory */
		if (at[0] == '/') {
			const char *path = arena_printf(arena, "%.*s/" PROGRAM, (int)len, at);
			if (is_program(path))
				return path;
		}
		at += len + (at[len] == ':');
	}
	return NULL;
}

int local_onhost(const struct config *config, struct arena *arena, const char **ret_path, struct error *err)
{
	const char *given = config->stemcell.onhost_path;
	const char *beside;
	const char *path;

	if (given != NULL) {
		if (!is_program(given))
			return error_set(err, ERROR_CONFIG, "aws.stemcell.onhost_path: %s is not a program that can be started",
					 given);
		*ret_path = given;
		return 0;
	}
	beside = beside_cpi(arena);
	path = is_program(beside) ? beside : in_path(arena);
	if (path == NULL)
		return error_set(err, ERROR_CONFIG,
				 "the program " PROGRAM ", which builds stemcells, is neither %s nor in PATH; install it, or set "
				 "aws.stemcell.onhost_path",
				 beside != NULL ? beside : "beside cpi");
	*ret_path = path;
	return 0;
}

int local_command(const struct config *config, struct arena *arena, struct builder_command *ret_command, struct error *err)
{
	bool itself = geteuid() == 0 || config->stemcell.lab;
	struct builder_command command = { .name = "local", .machine = "this machine", .advice = "", .through_sudo = !itself };
	const char *onhost = NULL;

	if (local_onhost(config, arena, &onhost, err) != 0)
		return -1;
	if (!itself) {
		builder_command_add(&command, "sudo");
		builder_command_add(&command, "-n");
		command.advice = "; sudo must let this user run it without a password (a sudoers entry), or run cpi as root";
	} else if (config->metadata_endpoint != NULL) {
		const char *setting = arena_printf(arena, "AWS_EC2_METADATA_SERVICE_ENDPOINT=%s", config->metadata_endpoint);
		if (setting == NULL)
			return error_nomem(err);
		builder_command_add(&command, "env");
		builder_command_add(&command, setting);
	}
	builder_command_add(&command, onhost);
	builder_command_add(&command, "serve");
	if (config->stemcell.lab)
		builder_command_add(&command, "--lab");
	if (config->stemcell.lab && config->stemcell.lab_devices != NULL) {
		builder_command_add(&command, "--lab-devices");
		builder_command_add(&command, config->stemcell.lab_devices);
	}
	command.how = arena_printf(arena, "%s%s serve", itself ? "" : "sudo -n ", onhost);
	if (command.how == NULL)
		return error_nomem(err);
	*ret_command = command;
	return 0;
}
