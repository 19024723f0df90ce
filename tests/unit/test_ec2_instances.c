/* SPDX-License-Identifier: Apache-2.0 */
/* Instances: out of their reservations, what RunInstances is told, and every state of the waits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cpi/ec2/instances.h"
#include "cpi/ec2/tags.h"
#include "tests/unit/fake_ec2.h"

#define ID "i-1234567890abcdef0"
#define INTERFACE(id, attachment, index)                                                                               \
	"<item><networkInterfaceId>" id "</networkInterfaceId><subnetId>subnet-1</subnetId><vpcId>vpc-1</vpcId>"       \
	"<macAddress>02:00:00:00:00:0" index "</macAddress><attachment><attachmentId>" attachment                      \
	"</attachmentId><deviceIndex>" index "</deviceIndex><status>attached</status>"                                 \
	"<deleteOnTermination>true</deleteOnTermination></attachment></item>"
#define INSTANCE(id)                                                                                                   \
	"<item><instanceId>" id                                                                                        \
	"</instanceId><imageId>ami-1</imageId><instanceState><code>16</code><name>running</name>"                      \
	"</instanceState><instanceType>m5.large</instanceType><placement><availabilityZone>us-east-1a</"               \
	"availabilityZone>"                                                                                            \
	"</placement><subnetId>subnet-1</subnetId><vpcId>vpc-1</vpcId><architecture>x86_64</architecture>"             \
	"<blockDeviceMapping><item><deviceName>/dev/xvda</deviceName><ebs>"                                            \
	"<volumeId>vol-1</volumeId><status>attached</status><deleteOnTermination>true</deleteOnTermination></ebs></"   \
	"item>"                                                                                                        \
	"</blockDeviceMapping><tagSet><item><key>Name</key><value>n</value></item></tagSet><networkInterfaceSet>"      \
	INTERFACE("eni-1", "eni-attach-1", "0") INTERFACE("eni-2", "eni-attach-2", "1") "</networkInterfaceSet></item>"
#define RESERVATION(items)                                                                                             \
	"<item><reservationId>r-1</reservationId><groupSet/><instancesSet>" items "</instancesSet></item>"
#define LIST(items) "<DescribeInstancesResponse><requestId>x</requestId><reservationSet>" items \
		    "</reservationSet></DescribeInstancesResponse>"
#define STATE(name, more) LIST(RESERVATION("<item><instanceId>" ID "</instanceId><instanceState><name>" name             \
					   "</name></instanceState>" more "</item>"))
#define RUN(items) "<RunInstancesResponse><reservationId>r-1</reservationId><groupSet/><instancesSet>" items             \
		   "</instancesSet></RunInstancesResponse>"

/* --- describing --------------------------------------------------------------------------------------------------- */

static void test_describe(void **state)
{
	struct fake_aws *fake = *state;
	struct arena *arena CLEANUP_ARENA = arena_new(1000000);
	const char *const ids[] = { "i-1", "i-2", "i-3" };
	struct instance *instances;
	size_t count;

	fake_ec2_say(fake, "DescribeInstances",
		     LIST(RESERVATION(INSTANCE("i-1") INSTANCE("i-2")) RESERVATION("") RESERVATION(INSTANCE("i-3"))));
	assert_int_equal(instance_describe(&fake->ec2, arena, (struct ec2_ids){ ids, 3 },
					   FAKE_NO_FILTERS, &instances, &count, NULL),
			 0);
	assert_string_equal(fake->bodies[0],
			    "Action=DescribeInstances&Version=2016-11-15&InstanceId.1=i-1&InstanceId.2=i-2"
			    "&InstanceId.3=i-3");
	assert_int_equal(count, 3);
	for (size_t i = 0; i < 3; i++) {
		const struct instance *instance = &instances[i];
		assert_string_equal(instance->id, ids[i]);
		assert_string_equal(instance->state, "running");
		assert_string_equal(instance->type, "m5.large");
		assert_string_equal(instance->image_id, "ami-1");
		assert_string_equal(instance->availability_zone, "us-east-1a");
		assert_string_equal(instance->architecture, "x86_64");
		assert_int_equal(instance->n_mappings, 1);
		assert_string_equal(instance->mappings[0].device_name, "/dev/xvda");
		assert_string_equal(instance->mappings[0].volume_id, "vol-1");
		assert_string_equal(instance->mappings[0].status, "attached");
		assert_true(instance->mappings[0].delete_on_termination);
		assert_string_equal(tags_get(instance->tags, "Name"), "n");
		assert_string_equal(instance->vpc_id, "vpc-1");
		assert_string_equal(instance->subnet_id, "subnet-1");
		assert_string_equal(instance->state_reason, "");
		assert_int_equal(instance->n_interfaces, 2);
		assert_string_equal(instance->interfaces[0].id, "eni-1");
		assert_int_equal(instance->interfaces[0].device_index, 0);
		assert_string_equal(instance->interfaces[1].id, "eni-2");
		assert_string_equal(instance->interfaces[1].attachment_id, "eni-attach-2");
		assert_string_equal(instance->interfaces[1].mac_address, "02:00:00:00:00:01");
		assert_int_equal(instance->interfaces[1].device_index, 1);
		assert_true(instance->interfaces[1].delete_on_termination);
	}
}

static void test_what_is_missing(void **state)
{
	struct fake_aws *fake = *state;
	struct arena *arena CLEANUP_ARENA = arena_new(1000000);
	const char *const values[] = { "n" };
	const struct ec2_filter filter = { "tag:Name", values, 1 };
	struct instance *instances;
	size_t count;
	struct error err;

	/* fields that EC2 leaves out read as "" */
	fake_ec2_say(fake, "DescribeInstances", LIST(RESERVATION("<item><instanceId>i-1</instanceId></item>")));
	assert_int_equal(instance_describe(&fake->ec2, arena, FAKE_NO_IDS,
					   (struct ec2_filters){ &filter, 1 }, &instances, &count, NULL),
			 0);
	assert_true(fake_aws_sent(fake, 0, "MaxResults=1000"));
	assert_int_equal(count, 1);
	assert_string_equal(instances[0].state, "");
	assert_string_equal(instances[0].availability_zone, "");
	assert_string_equal(instances[0].vpc_id, "");
	assert_int_equal(instances[0].n_mappings, 0);
	assert_int_equal(instances[0].n_interfaces, 0);

	fake_ec2_say(fake, "DescribeInstances",
		     LIST(RESERVATION("<item><instanceId>i-1</instanceId><networkInterfaceSet><item><attachment>"
				      "<deviceIndex>x</deviceIndex></attachment></item></networkInterfaceSet></item>")));
	assert_int_equal(instance_describe(&fake->ec2, arena, FAKE_NO_IDS, FAKE_NO_FILTERS, &instances, &count, &err),
			 -1);
	assert_non_null(strstr(err.message, "deviceIndex"));
	fake_ec2_refuse(fake, "DescribeInstances", "InvalidInstanceID.NotFound");
	assert_int_equal(instance_describe(&fake->ec2, arena, (struct ec2_ids){ values, 1 },
					   FAKE_NO_FILTERS, &instances, &count, &err),
			 -1);
	assert_true(ec2_is_not_found(&err));
	fake_ec2_say(fake, "DescribeInstances", LIST(RESERVATION("<item/>")));
	assert_int_equal(instance_describe(&fake->ec2, arena, FAKE_NO_IDS, FAKE_NO_FILTERS, &instances, &count, &err),
			 -1);
	assert_false(ec2_is_not_found(&err));
	assert_non_null(strstr(err.message, "instanceId"));
}

static void test_reasons(void **state)
{
	struct fake_aws *fake = *state;
	struct arena *arena CLEANUP_ARENA = arena_new(1000000);
	static const struct {
		const char *body;
		const char *reason;
	} rows[] = {
		{ STATE("terminated", "<reason>Server.InternalError</reason><stateReason><code>Server.InternalError</code>"
				      "<message>Server.InternalError: Internal error on launch</message></stateReason>"),
		  "Server.InternalError: Internal error on launch" },
		{ STATE("terminated", "<reason/><stateReason><code>pending</code></stateReason>"), "pending" },
		{ STATE("stopped", "<reason>User initiated (2026-01-01 00:00:00 GMT)</reason>"),
		  "User initiated (2026-01-01 00:00:00 GMT)" },
		{ STATE("running", "<reason/>"), "" },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct instance *instances;
		size_t count;
		fake_ec2_say(fake, "DescribeInstances", rows[i].body);
		assert_int_equal(instance_describe(&fake->ec2, arena, FAKE_NO_IDS, FAKE_NO_FILTERS, &instances, &count,
						   NULL),
				 0);
		assert_string_equal(instances[0].state_reason, rows[i].reason);
	}
}

/* The arena gives out at one field after the other: an error each time, and no half-read instance. */
static void test_no_memory(void **state)
{
	struct fake_aws *fake = *state;
	static const char body[] = LIST(RESERVATION(
		"<item><instanceId>" ID "</instanceId><instanceState><name>terminated</name></instanceState>"
		"<placement><availabilityZone>us-east-1a</availabilityZone></placement><stateReason><message>why</message>"
		"</stateReason><blockDeviceMapping><item><ebs><volumeId>vol-1</volumeId></ebs></item></blockDeviceMapping>"
		"<networkInterfaceSet><item><attachment><attachmentId>eni-attach-1</attachmentId></attachment></item>"
		"</networkInterfaceSet></item>"));
	struct instance *instances = NULL;
	size_t count = 7;
	size_t failures = 0;
	struct error err;

	for (size_t room = 16; room < 4000; room += 16) {
		struct arena *arena CLEANUP_ARENA = arena_new(room + 8 * sizeof(struct instance));
		fake_ec2_say(fake, "DescribeInstances", body);
		int result = instance_describe(&fake->ec2, arena, FAKE_NO_IDS, FAKE_NO_FILTERS, &instances, &count, &err);
		if (result == 0) {
			assert_string_equal(instances[0].state, "terminated");
			assert_string_equal(instances[0].availability_zone, "us-east-1a");
			assert_string_equal(instances[0].state_reason, "why");
			assert_string_equal(instances[0].mappings[0].volume_id, "vol-1");
			assert_string_equal(instances[0].interfaces[0].attachment_id, "eni-attach-1");
			break;
		}
		assert_int_equal(err.kind, ERROR_NOMEM);
		assert_int_equal(count, 7);
		failures++;
	}
	assert_int_equal(count, 1);
	assert_true(failures > 0);
}

/* --- running one -------------------------------------------------------------------------------------------------- */

static void assert_sent(const struct fake_aws *fake, const char *const *sent, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!fake_aws_sent(fake, fake->n_requests - 1, sent[i]))
			fail_msg("%s was not sent: %s", sent[i], fake->bodies[fake->n_requests - 1]);
}

static void test_run_says_only_what_is_said(void **state)
{
	struct fake_aws *fake = *state;
	struct arena *arena CLEANUP_ARENA = arena_new(1000000);
	const struct instance_run_request request = { .image_id = "ami-1", .type = "t3.micro", .client_token = "t" };
	struct instance instance;

	fake_ec2_say(fake, "RunInstances", RUN(INSTANCE(ID)));
	assert_int_equal(instance_run(&fake->ec2, arena, &request, &instance, NULL), 0);
	assert_string_equal(fake->bodies[0], "Action=RunInstances&Version=2016-11-15&ImageId=ami-1"
					     "&InstanceType=t3.micro&MinCount=1&MaxCount=1&ClientToken=t");
	assert_string_equal(instance.id, ID);
	assert_string_equal(instance.state, "running");
	assert_string_equal(instance.mappings[0].volume_id, "vol-1");
	assert_string_equal(instance.interfaces[1].id, "eni-2");
}

static void test_run_with_a_new_interface(void **state)
{
	struct fake_aws *fake = *state;
	struct arena *arena CLEANUP_ARENA = arena_new(1000000);
	const char *const groups[] = { "sg-1", "sg-2" };
	const struct ec2_tag tags[] = { { "director", "d 1" }, { "job", "web" } };
	const struct instance_disk disks[] = {
		{ .device_name = "/dev/xvda", .size_gib = 5, .type = "gp3", .iops = 4000, .throughput_mibs = 250,
		  .delete_on_termination = true },
		{ .device_name = "/dev/sdb", .size_gib = 10, .type = "io1", .encrypted = true, .kms_key_id = "key/1" },
		{ .device_name = "/dev/xvdc", .virtual_name = "ephemeral0", .size_gib = 7, .type = "gp3",
		  .encrypted = true, .delete_on_termination = true },
	};
	struct instance_new_interface interface = {
		.subnet_id = "subnet-1",
		.private_ip = "10.0.0.7",
		.ipv6 = "2600:1f18::7",
		.security_group_ids = { groups, 2 },
	};
	const struct instance_run_request request = {
		.image_id = "ami-1",
		.type = "m5.large",
		.key_name = "key",
		.iam_instance_profile = "profile",
		.user_data = "{\"a\":1}",
		.user_data_len = 7,
		.availability_zone = "us-east-1a",
		.placement_group = "group",
		.tenancy = "dedicated",
		.disks = disks,
		.n_disks = 3,
		.new_interface = &interface,
		.client_token = "token-1",
		.tags = { tags, 2 },
	};
	static const char *const sent[] = {
		"KeyName=key",
		"IamInstanceProfile.Name=profile",
		"UserData=eyJhIjoxfQ%3D%3D",
		"Placement.AvailabilityZone=us-east-1a",
		"Placement.GroupName=group",
		"Placement.Tenancy=dedicated",
		"BlockDeviceMapping.1.DeviceName=%2Fdev%2Fxvda",
		"BlockDeviceMapping.1.Ebs.VolumeSize=5",
		"BlockDeviceMapping.1.Ebs.VolumeType=gp3",
		"BlockDeviceMapping.1.Ebs.Iops=4000",
		"BlockDeviceMapping.1.Ebs.Throughput=250",
		"BlockDeviceMapping.1.Ebs.DeleteOnTermination=true",
		"BlockDeviceMapping.2.Ebs.VolumeSize=10",
		"BlockDeviceMapping.2.Ebs.Encrypted=true",
		"BlockDeviceMapping.2.Ebs.KmsKeyId=key%2F1",
		"BlockDeviceMapping.2.Ebs.DeleteOnTermination=false",
		"BlockDeviceMapping.3.DeviceName=%2Fdev%2Fxvdc",
		"BlockDeviceMapping.3.VirtualName=ephemeral0",
		"NetworkInterface.1.DeviceIndex=0",
		"NetworkInterface.1.SubnetId=subnet-1",
		"NetworkInterface.1.PrivateIpAddress=10.0.0.7",
		"NetworkInterface.1.Ipv6Addresses.1.Ipv6Address=2600%3A1f18%3A%3A7",
		"NetworkInterface.1.SecurityGroupId.1=sg-1",
		"NetworkInterface.1.SecurityGroupId.2=sg-2",
		"NetworkInterface.1.AssociatePublicIpAddress=false",
		"NetworkInterface.1.DeleteOnTermination=true",
		"TagSpecification.1.ResourceType=instance",
		"TagSpecification.1.Tag.1.Key=director",
		"TagSpecification.1.Tag.2.Value=web",
		"TagSpecification.2.ResourceType=volume",
		"TagSpecification.2.Tag.1.Value=d%201",
		"TagSpecification.3.ResourceType=network-interface",
		"TagSpecification.3.Tag.2.Key=job",
	};
	struct instance instance;

	fake_ec2_say(fake, "RunInstances", RUN(INSTANCE(ID)));
	assert_int_equal(instance_run(&fake->ec2, arena, &request, &instance, NULL), 0);
	assert_sent(fake, sent, sizeof(sent) / sizeof(sent[0]));
	assert_null(strstr(fake->bodies[0], "BlockDeviceMapping.1.Ebs.Encrypted"));
	assert_null(strstr(fake->bodies[0], "BlockDeviceMapping.3.Ebs"));
	assert_null(strstr(fake->bodies[0], "BlockDeviceMapping.4"));
	assert_null(strstr(fake->bodies[0], "InstanceMarketOptions"));
	assert_null(strstr(fake->bodies[0], "TagSpecification.4"));

	interface.public_ip = true;
	fake_ec2_say(fake, "RunInstances", RUN(INSTANCE(ID)));
	assert_int_equal(instance_run(&fake->ec2, arena, &request, &instance, NULL), 0);
	assert_true(fake_aws_sent(fake, 1, "NetworkInterface.1.AssociatePublicIpAddress=true"));
}

static void test_run_spot_with_own_interfaces(void **state)
{
	struct fake_aws *fake = *state;
	struct arena *arena CLEANUP_ARENA = arena_new(1000000);
	const struct ec2_tag tag = { "director", "d" };
	const struct instance_own_interface interfaces[] = { { "eni-1" }, { "eni-2" } };
	const struct instance_run_request request = {
		.image_id = "ami-1",
		.type = "m5.large",
		.iam_instance_profile = "arn:aws:iam::1:instance-profile/p",
		.own_interfaces = interfaces,
		.n_own_interfaces = 2,
		.spot_max_price = "0.12",
		.client_token = "token-1",
		.tags = { &tag, 1 },
	};
	static const char *const sent[] = {
		"IamInstanceProfile.Arn=arn%3Aaws%3Aiam%3A%3A1%3Ainstance-profile%2Fp",
		"NetworkInterface.1.DeviceIndex=0",
		"NetworkInterface.1.NetworkInterfaceId=eni-1",
		"NetworkInterface.2.DeviceIndex=1",
		"NetworkInterface.2.NetworkInterfaceId=eni-2",
		"InstanceMarketOptions.MarketType=spot",
		"InstanceMarketOptions.SpotOptions.MaxPrice=0.12",
		"InstanceMarketOptions.SpotOptions.SpotInstanceType=one-time",
		"InstanceMarketOptions.SpotOptions.InstanceInterruptionBehavior=terminate",
		"TagSpecification.1.ResourceType=instance",
		"TagSpecification.2.ResourceType=volume",
		"TagSpecification.3.ResourceType=spot-instances-request",
	};
	struct instance instance;

	/* an interface that was made a moment ago may be unknown for a while */
	fake_ec2_refuse(fake, "RunInstances", "InvalidNetworkInterfaceID.NotFound");
	fake_ec2_say(fake, "RunInstances", RUN(INSTANCE(ID)));
	assert_int_equal(instance_run(&fake->ec2, arena, &request, &instance, NULL), 0);
	assert_sent(fake, sent, sizeof(sent) / sizeof(sent[0]));
	assert_null(strstr(fake->bodies[1], "network-interface"));
	assert_null(strstr(fake->bodies[1], "AssociatePublicIpAddress"));
	assert_null(strstr(fake->bodies[1], "IamInstanceProfile.Name"));
}

static void test_run_metadata_options(void **state)
{
	struct fake_aws *fake = *state;
	struct arena *arena CLEANUP_ARENA = arena_new(1000000);
	const struct instance_metadata_option options[] = {
		{ "http_tokens", "required" },
		{ "http_put_response_hop_limit", "2" },
		{ "http_endpoint", "enabled" },
		{ "http_protocol_ipv6", "disabled" },
		{ "instance_metadata_tags", "enabled" },
		{ "some_thing_new", "x" },
		{ "HttpTokens", "y" },
	};
	const struct instance_run_request request = {
		.image_id = "ami-1",
		.type = "m5.large",
		.metadata_options = options,
		.n_metadata_options = 7,
		.client_token = "token-1",
	};
	static const char *const sent[] = {
		"MetadataOptions.HttpTokens=required",     "MetadataOptions.HttpPutResponseHopLimit=2",
		"MetadataOptions.HttpEndpoint=enabled",    "MetadataOptions.HttpProtocolIpv6=disabled",
		"MetadataOptions.InstanceMetadataTags=enabled", "MetadataOptions.SomeThingNew=x",
		"MetadataOptions.HttpTokens=y",
	};
	struct instance instance;

	fake_ec2_say(fake, "RunInstances", RUN(INSTANCE(ID)));
	assert_int_equal(instance_run(&fake->ec2, arena, &request, &instance, NULL), 0);
	assert_sent(fake, sent, sizeof(sent) / sizeof(sent[0]));
}

static void test_run_refused_or_lost(void **state)
{
	struct fake_aws *fake = *state;
	struct arena *arena CLEANUP_ARENA = arena_new(1000000);
	struct instance_run_request request = { .image_id = "ami-1", .type = "m5.large", .client_token = "token-1" };
	struct instance instance = { .id = "untouched" };
	struct error err;

	/* no second attempt: the script holds one answer each */
	static const struct {
		int status;
		const char *code;
	} rows[] = {
		{ 500, "InsufficientInstanceCapacity" }, { 503, "InsufficientHostCapacity" },
		{ 500, "InsufficientReservedInstanceCapacity" }, { 500, "UnfulfillableCapacity" },
		{ 400, "SpotMaxPriceTooLow" },		 { 400, "MaxSpotInstanceCountExceeded" },
		{ 400, "VcpuLimitExceeded" },		 { 400, "IdempotentInstanceTerminated" },
		{ 400, "InvalidAMIID.NotFound" },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		fake_aws_script(fake, (struct fake_answer){ .action = "RunInstances", .status = rows[i].status,
							    .body = fake_aws_error(rows[i].code, "no") });
		assert_int_equal(instance_run(&fake->ec2, arena, &request, &instance, &err), -1);
		assert_string_equal(err.aws_code, rows[i].code);
		assert_false(err.retryable);
	}
	/* a lost answer: the same again, token included */
	unsigned first = fake->n_requests;
	fake_ec2_lose(fake, "RunInstances");
	fake_ec2_say(fake, "RunInstances", RUN(INSTANCE(ID)));
	assert_int_equal(instance_run(&fake->ec2, arena, &request, &instance, NULL), 0);
	assert_string_equal(instance.id, ID);
	assert_string_equal(fake->bodies[first], fake->bodies[first + 1]);

	instance.id = "untouched";
	static const char *const odd[] = { RUN(""), RUN(INSTANCE("i-1") INSTANCE("i-2")), RUN("<item/>"),
					   "<RunInstancesResponse/>" };
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		fake_ec2_say(fake, "RunInstances", odd[i]);
		assert_int_equal(instance_run(&fake->ec2, arena, &request, &instance, &err), -1);
		assert_int_equal(err.kind, ERROR_INVALID);
	}
	request.client_token = NULL;
	assert_int_equal(instance_run(&fake->ec2, arena, &request, &instance, &err), -1);
	assert_int_equal(err.kind, ERROR_INTERNAL);
	assert_string_equal(instance.id, "untouched");
}

/* --- changing its state ------------------------------------------------------------------------------------------- */

static void test_terminate(void **state)
{
	struct fake_aws *fake = *state;
	bool existed = false;
	struct error err;

	fake_ec2_say(fake, "TerminateInstances",
		     "<TerminateInstancesResponse><instancesSet/></TerminateInstancesResponse>");
	assert_int_equal(instance_terminate(&fake->ec2, ID, &existed, NULL), 0);
	assert_true(existed);
	assert_string_equal(fake->bodies[0], "Action=TerminateInstances&Version=2016-11-15&InstanceId.1=" ID);
	fake_ec2_refuse(fake, "TerminateInstances", "InvalidInstanceID.NotFound");
	assert_int_equal(instance_terminate(&fake->ec2, ID, &existed, NULL), 0);
	assert_false(existed);
	fake_ec2_refuse(fake, "TerminateInstances", "OperationNotPermitted");
	assert_int_equal(instance_terminate(&fake->ec2, ID, NULL, &err), -1);
	assert_string_equal(err.aws_code, "OperationNotPermitted");
}

static void test_reboot_and_start(void **state)
{
	struct fake_aws *fake = *state;
	struct error err;

	fake_ec2_say(fake, "RebootInstances", FAKE_EC2_RETURN("RebootInstances"));
	assert_int_equal(instance_reboot(&fake->ec2, ID, NULL), 0);
	assert_string_equal(fake->bodies[0], "Action=RebootInstances&Version=2016-11-15&InstanceId.1=" ID);
	fake_ec2_say(fake, "StartInstances", "<StartInstancesResponse><instancesSet/></StartInstancesResponse>");
	assert_int_equal(instance_start(&fake->ec2, ID, NULL), 0);
	assert_string_equal(fake->bodies[1], "Action=StartInstances&Version=2016-11-15&InstanceId.1=" ID);
	fake_ec2_refuse(fake, "RebootInstances", "InvalidInstanceID.NotFound");
	assert_int_equal(instance_reboot(&fake->ec2, ID, &err), -1);
	assert_true(ec2_is_not_found(&err));
	fake_ec2_refuse(fake, "StartInstances", "UnauthorizedOperation");
	assert_int_equal(instance_start(&fake->ec2, ID, &err), -1);
	assert_string_equal(err.aws_code, "UnauthorizedOperation");
}

static void test_disable_source_dest_check(void **state)
{
	struct fake_aws *fake = *state;

	fake_ec2_refuse(fake, "ModifyInstanceAttribute", "InvalidInstanceID.NotFound");
	fake_ec2_say(fake, "ModifyInstanceAttribute",
		     FAKE_EC2_RETURN("ModifyInstanceAttribute"));
	assert_int_equal(instance_disable_source_dest_check(&fake->ec2, ID, NULL), 0);
	assert_string_equal(fake->bodies[1], "Action=ModifyInstanceAttribute&Version=2016-11-15&InstanceId=" ID
					     "&SourceDestCheck.Value=false");
}

/* --- waits -------------------------------------------------------------------------------------------------------- */

static void test_wait_running(void **state)
{
	struct fake_aws *fake = *state;
	struct arena *arena CLEANUP_ARENA = arena_new(1000000);
	const struct wait_options fresh = { .just_created = true };
	struct instance instance;

	fake_ec2_refuse(fake, "DescribeInstances", "InvalidInstanceID.NotFound");
	fake_ec2_say(fake, "DescribeInstances", LIST(""));
	fake_ec2_say(fake, "DescribeInstances", STATE("pending", ""));
	fake_ec2_say(fake, "DescribeInstances", LIST(RESERVATION(INSTANCE(ID))));
	assert_int_equal(instance_wait_running(&fake->ec2, arena, ID, &fresh, &instance, NULL), 0);
	assert_string_equal(fake->bodies[0], "Action=DescribeInstances&Version=2016-11-15&InstanceId.1=" ID);
	assert_string_equal(instance.state, "running");
	assert_string_equal(instance.interfaces[1].id, "eni-2");

	static const char *const ends[] = { "shutting-down", "terminated", "stopping", "stopped" };
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		char body[1000];
		snprintf(body, sizeof(body),
			 STATE("%s", "<stateReason><message>Server.InternalError</message></stateReason>"), ends[i]);
		fake_ec2_say(fake, "DescribeInstances", STATE("pending", ""));
		fake_ec2_say(fake, "DescribeInstances", body);
		assert_int_equal(instance_wait_running(&fake->ec2, arena, ID, &fresh, &instance, NULL), 0);
		assert_string_equal(instance.state, ends[i]);
		assert_string_equal(instance.state_reason, "Server.InternalError");
	}
}

static void test_wait_running_in_vain(void **state)
{
	struct fake_aws *fake = *state;
	struct arena *arena CLEANUP_ARENA = arena_new(1000000);
	const struct wait_options fresh = { .just_created = true };
	struct instance instance = { .id = "untouched" };
	struct error err;

	/* gone once it was seen, or not of this call's making: that is the answer */
	fake_ec2_say(fake, "DescribeInstances", STATE("pending", ""));
	fake_ec2_say(fake, "DescribeInstances", LIST(""));
	assert_int_equal(instance_wait_running(&fake->ec2, arena, ID, &fresh, &instance, &err), -1);
	assert_int_equal(err.kind, ERROR_CLOUD);
	assert_non_null(strstr(err.message, "instance " ID " does not exist"));
	fake_ec2_refuse(fake, "DescribeInstances", "InvalidInstanceID.NotFound");
	assert_int_equal(instance_wait_running(&fake->ec2, arena, ID, NULL, &instance, &err), -1);
	assert_true(ec2_is_not_found(&err));

	fake->repeat_last = true;
	fake_ec2_say(fake, "DescribeInstances", STATE("pending", ""));
	int64_t start = fake->now_ms;
	assert_int_equal(instance_wait_running(&fake->ec2, arena, ID, &fresh, &instance, &err), -1);
	assert_int_equal(err.kind, ERROR_TIMEOUT);
	assert_non_null(strstr(err.message, "instance " ID " to be running"));
	assert_non_null(strstr(err.message, "state pending"));
	assert_in_range(fake->now_ms - start, 600000, 660000);
	assert_string_equal(instance.id, "untouched");
}

static void test_wait_terminated(void **state)
{
	struct fake_aws *fake = *state;
	const struct wait_options short_wait = { .limit_ms = 1000 };
	struct error err;

	fake_ec2_say(fake, "DescribeInstances", STATE("running", ""));
	fake_ec2_say(fake, "DescribeInstances", STATE("shutting-down", ""));
	fake_ec2_say(fake, "DescribeInstances", STATE("terminated", ""));
	assert_int_equal(instance_wait_terminated(&fake->ec2, ID, NULL, NULL), 0);
	fake_ec2_say(fake, "DescribeInstances", STATE("shutting-down", ""));
	fake_ec2_refuse(fake, "DescribeInstances", "InvalidInstanceID.NotFound");
	assert_int_equal(instance_wait_terminated(&fake->ec2, ID, NULL, NULL), 0);
	fake_ec2_say(fake, "DescribeInstances", LIST(""));
	assert_int_equal(instance_wait_terminated(&fake->ec2, ID, NULL, NULL), 0);
	fake_ec2_refuse(fake, "DescribeInstances", "UnauthorizedOperation");
	assert_int_equal(instance_wait_terminated(&fake->ec2, ID, NULL, &err), -1);
	assert_string_equal(err.aws_code, "UnauthorizedOperation");
	fake->repeat_last = true;
	fake_ec2_say(fake, "DescribeInstances", STATE("shutting-down", ""));
	assert_int_equal(instance_wait_terminated(&fake->ec2, ID, &short_wait, &err), -1);
	assert_int_equal(err.kind, ERROR_TIMEOUT);
	assert_non_null(strstr(err.message, "state shutting-down"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FAKE_EC2_TEST(test_describe),
		FAKE_EC2_TEST(test_what_is_missing),
		FAKE_EC2_TEST(test_reasons),
		FAKE_EC2_TEST(test_no_memory),
		FAKE_EC2_TEST(test_run_says_only_what_is_said),
		FAKE_EC2_TEST(test_run_with_a_new_interface),
		FAKE_EC2_TEST(test_run_spot_with_own_interfaces),
		FAKE_EC2_TEST(test_run_metadata_options),
		FAKE_EC2_TEST(test_run_refused_or_lost),
		FAKE_EC2_TEST(test_terminate),
		FAKE_EC2_TEST(test_reboot_and_start),
		FAKE_EC2_TEST(test_disable_source_dest_check),
		FAKE_EC2_TEST(test_wait_running),
		FAKE_EC2_TEST(test_wait_running_in_vain),
		FAKE_EC2_TEST(test_wait_terminated),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
