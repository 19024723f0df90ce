/* SPDX-License-Identifier: Apache-2.0 */
#include "cpi/upload_command.h"

#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/digest.h"
#include "common/io.h"
#include "common/json_write.h"
#include "common/parse.h"
#include "common/progress.h"
#include "cpi/ec2/snapshot_blocks.h"
#include "cpi/methods/undo.h"

#define METHOD "upload-image"
#define OUTPUT_MAX ((size_t)64 * 1024)
#define SIZE_MAX_GIB 16384 /* a gp3 volume's most */

/* --- options ------------------------------------------------------------------------------------------------------ */

static int read_number(const char *option, const char *text, uint64_t most, uint64_t *ret_number, struct error *err)
{
	uint64_t number;

	if (text == NULL)
		return 0;
	if (!parse_u64(text, &number) || number < 1 || number > most)
		return error_set(err, ERROR_INVALID, "%s is '%.40s', and should be a number from 1 to %llu", option, text,
				 (unsigned long long)most);
	*ret_number = number;
	return 0;
}

static int read_tags(const struct command_upload *upload, struct arena *arena, struct ec2_tags *ret_tags, struct error *err)
{
	struct ec2_tag *tags = arena_array(arena, upload->n_tags + 1, sizeof(*tags));

	if (tags == NULL)
		return error_nomem(err);
	for (size_t i = 0; i < upload->n_tags; i++) {
		const char *equals = strchr(upload->tags[i], '=');
		if (equals == NULL || equals == upload->tags[i])
			return error_set(err, ERROR_INVALID, "--tag is '%.80s', and should be KEY=VALUE", upload->tags[i]);
		tags[i].key = arena_strndup(arena, upload->tags[i], (size_t)(equals - upload->tags[i]));
		tags[i].value = equals + 1;
		if (tags[i].key == NULL)
			return error_nomem(err);
	}
	*ret_tags = (struct ec2_tags){ .items = tags, .count = upload->n_tags };
	return 0;
}

static int check_register(const struct command_upload *upload, struct error *err)
{
	if (!upload->make_ami && (upload->architecture != NULL || upload->boot_mode != NULL))
		return error_set(err, ERROR_INVALID, "%s is an AMI's: it goes with --register",
				 upload->architecture != NULL ? "--architecture" : "--boot-mode");
	return 0;
}

int upload_command_read(const struct command_line *line, struct arena *arena, struct upload_command *ret_command,
			struct error *err)
{
	const struct command_upload *upload = &line->upload;
	uint64_t connections = 0;
	struct upload_command command = {
		.request = {
			.image_path = upload->image,
			.name = upload->name,
			.description = upload->description,
			.make_ami = upload->make_ami,
			.architecture = upload->architecture,
			.boot_mode = upload->boot_mode,
			.encrypted = upload->encrypted,
			.kms_key_arn = upload->kms_key,
			.no_resume = upload->no_resume,
		},
		.skip_zero_blocks = upload->skip_zero_blocks,
		.json = line->json,
	};

	if (read_number("--size", upload->size, SIZE_MAX_GIB, &command.request.size_gib, err) != 0 ||
	    read_number("--connections", upload->connections, CONFIG_UPLOAD_CONNECTIONS_MAX, &connections, err) != 0 ||
	    read_tags(upload, arena, &command.request.tags, err) != 0 || check_register(upload, err) != 0)
		return -1;
	command.connections = (unsigned)connections;
	*ret_command = command;
	return 0;
}

/* --- the result --------------------------------------------------------------------------------------------------- */

static void write_json(const struct upload_image_result *result, struct buf *out)
{
	const struct direct_uploaded *upload = &result->upload;
	const struct uploader_result *blocks = &upload->blocks;
	struct json_writer writer;

	json_writer_init(&writer, out);
	json_begin_object(&writer);
	json_member_string(&writer, "snapshot_id", upload->snapshot_id);
	if (result->image_id != NULL)
		json_member_string(&writer, "image_id", result->image_id);
	json_member_unsigned(&writer, "size_gib", result->size_gib);
	json_member_boolean(&writer, "encrypted", upload->encrypted);
	json_member_string(&writer, "format", upload->format);
	json_member_unsigned(&writer, "image_bytes", upload->image_size);
	json_member_unsigned(&writer, "blocks", blocks->n_blocks);
	json_member_unsigned(&writer, "resumed_blocks", blocks->n_resumed);
	json_member_unsigned(&writer, "uploaded_bytes", (uint64_t)(blocks->n_blocks - blocks->n_resumed) * SNAPSHOT_BLOCK_SIZE);
	json_member_unsigned(&writer, "most_at_once", blocks->most_at_once);
	json_member_unsigned(&writer, "throttled", blocks->throttled);
	json_key(&writer, "seconds");
	json_number(&writer, blocks->seconds);
	json_end_object(&writer);
	buf_char(out, '\n');
}

static int print(const struct upload_image_result *result, bool json, struct error *err)
{
	CLEANUP_BUF struct buf out = BUF_INIT(OUTPUT_MAX);

	if (json)
		write_json(result, &out);
	else
		buf_printf(&out, "%s\n", result->image_id != NULL ? result->image_id : result->upload.snapshot_id);
	if (buf_check(&out, "the result", err) != 0)
		return -1;
	return io_write_all(STDOUT_FILENO, out.data, out.len, "standard output", err);
}

/* --- the command -------------------------------------------------------------------------------------------------- */

static void show(void *self, const struct onhost_progress *done)
{
	progress_show(self, done, NULL);
}

static void free_undo(struct undo **undo)
{
	undo_free(*undo);
}

/* As a request's: what was made stays once its id is out, and is taken back when that cannot be delivered. */
static int upload(struct call *call, const struct upload_command *command, struct error *err)
{
	struct upload_image_request request = command->request;
	struct upload_image_result result;
	struct progress progress;

	progress_init(&progress, STDERR_FILENO, false, call->runtime->clock);
	request.progress = show;
	request.self = &progress;
	int failed = upload_image(call, &request, &result, err);
	progress_end(&progress);
	if (failed == 0) {
		undo_answering(call->undo);
		failed = print(&result, command->json, err);
	}
	if (failed == 0)
		undo_answered(call->undo);
	else
		undo_run(call->undo, err);
	return failed;
}

int upload_command_run(struct setup *setup, const char *config_path, const struct upload_command *command, struct error *err)
{
	CLEANUP(free_undo) struct undo *undo = NULL;
	char request_id[UUID_SIZE];

	if (setup_config(setup, config_path, NULL, err) != 0 || setup_aws(setup, err) != 0 ||
	    digest_uuid(request_id, err) != 0 ||
	    undo_new(setup->runtime, &setup->ec2, METHOD, request_id, METHOD, &undo, err) != 0)
		return -1;
	if (command->connections != 0)
		setup->config.stemcell.upload_connections = command->connections;
	setup->config.stemcell.skip_zero_blocks |= command->skip_zero_blocks;
	struct call call = {
		.runtime = setup->runtime,
		.config = &setup->config,
		.arena = setup->arena,
		.ec2 = &setup->ec2,
		.undo = undo,
		.method = METHOD,
		.director_uuid = METHOD,
		.request_id = request_id,
	};
	log_set_request_id(setup->runtime->log, request_id);
	return upload(&call, command, err) == 0 ? EXIT_SUCCESS : -1;
}
