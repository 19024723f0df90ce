/* SPDX-License-Identifier: Apache-2.0 */
/* Instance storage comes first, since it is refused for everybody; then each thing that Amazon's controller says. */
#include "onhost/proof.h"

#include <stdio.h>
#include <string.h>

#include "onhost/names.h"

static int judge_model(const struct device *device, const struct nvme_controller *controller, struct error *err)
{
	if (strcmp(controller->model, NVME_MODEL_INSTANCE_STORE) == 0)
		return error_set(err, ERROR_DEVICE_REFUSED,
				 "%s is instance storage (its controller says \"%s\"), which a stemcell is never "
				 "written to: attach an EBS volume",
				 device->node, controller->model);
	if (device->claim != DEVICE_BY_SERIAL)
		return 0;
	if (controller->vendor != NVME_VENDOR_AMAZON)
		return error_set(err, ERROR_DEVICE_REFUSED,
				 "the controller of %s has the volume's serial number %s but is not Amazon's: its "
				 "vendor is 0x%04x and not 0x%04x, its model \"%s\". It is not touched",
				 device->node, device->serial, controller->vendor, NVME_VENDOR_AMAZON,
				 controller->model);
	if (strcmp(controller->model, NVME_MODEL_EBS) != 0)
		return error_set(err, ERROR_DEVICE_REFUSED,
				 "the controller of %s is no EBS volume's: its model is \"%s\" and not \"%s\". It is "
				 "not touched",
				 device->node, controller->model, NVME_MODEL_EBS);
	return 0;
}

static int judge_names(const struct device *device, const struct nvme_controller *controller, struct error *err)
{
	if (device->claim != DEVICE_BY_SERIAL)
		return 0;
	if (strcmp(controller->serial, device->serial) != 0)
		return error_set(err, ERROR_DEVICE_REFUSED,
				 "the controller of %s says that it is %s, and not %s as sysfs said: the disks were "
				 "exchanged meanwhile. It is not touched; try again",
				 device->node, controller->serial, device->serial);
	if (names_given(device->device_name) && names_given(controller->device_name) &&
	    !names_same(device->device_name, controller->device_name))
		return error_set(err, ERROR_DEVICE_REFUSED,
				 "%s was attached as %s, and not as %s: this is another attachment of %s than the one "
				 "that is awaited. It is not touched",
				 device->node, controller->device_name, device->device_name, device->serial);
	return 0;
}

static int judge_size(const struct device *device, uint64_t size, struct error *err)
{
	if (device->size == 0 || device->size == size ||
	    (device->claim != DEVICE_BY_SERIAL && device->claim != DEVICE_BY_NAME))
		return 0;
	return error_set(err, ERROR_DEVICE_REFUSED,
			 "%s holds %llu bytes, and the volume %llu: it is not the volume. It is not touched",
			 device->node, (unsigned long long)size, (unsigned long long)device->size);
}

int proof_judge(const struct device *device, uint64_t size, const struct nvme_controller *controller,
		   struct error *err)
{
	if (controller == NULL && device->claim == DEVICE_BY_SERIAL)
		return error_set(err, ERROR_DEVICE_REFUSED,
				 "%s has the volume's serial number but is no NVMe disk, as EBS volumes with serial "
				 "numbers are: it is not touched",
				 device->node);
	if (controller != NULL &&
	    (judge_model(device, controller, err) != 0 || judge_names(device, controller, err) != 0))
		return -1;
	return judge_size(device, size, err);
}

static void describe(const struct device *device, const struct nvme_controller *controller, char *text, size_t size)
{
	const char *name = controller->device_name;

	snprintf(text, size, "%s%scontroller serial %s, %s%s%s",
		 device->claim == DEVICE_BY_SERIAL ? "" : device->recognised_by,
		 device->claim == DEVICE_BY_SERIAL ? "" : ", ", controller->serial, controller->model,
		 names_given(name) ? ", requested as " : "", names_given(name) ? name : "");
}

int proof_check(int fd, const struct device *device, uint64_t size, char *ret_text, size_t text_size,
		   struct error *err)
{
	struct nvme_controller controller;
	bool is_nvme = false;

	if (device->claim != DEVICE_BY_LINK && nvme_identify(fd, device->node, &is_nvme, &controller, err) != 0)
		return -1;
	if (proof_judge(device, size, is_nvme ? &controller : NULL, err) != 0)
		return -1;
	if (is_nvme)
		describe(device, &controller, ret_text, text_size);
	else
		snprintf(ret_text, text_size, "%s", device->recognised_by);
	return 0;
}
