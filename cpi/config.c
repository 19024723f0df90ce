/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the configuration and turns it into plain values. What the values are used for, and whether AWS likes them, is
 * left to others. */
#include "cpi/config.h"

#include <string.h>

#include "common/io.h"
#include "cpi/aws/environment.h"
#include "cpi/config_ssh.h"
#include "cpi/rpc/args.h"

#define MAX_RETRIES_LIMIT 1000
#define TIME_SCALE_LIMIT 1000.0

static int wrong_type(const struct json *value, const char *path, const char *key, const char *wanted,
		      struct error *err)
{
	return error_set(err, ERROR_CONFIG, "the configuration's %s.%s is %s, but should be %s", path, key,
			 args_type_name(value), wanted);
}

static bool is_absent(const struct json *value)
{
	return value == NULL || value->type == JSON_NULL;
}

/* NULL for absent, null and empty: templates write "" for what an operator left out. */
static int read_text(const struct json *object, const char *path, const char *key, const char **ret_text,
		     struct error *err)
{
	const struct json *value = json_get(object, key);
	const char *text = json_text(value);

	if (!is_absent(value) && text == NULL)
		return wrong_type(value, path, key, "a string", err);
	*ret_text = text == NULL || text[0] == '\0' ? NULL : text;
	return 0;
}

/* As read_text, but a number will do: YAML makes one of a password that is all digits. */
static int read_word(const struct json *object, const char *path, const char *key, const char **ret_text,
		     struct error *err)
{
	const struct json *value = json_get(object, key);

	if (json_is(value, JSON_NUMBER)) {
		*ret_text = value->text;
		return 0;
	}
	return read_text(object, path, key, ret_text, err);
}

static int read_bool(const struct json *object, const char *path, const char *key, bool *ret_flag, struct error *err)
{
	const struct json *value = json_get(object, key);

	if (!is_absent(value) && value->type != JSON_BOOL)
		return wrong_type(value, path, key, "true or false", err);
	*ret_flag = json_true(value);
	return 0;
}

/* fallback where it is absent or null. */
static int read_int(const struct json *object, const char *path, const char *key, int64_t fallback, int64_t *ret_number,
		    struct error *err)
{
	const struct json *value = json_get(object, key);

	if (is_absent(value))
		*ret_number = fallback;
	else if (!json_int(value, ret_number))
		return wrong_type(value, path, key, "an integer", err);
	return 0;
}

/* NULL where it is absent or null. */
static int read_object(const struct json *object, const char *path, const char *key, const struct json **ret_object,
		       struct error *err)
{
	const struct json *value = json_get(object, key);

	if (!is_absent(value) && value->type != JSON_OBJECT)
		return wrong_type(value, path, key, "an object", err);
	*ret_object = is_absent(value) ? NULL : value;
	return 0;
}

/* --- merging --- */

static int append_members(struct json *target, const struct json ***tail, const struct json *object,
			  struct arena *arena, struct error *err)
{
	const struct json *member = object == NULL ? NULL : object->child;

	for (; member != NULL; member = member->next) {
		struct json *copy = arena_alloc(arena, sizeof(*copy));
		if (copy == NULL)
			return error_nomem(err);
		*copy = *member;
		copy->next = NULL;
		**tail = copy;
		*tail = &copy->next;
		target->count++;
	}
	return 0;
}

/* A new object with the members of both: of a repeated key json_get takes the last, so the upper one wins. */
static int merge(const struct json *lower, const struct json *upper, struct arena *arena,
		 const struct json **ret_merged, struct error *err)
{
	struct json *merged = arena_alloc(arena, sizeof(*merged));

	if (merged == NULL)
		return error_nomem(err);
	merged->type = JSON_OBJECT;
	const struct json **tail = &merged->child;
	if (append_members(merged, &tail, lower, arena, err) != 0 ||
	    append_members(merged, &tail, upper, arena, err) != 0)
		return -1;
	*ret_merged = merged;
	return 0;
}

/* --- the parts --- */

static int build_credentials(const struct json *aws, bool has_file, struct aws_settings *settings, struct error *err)
{
	if (read_text(aws, "aws", "credentials_source", &settings->credentials_source, err) != 0 ||
	    read_text(aws, "aws", "access_key_id", &settings->access_key_id, err) != 0 ||
	    read_text(aws, "aws", "secret_access_key", &settings->secret_access_key, err) != 0 ||
	    read_text(aws, "aws", "session_token", &settings->session_token, err) != 0 ||
	    read_text(aws, "aws", "role_arn", &settings->role_arn, err) != 0)
		return -1;
	const char *source = settings->credentials_source;
	if (source == NULL)
		settings->credentials_source = has_file ? "static" : "env_or_profile";
	else if (strcmp(source, "static") != 0 && strcmp(source, "env_or_profile") != 0)
		return error_set(err, ERROR_CONFIG,
				 "Unknown credentials_source %s: aws.credentials_source should be static or "
				 "env_or_profile",
				 source);
	return 0;
}

static int build_settings(const struct json *aws, bool has_file, struct aws_settings *settings, struct error *err)
{
	int64_t retries;

	if (build_credentials(aws, has_file, settings, err) != 0 ||
	    read_text(aws, "aws", "region", &settings->region, err) != 0 ||
	    read_text(aws, "aws", "ec2_endpoint", &settings->ec2_endpoint, err) != 0 ||
	    read_text(aws, "aws", "elb_endpoint", &settings->elb_endpoint, err) != 0 ||
	    read_text(aws, "aws", "ebs_endpoint", &settings->ebs_endpoint, err) != 0 ||
	    read_int(aws, "aws", "max_retries", CONFIG_DEFAULT_MAX_RETRIES, &retries, err) != 0)
		return -1;
	if (retries < 0 || retries > MAX_RETRIES_LIMIT)
		return error_set(err, ERROR_CONFIG, "the configuration's aws.max_retries should be from 0 to %d",
				 MAX_RETRIES_LIMIT);
	settings->max_retries = (unsigned)retries;
	/* Ruby's truth, as the incumbent has it */
	settings->dualstack = json_truthy(json_get(aws, "dualstack"));
	settings->ca_file = environment_get("BOSH_CA_CERT_FILE");
	if (settings->ca_file == NULL)
		settings->ca_file = environment_get("AWS_CA_BUNDLE");
	return 0;
}

/* What a request's context, the file and the environment say; what needs files or the network comes later. */
static void build_region(const struct json *context, struct config *config)
{
	static const char *const variables[] = { "AWS_REGION", "AWS_DEFAULT_REGION" };
	bool of_context = json_get(context, "region") != NULL;

	if (config->aws.region != NULL)
		config->region_source = of_context ? "region of the request's context" :
						     "aws.region of the configuration";
	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]) && config->aws.region == NULL; i++) {
		config->aws.region = environment_get(variables[i]);
		config->region_source = config->aws.region == NULL ? NULL : variables[i];
	}
}

static int builder_by_name(const char *name, enum config_builder *ret_builder, struct error *err)
{
	static const char *const names[] = {
		[CONFIG_BUILDER_AUTO] = "auto",
		[CONFIG_BUILDER_LOCAL] = "local",
		[CONFIG_BUILDER_SSH] = "ssh",
		[CONFIG_BUILDER_DIRECT] = "direct",
	};

	if (name == NULL) {
		*ret_builder = CONFIG_BUILDER_AUTO;
		return 0;
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(name, names[i]) == 0) {
			*ret_builder = (enum config_builder)i;
			return 0;
		}
	}
	return error_set(err, ERROR_CONFIG,
			 "the configuration's aws.stemcell.builder is %s, but should be auto, local, ssh or direct",
			 name);
}

static int build_ssh(const struct json *stemcell, struct config_ssh *ssh, struct error *err)
{
	static const char path[] = "aws.stemcell.ssh";
	const struct json *object;
	int64_t port;

	if (read_object(stemcell, "aws.stemcell", "ssh", &object, err) != 0 ||
	    read_text(object, path, "host", &ssh->host, err) != 0 || read_text(object, path, "user", &ssh->user, err) != 0 ||
	    read_int(object, path, "port", 0, &port, err) != 0 ||
	    read_text(object, path, "private_key", &ssh->private_key, err) != 0 ||
	    read_text(object, path, "private_key_file", &ssh->private_key_file, err) != 0 ||
	    read_text(object, path, "host_key", &ssh->host_key, err) != 0 ||
	    read_text(object, path, "onhost_path", &ssh->onhost_path, err) != 0)
		return -1;
	if (port < 0 || port > CONFIG_SSH_PORT_MAX)
		return error_set(err, ERROR_CONFIG, "the configuration's %s.port should be from 1 to %d", path,
				 CONFIG_SSH_PORT_MAX);
	ssh->port = (int)port;
	if (ssh->onhost_path == NULL)
		ssh->onhost_path = "onhost";
	return config_ssh_check(ssh, err);
}

static int read_connections(const struct json *stemcell, unsigned *ret_connections, struct error *err)
{
	int64_t connections;

	if (read_int(stemcell, "aws.stemcell", "upload_connections", 0, &connections, err) != 0)
		return -1;
	if (connections < 0 || connections > CONFIG_UPLOAD_CONNECTIONS_MAX)
		return error_set(err, ERROR_CONFIG,
				 "the configuration's aws.stemcell.upload_connections is %lld, but should be from 1 to %d",
				 (long long)connections, CONFIG_UPLOAD_CONNECTIONS_MAX);
	*ret_connections = (unsigned)connections;
	return 0;
}

static int build_stemcell(const struct json *properties, const struct json *aws, struct arena *arena,
			  struct config_stemcell *stemcell, struct error *err)
{
	const struct json *outer, *inner;
	const char *builder;

	/* the incumbent's template writes the outer one, and its code reads the inner one */
	if (read_object(properties, "cloud.properties", "stemcell", &outer, err) != 0 ||
	    read_object(aws, "aws", "stemcell", &inner, err) != 0)
		return -1;
	const struct json *merged = NULL;
	if ((outer != NULL || inner != NULL) && merge(outer, inner, arena, &merged, err) != 0)
		return -1;
	stemcell->properties = merged;
	if (read_text(merged, "aws.stemcell", "builder", &builder, err) != 0 ||
	    builder_by_name(builder, &stemcell->builder, err) != 0)
		return -1;
	if (build_ssh(merged, &stemcell->ssh, err) != 0)
		return -1;
	if (stemcell->builder == CONFIG_BUILDER_SSH && stemcell->ssh.host == NULL)
		return error_set(err, ERROR_CONFIG,
				 "the configuration's aws.stemcell.builder is ssh, and aws.stemcell.ssh.host is missing: it "
				 "should be the machine that builds stemcells");
	if (read_text(merged, "aws.stemcell", "onhost_path", &stemcell->onhost_path, err) != 0 ||
	    read_bool(merged, "aws.stemcell", "skip_zero_blocks", &stemcell->skip_zero_blocks, err) != 0)
		return -1;
	if (read_connections(merged, &stemcell->upload_connections, err) != 0 ||
	    read_bool(merged, "aws.stemcell", "lab", &stemcell->lab, err) != 0)
		return -1;
	return read_text(merged, "aws.stemcell", "lab_devices", &stemcell->lab_devices, err);
}

static int build_debug(const struct json *properties, struct config *config, struct error *err)
{
	const struct json *debug, *cpi;
	int64_t version;

	if (read_object(properties, "cloud.properties", "debug", &debug, err) != 0 ||
	    read_object(debug, "debug", "cpi", &cpi, err) != 0 ||
	    read_int(cpi, "debug.cpi", "api_version", CONFIG_API_VERSION_MAX, &version, err) != 0)
		return -1;
	if (version < 1)
		return error_set(err, ERROR_CONFIG, "the configuration's debug.cpi.api_version should be 1, 2 or 3");
	config->api_version = version > CONFIG_API_VERSION_MAX ? CONFIG_API_VERSION_MAX : (int)version;

	const struct json *scale = json_get(cpi, "time_scale");
	config->time_scale = 1.0;
	if (is_absent(scale))
		return 0;
	if (!json_double(scale, &config->time_scale))
		return wrong_type(scale, "debug.cpi", "time_scale", "a number", err);
	if (!(config->time_scale > 0 && config->time_scale <= TIME_SCALE_LIMIT))
		return error_set(err, ERROR_CONFIG,
				 "the configuration's debug.cpi.time_scale should be over 0 and at most %.0f",
				 TIME_SCALE_LIMIT);
	return 0;
}

/* The incumbent takes a registry for configured when there is an endpoint. */
static int build_registry(const struct json *properties, struct config *config, struct error *err)
{
	const struct json *registry;

	if (read_object(properties, "cloud.properties", "registry", &registry, err) != 0 ||
	    read_text(registry, "registry", "endpoint", &config->registry_endpoint, err) != 0)
		return -1;
	if (config->registry_endpoint == NULL)
		return 0;
	if (read_word(registry, "registry", "user", &config->registry_user, err) != 0)
		return -1;
	return read_word(registry, "registry", "password", &config->registry_password, err);
}

/* Ruby's truth and Ruby's fetch, as the incumbent reads these: "yes" is true, and a null is there and not true. */
static void build_switches(const struct json *aws, struct config *config)
{
	const struct json *describe = json_get(aws, "enable_describe_instance_types");

	config->fast_path_delete = json_truthy(json_get(aws, "fast_path_delete"));
	config->describe_instance_types = describe == NULL || json_truthy(describe);
}

static int find_properties(const struct json *root, const struct json **ret_properties, struct error *err)
{
	if (root == NULL) {
		*ret_properties = NULL;
		return 0;
	}
	const struct json *properties = json_path(root, "cloud", "properties", NULL);
	if (!json_is(properties, JSON_OBJECT))
		return error_set(err, ERROR_CONFIG,
				 "Could not find cloud properties in the configuration: it should be an object with "
				 "cloud.properties.aws in it, and cloud.properties is %s",
				 args_type_name(properties));
	*ret_properties = properties;
	return 0;
}

/* --- the interface --- */

int config_read(const char *path, struct arena *arena, const struct json **ret_root, struct error *err)
{
	const struct json *root;
	char *text;
	size_t len;

	if (io_read_file(path, CONFIG_MAX_BYTES, arena, &text, &len, err) != 0) {
		err->kind = err->kind == ERROR_NOMEM ? ERROR_NOMEM : ERROR_CONFIG;
		return error_prefix(err, "the configuration %s cannot be read", path);
	}
	if (json_parse(arena, text, len, CONFIG_MAX_BYTES, &root, err) != 0) {
		err->kind = err->kind == ERROR_NOMEM ? ERROR_NOMEM : ERROR_CONFIG;
		return error_prefix(err, "the configuration %s is not valid JSON", path);
	}
	*ret_root = root;
	return 0;
}

int config_build(const struct json *root, const struct json *context, struct arena *arena, struct config *ret_config,
		 struct error *err)
{
	struct config config = { 0 };
	const struct json *properties = NULL, *aws = NULL;

	if (find_properties(root, &properties, err) != 0 ||
	    read_object(properties, "cloud.properties", "aws", &aws, err) != 0 ||
	    merge(aws, context, arena, &config.aws_properties, err) != 0)
		return -1;
	aws = config.aws_properties;
	if (build_settings(aws, root != NULL, &config.aws, err) != 0 ||
	    read_text(aws, "aws", "metadata_endpoint", &config.metadata_endpoint, err) != 0 ||
	    read_bool(aws, "aws", "encrypted", &config.encrypted, err) != 0 ||
	    read_text(aws, "aws", "kms_key_arn", &config.kms_key_arn, err) != 0 ||
	    read_text(aws, "aws", "worker_ami", &config.worker_ami, err) != 0)
		return -1;
	build_region(context, &config);
	build_switches(aws, &config);
	if (build_stemcell(properties, aws, arena, &config.stemcell, err) != 0 ||
	    build_debug(properties, &config, err) != 0 ||
	    read_object(properties, "cloud.properties", "agent", &config.agent, err) != 0 ||
	    build_registry(properties, &config, err) != 0)
		return -1;
	*ret_config = config;
	return 0;
}

int config_require_aws(const struct config *config, struct error *err)
{
	const struct aws_settings *aws = &config->aws;
	bool has_id = aws->access_key_id != NULL;
	bool has_secret = aws->secret_access_key != NULL;

	if (aws->region == NULL && (aws->ec2_endpoint == NULL || aws->elb_endpoint == NULL))
		return error_set(err, ERROR_CONFIG,
				 "missing configuration parameters > aws:region, or aws:ec2_endpoint and "
				 "aws:elb_endpoint (AWS_REGION in the environment or region in the AWS profile serves as "
				 "well)");
	if (strcmp(aws->credentials_source, "static") == 0) {
		if (!has_id || !has_secret)
			return error_set(err, ERROR_CONFIG,
					 "Must use access_key_id and secret_access_key with static credentials_source");
	} else if (has_id || has_secret) {
		return error_set(err, ERROR_CONFIG,
				 "Can't use access_key_id and secret_access_key with env_or_profile credentials_source");
	}
	return 0;
}
