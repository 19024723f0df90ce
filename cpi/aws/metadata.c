/* SPDX-License-Identifier: Apache-2.0 */
#include "cpi/aws/metadata.h"

int metadata_open(struct imds *imds, struct runtime *runtime, const struct profiles *profiles, const char *endpoint,
		  struct error *err)
{
	struct imds_options options = {
		.endpoint = endpoint,
		.mode = profiles_setting(profiles, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
					 "ec2_metadata_service_endpoint_mode"),
		.timeout = profiles_setting(profiles, "AWS_METADATA_SERVICE_TIMEOUT", "metadata_service_timeout"),
		.attempts = profiles_setting(profiles, "AWS_METADATA_SERVICE_NUM_ATTEMPTS",
					     "metadata_service_num_attempts"),
		.v1_disabled = profiles_switch(profiles, "AWS_EC2_METADATA_V1_DISABLED", "ec2_metadata_v1_disabled"),
	};

	if (options.endpoint == NULL)
		options.endpoint = profiles_setting(profiles, "AWS_EC2_METADATA_SERVICE_ENDPOINT",
						    "ec2_metadata_service_endpoint");
	/* the switch of older days */
	if (options.mode == NULL && profiles_switch(profiles, "AWS_IMDS_USE_IPV6", "imds_use_ipv6"))
		options.mode = "IPv6";
	return imds_init_with(imds, runtime, &options, err);
}
