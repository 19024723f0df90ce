/* SPDX-License-Identifier: Apache-2.0 */
#include "cpi/methods/current_vm.h"

#include "common/imds.h"
#include "common/parse.h"

int current_vm_id(struct call *call, const char **ret_vm_cid, struct error *err)
{
	const char *endpoint = call->config->metadata_endpoint;
	struct imds imds;
	const char *id;

	if (imds_init(&imds, call->runtime, endpoint, err) != 0)
		return endpoint == NULL ? -1 : error_prefix(err, "aws.metadata_endpoint is %s", endpoint);
	if (imds_get(&imds, "/latest/meta-data/instance-id", call->arena, &id, NULL, err) != 0)
		return error_prefix(err, "the id of this instance cannot be read from instance metadata");
	if (!parse_aws_id(id, "i-"))
		return error_set(err, ERROR_METADATA,
				 "instance metadata at %s gave '%.80s' where an instance id was asked for: is this an "
				 "EC2 instance, and the endpoint its metadata service?",
				 imds.endpoint, id);
	*ret_vm_cid = id;
	return 0;
}
