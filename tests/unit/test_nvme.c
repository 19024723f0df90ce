/* SPDX-License-Identifier: Apache-2.0 */
/* The page of Identify Controller, field by field, as Amazon's controllers, emulators and garbage have it; and the
 * kernel's answers to the question. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <linux/fs.h>
#include <linux/nvme_ioctl.h>
#include <sys/ioctl.h>

#include "onhost/nvme.h"
#include "tests/unit/fake_ioctl.h"

#define SERIAL "vol0123456789abcdef0"
#define NODE "/dev/nvme1n1"

static void put(uint8_t *page, size_t at, const char *text, size_t size, char padding)
{
	memset(page + at, padding, size);
	memcpy(page + at, text, strlen(text) < size ? strlen(text) : size);
}

/* As recorded on Nitro instances: both vendor numbers, blanks behind all texts but the name's rest. */
static void amazon(uint8_t page[NVME_IDENTIFY_SIZE], const char *serial, const char *model, const char *name)
{
	memset(page, 0, NVME_IDENTIFY_SIZE);
	memcpy(page, "\x0f\x1d\x0f\x1d", 4);
	put(page, 4, serial, 20, ' ');
	put(page, 24, model, 40, ' ');
	put(page, 64, "1.0", 8, ' ');
	put(page, 3072, name, 32, ' ');
}

static struct nvme_controller parse(const uint8_t page[NVME_IDENTIFY_SIZE])
{
	struct nvme_controller controller;
	memset(&controller, 0x55, sizeof(controller));
	nvme_parse(page, &controller);
	return controller;
}

static void test_ebs(void **state)
{
	uint8_t page[NVME_IDENTIFY_SIZE];
	(void)state;
	amazon(page, SERIAL, NVME_MODEL_EBS, "/dev/sdf");
	struct nvme_controller controller = parse(page);
	assert_int_equal(controller.vendor, NVME_VENDOR_AMAZON);
	assert_string_equal(controller.serial, SERIAL); /* fills its field: there is no padding */
	assert_string_equal(controller.model, NVME_MODEL_EBS);
	assert_string_equal(controller.device_name, "/dev/sdf");

	amazon(page, "vol01234567", NVME_MODEL_EBS, "sdf");
	controller = parse(page);
	assert_string_equal(controller.serial, "vol01234567");
	assert_string_equal(controller.device_name, "sdf");
}

static void test_others(void **state)
{
	uint8_t page[NVME_IDENTIFY_SIZE];
	(void)state;
	amazon(page, "AWS22AAAAAAAAAAAAAAA", NVME_MODEL_INSTANCE_STORE, "ephemeral0:sdb");
	struct nvme_controller controller = parse(page);
	assert_string_equal(controller.model, NVME_MODEL_INSTANCE_STORE);
	assert_string_equal(controller.device_name, "ephemeral0:sdb");

	/* QEMU's: another vendor, and nothing in the vendor's bytes */
	amazon(page, "deadbeef", "QEMU NVMe Ctrl", "");
	memcpy(page, "\x36\x1b", 2);
	memset(page + 3072, 0, 1024);
	controller = parse(page);
	assert_int_equal(controller.vendor, 0x1b36);
	assert_string_equal(controller.model, "QEMU NVMe Ctrl");
	assert_string_equal(controller.device_name, "");
}

static void test_padding(void **state)
{
	static const struct {
		const char bytes[33];
		const char *name;
	} cases[] = {
		{ "sdf", "sdf" }, /* the rest is NULs */
		{ "sdf \0  \0", "sdf" },
		{ "/dev/sdf                        ", "/dev/sdf" },
		{ "none", "none" },
		{ "                                ", "" },
		{ "", "" },
		{ "sdf\0\x01\xff", "sdf" }, /* behind a NUL it is no name any more */
		{ "\0sdf", "" },
		{ "sd f", "" },
		{ " sdf", "" },
		{ "sdf\n", "" },
		{ "sd\xff", "" },
		{ "\x7fsdf", "" },
		{ "abcdefghijklmnopqrstuvwxyz012345", "abcdefghijklmnopqrstuvwxyz012345" },
	};
	uint8_t page[NVME_IDENTIFY_SIZE];
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		amazon(page, SERIAL, NVME_MODEL_EBS, "");
		memcpy(page + 3072, cases[i].bytes, 32);
		page[3072 + 32] = 'x'; /* what comes behind is not its */
		assert_string_equal(parse(page).device_name, cases[i].name);
	}
	/* a serial or model of NULs, and of both */
	put(page, 4, "vol01234567", 20, '\0');
	put(page, 24, NVME_MODEL_EBS " ", 40, '\0');
	assert_string_equal(parse(page).serial, "vol01234567");
	assert_string_equal(parse(page).model, NVME_MODEL_EBS);
}

/* Each field is its own bytes, to the last one, and nobody else's. */
static void test_bounds(void **state)
{
	uint8_t page[NVME_IDENTIFY_SIZE];
	(void)state;
	memset(page, 'x', sizeof(page));
	memset(page + 4, 's', 20);
	memset(page + 24, 'm', 40);
	memset(page + 3072, 'n', 32);
	const struct nvme_controller controller = parse(page);
	assert_int_equal(controller.vendor, 0x7878);
	assert_string_equal(controller.serial, "ssssssssssssssssssss");
	assert_string_equal(controller.model, "mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm");
	assert_string_equal(controller.device_name, "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn");
}

/* Cut off after any byte: what is missing is zeros, and a serial that was cut is not the volume's. */
static void test_truncated(void **state)
{
	uint8_t whole[NVME_IDENTIFY_SIZE], page[NVME_IDENTIFY_SIZE];
	(void)state;
	amazon(whole, SERIAL, NVME_MODEL_EBS, "sdf");
	for (size_t len = 0; len <= 3076; len++) {
		memset(page, 0, sizeof(page));
		memcpy(page, whole, len);
		const struct nvme_controller controller = parse(page);
		assert_int_equal(controller.vendor == NVME_VENDOR_AMAZON, len >= 2);
		assert_int_equal(strcmp(controller.serial, SERIAL) == 0, len >= 24);
		assert_int_equal(strcmp(controller.model, NVME_MODEL_EBS) == 0, len >= 24 + strlen(NVME_MODEL_EBS));
		assert_int_equal(strcmp(controller.device_name, "sdf") == 0, len >= 3075);
	}
}

static void test_garbage(void **state)
{
	uint8_t page[NVME_IDENTIFY_SIZE];
	uint32_t noise = 1;
	(void)state;
	for (int round = 0; round < 200; round++) {
		for (size_t i = 0; i < sizeof(page); i++) {
			noise = noise * 1664525 + 1013904223;
			page[i] = (uint8_t)(noise >> 24);
		}
		const struct nvme_controller controller = parse(page);
		for (const char *c = controller.serial; *c != '\0'; c++)
			assert_true(*c >= ' ' && *c <= '~');
		for (const char *c = controller.model; *c != '\0'; c++)
			assert_true(*c >= ' ' && *c <= '~');
		for (const char *c = controller.device_name; *c != '\0'; c++)
			assert_true(*c > ' ' && *c <= '~');
	}
	amazon(page, "vol0123\0abcdef", NVME_MODEL_EBS, "");
	memcpy(page + 4, "vol0123\0abc\x80", 12);
	assert_string_equal(parse(page).serial, "vol0123?abc?");
}

/* --- the kernel's answers ----------------------------------------------------------------------------------------- */

static struct kernel {
	int result;
	int errnum;
	int interrupts; /* as many EINTR first */
	uint64_t size;  /* what the disk has left */
	uint8_t page[NVME_IDENTIFY_SIZE];
} kernel;

static int answer(int fd, unsigned long request, void *argument)
{
	assert_int_equal(fd, 5);
	if (request == BLKGETSIZE64) {
		*(uint64_t *)argument = kernel.size;
		return 0;
	}
	assert_int_equal(request, NVME_IOCTL_ADMIN_CMD);
	const struct nvme_admin_cmd *command = argument;
	assert_int_equal(command->opcode, 0x06);
	assert_int_equal(command->cdw10, 1);
	assert_int_equal(command->nsid, 0);
	assert_int_equal(command->data_len, NVME_IDENTIFY_SIZE);
	if (kernel.interrupts > 0) {
		kernel.interrupts--;
		errno = EINTR;
		return -1;
	}
	if (kernel.result == 0)
		memcpy((void *)(uintptr_t)command->addr, kernel.page, sizeof(kernel.page));
	errno = kernel.errnum;
	return kernel.result;
}

static int setup(void **state)
{
	(void)state;
	memset(&kernel, 0, sizeof(kernel));
	kernel.size = 1 << 20;
	fake_ioctl_set(answer);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fake_ioctl_set(NULL);
	return 0;
}

static void test_answered(void **state)
{
	struct nvme_controller controller;
	bool is_nvme = false;
	struct error err;
	(void)state;
	amazon(kernel.page, SERIAL, NVME_MODEL_EBS, "sdf");
	kernel.interrupts = 2;
	assert_int_equal(nvme_identify(5, NODE, &is_nvme, &controller, &err), 0);
	assert_true(is_nvme);
	assert_string_equal(controller.serial, SERIAL);
}

static void test_other_drivers(void **state)
{
	static const int errnums[] = { ENOTTY, EINVAL, EOPNOTSUPP };
	struct nvme_controller controller;
	struct error err;
	(void)state;
	for (size_t i = 0; i < sizeof(errnums) / sizeof(errnums[0]); i++) {
		bool is_nvme = true;
		kernel.result = -1;
		kernel.errnum = errnums[i];
		assert_int_equal(nvme_identify(5, NODE, &is_nvme, &controller, &err), 0);
		assert_false(is_nvme);
	}
}

static void test_failures(void **state)
{
	static const struct {
		int result;
		int errnum;
		uint64_t size;
		enum error_kind kind;
		const char *text;
	} cases[] = {
		{ -1, ENODEV, 512, ERROR_NO_DEVICE, NODE " went away" },
		{ -1, ENXIO, 512, ERROR_NO_DEVICE, NODE " went away" },
		{ -1, EIO, 0, ERROR_NO_DEVICE, NODE " went away" },
		{ -1, ENOTTY, 0, ERROR_NO_DEVICE, NODE " went away" },
		{ 0x371, 0, 0, ERROR_NO_DEVICE, NODE " went away" },
		{ 0x371, 0, 512, ERROR_IO, "NVMe status 0x371" },
		{ 0x2, 0, 512, ERROR_IO, "NVMe status 0x2" },
		{ -1, EACCES, 512, ERROR_DEVICE_REFUSED, "CAP_SYS_ADMIN" },
		{ -1, EPERM, 512, ERROR_DEVICE_REFUSED, "CAP_SYS_ADMIN" },
		{ -1, EIO, 512, ERROR_IO, "cannot be asked what it is: Input/output error" },
	};
	struct nvme_controller controller;
	bool is_nvme;
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error err = { .kind = ERROR_NONE };
		kernel.result = cases[i].result;
		kernel.errnum = cases[i].errnum;
		kernel.size = cases[i].size;
		assert_int_equal(nvme_identify(5, NODE, &is_nvme, &controller, &err), -1);
		assert_int_equal(err.kind, cases[i].kind);
		assert_non_null(strstr(err.message, cases[i].text));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ebs),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_padding),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_garbage),
		cmocka_unit_test_setup_teardown(test_answered, setup, teardown),
		cmocka_unit_test_setup_teardown(test_other_drivers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_failures, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
