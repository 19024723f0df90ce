/* SPDX-License-Identifier: Apache-2.0 */
/* Writes to the target. Which blocks is extents.c's, and when the head may go out the pipeline's. */
#include "onhost/sink.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "onhost/direct.h"

int sink_init(struct sink *sink, const struct pipeline_target *target, struct slots *slots, struct error *err)
{
	memset(sink, 0, sizeof(*sink));
	sink->fd = target->fd;
	sink->name = target->name;
	sink->slots = slots;
	int failed = pthread_mutex_init(&sink->tail_lock, NULL);
	if (failed != 0)
		return error_errno(err, ERROR_INTERNAL, failed, "cannot make a lock");
	atomic_store(&sink->direct, direct_set(sink->fd, true));
	return 0;
}

void sink_destroy(struct sink *sink)
{
	direct_set(sink->fd, false);
	if (sink->head != NULL)
		slots_put(sink->slots, sink->head);
	pthread_mutex_destroy(&sink->tail_lock);
}

static int refuse(const struct sink *sink, const char *what, uint64_t offset, int errnum, struct error *err)
{
	return error_errno(err, ERROR_IO, errnum,
			   "cannot %s %s at offset %llu (the kernel's log may say why; try again with a new volume)",
			   what, sink->name, (unsigned long long)offset);
}

static int write_at(struct sink *sink, const uint8_t *data, size_t len, uint64_t offset, struct error *err)
{
	while (len > 0) {
		bool direct = atomic_load(&sink->direct);
		ssize_t n = pwrite(sink->fd, data, len, (off_t)offset);
		if (n < 0 && errno == EINTR)
			continue;
		/* larger blocks than ours, or the rest of a short write: from now on through the page cache */
		if (n < 0 && errno == EINVAL && direct && direct_set(sink->fd, false)) {
			atomic_store(&sink->direct, false);
			continue;
		}
		if (n <= 0)
			return refuse(sink, "write to", offset, n < 0 ? errno : ENOSPC, err);
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
	while (fsync(sink->fd) != 0) {
		if (errno != EINTR)
			return error_errno(
				err, ERROR_IO, errno,
				"cannot flush what was written to %s (the kernel's log may say why; try again with a "
				"new volume)",
				sink->name);
	}
	return 0;
}

int sink_flush(struct sink *sink, struct error *err)
{
	direct_set(sink->fd, false);
	atomic_store(&sink->direct, false);
	if (write_at(sink, sink->tail, sink->tail_len, sink->tail_offset, err) != 0)
		return -1;
	return flush(sink, err);
}

static void blank_head(struct sink *sink)
{
	memset(sink->head->data, 0, SLOT_BLOCK);
	if (pwrite(sink->fd, sink->head->data, sink->head->len < SLOT_BLOCK ? sink->head->len : SLOT_BLOCK, 0) > 0)
		fsync(sink->fd);
}

int sink_commit(struct sink *sink, struct error *err)
{
	size_t position = 0, start, len;
	int result = 0;

	if (sink->head == NULL)
		return 0;
	while (result == 0 && slot_next_run(sink->head, &position, &start, &len))
		result = write_at(sink, sink->head->data + start, len, start, err);
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
