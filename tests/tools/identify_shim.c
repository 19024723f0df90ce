/* SPDX-License-Identifier: Apache-2.0 */
/* For LD_PRELOAD: overlays what Amazon's controllers say of themselves and no emulator does. Only the answer to the NVMe
 * command Identify Controller is touched, and of it only the fields that the variables name; it is still the opened
 * device that answers, or does not.
 *
 * IDENTIFY_VENDOR a number; IDENTIFY_MODEL, IDENTIFY_SERIAL and IDENTIFY_NAME texts (the name that a volume was attached
 * under), each padded with blanks. */
#include <dlfcn.h>
#include <linux/nvme_ioctl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

static void put_text(uint8_t *field, size_t size, const char *variable)
{
	const char *text = getenv(variable);
	if (text == NULL)
		return;
	size_t len = strlen(text) < size ? strlen(text) : size;
	memset(field, ' ', size);
	memcpy(field, text, len);
}

static void overlay(const struct nvme_admin_cmd *command)
{
	uint8_t *page = (uint8_t *)(uintptr_t)command->addr; /* NOLINT: the kernel's ABI has addresses as numbers */
	const char *vendor = getenv("IDENTIFY_VENDOR");

	if (vendor != NULL) {
		unsigned long number = strtoul(vendor, NULL, 0);
		page[0] = (uint8_t)number;
		page[1] = (uint8_t)(number >> 8);
	}
	put_text(page + 4, 20, "IDENTIFY_SERIAL");
	put_text(page + 24, 40, "IDENTIFY_MODEL");
	put_text(page + 3072, 32, "IDENTIFY_NAME");
}

int ioctl(int fd, unsigned long request, ...)
{
	int (*next)(int, unsigned long, ...) = (int (*)(int, unsigned long, ...))dlsym(RTLD_NEXT, "ioctl");
	va_list args;

	va_start(args, request);
	void *argument = va_arg(args, void *);
	va_end(args);
	int result = next(fd, request, argument);
	if (result == 0 && request == NVME_IOCTL_ADMIN_CMD) {
		const struct nvme_admin_cmd *command = argument;
		if (command->opcode == 0x06 && command->cdw10 == 1 && command->data_len == 4096)
			overlay(command);
	}
	return result;
}
