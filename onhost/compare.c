/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the device itself, not what the page cache still holds of it, as far as the device allows that. */
#include "onhost/compare.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "onhost/direct.h"
#include "onhost/fault.h"

int compare_init(struct compare *compare, const struct pipeline_target *target, struct slots *slots, struct error *err)
{
	memset(compare, 0, sizeof(*compare));
	compare->target = target;
	compare->slots = slots;
	compare->buffer = aligned_alloc(SLOT_BLOCK, SLOT_SIZE);
	if (compare->buffer == NULL)
		return error_nomem(err);
	compare->direct = direct_set(compare->target->fd, true);
	return 0;
}

void compare_destroy(struct compare *compare)
{
	direct_set(compare->target->fd, false);
	free(compare->buffer);
}

static int read_at(struct compare *compare, size_t len, uint64_t offset, struct error *err)
{
	size_t got = 0;

	while (got < len) {
		ssize_t n = pread(compare->target->fd, compare->buffer + got, len - got, (off_t)(offset + got));
		if (n < 0 && errno == EINTR)
			continue;
		/* larger blocks than ours, or the image's odd end */
		if (n < 0 && errno == EINVAL && compare->direct) {
			compare->direct = false;
			direct_set(compare->target->fd, false);
			continue;
		}
		if (n <= 0) {
			const struct fault fault = { FAULT_READ, offset + got, len - got, n < 0 ? errno : 0 };
			return fault_tell(compare->target, &fault, err);
		}
		got += (size_t)n;
	}
	return 0;
}

static int compare_run(struct compare *compare, const uint8_t *data, size_t len, uint64_t offset, struct error *err)
{
	if (read_at(compare, len, offset, err) != 0)
		return -1;
	atomic_fetch_add(&compare->compared, len);
	if (memcmp(compare->buffer, data, len) == 0)
		return 0;
	size_t i = 0;
	while (compare->buffer[i] == data[i])
		i++;
	return error_set(err, ERROR_IO, "%s differs from the image at offset %llu; write it again", compare->target->name,
			 (unsigned long long)(offset + i));
}

int compare_slot(struct compare *compare, struct slot *slot, struct error *err)
{
	size_t position = 0, start, len;
	int result = 0;

	while (result == 0 && slot_next_run(slot, &position, &start, &len))
		result = compare_run(compare, slot->data + start, len, slot->offset + start, err);
	slots_put(compare->slots, slot);
	return result;
}
