/* SPDX-License-Identifier: Apache-2.0 */
/* What an NVMe controller says of itself: the Identify Controller command and its page. Knows nothing of volumes; what
 * an answer proves is proof.h's business.
 *
 * Facts: NVM Express Base Specification 2.0, "Identify Controller Data Structure" (bytes 0-1, 4-23, 24-63; from 3072 on
 * vendor specific) and "Identify command" (06h, CNS 01h); Amazon EBS User Guide, "Map Amazon EBS volumes to NVMe device
 * names"; Amazon's ebsnvme-id for the place of the name. */
#ifndef ONHOST_NVME_H
#define ONHOST_NVME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

#define NVME_IDENTIFY_SIZE 4096

/* Amazon's own. "Amazon EBS volumes and NVMe", Amazon EBS User Guide; "SSD instance store volumes", EC2 User Guide */
#define NVME_VENDOR_AMAZON 0x1D0F
#define NVME_MODEL_EBS "Amazon Elastic Block Store"
#define NVME_MODEL_INSTANCE_STORE "Amazon EC2 NVMe Instance Storage"

struct nvme_controller {
	uint16_t vendor; /* PCI's number of the vendor; 0 for what is no PCI device */
	/* Padding is removed. A byte that is no printable ASCII is a '?', which no serial or model of Amazon's has. */
	char serial[21];
	char model[41];
	/* Amazon's alone: the name that was given to AttachVolume or RunInstances: "sdf", "/dev/sdf", "none". "" where
	 * the bytes are no name */
	char device_name[33];
};

/* Reads a page. There is none that cannot be read: what was cut off is zeros, and so "" and 0. */
void nvme_parse(const uint8_t page[NVME_IDENTIFY_SIZE], struct nvme_controller *ret_controller);
/* Asks the controller of an opened disk. *ret_is_nvme false, and nothing else, when the disk is no NVMe disk. Needs
 * CAP_SYS_ADMIN (ERROR_DEVICE_REFUSED without; kernels before 6.2). ERROR_NO_DEVICE when the disk has gone; ERROR_IO
 * for any other answer. node is for the message. Waits as long as the kernel does for any command to a controller
 * (nvme_core.admin_timeout, 60 s). */
int nvme_identify(int fd, const char *node, bool *ret_is_nvme, struct nvme_controller *ret_controller,
		  struct error *err);

#endif
