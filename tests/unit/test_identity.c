/* SPDX-License-Identifier: Apache-2.0 */
/* Credentials and clock for several threads: loaded once, renewed once, one failure for all who waited. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
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
	/* what has not expired is good enough, until it has */
	fixture.fake.now_ms = 57 * 60 * 1000;
	fake_aws_script(&fixture.fake, (struct fake_answer){ .way = FAKE_REFUSED });
	get_all(&fixture);
	expect_all(&fixture, "ASIA1");
	fixture.fake.now_ms = 61 * 60 * 1000;
	fake_aws_script(&fixture.fake, (struct fake_answer){ .way = FAKE_REFUSED });
	get_all(&fixture);
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(fixture.results[i], -1);
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
		cmocka_unit_test(test_renewed_once),
		cmocka_unit_test(test_clock_repaired_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
