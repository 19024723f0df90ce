/* SPDX-License-Identifier: Apache-2.0 */
/* <linux/nvme_ioctl.h>'s only home. The ioctl asks the very disk that is open, so no name can lead astray. */
#include "onhost/nvme.h"

#include <errno.h>
#include <linux/nvme_ioctl.h>
#include <string.h>
#include <sys/ioctl.h>

#include "onhost/gone.h"

#define OPCODE_IDENTIFY 0x06
#define CNS_CONTROLLER 1

/* The page's bytes, as the specification counts them */
#define AT_SERIAL 4
#define AT_MODEL 24
#define AT_DEVICE_NAME 3072

#define LEN_SERIAL 20
#define LEN_MODEL 40
#define LEN_DEVICE_NAME 32

_Static_assert(sizeof(((struct nvme_controller *)NULL)->serial) == LEN_SERIAL + 1, "room for all bytes");
_Static_assert(sizeof(((struct nvme_controller *)NULL)->model) == LEN_MODEL + 1, "room for all bytes");
_Static_assert(sizeof(((struct nvme_controller *)NULL)->device_name) == LEN_DEVICE_NAME + 1, "room for all bytes");

static bool is_padding(uint8_t byte)
{
	return byte == ' ' || byte == '\0';
}

/* Text is padded with blanks at its end; some controllers pad with NULs. */
static void read_text(const uint8_t *bytes, size_t len, char *ret_text)
{
	while (len > 0 && is_padding(bytes[len - 1]))
		len--;
	for (size_t i = 0; i < len; i++)
		ret_text[i] = (char)(bytes[i] >= ' ' && bytes[i] <= '~' ? bytes[i] : '?');
	ret_text[len] = '\0';
}

/* Here a NUL ends the text whatever comes behind it, as Amazon's own tool has it. */
static void read_name(const uint8_t *bytes, char *ret_name)
{
	size_t len = strnlen((const char *)bytes, LEN_DEVICE_NAME);

	while (len > 0 && bytes[len - 1] == ' ')
		len--;
	ret_name[0] = '\0';
	for (size_t i = 0; i < len; i++) {
		if (bytes[i] <= ' ' || bytes[i] > '~')
			return;
	}
	memcpy(ret_name, bytes, len);
	ret_name[len] = '\0';
}

void nvme_parse(const uint8_t page[NVME_IDENTIFY_SIZE], struct nvme_controller *ret_controller)
{
	ret_controller->vendor = (uint16_t)(page[0] | page[1] << 8);
	read_text(page + AT_SERIAL, LEN_SERIAL, ret_controller->serial);
	read_text(page + AT_MODEL, LEN_MODEL, ret_controller->model);
	read_name(page + AT_DEVICE_NAME, ret_controller->device_name);
}

/* How drivers of other disks answer to an ioctl that they do not know. */
static bool means_other_driver(int errnum)
{
	return errnum == ENOTTY || errnum == EINVAL || errnum == EOPNOTSUPP;
}

static int explain(int fd, const char *node, int errnum, struct error *err)
{
	if (gone_device(fd, errnum))
		return error_set(err, ERROR_NO_DEVICE,
				 "%s went away before its controller could be asked what it is: was the volume "
				 "detached?",
				 node);
	if (errnum == EACCES || errnum == EPERM)
		return error_errno(err, ERROR_DEVICE_REFUSED, errnum,
				   "the controller of %s may not be asked what it is, and so it is not touched: run "
				   "onhost as root, with CAP_SYS_ADMIN",
				   node);
	return error_errno(err, ERROR_IO, errnum, "the controller of %s cannot be asked what it is", node);
}

int nvme_identify(int fd, const char *node, bool *ret_is_nvme, struct nvme_controller *ret_controller,
		  struct error *err)
{
	uint8_t page[NVME_IDENTIFY_SIZE] = { 0 };
	struct nvme_admin_cmd command = {
		.opcode = OPCODE_IDENTIFY,
		.addr = (uint64_t)(uintptr_t)page,
		.data_len = sizeof(page),
		.cdw10 = CNS_CONTROLLER,
	};
	int status;

	do {
		status = ioctl(fd, NVME_IOCTL_ADMIN_CMD, &command);
	} while (status < 0 && errno == EINTR);
	if (status < 0 && means_other_driver(errno) && !gone_device(fd, 0)) {
		*ret_is_nvme = false;
		return 0;
	}
	if (status < 0)
		return explain(fd, node, errno, err);
	/* above zero it is the controller's own status, or the kernel's that no path leads to it any more */
	if (status > 0 && gone_device(fd, 0))
		return explain(fd, node, ENODEV, err);
	if (status > 0)
		return error_set(err, ERROR_IO,
				 "the controller of %s refused to say what it is (NVMe status 0x%x): it is not touched",
				 node, (unsigned)status);
	*ret_is_nvme = true;
	nvme_parse(page, ret_controller);
	return 0;
}
