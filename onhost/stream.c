/* SPDX-License-Identifier: Apache-2.0 */
/* What the decoders share. */
#include "onhost/stream.h"

#include "onhost/byte_run.h"

int stream_only_zeros(const struct stream_in *in, const uint8_t *data, size_t len, struct error *err)
{
	while (len > 0) {
		if (!byte_run_of_zeros(data, len))
			return 0;
		if (in->next(in->self, &data, &len, err) != 0)
			return -1;
	}
	return 1;
}
