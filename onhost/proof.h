/* SPDX-License-Identifier: Apache-2.0 */
/* Whether the device that is open is what it was found as. sysfs picks the candidate; here the controller behind the
 * open descriptor has the last word. Asking it is nvme.h's business. */
#ifndef ONHOST_PROOF_H
#define ONHOST_PROOF_H

#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "onhost/device.h"
#include "onhost/nvme.h"

/* size is the opened device's, in bytes. ERROR_DEVICE_REFUSED says what was found and what should be:
 * - instance storage, whoever asks;
 * - DEVICE_BY_SERIAL: no NVMe disk; another vendor, model or serial; attached under another name than the one that was
 *   asked for (where both are known); not exactly the volume's size (where it is known: EBS disks are);
 * - DEVICE_BY_NAME: not exactly the volume's size.
 * A device of the lab (DEVICE_BY_LINK) has no controller, and is not asked. ERROR_NO_DEVICE when it went away.
 * ret_text gets how the device is recognised now, such as "controller serial vol0123…, Amazon Elastic Block Store,
 * requested as sdf". */
int proof_check(int fd, const struct device *device, uint64_t size, char *ret_text, size_t text_size,
		   struct error *err);
/* The part of it that decides. controller NULL: it is no NVMe disk. */
int proof_judge(const struct device *device, uint64_t size, const struct nvme_controller *controller,
		   struct error *err);

#endif
