/* SPDX-License-Identifier: Apache-2.0 */
/* Device names under which EBS volumes are attached: which are taken, and which is the next free one. On Nitro types they
 * are labels only; on Xen types they are what the VM's kernel goes by. Facts: "Device names for volumes on Amazon EC2
 * instances", Amazon EC2 User Guide; that /dev/xvddx is the last of its series was found by aws-ebs-csi-driver. */
#ifndef CPI_METHODS_DEVICE_NAMES_H
#define CPI_METHODS_DEVICE_NAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "cpi/ec2/instances.h"

#define DEVICE_NAME_SIZE sizeof("/dev/xvdzz")

/* A bit for each last letter: [0] of /dev/sdX and /dev/xvdX, which are one name to EC2, [1] of /dev/xvdaX and so on. */
struct device_names {
	uint32_t taken[27];
};

/* With the names in the instance's block device mappings. */
void device_names_of(const struct instance *instance, struct device_names *ret_names);
/* With or without /dev/, sd or xvd, with or without a partition's number; other names are left alone. */
void device_names_take(struct device_names *names, const char *name);
/* The first free one of /dev/sdf to /dev/sdp, and where more is set (Nitro) then of /dev/xvdba to /dev/xvdbz and on: with
 * root and ephemeral disk 128 in all. false when there is none. */
bool device_names_next(const struct device_names *names, bool more, char ret_name[DEVICE_NAME_SIZE]);
/* Whether AttachVolume failed because somebody else has taken the name meanwhile. */
bool device_names_lost(const struct error *err);

#endif
