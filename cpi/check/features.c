/* SPDX-License-Identifier: Apache-2.0 */
/* The parameters. A test compares the actions with those of the table of all. */
#include "cpi/check/features.h"

#include <string.h>

#define INSTANCE "i-0123456789abcdef0"
#define VOLUME "vol-0123456789abcdef0"
#define SNAPSHOT "snap-0123456789abcdef0"
#define IMAGE "ami-0123456789abcdef0"
#define INTERFACE "eni-0123456789abcdef0"
#define SUBNET "subnet-0123456789abcdef0"
#define ALLOCATION "eipalloc-0123456789abcdef0"
#define ROUTE_TABLE "rtb-0123456789abcdef0"
#define TYPE "t3.micro"

#define ACTIONS(list) .actions = (list), .n_actions = sizeof(list) / sizeof((list)[0])
#define RUN_PARAMS { "ImageId", IMAGE }, { "InstanceType", TYPE }, { "MinCount", "1" }, { "MaxCount", "1" }
#define TAG_PARAMS(type)                                                                                               \
	{ "TagSpecification.1.ResourceType", type }, { "TagSpecification.1.Tag.1.Key", "Name" },                       \
		{ "TagSpecification.1.Tag.1.Value", "check" }

static const struct feature_action vm_actions[] = {
	{ "DescribeInstances", .params = { { NULL, NULL } } },
	{ "DescribeImages", .params = { { "Owner.1", "self" } } },
	{ "DescribeSubnets", .params = { { NULL, NULL } } },
	{ "DescribeSecurityGroups", .params = { { NULL, NULL } } },
	{ "DescribeInstanceTypes", .params = { { NULL, NULL } } },
	{ "RunInstances", .params = { RUN_PARAMS, TAG_PARAMS("instance") } },
	{ "StartInstances", .params = { { "InstanceId.1", INSTANCE } } },
	{ "RebootInstances", .params = { { "InstanceId.1", INSTANCE } } },
	{ "TerminateInstances", .params = { { "InstanceId.1", INSTANCE } } },
};

static const struct feature_action source_dest_actions[] = {
	{ "ModifyInstanceAttribute", .params = { { "InstanceId", INSTANCE }, { "SourceDestCheck.Value", "false" } } },
};

static const struct feature_action interface_actions[] = {
	{ "DescribeNetworkInterfaces", .params = { { NULL, NULL } } },
	{ "CreateNetworkInterface", .params = { { "SubnetId", SUBNET }, TAG_PARAMS("network-interface") } },
	{ "ModifyNetworkInterfaceAttribute",
	  .params = { { "NetworkInterfaceId", INTERFACE }, { "SourceDestCheck.Value", "false" } } },
	{ "DeleteNetworkInterface", .params = { { "NetworkInterfaceId", INTERFACE } } },
};

static const struct feature_action disk_actions[] = {
	{ "DescribeAvailabilityZones", .params = { { NULL, NULL } } },
	{ "DescribeVolumes", .params = { { NULL, NULL } } },
	{ "CreateVolume",
	  .params = { { "AvailabilityZone", FEATURE_ZONE }, { "Size", "1" }, { "VolumeType", "gp3" }, TAG_PARAMS("volume") } },
	{ "AttachVolume", .params = { { "VolumeId", VOLUME }, { "InstanceId", INSTANCE }, { "Device", "/dev/sdf" } } },
	{ "DetachVolume", .params = { { "VolumeId", VOLUME }, { "InstanceId", INSTANCE } } },
	{ "DeleteVolume", .params = { { "VolumeId", VOLUME } } },
};

static const struct feature_action resize_actions[] = {
	{ "DescribeVolumesModifications", .params = { { NULL, NULL } } },
	{ "ModifyVolume", .params = { { "VolumeId", VOLUME }, { "Size", "2" } } },
};

static const struct feature_action encryption_actions[] = {
	{ "CreateVolume",
	  .params = { { "AvailabilityZone", FEATURE_ZONE },
		      { "Size", "1" },
		      { "VolumeType", "gp3" },
		      { "Encrypted", "true" },
		      { "KmsKeyId", FEATURE_KMS_KEY } } },
};

static const struct feature_action snapshot_actions[] = {
	{ "DescribeSnapshots", .params = { { "Owner.1", "self" } } },
	{ "CreateSnapshot", .params = { { "VolumeId", VOLUME }, TAG_PARAMS("snapshot") } },
	{ "DeleteSnapshot", .params = { { "SnapshotId", SNAPSHOT } } },
};

static const struct feature_action stemcell_actions[] = {
	{ "RegisterImage",
	  .params = { { "Name", "check" },
		      { "Architecture", "x86_64" },
		      { "VirtualizationType", "hvm" },
		      { "RootDeviceName", "/dev/xvda" },
		      { "BlockDeviceMapping.1.DeviceName", "/dev/xvda" },
		      { "BlockDeviceMapping.1.Ebs.SnapshotId", SNAPSHOT },
		      TAG_PARAMS("image") } },
	{ "DeregisterImage", .params = { { "ImageId", IMAGE } } },
};

static const struct feature_action light_stemcell_actions[] = {
	{ "CopyImage",
	  .params = { { "SourceRegion", FEATURE_REGION },
		      { "SourceImageId", IMAGE },
		      { "Name", "check" },
		      { "Encrypted", "true" },
		      { "KmsKeyId", FEATURE_KMS_KEY } } },
};

static const struct feature_action address_actions[] = {
	{ "DescribeAddresses", .params = { { NULL, NULL } } },
	{ "AssociateAddress", .params = { { "AllocationId", ALLOCATION }, { "NetworkInterfaceId", INTERFACE } } },
};

static const struct feature_action route_actions[] = {
	{ "DescribeRouteTables", .params = { { NULL, NULL } } },
	{ "CreateRoute",
	  .params = { { "RouteTableId", ROUTE_TABLE },
		      { "DestinationCidrBlock", "192.0.2.0/24" },
		      { "InstanceId", INSTANCE } } },
	{ "ReplaceRoute",
	  .params = { { "RouteTableId", ROUTE_TABLE },
		      { "DestinationCidrBlock", "192.0.2.0/24" },
		      { "InstanceId", INSTANCE } } },
	{ "DeleteRoute", .params = { { "RouteTableId", ROUTE_TABLE }, { "DestinationCidrBlock", "192.0.2.0/24" } } },
};

static const struct feature_action tag_actions[] = {
	{ "CreateTags",
	  .params = { { "ResourceId.1", VOLUME }, { "Tag.1.Key", "Name" }, { "Tag.1.Value", "check" } } },
};

static const struct feature_action spot_actions[] = {
	{ "RunInstances",
	  .params = { RUN_PARAMS,
		      { "InstanceMarketOptions.MarketType", "spot" },
		      { "InstanceMarketOptions.SpotOptions.SpotInstanceType", "one-time" } } },
};

static const struct feature_action profile_actions[] = {
	{ "RunInstances", .params = { RUN_PARAMS, { "IamInstanceProfile", FEATURE_PROFILE } } },
};

/* What no method asks for: the other actions' calls are those of VMs, disks, snapshots and tags. */
static const struct feature_action worker_actions[] = {
	{ "DescribeRegions", .params = { { NULL, NULL } } },
};

static bool has_encryption(const struct config *config)
{
	return config->encrypted || config->kms_key_arn != NULL;
}

const char *feature_instance_profile(const struct config *config)
{
	const char *profile = json_text(json_get(config->aws_properties, "default_iam_instance_profile"));

	return profile == NULL || *profile == '\0' ? NULL : profile;
}

static bool has_profile(const struct config *config)
{
	return feature_instance_profile(config) != NULL;
}

bool feature_action_names_profile(const struct feature_action *action)
{
	for (const struct feature_param *param = action->params; param->name != NULL; param++) {
		if (strcmp(param->value, FEATURE_PROFILE) == 0)
			return true;
	}
	return false;
}

bool feature_action_is_needed(const struct feature_action *action, const struct config *config)
{
	return config->describe_instance_types || strcmp(action->name, "DescribeInstanceTypes") != 0;
}

const struct feature feature_list[] = {
	{ AWS_FEATURE_VM, "VM permissions", ACTIONS(vm_actions) },
	{ AWS_FEATURE_PROFILE, "instance profile permissions",
	  .used_by = "aws.default_iam_instance_profile",
	  .allow = "iam:PassRole on its role",
	  .is_configured = has_profile,
	  ACTIONS(profile_actions) },
	{ AWS_FEATURE_INTERFACE, "network interface permissions",
	  .untried = "ec2:AssignPrivateIpAddresses and ec2:AssignIpv6Addresses, which VMs with a prefix need and which have "
		     "no dry run",
	  ACTIONS(interface_actions) },
	{ AWS_FEATURE_DISK, "disk permissions", ACTIONS(disk_actions) },
	{ AWS_FEATURE_RESIZE, "disk resize permissions",
	  .used_by = "resize_disk and update_disk",
	  ACTIONS(resize_actions) },
	{ AWS_FEATURE_ENCRYPTION, "encryption permissions",
	  .used_by = "aws.encrypted and aws.kms_key_arn",
	  .untried = "kms:CreateGrant and kms:GenerateDataKeyWithoutPlaintext, which AWS asks for only when the volume is made",
	  .is_configured = has_encryption,
	  ACTIONS(encryption_actions) },
	{ AWS_FEATURE_SNAPSHOT, "snapshot permissions", ACTIONS(snapshot_actions) },
	{ AWS_FEATURE_TAG, "tag permissions", ACTIONS(tag_actions) },
	{ AWS_FEATURE_HEAVY_STEMCELL, "heavy stemcell permissions",
	  .used_by = "stemcells that come with an image, beside those for disks and snapshots",
	  ACTIONS(stemcell_actions) },
	{ AWS_FEATURE_LIGHT_STEMCELL, "light stemcell permissions",
	  .used_by = "encrypted copies of light stemcells",
	  ACTIONS(light_stemcell_actions) },
	{ AWS_FEATURE_SOURCE_DEST_CHECK, "source/destination check permissions",
	  .used_by = "VMs with source_dest_check",
	  ACTIONS(source_dest_actions) },
	{ AWS_FEATURE_ELASTIC_IP, "elastic IP permissions", .used_by = "VMs with a vip network", ACTIONS(address_actions) },
	{ AWS_FEATURE_ROUTE, "route permissions", .used_by = "VMs with advertised_routes", ACTIONS(route_actions) },
	{ AWS_FEATURE_SPOT, "spot permissions",
	  .used_by = "VMs with spot_bid_price",
	  .untried = "iam:CreateServiceLinkedRole for spot.amazonaws.com, which the account's first spot VM needs",
	  ACTIONS(spot_actions) },
	{ AWS_FEATURE_WORKER, "worker action permissions", .used_by = "the action test_install", ACTIONS(worker_actions) },
};
const size_t feature_count = sizeof(feature_list) / sizeof(feature_list[0]);
