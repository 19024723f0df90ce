/* SPDX-License-Identifier: Apache-2.0 */
#include "cpi/rpc/request.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "cpi/rpc/args.h"

#define READ_SIZE ((size_t)64 * 1024)
#define MAX_QUOTED 200 /* bytes of a foreign text that a message repeats */

/* --- reading --- */

/* Until fd can be read or a signal came. */
static int wait_readable(int fd, const struct cancel *cancel, struct error *err)
{
	struct pollfd fds[] = { { .fd = fd, .events = POLLIN }, { .fd = -1, .events = POLLIN } };

	if (cancel != NULL)
		fds[1].fd = cancel->read_fd;
	for (;;) {
		if (cancel_check(cancel, err) != 0)
			return error_prefix(err, "the request has not been read to its end");
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return error_errno(err, ERROR_IO, errno, "cannot wait for the request on standard input");
		if (fds[0].revents != 0)
			return 0;
	}
}

/* The count of bytes, 0 at the end, -1 on failure. */
static ssize_t read_some(int fd, const struct cancel *cancel, void *data, size_t size, struct error *err)
{
	for (;;) {
		if (wait_readable(fd, cancel, err) != 0)
			return -1;
		ssize_t got = read(fd, data, size);
		if (got >= 0)
			return got;
		if (errno != EINTR && errno != EAGAIN)
			return error_errno(err, ERROR_IO, errno, "cannot read the request from standard input");
	}
}

static int drain(int fd, const struct cancel *cancel, struct error *err)
{
	char thrown_away[16 * 1024];
	ssize_t got;

	do {
		got = read_some(fd, cancel, thrown_away, sizeof(thrown_away), err);
	} while (got > 0);
	return got < 0 ? -1 : 0;
}

int request_read(int fd, const struct cancel *cancel, struct buf *text, struct error *err)
{
	for (;;) {
		/* the last byte of room tells "exactly the maximum" from "more" */
		size_t room = REQUEST_MAX_BYTES + 1 - text->len;
		char *to = buf_reserve(text, room < READ_SIZE ? room : READ_SIZE);
		if (to == NULL)
			return error_nomem(err);
		ssize_t got = read_some(fd, cancel, to, room < READ_SIZE ? room : READ_SIZE, err);
		if (got < 0)
			return -1;
		if (got == 0)
			return 0;
		buf_commit(text, (size_t)got);
		if (text->len <= REQUEST_MAX_BYTES)
			continue;
		if (drain(fd, cancel, err) != 0)
			return -1;
		return error_set(err, ERROR_INVALID_CALL,
				 "Request cannot be deserialized, details: it is larger than %zu MiB",
				 REQUEST_MAX_BYTES / 1024 / 1024);
	}
}

/* --- parsing --- */

static int parse_root(const char *text, size_t len, struct arena *arena, const struct json **ret_root,
		      struct error *err)
{
	const struct json *root;

	if (json_parse(arena, text, len, REQUEST_MAX_BYTES, &root, err) != 0) {
		if (err->kind == ERROR_NOMEM)
			return -1;
		err->kind = ERROR_INVALID_CALL;
		return error_prefix(err, "Request cannot be deserialized, details");
	}
	if (root->type != JSON_OBJECT)
		return error_set(err, ERROR_INVALID_CALL,
				 "Request cannot be deserialized, details: it should be a JSON object, and is %s",
				 args_type_name(root));
	*ret_root = root;
	return 0;
}

static int parse_method(const struct json *root, bool (*known)(const char *method), struct request *request,
			struct error *err)
{
	const struct json *method = json_get(root, "method");

	if (!json_is(method, JSON_STRING))
		return error_set(err, ERROR_INVALID_CALL, "Method must be a String, got: %s", args_type_name(method));
	const char *name = json_text(method);
	if (name == NULL || !known(name))
		return error_set(err, ERROR_NOT_IMPLEMENTED, "Method is not known, got: '%.*s'", MAX_QUOTED,
				 method->text);
	request->method = name;
	return 0;
}

/* An integer without fraction or exponent, of any size. */
static bool read_version(const struct json *value, int *ret_version)
{
	int64_t number;

	if (json_int(value, &number)) {
		*ret_version = number > INT_MAX ? INT_MAX : number < 1 ? 1 : (int)number;
		return true;
	}
	if (!json_is(value, JSON_NUMBER) || strpbrk(value->text, ".eE") != NULL)
		return false;
	*ret_version = value->text[0] == '-' ? 1 : INT_MAX;
	return true;
}

static int parse_api_version(const struct json *root, struct request *request, struct error *err)
{
	const struct json *version = json_get(root, "api_version");

	request->api_version = 1;
	if (version != NULL && !read_version(version, &request->api_version))
		return error_set(err, ERROR_INVALID_CALL, "CPI api_version requested must be an Integer, got: %s",
				 args_type_name(version));
	return 0;
}

/* Where the request id is not usable (the Director sends a string), there is none; that is no reason to refuse. */
static const char *find_request_id(const struct json *context)
{
	const struct json *id = json_get(context, "request_id");

	if (json_is(id, JSON_NUMBER))
		return id->text;
	const char *text = json_text(id);
	return text == NULL || text[0] == '\0' ? NULL : text;
}

static int parse_context(const struct json *root, struct request *request, struct error *err)
{
	request->director_uuid = json_text(json_get(request->context, "director_uuid"));
	if (!json_is(request->context, JSON_OBJECT) || request->director_uuid == NULL)
		return error_set(err, ERROR_INVALID_CALL,
				 "Request should include context with director uuid, got: %s as context, %s as "
				 "director_uuid",
				 args_type_name(json_get(root, "context")),
				 args_type_name(json_get(request->context, "director_uuid")));

	const struct json *version = json_path(request->context, "vm", "stemcell", "api_version", NULL);
	request->stemcell_api_version = 1;
	if (version == NULL || version->type == JSON_NULL)
		return 0;
	if (!read_version(version, &request->stemcell_api_version))
		return error_set(err, ERROR_INVALID_CALL,
				 "Request should include an Integer as context.vm.stemcell.api_version, got: %s",
				 args_type_name(version));
	return 0;
}

int request_parse(const char *text, size_t len, bool (*known)(const char *method), struct arena *arena,
		  struct request *ret_request, struct error *err)
{
	const struct json *root = NULL;

	*ret_request = (struct request){ .api_version = 1, .stemcell_api_version = 1 };
	if (parse_root(text, len, arena, &root, err) != 0)
		return -1;
	ret_request->context = json_get(root, "context");
	ret_request->request_id = find_request_id(ret_request->context);
	if (parse_method(root, known, ret_request, err) != 0)
		return -1;
	ret_request->arguments = json_get(root, "arguments");
	if (!json_is(ret_request->arguments, JSON_ARRAY))
		return error_set(err, ERROR_INVALID_CALL, "Arguments must be an Array, got: %s",
				 args_type_name(ret_request->arguments));
	if (parse_api_version(root, ret_request, err) != 0)
		return -1;
	return parse_context(root, ret_request, err);
}
