/* SPDX-License-Identifier: Apache-2.0 */
/* The builder: whoever gets a stemcell's image onto an attached volume. Chosen by the configuration: onhost on this machine
 * (local.c), or on another one through ssh (ssh.c); or no volume at all, where the image is uploaded by the EBS direct APIs
 * (methods/direct_upload.c). */
#ifndef CPI_BUILDER_BUILDER_H
#define CPI_BUILDER_BUILDER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/error.h"
#include "common/onhost_msg.h"
#include "common/runtime.h"
#include "cpi/config.h"

struct builder;

/* The instance that the volume is to be attached to. Texts live in the arena that builder_open was given. */
struct builder_place {
	const char *instance_id;
	const char *region;
	const char *availability_zone;
	const char *release; /* of onhost */
	const char *how;     /* "local, …": which builder and why, for the log */
	bool elsewhere;      /* not the machine that cpi runs on */
	bool direct;         /* no instance: those above it are NULL, but for how and release, and there is no builder to write with */
	const char *onhost_path; /* of direct: the program that unpacks images */
};

/* Starts it and asks where it runs. An instance in another region than the configuration's, or no instance at all, is an
 * error that says what to configure. With aws.stemcell.builder auto: the local one where that can serve, else ssh where it is
 * configured, else direct. Of direct *ret_builder is NULL. Ended by builder_close, which may be called with NULL. */
int builder_open(struct runtime *runtime, const struct config *config, struct arena *arena, struct builder **ret_builder,
		 struct builder_place *ret_place, struct error *err);
void builder_close(struct builder *builder);
/* direct, whatever the configuration says. */
int builder_direct(struct runtime *runtime, const struct config *config, struct arena *arena, struct builder_place *ret_place,
		   struct error *err);

struct builder_image {
	const char *volume_id;
	const char *device_name;    /* as given to AttachVolume */
	uint64_t size_mib;          /* of the volume */
	bool encrypted;             /* the volume */
	bool skip_zero_blocks;
	uint64_t device_timeout_ms; /* for the device to appear */
	int fd;                     /* the stemcell's image, read to its end */
	const char *path;           /* its name, for messages */
	void (*ready)(void *self, const struct onhost_ready *ready); /* may be NULL, as progress */
	void (*progress)(void *self, const struct onhost_progress *progress);
	void *self;
};

/* The whole image is on the volume and flushed when this returns 0. On an error the volume does not look bootable, but may
 * still be held open until builder_close. */
int builder_write(struct builder *builder, const struct builder_image *image, struct onhost_written *ret_written,
		  struct error *err);

#endif
