/* SPDX-License-Identifier: Apache-2.0 */
/* Volumes that change in place: ModifyVolume, DescribeVolumesModifications, and the wait on the change. */
#ifndef CPI_EC2_VOLUME_MODIFICATIONS_H
#define CPI_EC2_VOLUME_MODIFICATIONS_H

#include "cpi/ec2/client.h"
#include "cpi/ec2/wait.h"

struct volume_modify_request {
	uint64_t size_gib; /* 0: as it is; and so on */
	const char *type;  /* NULL: as it is */
	uint64_t iops;
	uint64_t throughput_mibs;
};

/* EC2 takes no client token: after a lost answer, IncorrectModificationState or VolumeModificationRateExceeded, it counts
 * as success when the volume's latest modification has the same goal and has not failed. */
int volume_modify(struct ec2_client *ec2, const char *volume_id, const struct volume_modify_request *request,
		  struct error *err);
/* Until the latest modification is "optimizing" or "completed": the volume can be used as it is to be. "failed" is
 * ERROR_CLOUD with EC2's reason. None on record is ERROR_CLOUD too, unless just_created says that this call has asked
 * for one. */
int volume_wait_modified(struct ec2_client *ec2, const char *volume_id, const struct wait_options *wait,
			 struct error *err);

#endif
