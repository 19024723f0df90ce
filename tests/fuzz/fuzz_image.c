/* SPDX-License-Identifier: Apache-2.0 */
/* The whole image pipeline on anything. The first byte says how the rest is used: bit 0 repairs the checksums of tar
 * headers, which random bytes would hardly ever get right; bit 1 makes the target a fresh one, bit 2 leaves out zeros.
 * What is refused leaves the target's first MiB alone; what is accepted reads back the same in every way. */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "onhost/pipeline.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MIB ((size_t)1024 * 1024)
#define TARGET (2 * MIB)
#define INPUT_MAX ((size_t)256 * 1024)

struct memory {
	const uint8_t *data;
	size_t len;
	size_t taken;
};

static void require(bool condition)
{
	if (!condition)
		abort();
}

static int memory_read(void *self, void *data, size_t len, size_t *ret_got, struct error *err)
{
	struct memory *memory = self;
	size_t n = memory->len - memory->taken;

	(void)err;
	/* no two pieces alike */
	if (n > 1000 + memory->taken % 777)
		n = 1000 + memory->taken % 777;
	if (n > len)
		n = len;
	if (n > 0)
		memcpy(data, memory->data + memory->taken, n);
	memory->taken += n;
	*ret_got = n;
	return 0;
}

static void repair_checksums(uint8_t *data, size_t len)
{
	for (size_t at = 0; at + 512 <= len; at += 512) {
		char octal[8];
		unsigned sum = 8 * ' ';
		if (memcmp(data + at + 257, "ustar", 5) != 0)
			continue;
		for (size_t i = 0; i < 512; i++)
			sum += i >= 148 && i < 156 ? 0 : data[at + i];
		snprintf(octal, sizeof(octal), "%06o", sum & 0777777);
		memcpy(data + at + 148, octal, 7);
		data[at + 155] = ' ';
	}
}

/* A file of zeros, and its bytes. */
static int new_file(size_t size, uint8_t **ret_bytes)
{
	int fd = memfd_create("fuzz_image", MFD_CLOEXEC);

	require(fd >= 0 && ftruncate(fd, (off_t)size) == 0);
	*ret_bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	require(*ret_bytes != MAP_FAILED);
	return fd;
}

/* What verify and unpack make of an image that was written. */
static void check_accepted(struct runtime *runtime, struct pipeline_options *options, struct pipeline_target *target,
			   const uint8_t *device, const struct pipeline_result *written)
{
	uint8_t *image;
	struct memory *memory = options->source.self;
	struct pipeline_result result;
	struct error err;

	require(written->image_size > 0 && written->image_size % 512 == 0 && written->image_size <= TARGET);
	require(written->written + written->skipped == written->image_size && written->read == memory->len);
	memory->taken = 0;
	require(pipeline_verify(runtime, options, target, &result, &err) == 0);
	require(result.written == written->written && result.skipped == written->skipped);
	require(strcmp(result.image_sha256, written->image_sha256) == 0);

	int fd = new_file(written->image_size, &image);
	memory->taken = 0;
	require(pipeline_unpack(runtime, options, fd, &result, &err) == 0);
	require(result.written == written->image_size);
	require(strcmp(result.image_sha256, written->image_sha256) == 0);
	/* what was left out is zeros in the image, and zeros are what stood on the target */
	require(memcmp(image, device, written->image_size) == 0);
	munmap(image, written->image_size);
	close(fd);
}

static void check_refused(const struct error *err, const uint8_t *device)
{
	require(err->kind == ERROR_IMAGE && err->message[0] != '\0');
	require(device[0] == 0 && memcmp(device, device + 1, MIB - 1) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct clock clock;
	struct log log;
	struct pipeline_result result;
	struct error err;

	if (size < 1 || size > INPUT_MAX)
		return 0;
	uint8_t *copy = malloc(size);
	require(copy != NULL);
	memcpy(copy, data, size);
	if ((data[0] & 1) != 0)
		repair_checksums(copy + 1, size - 1);

	clock_system(&clock);
	log_init(&log, -1, LOG_LEVEL_ERROR, &clock);
	struct runtime runtime = { .log = &log, .clock = &clock };
	struct memory memory = { .data = copy + 1, .len = size - 1 };
	struct pipeline_options options = { .source = { .read = memory_read, .self = &memory }, .digest = true };
	struct pipeline_target target = { .name = "the disk", .size = TARGET, .fresh = (data[0] & 2) != 0 };
	target.skip_zero_blocks = target.fresh && (data[0] & 4) != 0;
	uint8_t *device;
	target.fd = new_file(TARGET, &device);
	if (pipeline_write(&runtime, &options, &target, &result, &err) == 0)
		check_accepted(&runtime, &options, &target, device, &result);
	else
		check_refused(&err, device);
	munmap(device, TARGET);
	close(target.fd);
	free(copy);
	return 0;
}
