# SPDX-License-Identifier: Apache-2.0
"""docs/moving.md: what the Ruby CPI has left in the account is handled by this one (made here by boto3 as that makes it: tags, names,
device names), and what this one makes is handled by the calls that the Ruby CPI makes. And the operations files."""
import re

import pytest
from conftest import account, run_cpi, wait_until
from ops_kit import applied, bosh_deployment, ops
from scenarios import STEMCELL, ZONE, create_vm, dynamic, holdings, more_than, wipe

pytestmark = pytest.mark.once

METADATA = {"director": "bosh", "deployment": "redis", "id": "2e52d8ad", "job": "redis", "index": "0", "name": "redis/2e52d8ad",
            "created_at": "2026-08-10T12:03:32Z"}
SNAPSHOT = {"deployment": "redis", "job": "redis", "index": 0, "instance_id": "2e52d8ad", "director_name": "bosh",
            "director_uuid": "2f3c4d5e", "agent_id": "4149ba0f"}
ITS_NAME = re.compile(r"BOSH-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
HINT = "/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_"
OUR_TAG = "aws-cpi-request"


def tags(**pairs):
    return [{"Key": key, "Value": value} for key, value in pairs.items()]


def tags_of(thing):
    return {t["Key"]: t["Value"] for t in thing.get("Tags", [])}


def call(lab, method, *arguments):
    """A result of ours; version 2 of the API."""
    answer = run_cpi(lab, {"method": method, "arguments": list(arguments)})
    assert answer.json["error"] is None, (method, answer.json)
    return answer.json["result"]


def volume_of(lab, disk):
    return lab.ec2.describe_volumes(VolumeIds=[disk])["Volumes"][0]


def instance_of(lab, vm):
    return lab.ec2.describe_instances(InstanceIds=[vm])["Reservations"][0]["Instances"][0]


def image_of(lab, ami):
    return lab.ec2.describe_images(ImageIds=[ami])["Images"][0]


def snapshot_of(lab, snapshot):
    return lab.ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"][0]


class Theirs:
    """What the Ruby CPI makes, and the calls by which it handles what there is: in the order and with the parameters of its source."""

    def __init__(self, lab):
        self.lab, self.ec2 = lab, lab.ec2

    def create_disk(self, size=2):
        """create_disk and the Director's set_disk_metadata."""
        disk = self.ec2.create_volume(Size=size, AvailabilityZone=ZONE, VolumeType="gp3", Encrypted=False, TagSpecifications=[
            {"ResourceType": "volume", "Tags": tags(cost="42")}])["VolumeId"]
        wait_until(lambda: volume_of(self.lab, disk)["State"] == "available")
        self.ec2.create_tags(Resources=[disk], Tags=tags(director="bosh", deployment="redis", instance_name="redis/2e52d8ad"))
        return disk

    def create_vm(self, ami=None):
        """create_vm and the Director's set_vm_metadata."""
        answer = self.ec2.run_instances(
            ImageId=ami or self.lab.light_ami, MinCount=1, MaxCount=1, InstanceType="m5.large",
            NetworkInterfaces=[{"DeviceIndex": 0, "SubnetId": self.lab.env["LAB_SUBNET"], "Groups": [self.lab.env["LAB_SECURITY_GROUP"]]}],
            BlockDeviceMappings=[{"DeviceName": "/dev/sdb", "Ebs": {"VolumeSize": 10, "VolumeType": "gp3", "DeleteOnTermination": True}}])
        vm = answer["Instances"][0]["InstanceId"]
        wait_until(lambda: instance_of(self.lab, vm)["State"]["Name"] == "running")
        told = {key: value for key, value in METADATA.items() if key != "name"} | {"Name": METADATA["name"]}
        self.ec2.create_tags(Resources=[vm], Tags=tags(**told))
        return vm

    def attach(self, vm, disk):
        """The first free name of its list."""
        taken = [m["DeviceName"] for m in instance_of(self.lab, vm)["BlockDeviceMappings"]]
        name = next(n for n in ("/dev/sd" + letter for letter in "fghijklmnop") if n not in taken)
        self.ec2.attach_volume(InstanceId=vm, VolumeId=disk, Device=name)
        wait_until(lambda: [a["State"] for a in volume_of(self.lab, disk)["Attachments"]] == ["attached"])
        return name

    def detach(self, vm, disk):
        """By the name that the instance shows for the volume."""
        name, = [m["DeviceName"] for m in instance_of(self.lab, vm)["BlockDeviceMappings"] if m["Ebs"]["VolumeId"] == disk]
        self.ec2.detach_volume(InstanceId=vm, VolumeId=disk, Device=name, Force=False)
        wait_until(lambda: not volume_of(self.lab, disk)["Attachments"])

    def snapshot(self, disk):
        """Its description and tags, made of the disk's first attachment."""
        device = volume_of(self.lab, disk)["Attachments"][0]["Device"]
        name = "redis/redis/0/" + device.rsplit("/", 1)[1]
        snapshot = self.ec2.create_snapshot(VolumeId=disk, Description=name, TagSpecifications=[
            {"ResourceType": "snapshot", "Tags": tags(deployment="redis", instance_id="2e52d8ad", director_uuid="2f3c4d5e",
                                                      agent_id="4149ba0f", device=device, director="bosh", instance_index="0",
                                                      instance_name="redis/2e52d8ad", Name=name)}])["SnapshotId"]
        wait_until(lambda: snapshot_of(self.lab, snapshot)["State"] == "completed")
        return snapshot

    def create_stemcell(self):
        """An AMI on the snapshot of a volume; light stemcells have nothing of their own."""
        disk = self.ec2.create_volume(Size=2, AvailabilityZone=ZONE, VolumeType="gp3")["VolumeId"]
        wait_until(lambda: volume_of(self.lab, disk)["State"] == "available")
        snapshot = self.ec2.create_snapshot(VolumeId=disk)["SnapshotId"]
        wait_until(lambda: snapshot_of(self.lab, snapshot)["State"] == "completed")
        self.ec2.delete_volume(VolumeId=disk)
        name = f"{STEMCELL['name']} {STEMCELL['version']}"
        ami = self.ec2.register_image(
            Name="BOSH-0c7e60e5-0000-4000-8000-0123456789ab", Description=name, Architecture="x86_64", VirtualizationType="hvm",
            RootDeviceName="/dev/xvda", SriovNetSupport="simple", EnaSupport=True, BootMode="legacy-bios", BlockDeviceMappings=[
                {"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": snapshot}}, {"DeviceName": "/dev/sdb", "VirtualName": "ephemeral0"}],
            TagSpecifications=[{"ResourceType": "image", "Tags": tags(Name=name)}])["ImageId"]
        wait_until(lambda: image_of(self.lab, ami)["State"] == "available")
        return ami, snapshot

    def delete_stemcell(self, ami):
        """The snapshots that the mappings name."""
        snapshots = [m["Ebs"]["SnapshotId"] for m in image_of(self.lab, ami)["BlockDeviceMappings"] if "Ebs" in m]
        self.ec2.deregister_image(ImageId=ami)
        for snapshot in snapshots:
            self.ec2.delete_snapshot(SnapshotId=snapshot)

    def delete_vm(self, vm):
        self.ec2.terminate_instances(InstanceIds=[vm])
        wait_until(lambda: instance_of(self.lab, vm)["State"]["Name"] == "terminated")


@pytest.fixture(name="theirs")
def _theirs(lab):
    before = holdings(lab)
    yield Theirs(lab)
    lab.reset()
    wipe(lab, before)


# --- over: theirs, handled by ours ---

def test_their_vm_and_disks(lab, theirs):
    before = holdings(lab)
    vm, first, second = theirs.create_vm(), theirs.create_disk(), theirs.create_disk()
    theirs.attach(vm, first)
    assert call(lab, "has_vm", vm) is True and call(lab, "has_disk", first) is True
    # the ephemeral and the root disk count, as there
    assert first in call(lab, "get_disks", vm) and second not in call(lab, "get_disks", vm)
    assert call(lab, "attach_disk", vm, second) == HINT + second.replace("-", "")
    assert volume_of(lab, second)["Attachments"][0]["Device"] == "/dev/sdg"
    # it is there already: the same hint, and no second attachment
    assert call(lab, "attach_disk", vm, first) == HINT + first.replace("-", "")
    call(lab, "set_vm_metadata", vm, METADATA)
    told = {key: value for key, value in METADATA.items() if key != "name"} | {"Name": METADATA["name"]}
    assert tags_of(instance_of(lab, vm)) == told
    call(lab, "reboot_vm", vm)
    call(lab, "detach_disk", vm, first)
    call(lab, "detach_disk", vm, second)
    call(lab, "resize_disk", first, 4096)
    assert volume_of(lab, first)["Size"] == 4
    for disk in (first, second):
        call(lab, "delete_disk", disk)
        assert call(lab, "has_disk", disk) is False
    call(lab, "delete_vm", vm)
    assert call(lab, "has_vm", vm) is False
    wait_until(lambda: not more_than(before, holdings(lab)))


def test_their_snapshot(lab, theirs):
    vm, disk = theirs.create_vm(), theirs.create_disk()
    theirs.attach(vm, disk)
    their, our = theirs.snapshot(disk), call(lab, "snapshot_disk", disk, SNAPSHOT)
    a, b = snapshot_of(lab, their), snapshot_of(lab, our)
    assert a["Description"] == b["Description"] == "redis/redis/0/sdf"
    assert {key: value for key, value in tags_of(b).items() if key != OUR_TAG} == tags_of(a)
    call(lab, "delete_snapshot", their)
    assert their not in account(lab)["snapshots"]


def test_their_stemcell(lab, theirs):
    ami, snapshot = theirs.create_stemcell()
    vm, _ = call(lab, "create_vm", *create_vm(lab, {"default": dynamic(lab, cloud_properties={"security_groups": ["bosh"]})},
                                              stemcell=ami)["arguments"])
    assert instance_of(lab, vm)["ImageId"] == ami
    call(lab, "delete_vm", vm)
    call(lab, "delete_stemcell", ami)
    left = account(lab)
    assert ami not in left["images"] and snapshot not in left["snapshots"]


# --- back: ours, handled by theirs ---

def test_our_stemcell(lab, theirs, stemcell):
    before = holdings(lab)
    ami = call(lab, "create_stemcell", stemcell.image, STEMCELL)
    their, _ = theirs.create_stemcell()
    a, b = image_of(lab, their), image_of(lab, ami)
    assert ITS_NAME.fullmatch(a["Name"]) and ITS_NAME.fullmatch(b["Name"])
    for key in ("Description", "RootDeviceName", "VirtualizationType", "Architecture", "SriovNetSupport", "EnaSupport"):
        assert a.get(key) == b.get(key), key
    assert [(m["DeviceName"], m.get("VirtualName")) for m in a["BlockDeviceMappings"]] == \
        [(m["DeviceName"], m.get("VirtualName")) for m in b["BlockDeviceMappings"]]
    assert {key: value for key, value in tags_of(b).items() if key != OUR_TAG} == tags_of(a)
    theirs.delete_stemcell(ami)
    theirs.delete_stemcell(their)
    assert not more_than(before, holdings(lab))


def test_our_vm_and_disks(lab, theirs):
    before = holdings(lab)
    vm, _ = call(lab, "create_vm", *create_vm(lab, {"default": dynamic(lab, cloud_properties={"security_groups": ["bosh"]})})["arguments"])
    disk, other = call(lab, "create_disk", 2048, {}, vm), theirs.create_disk()
    call(lab, "attach_disk", vm, disk)
    assert theirs.attach(vm, other) == "/dev/sdg"
    shown = {m["DeviceName"]: m["Ebs"] for m in instance_of(lab, vm)["BlockDeviceMappings"]}
    assert shown["/dev/sdf"]["VolumeId"] == disk and shown["/dev/sdb"]["DeleteOnTermination"]
    theirs.snapshot(disk)
    for each in (disk, other):
        theirs.detach(vm, each)
        lab.ec2.delete_volume(VolumeId=each)
    theirs.delete_vm(vm)
    wait_until(lambda: set(more_than(before, holdings(lab))) <= {"snapshots"})


# --- manifests ---

def test_the_file_changes_the_releases_entry_alone():
    there = {"aws_cpi_release": "file:///cpi.tgz", "aws_cpi_sha1": "0" * 40, "aws_cpi_version": "0.1.0"}
    before = bosh_deployment()
    after = applied(before, ops("use-this-cpi.yml"), there)
    assert [r["name"] for r in after["releases"]] == [r["name"] for r in before["releases"]]
    entry, = [r for r in after["releases"] if r["name"] == "bosh-aws-cpi"]
    assert entry == {"name": "bosh-aws-cpi", "url": "file:///cpi.tgz", "sha1": "0" * 40, "version": "0.1.0"}
    # and back, by the same file
    old, = [r for r in before["releases"] if r["name"] == "bosh-aws-cpi"]
    assert after != before
    assert applied(after, ops("use-this-cpi.yml"), {f"aws_cpi_{name}": old[key] for name, key in (
        ("release", "url"), ("sha1", "sha1"), ("version", "version"))}) == before


def test_the_file_for_laptops():
    before = bosh_deployment()
    after = applied(before, ops("build-stemcells-direct.yml"), {})
    assert after["cloud_provider"]["properties"]["aws"].pop("stemcell") == {"builder": "direct"}
    assert after == before


def test_a_manifest_without_the_release_is_refused():
    """It is meant to stand behind aws/cpi.yml."""
    manifest = bosh_deployment()
    manifest["releases"] = [r for r in manifest["releases"] if r["name"] != "bosh-aws-cpi"]
    with pytest.raises(KeyError):
        applied(manifest, ops("use-this-cpi.yml"), {})
