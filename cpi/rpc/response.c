/* SPDX-License-Identifier: Apache-2.0 */
#include "cpi/rpc/response.h"

static const char out_of_memory[] =
	"{\"result\":null,\"error\":{\"type\":\"Unknown\",\"message\":\"out of memory\",\"ok_to_retry\":false},"
	"\"log\":\"\"}\n";

const char *response_error_type(enum error_kind kind)
{
	switch (kind) {
	case ERROR_NONE:
	case ERROR_INTERNAL:
	case ERROR_NOMEM:
		return "Unknown";
	case ERROR_INVALID_CALL:
		return "InvalidCall";
	case ERROR_API_VERSION:
		return "Bosh::Clouds::CPIAPIVersionNotSupported";
	case ERROR_NOT_SUPPORTED:
		return "Bosh::Clouds::NotSupported";
	case ERROR_NOT_IMPLEMENTED:
		return "Bosh::Clouds::NotImplemented";
	case ERROR_VM_NOT_FOUND:
		return "Bosh::Clouds::VMNotFound";
	case ERROR_VM_CREATION_FAILED:
		return "Bosh::Clouds::VMCreationFailed";
	case ERROR_NETWORK_NOT_FOUND:
		return "Bosh::Clouds::NetworkNotFound";
	case ERROR_DISK_NOT_FOUND:
		return "Bosh::Clouds::DiskNotFound";
	case ERROR_DISK_NOT_ATTACHED:
		return "Bosh::Clouds::DiskNotAttached";
	case ERROR_NO_DISK_SPACE:
		return "Bosh::Clouds::NoDiskSpace";
	case ERROR_INVALID:
	case ERROR_TOO_BIG:
	case ERROR_CONFIG:
	case ERROR_IO:
	case ERROR_TIMEOUT:
	case ERROR_CANCELLED:
	case ERROR_NETWORK:
	case ERROR_AWS:
	case ERROR_CLOUD:
	case ERROR_IMAGE:
	case ERROR_DEVICE_REFUSED:
	case ERROR_NO_DEVICE:
	case ERROR_METADATA:
	case ERROR_PROTOCOL:
	case ERROR_SANDBOX:
		return "Bosh::Clouds::CloudError";
	}
	return "Unknown";
}

bool response_ok_to_retry(const struct error *err)
{
	switch (err->kind) {
	case ERROR_NO_DISK_SPACE:
	case ERROR_DISK_NOT_ATTACHED:
	case ERROR_DISK_NOT_FOUND:
	case ERROR_VM_CREATION_FAILED:
		return err->retryable;
	default:
		return false;
	}
}

int response_result(const char *result, size_t len, struct buf *out, struct error *err)
{
	buf_str(out, "{\"result\":");
	buf_append(out, result, len);
	buf_str(out, ",\"error\":null,\"log\":\"\"}\n");
	return buf_check(out, "the answer", err);
}

static void write_members(const struct error *failure, bool ok_to_retry, struct json_writer *writer)
{
	json_member_string(writer, "type", response_error_type(failure->kind));
	json_member_string(writer, "message", failure->message);
	json_member_boolean(writer, "ok_to_retry", ok_to_retry);
}

static void write_error(const struct error *failure, struct json_writer *writer)
{
	write_members(failure, response_ok_to_retry(failure), writer);
}

static void write_action_error(const struct error *failure, struct json_writer *writer)
{
	write_members(failure, failure->retryable, writer);
	if (failure->aws_code[0] == '\0')
		return;
	json_key(writer, "aws");
	json_begin_object(writer);
	json_member_string(writer, "code", failure->aws_code);
	json_member_string(writer, "message", failure->aws_message);
	json_member_string(writer, "request_id", failure->aws_request_id);
	json_member_string(writer, "action", failure->aws_action);
	json_end_object(writer);
}

void response_action_failure(const struct error *failure, struct json_writer *writer)
{
	json_begin_object(writer);
	json_member_boolean(writer, "success", false);
	json_key(writer, "error");
	json_begin_object(writer);
	write_action_error(failure, writer);
	json_end_object(writer);
	json_end_object(writer);
}

const char *response_error(const struct error *failure, bool of_action, struct buf *out)
{
	struct json_writer writer;
	struct error err;

	buf_reset(out);
	json_writer_init(&writer, out);
	json_begin_object(&writer);
	json_key(&writer, "result");
	json_null(&writer);
	json_key(&writer, "error");
	json_begin_object(&writer);
	if (of_action)
		write_action_error(failure, &writer);
	else
		write_error(failure, &writer);
	json_end_object(&writer);
	json_member_string(&writer, "log", "");
	json_end_object(&writer);
	buf_char(out, '\n');
	return buf_check(out, "the answer", &err) == 0 ? buf_text(out) : out_of_memory;
}
