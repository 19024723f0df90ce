/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/fake_ec2.h"

int fake_ec2_begin(void **state)
{
	static struct fake_aws fake;

	fake_aws_open(&fake);
	*state = &fake;
	return 0;
}

int fake_ec2_end(void **state)
{
	fake_aws_close(*state);
	return 0;
}

void fake_ec2_say(struct fake_aws *fake, const char *action, const char *body)
{
	fake_aws_script(fake, (struct fake_answer){ .action = action, .body = body });
}

void fake_ec2_refuse(struct fake_aws *fake, const char *action, const char *code)
{
	const char *body = fake_aws_error(code, "no");

	fake_aws_script(fake, (struct fake_answer){ .action = action, .status = 400, .body = body });
}

void fake_ec2_lose(struct fake_aws *fake, const char *action)
{
	fake_aws_script(fake, (struct fake_answer){ .action = action, .way = FAKE_CUT });
}
