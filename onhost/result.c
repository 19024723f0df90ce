/* SPDX-License-Identifier: Apache-2.0 */
#include "onhost/result.h"

#include "common/json_write.h"
#include "common/onhost_msg.h"

#define MIB 1048576.0

void result_as_written(const struct pipeline_result *result, struct onhost_written *ret_written)
{
	*ret_written = (struct onhost_written){
		.read = result->read,
		.written = result->written,
		.skipped = result->skipped,
		.image_size = result->image_size,
		.seconds = result->seconds,
		.input_sha256 = result->input_sha256,
		.image_sha256 = result->image_sha256,
		.format = result->format,
	};
}

static void image_as_json(const struct pipeline_result *result, const char *device, struct buf *text)
{
	struct json_writer writer;

	json_writer_init(&writer, text);
	json_begin_object(&writer);
	if (device != NULL)
		json_member_string(&writer, "device", device);
	json_member_unsigned(&writer, "read", result->read);
	json_member_unsigned(&writer, "written", result->written);
	json_member_unsigned(&writer, "skipped", result->skipped);
	json_member_unsigned(&writer, "image_size", result->image_size);
	json_key(&writer, "seconds");
	json_number(&writer, result->seconds);
	json_member_string(&writer, "input_sha256", result->input_sha256);
	json_member_string(&writer, "image_sha256", result->image_sha256);
	json_member_string(&writer, "format", result->format);
	json_end_object(&writer);
	buf_char(text, '\n');
}

void result_of_image(const struct pipeline_result *result, const char *what, const char *device, bool json,
		     struct buf *text)
{
	double rate = result->seconds > 0 ? (double)result->written / result->seconds / MIB : 0;

	if (json) {
		image_as_json(result, device, text);
		return;
	}
	buf_printf(text, "%s: %llu of %llu bytes, %llu left out, in %.1f s (%.0f MiB/s); %s\n", what,
		   (unsigned long long)result->written, (unsigned long long)result->image_size,
		   (unsigned long long)result->skipped, result->seconds, rate, result->format);
	buf_printf(text, "SHA-256 of the input: %s\n", result->input_sha256);
	if (result->image_sha256[0] != '\0')
		buf_printf(text, "SHA-256 of the disk image: %s\n", result->image_sha256);
}

void result_of_device(const struct device *device, bool json, struct buf *text)
{
	struct json_writer writer;

	if (!json) {
		buf_printf(text, "%s\t%s\n", device->node, device->recognised_by);
		return;
	}
	json_writer_init(&writer, text);
	json_begin_object(&writer);
	json_member_string(&writer, "device", device->node);
	json_member_string(&writer, "recognised_by", device->recognised_by);
	json_end_object(&writer);
	buf_char(text, '\n');
}

void result_of_error_as_json(const struct error *error, struct buf *text)
{
	const struct onhost_msg msg = {
		.type = ONHOST_MSG_ERROR,
		.error = { .type = error_kind_name(error->kind), .message = error->message },
	};

	/* a message of 2 KiB is far below the line's limit */
	(void)onhost_msg_encode(&msg, text, NULL);
}
