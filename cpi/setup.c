/* SPDX-License-Identifier: Apache-2.0 */
#include "cpi/setup.h"

#include "cpi/secrets.h"

int setup_config(struct setup *setup, const char *path, const struct json *context, struct error *err)
{
	struct arena *arena = setup->arena;
	struct log *log = setup->runtime->log;
	const struct json *root = NULL;

	/* first of all what must not be seen: the messages of all that follows pass through the log */
	secrets_of_environment(log);
	if (secrets_of_json(log, context, arena, err) != 0)
		return -1;
	if (path != NULL && config_read(path, arena, &root, err) != 0)
		return -1;
	if (secrets_of_configuration(log, root, arena, err) != 0 ||
	    config_build(root, context, arena, &setup->config, err) != 0)
		return -1;
	setup->clock->scale = setup->config.time_scale;
	return 0;
}

int setup_http(struct setup *setup, struct error *err)
{
	if (setup->http_is_open)
		return 0;
	if (http_open(&setup->http, err) != 0)
		return -1;
	setup->http_is_open = true;
	setup->runtime->http = &setup->http;
	return 0;
}

int setup_aws(struct setup *setup, struct error *err)
{
	if (config_require_aws(&setup->config, err) != 0 || setup_http(setup, err) != 0)
		return -1;
	if (aws_client_new(setup->runtime, &setup->config.aws, &setup->aws, err) != 0)
		return -1;
	setup->ec2.aws = setup->aws;
	return 0;
}

void setup_close(struct setup *setup)
{
	if (setup->aws != NULL)
		aws_client_free(setup->aws);
	setup->aws = NULL;
	if (setup->http_is_open)
		http_close(&setup->http);
	setup->http_is_open = false;
	setup->runtime->http = NULL;
}
