/* SPDX-License-Identifier: Apache-2.0 */
/* The table. The tests compare it with what cpi/ec2 and cpi/aws can call, and with what the whole suite has called. */
#include "cpi/aws/aws_actions.h"

#include <stdio.h>
#include <string.h>

#define VM AWS_FEATURE_BIT(AWS_FEATURE_VM)
#define INTERFACE AWS_FEATURE_BIT(AWS_FEATURE_INTERFACE)
#define DISK AWS_FEATURE_BIT(AWS_FEATURE_DISK)
#define TAG AWS_FEATURE_BIT(AWS_FEATURE_TAG)
#define RESIZE AWS_FEATURE_BIT(AWS_FEATURE_RESIZE)
#define SNAPSHOT AWS_FEATURE_BIT(AWS_FEATURE_SNAPSHOT)
#define HEAVY AWS_FEATURE_BIT(AWS_FEATURE_HEAVY_STEMCELL)
#define LIGHT AWS_FEATURE_BIT(AWS_FEATURE_LIGHT_STEMCELL)
#define DIRECT AWS_FEATURE_BIT(AWS_FEATURE_DIRECT_STEMCELL)
#define WORKER AWS_FEATURE_BIT(AWS_FEATURE_WORKER)

#define ALWAYS "every deployment"

const struct aws_feature aws_features[] = {
	[AWS_FEATURE_VM] = { "vm", "Vm", "create_vm, delete_vm, has_vm, reboot_vm, get_disks", ALWAYS },
	[AWS_FEATURE_INTERFACE] = { "network-interface", "NetworkInterface", "create_vm with more than one network interface, a "
				    "nic_group, a prefix or a public address; delete_vm", "the networks of a VM" },
	[AWS_FEATURE_PREFIX] = { "prefix", "Prefix", "create_vm", "networks with prefix" },
	[AWS_FEATURE_SOURCE_DEST_CHECK] = { "source-dest-check", "SourceDestCheck", "create_vm",
					    "source_dest_check of a VM" },
	[AWS_FEATURE_ELASTIC_IP] = { "elastic-ip", "ElasticIp", "create_vm", "a vip network" },
	[AWS_FEATURE_ROUTE] = { "route", "Route", "create_vm", "advertised_routes of a VM" },
	[AWS_FEATURE_ELB] = { "elb", "Elb", "create_vm", "elbs of a VM" },
	[AWS_FEATURE_TARGET_GROUP] = { "target-group", "TargetGroup", "create_vm", "lb_target_groups of a VM" },
	[AWS_FEATURE_PROFILE] = { "instance-profile", "InstanceProfile", "create_vm",
				  "aws.default_iam_instance_profile, iam_instance_profile of a VM" },
	[AWS_FEATURE_SPOT] = { "spot", "Spot", "create_vm", "spot_bid_price of a VM, the account's first" },
	[AWS_FEATURE_TAG] = { "tag", "Tag", "whatever creates something; set_vm_metadata, set_disk_metadata", ALWAYS },
	[AWS_FEATURE_DISK] = { "disk", "Disk", "create_disk, delete_disk, has_disk, attach_disk, detach_disk", ALWAYS },
	[AWS_FEATURE_RESIZE] = { "disk-resize", "DiskResize", "resize_disk, update_disk",
				 "the Director's director.enable_cpi_resize_disk and enable_cpi_update_disk" },
	[AWS_FEATURE_ENCRYPTION] = { "encryption", "Encryption", "create_vm, create_disk, create_stemcell",
				     "aws.kms_key_arn, kms_key_arn of a VM, disk or stemcell" },
	[AWS_FEATURE_SNAPSHOT] = { "snapshot", "Snapshot", "snapshot_disk, delete_snapshot", "the Director's enable_snapshots" },
	[AWS_FEATURE_HEAVY_STEMCELL] = { "heavy-stemcell", "HeavyStemcell", "create_stemcell, delete_stemcell",
					 "stemcells that come with an image; aws.stemcell.builder local, ssh or auto" },
	[AWS_FEATURE_LIGHT_STEMCELL] = { "light-stemcell", "LightStemcell", "create_stemcell, delete_stemcell",
					 "encrypted copies of light stemcells" },
	[AWS_FEATURE_DIRECT_STEMCELL] = { "direct-stemcell", "DirectStemcell", "create_stemcell, delete_stemcell, cpi upload-image",
					  "stemcells that come with an image; aws.stemcell.builder direct or auto" },
	[AWS_FEATURE_WORKER] = { "worker", "Worker", "the worker actions", "whoever uses them" },
	[AWS_FEATURE_ROLE] = { "role", "Role", "every call", "aws.role_arn" },
	[AWS_FEATURE_DENIAL] = { "denial", "Denial", "a call that was denied", "whoever wants to read AWS's encoded reasons" },
	[AWS_FEATURE_NONE] = { NULL, NULL, NULL, NULL },
};

const struct aws_action aws_actions[] = {
	/* --- EC2: VMs --- */
	{ "ec2", "DescribeImages", AWS_FEATURE_VM, .also = HEAVY | LIGHT | DIRECT, .reads = true },
	{ "ec2", "DescribeInstanceTypes", AWS_FEATURE_VM, .also = DISK, .reads = true,
	  .can_do_without = "a built-in list of instance types is used" },
	{ "ec2", "DescribeInstances", AWS_FEATURE_VM, .also = TAG | DISK | HEAVY | LIGHT | DIRECT | WORKER, .reads = true },
	{ "ec2", "DescribeSecurityGroups", AWS_FEATURE_VM, .reads = true },
	{ "ec2", "DescribeSubnets", AWS_FEATURE_VM, .reads = true },
	{ "ec2", "RebootInstances", AWS_FEATURE_VM, .also = WORKER },
	{ "ec2", "RunInstances", AWS_FEATURE_VM, .also = WORKER },
	{ "ec2", "StartInstances", AWS_FEATURE_VM, .also = WORKER,
	  .can_do_without = "a VM that is stopped cannot be rebooted, and the action start_worker does not work" },
	{ "ec2", "TerminateInstances", AWS_FEATURE_VM, .also = WORKER },
	/* --- their network --- */
	{ "ec2", "CreateNetworkInterface", AWS_FEATURE_INTERFACE, .also = 0 },
	{ "ec2", "DeleteNetworkInterface", AWS_FEATURE_INTERFACE, .also = 0 },
	{ "ec2", "DescribeNetworkInterfaces", AWS_FEATURE_INTERFACE, .reads = true },
	{ "ec2", "ModifyNetworkInterfaceAttribute", AWS_FEATURE_INTERFACE, .also = 0 },
	{ "ec2", "AssignIpv6Addresses", AWS_FEATURE_PREFIX, .also = 0 },
	{ "ec2", "AssignPrivateIpAddresses", AWS_FEATURE_PREFIX, .also = 0 },
	{ "ec2", "ModifyInstanceAttribute", AWS_FEATURE_SOURCE_DEST_CHECK, .also = 0 },
	{ "ec2", "AssociateAddress", AWS_FEATURE_ELASTIC_IP, .also = 0 },
	{ "ec2", "DescribeAddresses", AWS_FEATURE_ELASTIC_IP, .reads = true },
	{ "ec2", "CreateRoute", AWS_FEATURE_ROUTE, .also = 0 },
	{ "ec2", "DeleteRoute", AWS_FEATURE_ROUTE,
	  .can_do_without = "where a VM fails that routes were made for, they stay, and lead nowhere" },
	{ "ec2", "DescribeRouteTables", AWS_FEATURE_ROUTE, .reads = true },
	{ "ec2", "ReplaceRoute", AWS_FEATURE_ROUTE, .also = 0 },
	{ "elasticloadbalancing", "DescribeLoadBalancers", AWS_FEATURE_ELB, .reads = true,
	  .can_do_without = "it is not looked whether the load balancers exist" },
	{ "elasticloadbalancing", "RegisterInstancesWithLoadBalancer", AWS_FEATURE_ELB, .also = 0 },
	{ "elasticloadbalancing", "DescribeTargetGroups", AWS_FEATURE_TARGET_GROUP, .reads = true },
	{ "elasticloadbalancing", "RegisterTargets", AWS_FEATURE_TARGET_GROUP, .also = 0 },
	/* --- what AWS asks for when it runs a VM --- */
	{ "iam", "PassRole", AWS_FEATURE_PROFILE, .by_aws = true },
	{ "iam", "CreateServiceLinkedRole", AWS_FEATURE_SPOT, .by_aws = true },
	/* --- tags, disks, snapshots --- */
	{ "ec2", "CreateTags", AWS_FEATURE_TAG, .also = VM | INTERFACE | DISK | SNAPSHOT | HEAVY | LIGHT | DIRECT | WORKER },
	{ "ec2", "AttachVolume", AWS_FEATURE_DISK, .also = HEAVY | WORKER },
	{ "ec2", "CreateVolume", AWS_FEATURE_DISK, .also = HEAVY | WORKER },
	{ "ec2", "DeleteVolume", AWS_FEATURE_DISK, .also = HEAVY | WORKER },
	{ "ec2", "DescribeAvailabilityZones", AWS_FEATURE_DISK, .reads = true },
	{ "ec2", "DescribeVolumes", AWS_FEATURE_DISK, .also = RESIZE | SNAPSHOT | HEAVY | WORKER, .reads = true },
	{ "ec2", "DetachVolume", AWS_FEATURE_DISK, .also = HEAVY | WORKER },
	{ "ec2", "DescribeVolumesModifications", AWS_FEATURE_RESIZE, .reads = true },
	{ "ec2", "ModifyVolume", AWS_FEATURE_RESIZE, .also = 0 },
	{ "kms", "CreateGrant", AWS_FEATURE_ENCRYPTION, .by_aws = true },
	{ "kms", "Decrypt", AWS_FEATURE_ENCRYPTION, .by_aws = true },
	{ "kms", "DescribeKey", AWS_FEATURE_ENCRYPTION, .by_aws = true },
	{ "kms", "Encrypt", AWS_FEATURE_ENCRYPTION, .by_aws = true },
	{ "kms", "GenerateDataKey*", AWS_FEATURE_ENCRYPTION, .by_aws = true },
	{ "kms", "ReEncrypt*", AWS_FEATURE_ENCRYPTION, .by_aws = true },
	{ "ec2", "CreateSnapshot", AWS_FEATURE_SNAPSHOT, .also = HEAVY | WORKER },
	{ "ec2", "DeleteSnapshot", AWS_FEATURE_SNAPSHOT, .also = HEAVY | LIGHT | DIRECT | WORKER },
	{ "ec2", "DescribeSnapshots", AWS_FEATURE_SNAPSHOT, .also = HEAVY | DIRECT | WORKER, .reads = true },
	/* --- stemcells --- */
	{ "ec2", "DeregisterImage", AWS_FEATURE_HEAVY_STEMCELL, .also = LIGHT | DIRECT },
	{ "ec2", "RegisterImage", AWS_FEATURE_HEAVY_STEMCELL, .also = DIRECT },
	{ "ec2", "CopyImage", AWS_FEATURE_LIGHT_STEMCELL, .also = 0 },
	{ "ebs", "CompleteSnapshot", AWS_FEATURE_DIRECT_STEMCELL, .also = 0 },
	{ "ebs", "ListSnapshotBlocks", AWS_FEATURE_DIRECT_STEMCELL, .reads = true,
	  .can_do_without = "cpi check cannot tell whether the EBS direct APIs are allowed" },
	{ "ebs", "PutSnapshotBlock", AWS_FEATURE_DIRECT_STEMCELL, .also = 0 },
	{ "ebs", "StartSnapshot", AWS_FEATURE_DIRECT_STEMCELL, .also = 0 },
	/* --- the rest --- */
	{ "ec2", "DescribeRegions", AWS_FEATURE_WORKER, .reads = true,
	  .can_do_without = "the action test_install needs it, and nothing else does" },
	{ "sts", "AssumeRole", AWS_FEATURE_ROLE, .also = 0 },
	{ "sts", "DecodeAuthorizationMessage", AWS_FEATURE_DENIAL, .reads = true,
	  .can_do_without = "AWS's reasons stay encoded in the log" },
	/* anybody's, and the trust policy's of the role */
	{ "sts", "AssumeRoleWithWebIdentity", AWS_FEATURE_NONE, .also = 0 },
	{ "sts", "GetCallerIdentity", AWS_FEATURE_NONE, .reads = true },
};
const size_t aws_action_count = sizeof(aws_actions) / sizeof(aws_actions[0]);

const struct aws_action *aws_action_find(const char *service, const char *name)
{
	for (size_t i = 0; i < aws_action_count; i++) {
		if (strcmp(aws_actions[i].name, name) == 0 && strcmp(aws_actions[i].service, service) == 0)
			return &aws_actions[i];
	}
	return NULL;
}

bool aws_action_serves(const struct aws_action *action, enum aws_feature_id feature)
{
	return feature != AWS_FEATURE_NONE && (action->feature == feature || (action->also & AWS_FEATURE_BIT(feature)) != 0);
}

/* "kms:GenerateDataKey" for GenerateDataKey*: also where the message has GenerateDataKeyWithoutPlaintext. */
static bool is_named(const struct aws_action *action, const char *message)
{
	char text[96];

	snprintf(text, sizeof(text), "%s:%.*s", action->service, (int)strcspn(action->name, "*"), action->name);
	return strstr(message, text) != NULL;
}

const struct aws_action *aws_action_refused(const char *service, const char *name, const char *message)
{
	for (size_t i = 0; i < aws_action_count; i++) {
		if (aws_actions[i].by_aws && is_named(&aws_actions[i], message))
			return &aws_actions[i];
	}
	const struct aws_action *called = aws_action_find(service, name);
	const struct aws_action *tags = aws_action_find("ec2", "CreateTags");
	return tags != NULL && is_named(tags, message) ? tags : called;
}
