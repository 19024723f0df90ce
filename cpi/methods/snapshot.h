/* SPDX-License-Identifier: Apache-2.0 */
/* snapshot_disk and delete_snapshot. */
#ifndef CPI_METHODS_SNAPSHOT_H
#define CPI_METHODS_SNAPSHOT_H

#include "cpi/ec2/client.h"
#include "cpi/methods/call.h"

struct snapshot_labels {
	const char *description; /* NULL: nothing to say */
	struct ec2_tags tags;
};

/* What a snapshot is called: the description "deployment/job/index/sdf" of what there is of it (device "/dev/sdf"; NULL: the
 * disk is not attached), which is the Name too, and the metadata with director, instance_index, instance_name and device in
 * place of director_name, index and job. Texts live in the arena or with the metadata. */
int snapshot_label(struct arena *arena, struct ec2_tags metadata, const char *device, struct snapshot_labels *ret_labels,
		   struct error *err);

/* Completed when this returns. ERROR_DISK_NOT_FOUND where there is no such disk. */
int snapshot_take(struct call *call, const char *disk_cid, struct ec2_tags metadata, const char **ret_snapshot_cid,
		  struct error *err);
/* One that does not exist is success. */
int snapshot_discard(struct call *call, const char *snapshot_cid, struct error *err);

#endif
