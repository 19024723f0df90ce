/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP over TLS with certificates made for the occasion by the openssl command, and that command as the server: who is
 * trusted, who is not, and what the error says then. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/http.h"
#include "common/io.h"
#include "common/process.h"

#define MINUTE_MS 60000

static const char make_certificates[] =
	"set -e; cd \"$0\"\n"
	"ec='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'\n"
	"openssl req -x509 $ec -keyout ca.key -out ca.pem -days 2 -subj /CN=authority\n"
	"openssl req -x509 $ec -keyout other.key -out other.pem -days 2 -subj /CN=another\n"
	"make() { openssl req -new $ec -keyout $1.key -out $1.csr -subj /CN=$1 -addext subjectAltName=$2\n"
	"  openssl x509 -req -in $1.csr -CA ca.pem -CAkey ca.key -CAcreateserial -copy_extensions copy -days $3 -out $1.pem; }\n"
	"make good IP:127.0.0.1 2\n"
	"make elsewhere DNS:ec2.example.com 2\n"
	"make expired IP:127.0.0.1 -1\n"
	"echo garbage >garbage.pem\n"
	/* old versions are let in by the library, so that it is us who refuse them */
	"printf 'openssl_conf = i\\n[i]\\nssl_conf = s\\n[s]\\nsystem_default = d\\n[d]\\n' >lax.cnf\n"
	"printf 'MinProtocol = TLSv1\\nCipherString = DEFAULT:@SECLEVEL=0\\n' >>lax.cnf\n";

struct fixture {
	struct clock clock;
	char dir[64];
	struct arena *arena;
	struct http_transport http;
	struct http_response response;
	struct error err;
};

static int start(const char *const argv[], struct process *ret_process)
{
	return process_start((char *const *)(uintptr_t)argv, ret_process, NULL);
}

static int run(const char *const argv[], const struct clock *clock)
{
	struct buf output = BUF_INIT(100000);
	struct process process;
	int status = -1;

	if (start(argv, &process) != 0)
		return -1;
	(void)io_read_to_end(process.err_fd, &output, "its messages", NULL);
	if (process_wait(&process, clock, deadline_in(clock, MINUTE_MS), &status, NULL) != 0 || status != 0)
		print_error("%s: %s\n", argv[0], buf_text(&output));
	buf_free(&output);
	process_stop(&process, clock, MINUTE_MS);
	return status == 0 ? 0 : -1;
}

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	if (fixture == NULL)
		return -1;
	*state = fixture;
	unsetenv("https_proxy");
	unsetenv("HTTPS_PROXY");
	unsetenv("all_proxy");
	unsetenv("ALL_PROXY");
	clock_system(&fixture->clock);
	snprintf(fixture->dir, sizeof(fixture->dir), "/tmp/test_http_tls.XXXXXX");
	fixture->arena = arena_new(1024 * 1024);
	if (mkdtemp(fixture->dir) == NULL || fixture->arena == NULL || http_open(&fixture->http, NULL) != 0)
		return -1;
	const char *const argv[] = { "sh", "-c", make_certificates, fixture->dir, NULL };
	char lax[100];
	snprintf(lax, sizeof(lax), "%s/lax.cnf", fixture->dir);
	int done = run(argv, &fixture->clock);
	setenv("OPENSSL_CONF", lax, 1);
	return done;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;
	const char *const argv[] = { "rm", "-r", fixture->dir, NULL };

	int done = run(argv, &fixture->clock);
	http_close(&fixture->http);
	arena_free(fixture->arena);
	free(fixture);
	return done;
}

/* The server prints "ACCEPT 127.0.0.1:PORT" once it listens. */
static int read_port(int fd)
{
	char line[200] = "";
	size_t len = 0;

	while (len < sizeof(line) - 1 && read(fd, line + len, 1) == 1) {
		const char *accept = strstr(line, "ACCEPT 127.0.0.1:");
		if (line[len] == '\n' && accept != NULL)
			return (int)strtol(accept + strlen("ACCEPT 127.0.0.1:"), NULL, 10);
		len++;
	}
	return -1;
}

/* One GET from a server with that certificate. */
static int get_from(struct fixture *fixture, const char *certificate, const char *version, const char *ca_file)
{
	char cert[100];
	char key[100];
	char ca[100];
	char url[100];
	struct process server;

	snprintf(cert, sizeof(cert), "%s/%s.pem", fixture->dir, certificate);
	snprintf(key, sizeof(key), "%s/%s.key", fixture->dir, certificate);
	snprintf(ca, sizeof(ca), "%s/%s", fixture->dir, ca_file == NULL ? "" : ca_file);
	const char *const argv[] = { "openssl", "s_server", "-accept", "127.0.0.1:0", "-cert",		cert,
				     "-key",    key,	    "-www",    "-cipher",     "DEFAULT:@SECLEVEL=0", version, NULL };
	assert_int_equal(start(argv, &server), 0);
	int port = read_port(server.out_fd);
	assert_true(port > 0);
	snprintf(url, sizeof(url), "https://127.0.0.1:%d/", port);
	struct http_request request = { .method = "GET", .url = url, .max_answer = 100000,
					.ca_file = ca_file == NULL ? NULL : ca };
	fixture->err = (struct error){ .kind = ERROR_NONE };
	int done = fixture->http.perform(fixture->http.self, &request, NULL, fixture->arena, &fixture->response,
					 &fixture->err);
	process_stop(&server, &fixture->clock, MINUTE_MS);
	return done;
}

static void assert_refused(const struct fixture *fixture, const char *words)
{
	assert_int_equal(fixture->err.kind, ERROR_NETWORK);
	assert_false(fixture->err.retryable);
	assert_non_null(strstr(fixture->err.message, "127.0.0.1"));
	if (strstr(fixture->err.message, words) == NULL)
		fail_msg("%s", fixture->err.message);
}

static void the_right_authority(void **state)
{
	struct fixture *fixture = *state;

	if (get_from(fixture, "good", NULL, "ca.pem") != 0)
		fail_msg("%s", fixture->err.message);
	assert_int_equal(fixture->response.status, 200);
	assert_true(fixture->response.body_len > 0);
}

static void an_unknown_authority(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(get_from(fixture, "good", NULL, "other.pem"), -1);
	assert_refused(fixture, "AWS_CA_BUNDLE");
	assert_non_null(strstr(fixture->err.message, "BOSH_CA_CERT_FILE"));
	assert_non_null(strstr(fixture->err.message, "other.pem"));
	assert_int_equal(get_from(fixture, "good", NULL, NULL), -1);
	assert_refused(fixture, "the system's CA certificates");
	assert_int_equal(get_from(fixture, "other", NULL, "ca.pem"), -1); /* signed by itself */
	assert_refused(fixture, "AWS_CA_BUNDLE");
}

static void the_wrong_name(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(get_from(fixture, "elsewhere", NULL, "ca.pem"), -1);
	assert_refused(fixture, "must be a name that the certificate holds");
}

static void an_expired_certificate(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(get_from(fixture, "expired", NULL, "ca.pem"), -1);
	assert_refused(fixture, "expired");
	assert_non_null(strstr(fixture->err.message, "clock"));
}

static void an_old_version(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(get_from(fixture, "good", "-tls1_1", "ca.pem"), -1);
	assert_refused(fixture, "TLS (1.2 or later)");
	assert_int_equal(get_from(fixture, "good", "-tls1_2", "ca.pem"), 0);
}

static void a_bad_ca_file(void **state)
{
	static const char *const rows[] = { "missing.pem", "garbage.pem" };
	struct fixture *fixture = *state;

	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(get_from(fixture, "good", NULL, rows[i]), -1);
		assert_int_equal(fixture->err.kind, ERROR_NETWORK);
		assert_false(fixture->err.retryable);
		assert_non_null(strstr(fixture->err.message, rows[i]));
		assert_non_null(strstr(fixture->err.message, "BOSH_CA_CERT_FILE"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_right_authority), cmocka_unit_test(an_unknown_authority),
		cmocka_unit_test(the_wrong_name),      cmocka_unit_test(an_expired_certificate),
		cmocka_unit_test(an_old_version),      cmocka_unit_test(a_bad_ca_file),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
