/* SPDX-License-Identifier: Apache-2.0 */
/* From an image's file to a completed snapshot without an instance: onhost unpacks here, the EBS direct APIs take the blocks. An
 * upload that was killed is gone on with by the next one of the same image, target and configuration. */
#ifndef CPI_METHODS_DIRECT_UPLOAD_H
#define CPI_METHODS_DIRECT_UPLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "cpi/ec2/client.h"
#include "cpi/methods/call.h"
#include "cpi/upload/uploader.h"

/* AWS drops a snapshot that nothing has come for so long. Long enough for a slow line, and for whoever starts again tomorrow. */
#define DIRECT_UPLOAD_TIMEOUT_MINUTES (24 * 60)

struct direct_upload_spec {
	const char *image_path;
	int image_fd; /* of that file */
	const char *onhost_path;
	uint64_t size_gib;
	uint64_t image_size; /* of the disk image, bytes, for progress; 0: whatever onhost says at first */
	const char *description;
	struct ec2_tags tags; /* the request's tag comes on top */
	bool encrypted;
	const char *kms_key_arn; /* NULL: the account's default key */
	bool no_resume;          /* neither go on with an upload that was killed, nor leave one to go on with */
	void (*progress)(void *self, const struct onhost_progress *progress); /* NULL: lines in the log */
	void *self;
};

struct direct_uploaded {
	const char *snapshot_id; /* texts live in the call's arena */
	bool encrypted;
	uint64_t image_size; /* bytes */
	const char *format;
	struct uploader_result blocks;
};

/* skip_zero_blocks and the number of connections are the configuration's. On a failure the snapshot is left to undo. */
int direct_upload(struct call *call, const struct direct_upload_spec *spec, struct direct_uploaded *ret_uploaded,
		  struct error *err);

#endif
