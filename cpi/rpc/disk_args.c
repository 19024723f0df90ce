/* SPDX-License-Identifier: Apache-2.0 */
#include "cpi/rpc/disk_args.h"

#include "cpi/rpc/args.h"
#include "cpi/rpc/properties.h"

int disk_args_size(const struct json *arguments, size_t index, const char *name, uint64_t *ret_mib, struct error *err)
{
	const struct json *value = json_at(arguments, index);
	int64_t mib;

	if (!json_int(value, &mib) || mib < 1)
		return error_set(err, ERROR_INVALID_CALL,
				 "Arguments are not correct, got: %.40s as %s (argument %zu), which should be an integer of MiB, at "
				 "least 1",
				 json_is(value, JSON_NUMBER) ? value->text : args_type_name(value), name, index + 1);
	*ret_mib = (uint64_t)mib;
	return 0;
}

static int read_encryption(const struct properties *given, const struct config *config,
			   struct disk_properties *properties, struct error *err)
{
	/* a null is said, too, as the incumbent has it */
	properties->encrypted_given = json_get(given->object, "encrypted") != NULL;
	properties->encrypted = properties->encrypted_given ? properties_flag(given, "encrypted") : config->encrypted;
	properties->kms_key_arn_given = json_get(given->object, "kms_key_arn") != NULL;
	if (properties->kms_key_arn_given)
		return properties_text(given, "kms_key_arn", &properties->kms_key_arn, err);
	properties->kms_key_arn = config->kms_key_arn;
	return 0;
}

int disk_args_properties(const struct json *arguments, size_t index, const struct config *config, struct arena *arena,
			 struct disk_properties *ret_properties, struct error *err)
{
	struct properties given = { .place = "cloud_properties" };
	struct disk_properties properties = { 0 };

	if (args_object(arguments, index, "cloud_properties", true, &given.object, err) != 0 ||
	    properties_text(&given, "type", &properties.type, err) != 0 ||
	    properties_number(&given, "iops", &properties.iops, err) != 0 ||
	    properties_number(&given, "throughput", &properties.throughput_mibs, err) != 0 ||
	    read_encryption(&given, config, &properties, err) != 0 ||
	    args_tags(properties_find(&given, "tags"), "cloud_properties.tags", arena, &properties.tags, err) != 0)
		return -1;
	*ret_properties = properties;
	return 0;
}

static int read_vm_cid(const struct json *arguments, size_t index, const char **ret_vm_cid, struct error *err)
{
	const struct json *value = json_at(arguments, index);

	if (value == NULL || value->type == JSON_NULL) {
		*ret_vm_cid = NULL;
		return 0;
	}
	return args_string(arguments, index, "vm_cid", ret_vm_cid, err);
}

int disk_args_create(const struct json *arguments, const struct config *config, struct arena *arena,
		     struct disk_create_request *ret_request, struct error *err)
{
	struct disk_create_request request = { 0 };

	if (disk_args_size(arguments, 0, "size", &request.size_mib, err) != 0 ||
	    disk_args_properties(arguments, 1, config, arena, &request.properties, err) != 0 ||
	    read_vm_cid(arguments, 2, &request.vm_cid, err) != 0)
		return -1;
	const struct properties aws = { .object = config->aws_properties, .place = "aws", .configured = true };
	if (properties_text(&aws, "availability_zone", &request.availability_zone, err) != 0)
		return -1;
	*ret_request = request;
	return 0;
}
