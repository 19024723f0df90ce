/* SPDX-License-Identifier: Apache-2.0 */
/* The session's messages as JSON lines, there and back. What may be said when, and what follows from it, is for the two
 * ends to know; the framing is in onhost_frames.c. */
#include "common/onhost_msg.h"

#include <string.h>

#include "common/json_read.h"
#include "common/json_write.h"
#include "common/parse.h"

/* Beyond these the sums that the ends make of them could overflow. */
#define MAX_SIZE_MIB ((uint64_t)INT64_MAX >> 20)
#define MAX_DEVICE_TIMEOUT_MS ((uint64_t)24 * 60 * 60 * 1000)
/* The name's place in the vendor's bytes of an EBS controller has 32. */
#define MAX_DEVICE_NAME 32
/* A release's number, as it may stand in messages: "1.2.3~rc1+deb12". */
#define RELEASE_MAX 40
#define RELEASE_CHARACTERS "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.~+-"

/* --- writing ------------------------------------------------------------------------------------------------------ */

/* An absent text is an empty one: the other side asks for strings. */
static void put_text(struct json_writer *writer, const char *key, const char *text)
{
	json_member_string(writer, key, text == NULL ? "" : text);
}

static void put_write(struct json_writer *writer, const struct onhost_write *write)
{
	put_text(writer, "op", "write");
	put_text(writer, "volume_id", write->volume_id);
	put_text(writer, "device_name", write->device_name);
	json_member_unsigned(writer, "size_mib", write->size_mib);
	json_member_boolean(writer, "fresh", write->fresh);
	json_member_boolean(writer, "encrypted", write->encrypted);
	json_member_boolean(writer, "digest", write->digest);
	json_member_boolean(writer, "skip_zero_blocks", write->skip_zero_blocks);
	json_member_unsigned(writer, "device_timeout_ms", write->device_timeout_ms);
	json_key(writer, "image");
	json_begin_object(writer);
	put_text(writer, "source", "stream");
	json_end_object(writer);
}

static void put_hello_ok(struct json_writer *writer, const struct onhost_hello_ok *hello)
{
	put_text(writer, "ok", "hello");
	json_member_integer(writer, "version", hello->version);
	put_text(writer, "release", hello->release);
	put_text(writer, "instance_id", hello->instance_id);
	put_text(writer, "region", hello->region);
	put_text(writer, "availability_zone", hello->availability_zone);
	put_text(writer, "architecture", hello->architecture);
	put_text(writer, "metadata_error", hello->metadata_error);
	put_text(writer, "devices_error", hello->devices_error);
}

static void put_seconds(struct json_writer *writer, double seconds)
{
	json_key(writer, "seconds");
	json_number(writer, seconds);
}

static void put_progress(struct json_writer *writer, const struct onhost_progress *progress)
{
	put_text(writer, "event", "progress");
	json_member_unsigned(writer, "read", progress->read);
	json_member_unsigned(writer, "written", progress->written);
	json_member_unsigned(writer, "skipped", progress->skipped);
	json_member_unsigned(writer, "total", progress->total);
	put_seconds(writer, progress->seconds);
}

static void put_written(struct json_writer *writer, const struct onhost_written *written)
{
	put_text(writer, "ok", "written");
	json_member_unsigned(writer, "read", written->read);
	json_member_unsigned(writer, "written", written->written);
	json_member_unsigned(writer, "skipped", written->skipped);
	json_member_unsigned(writer, "image_size", written->image_size);
	put_seconds(writer, written->seconds);
	put_text(writer, "input_sha256", written->input_sha256);
	put_text(writer, "image_sha256", written->image_sha256);
	put_text(writer, "format", written->format);
}

static void put_error(struct json_writer *writer, const struct onhost_error *error)
{
	json_key(writer, "error");
	json_begin_object(writer);
	put_text(writer, "type", error->type);
	put_text(writer, "message", error->message);
	json_end_object(writer);
}

static int put_members(struct json_writer *writer, const struct onhost_msg *msg, struct error *err)
{
	switch (msg->type) {
	case ONHOST_MSG_HELLO:
		put_text(writer, "op", "hello");
		json_member_integer(writer, "version", msg->hello.version);
		put_text(writer, "release", msg->hello.release);
		return 0;
	case ONHOST_MSG_WRITE:
		put_write(writer, &msg->write);
		return 0;
	case ONHOST_MSG_END:
		put_text(writer, "op", "end");
		put_text(writer, "sha256", msg->end_sha256);
		return 0;
	case ONHOST_MSG_HELLO_OK:
		put_hello_ok(writer, &msg->hello_ok);
		return 0;
	case ONHOST_MSG_READY:
		put_text(writer, "ok", "ready");
		put_text(writer, "device", msg->ready.device);
		put_text(writer, "recognised_by", msg->ready.recognised_by);
		return 0;
	case ONHOST_MSG_PROGRESS:
		put_progress(writer, &msg->progress);
		return 0;
	case ONHOST_MSG_WRITTEN:
		put_written(writer, &msg->written);
		return 0;
	case ONHOST_MSG_ERROR:
		put_error(writer, &msg->error);
		return 0;
	case ONHOST_MSG_UNKNOWN:
	default:
		return error_set(err, ERROR_INTERNAL, "a message of the session that has no form to send it in");
	}
}

int onhost_msg_encode(const struct onhost_msg *msg, struct buf *out, struct error *err)
{
	struct buf line CLEANUP_BUF = BUF_INIT(ONHOST_LINE_MAX);
	struct json_writer writer;

	json_writer_init(&writer, &line);
	json_begin_object(&writer);
	if (put_members(&writer, msg, err) != 0)
		return -1;
	json_end_object(&writer);
	buf_char(&line, '\n');
	if (buf_check(&line, "a message of the session", err) != 0)
		return -1;
	buf_append(out, line.data, line.len);
	return buf_check(out, "what is to be sent in the session", err);
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

/* Where the fields of one message come from. A bad one is remembered (the first), and asked for once, at the end. */
struct fields {
	const struct json *object;
	const char *message; /* its name, for errors */
	bool bad;
	struct error *err;
};

static void bad_field(struct fields *fields, const char *name, const char *why)
{
	if (fields->bad)
		return;
	fields->bad = true;
	error_set(fields->err, ERROR_PROTOCOL, "the session's message \"%s\" is refused: %s %s", fields->message, name,
		  why);
}

/* NULL, and a bad field, when it is not there. */
static const struct json *required(struct fields *fields, const char *name)
{
	const struct json *value = json_get(fields->object, name);

	if (value == NULL)
		bad_field(fields, name, "is missing");
	return value;
}

static const char *text_of(struct fields *fields, const char *name, const struct json *value)
{
	const char *text = json_text(value);

	if (text != NULL)
		return text;
	if (value != NULL)
		bad_field(fields, name, "is not a string");
	return "";
}

static const char *get_text(struct fields *fields, const char *name)
{
	return text_of(fields, name, required(fields, name));
}

static const char *get_optional_text(struct fields *fields, const char *name)
{
	return text_of(fields, name, json_get(fields->object, name));
}

static uint64_t count_of(struct fields *fields, const char *name, const struct json *value, uint64_t max)
{
	int64_t number;

	if (value == NULL)
		return 0;
	if (!json_int(value, &number) || number < 0) {
		bad_field(fields, name, "is not an integer of 0 or more");
		return 0;
	}
	if ((uint64_t)number > max) {
		bad_field(fields, name, "is too large");
		return 0;
	}
	return (uint64_t)number;
}

static uint64_t get_count(struct fields *fields, const char *name)
{
	return count_of(fields, name, required(fields, name), INT64_MAX);
}

static double get_seconds(struct fields *fields)
{
	const struct json *value = required(fields, "seconds");
	double seconds = 0;

	if (value != NULL && (!json_double(value, &seconds) || seconds < 0)) {
		bad_field(fields, "seconds", "is not a number of 0 or more");
		return 0;
	}
	return seconds;
}

static bool flag_of(struct fields *fields, const char *name, const struct json *value)
{
	if (value != NULL && !json_is(value, JSON_BOOL))
		bad_field(fields, name, "is neither true nor false");
	return json_true(value);
}

static bool get_flag(struct fields *fields, const char *name)
{
	return flag_of(fields, name, required(fields, name));
}

static bool get_optional_flag(struct fields *fields, const char *name)
{
	return flag_of(fields, name, json_get(fields->object, name));
}

static bool is_sha256(const char *text)
{
	return strlen(text) == SHA256_HEX_SIZE - 1 && strspn(text, "0123456789abcdef") == SHA256_HEX_SIZE - 1;
}

static const char *get_sha256(struct fields *fields, const char *name)
{
	const char *text = get_text(fields, name);

	if (!is_sha256(text))
		bad_field(fields, name, "is not 64 lower-case hexadecimal digits");
	return text;
}

static bool is_device_name(const char *text)
{
	static const char dir[] = "/dev/";
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789";

	if (strncmp(text, dir, strlen(dir)) != 0 || strlen(text) > MAX_DEVICE_NAME)
		return false;
	const char *name = text + strlen(dir);
	return *name != '\0' && name[strspn(name, allowed)] == '\0';
}

static void read_write(struct fields *fields, struct onhost_write *write)
{
	write->volume_id = get_text(fields, "volume_id");
	if (!parse_aws_id(write->volume_id, "vol-"))
		bad_field(fields, "volume_id", "is not a volume's id (vol- and 8 or 17 hexadecimal digits)");
	write->device_name = get_text(fields, "device_name");
	if (!is_device_name(write->device_name))
		bad_field(fields, "device_name", "is not /dev/ and a name of lower-case letters and digits");
	write->size_mib = count_of(fields, "size_mib", required(fields, "size_mib"), MAX_SIZE_MIB);
	if (write->size_mib == 0)
		bad_field(fields, "size_mib", "is 0");
	write->fresh = get_flag(fields, "fresh");
	write->encrypted = get_flag(fields, "encrypted");
	write->digest = get_optional_flag(fields, "digest");
	write->skip_zero_blocks = get_optional_flag(fields, "skip_zero_blocks");
	write->device_timeout_ms = count_of(fields, "device_timeout_ms", json_get(fields->object, "device_timeout_ms"),
					    MAX_DEVICE_TIMEOUT_MS);

	/* a path here would let whoever may start us by sudo read any file */
	const char *source = json_text(json_get(required(fields, "image"), "source"));
	if (source == NULL || strcmp(source, "stream") != 0)
		bad_field(fields, "image", "is not {\"source\":\"stream\"}, the one source that there is");
}

static void read_end(struct fields *fields, char sum[SHA256_HEX_SIZE])
{
	const char *text = get_sha256(fields, "sha256");

	if (!fields->bad)
		memcpy(sum, text, SHA256_HEX_SIZE);
}

/* Another version may say it otherwise: then it is as good as not said. */
static const char *release_if_said(const struct fields *fields)
{
	const char *release = json_text(json_get(fields->object, "release"));
	size_t length = release == NULL ? 0 : strlen(release);

	return length > 0 && length <= RELEASE_MAX && strspn(release, RELEASE_CHARACTERS) == length ? release : "";
}

static void read_hello_ok(struct fields *fields, struct onhost_hello_ok *hello)
{
	hello->version = (int64_t)get_count(fields, "version");
	if (hello->version != ONHOST_PROTOCOL_VERSION) {
		hello->release = release_if_said(fields);
		hello->instance_id = hello->region = "";
		hello->availability_zone = hello->architecture = "";
		hello->metadata_error = hello->devices_error = "";
		return;
	}
	hello->release = get_text(fields, "release");
	hello->instance_id = get_text(fields, "instance_id");
	if (*hello->instance_id != '\0' && !parse_aws_id(hello->instance_id, "i-"))
		bad_field(fields, "instance_id", "is not an instance's id (i- and 8 or 17 hexadecimal digits)");
	hello->region = get_text(fields, "region");
	hello->availability_zone = get_text(fields, "availability_zone");
	hello->architecture = get_text(fields, "architecture");
	hello->metadata_error = get_optional_text(fields, "metadata_error");
	hello->devices_error = get_optional_text(fields, "devices_error");
}

static void read_progress(struct fields *fields, struct onhost_progress *progress)
{
	progress->read = get_count(fields, "read");
	progress->written = get_count(fields, "written");
	progress->skipped = get_count(fields, "skipped");
	progress->total = get_count(fields, "total");
	progress->seconds = get_seconds(fields);
}

static void read_written(struct fields *fields, struct onhost_written *written)
{
	written->read = get_count(fields, "read");
	written->written = get_count(fields, "written");
	written->skipped = get_count(fields, "skipped");
	written->image_size = get_count(fields, "image_size");
	written->seconds = get_seconds(fields);
	written->input_sha256 = get_sha256(fields, "input_sha256");
	written->image_sha256 = get_optional_text(fields, "image_sha256");
	if (*written->image_sha256 != '\0' && !is_sha256(written->image_sha256))
		bad_field(fields, "image_sha256", "is not 64 lower-case hexadecimal digits");
	written->format = get_text(fields, "format");
}

static void read_error(const struct fields *outer, struct onhost_error *error, bool *ret_bad)
{
	struct fields fields = { .object = json_get(outer->object, "error"), .message = "error", .err = outer->err };

	if (!json_is(fields.object, JSON_OBJECT))
		bad_field(&fields, "error", "is not an object");
	error->type = get_text(&fields, "type");
	error->message = get_text(&fields, "message");
	*ret_bad = fields.bad;
}

static void read_fields(struct fields *fields, struct onhost_msg *msg)
{
	switch (msg->type) {
	case ONHOST_MSG_HELLO:
		msg->hello.version = (int64_t)get_count(fields, "version");
		msg->hello.release = release_if_said(fields);
		return;
	case ONHOST_MSG_WRITE:
		read_write(fields, &msg->write);
		return;
	case ONHOST_MSG_END:
		read_end(fields, msg->end_sha256);
		return;
	case ONHOST_MSG_HELLO_OK:
		read_hello_ok(fields, &msg->hello_ok);
		return;
	case ONHOST_MSG_READY:
		msg->ready.device = get_text(fields, "device");
		msg->ready.recognised_by = get_text(fields, "recognised_by");
		return;
	case ONHOST_MSG_PROGRESS:
		read_progress(fields, &msg->progress);
		return;
	case ONHOST_MSG_WRITTEN:
		read_written(fields, &msg->written);
		return;
	case ONHOST_MSG_ERROR:
		read_error(fields, &msg->error, &fields->bad);
		return;
	case ONHOST_MSG_UNKNOWN:
	default:
		msg->unknown = fields->message;
	}
}

/* Which of the four kinds of message it is, and its name in that kind. */
static int find_kind(const struct json *object, const char **ret_kind, const char **ret_name, struct error *err)
{
	static const char *const kinds[] = { "op", "ok", "event", "error" };
	const char *kind = NULL;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (json_get(object, kinds[i]) == NULL)
			continue;
		if (kind != NULL)
			return error_set(err, ERROR_PROTOCOL, "a message of the session has both %s and %s", kind,
					 kinds[i]);
		kind = kinds[i];
	}
	if (kind == NULL)
		return error_set(err, ERROR_PROTOCOL, "a message of the session has none of op, ok, event and error");
	const char *name = strcmp(kind, "error") == 0 ? "error" : json_text(json_get(object, kind));
	if (name == NULL)
		return error_set(err, ERROR_PROTOCOL, "a message of the session has an %s that is not a string", kind);
	*ret_kind = kind;
	*ret_name = name;
	return 0;
}

static enum onhost_msg_type find_type(const char *kind, const char *name)
{
	static const struct {
		const char *kind;
		const char *name;
		enum onhost_msg_type type;
	} types[] = {
		{ "op", "hello", ONHOST_MSG_HELLO },       { "op", "write", ONHOST_MSG_WRITE },
		{ "op", "end", ONHOST_MSG_END },           { "ok", "hello", ONHOST_MSG_HELLO_OK },
		{ "ok", "ready", ONHOST_MSG_READY },       { "event", "progress", ONHOST_MSG_PROGRESS },
		{ "ok", "written", ONHOST_MSG_WRITTEN },   { "error", "error", ONHOST_MSG_ERROR },
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (strcmp(types[i].kind, kind) == 0 && strcmp(types[i].name, name) == 0)
			return types[i].type;
	}
	return ONHOST_MSG_UNKNOWN;
}

/* Malformed JSON breaks the protocol; that memory ran out does not. */
static int parse_line(struct arena *arena, const char *line, size_t len, const struct json **ret_object,
		      struct error *err)
{
	struct error inner;

	if (json_parse(arena, line, len, ONHOST_LINE_MAX, ret_object, &inner) != 0) {
		bool foreign = inner.kind == ERROR_INVALID || inner.kind == ERROR_TOO_BIG;
		return error_set(err, foreign ? ERROR_PROTOCOL : inner.kind,
				 "what came in place of a message of the session is refused: %s", inner.message);
	}
	if (!json_is(*ret_object, JSON_OBJECT))
		return error_set(err, ERROR_PROTOCOL, "a message of the session is not a JSON object");
	return 0;
}

int onhost_msg_decode(struct arena *arena, const char *line, size_t len, struct onhost_msg *ret_msg,
		      struct error *err)
{
	const struct json *object = NULL;
	const char *kind = "";
	const char *name = "";

	if (parse_line(arena, line, len, &object, err) != 0 || find_kind(object, &kind, &name, err) != 0)
		return -1;
	struct fields fields = { .object = object, .message = name, .err = err };
	struct onhost_msg msg = { .type = find_type(kind, name) };
	read_fields(&fields, &msg);
	if (fields.bad)
		return -1;
	*ret_msg = msg;
	return 0;
}
