/* SPDX-License-Identifier: Apache-2.0 */
/* Windows of the image, cut in blocks. */
#include "onhost/blockflow.h"

#include <string.h>

#include "common/buf.h"
#include "common/onhost_blocks.h"

/* The first message and the last one. */
#define MESSAGES_MAX (2 * (ONHOST_BLOCK_HEADER + ONHOST_LINE_MAX))

_Static_assert(SLOT_SIZE % ONHOST_BLOCK_SIZE == 0 && ONHOST_BLOCK_SIZE % SLOT_BLOCK == 0,
	       "a slot holds whole blocks, and a block whole bits");

int blockflow_open(struct blockflow *flow, int fd, const struct cancel *cancel, struct error *err)
{
	*flow = (struct blockflow){ .begun = false };
	return outlet_open(&flow->outlet, fd, cancel == NULL ? -1 : cancel->read_fd, "the image's blocks", err);
}

void blockflow_close(struct blockflow *flow)
{
	outlet_close(&flow->outlet);
}

void blockflow_attach(struct blockflow *flow, struct slots *slots, const _Atomic uint64_t *size)
{
	flow->slots = slots;
	flow->size = size;
}

void blockflow_detach(struct blockflow *flow)
{
	flow->last_size = atomic_load(flow->size);
	flow->slots = NULL;
	flow->size = NULL;
}

static uint64_t image_size(const struct blockflow *flow)
{
	return flow->size == NULL ? flow->last_size : atomic_load(flow->size);
}

/* --- messages ----------------------------------------------------------------------------------------------------- */

static void put_message(struct buf *out, const struct onhost_msg *msg)
{
	struct buf line CLEANUP_BUF = BUF_INIT(ONHOST_LINE_MAX);
	uint8_t bytes[ONHOST_BLOCK_HEADER];

	if (onhost_msg_encode(msg, &line, NULL) != 0) {
		out->failed = true;
		return;
	}
	/* without its line break */
	const struct onhost_block_header header = { .is_message = true, .len = (uint32_t)line.len - 1 };
	onhost_block_encode(&header, bytes);
	buf_append(out, bytes, sizeof(bytes));
	buf_append(out, line.data, header.len);
}

static void put_first(struct blockflow *flow, struct buf *out)
{
	const struct onhost_msg first = { .type = ONHOST_MSG_PROGRESS, .progress = { .total = image_size(flow) } };

	if (!flow->begun)
		put_message(out, &first);
}

static int write_messages(struct blockflow *flow, const struct buf *out, struct error *err)
{
	if (out->failed) /* of our own messages none is too long */
		return error_nomem(err);
	if (outlet_write(&flow->outlet, out->data, out->len, err) != 0)
		return -1;
	flow->begun = true;
	flow->whole = atomic_load(&flow->outlet.written);
	return 0;
}

static int write_last(struct blockflow *flow, const struct onhost_msg *msg, struct error *err)
{
	struct buf out CLEANUP_BUF = BUF_INIT(MESSAGES_MAX);

	put_first(flow, &out);
	put_message(&out, msg);
	return write_messages(flow, &out, err);
}

int blockflow_written(struct blockflow *flow, const struct onhost_written *written, struct error *err)
{
	const struct onhost_msg msg = { .type = ONHOST_MSG_WRITTEN, .written = *written };

	return write_last(flow, &msg, err);
}

void blockflow_failed(struct blockflow *flow, const struct error *why)
{
	const struct onhost_msg msg = {
		.type = ONHOST_MSG_ERROR,
		.error = { .type = error_kind_name(why->kind), .message = why->message },
	};

	if (atomic_load(&flow->outlet.written) == flow->whole)
		(void)write_last(flow, &msg, NULL);
}

/* --- blocks ------------------------------------------------------------------------------------------------------- */

/* Of a hole, and behind the slot's end, nothing may ever have stood in its memory but an earlier slot's data. */
static void blank_the_rest(struct slot *slot)
{
	size_t position = 0, done = 0, start, len;

	while (slot_next_run(slot, &position, &start, &len)) {
		memset(slot->data + done, 0, start - done);
		done = start + len;
	}
	memset(slot->data + done, 0, SLOT_SIZE - done);
}

static bool is_wanted(const struct slot *slot, size_t start)
{
	for (size_t at = start; at < start + ONHOST_BLOCK_SIZE; at += SLOT_BLOCK) {
		if (slot_wants(slot, at / SLOT_BLOCK))
			return true;
	}
	return false;
}

static int write_block(struct blockflow *flow, uint64_t offset, const uint8_t *data, struct error *err)
{
	uint64_t size = image_size(flow);
	bool last = size > offset && size - offset < ONHOST_BLOCK_SIZE;
	const struct onhost_block_header header = {
		.index = (uint32_t)(offset / ONHOST_BLOCK_SIZE),
		.len = last ? (uint32_t)(size - offset) : ONHOST_BLOCK_SIZE,
	};
	uint8_t bytes[ONHOST_BLOCK_HEADER];

	onhost_block_encode(&header, bytes);
	if (outlet_write(&flow->outlet, bytes, sizeof(bytes), err) != 0 ||
	    outlet_write(&flow->outlet, data, header.len, err) != 0)
		return -1;
	flow->whole = atomic_load(&flow->outlet.written);
	atomic_fetch_add(&flow->sent, header.len);
	return 0;
}

static int write_slot(struct blockflow *flow, struct slot *slot, struct error *err)
{
	struct buf first CLEANUP_BUF = BUF_INIT(MESSAGES_MAX);
	uint64_t before = atomic_load(&flow->sent);

	if (!flow->begun) {
		put_first(flow, &first);
		if (write_messages(flow, &first, err) != 0)
			return -1;
	}
	blank_the_rest(slot);
	for (size_t start = 0; start < SLOT_SIZE; start += ONHOST_BLOCK_SIZE) {
		if (!is_wanted(slot, start))
			continue;
		if (ring_stopped(&flow->slots->free))
			return error_set(err, ERROR_CANCELLED, "the work on the image was stopped");
		if (write_block(flow, slot->offset + start, slot->data + start, err) != 0)
			return -1;
	}
	atomic_fetch_add(&flow->padding, atomic_load(&flow->sent) - before - slot_wanted_bytes(slot));
	return 0;
}

int blockflow_slot(struct blockflow *flow, struct slot *slot, struct error *err)
{
	int result = write_slot(flow, slot, err);

	slots_put(flow->slots, slot);
	return result;
}
