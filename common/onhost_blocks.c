/* SPDX-License-Identifier: Apache-2.0 */
/* The headers of the stream of blocks, there and back, and the order in which they may come. What the messages say, and which
 * must be the first and the last, is for the two ends to know. */
#include "common/onhost_blocks.h"

#include "common/onhost_frames.h"

/* A line of the session, without its line break. */
#define MESSAGE_MAX ((uint32_t)ONHOST_LINE_MAX - 1)

static void put_u32(uint8_t *bytes, uint32_t value)
{
	bytes[0] = (uint8_t)(value >> 24);
	bytes[1] = (uint8_t)(value >> 16);
	bytes[2] = (uint8_t)(value >> 8);
	bytes[3] = (uint8_t)value;
}

static uint32_t get_u32(const uint8_t *bytes)
{
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

void onhost_block_encode(const struct onhost_block_header *header, uint8_t ret_bytes[ONHOST_BLOCK_HEADER])
{
	put_u32(ret_bytes, header->is_message ? header->len : header->index);
	put_u32(ret_bytes + 4, header->is_message ? 0 : header->len);
}

static int decode_message(uint32_t len, struct onhost_block_header *ret_header, struct error *err)
{
	if (len == 0 || len > MESSAGE_MAX)
		return error_set(err, ERROR_PROTOCOL,
				 "a message between the image's blocks is announced with %lu bytes; 1 to %lu are allowed",
				 (unsigned long)len, (unsigned long)MESSAGE_MAX);
	*ret_header = (struct onhost_block_header){ .is_message = true, .len = len };
	return 0;
}

static int check_block(uint32_t index, uint32_t len, const struct onhost_block_order *order, struct error *err)
{
	if (len > ONHOST_BLOCK_SIZE)
		return error_set(err, ERROR_PROTOCOL, "a block of the image is announced with %lu bytes; %lu are allowed",
				 (unsigned long)len, (unsigned long)ONHOST_BLOCK_SIZE);
	if (index > ONHOST_BLOCK_INDEX_MAX)
		return error_set(err, ERROR_PROTOCOL, "block %lu of the image lies behind the largest EBS volume's end",
				 (unsigned long)index);
	if (order->short_came)
		return error_set(err, ERROR_PROTOCOL, "block %lu of the image follows block %lu, which was a last one",
				 (unsigned long)index, (unsigned long)order->last);
	if (order->any && index <= order->last)
		return error_set(err, ERROR_PROTOCOL, "block %lu of the image follows block %lu", (unsigned long)index,
				 (unsigned long)order->last);
	return 0;
}

int onhost_block_decode(const uint8_t bytes[ONHOST_BLOCK_HEADER], struct onhost_block_order *order,
			struct onhost_block_header *ret_header, struct error *err)
{
	uint32_t index = get_u32(bytes);
	uint32_t len = get_u32(bytes + 4);

	if (len == 0)
		return decode_message(index, ret_header, err);
	if (check_block(index, len, order, err) != 0)
		return -1;
	*order = (struct onhost_block_order){ .any = true, .short_came = len < ONHOST_BLOCK_SIZE, .last = index };
	*ret_header = (struct onhost_block_header){ .index = index, .len = len };
	return 0;
}
