/* SPDX-License-Identifier: Apache-2.0 */
/* Keys in an agent of ours, with the system's ssh-agent, ssh-add and ssh-keygen. */
#include "cpi/builder/ssh_agent.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"

struct fixture {
	struct log log;
	struct clock clock;
	struct cancel cancel;
	struct runtime runtime;
	struct arena *arena;
	char folder[64];
	char socket[96];
	char key_file[96];
	struct ssh_agent agent;
};

/* A shell's script with two arguments; its exit status. */
static int run(const char *script, const char *a, const char *b)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		execlp("sh", "sh", "-c", script, "sh", a, b, (char *)NULL);
		_exit(126);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	signal(SIGPIPE, SIG_IGN);
	clock_system(&fixture->clock);
	log_init(&fixture->log, -1, LOG_LEVEL_ERROR, &fixture->clock);
	assert_int_equal(cancel_open(&fixture->cancel, NULL), 0);
	fixture->runtime = (struct runtime){ .log = &fixture->log, .clock = &fixture->clock, .cancel = &fixture->cancel };
	fixture->arena = arena_new(1 << 20);
	snprintf(fixture->folder, sizeof(fixture->folder), "/tmp/test_ssh_agent.XXXXXX");
	assert_non_null(mkdtemp(fixture->folder));
	snprintf(fixture->socket, sizeof(fixture->socket), "%s/agent", fixture->folder);
	snprintf(fixture->key_file, sizeof(fixture->key_file), "%s/key", fixture->folder);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	ssh_agent_close(&fixture->agent);
	assert_int_equal(run("rm -r \"$1\"", fixture->folder, ""), 0);
	cancel_close(&fixture->cancel);
	arena_free(fixture->arena);
	free(fixture);
	return 0;
}

/* A new key's text, which ssh-keygen made with these options. */
static char *make_key(struct fixture *fixture, const char *options)
{
	const char *script = strstr(options, "-N ") != NULL ? "ssh-keygen -q -C '' -f \"$1\" $2" : "ssh-keygen -q -C '' -N '' -f \"$1\" $2";
	char *text;

	unlink(fixture->key_file);
	assert_int_equal(run(script, fixture->key_file, options), 0);
	assert_int_equal(io_read_file(fixture->key_file, 65536, fixture->arena, &text, NULL, NULL), 0);
	return text;
}

static int start(struct fixture *fixture, const char *key, struct error *err)
{
	return ssh_agent_start(&fixture->agent, &fixture->runtime, fixture->socket, key, err);
}

/* The agent has that very key and no other one. */
static void assert_has_key(const struct fixture *fixture)
{
	assert_int_equal(run("test \"$(SSH_AUTH_SOCK=$1 ssh-add -L | cut -d' ' -f1,2)\" = \"$(cut -d' ' -f1,2 $2.pub)\"",
			     fixture->socket, fixture->key_file), 0);
}

/* It takes its socket along, unless it was told to end before it had prepared for that: then nobody listens there. */
static bool has_ended(const struct fixture *fixture)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", fixture->socket);
	int result = connect(fd, (const struct sockaddr *)&address, sizeof(address));
	close(fd);
	if (result != 0)
		unlink(fixture->socket);
	return result != 0;
}

static void assert_started(struct fixture *fixture, const char *key)
{
	struct error err = { 0 };

	if (start(fixture, key, &err) != 0)
		fail_msg("%s", err.message);
	assert_has_key(fixture);
	ssh_agent_close(&fixture->agent);
	assert_true(has_ended(fixture));
}

static void test_keys(void **state)
{
	struct fixture *fixture = *state;
	static const char *const kinds[] = { "-t ed25519", "-t rsa -b 2048", "-t rsa -b 2048 -m PEM", "-t ecdsa -m PKCS8" };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		assert_started(fixture, make_key(fixture, kinds[i]));
}

/* As keys come out of forms and templates. */
static void test_line_breaks(void **state)
{
	struct fixture *fixture = *state;
	char *key = make_key(fixture, "-t ed25519");
	char windows[2048];
	size_t len = 0;

	for (const char *at = key; *at != '\0'; at++) {
		if (*at == '\n')
			windows[len++] = '\r';
		windows[len++] = *at;
	}
	windows[len] = '\0';
	assert_started(fixture, windows);
	key[strlen(key) - 1] = '\0';
	assert_started(fixture, key);
}

static void test_socket_is_ours_alone(void **state)
{
	struct fixture *fixture = *state;
	struct stat st;

	assert_int_equal(start(fixture, make_key(fixture, "-t ed25519"), NULL), 0);
	assert_int_equal(stat(fixture->socket, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

static void check_refused(struct fixture *fixture, const char *key, enum error_kind kind, const char *says)
{
	struct error err = { 0 };

	assert_int_equal(start(fixture, key, &err), -1);
	if (err.kind != kind || strstr(err.message, says) == NULL)
		fail_msg("%s: %s, %s", says, error_kind_name(err.kind), err.message);
	/* no line of it is repeated */
	for (const char *line = key; *line != '\0'; line += strcspn(line, "\n"), line += *line == '\n') {
		char text[128];
		snprintf(text, sizeof(text), "%.*s", (int)strcspn(line, "\n"), line);
		if (strlen(text) > 8 && strstr(err.message, text) != NULL)
			fail_msg("%s has a line of the key", err.message);
	}
	assert_true(has_ended(fixture));
}

static void test_bad_keys(void **state)
{
	struct fixture *fixture = *state;
	char *key = make_key(fixture, "-t ed25519");
	char *cut = arena_strndup(fixture->arena, key, strlen(key) / 2);
	char *one_line = arena_strdup(fixture->arena, key);

	for (char *at = one_line; *at != '\0'; at++)
		*at = *at == '\n' ? ' ' : *at;
	check_refused(fixture, cut, ERROR_CONFIG, "aws.stemcell.ssh.private_key cannot be read");
	check_refused(fixture, one_line, ERROR_CONFIG, "a line of its own");
	check_refused(fixture, "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n", ERROR_CONFIG, "cannot be read");
	key[strlen(key) / 2] = key[strlen(key) / 2] == 'A' ? 'B' : 'A';
	key[strlen(key) / 3] = '!';
	check_refused(fixture, key, ERROR_CONFIG, "cannot be read");
}

static void test_passphrases(void **state)
{
	struct fixture *fixture = *state;
	static const char *const kinds[] = { "-t ed25519 -N passphrase", "-t rsa -b 2048 -m PEM -N passphrase" };

	/* a display would let ssh-add ask there */
	setenv("DISPLAY", ":7", 1);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		check_refused(fixture, make_key(fixture, kinds[i]), ERROR_CONFIG, "is protected by a passphrase");
	unsetenv("DISPLAY");
}

static void test_no_programs(void **state)
{
	struct fixture *fixture = *state;
	const char *variable = getenv("PATH");
	char bin[96];

	char *path = strdup(variable != NULL ? variable : "");
	setenv("PATH", "/nowhere", 1);
	struct error err = { 0 };
	assert_int_equal(start(fixture, "key", &err), -1);
	assert_non_null(strstr(err.message, "ssh-agent"));
	assert_non_null(strstr(err.message, "no such program"));
	/* ssh-agent is there and ssh-add is not */
	snprintf(bin, sizeof(bin), "%s/bin", fixture->folder);
	setenv("PATH", path, 1);
	assert_int_equal(run("mkdir $1; for p in ssh-agent sh cat env; do ln -s $(command -v $p) $1/; done", bin, ""), 0);
	setenv("PATH", bin, 1);
	err = (struct error){ 0 };
	assert_int_equal(start(fixture, "key", &err), -1);
	setenv("PATH", path, 1);
	assert_non_null(strstr(err.message, "cannot start ssh-add: there is no such program"));
	free(path);
}

static void test_no_socket(void **state)
{
	struct fixture *fixture = *state;
	struct error err = { 0 };

	snprintf(fixture->socket, sizeof(fixture->socket), "/nowhere/agent");
	assert_int_equal(start(fixture, "key", &err), -1);
	assert_int_equal(err.kind, ERROR_IO);
	assert_non_null(strstr(err.message, "ssh-agent does not start: "));
	assert_null(strstr(err.message, "said nothing"));
}

static void test_cancelled(void **state)
{
	struct fixture *fixture = *state;
	struct error err = { 0 };

	cancel_raise(&fixture->cancel, SIGTERM);
	assert_int_equal(start(fixture, "key", &err), -1);
	assert_int_equal(err.kind, ERROR_CANCELLED);
}

/* Whoever holds the agent is killed: its end of the pipe is closed by the system, and the agent ends. */
static void test_the_owner_is_killed(void **state)
{
	struct fixture *fixture = *state;
	const char *key = make_key(fixture, "-t ed25519");
	int ready[2];
	char byte;

	assert_int_equal(pipe(ready), 0);
	pid_t owner = fork();
	if (owner == 0) {
		close(ready[0]);
		if (start(fixture, key, NULL) == 0)
			(void)!write(ready[1], "x", 1);
		for (;;)
			pause();
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	assert_has_key(fixture);
	kill(owner, SIGKILL);
	waitpid(owner, NULL, 0);
	for (unsigned i = 0; i < 3000 && !has_ended(fixture); i++)
		usleep(10000);
	assert_true(has_ended(fixture));
}

static void test_close_without_a_start(void **state)
{
	struct ssh_agent agent = { 0 };

	(void)state;
	ssh_agent_close(&agent);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(test_keys),
		TEST(test_line_breaks),
		TEST(test_socket_is_ours_alone),
		TEST(test_bad_keys),
		TEST(test_passphrases),
		TEST(test_no_programs),
		TEST(test_no_socket),
		TEST(test_cancelled),
		TEST(test_the_owner_is_killed),
		TEST(test_close_without_a_start),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
