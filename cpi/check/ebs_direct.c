/* SPDX-License-Identifier: Apache-2.0 */
/* The EBS direct APIs know no dry run: they are asked for the blocks of a snapshot that does not exist, once.
 * Fact: "ListSnapshotBlocks", EBS direct APIs Reference: ResourceNotFoundException, AccessDeniedException. */
#include <string.h>

#include "common/http.h"
#include "common/json_read.h"
#include "cpi/aws/endpoint.h"
#include "cpi/aws/identity.h"
#include "cpi/aws/retry.h"
#include "cpi/aws/sigv4.h"
#include "cpi/check/checks.h"

#define NAME "EBS direct permissions"
#define QUESTION "/snapshots/snap-0123456789abcdef0/blocks"
#define QUERY "maxResults=100"
#define MAX_ANSWER ((size_t)1024 * 1024)
#define UNTRIED "ebs:StartSnapshot, ebs:PutSnapshotBlock and ebs:CompleteSnapshot"

static int sign(struct check *check, const struct endpoint *endpoint, const char *path, struct http_header *headers,
		struct sigv4_headers *ret_added, struct error *err)
{
	struct identity *identity;
	struct identity_use use;
	int result = -1;

	if (identity_new(check->runtime, &check->config->aws, &identity, err) != 0)
		return -1;
	if (identity_get(identity, &use, err) == 0) {
		const struct sigv4_credentials credentials = {
			.access_key_id = use.credentials.access_key_id,
			.secret_access_key = use.credentials.secret_access_key,
			.session_token = arena_strdup(check->arena, use.credentials.session_token),
		};
		const struct sigv4_request request = {
			.method = "GET",
			.path = path,
			.query = QUERY,
			.headers = headers,
			.n_headers = 1,
			.service = "ebs",
			.region = endpoint->region,
			.time = identity_now_s(identity, &use),
		};
		result = sigv4_sign(&request, &credentials, check->arena, ret_added, err);
	}
	identity_free(identity);
	return result;
}

static int ask(struct check *check, struct http_response *ret_response, struct error *err)
{
	struct http_header headers[1 + SIGV4_MAX_HEADERS];
	struct sigv4_headers added;
	struct endpoint endpoint;

	if (endpoint_find(&check->config->aws, "ebs", check->arena, &endpoint, err) != 0)
		return -1;
	int trailing = endpoint.path[strlen(endpoint.path) - 1] == '/';
	const char *path = arena_printf(check->arena, "%.*s" QUESTION, (int)strlen(endpoint.path) - trailing, endpoint.path);
	const char *url =
		arena_printf(check->arena, "%.*s" QUESTION "?" QUERY, (int)strlen(endpoint.url) - trailing, endpoint.url);
	if (path == NULL || url == NULL)
		return error_nomem(err);
	headers[0] = (struct http_header){ "Host", endpoint.host };
	if (sign(check, &endpoint, path, headers, &added, err) != 0)
		return -1;
	memcpy(headers + 1, added.items, added.count * sizeof(headers[0]));
	const struct http_request request = {
		.method = "GET",
		.url = url,
		.headers = headers,
		.n_headers = 1 + added.count,
		.max_answer = MAX_ANSWER,
		.ca_file = check->config->aws.ca_file,
	};
	struct runtime *runtime = check->runtime;
	return runtime->http->perform(runtime->http->self, &request, runtime->cancel, check->arena, ret_response, err);
}

/* "ResourceNotFoundException", from the header or the body; both may have more behind a colon or before a "#". */
static const char *code_of(struct check *check, const struct http_response *response)
{
	const char *code = http_header_value(response, "x-amzn-errortype");
	const struct json *root;

	if (code == NULL && json_parse(check->arena, response->body, response->body_len, MAX_ANSWER, &root, NULL) == 0)
		code = json_text(json_get(root, "__type"));
	if (code == NULL)
		return arena_printf(check->arena, "HTTP status %d", response->status);
	const char *hash = strchr(code, '#');
	code = hash != NULL ? hash + 1 : code;
	return arena_strndup(check->arena, code, strcspn(code, ":"));
}

void check_ebs_direct(struct check *check)
{
	struct http_response response;
	struct error why;

	if (check->config->stemcell.builder != CONFIG_BUILDER_DIRECT || !check->ebs_answers)
		return;
	if (ask(check, &response, &why) != 0) {
		findings_unknown(check->findings, NAME, "see the message, and try again", "%s", why.message);
		return;
	}
	const char *code = code_of(check, &response);
	if (code == NULL)
		check->findings->incomplete = true;
	else if (response.status / 100 == 2 || strcmp(code, "ResourceNotFoundException") == 0)
		findings_ok(check->findings, NAME,
			    "ebs:ListSnapshotBlocks permitted; not tried: " UNTRIED ", which have no dry run");
	else if (retry_is_denied(code))
		findings_failed(check->findings, NAME, "allow ebs:ListSnapshotBlocks, " UNTRIED " on *",
				"ebs:ListSnapshotBlocks is denied (%s)", code);
	else
		findings_unknown(check->findings, NAME, "see AWS's code, and try again",
				 "ListSnapshotBlocks was answered with %s; not tried: " UNTRIED, code);
}
