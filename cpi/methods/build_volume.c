/* SPDX-License-Identifier: Apache-2.0 */
/* The build volume's life up to its deletion. What becomes of it when something fails is undo.c's. */
#include "cpi/methods/build_volume.h"

#include <inttypes.h>
#include <string.h>

#include "cpi/ec2/tags.h"
#include "cpi/ec2/volumes.h"
#include "cpi/methods/created.h"
#include "cpi/methods/device_names.h"
#include "cpi/methods/image_progress.h"

#define DEVICE_TIMEOUT_MS ((int64_t)60 * 1000) /* DEVICE_POLL_TIMEOUT of the original */
#define DEVICE_LEAST_MS 5000 /* however tests shorten waits: a device takes what it takes */
#define ATTACH_LIMIT_MS ((int64_t)60 * 1000)
#define MIB ((uint64_t)1024 * 1024)

/* --- creating --- */

int build_volume_create(struct call *call, const struct build_volume_spec *spec, struct build_volume *ret_volume,
			struct error *err)
{
	struct build_volume made = { .size_gib = spec->size_gib };
	const struct wait_options wait = { .just_created = true };
	struct volume volume;

	if (undo_intend(call->undo, UNDO_VOLUME, &made.step, err) != 0)
		return -1;
	struct volume_create_request request = {
		.size_gib = spec->size_gib,
		.availability_zone = spec->availability_zone,
		.type = "gp3",
		.encrypted = spec->encrypted,
		.kms_key_id = spec->encrypted ? spec->kms_key_arn : NULL,
	};
	if (created_volume(call, &made.step, spec->tags, &request, &volume, err) != 0)
		return error_prefix(err, "cannot create the volume to build the stemcell on");
	made.id = volume.id;
	made.encrypted = spec->encrypted || volume.encrypted;
	log_info(call->runtime->log, "created volume %s (%" PRIu64 " GiB, gp3%s) in %s", made.id, made.size_gib,
		 made.encrypted ? ", encrypted" : "", spec->availability_zone);
	if (volume_wait_available(call->ec2, made.id, &wait, err) != 0)
		return -1;
	*ret_volume = made;
	return 0;
}

/* --- attaching --- */

static bool is_not_ready(const struct error *err)
{
	return err->kind == ERROR_AWS &&
	       (strcmp(err->aws_code, "IncorrectState") == 0 || strcmp(err->aws_code, "VolumeInUse") == 0);
}

/* EC2 may have shown the volume as available and not mean it yet. */
static int attach_as(struct call *call, const struct build_volume *volume, const char *instance_id, const char *device_name,
		     struct error *err)
{
	const struct clock *clock = call->runtime->clock;
	struct deadline deadline = deadline_in(clock, ATTACH_LIMIT_MS);
	struct error why;

	while (volume_attach(call->ec2, volume->id, instance_id, device_name, &why) != 0) {
		if (!is_not_ready(&why) || deadline_passed(clock, deadline)) {
			*err = why;
			return -1;
		}
		if (deadline_sleep(clock, deadline, 1000, call->runtime->cancel, err) != 0)
			return -1;
	}
	return 0;
}

int build_volume_attach(struct call *call, struct build_volume *volume, const struct instance *instance,
			struct error *err)
{
	const struct wait_options wait = { .just_created = true };
	struct device_names names;
	char name[DEVICE_NAME_SIZE];

	device_names_of(instance, &names);
	for (;;) {
		if (!device_names_next(&names, false, name))
			return error_set(err, ERROR_CLOUD,
					 "instance %s has no free device name from /dev/sdf to /dev/sdp; detach volumes that are not needed",
					 instance->id);
		volume->device_name = arena_strdup(call->arena, name);
		if (volume->device_name == NULL)
			return error_nomem(err);
		if (attach_as(call, volume, instance->id, volume->device_name, err) == 0)
			break;
		if (!device_names_lost(err))
			return error_prefix(err, "cannot attach volume %s to instance %s as %s", volume->id, instance->id,
					    volume->device_name);
		device_names_take(&names, name);
	}
	volume->instance_id = instance->id;
	return volume_wait_attached(call->ec2, volume->id, instance->id, &wait, err);
}

/* --- writing --- */

struct watcher {
	struct call *call;
	const struct build_volume *volume;
	struct image_progress progress;
};

static void saw_device(void *self, const struct onhost_ready *ready)
{
	struct watcher *watcher = self;
	log_info(watcher->call->runtime->log, "volume %s is %s here (by %s)", watcher->volume->id, ready->device,
		 ready->recognised_by);
}

static void saw_progress(void *self, const struct onhost_progress *progress)
{
	struct watcher *watcher = self;
	image_progress_log(&watcher->progress, progress);
}

static uint64_t device_timeout_ms(const struct clock *clock)
{
	double scaled = (double)DEVICE_TIMEOUT_MS * clock->scale;
	return scaled > DEVICE_LEAST_MS ? (uint64_t)scaled : DEVICE_LEAST_MS;
}

int build_volume_write(struct call *call, struct builder *builder, const struct build_volume *volume, int image_fd,
		       const char *image_path, struct error *err)
{
	struct watcher watcher = {
		.call = call,
		.volume = volume,
		.progress = { .runtime = call->runtime, .what = "writing stemcell" },
	};
	const struct builder_image image = {
		.volume_id = volume->id,
		.device_name = volume->device_name,
		.size_mib = volume->size_gib * 1024,
		.encrypted = volume->encrypted,
		.skip_zero_blocks = call->config->stemcell.skip_zero_blocks,
		.device_timeout_ms = device_timeout_ms(call->runtime->clock),
		.fd = image_fd,
		.path = image_path,
		.ready = saw_device,
		.progress = saw_progress,
		.self = &watcher,
	};
	struct onhost_written written;

	if (image.encrypted && image.skip_zero_blocks)
		return error_set(err, ERROR_CONFIG,
				 "aws.stemcell.skip_zero_blocks does not go with encryption (volume %s is encrypted): blocks that are "
				 "never written read as noise; switch one of them off",
				 volume->id);
	if (builder_write(builder, &image, &written, err) != 0)
		return error_prefix(err, "cannot write the stemcell %s to volume %s", image_path, volume->id);
	log_info(call->runtime->log,
		 "wrote stemcell: %" PRIu64 " MiB (%s; %" PRIu64 " MiB written, %" PRIu64 " MiB left out) in %.1f s, %.0f MiB/s",
		 written.image_size / MIB, written.format, written.written / MIB, written.skipped / MIB, written.seconds,
		 image_progress_rate(written.image_size, written.seconds));
	return 0;
}

/* --- detaching, deleting --- */

int build_volume_detach(struct call *call, const struct build_volume *volume, struct error *err)
{
	const struct wait_options wait = { 0 };

	if (volume_detach(call->ec2, volume->id, volume->instance_id, false, err) != 0 ||
	    volume_wait_detached(call->ec2, volume->id, &wait, err) != 0)
		return error_prefix(err, "cannot detach volume %s from instance %s", volume->id, volume->instance_id);
	return 0;
}

int build_volume_delete(struct call *call, const struct build_volume *volume, struct error *err)
{
	if (volume_delete(call->ec2, volume->id, NULL, err) != 0)
		return error_prefix(err, "cannot delete volume %s", volume->id);
	return 0;
}

int build_volume_wait_gone(struct call *call, const struct build_volume *volume, struct error *err)
{
	const struct wait_options wait = { 0 };

	if (volume_wait_deleted(call->ec2, volume->id, &wait, err) != 0)
		return -1;
	undo_forget(call->undo, &volume->step);
	return 0;
}
