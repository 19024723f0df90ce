/* SPDX-License-Identifier: Apache-2.0 */
#include "cpi/setup.h"

#include "common/log.h"
#include "cpi/aws/region.h"
#include "cpi/secrets.h"

static void apply_choice(const struct setup_choice *choice, struct config *config)
{
	struct aws_settings *aws = &config->aws;

	if (choice->region != NULL) {
		aws->region = choice->region;
		config->region_source = "the parameter region";
	}
	if (choice->profile != NULL) {
		aws->credentials_source = "env_or_profile";
		aws->access_key_id = aws->secret_access_key = aws->session_token = NULL;
		aws->profile_is_chosen = true;
	}
}

int setup_config(struct setup *setup, const char *path, const struct json *context, struct error *err)
{
	struct arena *arena = setup->arena;
	struct log *log = setup->runtime->log;
	const struct json *root = setup->choice.root;

	/* first of all what must not be seen: the messages of all that follows pass through the log */
	if (secrets_of_environment(log, arena, err) != 0 || secrets_of_json(log, context, arena, err) != 0)
		return -1;
	if (path != NULL && config_read(path, arena, &root, err) != 0)
		return -1;
	if (secrets_of_configuration(log, root, arena, err) != 0 ||
	    config_build(root, context, arena, &setup->config, err) != 0)
		return -1;
	setup->clock->scale = setup->config.time_scale;
	apply_choice(&setup->choice, &setup->config);
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

static const char *profile_source(const struct setup *setup)
{
	const struct setup_choice *choice = &setup->choice;

	if (choice->profile == NULL)
		return "AWS_PROFILE or AWS_DEFAULT_PROFILE";
	return choice->profile_source != NULL ? choice->profile_source : "--profile";
}

/* A profile that somebody named and that is not there: what it would have said is missed here first. */
static int require_profile(const struct setup *setup, struct error *err)
{
	const struct profiles *profiles = &setup->profiles;

	if (!profiles->active_is_chosen || profiles_has(profiles, profiles->active))
		return 0;
	return error_set(err, ERROR_CONFIG,
			 "the AWS profile %s, which %s names, is neither in %s nor in %s: add it there, or name another",
			 profiles->active,
			 profile_source(setup), profiles->config_path == NULL ? "~/.aws/config" : profiles->config_path,
			 profiles->credentials_path == NULL ? "~/.aws/credentials" : profiles->credentials_path);
}

/* Where neither configuration nor variables have said it. */
static int find_region(struct setup *setup, struct error *err)
{
	struct config *config = &setup->config;
	/* the incumbent does without a region then */
	bool needs_none = config->aws.ec2_endpoint != NULL && config->aws.elb_endpoint != NULL;

	bool asks_metadata = !needs_none && setup->choice.default_region == NULL;

	if (!needs_none && require_profile(setup, err) != 0)
		return -1;
	if (setup_http(setup, err) != 0 ||
	    region_find(setup->runtime, &setup->profiles, config->metadata_endpoint, asks_metadata, setup->arena,
			&config->aws.region, &config->region_source, err) != 0)
		return -1;
	if (config->aws.region == NULL && setup->choice.default_region != NULL) {
		config->aws.region = setup->choice.default_region;
		config->region_source = "nowhere else";
	}
	return 0;
}

static int apply_profiles(struct setup *setup, struct error *err)
{
	struct config *config = &setup->config;
	struct profiles *profiles = &setup->profiles;

	if (profiles_load(setup->arena, profiles, err) != 0)
		return -1;
	config->aws.profiles = profiles;
	if (setup->choice.profile != NULL) {
		profiles->active = setup->choice.profile;
		profiles->active_is_chosen = true;
		if (require_profile(setup, err) != 0)
			return -1;
	}
	const char *ca_bundle = profiles_get(profiles, profiles->active, "ca_bundle");
	if (config->aws.ca_file == NULL && ca_bundle != NULL) {
		config->aws.ca_file = profiles_expand(ca_bundle, setup->arena);
		if (config->aws.ca_file == NULL)
			return error_nomem(err);
	}
	/* false in the configuration is what its template writes when nobody has said anything */
	if (!config->aws.dualstack)
		config->aws.dualstack =
			profiles_switch(profiles, "AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint");
	config->aws.fips = profiles_switch(profiles, "AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint");
	return config->aws.region == NULL ? find_region(setup, err) : 0;
}

int setup_aws(struct setup *setup, struct error *err)
{
	const struct config *config = &setup->config;

	if (apply_profiles(setup, err) != 0 || config_require_aws(config, err) != 0 || setup_http(setup, err) != 0)
		return -1;
	if (config->region_source != NULL)
		log_debug(setup->runtime->log, "the region is %s, from %s", config->aws.region, config->region_source);
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
