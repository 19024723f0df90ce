/* SPDX-License-Identifier: Apache-2.0 */
#include "cpi/methods/info.h"

static const char *const stemcell_formats[] = { "aws-raw", "aws-light" };

void info_get(const struct call *call, struct info *ret_info)
{
	*ret_info = (struct info){
		.stemcell_formats = stemcell_formats,
		.n_stemcell_formats = sizeof(stemcell_formats) / sizeof(stemcell_formats[0]),
		.api_version = call->config->api_version,
	};
}

const char *info_ping(void)
{
	return "pong";
}
