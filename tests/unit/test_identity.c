/* SPDX-License-Identifier: Apache-2.0 */
/* Credentials and clock for several threads: loaded once, renewed once, one failure for all who waited. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/parallel.h"
#include "cpi/aws/identity.h"
#include "tests/unit/fake_aws.h"
#include "tests/unit/gather.h"

#define THREADS 8

/* The metadata service answers when all threads are on their way. */
struct fixture {
	struct fake_aws fake;
	struct http_transport inner;
	struct identity *identity;
	struct gather started;
	struct identity_use uses[THREADS];
	struct error errors[THREADS];
	int results[THREADS];
};

static int perform_slowly(void *self, const struct http_request *request, const struct cancel *cancel,
			  struct arena *arena, struct http_response *ret_response, struct error *err)
{
	struct fixture *fixture = self;

	while (gather_count(&fixture->started) % THREADS != 0)
		usleep(1000);
	usleep(20000); /* from there into identity_get */
	return fixture->inner.perform(fixture->inner.self, request, cancel, arena, ret_response, err);
}

static void begin(struct fixture *fixture)
{
	*fixture = (struct fixture){ .started = GATHER_INIT };
	fake_aws_open(&fixture->fake);
	unsetenv("AWS_ACCESS_KEY_ID");
	fixture->fake.settings.credentials_source = "env_or_profile";
	fixture->inner = fixture->fake.http;
	fixture->fake.http.perform = perform_slowly;
	fixture->fake.http.self = fixture;
	assert_int_equal(identity_new(&fixture->fake.runtime, &fixture->fake.settings, &fixture->identity, NULL), 0);
}

static void end(struct fixture *fixture)
{
	identity_free(fixture->identity);
	fixture->fake.http = fixture->inner;
	fake_aws_close(&fixture->fake);
}

struct getting {
	struct fixture *fixture;
	unsigned number;
};

static int get(void *self, struct error *err)
{
	struct getting *getting = self;
	struct fixture *fixture = getting->fixture;
	unsigned i = getting->number;

	(void)err;
	gather_meet(&fixture->started, 0);
	fixture->results[i] = identity_get(fixture->identity, &fixture->uses[i], &fixture->errors[i]);
	return 0;
}

static void get_all(struct fixture *fixture)
{
	struct getting gettings[THREADS];
	struct parallel_task tasks[THREADS];

	for (unsigned i = 0; i < THREADS; i++) {
		gettings[i] = (struct getting){ fixture, i };
		tasks[i] = (struct parallel_task){ get, &gettings[i] };
	}
	assert_int_equal(parallel_run(tasks, THREADS, NULL), 0);
}

static void script_load(struct fixture *fixture, const char *document)
{
	fake_aws_script(&fixture->fake, (struct fake_answer){ .body = "token" });
	fake_aws_script(&fixture->fake, (struct fake_answer){ .body = "role" });
	fake_aws_script(&fixture->fake, (struct fake_answer){ .body = document });
}

#define DOCUMENT(n, expiration)                                                                                        \
	"{\"Code\":\"Success\",\"AccessKeyId\":\"ASIA" n "\",\"SecretAccessKey\":\"secret-" n "\",\"Token\":\"token-"    \
	n "\",\"Expiration\":\"2026-01-01T" expiration ":00Z\"}"

static void expect_all(const struct fixture *fixture, const char *id)
{
	for (unsigned i = 0; i < THREADS; i++) {
		if (fixture->results[i] != 0)
			fail_msg("%s", fixture->errors[i].message);
		assert_string_equal(fixture->uses[i].credentials.access_key_id, id);
	}
}

/* A load more than the script has would end the test. */
static void test_loaded_once(void **state)
{
	(void)state;
	static struct fixture fixture;

	begin(&fixture);
	script_load(&fixture, DOCUMENT("1", "01:00"));
	get_all(&fixture);
	expect_all(&fixture, "ASIA1");
	get_all(&fixture);
	expect_all(&fixture, "ASIA1");
	/* five minutes before their end, once more */
	struct identity_use old = fixture.uses[0];
	fixture.fake.now_ms = 56 * 60 * 1000;
	script_load(&fixture, DOCUMENT("2", "02:00"));
	get_all(&fixture);
	expect_all(&fixture, "ASIA2");
	/* what was handed out before is still whole */
	assert_string_equal(old.credentials.secret_access_key, "secret-1");
	char text[] = "secret-1 token-1 secret-2 token-2, much redacted";
	log_redact(&fixture.fake.log, text, sizeof(text));
	assert_null(strstr(text, "secret-"));
	assert_null(strstr(text, "token-"));
	end(&fixture);
}

static void test_a_failure_is_everybodys(void **state)
{
	(void)state;
	static struct fixture fixture;

	begin(&fixture);
	fake_aws_script(&fixture.fake, (struct fake_answer){ .way = FAKE_REFUSED });
	get_all(&fixture);
	for (unsigned i = 0; i < THREADS; i++) {
		assert_int_equal(fixture.results[i], -1);
		assert_int_equal(fixture.errors[i].kind, ERROR_CONFIG);
		assert_non_null(strstr(fixture.errors[i].message, "no AWS credentials were found"));
	}
	/* the next call asks again */
	script_load(&fixture, DOCUMENT("1", "01:00"));
	get_all(&fixture);
	expect_all(&fixture, "ASIA1");
	/* what has not expired is good enough, and the source has a minute's peace */
	fixture.fake.now_ms = 57 * 60 * 1000;
	fake_aws_script(&fixture.fake, (struct fake_answer){ .way = FAKE_REFUSED });
	get_all(&fixture);
	expect_all(&fixture, "ASIA1");
	fixture.fake.now_ms += 59 * 1000;
	get_all(&fixture);
	fixture.fake.now_ms += 2 * 1000;
	fake_aws_script(&fixture.fake, (struct fake_answer){ .way = FAKE_REFUSED });
	get_all(&fixture);
	expect_all(&fixture, "ASIA1");
	end(&fixture);
}

static bool is_logged(const struct fixture *fixture, const char *text)
{
	static char log[262144];

	fake_aws_log(&fixture->fake, log, sizeof(log));
	return strstr(log, text) != NULL;
}

/* AWS may renew an instance's late: they stay in use, with a warning, until AWS itself refuses them. */
static void test_past_their_end(void **state)
{
	(void)state;
	static struct fixture fixture;

	begin(&fixture);
	script_load(&fixture, DOCUMENT("1", "01:00"));
	get_all(&fixture);
	fixture.fake.now_ms = 61 * 60 * 1000;
	fake_aws_script(&fixture.fake, (struct fake_answer){ .way = FAKE_REFUSED });
	get_all(&fixture);
	expect_all(&fixture, "ASIA1");
	assert_true(is_logged(&fixture, "WARN"));
	assert_true(is_logged(&fixture, "the AWS credentials from instance metadata have expired and stay in use"));
	get_all(&fixture);
	expect_all(&fixture, "ASIA1");
	/* the service has the old ones only: the same, and it is not asked with every call */
	fixture.fake.now_ms += 61 * 1000;
	script_load(&fixture, DOCUMENT("1", "01:00"));
	for (unsigned i = 0; i < 5; i++) {
		get_all(&fixture);
		expect_all(&fixture, "ASIA1");
	}
	assert_true(identity_renew(fixture.identity, &fixture.uses[0]));
	fake_aws_script(&fixture.fake, (struct fake_answer){ .way = FAKE_REFUSED });
	get_all(&fixture);
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(fixture.results[i], -1);
	end(&fixture);
}

/* --- a role's ----------------------------------------------------------------------------------------------------- */

/* STS gives sessions of that length, by the fake clock; the keys are numbered. */
struct sessions {
	struct fake_aws *fake;
	unsigned length_s;
	unsigned given;
	bool refuses;
};

static int give_session(void *self, const struct http_request *request, const struct cancel *cancel, struct arena *arena,
			struct http_response *ret_response, struct error *err)
{
	struct sessions *sessions = self;
	time_t end = (time_t)(FAKE_NOW + sessions->fake->now_ms / 1000 + sessions->length_s);
	struct tm utc;
	char text[32];

	(void)cancel;
	assert_int_equal(strncmp(request->body, "Action=AssumeRole&", strlen("Action=AssumeRole&")), 0);
	if (sessions->refuses)
		return error_set(err, ERROR_NETWORK, "no way to STS");
	assert_non_null(gmtime_r(&end, &utc));
	assert_int_not_equal(strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &utc), 0);
	const char *body = arena_printf(
		arena, "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIA%u</AccessKeyId><SecretAccessKey>"
		"secret-%u</SecretAccessKey><SessionToken>token-%u</SessionToken><Expiration>%s</Expiration></Credentials>"
		"</AssumeRoleResult></AssumeRoleResponse>", sessions->given, sessions->given, sessions->given, text);
	sessions->given++;
	*ret_response = (struct http_response){ .status = 200, .body = body, .body_len = strlen(body) };
	return 0;
}

static void begin_role(struct fixture *fixture, struct sessions *sessions)
{
	begin(fixture);
	fixture->fake.settings.credentials_source = "static";
	fixture->fake.settings.role_arn = "arn:aws:iam::123456789012:role/cpi";
	fixture->fake.http.perform = give_session;
	fixture->fake.http.self = sessions;
	sessions->fake = &fixture->fake;
}

/* A wait of six hours that looks every 15 s: at no look have the credentials less than nothing left. */
static void test_a_long_wait(void **state)
{
	(void)state;
	static const unsigned lengths[] = { 3600, 900, 43200, 400 };

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		static struct fixture fixture;
		struct sessions sessions = { .length_s = lengths[i] };
		struct identity_use use;
		struct error err;
		begin_role(&fixture, &sessions);
		for (int64_t s = 0; s <= 6 * 3600; s += 15) {
			fixture.fake.now_ms = s * 1000;
			if (identity_get(fixture.identity, &use, &err) != 0)
				fail_msg("%s", err.message);
			assert_true(use.credentials.expires_at > FAKE_NOW + s);
			assert_true(lengths[i] <= 300 + 15 || use.credentials.expires_at > FAKE_NOW + s + 300 - 15);
		}
		unsigned expected = 6 * 3600 / (lengths[i] - 300) + 1;
		assert_in_range(sessions.given, expected - expected / 5, expected + 1);
		/* the log must not fill up with secrets that are long gone, nor the arena */
		assert_true(fixture.fake.log.n_secrets <= 2 * sessions.given);
		end(&fixture);
	}
}

static void test_a_role_past_its_end(void **state)
{
	(void)state;
	static struct fixture fixture;
	struct sessions sessions = { .length_s = 3600 };
	struct identity_use use;
	struct error err;

	begin_role(&fixture, &sessions);
	fixture.fake.settings.max_retries = 0;
	assert_int_equal(identity_get(fixture.identity, &use, NULL), 0);
	sessions.refuses = true;
	fixture.fake.now_ms = 59 * 60 * 1000;
	assert_int_equal(identity_get(fixture.identity, &use, NULL), 0);
	assert_string_equal(use.credentials.access_key_id, "ASIA0");
	fixture.fake.now_ms = 60 * 60 * 1000;
	assert_int_equal(identity_get(fixture.identity, &use, &err), -1);
	assert_non_null(strstr(err.message, "no way to STS"));
	sessions.refuses = false;
	assert_int_equal(identity_get(fixture.identity, &use, NULL), 0);
	assert_string_equal(use.credentials.access_key_id, "ASIA1");
	end(&fixture);
}

/* A service that puts what it was sent into its message: the log has forgotten the session by then, the message not. */
static void test_a_message_that_repeats_secrets(void **state)
{
	(void)state;
	static struct fixture fixture;
	struct identity_use use;
	struct error err;

	begin(&fixture);
	fixture.fake.http.perform = fixture.inner.perform;
	fixture.fake.http.self = fixture.inner.self;
	fixture.fake.settings.role_arn = "arn:aws:iam::123456789012:role/cpi";
	script_load(&fixture, DOCUMENT("1", "01:00"));
	fake_aws_script(&fixture.fake, (struct fake_answer){
		.status = 400, .action = "AssumeRole",
		.body = "<ErrorResponse><Error><Code>Odd</Code><Message>secret-1 and token-1 are odd</Message></Error></ErrorResponse>" });
	assert_int_equal(identity_get(fixture.identity, &use, &err), -1);
	assert_non_null(strstr(err.message, "<redacted> and <redacted> are odd"));
	end(&fixture);
}

static void test_fixed(void **state)
{
	(void)state;
	static struct fixture fixture;
	const struct credentials credentials = { .access_key_id = "ASIAX", .secret_access_key = "x",
						 .expires_at = FAKE_NOW - 10 };
	struct identity *identity;
	struct identity_use use;

	begin(&fixture);
	assert_int_equal(identity_new_fixed(&fixture.fake.runtime, &fixture.fake.settings, &credentials, &identity, NULL), 0);
	assert_int_equal(identity_get(identity, &use, NULL), 0);
	assert_string_equal(use.credentials.access_key_id, "ASIAX");
	assert_false(identity_renew(identity, &use));
	assert_true(identity_repair_clock(identity, &use, FAKE_NOW + 3600));
	assert_int_equal(identity_get(identity, &use, NULL), 0);
	assert_int_equal(identity_now_s(identity, &use), FAKE_NOW + 3600);
	identity_free(identity);
	assert_int_equal(identity_new_fixed(&fixture.fake.runtime, &fixture.fake.settings, NULL, &identity, NULL), 0);
	assert_int_equal(identity_get(identity, &use, NULL), 0);
	assert_null(use.credentials.access_key_id);
	identity_free(identity);
	end(&fixture);
}

static void test_renewed_once(void **state)
{
	(void)state;
	static struct fixture fixture;

	begin(&fixture);
	script_load(&fixture, DOCUMENT("1", "01:00"));
	get_all(&fixture);
	/* all are refused; those who hear of it late have the new ones already */
	assert_true(identity_renew(fixture.identity, &fixture.uses[0]));
	assert_true(identity_renew(fixture.identity, &fixture.uses[1]));
	script_load(&fixture, DOCUMENT("2", "01:00"));
	struct identity_use old = fixture.uses[2];
	get_all(&fixture);
	expect_all(&fixture, "ASIA2");
	assert_true(identity_renew(fixture.identity, &old));
	get_all(&fixture);
	expect_all(&fixture, "ASIA2");
	end(&fixture);

	/* keys without an end stay */
	begin(&fixture);
	fixture.fake.settings.credentials_source = "static";
	get_all(&fixture);
	expect_all(&fixture, "AKIDEXAMPLE");
	assert_false(identity_renew(fixture.identity, &fixture.uses[0]));
	end(&fixture);
}

static void test_clock_repaired_once(void **state)
{
	(void)state;
	static struct fixture fixture;
	const int64_t ahead = FAKE_NOW + 3600;

	begin(&fixture);
	fixture.fake.settings.credentials_source = "static";
	get_all(&fixture);
	assert_int_equal(identity_now_s(fixture.identity, &fixture.uses[0]), FAKE_NOW);
	assert_false(identity_repair_clock(fixture.identity, &fixture.uses[0], 0));
	assert_false(identity_repair_clock(fixture.identity, &fixture.uses[0], FAKE_NOW + 240));
	/* two were refused; the second repairs nothing, and may sign again all the same */
	assert_true(identity_repair_clock(fixture.identity, &fixture.uses[0], ahead));
	assert_true(identity_repair_clock(fixture.identity, &fixture.uses[1], ahead));
	get_all(&fixture);
	assert_int_equal(identity_now_s(fixture.identity, &fixture.uses[0]), ahead);
	assert_false(identity_repair_clock(fixture.identity, &fixture.uses[0], ahead - 1));
	end(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_loaded_once),
		cmocka_unit_test(test_a_failure_is_everybodys),
		cmocka_unit_test(test_past_their_end),
		cmocka_unit_test(test_a_long_wait),
		cmocka_unit_test(test_a_role_past_its_end),
		cmocka_unit_test(test_a_message_that_repeats_secrets),
		cmocka_unit_test(test_fixed),
		cmocka_unit_test(test_renewed_once),
		cmocka_unit_test(test_clock_repaired_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
