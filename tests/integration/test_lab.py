# SPDX-License-Identifier: Apache-2.0
"""The lab itself, asked by boto3: it must behave as EC2 does where the CPI depends on it.

Faults, slow states and late devices are in test_lab_trouble.py."""
import concurrent.futures
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest
from botocore.exceptions import ClientError
from conftest import LAB, ROOT, account, wait_until

pytestmark = pytest.mark.once

MIB = 1 << 20
GIB = 1 << 30
PATTERN = bytes(range(256)) * 4096


def refused(code, function, **arguments):
    """The call must fail with this code; returns the error."""
    with pytest.raises(ClientError) as caught:
        function(**arguments)
    assert caught.value.response["Error"]["Code"] == code, caught.value
    return caught.value.response


def new_volume(lab, size=1, **more):
    return lab.ec2.create_volume(Size=size, AvailabilityZone="us-east-1a", **more)["VolumeId"]


def volume(lab, volume_id):
    return lab.ec2.describe_volumes(VolumeIds=[volume_id])["Volumes"][0]


def attach(lab, volume_id, device="/dev/sdf"):
    return lab.ec2.attach_volume(VolumeId=volume_id, InstanceId=lab.builder, Device=device)


def new_snapshot(lab):
    volume_id = new_volume(lab)
    snapshot_id = lab.ec2.create_snapshot(VolumeId=volume_id)["SnapshotId"]
    lab.ec2.delete_volume(VolumeId=volume_id)
    return snapshot_id


def register(lab, name, snapshot_id, **more):
    return lab.ec2.register_image(
        Name=name, Architecture="x86_64", VirtualizationType="hvm", RootDeviceName="/dev/xvda", EnaSupport=True,
        SriovNetSupport="simple", BootMode="uefi-preferred", Description="a test",
        BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": snapshot_id, "VolumeType": "gp3",
                                                                 "DeleteOnTermination": True}},
                             {"DeviceName": "/dev/sdb", "VirtualName": "ephemeral0"}], **more)["ImageId"]


# Volumes, devices, snapshots

def test_bytes_survive_attach_detach_snapshot_restore(lab):
    before = account(lab)
    volume_id = new_volume(lab, TagSpecifications=[{"ResourceType": "volume", "Tags": [{"Key": "a", "Value": "b"}]}])
    assert os.path.getsize(lab.volume_file(volume_id)) == GIB
    assert os.stat(lab.volume_file(volume_id)).st_blocks == 0
    assert volume(lab, volume_id)["Tags"] == [{"Key": "a", "Value": "b"}]
    assert attach(lab, volume_id)["State"] == "attaching"
    device = lab.wait_for_device(volume_id)
    with open(device, "r+b") as f:
        assert f.seek(0, os.SEEK_END) == GIB
        f.seek(512 * MIB)
        f.write(PATTERN)
    assert volume(lab, volume_id)["State"] == "in-use"
    # Taken while it is attached: what was written is in it all the same.
    early = lab.ec2.create_snapshot(VolumeId=volume_id)["SnapshotId"]
    with open(device, "r+b") as f:
        f.write(PATTERN)
    lab.ec2.detach_volume(VolumeId=volume_id)
    wait_until(lambda: not os.path.lexists(lab.link(volume_id)))
    snapshot_id = lab.ec2.create_snapshot(VolumeId=volume_id, Description="x", TagSpecifications=[
        {"ResourceType": "snapshot", "Tags": [{"Key": "c", "Value": "d"}]}])["SnapshotId"]
    shown = lab.ec2.describe_snapshots(SnapshotIds=[snapshot_id])["Snapshots"][0]
    assert (shown["State"], shown["Progress"], shown["VolumeSize"]) == ("completed", "100%", 1)
    assert shown["Tags"] == [{"Key": "c", "Value": "d"}]
    restored = lab.ec2.create_volume(SnapshotId=snapshot_id, AvailabilityZone="us-east-1a", Size=2)["VolumeId"]
    with open(lab.volume_file(restored), "rb") as f:
        assert f.read(MIB) == PATTERN
        f.seek(512 * MIB)
        assert f.read(MIB) == PATTERN
        assert f.seek(0, os.SEEK_END) == 2 * GIB
    assert os.stat(lab.volume_file(restored)).st_blocks * 512 < 8 * MIB
    with open(lab.snapshot_file(early), "rb") as f:
        assert f.read(MIB) == bytes(MIB)
        f.seek(512 * MIB)
        assert f.read(MIB) == PATTERN
    for each in (volume_id, restored):
        lab.ec2.delete_volume(VolumeId=each)
    for each in (early, snapshot_id):
        lab.ec2.delete_snapshot(SnapshotId=each)
    assert account(lab) == before
    assert not os.path.exists(lab.volume_file(volume_id)) and not os.path.exists(lab.snapshot_file(snapshot_id))


def test_udev_names_the_device_as_nitro_does(lab):
    if lab.env["LAB_UDEV"] != "yes":
        pytest.skip("no udevd runs here")
    volume_id = new_volume(lab)
    attach(lab, volume_id)
    device = lab.wait_for_device(volume_id)
    shown = subprocess.run(["udevadm", "info", "--query=property", device], check=True, capture_output=True, text=True)
    assert "ID_MODEL=Amazon Elastic Block Store" in shown.stdout
    assert f"ID_SERIAL_SHORT={volume_id.replace('-', '')}" in shown.stdout
    lab.ec2.detach_volume(VolumeId=volume_id)
    lab.ec2.delete_volume(VolumeId=volume_id)


def test_terminating_takes_devices_away_and_other_instances_have_none(lab):
    snapshot_id = new_snapshot(lab)
    image_id = register(lab, "terminate-me", snapshot_id)
    run = lab.ec2.run_instances(ImageId=image_id, InstanceType="m5.large", MinCount=1, MaxCount=1,
                                Placement={"AvailabilityZone": "us-east-1a"})
    instance = run["Instances"][0]["InstanceId"]
    shown = lab.ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
    root = shown["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
    assert volume(lab, root)["SnapshotId"] == snapshot_id
    volume_id = new_volume(lab)
    lab.ec2.attach_volume(VolumeId=volume_id, InstanceId=instance, Device="/dev/sdf")
    assert not os.path.lexists(lab.link(volume_id))
    refused("VolumeInUse", lab.ec2.delete_volume, VolumeId=volume_id)
    lab.ec2.terminate_instances(InstanceIds=[instance])
    assert volume(lab, volume_id)["State"] == "available"
    refused("InvalidVolume.NotFound", lab.ec2.describe_volumes, VolumeIds=[root])
    refused("IncorrectState", lab.ec2.attach_volume, VolumeId=volume_id, InstanceId=instance, Device="/dev/sdf")
    lab.ec2.deregister_image(ImageId=image_id)
    lab.ec2.delete_snapshot(SnapshotId=snapshot_id)
    lab.ec2.delete_volume(VolumeId=volume_id)


def test_attachments_are_refused_as_ec2_does(lab):
    one, two = new_volume(lab), new_volume(lab)
    other_zone = lab.ec2.create_volume(Size=1, AvailabilityZone="us-east-1b")["VolumeId"]
    attach(lab, one)
    refused("VolumeInUse", lab.ec2.attach_volume, VolumeId=one, InstanceId=lab.builder, Device="/dev/sdg")
    refused("InvalidParameterValue", lab.ec2.attach_volume, VolumeId=two, InstanceId=lab.builder, Device="/dev/sdf")
    refused("InvalidVolume.ZoneMismatch", lab.ec2.attach_volume, VolumeId=other_zone, InstanceId=lab.builder,
            Device="/dev/sdg")
    refused("IncorrectState", lab.ec2.detach_volume, VolumeId=two)
    refused("InvalidVolume.NotFound", lab.ec2.delete_volume, VolumeId="vol-0123456789abcdef0")
    lab.ec2.detach_volume(VolumeId=one)
    for each in (one, two, other_zone):
        lab.ec2.delete_volume(VolumeId=each)


def test_a_volume_grows_under_its_device(lab):
    volume_id = new_volume(lab)
    attach(lab, volume_id)
    device = lab.wait_for_device(volume_id)
    lab.ec2.modify_volume(VolumeId=volume_id, Size=3)
    with open(device, "rb") as f:
        assert f.seek(0, os.SEEK_END) == 3 * GIB
    refused("InvalidParameterValue", lab.ec2.modify_volume, VolumeId=volume_id, Size=2)
    lab.ec2.detach_volume(VolumeId=volume_id)
    lab.ec2.delete_volume(VolumeId=volume_id)


# Images

def test_images_keep_what_they_are_given(lab):
    snapshot_id = new_snapshot(lab)
    image_id = register(lab, "light/stemcell (1)", snapshot_id, TagSpecifications=[
        {"ResourceType": "image", "Tags": [{"Key": "stemcell", "Value": "1.0"}]}])
    image = lab.ec2.describe_images(ImageIds=[image_id])["Images"][0]
    expected = {"State": "available", "Architecture": "x86_64", "VirtualizationType": "hvm", "EnaSupport": True,
                "RootDeviceName": "/dev/xvda", "RootDeviceType": "ebs", "SriovNetSupport": "simple", "Public": False,
                "BootMode": "uefi-preferred", "Description": "a test", "Tags": [{"Key": "stemcell", "Value": "1.0"}]}
    assert {k: image.get(k) for k in expected} == expected
    assert image["BlockDeviceMappings"] == [
        {"DeviceName": "/dev/xvda", "Ebs": {"DeleteOnTermination": True, "SnapshotId": snapshot_id, "VolumeSize": 1,
                                            "VolumeType": "gp3", "Encrypted": False}},
        {"DeviceName": "/dev/sdb", "VirtualName": "ephemeral0"}]
    refused("InvalidAMIName.Duplicate", register, lab=lab, name="light/stemcell (1)", snapshot_id=snapshot_id)
    refused("InvalidSnapshot.NotFound", register, lab=lab, name="other", snapshot_id="snap-0123456789abcdef0")
    refused("InvalidSnapshot.InUse", lab.ec2.delete_snapshot, SnapshotId=snapshot_id)
    found = lab.ec2.describe_images(Filters=[{"Name": "name", "Values": ["light/*"]},
                                             {"Name": "tag:stemcell", "Values": ["1.*"]}])["Images"]
    assert [i["ImageId"] for i in found] == [image_id]
    lab.ec2.deregister_image(ImageId=image_id)
    refused("InvalidAMIID.Unavailable", lab.ec2.describe_images, ImageIds=[image_id])
    refused("InvalidAMIID.NotFound", lab.ec2.describe_images, ImageIds=["ami-0123456789abcdef0"])
    lab.ec2.delete_snapshot(SnapshotId=snapshot_id)


def test_a_copied_image_is_encrypted_and_has_snapshots_of_its_own(lab):
    copy = lab.ec2.copy_image(SourceImageId=lab.light_ami, SourceRegion="us-east-1", Name="copy", Encrypted=True,
                              ClientToken="copy-1")["ImageId"]
    again = lab.ec2.copy_image(SourceImageId=lab.light_ami, SourceRegion="us-east-1", Name="copy", Encrypted=True,
                               ClientToken="copy-1")["ImageId"]
    assert copy == again
    image = lab.ec2.describe_images(ImageIds=[copy], Owners=["self"])["Images"][0]
    ebs = image["BlockDeviceMappings"][0]["Ebs"]
    assert ebs["Encrypted"] and image["RootDeviceName"] == "/dev/sda1" and image["VirtualizationType"] == "hvm"
    snapshot = lab.ec2.describe_snapshots(SnapshotIds=[ebs["SnapshotId"]])["Snapshots"][0]
    assert snapshot["Encrypted"] and snapshot["KmsKeyId"] and copy in snapshot["Description"]
    assert os.path.exists(lab.snapshot_file(ebs["SnapshotId"]))
    lab.ec2.deregister_image(ImageId=copy)
    lab.ec2.delete_snapshot(SnapshotId=ebs["SnapshotId"])


# What all calls share

def test_client_tokens(lab):
    before = account(lab)
    arguments = {"Size": 1, "AvailabilityZone": "us-east-1a", "ClientToken": "one"}
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        ids = set(pool.map(lambda _: lab.ec2.create_volume(**arguments)["VolumeId"], range(8)))
    assert len(ids) == 1
    refused("IdempotentParameterMismatch", lab.ec2.create_volume, **{**arguments, "Size": 2})
    refused("InvalidParameterValue", lab.ec2.create_volume, **{**arguments, "ClientToken": "x" * 65})
    lab.ec2.delete_volume(VolumeId=ids.pop())
    run = {"ImageId": lab.light_ami, "InstanceType": "m5.large", "MinCount": 1, "MaxCount": 1, "ClientToken": "vm"}
    first, second = (lab.ec2.run_instances(**run)["Instances"][0]["InstanceId"] for _ in range(2))
    assert first == second
    lab.ec2.terminate_instances(InstanceIds=[first])
    refused("IdempotentInstanceTerminated", lab.ec2.run_instances, **run)
    subnet = lab.ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    nics = {lab.ec2.create_network_interface(SubnetId=subnet, ClientToken="nic")["NetworkInterface"]
            ["NetworkInterfaceId"] for _ in range(2)}
    assert len(nics) == 1
    lab.ec2.delete_network_interface(NetworkInterfaceId=nics.pop())
    assert account(lab) == before


def test_pages_and_filters(lab):
    tags = [{"ResourceType": "volume", "Tags": [{"Key": "paged", "Value": f"v[{n % 2}]"}]} for n in range(12)]
    ids = sorted(new_volume(lab, TagSpecifications=[t]) for t in tags)
    mine = [{"Name": "tag-key", "Values": ["pag*"]}]
    pages = list(lab.ec2.get_paginator("describe_volumes").paginate(
        Filters=mine, PaginationConfig={"PageSize": 5}))
    assert [len(p["Volumes"]) for p in pages] == [5, 5, 2]
    assert sorted(v["VolumeId"] for p in pages for v in p["Volumes"]) == ids
    assert len(lab.ec2.describe_volumes(Filters=[{"Name": "tag:paged", "Values": ["v[1*"]}])["Volumes"]) == 6
    assert not lab.ec2.describe_volumes(Filters=[{"Name": "tag-value", "Values": ["v[2]", "w"]}])["Volumes"]
    lab.options(page_size=7)
    pages = list(lab.ec2.get_paginator("describe_volumes").paginate(Filters=mine))
    assert [len(p["Volumes"]) for p in pages] == [7, 5]
    pages = list(lab.ec2.get_paginator("describe_tags").paginate(Filters=[{"Name": "key", "Values": ["paged"]}]))
    assert [len(p["Tags"]) for p in pages] == [7, 5]
    refused("InvalidParameterCombination", lab.ec2.describe_instances, InstanceIds=[lab.builder], MaxResults=5)
    for each in ids:
        lab.ec2.delete_volume(VolumeId=each)


def test_pages_of_instances(lab):
    """So many instances, whatever reservation they are of."""
    made = [i["InstanceId"] for count in (4, 3) for i in lab.ec2.run_instances(
        ImageId=lab.light_ami, InstanceType="m5.large", MinCount=count, MaxCount=count, SubnetId=lab.env["LAB_SUBNET"],
        TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "paged", "Value": ""}]}])["Instances"]]
    mine = [{"Name": "tag-key", "Values": ["paged"]}]
    try:
        pages = list(lab.ec2.get_paginator("describe_instances").paginate(Filters=mine, PaginationConfig={"PageSize": 5}))
        assert [[len(r["Instances"]) for r in p["Reservations"]] for p in pages] == [[4, 1], [2]]
        assert [i["InstanceId"] for p in pages for r in p["Reservations"] for i in r["Instances"]] == made
        assert pages[0]["Reservations"][1]["ReservationId"] == pages[1]["Reservations"][0]["ReservationId"]
        lab.options(page_size=3)
        pages = list(lab.ec2.get_paginator("describe_instances").paginate(Filters=mine))
        assert [sum(len(r["Instances"]) for r in p["Reservations"]) for p in pages] == [3, 3, 1]
        assert len(lab.ec2.describe_instances(InstanceIds=made)["Reservations"]) == 2
        refused("InvalidParameterValue", lab.ec2.describe_instances, Filters=mine, MaxResults=4)
        refused("InvalidParameterValue", lab.ec2.describe_instances, Filters=mine, NextToken="made up")
    finally:
        lab.ec2.terminate_instances(InstanceIds=made)


def test_regions(lab):
    """Those that are enabled, unless all are asked for; and of this partition alone."""
    shown = {r["RegionName"]: r["OptInStatus"] for r in lab.ec2.describe_regions()["Regions"]}
    assert len(shown) == 17 and set(shown.values()) == {"opt-in-not-required"}
    assert {"us-east-1", "eu-west-3"} <= set(shown) and "af-south-1" not in shown
    every = {r["RegionName"]: r["OptInStatus"] for r in lab.ec2.describe_regions(AllRegions=True)["Regions"]}
    assert every["af-south-1"] == "not-opted-in" and shown.items() < every.items()
    assert not [name for name in every if name.startswith(("cn-", "us-gov-"))]
    named = lab.ec2.describe_regions(RegionNames=["eu-west-3", "us-east-1"])["Regions"]
    assert sorted(r["RegionName"] for r in named) == ["eu-west-3", "us-east-1"]
    refused("InvalidParameterValue", lab.ec2.describe_regions, RegionNames=["eu-west-9"])


@pytest.mark.parametrize("code, call, arguments", [
    ("InvalidInstanceID.Malformed", "describe_instances", {"InstanceIds": ["i-0123456789abcdef0", "banana"]}),
    ("InvalidInstanceID.Malformed", "terminate_instances", {"InstanceIds": ["i-0123"]}),
    ("InvalidInstanceID.Malformed", "attach_volume", {"InstanceId": "vol-12345678", "VolumeId": "vol-12345678", "Device": "/dev/sdf"}),
    ("InvalidVolumeID.Malformed", "describe_volumes", {"VolumeIds": ["vol-0123456789ABCDEF0"]}),
    ("InvalidVolumeID.Malformed", "delete_volume", {"VolumeId": "vol-"}),
    ("InvalidVolumeID.Malformed", "create_snapshot", {"VolumeId": "banana"}),
    ("InvalidSnapshotID.Malformed", "describe_snapshots", {"SnapshotIds": ["snap-x"]}),
    ("InvalidSnapshotID.Malformed", "delete_snapshot", {"SnapshotId": "banana"}),
    ("InvalidInstanceID.NotFound", "describe_instances", {"InstanceIds": ["i-12345678"]}),
    ("InvalidVolume.NotFound", "delete_volume", {"VolumeId": "vol-12345678"})])
def test_ids_that_are_none(lab, code, call, arguments):
    refused(code, getattr(lab.ec2, call), **arguments)


def test_dry_runs_and_missing_things(lab):
    before = account(lab)
    for name, arguments in (("create_volume", {"Size": 1, "AvailabilityZone": "us-east-1a"}),
                            ("run_instances", {"ImageId": lab.light_ami, "MinCount": 1, "MaxCount": 1}),
                            ("describe_images", {}), ("describe_volumes", {}), ("describe_snapshots", {}),
                            ("create_snapshot", {"VolumeId": "vol-0123456789abcdef0"}),
                            ("deregister_image", {"ImageId": lab.light_ami})):
        error = refused("DryRunOperation", getattr(lab.ec2, name), DryRun=True, **arguments)
        assert error["ResponseMetadata"]["HTTPStatusCode"] == 412, name
    assert account(lab) == before
    refused("InvalidSnapshot.NotFound", lab.ec2.describe_snapshots, SnapshotIds=["snap-0123456789abcdef0"])
    refused("InvalidInstanceID.NotFound", lab.ec2.describe_instances, InstanceIds=["i-0123456789abcdef0"])
    refused("InvalidAMIID.NotFound", lab.ec2.run_instances, ImageId="ami-0123456789abcdef0", MinCount=1, MaxCount=1)


# Signatures

def test_a_wrong_secret_or_key_or_token_is_refused(lab):
    key = lab.env["AWS_ACCESS_KEY_ID"]
    error = refused("AuthFailure", lab.client("ec2", key, "wrong").describe_volumes)
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 401
    refused("AuthFailure", lab.client("ec2", "AKIA0000000000000000").describe_volumes)
    refused("SignatureDoesNotMatch", lab.client("sts", key, "wrong").assume_role,
            RoleArn="arn:aws:iam::123456789012:role/x", RoleSessionName="test")
    refused("AuthFailure", lab.client("ec2", token="stray").describe_volumes)
    body = b"Action=DescribeVolumes&Version=2016-11-15"
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(lab.endpoint, body)
    assert b"<Code>AuthFailure</Code>" in caught.value.read()


def signed(lab, body, sent=None, **headers_sent):
    """The status of a request that was signed over `body`, where something else is sent."""
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials
    request = AWSRequest("POST", lab.endpoint + "/", data=body, headers={
        "Content-Type": "application/x-www-form-urlencoded; charset=utf-8", "Host": lab.endpoint[7:]})
    SigV4Auth(Credentials(lab.env["AWS_ACCESS_KEY_ID"], lab.env["AWS_SECRET_ACCESS_KEY"]), "ec2",
              "us-east-1").add_auth(request)
    headers = {**dict(request.headers), **headers_sent}
    try:
        with urllib.request.urlopen(urllib.request.Request(lab.endpoint + "/", sent or body, headers)) as a:
            return a.status
    except urllib.error.HTTPError as error:
        return error.code


def test_the_signature_covers_the_bytes_that_came(lab):
    body = b"Action=DescribeTags&Filter.1.Name=key&Filter.1.Value.1=a%20b&Version=2016-11-15"
    assert signed(lab, body) == 200
    assert signed(lab, body, body.replace(b"a%20b", b"a%20c")) == 401
    assert signed(lab, body, body.replace(b"a%20b", b"a+b")) == 401
    assert signed(lab, body, Host="elsewhere") == 401
    lab.options(clock_offset=3600)
    assert signed(lab, body) == 400
    refused("RequestExpired", lab.ec2.describe_volumes)


def test_roles_and_their_permissions(lab):
    iam = lab.client("iam")
    iam.create_user(UserName="reader")
    key = iam.create_access_key(UserName="reader")["AccessKey"]
    iam.put_user_policy(UserName="reader", PolicyName="p", PolicyDocument=json.dumps({
        "Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ec2:Describe*", "Resource": "*"}]}))
    reader = lab.client("ec2", key["AccessKeyId"], key["SecretAccessKey"])
    reader.describe_volumes()
    refused("UnauthorizedOperation", reader.create_volume, Size=1, AvailabilityZone="us-east-1a")
    token = imds_token(lab)
    made = json.loads(imds(lab, "meta-data/iam/security-credentials/lab-builder", token)[1])
    role = lab.client("ec2", made["AccessKeyId"], made["SecretAccessKey"], made["Token"])
    role.describe_volumes()
    refused("AuthFailure", lab.client("ec2", made["AccessKeyId"], made["SecretAccessKey"], "other").describe_volumes)
    refused("AuthFailure", lab.client("ec2", made["AccessKeyId"], made["SecretAccessKey"]).describe_volumes)


# Instance metadata

def imds(lab, path, token=None, method="GET", headers=None):
    request = urllib.request.Request(f"{lab.env['AWS_EC2_METADATA_SERVICE_ENDPOINT']}/latest/{path}", method=method,
                                     headers={**(headers or {}), **({"X-aws-ec2-metadata-token": token} if token else {})})
    try:
        with urllib.request.urlopen(request, timeout=1) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, ""


def imds_token(lab, ttl="60"):
    return imds(lab, "api/token", method="PUT", headers={"X-aws-ec2-metadata-token-ttl-seconds": ttl})[1]


def test_metadata_wants_tokens(lab):
    ttl = "X-aws-ec2-metadata-token-ttl-seconds"
    assert imds(lab, "meta-data/instance-id")[0] == 401
    assert imds(lab, "meta-data/instance-id", "wrong")[0] == 401
    for wrong in ("0", "21601", "x", ""):
        assert imds(lab, "api/token", method="PUT", headers={ttl: wrong})[0] == 400
    assert imds(lab, "api/token", method="PUT", headers={ttl: "60", "X-Forwarded-For": "1.2.3.4"})[0] == 403
    token = imds_token(lab)
    assert imds(lab, "meta-data/instance-id", token) == (200, lab.builder)
    assert imds(lab, "meta-data/placement/availability-zone", token) == (200, "us-east-1a")
    assert imds(lab, "meta-data/nothing", token)[0] == 404
    document = json.loads(imds(lab, "dynamic/instance-identity/document", token)[1])
    assert (document["region"], document["instanceId"]) == ("us-east-1", lab.builder)
    short = imds_token(lab, "1")
    time.sleep(1.1)
    assert imds(lab, "meta-data/instance-id", short)[0] == 401


def test_metadata_in_other_moods(lab):
    lab.imds(mode="v1")
    assert imds(lab, "api/token", method="PUT", headers={"X-aws-ec2-metadata-token-ttl-seconds": "60"})[0] == 403
    assert imds(lab, "meta-data/instance-id") == (200, lab.builder)
    lab.imds(mode="hop-limit")
    with pytest.raises(TimeoutError):
        imds_token(lab)
    assert imds(lab, "meta-data/instance-id") == (200, lab.builder)
    lab.imds(mode="off")
    with pytest.raises((ConnectionResetError, urllib.error.URLError)):
        imds(lab, "meta-data/instance-id")
    lab.imds(mode="v2", paths={"placement/region": "eu-west-1"}, credentials=False)
    token = imds_token(lab)
    assert imds(lab, "meta-data/placement/region", token) == (200, "eu-west-1")
    assert imds(lab, "meta-data/iam/security-credentials/", token)[0] == 404


# EBS direct

def test_snapshots_written_block_by_block(lab):
    import base64
    ebs = lab.client("ebs")
    block = (PATTERN * 2)[:524288]
    checksum = base64.b64encode(hashlib.sha256(block).digest()).decode()
    before = account(lab)
    snapshot_id = ebs.start_snapshot(VolumeSize=1, Description="direct")["SnapshotId"]
    ebs.put_snapshot_block(SnapshotId=snapshot_id, BlockIndex=3, BlockData=block, DataLength=524288, Checksum=checksum,
                           ChecksumAlgorithm="SHA256")
    refused("IncorrectState", register, lab=lab, name="too early", snapshot_id=snapshot_id)
    ebs.complete_snapshot(SnapshotId=snapshot_id, ChangedBlocksCount=1)
    assert lab.ec2.describe_snapshots(SnapshotIds=[snapshot_id])["Snapshots"][0]["State"] == "completed"
    with open(lab.snapshot_file(snapshot_id), "rb") as f:
        f.seek(3 * 524288)
        assert f.read(524288) == block
    lab.ec2.delete_snapshot(SnapshotId=snapshot_id)
    assert account(lab) == before
    assert [c["action"] for c in lab.calls() if c["service"] == "ebs"] == [
        "StartSnapshot", "PutSnapshotBlock", "CompleteSnapshot"]


# Up and down

def processes_of(folder):
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                if folder.encode() in f.read() and int(pid) != os.getpid():
                    found.append(pid)
        except OSError:
            pass
    return found


def leftovers(one, links):
    from awslab import loop
    return {"processes": processes_of(one.dir), "loops": loop.over(one.dir), "folder": os.path.exists(one.dir),
            "links": [l for l in links if os.path.lexists(l)]}


@pytest.mark.parametrize("how", ["down", "killed", "terminated"])
@pytest.mark.parametrize("devices", ["auto", "plain"])
def test_down_leaves_nothing(fresh_lab, how, devices):
    one = fresh_lab(devices)
    volume_id = new_volume(one)
    attach(one, volume_id)
    one.wait_for_device(volume_id)
    links = [one.link(volume_id)]
    pid = one.control("status")["pid"]
    if how != "down":
        os.kill(pid, signal.SIGKILL if how == "killed" else signal.SIGTERM)
    one.down()
    one.down()
    wait_until(lambda: not os.path.lexists(links[0]))
    assert leftovers(one, links) == {"processes": [], "loops": [], "folder": False, "links": []}


def test_labs_beside_each_other(fresh_lab):
    first, second = fresh_lab(), fresh_lab()
    ids = []
    for each in (first, second):
        ids.append(new_volume(each))
        attach(each, ids[-1])
        each.wait_for_device(ids[-1])
    again = subprocess.run([LAB, "up", "--dir", first.dir], capture_output=True, text=True, check=False,
                           env=os.environ | {"LAB_PYTHON": sys.executable})
    assert again.returncode == 1 and "runs in" in again.stderr
    first.down()
    assert os.path.exists(second.link(ids[1]))
    third = new_volume(second)
    attach(second, third, "/dev/sdg")
    second.wait_for_device(third)


def test_stemcells_are_reproducible(tmp_path, stemcell):
    # both made now: the cached one may be older than this machine's newest package
    sums = []
    for name in ("first", "second"):
        subprocess.run([sys.executable, os.path.join(ROOT, "tests", "lab", "make-stemcell"), "--out",
                        str(tmp_path / name)], check=True, stdout=subprocess.DEVNULL)
        with open(tmp_path / name / "image", "rb") as image:
            sums.append(hashlib.sha256(image.read()).hexdigest())
    assert sums[0] == sums[1]
    with open(stemcell.root, "rb") as f:
        assert hashlib.sha256(f.read()).hexdigest() == stemcell.sha256
        f.seek(510)
        assert f.read(2) == b"\x55\xaa"
        f.seek(63 * 512 + 1024 + 56)
        assert f.read(2) == b"\x53\xef"  # ext4's magic
