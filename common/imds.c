/* SPDX-License-Identifier: Apache-2.0 */
/* Instance metadata: the token, the fall-back to version 1, and what a refusal most likely means. What the texts are
 * good for is the callers'; only the identity document is read here. */
#include "common/imds.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/http.h"
#include "common/json_read.h"
#include "common/parse.h"

#define IPV4_ENDPOINT "http://169.254.169.254"
#define IPV6_ENDPOINT "http://[fd00:ec2::254]"
#define TOKEN_PATH "/latest/api/token"
#define IDENTITY_PATH "/latest/dynamic/instance-identity/document"
#define TOKEN_TTL "21600" /* the longest that the service gives */
/* The service is one hop away: what does not connect in this time is not there. */
#define CONNECT_TIMEOUT_MS 1500
#define MAX_ANSWER ((size_t)64 * 1024)
#define MAX_ATTEMPTS 3
#define RETRY_DELAY_MS 200

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

static int endpoint_by_mode(const char **ret_endpoint, struct error *err)
{
	const char *mode = variable_or_null("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");

	if (mode == NULL || strcasecmp(mode, "IPv4") == 0)
		*ret_endpoint = IPV4_ENDPOINT;
	else if (strcasecmp(mode, "IPv6") == 0)
		*ret_endpoint = IPV6_ENDPOINT;
	else
		return error_set(err, ERROR_CONFIG, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE must be IPv4 or IPv6");
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

int imds_init(struct imds *imds, struct runtime *runtime, const char *endpoint, struct error *err)
{
	if (endpoint == NULL)
		endpoint = variable_or_null("AWS_EC2_METADATA_SERVICE_ENDPOINT");
	if (endpoint == NULL && endpoint_by_mode(&endpoint, err) != 0)
		return -1;
	size_t len = strlen(endpoint);
	while (len > 0 && endpoint[len - 1] == '/')
		len--;
	if (!is_url(endpoint) || len >= sizeof(imds->endpoint))
		return error_set(err, ERROR_CONFIG, "the endpoint of the instance metadata service "
				 "(AWS_EC2_METADATA_SERVICE_ENDPOINT) must be a URL such as %s", IPV4_ENDPOINT);
	*imds = (struct imds){
		.runtime = runtime,
		.v1_disabled = is_true("AWS_EC2_METADATA_V1_DISABLED"),
		.disabled = is_true("AWS_EC2_METADATA_DISABLED"),
	};
	memcpy(imds->endpoint, endpoint, len);
	return 0;
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

static struct exchange exchange_begin(struct imds *imds, struct arena *arena)
{
	const struct clock *clock = imds->runtime->clock;

	return (struct exchange){
		.imds = imds,
		.arena = arena,
		/* not deadline_in: network time is real time, and is not shortened when waits are */
		.deadline = { .at_ms = clock->monotonic_ms(clock->self) + IMDS_TIMEOUT_MS },
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

/* One request, again after a passing refusal, all within the deadline and none longer than timeout_ms. */
static int ask(struct exchange *exchange, struct http_request *request, int64_t timeout_ms,
	       struct http_response *ret_response, struct error *err)
{
	const struct runtime *runtime = exchange->imds->runtime;
	struct deadline deadline = exchange->deadline;
	struct http_response response;

	request->no_proxy = true;
	request->max_answer = MAX_ANSWER;
	for (unsigned attempt = 1;; attempt++) {
		int left = deadline_left_ms(runtime->clock, deadline);
		if (left == 0)
			return error_set(err, ERROR_TIMEOUT, "no answer within %d ms", IMDS_TIMEOUT_MS);
		request->timeout_ms = left < timeout_ms ? left : timeout_ms;
		request->connect_timeout_ms = left < CONNECT_TIMEOUT_MS ? left : CONNECT_TIMEOUT_MS;
		if (runtime->http->perform(runtime->http->self, request, runtime->cancel, exchange->arena, &response,
					   err) != 0)
			return -1;
		if (!worth_another_try(response.status) || attempt == MAX_ATTEMPTS)
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

static int v1_refused(const struct imds *imds, const struct way *way, struct error *err)
{
	if (way->token_timed_out)
		return error_set(err, ERROR_METADATA, "instance metadata service at %s: no token within %d ms, and "
				 "version 1 is ruled out by AWS_EC2_METADATA_V1_DISABLED. In a container the hop limit "
				 "is the usual reason: set HttpPutResponseHopLimit to 2 in the instance's metadata "
				 "options",
				 imds->endpoint, IMDS_TOKEN_TIMEOUT_MS);
	return error_set(err, ERROR_METADATA, "instance metadata service at %s: the token call was answered with "
			 "HTTP status %d, and version 1 is ruled out by AWS_EC2_METADATA_V1_DISABLED", imds->endpoint,
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
			 "answer within %d ms while version 1 answers. This is how a hop limit of 1 looks from inside a "
			 "container: set HttpPutResponseHopLimit to 2 in the instance's metadata options",
			 IMDS_TOKEN_TIMEOUT_MS);
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

/* Lower-case words as AWS makes them. */
static bool has_form(const char *text, const char *others)
{
	if (text == NULL || text[0] == '\0' || strlen(text) > 64)
		return false;
	for (; *text != '\0'; text++) {
		if (!islower((unsigned char)*text) && !isdigit((unsigned char)*text) && strchr(others, *text) == NULL)
			return false;
	}
	return true;
}

static int bad_field(const struct imds *imds, const char *field, struct error *err)
{
	return error_set(err, ERROR_METADATA, "instance metadata service at %s: the instance identity document has no "
			 "proper %s. Is this the metadata service of an EC2 instance?", imds->endpoint, field);
}

static int read_identity(const struct imds *imds, const struct json *root, struct imds_identity *ret_identity,
			 struct error *err)
{
	struct imds_identity identity = {
		.instance_id = json_text(json_get(root, "instanceId")),
		.region = json_text(json_get(root, "region")),
		.availability_zone = json_text(json_get(root, "availabilityZone")),
		.instance_type = json_text(json_get(root, "instanceType")),
		.architecture = json_text(json_get(root, "architecture")),
	};

	if (identity.instance_id == NULL || !parse_aws_id(identity.instance_id, "i-"))
		return bad_field(imds, "instanceId", err);
	if (!has_form(identity.region, "-"))
		return bad_field(imds, "region", err);
	if (!has_form(identity.availability_zone, "-"))
		return bad_field(imds, "availabilityZone", err);
	if (!has_form(identity.instance_type, "-."))
		return bad_field(imds, "instanceType", err);
	if (!has_form(identity.architecture, "_"))
		return bad_field(imds, "architecture", err);
	*ret_identity = identity;
	return 0;
}

int imds_identity(struct imds *imds, struct arena *arena, struct imds_identity *ret_identity, struct error *err)
{
	const char *text = "";
	const struct json *root;

	if (imds_get(imds, IDENTITY_PATH, arena, &text, NULL, err) != 0)
		return -1;
	if (json_parse(arena, text, strlen(text), MAX_ANSWER, &root, err) != 0) {
		error_prefix(err, "instance metadata service at %s: the instance identity document", imds->endpoint);
		if (err != NULL && err->kind == ERROR_INVALID)
			err->kind = ERROR_METADATA;
		return -1;
	}
	return read_identity(imds, root, ret_identity, err);
}
