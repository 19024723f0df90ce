/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP and JSON with the registry: where it is, how it is spoken to, what of the settings changes. When it is spoken to is
 * the methods' to decide. */
#include "cpi/methods/registry.h"

#include <string.h>
#include <strings.h>

#include "common/digest.h"
#include "common/http.h"
#include "common/json_read.h"
#include "common/json_write.h"
#include "common/url.h"
#include "cpi/aws/retry.h"
#include "cpi/aws/sigv4.h"

#define MAX_ANSWER ((size_t)32 * 1024 * 1024) /* settings inside a string: each quote takes two bytes */
#define MAX_SETTINGS ((size_t)16 * 1024 * 1024)
#define MAX_URL ((size_t)64 * 1024)

/* Where the registry is, and who asks. */
struct registry {
	struct call *call;
	const char *endpoint; /* without credentials, and with no slash at the end: also for messages */
	const char *authorization; /* the header's value; NULL: no credentials */
};

/* --- where it is --- */

/* The endpoint with a scheme in front and no slash behind, as the incumbent and its agents expect it. */
static const char *full_endpoint(const struct call *call, struct url_parts *ret_parts)
{
	const char *endpoint = call->config->registry_endpoint;
	size_t len = strlen(endpoint);
	struct url_parts parts;

	url_split(endpoint, &parts);
	while (len > 0 && endpoint[len - 1] == '/')
		len--;
	char *full = arena_printf(call->arena, "%s%.*s", parts.scheme_len == 0 ? "http://" : "", (int)len, endpoint);
	if (full != NULL)
		url_split(full, ret_parts);
	return full;
}

/* The configuration's where they are given, else the URL's. NULL: there are none. */
static int find_credentials(const struct call *call, const struct url_parts *parts, const char **ret_user,
			    const char **ret_password, struct error *err)
{
	const char *user = call->config->registry_user;
	const char *password = call->config->registry_password;

	if (user == NULL && parts->user != NULL &&
	    (user = url_decode(call->arena, parts->user, parts->user_len)) == NULL)
		return error_nomem(err);
	if (password == NULL && parts->password != NULL &&
	    (password = url_decode(call->arena, parts->password, parts->password_len)) == NULL)
		return error_nomem(err);
	bool any = user != NULL || password != NULL;
	*ret_user = any && user == NULL ? "" : user;
	*ret_password = any && password == NULL ? "" : password;
	return 0;
}

static int basic_authorization(struct arena *arena, const char *user, const char *password, const char **ret_header,
			       struct error *err)
{
	static const char scheme[] = "Basic ";
	const char *plain = arena_printf(arena, "%s:%s", user, password);
	size_t len = plain == NULL ? 0 : strlen(plain);
	char *header = arena_alloc(arena, strlen(scheme) + BASE64_SIZE(len));

	if (plain == NULL || header == NULL)
		return error_nomem(err);
	memcpy(header, scheme, strlen(scheme));
	digest_base64(plain, len, header + strlen(scheme));
	*ret_header = header;
	return 0;
}

bool registry_is_used(const struct call *call)
{
	return call->api_version < 2 || call->stemcell_api_version < 2;
}

static int not_configured(const struct call *call, struct error *err)
{
	return error_set(err, ERROR_CLOUD,
			 "%s cannot do without a registry with CPI v%d and stemcell api version %d, and the registry is "
			 "not configured: set registry.endpoint, user and password, or use a stemcell of API version 2 or "
			 "later",
			 call->method, call->api_version, call->stemcell_api_version);
}

int registry_require(const struct call *call, struct error *err)
{
	if (registry_is_used(call) && call->config->registry_endpoint == NULL)
		return not_configured(call, err);
	return 0;
}

static int registry_find(struct call *call, struct registry *ret_registry, struct error *err)
{
	struct registry registry = { .call = call };
	const char *user, *password;
	struct url_parts parts;

	if (call->config->registry_endpoint == NULL)
		return not_configured(call, err);
	const char *full = full_endpoint(call, &parts);
	if (full == NULL)
		return error_nomem(err);
	registry.endpoint = arena_printf(call->arena, "%.*s%s", (int)parts.scheme_len, full, parts.rest);
	if (registry.endpoint == NULL)
		return error_nomem(err);
	if (find_credentials(call, &parts, &user, &password, err) != 0)
		return -1;
	if (user != NULL && basic_authorization(call->arena, user, password, &registry.authorization, err) != 0)
		return -1;
	*ret_registry = registry;
	return 0;
}

int registry_agent_endpoint(const struct call *call, const char **ret_url, struct error *err)
{
	CLEANUP_BUF struct buf url = BUF_INIT(MAX_URL);
	const char *user, *password;
	struct url_parts parts;

	if (call->config->registry_endpoint == NULL) {
		*ret_url = NULL;
		return 0;
	}
	const char *full = full_endpoint(call, &parts);
	if (full == NULL)
		return error_nomem(err);
	if (find_credentials(call, &parts, &user, &password, err) != 0)
		return -1;
	if (parts.user == NULL && user != NULL) {
		buf_append(&url, full, parts.scheme_len);
		sigv4_encode(&url, user, "");
		buf_char(&url, ':');
		sigv4_encode(&url, password, "");
		buf_char(&url, '@');
		buf_str(&url, parts.rest);
		if (buf_check(&url, "the registry's URL", err) != 0)
			return -1;
		full = arena_strdup(call->arena, buf_text(&url));
	}
	if (full == NULL)
		return error_nomem(err);
	*ret_url = full;
	return 0;
}

/* --- how it is spoken to --- */

struct exchange {
	const char *method;
	const char *instance_id;
	const char *body; /* NULL: none */
	const char *what; /* "read", for messages */
};

static const char *settings_url(const struct registry *registry, const char *instance_id)
{
	CLEANUP_BUF struct buf url = BUF_INIT(MAX_URL);

	buf_printf(&url, "%s/instances/", registry->endpoint);
	sigv4_encode(&url, instance_id, "");
	buf_str(&url, "/settings");
	return url.failed ? NULL : arena_strdup(registry->call->arena, buf_text(&url));
}

/* What a person can do about it. */
static const char *advice(const struct exchange *exchange, int status)
{
	if (status == 404 && exchange->body == NULL)
		return "it knows no such VM; was the VM made with another registry?";
	if (status == 401 || status == 403)
		return "are registry.user and registry.password right?";
	if (status >= 500)
		return "the registry's own log should say why";
	return "is registry.endpoint the registry's address?";
}

static int refused(const struct registry *registry, const struct exchange *exchange, int status, struct error *err)
{
	(void)error_set(err, ERROR_CLOUD, "Cannot %s settings for '%s', got HTTP %d from the registry at %s: %s",
			exchange->what, exchange->instance_id, status, registry->endpoint, advice(exchange, status));
	if (err != NULL)
		err->http_status = status;
	return -1;
}

static int not_reached(const struct registry *registry, const struct exchange *exchange, struct error *err)
{
	if (err->kind != ERROR_CANCELLED && err->kind != ERROR_NOMEM)
		err->kind = ERROR_CLOUD;
	return error_prefix(err, "Cannot %s settings for '%s': the registry at %s did not answer as it should (is it running, "
			    "and registry.endpoint right?)",
			    exchange->what, exchange->instance_id, registry->endpoint);
}

static enum retry_class classify(int result, int status, const struct error *failure)
{
	if (result != 0)
		return retry_classify(failure);
	return status == 429 || status >= 500 ? RETRY_TRANSIENT : RETRY_NEVER;
}

/* Any of the three may be done twice with the same end, so all are repeated where the way or the other side failed. */
static int perform(const struct registry *registry, const struct http_request *request, struct http_response *ret_response,
		   struct error *err)
{
	struct call *call = registry->call;
	struct runtime *runtime = call->runtime;
	struct retry retry;

	retry_init(&retry, runtime->clock, call->config->aws.max_retries, false);
	for (;;) {
		struct http_response response = { 0 };
		struct error failure = { 0 };
		int64_t delay;
		int result = runtime->http->perform(runtime->http->self, request, runtime->cancel, call->arena, &response,
						    &failure);
		log_debug(runtime->log, "registry-call method=%s url=%s status=%d", request->method, request->url,
			  response.status);
		if (!retry_next(&retry, classify(result, response.status, &failure), 0, &delay)) {
			if (result != 0)
				*err = failure;
			else
				*ret_response = response;
			return result;
		}
		if (deadline_sleep(runtime->clock, retry.deadline, delay, runtime->cancel, err) != 0)
			return -1;
	}
}

static int exchange_settings(const struct registry *registry, const struct exchange *exchange,
			     struct http_response *ret_response, struct error *err)
{
	struct http_header headers[3] = { { "Accept", "application/json" } };
	struct error failure;
	size_t n_headers = 1;

	if (registry->authorization != NULL)
		headers[n_headers++] = (struct http_header){ "Authorization", registry->authorization };
	if (exchange->body != NULL)
		headers[n_headers++] = (struct http_header){ "Content-Type", "application/json" };
	const struct http_request request = {
		.method = exchange->method,
		.url = settings_url(registry, exchange->instance_id),
		.headers = headers,
		.n_headers = n_headers,
		.body = exchange->body,
		.body_len = exchange->body == NULL ? 0 : strlen(exchange->body),
		.max_answer = MAX_ANSWER,
		.ca_file = registry->call->config->aws.ca_file,
	};
	if (request.url == NULL)
		return error_nomem(err);
	if (perform(registry, &request, ret_response, &failure) == 0)
		return 0;
	(void)not_reached(registry, exchange, &failure);
	if (err != NULL)
		*err = failure;
	return -1;
}

static int put_settings(const struct registry *registry, const char *instance_id, const char *settings, struct error *err)
{
	const struct exchange exchange = { "PUT", instance_id, settings, "update" };
	struct http_response response;

	if (exchange_settings(registry, &exchange, &response, err) != 0)
		return -1;
	return response.status / 100 == 2 ? 0 : refused(registry, &exchange, response.status, err);
}

int registry_put(struct call *call, const char *instance_id, const char *settings, struct error *err)
{
	struct registry registry;

	if (registry_find(call, &registry, err) != 0)
		return -1;
	return put_settings(&registry, instance_id, settings, err);
}

int registry_delete(struct call *call, const char *instance_id, struct error *err)
{
	const struct exchange exchange = { "DELETE", instance_id, NULL, "delete" };
	struct http_response response;
	struct registry registry;

	if (call->config->registry_endpoint == NULL)
		return 0;
	if (registry_find(call, &registry, err) != 0 || exchange_settings(&registry, &exchange, &response, err) != 0)
		return -1;
	bool gone = response.status / 100 == 2 || response.status == 404;
	return gone ? 0 : refused(&registry, &exchange, response.status, err);
}

/* --- what of the settings changes --- */

static int unreadable(const struct registry *registry, const char *instance_id, const char *what, struct error *err)
{
	return error_set(err, ERROR_CLOUD,
			 "Cannot read settings for '%s': the registry at %s gave %s; is registry.endpoint the registry's "
			 "address?",
			 instance_id, registry->endpoint, what);
}

/* {"settings":"<JSON as a string>"} */
static int parse_settings(const struct registry *registry, const char *instance_id, const struct http_response *response,
			  const struct json **ret_settings, struct error *err)
{
	struct arena *arena = registry->call->arena;
	const struct json *body, *settings;

	if (json_parse(arena, response->body, response->body_len, MAX_ANSWER, &body, NULL) != 0)
		return unreadable(registry, instance_id, "an answer that is not JSON", err);
	const char *text = json_text(json_get(body, "settings"));
	if (text == NULL)
		return unreadable(registry, instance_id, "an answer without the string \"settings\"", err);
	if (json_parse(arena, text, strlen(text), MAX_SETTINGS, &settings, NULL) != 0 || !json_is(settings, JSON_OBJECT))
		return unreadable(registry, instance_id, "settings that are not a JSON object", err);
	*ret_settings = settings;
	return 0;
}

static int get_settings(const struct registry *registry, const char *instance_id, const struct json **ret_settings,
			struct error *err)
{
	const struct exchange exchange = { "GET", instance_id, NULL, "read" };
	struct http_response response;

	if (exchange_settings(registry, &exchange, &response, err) != 0)
		return -1;
	if (response.status != 200)
		return refused(registry, &exchange, response.status, err);
	return parse_settings(registry, instance_id, &response, ret_settings, err);
}

/* All members but that one; of a repeated key the one that counts. */
static void write_others(struct json_writer *writer, const struct json *object, const char *but)
{
	const struct json *member = json_is(object, JSON_OBJECT) ? object->child : NULL;

	for (; member != NULL; member = member->next) {
		if (strcmp(member->key, but) == 0 || json_get(object, member->key) != member)
			continue;
		json_key(writer, member->key);
		json_value(writer, member);
	}
}

static void write_settings(struct json_writer *writer, const struct json *settings, const char *disk_cid,
			   const char *hint)
{
	const struct json *disks = json_get(settings, "disks");

	json_begin_object(writer);
	write_others(writer, settings, "disks");
	json_key(writer, "disks");
	json_begin_object(writer);
	write_others(writer, disks, "persistent");
	json_key(writer, "persistent");
	json_begin_object(writer);
	write_others(writer, json_get(disks, "persistent"), disk_cid);
	if (hint != NULL)
		json_member_string(writer, disk_cid, hint);
	json_end_object(writer);
	json_end_object(writer);
	json_end_object(writer);
}

int registry_set_disk(struct call *call, const char *instance_id, const char *disk_cid, const char *hint,
		      struct error *err)
{
	CLEANUP_BUF struct buf text = BUF_INIT(MAX_SETTINGS);
	const struct json *settings = NULL;
	struct json_writer writer;
	struct registry registry;

	if (registry_find(call, &registry, err) != 0 || get_settings(&registry, instance_id, &settings, err) != 0)
		return -1;
	json_writer_init(&writer, &text);
	write_settings(&writer, settings, disk_cid, hint);
	if (buf_check(&text, "the settings for the registry", err) != 0)
		return -1;
	return put_settings(&registry, instance_id, buf_text(&text), err);
}

int registry_probe(struct call *call, const char **ret_endpoint, struct error *err)
{
	const struct exchange exchange = { "GET", "i-00000000000000000", NULL, "read" };
	struct http_response response;
	struct registry registry;

	if (registry_find(call, &registry, err) != 0 || exchange_settings(&registry, &exchange, &response, err) != 0)
		return -1;
	if (response.status != 404 && response.status / 100 != 2)
		return refused(&registry, &exchange, response.status, err);
	*ret_endpoint = registry.endpoint;
	return 0;
}
