/* SPDX-License-Identifier: Apache-2.0 */
/* The region below the configuration: the profile's, the instance's, nobody's; and what counts as an error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/http.h"
#include "common/log.h"
#include "cpi/aws/region.h"

#define DOCUMENT                                                                                                       \
	"{\"architecture\":\"x86_64\",\"availabilityZone\":\"eu-west-3a\",\"instanceId\":\"i-0123456789abcdef0\","         \
	"\"instanceType\":\"m5.large\",\"region\":\"eu-west-3\"}"

struct fixture {
	struct arena *arena;
	struct clock clock;
	struct log log;
	struct http_transport http;
	struct runtime runtime;
	enum error_kind failure; /* of the metadata service; ERROR_NONE: it answers */
	const char *document;
	unsigned requests;
};

static int perform(void *self, const struct http_request *request, const struct cancel *cancel, struct arena *arena,
		   struct http_response *ret_response, struct error *err)
{
	struct fixture *fixture = self;
	const char *body = strcmp(request->method, "PUT") == 0 ? "token" : fixture->document;

	(void)cancel;
	(void)arena;
	fixture->requests++;
	assert_int_equal(strncmp(request->url, "http://127.0.0.1:9/latest/", 26), 0);
	if (fixture->failure != ERROR_NONE)
		return error_set(err, fixture->failure, "as the test wants it");
	*ret_response = (struct http_response){ .status = 200, .body = body, .body_len = strlen(body) };
	return 0;
}

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	if (fixture == NULL)
		return -1;
	unsetenv("AWS_EC2_METADATA_DISABLED");
	fixture->arena = arena_new(1024 * 1024);
	clock_system(&fixture->clock);
	log_init(&fixture->log, -1, LOG_LEVEL_ERROR, &fixture->clock);
	fixture->http = (struct http_transport){ .perform = perform, .self = fixture };
	fixture->runtime = (struct runtime){ &fixture->log, &fixture->clock, NULL, &fixture->http };
	fixture->document = DOCUMENT;
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	unsetenv("AWS_EC2_METADATA_DISABLED");
	arena_free(fixture->arena);
	free(fixture);
	return 0;
}

static void expect(struct fixture *fixture, const struct profiles *profiles, bool ask_metadata, const char *wanted,
		   const char *wanted_source)
{
	const char *region = "untouched", *source = "untouched";
	struct error err;

	if (region_find(&fixture->runtime, profiles, "http://127.0.0.1:9", ask_metadata, fixture->arena, &region, &source,
			&err) != 0)
		fail_msg("%s", err.message);
	if (wanted == NULL) {
		assert_null(region);
		assert_null(source);
		return;
	}
	assert_non_null(region);
	assert_string_equal(region, wanted);
	assert_string_equal(source, wanted_source);
}

static const struct profile_entry region_of_dev = { .key = "region", .value = "eu-central-1" };
static const struct profile_section dev = { .kind = "profile", .name = "dev", .entries = &region_of_dev };

static void test_profile(void **state)
{
	struct fixture *fixture = *state;
	struct profiles profiles = { .config_path = "/c", .config = &dev, .active = "dev" };

	expect(fixture, &profiles, true, "eu-central-1", "profile dev of /c");
	assert_int_equal(fixture->requests, 0);
	profiles.active = "other";
	expect(fixture, &profiles, false, NULL, NULL);
	assert_int_equal(fixture->requests, 0);
	expect(fixture, &profiles, true, "eu-west-3", "the instance metadata");
	expect(fixture, NULL, true, "eu-west-3", "the instance metadata");
	expect(fixture, NULL, false, NULL, NULL);
}

static void test_no_instance(void **state)
{
	struct fixture *fixture = *state;

	fixture->failure = ERROR_NETWORK;
	expect(fixture, NULL, true, NULL, NULL);
	fixture->failure = ERROR_TIMEOUT;
	expect(fixture, NULL, true, NULL, NULL);
	fixture->failure = ERROR_NONE;
	fixture->document = "{\"region\":\"../evil\"}";
	expect(fixture, NULL, true, NULL, NULL);
	fixture->document = "<html>";
	expect(fixture, NULL, true, NULL, NULL);
	fixture->requests = 0;
	setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
	expect(fixture, NULL, true, NULL, NULL);
	assert_int_equal(fixture->requests, 0);
}

static void test_errors(void **state)
{
	struct fixture *fixture = *state;
	static const enum error_kind kinds[] = { ERROR_CANCELLED, ERROR_NOMEM };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		const char *region = "untouched", *source = "untouched";
		struct error err = { .kind = ERROR_NONE };
		fixture->failure = kinds[i];
		assert_int_equal(region_find(&fixture->runtime, NULL, "http://127.0.0.1:9", true, fixture->arena, &region,
					     &source, &err),
				 -1);
		assert_int_equal(err.kind, kinds[i]);
		assert_string_equal(region, "untouched");
		assert_string_equal(source, "untouched");
		assert_int_equal(region_find(&fixture->runtime, NULL, "http://127.0.0.1:9", true, fixture->arena, &region,
					     &source, NULL),
				 -1);
	}
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_profile),
		TEST(test_no_instance),
		TEST(test_errors),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
