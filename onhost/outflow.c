/* SPDX-License-Identifier: Apache-2.0 */
#include "onhost/outflow.h"

int outflow_init(struct outflow *outflow, int fd, int stop_fd, struct slots *slots, struct error *err)
{
	outflow->slots = slots;
	return outlet_open(&outflow->outlet, fd, stop_fd, "the disk image", err);
}

void outflow_destroy(struct outflow *outflow)
{
	outlet_close(&outflow->outlet);
}

int outflow_slot(struct outflow *outflow, struct slot *slot, struct error *err)
{
	int result = outlet_write(&outflow->outlet, slot->data, slot->len, err);

	slots_put(outflow->slots, slot);
	return result;
}
