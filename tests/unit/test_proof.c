/* SPDX-License-Identifier: Apache-2.0 */
/* What a controller must say before its disk is written to, one wrong thing at a time. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <linux/nvme_ioctl.h>
#include <sys/ioctl.h>

#include "onhost/proof.h"
#include "tests/unit/fake_ioctl.h"

#define SERIAL "vol0123456789abcdef0"
#define SIZE ((uint64_t)3 << 30)

static struct device found_by(enum device_claim claim)
{
	return (struct device){
		.node = "/dev/nvme1n1",
		.number = 1,
		.claim = claim,
		.serial = SERIAL,
		.device_name = "/dev/sdf",
		.size = SIZE,
		.recognised_by = "found somehow",
	};
}

static const struct nvme_controller ebs = {
	.vendor = NVME_VENDOR_AMAZON, .serial = SERIAL, .model = NVME_MODEL_EBS, .device_name = "sdf",
};

static void assert_taken(const struct device *device, uint64_t size, const struct nvme_controller *controller)
{
	struct error err = { .kind = ERROR_NONE };
	if (proof_judge(device, size, controller, &err) != 0)
		fail_msg("refused: %s", err.message);
}

static void assert_refused(const struct device *device, uint64_t size, const struct nvme_controller *controller,
			   const char *text)
{
	struct error err = { .kind = ERROR_NONE };
	assert_int_equal(proof_judge(device, size, controller, &err), -1);
	assert_int_equal(err.kind, ERROR_DEVICE_REFUSED);
	assert_non_null(strstr(err.message, device->node));
	if (strstr(err.message, text) == NULL)
		fail_msg("not \"%s\" but: %s", text, err.message);
}

static void test_the_volume(void **state)
{
	struct device device = found_by(DEVICE_BY_SERIAL);
	(void)state;
	assert_taken(&device, SIZE, &ebs);
	device.size = 0; /* not known */
	assert_taken(&device, 512, &ebs);
}

static void test_one_thing_wrong(void **state)
{
	const struct device device = found_by(DEVICE_BY_SERIAL);
	struct nvme_controller wrong = ebs;
	(void)state;
	wrong.vendor = 0x1b36;
	assert_refused(&device, SIZE, &wrong, "vendor is 0x1b36 and not 0x1d0f");
	wrong.vendor = 0;
	assert_refused(&device, SIZE, &wrong, "vendor is 0x0000");

	static const char *const models[] = { "", "QEMU NVMe Ctrl", NVME_MODEL_EBS " 2", "amazon elastic block store" };
	for (size_t i = 0; i < sizeof(models) / sizeof(models[0]); i++) {
		wrong = ebs;
		snprintf(wrong.model, sizeof(wrong.model), "%s", models[i]);
		assert_refused(&device, SIZE, &wrong, "no EBS volume's");
	}
	static const char *const serials[] = { "", "vol0123456789abcdef", "vol0123456789abcdef1", "VOL0123456789ABCDEF0" };
	for (size_t i = 0; i < sizeof(serials) / sizeof(serials[0]); i++) {
		wrong = ebs;
		snprintf(wrong.serial, sizeof(wrong.serial), "%s", serials[i]);
		assert_refused(&device, SIZE, &wrong, "and not " SERIAL " as sysfs said");
	}
	assert_refused(&device, SIZE, NULL, "no NVMe disk");
	assert_refused(&device, SIZE - 512, &ebs, "holds 3221224960 bytes, and the volume 3221225472");
	assert_refused(&device, SIZE + 512, &ebs, "it is not the volume");
}

static void test_requested_name(void **state)
{
	static const struct {
		const char *asked;
		const char *said;
		bool taken;
	} cases[] = {
		{ "/dev/sdf", "/dev/sdf", true }, { "/dev/sdf", "xvdf", true }, { "/dev/sdf", "none", true },
		{ "/dev/sdf", "", true },	  { "", "sdg", true },		{ "none", "sdg", true },
		{ "/dev/sdf", "sdg", false },	  { "xvdf", "sdj", false },	{ "/dev/sdf", "ephemeral0", false },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct device device = found_by(DEVICE_BY_SERIAL);
		struct nvme_controller controller = ebs;
		snprintf(device.device_name, sizeof(device.device_name), "%s", cases[i].asked);
		snprintf(controller.device_name, sizeof(controller.device_name), "%s", cases[i].said);
		if (cases[i].taken)
			assert_taken(&device, SIZE, &controller);
		else
			assert_refused(&device, SIZE, &controller, "another attachment of " SERIAL);
	}
}

static void test_instance_storage_never(void **state)
{
	static const enum device_claim claims[] = { DEVICE_NAMED, DEVICE_BY_SERIAL, DEVICE_BY_NAME };
	struct nvme_controller controller = ebs;
	(void)state;
	snprintf(controller.model, sizeof(controller.model), "%s", NVME_MODEL_INSTANCE_STORE);
	for (size_t i = 0; i < sizeof(claims) / sizeof(claims[0]); i++) {
		const struct device device = found_by(claims[i]);
		controller.vendor = NVME_VENDOR_AMAZON;
		assert_refused(&device, SIZE, &controller, "is instance storage");
		controller.vendor = 0; /* whoever says so */
		assert_refused(&device, SIZE, &controller, "is instance storage");
	}
}

static void test_without_a_serial(void **state)
{
	struct nvme_controller other = { .vendor = 0x144d, .serial = "S1", .model = "Some SSD", .device_name = "" };
	struct device device = found_by(DEVICE_NAMED);
	(void)state;
	assert_taken(&device, SIZE + 512, &other);
	assert_taken(&device, SIZE + 512, NULL);
	device = found_by(DEVICE_BY_NAME);
	assert_taken(&device, SIZE, NULL);
	assert_refused(&device, SIZE + 512, NULL, "it is not the volume");
	device = found_by(DEVICE_BY_LINK); /* the lab's are at least as large, which is checked elsewhere */
	assert_taken(&device, SIZE + 512, NULL);
}

/* --- asking ------------------------------------------------------------------------------------------------------- */

static struct asked {
	int times;
	int errnum; /* 0: it answers as the volume's controller does */
} asked;

static int answer(int fd, unsigned long request, void *argument)
{
	(void)fd;
	if (request != NVME_IOCTL_ADMIN_CMD) {
		*(uint64_t *)argument = SIZE;
		return 0;
	}
	asked.times++;
	errno = asked.errnum;
	if (asked.errnum != 0)
		return -1;
	uint8_t *page = (uint8_t *)(uintptr_t)((const struct nvme_admin_cmd *)argument)->addr;
	memcpy(page, "\x0f\x1d", 2);
	memcpy(page + 4, SERIAL, strlen(SERIAL));
	memcpy(page + 24, NVME_MODEL_EBS, strlen(NVME_MODEL_EBS));
	memcpy(page + 3072, "/dev/sdf", 8);
	return 0;
}

static int setup(void **state)
{
	(void)state;
	asked = (struct asked){ 0, 0 };
	fake_ioctl_set(answer);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fake_ioctl_set(NULL);
	return 0;
}

static void assert_check(enum device_claim claim, const char *text)
{
	char recognised_by[160];
	struct error err = { .kind = ERROR_NONE };
	const struct device device = found_by(claim);
	assert_int_equal(proof_check(5, &device, SIZE, recognised_by, sizeof(recognised_by), &err), 0);
	assert_string_equal(recognised_by, text);
}

static void test_recognised_by(void **state)
{
	(void)state;
	assert_check(DEVICE_BY_SERIAL, "controller serial " SERIAL ", " NVME_MODEL_EBS ", requested as /dev/sdf");
	assert_check(DEVICE_NAMED, "found somehow, controller serial " SERIAL ", " NVME_MODEL_EBS
				   ", requested as /dev/sdf");
	assert_int_equal(asked.times, 2);
	assert_check(DEVICE_BY_LINK, "found somehow"); /* not asked */
	assert_int_equal(asked.times, 2);
	asked.errnum = ENOTTY;
	assert_check(DEVICE_BY_NAME, "found somehow");
}

static void test_not_answered(void **state)
{
	static const struct {
		int errnum;
		enum error_kind kind;
	} cases[] = { { ENOTTY, ERROR_DEVICE_REFUSED }, { ENODEV, ERROR_NO_DEVICE }, { EIO, ERROR_IO } };
	const struct device device = found_by(DEVICE_BY_SERIAL);
	char text[160];
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error err = { .kind = ERROR_NONE };
		asked.errnum = cases[i].errnum;
		assert_int_equal(proof_check(5, &device, SIZE, text, sizeof(text), &err), -1);
		assert_int_equal(err.kind, cases[i].kind);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_volume),
		cmocka_unit_test(test_one_thing_wrong),
		cmocka_unit_test(test_requested_name),
		cmocka_unit_test(test_instance_storage_never),
		cmocka_unit_test(test_without_a_serial),
		cmocka_unit_test_setup_teardown(test_recognised_by, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_answered, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
