/* SPDX-License-Identifier: Apache-2.0 */
/* The signer as a filter, for comparing it with another implementation: a request as one line of JSON in, the
 * Authorization header's value as one line out. A test's tool; nothing of it is shipped. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/json_read.h"
#include "cpi/aws/sigv4.h"
#include "tests/tools/lines.h"

#define MAX_LINE ((size_t)2 * 1024 * 1024) /* a block of a snapshot, in hexadecimal, has 1 MiB */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static unsigned char *decode_hex(struct arena *arena, const char *hex, size_t *ret_len)
{
	size_t len = hex == NULL ? 0 : strlen(hex) / 2;
	unsigned char *bytes = arena_alloc(arena, len + 1);

	for (size_t i = 0; bytes != NULL && i < len; i++)
		bytes[i] = (unsigned char)(hex_digit(hex[2 * i]) * 16 + hex_digit(hex[2 * i + 1]));
	*ret_len = len;
	return bytes;
}

static struct http_header *read_headers(struct arena *arena, const struct json *list)
{
	struct http_header *headers = arena_array(arena, list->count + 1, sizeof(*headers));

	for (size_t i = 0; headers != NULL && i < list->count; i++) {
		const struct json *pair = json_at(list, i);
		headers[i] = (struct http_header){ json_text(json_at(pair, 0)), json_text(json_at(pair, 1)) };
	}
	return headers;
}

static int sign_line(struct arena *arena, const char *line, size_t len, struct error *err)
{
	const struct json *root;

	if (json_parse(arena, line, len, MAX_LINE, &root, err) != 0)
		return -1;
	const struct json *headers = json_get(root, "headers");
	struct sigv4_request request = {
		.method = json_text(json_get(root, "method")),
		.path = json_text(json_get(root, "path")),
		.query = json_text(json_get(root, "query")),
		.payload_sha256 = json_text(json_get(root, "payload_sha256")),
		.service = json_text(json_get(root, "service")),
		.region = json_text(json_get(root, "region")),
	};
	struct sigv4_credentials credentials = {
		.access_key_id = json_text(json_get(root, "access_key_id")),
		.secret_access_key = json_text(json_get(root, "secret_access_key")),
		.session_token = json_text(json_get(root, "session_token")),
	};
	request.body = decode_hex(arena, json_text(json_get(root, "body_hex")), &request.body_len);
	if (request.method == NULL || request.path == NULL || request.service == NULL || request.region == NULL ||
	    credentials.access_key_id == NULL || credentials.secret_access_key == NULL || request.body == NULL ||
	    !json_is(headers, JSON_ARRAY) || !json_int(json_get(root, "time"), &request.time))
		return error_set(err, ERROR_INVALID, "not a request: %.*s", (int)len, line);
	request.n_headers = headers->count;
	request.headers = read_headers(arena, headers);
	if (request.headers == NULL)
		return error_nomem(err);

	struct sigv4_headers added;
	if (sigv4_sign(&request, &credentials, arena, &added, err) != 0)
		return -1;
	puts(added.items[added.count - 1].value);
	return 0;
}

int main(void)
{
	return lines_answer("sign_driver", 16 * MAX_LINE, sign_line);
}
