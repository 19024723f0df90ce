/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP exchanges on libcurl's multi interface, which a signal can end at any moment. Each exchange has a line of its own
 * while it lasts, from a pool of idle ones. The words for a failure are http_error.c's; retries, signing and the meaning
 * of a status are the callers'. */
#include "common/http.h"

#include <ctype.h>
#include <curl/curl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "common/buf.h"
#include "common/cleanup.h"
#include "common/http_error.h"
#include "common/http_trust.h"

#define CONNECT_TIMEOUT_MS 10000
#define TIMEOUT_MS 60000
#define MAX_HEADERS 256
#define MAX_HEADER_BYTES ((size_t)64 * 1024)
#define ORIGIN_SIZE 320 /* a host name has at most 253 characters */
#define MAX_IDLE_CONNECTIONS 8L
#define LOOK_UP_MS 1000 /* curl wakes up earlier for its own time-outs */

/* What one exchange at a time can use. */
struct line {
	struct line *next;
	CURLM *multi; /* holds the connections */
	CURL *easy;
	char origin[ORIGIN_SIZE]; /* of its last exchange: there it has a connection */
};

struct client {
	pthread_mutex_t lock; /* over what follows */
	struct line *idle; /* the last used first */
	bool waits_for_look_ups;
	bool folder_looked_at;
	const char *folder; /* libcurl's own, where it makes the system's file of certificates superfluous; else NULL */
};

/* One exchange while it runs. */
struct exchange {
	const struct http_request *request;
	const struct cancel *cancel;
	struct arena *arena;
	bool waits_for_look_ups;
	const char *trust_folder; /* instead of the system's file; NULL: as libcurl is made */
	char origin[ORIGIN_SIZE];
	size_t sent;
	struct buf body;
	struct http_header headers[MAX_HEADERS];
	size_t n_headers;
	size_t header_bytes;
	bool headers_end; /* the empty line has come */
	enum http_trouble trouble;
};

static size_t on_send(char *to, size_t size, size_t count, void *self)
{
	struct exchange *exchange = self;
	size_t left = exchange->request->body_len - exchange->sent;
	size_t len = size * count < left ? size * count : left;

	if (len > 0)
		memcpy(to, (const char *)exchange->request->body + exchange->sent, len);
	exchange->sent += len;
	return len;
}

static size_t on_body(char *data, size_t size, size_t count, void *self)
{
	struct exchange *exchange = self;
	size_t len = size * count;

	if (len > exchange->body.max - exchange->body.len) {
		exchange->trouble = HTTP_TROUBLE_BODY_SIZE;
		return 0;
	}
	buf_append(&exchange->body, data, len);
	if (exchange->body.failed) {
		exchange->trouble = HTTP_TROUBLE_NOMEM;
		return 0;
	}
	return len;
}

/* "Name: value" without what surrounds them; other lines (the status, the empty one, folded ones) are passed over. */
static bool split_header(struct arena *arena, const char *line, size_t len, struct http_header *ret_header,
			 bool *ret_nomem)
{
	const char *colon = memchr(line, ':', len);

	*ret_nomem = false;
	if (colon == NULL || colon == line || isspace((unsigned char)line[0]))
		return false;
	const char *value = colon + 1;
	const char *end = line + len;
	while (value < end && isspace((unsigned char)*value))
		value++;
	while (end > value && isspace((unsigned char)end[-1]))
		end--;
	ret_header->name = arena_strndup(arena, line, (size_t)(colon - line));
	ret_header->value = arena_strndup(arena, value, (size_t)(end - value));
	*ret_nomem = ret_header->name == NULL || ret_header->value == NULL;
	return !*ret_nomem;
}

static size_t on_header(char *line, size_t size, size_t count, void *self)
{
	struct exchange *exchange = self;
	size_t len = size * count;
	struct http_header header;
	bool nomem;

	/* a status line begins a new answer: what came before was a "100 Continue" */
	if (len >= 5 && memcmp(line, "HTTP/", 5) == 0) {
		exchange->n_headers = 0;
		exchange->headers_end = false;
	}
	if (line[0] == '\r' || line[0] == '\n')
		exchange->headers_end = true;
	exchange->header_bytes += len;
	bool found = split_header(exchange->arena, line, len, &header, &nomem);
	if (exchange->header_bytes > MAX_HEADER_BYTES || (found && exchange->n_headers == MAX_HEADERS))
		exchange->trouble = HTTP_TROUBLE_HEADER_SIZE;
	else if (nomem)
		exchange->trouble = HTTP_TROUBLE_NOMEM;
	else if (found)
		exchange->headers[exchange->n_headers++] = header;
	return exchange->trouble == HTTP_TROUBLE_NONE ? len : 0;
}

static void free_list(struct curl_slist **list)
{
	curl_slist_free_all(*list);
}

static int append(struct curl_slist **list, const char *line, struct error *err)
{
	struct curl_slist *longer = curl_slist_append(*list, line);

	if (longer == NULL)
		return error_nomem(err);
	*list = longer;
	return 0;
}

static bool has_header(const struct http_request *request, const char *name)
{
	for (size_t i = 0; i < request->n_headers; i++) {
		if (strcasecmp(request->headers[i].name, name) == 0)
			return true;
	}
	return false;
}

/* The request's headers and no others of curl's own making: a signature covers what the caller wrote. */
static int make_headers(const struct http_request *request, struct curl_slist **list, struct error *err)
{
	CLEANUP_BUF struct buf line = BUF_INIT(MAX_HEADER_BYTES);

	for (size_t i = 0; i < request->n_headers; i++) {
		const struct http_header *header = &request->headers[i];
		if (strpbrk(header->name, "\r\n:") != NULL || strpbrk(header->value, "\r\n") != NULL)
			return error_set(err, ERROR_INTERNAL, "a line break in the HTTP header %s is refused",
					 strpbrk(header->name, "\r\n:") != NULL ? "(name)" : header->name);
		buf_reset(&line);
		/* curl takes "Name:" for "leave this one out" and "Name;" for an empty value */
		if (header->value[0] == '\0')
			buf_printf(&line, "%s;", header->name);
		else
			buf_printf(&line, "%s: %s", header->name, header->value);
		if (buf_check(&line, "an HTTP header", err) != 0 || append(list, buf_text(&line), err) != 0)
			return -1;
	}
	if (append(list, "Expect:", err) != 0)
		return -1;
	return has_header(request, "Content-Type") ? 0 : append(list, "Content-Type:", err);
}

static void set_method(CURL *easy, struct exchange *exchange)
{
	const struct http_request *request = exchange->request;

	curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
	if (request->body_len == 0) {
		if (strcmp(request->method, "POST") == 0 || strcmp(request->method, "PUT") == 0) {
			curl_easy_setopt(easy, CURLOPT_POSTFIELDS, "");
			curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, 0L);
			/* there is nothing to rewind that would stop curl (below): only kept connections make it repeat */
			curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
		}
		return;
	}
	/* By callback and without a way to rewind: curl sends a request again by itself when a kept connection dies
	 * under it, and what creates something must not be sent twice unknown to the caller. */
	curl_easy_setopt(easy, CURLOPT_POST, 1L);
	curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_send);
	curl_easy_setopt(easy, CURLOPT_READDATA, exchange);
	curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_len);
}

static void set_tls(CURL *easy, const char *ca_file, const char *trust_folder)
{
	curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
	if (ca_file == NULL && trust_folder != NULL) {
		curl_easy_setopt(easy, CURLOPT_CAINFO, NULL);
		curl_easy_setopt(easy, CURLOPT_CAPATH, trust_folder);
	}
	if (ca_file == NULL)
		return;
	/* instead of the system's, not beside them */
	curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file);
	curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
}

/* No program that somebody else starts in this process meanwhile shall hold the connection. */
static curl_socket_t open_socket(void *self, curlsocktype purpose, struct curl_sockaddr *address)
{
	int kind = address->socktype;

	(void)self;
	(void)purpose;
#ifdef SOCK_CLOEXEC
	kind |= SOCK_CLOEXEC;
#endif
	return socket(address->family, kind, address->protocol);
}

static void set_limits(CURL *easy, bool waits_for_look_ups)
{
#if LIBCURL_VERSION_NUM >= 0x075500
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
#if LIBCURL_VERSION_NUM >= 0x075700
	/* a look-up of a name that hangs is left behind rather than waited for */
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, waits_for_look_ups ? 0L : 1L);
#else
	(void)waits_for_look_ups;
#endif
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
}

static void set_options(CURL *easy, struct exchange *exchange, struct curl_slist *headers, char *detail)
{
	const struct http_request *request = exchange->request;
	int64_t connect_ms = request->connect_timeout_ms > 0 ? request->connect_timeout_ms : CONNECT_TIMEOUT_MS;
	int64_t whole_ms = request->timeout_ms > 0 ? request->timeout_ms : TIMEOUT_MS;

	curl_easy_reset(easy);
	set_limits(easy, exchange->waits_for_look_ups);
	set_tls(easy, request->ca_file, exchange->trust_folder);
	set_method(easy, exchange);
	curl_easy_setopt(easy, CURLOPT_URL, request->url);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)whole_ms);
	if (request->stall_ms > 0) {
		curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
		curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, (long)((request->stall_ms + 999) / 1000));
	}
	if (request->no_proxy)
		curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, detail);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, exchange);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, exchange);
}

/* Drives the transfer to its end, or until it is cancelled. The result is the multi interface's own; *ret_result is the
 * transfer's, and untouched when it was cut off. */
static CURLMcode drive(const struct line *line, const struct cancel *cancel, CURLcode *ret_result)
{
	struct curl_waitfd raised = { .fd = cancel == NULL ? -1 : cancel->read_fd, .events = CURL_WAIT_POLLIN };
	int running = 1;
	int queued;

	for (;;) {
		CURLMcode failed = curl_multi_perform(line->multi, &running);
		if (failed != CURLM_OK)
			return failed;
		/* after the look at what has come: an answer that is whole is not thrown away */
		if (running == 0 || cancel_raised(cancel))
			break;
		failed = curl_multi_poll(line->multi, &raised, cancel == NULL ? 0 : 1, LOOK_UP_MS, NULL);
		if (failed != CURLM_OK)
			return failed;
	}
	for (CURLMsg *message; (message = curl_multi_info_read(line->multi, &queued)) != NULL;) {
		if (message->msg == CURLMSG_DONE)
			*ret_result = message->data.result;
	}
	return CURLM_OK;
}

static int take_answer(CURL *easy, struct exchange *exchange, struct http_response *ret_response, struct error *err)
{
	long status = 0;

	curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	char *body = arena_strndup(exchange->arena, buf_text(&exchange->body), exchange->body.len);
	struct http_header *headers =
		arena_array(exchange->arena, exchange->n_headers + 1, sizeof(exchange->headers[0]));
	if (body == NULL || headers == NULL)
		return error_nomem(err);
	memcpy(headers, exchange->headers, exchange->n_headers * sizeof(headers[0]));
	*ret_response = (struct http_response){
		.status = (int)status,
		.headers = headers,
		.n_headers = exchange->n_headers,
		.body = body,
		.body_len = exchange->body.len,
	};
	return 0;
}

static enum http_trouble trouble_of(CURLcode result)
{
	switch (result) {
	case CURLE_OUT_OF_MEMORY:
	case CURLE_FAILED_INIT:
		return HTTP_TROUBLE_NOMEM;
	case CURLE_URL_MALFORMAT:
		return HTTP_TROUBLE_URL;
	case CURLE_COULDNT_RESOLVE_HOST:
		return HTTP_TROUBLE_NAME;
	case CURLE_COULDNT_RESOLVE_PROXY:
		return HTTP_TROUBLE_PROXY;
	case CURLE_OPERATION_TIMEDOUT:
		return HTTP_TROUBLE_TIMEOUT;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_INVALIDCERTSTATUS:
		return HTTP_TROUBLE_UNTRUSTED;
	case CURLE_SSL_CACERT_BADFILE:
		return HTTP_TROUBLE_CA_FILE;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_CERTPROBLEM:
		return HTTP_TROUBLE_TLS;
	default:
		return HTTP_TROUBLE_BROKEN;
	}
}

/* curl's own words where they can hold no secret: it quotes a proxy's URL, password and all, when it dislikes it. */
static const char *safe_words(CURLcode result, const char *words)
{
	if (result == CURLE_SEND_FAIL_REWIND)
		return "the connection was closed before an answer came";
	if (result == CURLE_OK)
		return "the answer ended within its headers";
	if (words[0] == '\0' || strchr(words, '@') != NULL || strstr(words, "://") != NULL)
		return curl_easy_strerror(result);
	return words;
}

static int fail(CURL *easy, const struct exchange *exchange, CURLcode result, const char *words, struct error *err)
{
	long os_errno = 0;
	struct http_failure failure = {
		.trouble = exchange->trouble != HTTP_TROUBLE_NONE ? exchange->trouble : trouble_of(result),
		.origin = exchange->origin,
		.detail = safe_words(result, words),
		.max_answer = exchange->request->max_answer,
		.ca_file = exchange->request->ca_file,
	};

	curl_easy_getinfo(easy, CURLINFO_HTTP_CONNECTCODE, &failure.proxy_status);
	if (result == CURLE_COULDNT_CONNECT && curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &os_errno) == CURLE_OK)
		failure.os_errno = (int)os_errno;
	return http_error_set(&failure, err);
}

static int run(const struct line *line, struct exchange *exchange, struct curl_slist *headers,
	       struct http_response *ret_response, struct error *err)
{
	char words[CURL_ERROR_SIZE] = "";
	CURLcode result = CURLE_ABORTED_BY_CALLBACK;
	int done = -1;

	set_options(line->easy, exchange, headers, words);
	CURLMcode failed = curl_multi_add_handle(line->multi, line->easy);
	if (failed == CURLM_OK) {
		failed = drive(line, exchange->cancel, &result);
		curl_multi_remove_handle(line->multi, line->easy);
	}
	if (failed != CURLM_OK)
		error_set(err, ERROR_INTERNAL, "HTTP transfer with %s: %s", exchange->origin,
			  curl_multi_strerror(failed));
	else if (result == CURLE_OK && exchange->headers_end) /* without them curl is content with a status line */
		done = take_answer(line->easy, exchange, ret_response, err);
	else if (cancel_check(exchange->cancel, err) == 0)
		fail(line->easy, exchange, result, words, err);
	/* the options point into the caller's memory */
	curl_easy_reset(line->easy);
	return done;
}

static void free_text(char **text)
{
	curl_free(*text);
}

/* Scheme, host and port for messages: never the user, the path or the query. */
static int set_origin(struct exchange *exchange, struct error *err)
{
	CLEANUP(free_text) char *scheme = NULL;
	CLEANUP(free_text) char *host = NULL;
	CLEANUP(free_text) char *port = NULL;

	CURLU *url = curl_url();
	if (url == NULL)
		return error_nomem(err);
	CURLUcode failed = curl_url_set(url, CURLUPART_URL, exchange->request->url, 0);
	if (failed == CURLUE_OK)
		failed = curl_url_get(url, CURLUPART_SCHEME, &scheme, 0);
	if (failed == CURLUE_OK)
		failed = curl_url_get(url, CURLUPART_HOST, &host, 0);
	if (failed == CURLUE_OK)
		failed = curl_url_get(url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT);
	curl_url_cleanup(url);
	if (failed == CURLUE_OUT_OF_MEMORY)
		return error_nomem(err);
	bool web = failed == CURLUE_OK && (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);
	if (!web)
		return http_error_set(&(struct http_failure){ .trouble = HTTP_TROUBLE_URL,
							      .detail = failed == CURLUE_OK ? "another scheme" :
											      "malformed" }, err);
	snprintf(exchange->origin, sizeof(exchange->origin), "%s://%s:%s", scheme, host, port);
	return 0;
}

/* How many transports are open in this process, and what for: libcurl's set-up is the process's, and no state of ours. */
struct use {
	atomic_uint open;
	atomic_bool curl_is_up;
};

static struct use *use(void)
{
	static struct use of_process;

	return &of_process;
}

static void init_curl(void)
{
	/* a failure shows when the first handle cannot be made */
	use()->curl_is_up = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
}

/* curl and the TLS library take milliseconds to wake up: a call that speaks to nobody does not pay for it. */
static void wake_up(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, init_curl);
}

static void free_line(struct line *line)
{
	curl_easy_cleanup(line->easy);
	curl_multi_cleanup(line->multi);
	free(line);
}

static struct line *new_line(void)
{
	struct line *line = calloc(1, sizeof(*line));

	if (line == NULL)
		return NULL;
	line->multi = curl_multi_init();
	line->easy = curl_easy_init();
	if (line->multi == NULL || line->easy == NULL) {
		free_line(line);
		return NULL;
	}
	curl_multi_setopt(line->multi, CURLMOPT_MAXCONNECTS, MAX_IDLE_CONNECTIONS);
	return line;
}

/* Thirty connections that each hold the whole file take seconds of CPU and tens of MiB. */
static const char *trust_folder(struct client *client, const struct http_request *request)
{
	if (request->ca_file != NULL || strncasecmp(request->url, "https:", strlen("https:")) != 0)
		return NULL;
	pthread_mutex_lock(&client->lock);
	if (!client->folder_looked_at) {
		const curl_version_info_data *curl = curl_version_info(CURLVERSION_NOW);
		bool by_name = curl->ssl_version != NULL && strncmp(curl->ssl_version, "OpenSSL", 7) == 0;
		if (by_name && http_trust_folder_has_all(curl->capath, curl->cainfo))
			client->folder = curl->capath;
		client->folder_looked_at = true;
	}
	const char *folder = client->folder;
	pthread_mutex_unlock(&client->lock);
	return folder;
}

/* One that was there last, else any idle one, else a new one. Connections cannot be shared between threads, so they
 * stay with their line. */
static struct line *take_line(struct client *client, const char *origin)
{
	pthread_mutex_lock(&client->lock);
	struct line **at = &client->idle;
	while (*at != NULL && strcmp((*at)->origin, origin) != 0)
		at = &(*at)->next;
	if (*at == NULL)
		at = &client->idle;
	struct line *line = *at;
	if (line != NULL)
		*at = line->next;
	pthread_mutex_unlock(&client->lock);
	return line == NULL ? new_line() : line;
}

static void put_back(struct client *client, struct line *line, const char *origin)
{
	snprintf(line->origin, sizeof(line->origin), "%s", origin);
	pthread_mutex_lock(&client->lock);
	line->next = client->idle;
	client->idle = line;
	pthread_mutex_unlock(&client->lock);
}

static int perform(void *self, const struct http_request *request, const struct cancel *cancel, struct arena *arena,
		   struct http_response *ret_response, struct error *err)
{
	CLEANUP(free_list) struct curl_slist *headers = NULL;
	struct client *client = self;
	struct exchange exchange = {
		.request = request,
		.cancel = cancel,
		.arena = arena,
		.body = BUF_INIT(request->max_answer),
	};

	if (cancel_check(cancel, err) != 0)
		return -1;
	wake_up();
	if (set_origin(&exchange, err) != 0 || make_headers(request, &headers, err) != 0)
		return -1;
	exchange.waits_for_look_ups = client->waits_for_look_ups;
	exchange.trust_folder = trust_folder(client, request);
	struct line *line = take_line(client, exchange.origin);
	if (line == NULL)
		return error_set(err, ERROR_NOMEM, "libcurl cannot be set up: out of memory");
	int done = run(line, &exchange, headers, ret_response, err);
	put_back(client, line, exchange.origin);
	buf_free(&exchange.body);
	return done;
}

static void close_client(void *self)
{
	struct client *client = self;

	while (client->idle != NULL) {
		struct line *line = client->idle;
		client->idle = line->next;
		free_line(line);
	}
	pthread_mutex_destroy(&client->lock);
	free(client);
	use()->open--;
}

int http_open(struct http_transport *ret_transport, struct error *err)
{
	struct client *client = calloc(1, sizeof(*client));

	if (client == NULL)
		return error_nomem(err);
	if (pthread_mutex_init(&client->lock, NULL) != 0) {
		free(client);
		return error_nomem(err);
	}
	*ret_transport = (struct http_transport){ .perform = perform, .close = close_client, .self = client };
	use()->open++;
	return 0;
}

void http_wait_for_look_ups(struct http_transport *transport)
{
	struct client *client = transport->self;

	client->waits_for_look_ups = true;
}

void http_forget(void)
{
	if (use()->open == 0 && atomic_exchange(&use()->curl_is_up, false))
		curl_global_cleanup();
}

void http_close(struct http_transport *transport)
{
	if (transport->close != NULL)
		transport->close(transport->self);
	*transport = (struct http_transport){ .perform = NULL };
}

const char *http_header_value(const struct http_response *response, const char *name)
{
	for (size_t i = 0; i < response->n_headers; i++) {
		if (strcasecmp(response->headers[i].name, name) == 0)
			return response->headers[i].value;
	}
	return NULL;
}
