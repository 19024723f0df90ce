/* SPDX-License-Identifier: Apache-2.0 */
/* What EC2's error codes mean, as far as all typed calls need it. Which codes are retried is cpi/aws/retry.c's. */
#include "cpi/ec2/client.h"

#include <string.h>

#include "cpi/aws/retry.h"

bool ec2_ids_have(struct ec2_ids list, const char *text)
{
	for (size_t i = 0; i < list.count; i++)
		if (strcmp(list.items[i], text) == 0)
			return true;
	return false;
}

bool ec2_is_not_found(const struct error *err)
{
	return err->kind == ERROR_AWS && retry_is_not_found(err->aws_code);
}

bool ec2_is_denied(const struct error *err)
{
	return err->kind == ERROR_AWS && retry_is_denied(err->aws_code);
}

bool ec2_is_wrong_state(const struct error *err)
{
	return err->kind == ERROR_AWS &&
	       (strcmp(err->aws_code, "IncorrectInstanceState") == 0 || strcmp(err->aws_code, "IncorrectState") == 0);
}
