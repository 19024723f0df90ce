/* SPDX-License-Identifier: Apache-2.0 */
/* Retries: the classes of failures, budgets, delays, Retry-After, the deadline. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cpi/aws/retry.h"
#include "tests/unit/fake_aws.h"

static struct error aws_error(const char *code, int status)
{
	struct error err = { .kind = ERROR_AWS, .http_status = status };

	snprintf(err.aws_code, sizeof(err.aws_code), "%s", code);
	return err;
}

static void test_classes(void **state)
{
	(void)state;
	static const struct {
		const char *code;
		int status;
		enum retry_class class;
	} rows[] = {
		{ "RequestLimitExceeded", 503, RETRY_THROTTLE },
		{ "Throttling", 400, RETRY_THROTTLE },
		{ "ThrottlingException", 400, RETRY_THROTTLE },
		{ "ThrottledException", 400, RETRY_THROTTLE },
		{ "RequestThrottled", 400, RETRY_THROTTLE },
		{ "RequestThrottledException", 400, RETRY_THROTTLE },
		{ "RequestThrottleException", 400, RETRY_THROTTLE },
		{ "EC2ThrottledException", 400, RETRY_THROTTLE },
		{ "TooManyRequestsException", 400, RETRY_THROTTLE },
		{ "BandwidthLimitExceeded", 400, RETRY_THROTTLE },
		{ "SlowDown", 503, RETRY_THROTTLE },
		{ "ConcurrentLimitExceededException", 400, RETRY_THROTTLE },
		{ "DependencyThrottle", 400, RETRY_THROTTLE },
		{ "429", 429, RETRY_THROTTLE },
		{ "InternalError", 500, RETRY_TRANSIENT },
		{ "InternalFailure", 500, RETRY_TRANSIENT },
		{ "InternalServerException", 500, RETRY_TRANSIENT },
		{ "ServiceUnavailable", 503, RETRY_TRANSIENT },
		{ "Unavailable", 503, RETRY_TRANSIENT },
		{ "PriorRequestNotComplete", 400, RETRY_TRANSIENT },
		{ "IDPCommunicationError", 400, RETRY_TRANSIENT },
		{ "RequestTimeout", 400, RETRY_TRANSIENT },
		{ "RequestTimeoutException", 408, RETRY_TRANSIENT },
		{ "502", 502, RETRY_TRANSIENT },
		{ "504", 504, RETRY_TRANSIENT },
		{ "SomethingNew", 500, RETRY_TRANSIENT },
		{ "InsufficientInstanceCapacity", 500, RETRY_NEVER },
		{ "InsufficientHostCapacity", 503, RETRY_NEVER },
		{ "InsufficientReservedInstanceCapacity", 500, RETRY_NEVER },
		{ "InsufficientCapacityOnHost", 500, RETRY_NEVER },
		{ "InsufficientVolumeCapacity", 500, RETRY_NEVER },
		{ "UnfulfillableCapacity", 500, RETRY_NEVER },
		{ "SpotMaxPriceTooLow", 400, RETRY_NEVER },
		{ "MaxSpotInstanceCountExceeded", 400, RETRY_NEVER },
		{ "VcpuLimitExceeded", 400, RETRY_NEVER },
		{ "UnauthorizedOperation", 403, RETRY_NEVER },
		{ "AccessDenied", 403, RETRY_NEVER },
		{ "AccessDeniedException", 500, RETRY_NEVER },
		{ "AccessDeniedException", 403, RETRY_NEVER },
		{ "ServiceQuotaExceededException", 402, RETRY_NEVER },
		{ "ConflictException", 409, RETRY_NEVER },
		{ "ValidationException", 400, RETRY_NEVER },
		{ "VolumeInUse", 400, RETRY_NEVER },
		{ "403", 403, RETRY_NEVER },
		{ "InvalidVolume.NotFound", 400, RETRY_NOT_FOUND },
		{ "InvalidAMIID.NotFound", 400, RETRY_NOT_FOUND },
		{ "InvalidAMIID.Unavailable", 400, RETRY_NOT_FOUND },
		{ "ResourceNotFoundException", 404, RETRY_NOT_FOUND },
		{ "InvalidVolumeID.Malformed", 400, RETRY_NEVER },
		{ "RequestExpired", 400, RETRY_CLOCK_SKEW },
		{ "RequestTimeTooSkewed", 403, RETRY_CLOCK_SKEW },
		{ "AuthFailure", 401, RETRY_CLOCK_SKEW },
		{ "SignatureDoesNotMatch", 403, RETRY_CLOCK_SKEW },
		{ "InvalidSignatureException", 403, RETRY_CLOCK_SKEW },
		{ "ExpiredToken", 403, RETRY_EXPIRED },
		{ "ExpiredTokenException", 400, RETRY_EXPIRED },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct error err = aws_error(rows[i].code, rows[i].status);
		if (retry_classify(&err) != rows[i].class)
			fail_msg("%s %d: class %d", rows[i].code, rows[i].status, (int)retry_classify(&err));
	}
	/* what the message alone tells; a code that tells more counts first */
	struct error passing = aws_error("ValidationException", 400);
	passing.retryable = true;
	assert_int_equal(retry_classify(&passing), RETRY_TRANSIENT);
	assert_false(retry_outcome_unknown(&passing));
	passing = aws_error("RequestLimitExceeded", 503);
	passing.retryable = true;
	assert_int_equal(retry_classify(&passing), RETRY_THROTTLE);
	struct error network = { .kind = ERROR_NETWORK, .retryable = true };
	assert_int_equal(retry_classify(&network), RETRY_TRANSIENT);
	network.retryable = false;
	assert_int_equal(retry_classify(&network), RETRY_NEVER);
	assert_int_equal(retry_classify(&(struct error){ .kind = ERROR_CANCELLED }), RETRY_NEVER);
	assert_int_equal(retry_classify(&(struct error){ .kind = ERROR_CONFIG }), RETRY_NEVER);
}

static void test_unknown_outcomes(void **state)
{
	(void)state;
	static const struct {
		const char *code;
		int status;
		bool unknown;
	} rows[] = {
		{ "InternalError", 500, true },		{ "502", 502, true },
		{ "RequestLimitExceeded", 503, false }, { "InsufficientInstanceCapacity", 500, false },
		{ "VolumeInUse", 400, false },		{ "429", 429, false },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct error err = aws_error(rows[i].code, rows[i].status);
		assert_int_equal(retry_outcome_unknown(&err), rows[i].unknown);
	}
	assert_true(retry_outcome_unknown(&(struct error){ .kind = ERROR_NETWORK }));
	assert_true(retry_outcome_unknown(&(struct error){ .kind = ERROR_TIMEOUT }));
	assert_true(retry_outcome_unknown(&(struct error){ .kind = ERROR_INVALID }));
	assert_false(retry_outcome_unknown(&(struct error){ .kind = ERROR_CONFIG }));
}

static void test_retry_after(void **state)
{
	(void)state;
	assert_int_equal(retry_after_ms(NULL, FAKE_NOW), 0);
	assert_int_equal(retry_after_ms("7", FAKE_NOW), 7000);
	assert_int_equal(retry_after_ms("-7", FAKE_NOW), 0);
	assert_int_equal(retry_after_ms("soon", FAKE_NOW), 0);
	assert_int_equal(retry_after_ms("99999999999999999999", FAKE_NOW), 0);
	assert_int_equal(retry_after_ms("9999999999", FAKE_NOW), RETRY_DEADLINE_MS);
	assert_int_equal(retry_after_ms("Thu, 01 Jan 2026 00:00:30 GMT", FAKE_NOW), 30000);
	assert_int_equal(retry_after_ms("Wed, 31 Dec 2025 23:59:30 GMT", FAKE_NOW), 0);
	assert_int_equal(retry_after_ms("Fri, 01 Jan 2100 00:00:00 GMT", FAKE_NOW), RETRY_DEADLINE_MS);
}

static void test_budgets_are_apart(void **state)
{
	(void)state;
	struct fake_aws fake;
	struct retry retry;
	int64_t delay;

	fake_aws_open(&fake);
	retry_init(&retry, &fake.clock, 3, false);
	for (unsigned i = 0; i < RETRY_MAX_THROTTLES; i++) {
		assert_true(retry_next(&retry, RETRY_THROTTLE, 0, &delay));
		assert_in_range(delay, 0, RETRY_CAP_MS);
	}
	assert_false(retry_next(&retry, RETRY_THROTTLE, 0, &delay));
	for (unsigned i = 0; i < 3; i++) {
		assert_true(retry_next(&retry, RETRY_TRANSIENT, 0, &delay));
		assert_in_range(delay, 0, RETRY_TRANSIENT_BASE_MS << i);
	}
	assert_false(retry_next(&retry, RETRY_TRANSIENT, 0, &delay));
	assert_false(retry_next(&retry, RETRY_NOT_FOUND, 0, &delay));
	assert_false(retry_next(&retry, RETRY_NEVER, 0, &delay));
	assert_false(retry_next(&retry, RETRY_CLOCK_SKEW, 0, &delay));
	fake_aws_close(&fake);
}

static void test_retry_after_and_deadline(void **state)
{
	(void)state;
	struct fake_aws fake;
	struct retry retry;
	int64_t delay;

	fake_aws_open(&fake);
	retry_init(&retry, &fake.clock, 100, false);
	assert_true(retry_next(&retry, RETRY_TRANSIENT, 42000, &delay));
	assert_int_equal(delay, 42000);
	/* a wait that would end behind the deadline is not begun */
	assert_false(retry_next(&retry, RETRY_TRANSIENT, RETRY_DEADLINE_MS, &delay));
	fake.now_ms = RETRY_DEADLINE_MS;
	assert_false(retry_next(&retry, RETRY_THROTTLE, 0, &delay));
	fake_aws_close(&fake);
}

static void test_not_found_for_half_a_minute(void **state)
{
	(void)state;
	struct fake_aws fake;
	struct retry retry;
	unsigned attempts = 0;
	int64_t delay;

	fake_aws_open(&fake);
	retry_init(&retry, &fake.clock, 0, true);
	while (retry_next(&retry, RETRY_NOT_FOUND, 0, &delay)) {
		assert_in_range(delay, 100, 4500);
		fake.now_ms += delay;
		attempts++;
	}
	assert_in_range(fake.now_ms, RETRY_NOT_FOUND_MS, RETRY_NOT_FOUND_MS + 5000);
	assert_in_range(attempts, 8, 60);

	/* a longer while is not asked the more often */
	attempts = 0;
	fake.now_ms = 0;
	retry_init(&retry, &fake.clock, 0, true);
	retry.not_found_ms = 130000;
	while (retry_next(&retry, RETRY_NOT_FOUND, 0, &delay)) {
		assert_in_range(delay, 100, 19500);
		fake.now_ms += delay;
		attempts++;
	}
	assert_in_range(fake.now_ms, 130000, 150000);
	assert_in_range(attempts, 12, 60);
	fake_aws_close(&fake);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_classes),
		cmocka_unit_test(test_unknown_outcomes),
		cmocka_unit_test(test_retry_after),
		cmocka_unit_test(test_budgets_are_apart),
		cmocka_unit_test(test_retry_after_and_deadline),
		cmocka_unit_test(test_not_found_for_half_a_minute),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
