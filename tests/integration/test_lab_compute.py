# SPDX-License-Identifier: Apache-2.0
"""RunInstances and instances' lives in the lab, asked by boto3: as EC2 has them."""
import base64
import time

import pytest
from botocore.exceptions import ClientError
from conftest import account, wait_until
from test_lab import new_snapshot, new_volume, refused, register, volume

pytestmark = pytest.mark.once


@pytest.fixture(name="vms")
def make_vms(lab):
    """vms(**arguments) runs one instance (m5.large, the light AMI, LAB_SUBNET) and answers it; they end with the test."""
    made = []

    def run(**more):
        arguments = {"ImageId": lab.light_ami, "InstanceType": "m5.large", "MinCount": 1, "MaxCount": 1, **more}
        if "NetworkInterfaces" not in more and "SubnetId" not in more:
            arguments["SubnetId"] = lab.env["LAB_SUBNET"]
        made.append(lab.ec2.run_instances(**arguments)["Instances"][0])
        return made[-1]
    yield run
    lab.reset()
    for instance in made:
        lab.ec2.terminate_instances(InstanceIds=[instance["InstanceId"]])


def shown(lab, instance):
    return lab.ec2.describe_instances(InstanceIds=[instance["InstanceId"]])["Reservations"][0]["Instances"][0]


def interface(lab, ident):
    return lab.ec2.describe_network_interfaces(NetworkInterfaceIds=[ident])["NetworkInterfaces"][0]


def new_interface(lab, **more):
    return lab.ec2.create_network_interface(SubnetId=lab.env["LAB_SUBNET"], **more)["NetworkInterface"]


def volumes_of(lab, instance):
    """The instance's volumes by device name."""
    return {m["DeviceName"]: volume(lab, m["Ebs"]["VolumeId"]) for m in shown(lab, instance)["BlockDeviceMappings"]}


# What an instance keeps

def test_an_interface_made_with_the_instance(lab, vms):
    six = lab.env["LAB_SUBNET_IPV6"].replace("::/64", "::10")
    vm = vms(NetworkInterfaces=[{
        "DeviceIndex": 0, "SubnetId": lab.env["LAB_SUBNET"], "PrivateIpAddress": "10.0.0.20", "AssociatePublicIpAddress": True,
        "Groups": [lab.env["LAB_SECURITY_GROUP"]], "Ipv6Addresses": [{"Ipv6Address": six}]}],
        TagSpecifications=[{"ResourceType": kind, "Tags": [{"Key": "a", "Value": kind}]}
                           for kind in ("instance", "volume", "network-interface")])
    assert vm["State"]["Name"] == "pending"
    now = shown(lab, vm)
    assert now["State"]["Name"] == "running" and "StateReason" not in now
    assert (now["PrivateIpAddress"], now["SubnetId"], now["VpcId"], now["Placement"]["AvailabilityZone"]) == (
        "10.0.0.20", lab.env["LAB_SUBNET"], lab.env["LAB_VPC"], "us-east-1a")
    assert now["PublicIpAddress"] and [g["GroupName"] for g in now["SecurityGroups"]] == ["bosh"]
    nic, = now["NetworkInterfaces"]
    assert nic["Ipv6Addresses"][0]["Ipv6Address"] == six and nic["Attachment"]["DeleteOnTermination"]
    eni = interface(lab, nic["NetworkInterfaceId"])
    assert eni["Status"] == "in-use" and eni["Attachment"]["InstanceId"] == vm["InstanceId"]
    assert eni["TagSet"] == [{"Key": "a", "Value": "network-interface"}]
    assert [g["GroupId"] for g in eni["Groups"]] == [lab.env["LAB_SECURITY_GROUP"]]
    assert now["Tags"] == [{"Key": "a", "Value": "instance"}]
    assert volumes_of(lab, vm)["/dev/sda1"]["Tags"] == [{"Key": "a", "Value": "volume"}]
    lab.ec2.terminate_instances(InstanceIds=[vm["InstanceId"]])
    refused("InvalidNetworkInterfaceID.NotFound", interface, lab=lab, ident=nic["NetworkInterfaceId"])


def test_the_subnet_says_whether_there_is_a_public_address(lab, vms):
    wanted = {"DeviceIndex": 0, "SubnetId": lab.env["LAB_SUBNET_B"]}
    assert "PublicIpAddress" not in shown(lab, vms(NetworkInterfaces=[wanted]))
    lab.ec2.modify_subnet_attribute(SubnetId=lab.env["LAB_SUBNET_B"], MapPublicIpOnLaunch={"Value": True})
    try:
        assert "PublicIpAddress" in shown(lab, vms(NetworkInterfaces=[wanted]))
        assert "PublicIpAddress" not in shown(lab, vms(NetworkInterfaces=[{**wanted, "AssociatePublicIpAddress": False}]))
    finally:
        lab.ec2.modify_subnet_attribute(SubnetId=lab.env["LAB_SUBNET_B"], MapPublicIpOnLaunch={"Value": False})


def test_interfaces_that_exist_already(lab, vms):
    made = [new_interface(lab, PrivateIpAddress=f"10.0.0.{n}") for n in (30, 31)]
    ids = [m["NetworkInterfaceId"] for m in made]
    vm = vms(NetworkInterfaces=[{"DeviceIndex": n, "NetworkInterfaceId": i} for n, i in reversed(list(enumerate(ids)))])
    nics = shown(lab, vm)["NetworkInterfaces"]
    assert [(n["NetworkInterfaceId"], n["Attachment"]["DeviceIndex"], n["MacAddress"]) for n in nics] == [
        (ids[n], n, made[n]["MacAddress"]) for n in range(2)]
    assert not nics[0]["Attachment"]["DeleteOnTermination"] and shown(lab, vm)["PrivateIpAddress"] == "10.0.0.30"
    refused("InvalidNetworkInterface.InUse", vms, NetworkInterfaces=[{"DeviceIndex": 0, "NetworkInterfaceId": ids[0]}])
    lab.ec2.modify_network_interface_attribute(NetworkInterfaceId=ids[1], Attachment={
        "AttachmentId": nics[1]["Attachment"]["AttachmentId"], "DeleteOnTermination": True})
    lab.states(instance={"terminated": {"looks": 1}})
    lab.ec2.terminate_instances(InstanceIds=[vm["InstanceId"]])
    error = refused("InvalidParameterValue", lab.ec2.delete_network_interface, NetworkInterfaceId=ids[0])
    assert "is currently in use" in error["Error"]["Message"]
    assert [shown(lab, vm)["State"]["Name"] for _ in range(2)] == ["shutting-down", "terminated"]
    assert interface(lab, ids[0])["Status"] == "available" and "Attachment" not in interface(lab, ids[0])
    refused("InvalidNetworkInterfaceID.NotFound", interface, lab=lab, ident=ids[1])
    gone = shown(lab, vm)
    assert not gone.get("NetworkInterfaces") and "SubnetId" not in gone and "PrivateIpAddress" not in gone
    lab.ec2.delete_network_interface(NetworkInterfaceId=ids[0])


def test_addresses_groups_and_interfaces_that_cannot_be(lab, vms):
    subnet, group = lab.env["LAB_SUBNET"], lab.env["LAB_SECURITY_GROUP"]
    eni = new_interface(lab, PrivateIpAddress="10.0.0.40")["NetworkInterfaceId"]
    other = next(g["GroupId"] for g in lab.ec2.describe_security_groups()["SecurityGroups"]
                 if g["VpcId"] != lab.env["LAB_VPC"])

    def one(**more):
        vms(NetworkInterfaces=[{"DeviceIndex": 0, "SubnetId": subnet, **more}])
    before = account(lab)["instances"]
    refused("InvalidIPAddress.InUse", one, PrivateIpAddress="10.0.0.40")
    for address in ("10.0.1.40", "10.0.0.3", "10.0.0.255", "ten"):
        refused("InvalidParameterValue", one, PrivateIpAddress=address)
    refused("InvalidParameterValue", one, Ipv6Addresses=[{"Ipv6Address": "2001:db8::7"}])
    refused("InvalidGroup.NotFound", one, Groups=["sg-0123456789abcdef0"])
    refused("InvalidGroupId.Malformed", one, Groups=["bosh"])
    refused("InvalidParameter", one, Groups=[other])
    refused("InvalidSubnetID.NotFound", one, SubnetId="subnet-0123456789abcdef0")
    refused("InvalidNetworkInterfaceID.NotFound", vms, NetworkInterfaces=[
        {"DeviceIndex": 0, "NetworkInterfaceId": "eni-0123456789abcdef0"}])
    existing = {"DeviceIndex": 0, "NetworkInterfaceId": eni}
    refused("InvalidParameterCombination", vms, NetworkInterfaces=[{**existing, "SubnetId": subnet}])
    refused("InvalidParameterCombination", vms, NetworkInterfaces=[{**existing, "DeleteOnTermination": True}])
    refused("InvalidParameterCombination", vms, NetworkInterfaces=[existing], SubnetId=subnet)
    refused("InvalidParameterCombination", vms, NetworkInterfaces=[existing], SecurityGroupIds=[group])
    refused("InvalidParameterValue", vms, NetworkInterfaces=[{**existing, "DeviceIndex": 1}])
    refused("AttachmentLimitExceeded", vms, InstanceType="t3.micro", NetworkInterfaces=[
        {"DeviceIndex": n, "SubnetId": subnet} for n in range(3)])
    assert account(lab)["instances"] == before
    lab.ec2.delete_network_interface(NetworkInterfaceId=eni)


def test_places_types_keys_profiles_and_images(lab, vms):
    lab.ec2.create_placement_group(GroupName="near", Strategy="cluster")
    vm = shown(lab, vms(Placement={"AvailabilityZone": "us-east-1a", "GroupName": "near", "Tenancy": "dedicated"},
                        KeyName="bosh", IamInstanceProfile={"Name": "bosh"},
                        MetadataOptions={"HttpTokens": "required", "HttpPutResponseHopLimit": 3}))
    assert (vm["Placement"]["GroupName"], vm["Placement"]["Tenancy"], vm["KeyName"]) == ("near", "dedicated", "bosh")
    assert vm["IamInstanceProfile"]["Arn"] == lab.env["LAB_INSTANCE_PROFILE_ARN"]
    assert (vm["MetadataOptions"]["HttpTokens"], vm["MetadataOptions"]["HttpPutResponseHopLimit"]) == ("required", 3)
    vms(IamInstanceProfile={"Arn": lab.env["LAB_INSTANCE_PROFILE_ARN"]})
    for code, arguments in (
            ("InvalidParameterValue", {"Placement": {"AvailabilityZone": "us-east-1b"}}),
            ("InvalidParameterValue", {"Placement": {"AvailabilityZone": "us-east-1z"}}),
            ("InvalidPlacementGroup.Unknown", {"Placement": {"GroupName": "far"}}),
            ("InvalidKeyPair.NotFound", {"KeyName": "nobody's"}),
            ("InvalidParameterValue", {"IamInstanceProfile": {"Name": "nobody's"}}),
            ("InvalidParameterValue", {"IamInstanceProfile": {"Arn": "arn:aws:iam::1:instance-profile/no"}}),
            ("InvalidParameterValue", {"InstanceType": "m5.tiny"}), ("InvalidParameterValue", {"InstanceType": "m6g.large"}),
            ("InvalidAMIID.NotFound", {"ImageId": "ami-0123456789abcdef0"}),
            ("InvalidParameterValue", {"MetadataOptions": {"HttpTokens": "some"}}),
            ("InvalidParameterValue", {"TagSpecifications": [{"ResourceType": "snapshot", "Tags": []}]})):
        refused(code, vms, **arguments)
    lab.ec2.delete_placement_group(GroupName="near")


def test_user_data_is_kept_and_limited(lab, vms):
    vm = vms(UserData="x" * 16384)
    told = lab.ec2.describe_instance_attribute(InstanceId=vm["InstanceId"], Attribute="userData")["UserData"]["Value"]
    assert base64.b64decode(told) == b"x" * 16384
    error = refused("InvalidParameterValue", vms, UserData="x" * 16385)
    assert error["Error"]["Message"] == "User data is limited to 16384 bytes"


def test_base64_may_have_line_breaks(lab, vms):
    broken = base64.encodebytes(b"y" * 100).decode()
    assert broken.count("\n") > 1

    def as_it_is(params, **_):
        params["body"]["UserData"] = broken
    lab.ec2.meta.events.register("before-call.ec2.RunInstances", as_it_is)
    try:
        vm = vms()
    finally:
        lab.ec2.meta.events.unregister("before-call.ec2.RunInstances", as_it_is)
    told = lab.ec2.describe_instance_attribute(InstanceId=vm["InstanceId"], Attribute="userData")["UserData"]["Value"]
    assert base64.b64decode(told) == b"y" * 100


def test_spot(lab, vms):
    vm = vms(InstanceMarketOptions={"MarketType": "spot", "SpotOptions": {
        "MaxPrice": "0.12", "SpotInstanceType": "one-time", "InstanceInterruptionBehavior": "terminate"}},
        TagSpecifications=[{"ResourceType": "spot-instances-request", "Tags": [{"Key": "a", "Value": "b"}]}])
    now = shown(lab, vm)
    assert now["InstanceLifecycle"] == vm["InstanceLifecycle"] == "spot"
    request = now["SpotInstanceRequestId"]
    assert lab.ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [request]}])["Tags"] == [
        {"Key": "a", "Value": "b", "ResourceId": request, "ResourceType": "spot-instances-request"}]
    refused("UnsupportedOperation", lab.ec2.stop_instances, InstanceIds=[vm["InstanceId"]])
    assert "InstanceLifecycle" not in shown(lab, vms())
    refused("InvalidParameterValue", vms, InstanceMarketOptions={"MarketType": "spot", "SpotOptions": {"MaxPrice": "dear"}})


def test_tokens_of_what_is_the_same_and_what_is_not(lab, vms):
    first = vms(ClientToken="one vm")
    assert vms(ClientToken="one vm")["InstanceId"] == first["InstanceId"]
    refused("IdempotentParameterMismatch", vms, ClientToken="one vm", InstanceType="m5.xlarge")
    assert shown(lab, first)["ClientToken"] == "one vm"


# Block devices

def test_block_devices_keep_what_they_are_given(lab, vms):
    key = lab.env["LAB_KMS_KEY"]
    vm = vms(BlockDeviceMappings=[
        {"DeviceName": "/dev/sda1", "Ebs": {"VolumeType": "gp3", "VolumeSize": 8, "Iops": 4000, "Throughput": 300}},
        {"DeviceName": "/dev/sdb", "Ebs": {"VolumeSize": 10, "VolumeType": "io1", "Iops": 500, "Encrypted": True,
                                           "KmsKeyId": key, "DeleteOnTermination": False}},
        {"DeviceName": "/dev/xvdba", "VirtualName": "ephemeral0"}])
    found = volumes_of(lab, vm)
    assert found.keys() == {"/dev/sda1", "/dev/sdb"}
    root, second = found["/dev/sda1"], found["/dev/sdb"]
    assert (root["Size"], root["VolumeType"], root["Iops"], root["Throughput"]) == (8, "gp3", 4000, 300)
    assert root["Attachments"][0]["DeleteOnTermination"] and not second["Attachments"][0]["DeleteOnTermination"]
    assert (second["Size"], second["Iops"], second["Encrypted"], second["KmsKeyId"]) == (10, 500, True, key)
    lab.ec2.terminate_instances(InstanceIds=[vm["InstanceId"]])
    refused("InvalidVolume.NotFound", volume, lab=lab, volume_id=root["VolumeId"])
    assert volume(lab, second["VolumeId"])["State"] == "available"
    lab.ec2.delete_volume(VolumeId=second["VolumeId"])


def test_block_devices_that_cannot_be(lab, vms):
    snapshot_id = new_snapshot(lab)

    def one(name="/dev/sdb", **ebs):
        vms(BlockDeviceMappings=[{"DeviceName": name, "Ebs": ebs}])
    grown = lab.ec2.create_volume(Size=3, AvailabilityZone="us-east-1a")["VolumeId"]
    large = lab.ec2.create_snapshot(VolumeId=grown)["SnapshotId"]
    image = register(lab, "large", large)
    refused("InvalidBlockDeviceMapping", vms, ImageId=image, BlockDeviceMappings=[
        {"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 2}}])
    assert volumes_of(lab, vms(ImageId=image))["/dev/xvda"]["Size"] == 3
    refused("MissingParameter", one, VolumeType="gp3")
    refused("InvalidParameterCombination", one, VolumeSize=10, VolumeType="gp2", Iops=1000)
    refused("InvalidParameterValue", one, VolumeSize=10, VolumeType="io1", Iops=501)
    refused("UnknownVolumeType", one, VolumeSize=10, VolumeType="gp9")
    refused("InvalidParameterDependency", one, VolumeSize=10, KmsKeyId=lab.env["LAB_KMS_KEY"])
    refused("InvalidSnapshot.NotFound", one, SnapshotId="snap-0123456789abcdef0")
    refused("InvalidParameterValue", one, name="sdb ", VolumeSize=10)
    refused("InvalidBlockDeviceMapping", vms, BlockDeviceMappings=2 * [{"DeviceName": "/dev/sdb", "Ebs": {"VolumeSize": 1}}])
    lab.ec2.deregister_image(ImageId=image)
    lab.ec2.delete_volume(VolumeId=grown)
    for each in (snapshot_id, large):
        lab.ec2.delete_snapshot(SnapshotId=each)


# States

def test_states_over_time(lab, vms):
    lab.states(instance={"running": {"looks": 2}, "stopped": {"looks": 1}, "terminated": {"looks": 1}})
    vm = vms()
    ids = [vm["InstanceId"]]
    assert [shown(lab, vm)["State"]["Name"] for _ in range(3)] == ["pending", "pending", "running"]
    lab.ec2.reboot_instances(InstanceIds=ids)
    lab.ec2.stop_instances(InstanceIds=ids)
    assert [shown(lab, vm)["State"]["Name"] for _ in range(2)] == ["stopping", "stopped"]
    refused("IncorrectState", lab.ec2.reboot_instances, InstanceIds=ids)
    lab.ec2.start_instances(InstanceIds=ids)
    assert shown(lab, vm)["State"]["Name"] == "pending"
    lab.ec2.terminate_instances(InstanceIds=ids)
    ending = shown(lab, vm)
    assert ending["State"]["Name"] == "shutting-down" and ending["StateReason"]["Code"] == "Client.UserInitiatedShutdown"
    assert shown(lab, vm)["State"]["Name"] == "terminated"
    assert ending["StateTransitionReason"].startswith("User initiated (")
    for action in (lab.ec2.start_instances, lab.ec2.stop_instances):
        refused("IncorrectInstanceState", action, InstanceIds=ids)
    refused("IncorrectState", lab.ec2.reboot_instances, InstanceIds=ids)
    lab.ec2.terminate_instances(InstanceIds=ids)
    for action in (lab.ec2.start_instances, lab.ec2.reboot_instances, lab.ec2.terminate_instances):
        refused("InvalidInstanceID.NotFound", action, InstanceIds=["i-0123456789abcdef0"])


def test_an_instance_that_dies_at_birth(lab, vms):
    lab.states(instance={"running": {"error": "Server.InternalError: Internal error on launch", "looks": 1, "count": 1}})
    dying, living = vms(BlockDeviceMappings=[{"DeviceName": "/dev/sdb", "Ebs": {
        "VolumeSize": 1, "DeleteOnTermination": True}}]), vms()
    nic = dying["NetworkInterfaces"][0]["NetworkInterfaceId"]
    before = shown(lab, dying)
    assert before["State"]["Name"] == "pending" and len(before["BlockDeviceMappings"]) == 2
    now = shown(lab, dying)
    assert now["State"]["Name"] == "terminated" and not now["BlockDeviceMappings"]
    for mapping in before["BlockDeviceMappings"]:
        refused("InvalidVolume.NotFound", volume, lab=lab, volume_id=mapping["Ebs"]["VolumeId"])
    assert now["StateReason"] == {"Code": "Server.InternalError",
                                  "Message": "Server.InternalError: Internal error on launch"}
    assert now["StateTransitionReason"] == "Server.InternalError"
    refused("InvalidNetworkInterfaceID.NotFound", interface, lab=lab, ident=nic)
    assert shown(lab, living)["State"]["Name"] == "running"


def test_a_random_time(lab, vms):
    lab.states(instance={"running": {"between": [0.2, 0.4]}})
    began = time.monotonic()
    vm = vms()
    assert shown(lab, vm)["State"]["Name"] == "pending"
    wait_until(lambda: shown(lab, vm)["State"]["Name"] == "running", 5)
    assert time.monotonic() - began >= 0.2


def test_a_terminated_instances_volume_is_free_a_while_later(lab, vms):
    vm, data = vms(), new_volume(lab)
    lab.ec2.attach_volume(VolumeId=data, InstanceId=vm["InstanceId"], Device="/dev/sdf")
    lab.states(volume={"detached": {"looks": 1}}, interface={"detached": {"looks": 1}})
    nic = vm["NetworkInterfaces"][0]["NetworkInterfaceId"]
    lab.ec2.terminate_instances(InstanceIds=[vm["InstanceId"]])
    assert shown(lab, vm)["State"]["Name"] == "terminated"
    refused("VolumeInUse", lab.ec2.delete_volume, VolumeId=data)
    assert [volume(lab, data)["State"] for _ in range(2)] == ["in-use", "available"]
    assert interface(lab, nic)["Attachment"]["Status"] == "detaching"
    refused("InvalidNetworkInterfaceID.NotFound", interface, lab=lab, ident=nic)
    lab.ec2.delete_volume(VolumeId=data)


def test_no_capacity_for_one_type_only(lab, vms):
    lab.faults({"action": "RunInstances", "kind": "error", "status": 500, "code": "InsufficientInstanceCapacity",
                "count": -1, "match": {"InstanceType": "m5.*"}})
    error = refused("InsufficientInstanceCapacity", vms)
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 500
    vms(InstanceType="c5.large")


# Attributes, types, attachments

def test_source_dest_check_is_an_interfaces(lab, vms):
    vm = vms()
    lab.ec2.modify_instance_attribute(InstanceId=vm["InstanceId"], SourceDestCheck={"Value": False})
    now = shown(lab, vm)
    assert not now["SourceDestCheck"] and not now["NetworkInterfaces"][0]["SourceDestCheck"]
    two = vms(NetworkInterfaces=[{"DeviceIndex": n, "SubnetId": lab.env["LAB_SUBNET"]} for n in range(2)])
    refused("InvalidInstanceID", lab.ec2.modify_instance_attribute, InstanceId=two["InstanceId"],
            SourceDestCheck={"Value": False})
    first = two["NetworkInterfaces"][0]["NetworkInterfaceId"]
    lab.ec2.modify_network_interface_attribute(NetworkInterfaceId=first, SourceDestCheck={"Value": False})
    assert not shown(lab, two)["SourceDestCheck"]


def test_instance_types(lab):
    def facts(*names):
        return lab.ec2.describe_instance_types(InstanceTypes=list(names))["InstanceTypes"]
    old, metal, new = sorted(facts("m3.medium", "m5d.large", "m5.metal"), key=lambda t: t["InstanceType"])
    assert (old["Hypervisor"], old["EbsInfo"]["NvmeSupport"]) == ("xen", "unsupported")
    assert (new["Hypervisor"], new["EbsInfo"]["NvmeSupport"], new["EbsInfo"]["MaximumEbsAttachments"]) == (
        "nitro", "required", 26)
    assert new["InstanceStorageInfo"] == {"TotalSizeInGB": 75, "NvmeSupport": "required", "EncryptionSupport": "required",
                                          "Disks": [{"SizeInGB": 75, "Count": 1, "Type": "ssd"}]}
    assert metal["BareMetal"] and "Hypervisor" not in metal
    refused("InvalidInstanceType", lab.ec2.describe_instance_types, InstanceTypes=["m5.large", "m5.tiny"])
    page = lab.ec2.describe_instance_types()
    assert len(page["InstanceTypes"]) == 100 and page["NextToken"]
    refused("InvalidParameterCombination", lab.ec2.describe_instance_types, InstanceTypes=["m5.large"], MaxResults=5)
    refused("InvalidParameterValue", lab.ec2.describe_instance_types, MaxResults=101)


def test_attachments_of_any_instance(lab, vms):
    lab.states(instance={"running": {"looks": 1}})
    vm, data = vms(), new_volume(lab)
    ask = {"VolumeId": data, "InstanceId": vm["InstanceId"]}
    refused("IncorrectState", lab.ec2.attach_volume, Device="/dev/sdf", **ask)
    shown(lab, vm), shown(lab, vm)
    refused("InvalidParameterValue", lab.ec2.attach_volume, Device="/dev/sda1", **ask)
    refused("InvalidParameterValue", lab.ec2.attach_volume, Device="/dev/nvme1n1", **ask)
    refused("InvalidInstanceID.NotFound", lab.ec2.attach_volume, VolumeId=data, InstanceId="i-0123456789abcdef0",
            Device="/dev/sdf")
    lab.ec2.attach_volume(Device="/dev/xvdba", **ask)
    assert shown(lab, vm)["BlockDeviceMappings"][1]["Ebs"]["Status"] == "attached"
    root = shown(lab, vm)["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
    refused("OperationNotPermitted", lab.ec2.detach_volume, VolumeId=root)
    refused("InvalidAttachment.NotFound", lab.ec2.detach_volume, VolumeId=data, InstanceId=lab.builder)
    lab.ec2.detach_volume(VolumeId=data)
    made = [new_volume(lab) for _ in range(26)]
    names = [f"/dev/xvdb{chr(ord('a') + n)}" for n in range(26)]
    for each, name in zip(made[:25], names):
        lab.ec2.attach_volume(VolumeId=each, InstanceId=vm["InstanceId"], Device=name)
    lab.ec2.attach_volume(VolumeId=made[25], InstanceId=vm["InstanceId"], Device=names[25])
    refused("AttachmentLimitExceeded", lab.ec2.attach_volume, Device="/dev/sdf", **ask)
    lab.ec2.terminate_instances(InstanceIds=[vm["InstanceId"]])
    for each in made + [data]:
        lab.ec2.delete_volume(VolumeId=each)


def test_parameters_that_the_action_does_not_have(lab):
    def unknown(params, **_):
        params["body"]["Placement.Zone"] = "us-east-1a"
    lab.ec2.meta.events.register("before-call.ec2.RunInstances", unknown)
    try:
        with pytest.raises(ClientError, match="UnknownParameter.*Placement.Zone"):
            lab.ec2.run_instances(ImageId=lab.light_ami, MinCount=1, MaxCount=1)
    finally:
        lab.ec2.meta.events.unregister("before-call.ec2.RunInstances", unknown)
