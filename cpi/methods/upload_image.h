/* SPDX-License-Identifier: Apache-2.0 */
/* What `cpi upload-image` does: an image's file becomes a snapshot, and an AMI where that is wanted, by the EBS direct APIs. */
#ifndef CPI_METHODS_UPLOAD_IMAGE_H
#define CPI_METHODS_UPLOAD_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "cpi/methods/call.h"
#include "cpi/methods/direct_upload.h"

struct upload_image_request {
	const char *image_path;
	const char *name;        /* of the AMI, and the Name tag of all; NULL: a made-up one, no tag */
	const char *description; /* NULL: none */
	uint64_t size_gib;       /* of the snapshot; 0: what the image needs */
	bool make_ami;
	const char *architecture; /* of the AMI; NULL: x86_64 */
	const char *boot_mode;    /* NULL: as create_stemcell's */
	bool encrypted;           /* else as the configuration says */
	const char *kms_key_arn;  /* likewise */
	struct ec2_tags tags;
	bool no_resume;
	void (*progress)(void *self, const struct onhost_progress *progress);
	void *self;
};

struct upload_image_result {
	const char *image_id; /* NULL: none was wanted */
	uint64_t size_gib;
	struct direct_uploaded upload;
};

/* Texts live in the call's arena. An AMI's name that is taken already is refused before anything is made. */
int upload_image(struct call *call, const struct upload_image_request *request, struct upload_image_result *ret_result,
		 struct error *err);

#endif
