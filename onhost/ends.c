/* SPDX-License-Identifier: Apache-2.0 */
/* Nothing but tables: what the ends do is their own files'. */
#include "onhost/ends.h"

/* --- to a device -------------------------------------------------------------------------------------------------- */

static int write_open(struct end *end, struct error *err)
{
	return sink_init(&end->to.sink, end->target, end->slots, err);
}

static void write_close(struct end *end)
{
	sink_destroy(&end->to.sink);
}

static int write_slot(struct end *end, struct slot *slot, struct error *err)
{
	return sink_write(&end->to.sink, slot, err);
}

static int write_flush(struct end *end, struct error *err)
{
	return sink_flush(&end->to.sink, err);
}

static int write_commit(struct end *end, struct error *err)
{
	return sink_commit(&end->to.sink, err);
}

static uint64_t write_bytes(struct end *end)
{
	return sink_written(&end->to.sink);
}

const struct end_kind ends_write = {
	.threads = 2, /* one request at a time would wait for the disk's latency each time */
	.open = write_open,
	.close = write_close,
	.slot = write_slot,
	.flush = write_flush,
	.commit = write_commit,
	.bytes = write_bytes,
};

/* --- compared with a device --------------------------------------------------------------------------------------- */

static int verify_open(struct end *end, struct error *err)
{
	return compare_init(&end->to.compare, end->target, end->slots, err);
}

static void verify_close(struct end *end)
{
	compare_destroy(&end->to.compare);
}

static int verify_slot(struct end *end, struct slot *slot, struct error *err)
{
	return compare_slot(&end->to.compare, slot, err);
}

static uint64_t verify_bytes(struct end *end)
{
	return atomic_load(&end->to.compare.compared);
}

const struct end_kind ends_verify = {
	.threads = 1,
	.open = verify_open,
	.close = verify_close,
	.slot = verify_slot,
	.bytes = verify_bytes,
};

/* --- to a stream -------------------------------------------------------------------------------------------------- */

static int unpack_open(struct end *end, struct error *err)
{
	return outflow_init(&end->to.outflow, end->out_fd, end->stop_fd, end->slots, err);
}

static void unpack_close(struct end *end)
{
	outflow_destroy(&end->to.outflow);
}

static int unpack_slot(struct end *end, struct slot *slot, struct error *err)
{
	return outflow_slot(&end->to.outflow, slot, err);
}

static uint64_t unpack_bytes(struct end *end)
{
	return atomic_load(&end->to.outflow.outlet.written);
}

const struct end_kind ends_unpack = {
	.threads = 1,
	.open = unpack_open,
	.close = unpack_close,
	.slot = unpack_slot,
	.bytes = unpack_bytes,
};

/* --- to a stream, as blocks --------------------------------------------------------------------------------------- */

static int blocks_open(struct end *end, struct error *err)
{
	(void)err;
	blockflow_attach(end->blocks, end->slots, end->image_size);
	return 0;
}

static void blocks_close(struct end *end)
{
	blockflow_detach(end->blocks);
}

static int blocks_slot(struct end *end, struct slot *slot, struct error *err)
{
	return blockflow_slot(end->blocks, slot, err);
}

static uint64_t blocks_bytes(struct end *end)
{
	return atomic_load(&end->blocks->sent);
}

static uint64_t blocks_padding(struct end *end)
{
	return atomic_load(&end->blocks->padding);
}

const struct end_kind ends_blocks = {
	.threads = 1,
	.open = blocks_open,
	.close = blocks_close,
	.slot = blocks_slot,
	.bytes = blocks_bytes,
	.padding = blocks_padding,
};
