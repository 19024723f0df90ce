/* SPDX-License-Identifier: Apache-2.0 */
/* The story of one upload. How blocks are read, sent and recorded is cpi/upload's. */
#include "cpi/methods/direct_upload.h"

#include <inttypes.h>
#include <string.h>

#include "common/cleanup.h"
#include "cpi/aws/client.h"
#include "cpi/ec2/snapshot_blocks.h"
#include "cpi/ec2/snapshots.h"
#include "cpi/ec2/tags.h"
#include "cpi/methods/created.h"
#include "cpi/methods/image_file.h"
#include "cpi/methods/image_progress.h"

#define MIB ((uint64_t)1024 * 1024)

struct upload {
	struct call *call;
	const struct direct_upload_spec *spec;
	struct upload_state *state; /* NULL: nothing is recorded */
	char image_sha256[SHA256_HEX_SIZE];
	struct undo_step step;
	const char *snapshot_id;
	bool encrypted; /* the snapshot: the account's default counts */
	bool resumed;
};

/* --- the state ---------------------------------------------------------------------------------------------------- */

/* An access key that lasts says whose account it is; a role's is another one each time. */
static const char *lasting_key(struct call *call)
{
	const char *key, *source;

	if (aws_client_identity(call->ec2->aws, &key, &source, NULL) != 0 || strncmp(key, "ASIA", 4) == 0)
		return NULL;
	return key;
}

/* Where there is none, the upload is like one with no_resume. */
static int open_state(struct upload *upload, struct error *err)
{
	const struct direct_upload_spec *spec = upload->spec;
	struct call *call = upload->call;
	const char *endpoint = NULL;
	struct error why;

	if (spec->no_resume)
		return 0;
	if (image_file_sha256(spec->image_fd, spec->image_path, call->runtime->cancel, upload->image_sha256, err) != 0 ||
	    aws_client_endpoint(call->ec2->aws, "ebs", call->arena, &endpoint, err) != 0)
		return -1;
	const struct upload_target target = {
		.image_sha256 = upload->image_sha256,
		.endpoint = endpoint,
		.account = lasting_key(call),
		.region = call->config->aws.region,
		.description = spec->description,
		.kms_key_arn = spec->kms_key_arn,
		.purpose = arena_printf(call->arena, "%s of %s, cpi " CPI_VERSION, call->method, call->director_uuid),
		.size_gib = spec->size_gib,
		.encrypted = spec->encrypted,
		.skip_zero_blocks = call->config->stemcell.skip_zero_blocks,
	};
	if (target.purpose == NULL)
		return error_nomem(err);
	if (upload_state_open(call->runtime->clock, &target, &upload->state, &why) != 0)
		log_warn(call->runtime->log, "%s: if this upload is killed, the next one starts from the beginning", why.message);
	return 0;
}

/* What is done, or about to be undone, is not gone on with. What was found and not taken over stays for the next try. */
static void close_state(struct upload *upload)
{
	if (upload->state == NULL)
		return;
	if (upload->snapshot_id == NULL && upload_state_snapshot(upload->state) != NULL)
		upload_state_close(upload->state);
	else
		upload_state_remove(upload->state);
}

/* --- the snapshot ------------------------------------------------------------------------------------------------- */

static int is_pending(struct call *call, const char *snapshot_id, bool *ret_pending, struct error *err)
{
	const struct ec2_ids ids = { .items = &snapshot_id, .count = 1 };
	struct snapshot *snapshots;
	struct error why;
	size_t count;

	*ret_pending = false;
	if (snapshot_describe(call->ec2, call->arena, ids, (struct ec2_filters){ 0 }, &snapshots, &count, &why) == 0)
		*ret_pending = count > 0 && strcmp(snapshots[0].state, "pending") == 0;
	else if (!ec2_is_not_found(&why)) {
		if (err != NULL)
			*err = why;
		return error_prefix(err, "cannot look at snapshot %s, whose upload was broken off", snapshot_id);
	}
	return 0;
}

/* Takes over what a killed process has begun. With the new tag it is this process's: sweep leaves alone what carries another
 * than the dead one's. */
static int take_over(struct upload *upload, const char *snapshot_id, struct error *err)
{
	const struct ec2_ids ids = { .items = &snapshot_id, .count = 1 };
	struct call *call = upload->call;
	struct ec2_tags tags;

	if (undo_intend(call->undo, UNDO_SNAPSHOT, &upload->step, err) != 0 ||
	    created_tags(call->arena, upload->spec->tags, &upload->step, &tags, err) != 0)
		return -1;
	if (tags_create(call->ec2, ids, tags, err) != 0) {
		undo_forget(call->undo, &upload->step);
		return error_prefix(err, "cannot take over snapshot %s, whose upload was broken off", snapshot_id);
	}
	upload->snapshot_id = arena_strdup(call->arena, snapshot_id);
	if (upload->snapshot_id == NULL)
		return error_nomem(err);
	undo_created(call->undo, &upload->step, upload->snapshot_id);
	upload->encrypted = upload_state_encrypted(upload->state);
	upload->resumed = true;
	log_info(call->runtime->log, "going on with snapshot %s: %" PRIu32 " blocks are there from an upload that was broken off",
		 upload->snapshot_id, upload_state_count(upload->state));
	return 0;
}

static int start(struct upload *upload, struct error *err)
{
	const struct direct_upload_spec *spec = upload->spec;
	struct call *call = upload->call;
	struct started_snapshot started;
	struct error why;

	if (undo_intend(call->undo, UNDO_SNAPSHOT, &upload->step, err) != 0)
		return -1;
	struct snapshot_start_request request = {
		.size_gib = spec->size_gib,
		.description = spec->description,
		.encrypted = spec->encrypted,
		.kms_key_arn = spec->encrypted ? spec->kms_key_arn : NULL,
		.client_token = upload->step.token,
		.timeout_minutes = DIRECT_UPLOAD_TIMEOUT_MINUTES,
	};
	if (created_tags(call->arena, spec->tags, &upload->step, &request.tags, err) != 0)
		return -1;
	if (snapshot_start(call->ec2, call->arena, &request, &started, err) != 0) {
		created_not(call->undo, &upload->step, err);
		return error_prefix(err, "cannot start a snapshot");
	}
	undo_created(call->undo, &upload->step, started.id);
	upload->snapshot_id = started.id;
	upload->encrypted = spec->encrypted || started.encrypted;
	log_info(call->runtime->log, "started snapshot %s (%" PRIu64 " GiB%s)", started.id, spec->size_gib,
		 upload->encrypted ? ", encrypted" : "");
	if (upload->state != NULL && upload_state_begin(upload->state, started.id, upload->encrypted,
							DIRECT_UPLOAD_TIMEOUT_MINUTES, &why) != 0) {
		log_warn(call->runtime->log, "%s: if this upload is killed, the next one starts from the beginning", why.message);
		upload_state_remove(STEAL(upload->state));
	}
	return 0;
}

static int begin(struct upload *upload, struct error *err)
{
	const char *known = upload->state != NULL ? upload_state_snapshot(upload->state) : NULL;
	bool pending = false;

	if (known != NULL && is_pending(upload->call, known, &pending, err) != 0)
		return -1;
	return pending ? take_over(upload, known, err) : start(upload, err);
}

/* --- the blocks --------------------------------------------------------------------------------------------------- */

static void close_blocks(struct image_blocks **blocks)
{
	image_blocks_close(*blocks);
}

static void log_progress(void *self, const struct onhost_progress *progress)
{
	image_progress_log(self, progress);
}

static int check_image(const struct upload *upload, const struct onhost_written *image, struct error *err)
{
	if (upload->image_sha256[0] == '\0' || strcmp(upload->image_sha256, image->input_sha256) == 0)
		return 0;
	return error_set(err, ERROR_IMAGE, "the image %s was changed while it was uploaded; start again when nobody writes to it",
			 upload->spec->image_path);
}

static int send_blocks(struct upload *upload, struct direct_uploaded *uploaded, struct error *err)
{
	CLEANUP(close_blocks) struct image_blocks *blocks = NULL;
	const struct direct_upload_spec *spec = upload->spec;
	struct call *call = upload->call;
	struct image_progress progress = { .runtime = call->runtime, .what = "uploading stemcell" };
	const struct image_blocks_options image = {
		.onhost_path = spec->onhost_path,
		.image_path = spec->image_path,
		.encrypted = upload->encrypted,
		.skip_zero_blocks = call->config->stemcell.skip_zero_blocks,
		.max_bytes = spec->size_gib * 1024 * MIB,
	};
	struct uploader_options options = {
		.snapshot_id = upload->snapshot_id,
		.state = upload->state,
		.connections = call->config->stemcell.upload_connections,
		.just_started = !upload->resumed,
		.progress = spec->progress != NULL ? spec->progress : log_progress,
		.self = spec->progress != NULL ? spec->self : &progress,
	};
	struct onhost_written written;

	if (upload->encrypted && image.skip_zero_blocks)
		return error_set(err, ERROR_CONFIG,
				 "aws.stemcell.skip_zero_blocks does not go with encryption (snapshot %s is encrypted): blocks that "
				 "are never written read as noise; switch one of them off",
				 upload->snapshot_id);
	if (image_blocks_open(call->runtime, &image, &blocks, err) != 0 ||
	    image_blocks_size(blocks, &options.total_bytes, err) != 0)
		return -1;
	options.blocks = blocks;
	if (options.total_bytes == 0)
		options.total_bytes = spec->image_size;
	if (uploader_run(call->runtime, call->ec2, &options, &uploaded->blocks, err) != 0 ||
	    image_blocks_result(blocks, call->arena, &written, err) != 0 || check_image(upload, &written, err) != 0)
		return -1;
	uploaded->image_size = written.image_size;
	uploaded->format = written.format;
	return 0;
}

static int finish(struct upload *upload, const struct direct_uploaded *uploaded, struct error *err)
{
	const struct wait_options wait = { .just_created = true };
	const struct uploader_result *blocks = &uploaded->blocks;
	struct call *call = upload->call;
	uint64_t sent = (uint64_t)(blocks->n_blocks - blocks->n_resumed) * SNAPSHOT_BLOCK_SIZE;

	log_info(call->runtime->log,
		 "uploaded stemcell: %" PRIu64 " MiB (%s) in %" PRIu32 " blocks, %" PRIu32 " of them before; %" PRIu64
		 " MiB in %.1f s, %.0f MiB/s, at most %u at once%s",
		 uploaded->image_size / MIB, uploaded->format, blocks->n_blocks, blocks->n_resumed, sent / MIB, blocks->seconds,
		 image_progress_rate(sent, blocks->seconds), blocks->most_at_once,
		 blocks->throttled > 0 ? ", held back by AWS's request limits" : "");
	if (snapshot_complete(call->ec2, upload->snapshot_id, blocks->n_blocks, blocks->sha256, err) != 0)
		return error_prefix(err, "cannot complete snapshot %s", upload->snapshot_id);
	return snapshot_wait_completed(call->ec2, upload->snapshot_id, &wait, err);
}

int direct_upload(struct call *call, const struct direct_upload_spec *spec, struct direct_uploaded *ret_uploaded,
		  struct error *err)
{
	struct upload upload = { .call = call, .spec = spec };
	struct direct_uploaded uploaded = { 0 };

	if (open_state(&upload, err) != 0)
		return -1;
	int result = begin(&upload, err);
	if (result == 0) {
		result = send_blocks(&upload, &uploaded, err);
		if (result == 0)
			result = finish(&upload, &uploaded, err);
		if (result != 0)
			error_prefix(err, "cannot upload %s to snapshot %s", spec->image_path, upload.snapshot_id);
	}
	close_state(&upload);
	if (result != 0)
		return -1;
	uploaded.snapshot_id = upload.snapshot_id;
	uploaded.encrypted = upload.encrypted;
	*ret_uploaded = uploaded;
	return 0;
}
