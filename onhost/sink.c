/* SPDX-License-Identifier: Apache-2.0 */
/* Writes to the target. Which blocks is extents.c's, and when the head may go out the pipeline's. */
#include "onhost/sink.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "onhost/direct.h"
#include "onhost/fault.h"

#define BLANK_PIECE ((size_t)64 * 1024)

int sink_init(struct sink *sink, const struct pipeline_target *target, struct slots *slots, struct error *err)
{
	memset(sink, 0, sizeof(*sink));
	sink->target = target;
	sink->slots = slots;
	int failed = pthread_mutex_init(&sink->tail_lock, NULL);
	if (failed != 0)
		return error_errno(err, ERROR_INTERNAL, failed, "cannot make a lock");
	atomic_store(&sink->direct, direct_set(sink->target->fd, true));
	return 0;
}

void sink_destroy(struct sink *sink)
{
	direct_set(sink->target->fd, false);
	if (sink->head != NULL)
		slots_put(sink->slots, sink->head);
	pthread_mutex_destroy(&sink->tail_lock);
}

static int write_at(struct sink *sink, const uint8_t *data, size_t len, uint64_t offset, struct error *err)
{
	while (len > 0) {
		bool direct = atomic_load(&sink->direct);
		ssize_t n = pwrite(sink->target->fd, data, len, (off_t)offset);
		if (n < 0 && errno == EINTR)
			continue;
		/* larger blocks than ours, or the rest of a short write: from now on through the page cache */
		if (n < 0 && errno == EINVAL && direct && direct_set(sink->target->fd, false)) {
			atomic_store(&sink->direct, false);
			continue;
		}
		if (n <= 0) {
			const struct fault fault = { FAULT_WRITE, offset, len, n < 0 ? errno : 0 };
			return fault_tell(sink->target, &fault, err);
		}
		data += n;
		len -= (size_t)n;
		offset += (uint64_t)n;
		atomic_fetch_add(&sink->written, (uint64_t)n);
	}
	return 0;
}

/* A run of bytes; only the image's very end can be no multiple of a block. */
static int write_run(struct sink *sink, const uint8_t *data, size_t len, uint64_t offset, struct error *err)
{
	size_t odd = len % SLOT_BLOCK;

	if (odd > 0) {
		pthread_mutex_lock(&sink->tail_lock);
		memcpy(sink->tail, data + len - odd, odd);
		sink->tail_len = odd;
		sink->tail_offset = offset + len - odd;
		pthread_mutex_unlock(&sink->tail_lock);
	}
	return write_at(sink, data, len - odd, offset, err);
}

int sink_write(struct sink *sink, struct slot *slot, struct error *err)
{
	size_t position = 0, start, len;
	int result = 0;

	if (slot->offset == 0) {
		sink->head = slot;
		return 0;
	}
	while (result == 0 && slot_next_run(slot, &position, &start, &len))
		result = write_run(sink, slot->data + start, len, slot->offset + start, err);
	slots_put(sink->slots, slot);
	return result;
}

static int flush(struct sink *sink, struct error *err)
{
	while (fsync(sink->target->fd) != 0) {
		if (errno != EINTR) {
			const struct fault fault = { .kind = FAULT_FLUSH, .errnum = errno };
			return fault_tell(sink->target, &fault, err);
		}
	}
	return fault_if_gone(sink->target, err);
}

int sink_flush(struct sink *sink, struct error *err)
{
	direct_set(sink->target->fd, false);
	atomic_store(&sink->direct, false);
	if (write_at(sink, sink->tail, sink->tail_len, sink->tail_offset, err) != 0)
		return -1;
	return flush(sink, err);
}

/* The runs of the head between these two offsets. */
static int write_head(struct sink *sink, size_t from, size_t to, struct error *err)
{
	size_t position = from, start, len;
	int result = 0;

	while (result == 0 && slot_next_run(sink->head, &position, &start, &len) && start < to)
		result = write_at(sink, sink->head->data + start, len < to - start ? len : to - start, start, err);
	return result;
}

/* What makes a disk look bootable is in its first block: that goes first, and to the device before the rest is tried.
 * The rest goes in pieces, past the page cache, which would make few large requests of them: what one piece meets must
 * not keep the others. */
static void blank_head(struct sink *sink)
{
	memset(sink->head->data, 0, sink->head->len);
	if (write_head(sink, 0, SLOT_BLOCK, NULL) == 0)
		flush(sink, NULL);
	atomic_store(&sink->direct, direct_set(sink->target->fd, true));
	for (size_t at = SLOT_BLOCK, end; at < sink->head->len; at = end) {
		end = (at / BLANK_PIECE + 1) * BLANK_PIECE;
		write_head(sink, at, end, NULL);
	}
	flush(sink, NULL);
}

int sink_commit(struct sink *sink, struct error *err)
{
	if (sink->head == NULL)
		return 0;
	int result = write_head(sink, 0, SLOT_SIZE, err);
	if (result == 0)
		result = flush(sink, err);
	if (result != 0)
		blank_head(sink);
	return result;
}

uint64_t sink_written(struct sink *sink)
{
	return atomic_load(&sink->written);
}
