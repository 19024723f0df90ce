/* SPDX-License-Identifier: Apache-2.0 */
#include "cpi/rpc/stemcell_args.h"

#include <string.h>

#include "cpi/rpc/args.h"

/* EC2 has fewer regions by two orders */
#define MAX_AMIS 1000

struct properties {
	const struct json *given;     /* the request's cloud_properties */
	const struct json *overrides; /* the configuration's, or NULL */
};

/* The configuration's value where the configuration has the key, also when that value is null. */
static const struct json *find(const struct properties *properties, const char *key)
{
	const struct json *value = json_get(properties->overrides, key);

	return value != NULL ? value : json_get(properties->given, key);
}

static bool is_absent(const struct json *value)
{
	return value == NULL || value->type == JSON_NULL;
}

static int wrong_type(const struct properties *properties, const char *key, const char *wanted, struct error *err)
{
	const struct json *value = find(properties, key);

	if (json_get(properties->overrides, key) != NULL)
		return error_set(err, ERROR_CONFIG, "the configuration's aws.stemcell.%s is %s, but should be %s", key,
				 args_type_name(value), wanted);
	return error_set(err, ERROR_INVALID_CALL,
			 "Arguments are not correct, got: %s as cloud_properties.%s, which should be %s",
			 args_type_name(value), key, wanted);
}

/* Empty counts as not given. */
static int read_text(const struct properties *properties, const char *key, const char **ret_text, struct error *err)
{
	const struct json *value = find(properties, key);
	const char *text = json_text(value);

	if (!is_absent(value) && text == NULL)
		return wrong_type(properties, key, "a string", err);
	*ret_text = text == NULL || text[0] == '\0' ? NULL : text;
	return 0;
}

/* A version that somebody wrote without quotes is a number by the time it comes here. */
static int read_label(const struct properties *properties, const char *key, const char **ret_text, struct error *err)
{
	const struct json *value = find(properties, key);

	if (json_is(value, JSON_NUMBER)) {
		*ret_text = value->text;
		return 0;
	}
	return read_text(properties, key, ret_text, err);
}

static int read_amis(const struct properties *properties, struct arena *arena, struct stemcell_properties *stemcell,
		     struct error *err)
{
	const struct json *value = find(properties, "ami");

	if (is_absent(value))
		return 0;
	if (value->type != JSON_OBJECT)
		return wrong_type(properties, "ami", "an object of regions and AMI ids", err);
	if (value->count == 0)
		return 0;
	if (value->count > MAX_AMIS)
		return wrong_type(properties, "ami", "an object of at most 1000 regions", err);
	struct stemcell_ami *amis = arena_array(arena, value->count, sizeof(*amis));
	if (amis == NULL)
		return error_nomem(err);
	for (const struct json *member = value->child; member != NULL; member = member->next) {
		if (json_get(value, member->key) != member)
			continue;
		const char *id = json_text(member);
		if (id == NULL)
			return wrong_type(properties, "ami", "an object of regions and AMI ids (strings)", err);
		amis[stemcell->n_amis++] = (struct stemcell_ami){ .region = member->key, .image_id = id };
	}
	stemcell->amis = amis;
	return 0;
}

static int read_disk(const struct properties *properties, struct stemcell_properties *stemcell, struct error *err)
{
	const struct json *value = find(properties, "disk");
	int64_t mib;

	if (is_absent(value))
		return 0;
	if (!json_int(value, &mib))
		return wrong_type(properties, "disk", "an integer of MiB", err);
	/* 0 means "not given" further down */
	if (mib < 1)
		return error_set(err, ERROR_CLOUD, "the stemcell's disk is to have %lld MiB, but the least is 1024 MiB",
				 (long long)mib);
	stemcell->disk_mib = (uint64_t)mib;
	return 0;
}

static int read_encryption(const struct properties *properties, struct stemcell_properties *stemcell,
			   struct error *err)
{
	const struct json *encrypted = find(properties, "encrypted");

	/* Ruby's truth, as the incumbent has it; a null is said, too */
	stemcell->encrypted_set = encrypted != NULL;
	stemcell->encrypted = json_truthy(encrypted);
	stemcell->kms_key_arn_set = find(properties, "kms_key_arn") != NULL;
	return read_text(properties, "kms_key_arn", &stemcell->kms_key_arn, err);
}

static int read_properties(const struct properties *properties, struct arena *arena,
			   struct stemcell_properties *stemcell, struct error *err)
{
	if (read_amis(properties, arena, stemcell, err) != 0 ||
	    read_label(properties, "name", &stemcell->name, err) != 0 ||
	    read_label(properties, "version", &stemcell->version, err) != 0 ||
	    read_text(properties, "architecture", &stemcell->architecture, err) != 0 ||
	    read_text(properties, "virtualization_type", &stemcell->virtualization_type, err) != 0)
		return -1;
	if (read_text(properties, "root_device_name", &stemcell->root_device_name, err) != 0 ||
	    read_text(properties, "kernel_id", &stemcell->kernel_id, err) != 0 ||
	    read_text(properties, "boot_mode", &stemcell->boot_mode, err) != 0)
		return -1;
	if (read_encryption(properties, stemcell, err) != 0 || read_disk(properties, stemcell, err) != 0)
		return -1;
	return args_tags(find(properties, "tags"), "cloud_properties.tags", arena, &stemcell->tags, err);
}

int stemcell_args_create(const struct json *arguments, const struct config *config, struct arena *arena,
			 struct stemcell_create_request *ret_request, struct error *err)
{
	struct properties properties = { .overrides = config->stemcell.properties };
	struct stemcell_create_request request = { 0 };
	const struct json *env;

	if (args_string(arguments, 0, "image_path", &request.image_path, err) != 0 ||
	    args_object(arguments, 1, "cloud_properties", false, &properties.given, err) != 0 ||
	    args_object(arguments, 2, "env", true, &env, err) != 0)
		return -1;
	if (read_properties(&properties, arena, &request.properties, err) != 0)
		return -1;
	if (args_tags(json_get(env, "tags"), "env.tags", arena, &request.env_tags, err) != 0)
		return -1;
	*ret_request = request;
	return 0;
}
