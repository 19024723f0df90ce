/* SPDX-License-Identifier: Apache-2.0 */
/* What the decoders share. */
#include "onhost/stream.h"

int stream_only_zeros(const struct stream_in *in, const uint8_t *data, size_t len, struct error *err)
{
	while (len > 0) {
		for (size_t i = 0; i < len; i++) {
			if (data[i] != 0)
				return 0;
		}
		if (in->next(in->self, &data, &len, err) != 0)
			return -1;
	}
	return 1;
}
