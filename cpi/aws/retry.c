/* SPDX-License-Identifier: Apache-2.0 */
/* Classes of failures, budgets, delays. The loop itself, the repair of clocks and new credentials are client.c's. */
#include "cpi/aws/retry.h"

#include <stddef.h>
#include <string.h>

#include "common/parse.h"

#define NOT_FOUND_FIRST_MS 200
#define NOT_FOUND_LOOKS 10 /* at least so many, however long it may stay unknown */

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const throttle_codes[] = { "RequestLimitExceeded", "EC2ThrottledException",
					      "TooManyRequestsException", "SlowDown", "BandwidthLimitExceeded",
					      "ConcurrentLimitExceededException", "DependencyThrottle" };
static const char *const transient_codes[] = { "InternalError", "InternalFailure", "InternalServerError",
					       "InternalServerException", "ServiceUnavailable",
					       "ServiceUnavailableException", "Unavailable", "RequestTimeout",
					       "RequestTimeoutException", "PriorRequestNotComplete",
					       "IDPCommunicationError" };
/* AuthFailure also means wrong keys, and RequestExpired an expired session: the answer's Date decides. */
static const char *const clock_codes[] = { "RequestExpired", "RequestTimeTooSkewed", "AuthFailure",
					   "SignatureDoesNotMatch", "InvalidSignatureException" };
static const char *const expired_codes[] = { "ExpiredToken", "ExpiredTokenException" };
static const char *const denial_codes[] = { "UnauthorizedOperation", "AccessDenied", "AccessDeniedException" };

static bool is_one_of(const char *code, const char *const *codes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(code, codes[i]) == 0)
			return true;
	}
	return false;
}

static bool starts_with(const char *text, const char *start)
{
	return strncmp(text, start, strlen(start)) == 0;
}

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text);

	return len >= strlen(end) && strcmp(text + len - strlen(end), end) == 0;
}

bool retry_is_not_found(const char *aws_code)
{
	return (starts_with(aws_code, "Invalid") && ends_with(aws_code, ".NotFound")) ||
	       strcmp(aws_code, "InvalidAMIID.Unavailable") == 0 || strcmp(aws_code, "ResourceNotFoundException") == 0;
}

bool retry_is_denied(const char *aws_code)
{
	return is_one_of(aws_code, denial_codes, COUNT(denial_codes));
}

/* No room in the zone: comes as a server error too, and does not pass within a call's time. */
static bool is_capacity(const char *code)
{
	return (starts_with(code, "Insufficient") && strstr(code, "Capacity") != NULL) ||
	       strcmp(code, "UnfulfillableCapacity") == 0;
}

static enum retry_class classify_answer(const char *code, int status)
{
	if (is_capacity(code) || retry_is_denied(code))
		return RETRY_NEVER;
	if (starts_with(code, "Throttl") || starts_with(code, "RequestThrottle") ||
	    is_one_of(code, throttle_codes, COUNT(throttle_codes)) || status == 429)
		return RETRY_THROTTLE;
	if (is_one_of(code, transient_codes, COUNT(transient_codes)))
		return RETRY_TRANSIENT;
	if (is_one_of(code, clock_codes, COUNT(clock_codes)))
		return RETRY_CLOCK_SKEW;
	if (is_one_of(code, expired_codes, COUNT(expired_codes)))
		return RETRY_EXPIRED;
	if (retry_is_not_found(code))
		return RETRY_NOT_FOUND;
	return status >= 500 ? RETRY_TRANSIENT : RETRY_NEVER;
}

enum retry_class retry_classify(const struct error *err)
{
	enum retry_class class = err->kind == ERROR_AWS ? classify_answer(err->aws_code, err->http_status) : RETRY_NEVER;

	if (class != RETRY_NEVER)
		return class;
	return err->retryable ? RETRY_TRANSIENT : RETRY_NEVER;
}

bool retry_outcome_unknown(const struct error *err)
{
	if (err->kind == ERROR_AWS)
		return err->http_status >= 500 && classify_answer(err->aws_code, err->http_status) == RETRY_TRANSIENT;
	return err->kind == ERROR_NETWORK || err->kind == ERROR_TIMEOUT || err->kind == ERROR_INVALID ||
	       err->kind == ERROR_TOO_BIG;
}

int64_t retry_after_ms(const char *header, int64_t now_s)
{
	uint64_t seconds;
	int64_t date;

	if (header == NULL)
		return 0;
	if (parse_u64(header, &seconds))
		return seconds > RETRY_DEADLINE_MS / 1000 ? RETRY_DEADLINE_MS : (int64_t)seconds * 1000;
	if (!parse_http_date(header, &date) || date <= now_s)
		return 0;
	return date - now_s > RETRY_DEADLINE_MS / 1000 ? RETRY_DEADLINE_MS : (date - now_s) * 1000;
}

void retry_init(struct retry *retry, const struct clock *clock, unsigned max_retries, bool created_by_us)
{
	*retry = (struct retry){
		.clock = clock,
		.max_retries = max_retries,
		.created_by_us = created_by_us,
		.not_found_ms = RETRY_NOT_FOUND_MS,
		.deadline = deadline_in(clock, RETRY_DEADLINE_MS),
	};
}

/* Short and rather even: the resource becomes known within a second or so as a rule. */
static bool next_not_found(struct retry *retry, int64_t *ret_delay_ms)
{
	if (!retry->created_by_us)
		return false;
	if (retry->not_found == 0)
		retry->not_found_until = deadline_in(retry->clock, retry->not_found_ms);
	else if (deadline_passed(retry->clock, retry->not_found_until))
		return false;
	const int64_t cap = retry->not_found_ms / NOT_FOUND_LOOKS;
	int64_t delay = NOT_FOUND_FIRST_MS;
	for (unsigned i = 0; i < retry->not_found && delay < cap; i++)
		delay = delay * 3 / 2;
	retry->not_found++;
	*ret_delay_ms = delay / 2 + backoff_delay_ms(0, delay / 2, cap);
	return true;
}

bool retry_next(struct retry *retry, enum retry_class class, int64_t retry_after, int64_t *ret_delay_ms)
{
	int64_t delay;

	switch (class) {
	case RETRY_TRANSIENT:
		if (retry->failures == retry->max_retries)
			return false;
		delay = backoff_delay_ms(retry->failures++, RETRY_TRANSIENT_BASE_MS, RETRY_CAP_MS);
		break;
	case RETRY_THROTTLE:
		if (retry->throttles == RETRY_MAX_THROTTLES)
			return false;
		delay = backoff_delay_ms(retry->throttles++, RETRY_THROTTLE_BASE_MS, RETRY_CAP_MS);
		break;
	case RETRY_NOT_FOUND:
		if (!next_not_found(retry, &delay))
			return false;
		break;
	default:
		return false;
	}
	if (delay < retry_after)
		delay = retry_after;
	/* beginning another attempt behind the deadline would only prolong the failure */
	if (deadline_in(retry->clock, delay).at_ms >= retry->deadline.at_ms)
		return false;
	*ret_delay_ms = delay;
	return true;
}
