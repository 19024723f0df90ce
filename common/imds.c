/* SPDX-License-Identifier: Apache-2.0 */
/* Instance metadata: the token, the fall-back to version 1, and what a refusal most likely means. What the texts are
 * good for is the callers'. */
#include "common/imds.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/http.h"
#include "common/parse.h"

#define IPV4_ENDPOINT "http://169.254.169.254"
#define IPV6_ENDPOINT "http://[fd00:ec2::254]"
#define TOKEN_PATH "/latest/api/token"
#define TOKEN_TTL "21600" /* the longest that the service gives */
/* The service is one hop away: what does not connect in this time is not there. */
#define CONNECT_TIMEOUT_MS 1500
#define MAX_ATTEMPTS 3
#define RETRY_DELAY_MS 200
/* of what may be set */
#define MAX_TIMEOUT_S 3600
#define MOST_ATTEMPTS 100

static bool is_true(const char *variable)
{
	const char *value = getenv(variable);

	return value != NULL && strcasecmp(value, "true") == 0;
}

static const char *variable_or_null(const char *variable)
{
	const char *value = getenv(variable);

	return value == NULL || value[0] == '\0' ? NULL : value;
}

static int endpoint_by_mode(const char *mode, const char **ret_endpoint, struct error *err)
{
	if (mode == NULL || strcasecmp(mode, "IPv4") == 0)
		*ret_endpoint = IPV4_ENDPOINT;
	else if (strcasecmp(mode, "IPv6") == 0)
		*ret_endpoint = IPV6_ENDPOINT;
	else
		return error_set(err, ERROR_CONFIG, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE (in a profile: "
				 "ec2_metadata_service_endpoint_mode) must be IPv4 or IPv6");
	return 0;
}

static bool is_url(const char *text)
{
	size_t scheme = strncmp(text, "http://", 7) == 0 ? 7 : strncmp(text, "https://", 8) == 0 ? 8 : 0;

	if (scheme == 0 || text[scheme] == '\0' || text[scheme] == '/')
		return false;
	for (; *text != '\0'; text++) {
		/* no user, query or fragment: paths are put behind it, and it stands in messages */
		if (!isgraph((unsigned char)*text) || strchr("@?#\"\\", *text) != NULL)
			return false;
	}
	return true;
}

/* NULL leaves *ret_number alone. */
static int read_number(const char *text, const char *name, unsigned most, unsigned *ret_number, struct error *err)
{
	uint64_t number;

	if (text == NULL)
		return 0;
	if (!parse_u64(text, &number) || number == 0 || number > most)
		return error_set(err, ERROR_CONFIG, "%s must be a whole number from 1 to %u", name, most);
	*ret_number = (unsigned)number;
	return 0;
}

int imds_init_with(struct imds *imds, struct runtime *runtime, const struct imds_options *options, struct error *err)
{
	const char *endpoint = options->endpoint;
	unsigned timeout_s = 0;
	unsigned attempts = 0;

	if (endpoint == NULL && endpoint_by_mode(options->mode, &endpoint, err) != 0)
		return -1;
	if (read_number(options->timeout, "AWS_METADATA_SERVICE_TIMEOUT", MAX_TIMEOUT_S, &timeout_s, err) != 0 ||
	    read_number(options->attempts, "AWS_METADATA_SERVICE_NUM_ATTEMPTS", MOST_ATTEMPTS, &attempts, err) != 0)
		return -1;
	size_t len = strlen(endpoint);
	while (len > 0 && endpoint[len - 1] == '/')
		len--;
	if (!is_url(endpoint) || len >= sizeof(imds->endpoint))
		return error_set(err, ERROR_CONFIG, "the endpoint of the instance metadata service "
				 "(AWS_EC2_METADATA_SERVICE_ENDPOINT) must be a URL such as %s", IPV4_ENDPOINT);
	*imds = (struct imds){
		.runtime = runtime,
		.v1_disabled = options->v1_disabled,
		.disabled = is_true("AWS_EC2_METADATA_DISABLED"),
		.timeout_ms = (int64_t)timeout_s * 1000,
		.attempts = attempts,
	};
	memcpy(imds->endpoint, endpoint, len);
	return 0;
}

int imds_init(struct imds *imds, struct runtime *runtime, const char *endpoint, struct error *err)
{
	const struct imds_options options = {
		.endpoint = endpoint != NULL ? endpoint : variable_or_null("AWS_EC2_METADATA_SERVICE_ENDPOINT"),
		.mode = variable_or_null("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"),
		.timeout = variable_or_null("AWS_METADATA_SERVICE_TIMEOUT"),
		.attempts = variable_or_null("AWS_METADATA_SERVICE_NUM_ATTEMPTS"),
		.v1_disabled = is_true("AWS_EC2_METADATA_V1_DISABLED"),
	};

	return imds_init_with(imds, runtime, &options, err);
}

/* How a value is asked for, and why so. */
struct way {
	bool v1;
	bool token_timed_out;
	int token_status; /* of a refused token call, else 0 */
	bool token_is_new;
};

/* One value's: the token call, if there is one, and the GET. */
struct exchange {
	struct imds *imds;
	struct arena *arena;
	struct deadline deadline;
	struct way way;
};

static unsigned attempts_of(const struct imds *imds)
{
	return imds->attempts > 0 ? imds->attempts : MAX_ATTEMPTS;
}

/* For a token and a value. What is set by hand is not cut short. */
static int64_t whole_timeout_ms(const struct imds *imds)
{
	int64_t wanted = 2 * (imds->timeout_ms + RETRY_DELAY_MS) * attempts_of(imds);

	return imds->timeout_ms > 0 && wanted > IMDS_TIMEOUT_MS ? wanted : IMDS_TIMEOUT_MS;
}

static struct exchange exchange_begin(struct imds *imds, struct arena *arena)
{
	const struct clock *clock = imds->runtime->clock;

	return (struct exchange){
		.imds = imds,
		.arena = arena,
		/* not deadline_in: network time is real time, and is not shortened when waits are */
		.deadline = { .at_ms = clock->monotonic_ms(clock->self) + whole_timeout_ms(imds) },
	};
}

/* Errors that are not the service's doing keep their kind. */
static int unreachable(const struct imds *imds, struct error *err)
{
	if (err->kind != ERROR_NETWORK && err->kind != ERROR_TIMEOUT && err->kind != ERROR_TOO_BIG)
		return -1;
	struct error why = *err;
	return error_set(err, ERROR_METADATA,
			 "instance metadata service at %s: %s. This does not look like an EC2 instance, or its "
			 "metadata service is switched off or fenced off (HttpEndpoint in the instance's metadata options, "
			 "a firewall); AWS_EC2_METADATA_SERVICE_ENDPOINT names another endpoint",
			 imds->endpoint, why.message);
}

static bool worth_another_try(int status)
{
	return status == 429 || status >= 500;
}

/* Whether a request that got no answer is made again: only where somebody has asked for it, because away from EC2 this
 * takes its time. A token call that timed out is not: version 1 is next. */
static bool again_unanswered(const struct imds *imds, const struct http_request *request, unsigned attempt,
			     const struct error *err)
{
	bool is_token_call = request->method[0] == 'P';

	return attempt < imds->attempts && err->retryable && !(is_token_call && err->kind == ERROR_TIMEOUT);
}

/* One request, again after a passing refusal, all within the deadline and none longer than timeout_ms. */
static int ask(struct exchange *exchange, struct http_request *request, int64_t timeout_ms,
	       struct http_response *ret_response, struct error *err)
{
	const struct imds *imds = exchange->imds;
	const struct runtime *runtime = imds->runtime;
	struct deadline deadline = exchange->deadline;
	int64_t connect_ms = imds->timeout_ms > 0 ? imds->timeout_ms : CONNECT_TIMEOUT_MS;
	struct http_response response;

	request->no_proxy = true;
	request->max_answer = IMDS_MAX_ANSWER;
	if (imds->timeout_ms > 0)
		timeout_ms = imds->timeout_ms;
	for (unsigned attempt = 1;; attempt++) {
		int left = deadline_left_ms(runtime->clock, deadline);
		if (left == 0)
			return error_set(err, ERROR_TIMEOUT, "no answer within %lld ms",
					 (long long)whole_timeout_ms(imds));
		request->timeout_ms = left < timeout_ms ? left : timeout_ms;
		request->connect_timeout_ms = left < connect_ms ? left : connect_ms;
		int result = runtime->http->perform(runtime->http->self, request, runtime->cancel, exchange->arena,
						    &response, err);
		if (result != 0 && !again_unanswered(imds, request, attempt, err))
			return -1;
		if (result == 0 && (!worth_another_try(response.status) || attempt >= attempts_of(imds)))
			break;
		if (deadline_sleep(runtime->clock, deadline, RETRY_DELAY_MS, runtime->cancel, err) != 0)
			return -1;
	}
	*ret_response = response;
	return 0;
}

/* What may stand in a header: visible ASCII, and not longer than the field. */
static bool is_token(const struct imds *imds, const struct http_response *response)
{
	if (response->body_len == 0 || response->body_len >= sizeof(imds->token))
		return false;
	for (size_t i = 0; i < response->body_len; i++) {
		if (!isgraph((unsigned char)response->body[i]))
			return false;
	}
	return true;
}

static int64_t token_timeout_ms(const struct imds *imds)
{
	return imds->timeout_ms > 0 ? imds->timeout_ms : IMDS_TOKEN_TIMEOUT_MS;
}

static int v1_refused(const struct imds *imds, const struct way *way, struct error *err)
{
	if (way->token_timed_out)
		return error_set(err, ERROR_METADATA, "instance metadata service at %s: no token within %lld ms, and "
				 "version 1 is ruled out (AWS_EC2_METADATA_V1_DISABLED). In a container the hop limit "
				 "is the usual reason: set HttpPutResponseHopLimit to 2 in the instance's metadata "
				 "options",
				 imds->endpoint, (long long)token_timeout_ms(imds));
	return error_set(err, ERROR_METADATA, "instance metadata service at %s: the token call was answered with "
			 "HTTP status %d, and version 1 is ruled out (AWS_EC2_METADATA_V1_DISABLED)", imds->endpoint,
			 way->token_status);
}

/* After a token call without a token: version 1, if it may be. */
static int fall_back(struct exchange *exchange, struct way way, struct error *err)
{
	exchange->way = way;
	return exchange->imds->v1_disabled ? v1_refused(exchange->imds, &way, err) : 0;
}

/* Gets a token unless there is one, or finds that version 1 is the way. */
static int find_way(struct exchange *exchange, struct error *err)
{
	struct imds *imds = exchange->imds;
	struct http_header ttl = { "X-aws-ec2-metadata-token-ttl-seconds", TOKEN_TTL };
	struct http_request request = { .method = "PUT", .headers = &ttl, .n_headers = 1 };
	struct http_response response;

	exchange->way = (struct way){ .v1 = imds->use_v1 };
	if (imds->use_v1 || imds->token[0] != '\0')
		return 0;
	request.url = arena_printf(exchange->arena, "%s%s", imds->endpoint, TOKEN_PATH);
	if (request.url == NULL)
		return error_nomem(err);
	if (ask(exchange, &request, IMDS_TOKEN_TIMEOUT_MS, &response, err) != 0) {
		if (err->kind != ERROR_TIMEOUT)
			return unreachable(imds, err);
		return fall_back(exchange, (struct way){ .v1 = true, .token_timed_out = true }, err);
	}
	if (response.status == 403 || response.status == 404 || response.status == 405)
		return fall_back(exchange, (struct way){ .v1 = true, .token_status = response.status }, err);
	if (response.status != 200 || !is_token(imds, &response)) {
		error_set(err, ERROR_METADATA, "instance metadata service at %s: the token call was answered with "
			  "HTTP status %d%s. Is this the metadata service of an EC2 instance?", imds->endpoint,
			  response.status, response.status == 200 ? " and something that is not a token" : "");
		err->retryable = worth_another_try(response.status);
		return -1;
	}
	memcpy(imds->token, response.body, response.body_len + 1);
	exchange->way.token_is_new = true;
	return 0;
}

/* Once, when version 1 has shown that it works. */
static void settle_on_v1(struct imds *imds, const struct way *way)
{
	if (imds->use_v1)
		return;
	imds->use_v1 = true;
	if (way->token_timed_out)
		log_info(imds->runtime->log, "instance metadata: version 1 is used, because the token call got no "
			 "answer within %lld ms while version 1 answers. This is how a hop limit of 1 looks from inside a "
			 "container: set HttpPutResponseHopLimit to 2 in the instance's metadata options",
			 (long long)token_timeout_ms(imds));
	else
		log_info(imds->runtime->log, "instance metadata: version 1 is used, because the token call was "
			 "answered with HTTP status %d", way->token_status);
}

static int refused(const struct imds *imds, const char *path, int status, const struct way *way, struct error *err)
{
	const char *advice = "is this the metadata service of an EC2 instance?";

	if (status == 401 && way->token_timed_out)
		advice = "it wants a token, and the token call got no answer: set HttpPutResponseHopLimit to 2 in the "
			 "instance's metadata options (the usual reason in a container)";
	else if (status == 401)
		advice = "it does not take the token that it gave; try again";
	else if (status == 403)
		advice = "it is switched off (HttpEndpoint in the instance's metadata options), or closed to this user";
	else if (status == 404)
		advice = "this instance has no such value";
	else if (worth_another_try(status))
		advice = "it is overloaded or ill; try again";
	error_set(err, ERROR_METADATA, "instance metadata service at %s: %s was answered with HTTP status %d: %s",
		  imds->endpoint, path, status, advice);
	err->retryable = worth_another_try(status);
	return -1;
}

static int get(struct exchange *exchange, const char *path, struct http_response *ret_response, struct error *err)
{
	struct imds *imds = exchange->imds;
	struct http_header token = { "X-aws-ec2-metadata-token", imds->token };
	struct http_request request = { .method = "GET", .headers = &token, .n_headers = exchange->way.v1 ? 0 : 1 };

	request.url = arena_printf(exchange->arena, "%s%s", imds->endpoint, path);
	if (request.url == NULL)
		return error_nomem(err);
	if (ask(exchange, &request, IMDS_TIMEOUT_MS, ret_response, err) != 0)
		return unreachable(imds, err);
	return 0;
}

/* The GET by the way that is known, and once more by a new one when the service no longer takes that. */
static int get_any_way(struct exchange *exchange, const char *path, struct http_response *ret_response,
		       struct error *err)
{
	struct imds *imds = exchange->imds;

	for (;;) {
		if (find_way(exchange, err) != 0 || get(exchange, path, ret_response, err) != 0)
			return -1;
		bool way_is_old = exchange->way.v1 ? imds->use_v1 : !exchange->way.token_is_new;
		if (ret_response->status != 401 || !way_is_old)
			return 0;
		/* the token ran out, or version 1 was switched off since */
		imds->token[0] = '\0';
		imds->use_v1 = false;
	}
}

static int get_text(struct imds *imds, const char *path, struct arena *arena, const char **ret_text, bool *ret_found,
		    struct error *err)
{
	struct exchange exchange = exchange_begin(imds, arena);
	struct http_response response;

	if (get_any_way(&exchange, path, &response, err) != 0)
		return -1;
	if (exchange.way.v1 && (response.status == 200 || response.status == 404))
		settle_on_v1(imds, &exchange.way);
	if (response.status != 200 && (response.status != 404 || ret_found == NULL))
		return refused(imds, path, response.status, &exchange.way, err);
	if (response.status == 200 && strlen(response.body) != response.body_len)
		return error_set(err, ERROR_METADATA, "instance metadata service at %s: %s holds a NUL", imds->endpoint,
				 path);
	if (response.status == 200)
		*ret_text = response.body;
	if (ret_found != NULL)
		*ret_found = response.status == 200;
	return 0;
}

int imds_get(struct imds *imds, const char *path, struct arena *arena, const char **ret_text, bool *ret_found,
	     struct error *err)
{
	struct error why = { .kind = ERROR_NONE };

	if (imds->disabled)
		return error_set(err, ERROR_METADATA, "the instance metadata service is not asked, because "
				 "AWS_EC2_METADATA_DISABLED is true; unset it where metadata is wanted");
	if (get_text(imds, path, arena, ret_text, ret_found, &why) == 0)
		return 0;
	/* the way is chosen by the kind of an error, so there is one, also for a caller who wants none */
	if (err != NULL)
		*err = why;
	return -1;
}
