/* SPDX-License-Identifier: Apache-2.0 */
/* The signature from the inside out: canonical request, string to sign, key, Authorization header. Credentials come
 * from cpi/aws/credentials, digests from common/digest. */
#include "cpi/aws/sigv4.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "common/buf.h"
#include "common/digest.h"

#define MAX_CANONICAL ((size_t)1024 * 1024)
#define ALGORITHM "AWS4-HMAC-SHA256"

/* A header that is signed. */
struct signed_header {
	char *name; /* lower case */
	const char *value;
	size_t index; /* as it was given: repeated ones keep their order */
};

struct signing {
	const struct sigv4_request *request;
	const struct sigv4_credentials *credentials;
	struct arena *arena;
	char date[17]; /* 20150830T123600Z */
	struct signed_header *headers;
	size_t n_headers;
	char *signed_names; /* "host;x-amz-date" */
};

void sigv4_encode(struct buf *out, const char *text, const char *also_safe)
{
	static const char hex[] = "0123456789ABCDEF";

	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;
		bool safe = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			    strchr("-_.~", c) != NULL || strchr(also_safe, c) != NULL;
		if (safe) {
			buf_char(out, (char)c);
		} else {
			buf_char(out, '%');
			buf_char(out, hex[c >> 4]);
			buf_char(out, hex[c & 15]);
		}
	}
}

/* --- canonical path ----------------------------------------------------------------------------------------------- */

/* Dot segments resolved and repeated slashes made one. The result starts with a slash. */
static char *normalise_path(struct arena *arena, const char *path)
{
	char *normal = arena_alloc(arena, strlen(path) + 2);
	if (normal == NULL)
		return NULL;
	size_t len = 0; /* of what is kept: segments, each with its slash in front */

	for (const char *at = path; *at != '\0';) {
		at += strspn(at, "/");
		size_t segment = strcspn(at, "/");
		if (segment == 2 && strncmp(at, "..", 2) == 0) {
			while (len > 0 && normal[--len] != '/')
				;
		} else if (segment > 0 && !(segment == 1 && *at == '.')) {
			normal[len++] = '/';
			memcpy(normal + len, at, segment);
			len += segment;
		}
		at += segment;
	}
	size_t given = strlen(path);
	if (len == 0 || path[given - 1] == '/')
		normal[len++] = '/';
	normal[len] = '\0';
	return normal;
}

/* --- canonical query ---------------------------------------------------------------------------------------------- */

struct parameter {
	const char *name;
	const char *value;
};

static int compare_parameters(const void *a, const void *b)
{
	const struct parameter *left = a;
	const struct parameter *right = b;
	int by_name = strcmp(left->name, right->name);

	return by_name != 0 ? by_name : strcmp(left->value, right->value);
}

static int append_query(struct buf *out, struct arena *arena, const char *query, struct error *err)
{
	if (query == NULL || *query == '\0')
		return 0;
	size_t count = 1;
	for (const char *at = query; *at != '\0'; at++)
		count += *at == '&';
	char *copy = arena_strdup(arena, query);
	struct parameter *parameters = arena_array(arena, count, sizeof(*parameters));
	if (copy == NULL || parameters == NULL)
		return error_nomem(err);

	for (size_t i = 0; i < count; i++) {
		char *end = copy + strcspn(copy, "&");
		*end = '\0';
		char *equals = strchr(copy, '=');
		if (equals != NULL)
			*equals = '\0';
		parameters[i] = (struct parameter){ .name = copy, .value = equals == NULL ? "" : equals + 1 };
		copy = end + 1;
	}
	qsort(parameters, count, sizeof(*parameters), compare_parameters);
	for (size_t i = 0; i < count; i++)
		buf_printf(out, "%s%s=%s", i == 0 ? "" : "&", parameters[i].name, parameters[i].value);
	return 0;
}

/* --- canonical headers -------------------------------------------------------------------------------------------- */

static bool is_signed(const char *name)
{
	static const char *const changed_on_the_way[] = { "authorization", "expect", "transfer-encoding", "user-agent",
							  "x-amzn-trace-id" };

	for (size_t i = 0; i < sizeof(changed_on_the_way) / sizeof(changed_on_the_way[0]); i++) {
		if (strcasecmp(name, changed_on_the_way[i]) == 0)
			return false;
	}
	return true;
}

static int compare_headers(const void *a, const void *b)
{
	const struct signed_header *left = a;
	const struct signed_header *right = b;
	int by_name = strcmp(left->name, right->name);

	if (by_name != 0)
		return by_name;
	return left->index < right->index ? -1 : 1;
}

static int add_header(struct signing *signing, const char *name, const char *value, struct error *err)
{
	char *lower = arena_strdup(signing->arena, name);

	if (lower == NULL)
		return error_nomem(err);
	for (char *c = lower; *c != '\0'; c++) {
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
	}
	signing->headers[signing->n_headers] =
		(struct signed_header){ .name = lower, .value = value, .index = signing->n_headers };
	signing->n_headers++;
	return 0;
}

/* What the caller gives, and the two that signing adds; sorted. */
static int collect_headers(struct signing *signing, struct error *err)
{
	const struct sigv4_request *request = signing->request;

	signing->headers = arena_array(signing->arena, request->n_headers + 2, sizeof(*signing->headers));
	if (signing->headers == NULL)
		return error_nomem(err);
	for (size_t i = 0; i < request->n_headers; i++) {
		const struct http_header *header = &request->headers[i];
		if (is_signed(header->name) && add_header(signing, header->name, header->value, err) != 0)
			return -1;
	}
	if (add_header(signing, "x-amz-date", signing->date, err) != 0)
		return -1;
	const char *token = signing->credentials->session_token;
	if (token != NULL && add_header(signing, "x-amz-security-token", token, err) != 0)
		return -1;
	qsort(signing->headers, signing->n_headers, sizeof(*signing->headers), compare_headers);
	return 0;
}

/* Blanks at the ends left out, those between words made one. */
static void append_trimmed(struct buf *out, const char *value)
{
	static const char blanks[] = " \t\r\n\v\f";

	value += strspn(value, blanks);
	while (*value != '\0') {
		size_t word = strcspn(value, blanks);
		buf_append(out, value, word);
		value += word;
		value += strspn(value, blanks);
		if (*value != '\0')
			buf_char(out, ' ');
	}
}

static bool repeats(const struct signing *signing, size_t i)
{
	return i > 0 && strcmp(signing->headers[i].name, signing->headers[i - 1].name) == 0;
}

static void append_headers(struct buf *out, const struct signing *signing)
{
	for (size_t i = 0; i < signing->n_headers; i++) {
		if (repeats(signing, i))
			buf_char(out, ',');
		else
			buf_printf(out, "%s%s:", i == 0 ? "" : "\n", signing->headers[i].name);
		append_trimmed(out, signing->headers[i].value);
	}
	buf_char(out, '\n');
}

static int list_names(struct signing *signing, struct error *err)
{
	struct buf names CLEANUP_BUF = BUF_INIT(MAX_CANONICAL);

	for (size_t i = 0; i < signing->n_headers; i++) {
		if (!repeats(signing, i))
			buf_printf(&names, "%s%s", i == 0 ? "" : ";", signing->headers[i].name);
	}
	if (buf_check(&names, "the list of signed headers", err) != 0)
		return -1;
	signing->signed_names = arena_strdup(signing->arena, buf_text(&names));
	return signing->signed_names == NULL ? error_nomem(err) : 0;
}

/* --- the signature ------------------------------------------------------------------------------------------------ */

static int sha256_hex(const void *data, size_t len, char ret_hex[SHA256_HEX_SIZE], struct error *err)
{
	uint8_t sum[SHA256_LEN];

	if (digest_sha256(data, len, sum, err) != 0)
		return -1;
	digest_hex(sum, sizeof(sum), ret_hex);
	return 0;
}

static int hash_canonical_request(const struct signing *signing, char ret_hex[SHA256_HEX_SIZE], struct error *err)
{
	const struct sigv4_request *request = signing->request;
	struct buf canonical CLEANUP_BUF = BUF_INIT(MAX_CANONICAL);
	char payload[SHA256_HEX_SIZE];

	const char *path = normalise_path(signing->arena, request->path);
	if (path == NULL)
		return error_nomem(err);
	buf_printf(&canonical, "%s\n", request->method);
	sigv4_encode(&canonical, path, "/");
	buf_char(&canonical, '\n');
	if (append_query(&canonical, signing->arena, request->query, err) != 0)
		return -1;
	buf_char(&canonical, '\n');
	append_headers(&canonical, signing);
	if (request->payload_sha256 == NULL && sha256_hex(request->body, request->body_len, payload, err) != 0)
		return -1;
	buf_printf(&canonical, "\n%s\n%s", signing->signed_names,
		   request->payload_sha256 == NULL ? payload : request->payload_sha256);
	if (buf_check(&canonical, "the request's URL and headers", err) != 0)
		return -1;
	return sha256_hex(canonical.data, canonical.len, ret_hex, err);
}

/* The secret is good for a day, a region and a service after four rounds. */
static int derive_key(const struct signing *signing, uint8_t ret_key[SHA256_LEN], struct error *err)
{
	char date[9];
	uint8_t key[SHA256_LEN];
	uint8_t next[SHA256_LEN];

	snprintf(date, sizeof(date), "%.8s", signing->date);
	const char *const rounds[] = { date, signing->request->region, signing->request->service, "aws4_request" };
	const char *secret = arena_printf(signing->arena, "AWS4%s", signing->credentials->secret_access_key);
	if (secret == NULL)
		return error_nomem(err);
	if (digest_hmac_sha256(secret, strlen(secret), rounds[0], strlen(rounds[0]), key, err) != 0)
		return -1;
	for (size_t i = 1; i < sizeof(rounds) / sizeof(rounds[0]); i++) {
		if (digest_hmac_sha256(key, sizeof(key), rounds[i], strlen(rounds[i]), next, err) != 0)
			return -1;
		memcpy(key, next, sizeof(key));
	}
	memcpy(ret_key, key, sizeof(key));
	return 0;
}

static int authorization(const struct signing *signing, const char **ret_value, struct error *err)
{
	char request_hash[SHA256_HEX_SIZE];
	uint8_t key[SHA256_LEN];
	uint8_t sum[SHA256_LEN];
	char signature[SHA256_HEX_SIZE];

	if (hash_canonical_request(signing, request_hash, err) != 0)
		return -1;
	const char *scope = arena_printf(signing->arena, "%.8s/%s/%s/aws4_request", signing->date,
					 signing->request->region, signing->request->service);
	const char *to_sign = scope == NULL ? NULL
					    : arena_printf(signing->arena, ALGORITHM "\n%s\n%s\n%s", signing->date,
							   scope, request_hash);
	if (to_sign == NULL)
		return error_nomem(err);
	if (derive_key(signing, key, err) != 0 ||
	    digest_hmac_sha256(key, sizeof(key), to_sign, strlen(to_sign), sum, err) != 0)
		return -1;
	digest_hex(sum, sizeof(sum), signature);
	*ret_value = arena_printf(signing->arena, ALGORITHM " Credential=%s/%s, SignedHeaders=%s, Signature=%s",
				  signing->credentials->access_key_id, scope, signing->signed_names, signature);
	return *ret_value == NULL ? error_nomem(err) : 0;
}

static int format_date(int64_t seconds, char ret_date[17], struct error *err)
{
	time_t when = (time_t)seconds;
	struct tm utc;

	if (gmtime_r(&when, &utc) == NULL || utc.tm_year < 70 || utc.tm_year > 8099)
		return error_set(err, ERROR_INTERNAL,
				 "the time to sign with is out of range: set this machine's clock");
	strftime(ret_date, 17, "%Y%m%dT%H%M%SZ", &utc);
	return 0;
}

int sigv4_sign(const struct sigv4_request *request, const struct sigv4_credentials *credentials, struct arena *arena,
	       struct sigv4_headers *ret_headers, struct error *err)
{
	struct signing signing = { .request = request, .credentials = credentials, .arena = arena };
	const char *value;

	if (format_date(request->time, signing.date, err) != 0 || collect_headers(&signing, err) != 0 ||
	    list_names(&signing, err) != 0 || authorization(&signing, &value, err) != 0)
		return -1;
	const char *date = arena_strdup(arena, signing.date);
	if (date == NULL)
		return error_nomem(err);

	struct sigv4_headers headers = { .items[0] = { "X-Amz-Date", date } };
	headers.count = 1;
	if (credentials->session_token != NULL)
		headers.items[headers.count++] =
			(struct http_header){ "X-Amz-Security-Token", credentials->session_token };
	headers.items[headers.count++] = (struct http_header){ "Authorization", value };
	*ret_headers = headers;
	return 0;
}
