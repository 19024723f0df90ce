/* SPDX-License-Identifier: Apache-2.0 */
/* Starts ssh-agent and ssh-add and tells from their words what is wrong. */
#include "cpi/builder/ssh_agent.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "cpi/builder/command.h"

#define START_MS ((int64_t)20 * 1000)
#define END_MS ((int64_t)3 * 1000)
#define GRACE_MS 1000
#define LOOK_MS 2
#define OUTPUT_MAX ((size_t)16 * 1024)
#define KEY_LIFE "86400" /* s; for an agent that outlives all else */
#define NAME "aws.stemcell.ssh.private_key"

/* What a child writes, until its end or (line) until a line break. */
static int hear(const struct runtime *runtime, int fd, bool line, struct buf *out, struct error *err)
{
	const struct clock *clock = runtime->clock;
	/* a program's time is real time */
	struct deadline deadline = { .at_ms = clock->monotonic_ms(clock->self) + START_MS };
	char piece[512];

	for (;;) {
		struct pollfd fds[] = {
			{ .fd = fd, .events = POLLIN },
			{ .fd = runtime->cancel == NULL ? -1 : runtime->cancel->read_fd, .events = POLLIN },
		};
		int left = deadline_left_ms(clock, deadline);
		if (cancel_check(runtime->cancel, err) != 0)
			return -1;
		int ready = left > 0 ? poll(fds, sizeof(fds) / sizeof(fds[0]), left) : 0;
		if (ready == 0)
			return error_set(err, ERROR_TIMEOUT, "it did not answer within %d s", (int)(START_MS / 1000));
		if (ready < 0 || fds[0].revents == 0)
			continue;
		ssize_t count = read(fd, piece, sizeof(piece));
		if (count < 0 && errno != EINTR && errno != EAGAIN)
			return error_errno(err, ERROR_IO, errno, "cannot read what it says");
		if (count == 0)
			return buf_check(out, "its output", err);
		buf_append(out, piece, count > 0 ? (size_t)count : 0);
		if (buf_check(out, "its output", err) != 0)
			return -1;
		if (line && strchr(buf_text(out), '\n') != NULL)
			return 0;
	}
}

/* Its first line, for a message. */
static const char *first_line(struct buf *text)
{
	if (text->len == 0)
		return "it said nothing";
	text->data[strcspn(text->data, "\r\n")] = '\0';
	return text->data;
}

/* --- the agent ---------------------------------------------------------------------------------------------------- */

/* ssh-agent starts a command and becomes its child. The command reads from our pipe until we close it or are no more, and then
 * ends the agent; were it killed instead, the agent would notice within ten seconds. */
static int start_agent(struct ssh_agent *agent, const struct runtime *runtime, const char *socket, struct error *err)
{
	const struct process_manner manner = builder_manner(true);
	CLEANUP_BUF struct buf said = BUF_INIT(OUTPUT_MAX);
	char program[] = "ssh-agent", at[] = "-a", life[] = "-t", seconds[] = KEY_LIFE, shell[] = "sh", text[] = "-c";
	char script[] = "echo ready; cat >/dev/null; kill \"$SSH_AGENT_PID\"";
	char *const argv[] = { program, at, agent->socket, life, seconds, shell, text, script, NULL };

	if (strlen(socket) >= sizeof(agent->socket))
		return error_set(err, ERROR_INTERNAL, "the path %s is too long for a socket", socket);
	memcpy(agent->socket, socket, strlen(socket) + 1);
	agent->clock = runtime->clock;
	if (process_start_as(argv, &manner, &agent->process, err) != 0)
		return -1;
	if (hear(runtime, agent->process.out_fd, true, &said, err) != 0)
		return error_prefix(err, "ssh-agent");
	if (strcmp(buf_text(&said), "ready\n") == 0)
		return 0;
	buf_reset(&said);
	if (hear(runtime, agent->process.err_fd, false, &said, err) != 0)
		return error_prefix(err, "ssh-agent");
	return error_set(err, ERROR_IO, "ssh-agent does not start: %s", first_line(&said));
}

static bool listens(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	CLEANUP_FD int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	memcpy(address.sun_path, path, strlen(path) + 1);
	if (fd < 0 || io_set_cloexec(fd, NULL) != 0 || io_set_nonblocking(fd, NULL) != 0)
		return false;
	return connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 || errno == EAGAIN;
}

/* It is no child of ours: that it has ended shows in that nobody listens any more. */
static void wait_for_agent(const struct ssh_agent *agent, struct deadline deadline)
{
	while (listens(agent->socket) && deadline_left_ms(agent->clock, deadline) > 0 &&
	       agent->clock->sleep_ms(agent->clock->self, LOOK_MS, NULL, NULL) == 0)
		;
}

/* --- the key ------------------------------------------------------------------------------------------------------ */

/* It fits into the pipe (CONFIG_SSH_KEY_MAX), so that this does not wait for the reader; no copy of it is made. A reader that
 * goes away before the end says why. */
static void write_key(int fd, const char *key)
{
	bool written = true;

	while (*key != '\0' && written) {
		size_t len = strcspn(key, "\r\n");
		written = io_write_all(fd, key, len, "the key's pipe", NULL) == 0 && io_write_all(fd, "\n", 1, "the key's pipe", NULL) == 0;
		key += len;
		key += strncmp(key, "\r\n", 2) == 0 ? 2 : *key != '\0';
	}
}

static int judge_key(int status, struct buf *said, struct error *err)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return error_set(err, ERROR_IO, "cannot start ssh-add: there is no such program in PATH; install OpenSSH's client");
	if (strstr(buf_text(said), "Error loading key") != NULL)
		return error_set(err, ERROR_CONFIG,
				 "the configuration's " NAME " cannot be read (ssh-add: %s): it should be the whole file, each of its lines a "
				 "line of its own", first_line(said));
	if (WIFEXITED(status) && WEXITSTATUS(status) == 1 && said->len == 0)
		return error_set(err, ERROR_CONFIG,
				 "the configuration's " NAME " is protected by a passphrase, which nobody can be asked for here: take "
				 "it off (ssh-keygen -p), or let an ssh-agent of yours hold the key");
	return error_set(err, ERROR_IO, "ssh-add cannot hand the key to ssh-agent: %s", first_line(said));
}

static int add_key(const struct runtime *runtime, const char *socket, const char *key, struct error *err)
{
	/* nothing is asked at a terminal: a passphrase that is wanted is then not to be had */
	const struct process_manner manner = builder_manner(true);
	CLEANUP_BUF struct buf said = BUF_INIT(OUTPUT_MAX);
	char variable[160];
	/* "false" is who is asked for a passphrase, even where there is a display */
	char env[] = "env", ask[] = "SSH_ASKPASS=false", always[] = "SSH_ASKPASS_REQUIRE=force";
	char program[] = "ssh-add", quiet[] = "-q", from_input[] = "-";
	char *const argv[] = { env, variable, ask, always, program, quiet, from_input, NULL };
	struct process process = { .in_fd = -1, .out_fd = -1, .err_fd = -1 };
	int status = 0;

	snprintf(variable, sizeof(variable), "SSH_AUTH_SOCK=%s", socket);
	if (process_start_as(argv, &manner, &process, err) != 0)
		return -1;
	write_key(process.in_fd, key);
	close(steal_fd(&process.in_fd));
	int result = hear(runtime, process.err_fd, false, &said, err);
	if (result == 0)
		result = process_wait(&process, runtime->clock,
				      (struct deadline){ .at_ms = runtime->clock->monotonic_ms(runtime->clock->self) + END_MS }, &status, err);
	process_stop(&process, runtime->clock, GRACE_MS);
	return result != 0 ? error_prefix(err, "ssh-add") : judge_key(status, &said, err);
}

int ssh_agent_start(struct ssh_agent *agent, struct runtime *runtime, const char *socket, const char *key,
		    struct error *err)
{
	*agent = (struct ssh_agent){ .process = { .in_fd = -1, .out_fd = -1, .err_fd = -1 } };
	if (start_agent(agent, runtime, socket, err) == 0 && add_key(runtime, socket, key, err) == 0)
		return 0;
	ssh_agent_close(agent);
	return -1;
}

void ssh_agent_close(struct ssh_agent *agent)
{
	int status;

	if (agent->clock == NULL)
		return;
	if (agent->process.in_fd >= 0) {
		close(steal_fd(&agent->process.in_fd));
		struct deadline deadline = { .at_ms = agent->clock->monotonic_ms(agent->clock->self) + END_MS };
		if (process_wait(&agent->process, agent->clock, deadline, &status, NULL) == 0)
			wait_for_agent(agent, deadline);
	}
	process_stop(&agent->process, agent->clock, GRACE_MS);
	agent->clock = NULL;
}
