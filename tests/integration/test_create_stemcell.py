# SPDX-License-Identifier: Apache-2.0
"""create_stemcell and delete_stemcell: what is in the account afterwards, by another client's eyes, and what is not."""
import copy
import hashlib
import os
import re

import pytest
from conftest import account, director_context, director_env, run_cpi

REQUEST_TAG = "aws-cpi-request"
PROPERTIES = {"name": "bosh-aws-xen-hvm-ubuntu-jammy-go_agent", "version": "1.18", "architecture": "x86_64",
              "root_device_name": "/dev/sda1", "virtualization_type": "hvm", "disk": 2048}


def heavy(stemcell, env=None, **more):
    """The request for a heavy stemcell; a property that is None is left out."""
    properties = {k: v for k, v in {**PROPERTIES, **more}.items() if v is not None}
    arguments = [stemcell if isinstance(stemcell, str) else stemcell.image, properties]
    return {"method": "create_stemcell", "arguments": arguments + ([env] if env is not None else []), "api_version": 3}


def config_with(lab, **aws):
    """The lab's configuration with some of aws changed; None takes a property away, stemcell is merged."""
    config = copy.deepcopy(lab.config)
    properties = config["cloud"]["properties"]["aws"]
    properties["stemcell"].update(aws.pop("stemcell", {}))
    properties.update(aws)
    for name in [k for k, v in properties.items() if v is None]:
        del properties[name]
    return config


def state_env(folder):
    """The Director's environment, with a state directory of the test's own."""
    return director_env() | {"AWS_CPI_STATE_DIR": os.path.join(str(folder), "state")}


def journals(folder):
    """The journals that are left."""
    directory = os.path.join(str(folder), "state", "journal")
    return sorted(os.path.join(directory, name) for name in os.listdir(directory)) if os.path.isdir(directory) else []


def created(answer):
    """The result of an answer that is no error."""
    assert answer.json is not None, answer.stderr
    assert answer.json["error"] is None, answer.json["error"]["message"] + "\n" + answer.stderr
    assert answer.returncode == 0
    return answer.json["result"]


def refused(answer, text, kind="Bosh::Clouds::CloudError"):
    """The message of an answer that is an error of that type and says that."""
    assert answer.json is not None, answer.stderr
    error = answer.json["error"]
    assert error is not None and answer.json["result"] is None
    assert error["type"] == kind, error
    assert re.search(text, error["message"]), error["message"]
    assert answer.returncode == 0
    return error["message"]


def image(lab, ami):
    return lab.ec2.describe_images(ImageIds=[ami], IncludeDeprecated=True)["Images"][0]


def tags(thing):
    return {t["Key"]: t["Value"] for t in thing.get("Tags", [])}


def sha256_of(path, size):
    digest = hashlib.sha256()
    with open(path, "rb") as f:
        while size > 0:
            data = f.read(min(size, 1 << 20))
            assert data, "shorter than it should be"
            digest.update(data)
            size -= len(data)
    return digest.hexdigest()


def actions(lab):
    return [c["action"] for c in lab.calls()]


@pytest.fixture
def call(lab, tmp_path):
    """call(request): one call of cpi, after which no journal is left, whatever it answered."""
    def one(request, config=None, **more):
        answer = run_cpi(lab, request, config, env=state_env(tmp_path), **more)
        assert journals(tmp_path) == []
        return answer
    return one


# --- heavy ---

@pytest.mark.valgrind_run
def test_heavy(lab, call, stemcell):
    before = account(lab)
    lab.forget_calls()
    answer = call(heavy(stemcell, {"tags": {"deployment": "cf", "Name": "not this"}}, tags={"owner": "me", "deployment": "no"}))
    ami = created(answer)
    assert re.fullmatch(r"ami-[0-9a-f]{17}", ami)
    made = image(lab, ami)
    assert made["State"] == "available"
    assert made["Architecture"] == "x86_64"
    assert made["VirtualizationType"] == "hvm"
    assert made["RootDeviceName"] == "/dev/xvda"
    assert made["EnaSupport"] is True
    assert made["SriovNetSupport"] == "simple"
    assert made["BootMode"] == "legacy-bios"
    assert re.fullmatch(r"BOSH-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", made["Name"])
    label = PROPERTIES["name"] + " 1.18"
    assert made["Description"] == label
    root, ephemeral = made["BlockDeviceMappings"]
    assert root["DeviceName"] == "/dev/xvda" and root["Ebs"]["DeleteOnTermination"] is True
    assert (ephemeral["DeviceName"], ephemeral["VirtualName"]) == ("/dev/sdb", "ephemeral0")

    snapshot = lab.ec2.describe_snapshots(SnapshotIds=[root["Ebs"]["SnapshotId"]])["Snapshots"][0]
    assert snapshot["State"] == "completed" and snapshot["VolumeSize"] == 2 and snapshot["Encrypted"] is False
    assert sha256_of(lab.snapshot_file(snapshot["SnapshotId"]), stemcell.size) == stemcell.sha256
    for thing in (made, snapshot):
        assert re.fullmatch(director_context()["director_uuid"] + r"/cpi-123456/\d-[0-9a-f]{8}",
                            tags(thing).pop(REQUEST_TAG))
        assert {k: v for k, v in tags(thing).items() if k != REQUEST_TAG} == {
            "owner": "me", "deployment": "cf", "Name": label}
    # no look-up twice: what repeats are the waits
    assert len(lab.calls("DescribeInstances")) == 1
    # the volume had them from its creation on, and is gone
    creation = lab.calls("CreateVolume")[0]["params"]
    assert "owner" in creation.values() and REQUEST_TAG in creation.values()
    after = account(lab)
    assert after["volumes"] == before["volumes"]
    assert after["devices"] == before["devices"]
    assert set(after["images"]) - set(before["images"]) == {ami}
    assert set(after["snapshots"]) - set(before["snapshots"]) == {snapshot["SnapshotId"]}
    assert re.search(r"writing stemcell: \d+ of 64 MiB, \d+ MiB/s", answer.stderr)

    assert created(call({"method": "delete_stemcell", "arguments": [ami]})) is None
    after = account(lab)
    assert ami not in after["images"] and snapshot["SnapshotId"] not in after["snapshots"]


@pytest.mark.parametrize("arm, boot_mode, wanted", [(True, None, None), (False, "uefi", "uefi"), (True, "uefi", "uefi")])
def test_boot_mode(lab, call, stemcell, arm, boot_mode, wanted):
    ami = created(call(heavy(stemcell, architecture="arm64" if arm else "x86_64", boot_mode=boot_mode)))
    sent = lab.calls("RegisterImage")[0]["params"]
    assert sent.get("BootMode") == wanted
    assert sent["Architecture"] == ("arm64" if arm else "x86_64")
    created(call({"method": "delete_stemcell", "arguments": [ami]}))


def test_paravirtual(lab, call, stemcell):
    ami = created(call(heavy(stemcell, virtualization_type="paravirtual", kernel_id="aki-919dcaf8", name=None)))
    sent = lab.calls("RegisterImage")[0]["params"]
    assert sent["KernelId"] == "aki-919dcaf8"
    assert sent["RootDeviceName"] == "/dev/sda1"
    assert sent["BlockDeviceMapping.1.DeviceName"] == "/dev/sda"
    for absent in ("VirtualizationType", "BootMode", "SriovNetSupport", "EnaSupport", "Description"):
        assert absent not in sent
    assert "Name" not in tags(image(lab, ami))
    created(call({"method": "delete_stemcell", "arguments": [ami]}))


def test_paravirtual_without_a_kernel(lab, call, stemcell):
    before = account(lab)
    refused(call(heavy(stemcell, virtualization_type="paravirtual", architecture="i386")), "unable to find AKI")
    assert "CreateVolume" not in actions(lab)
    assert account(lab) == before


@pytest.mark.parametrize("where", ["stemcell", "configuration"])
def test_encrypted(lab, call, stemcell, where):
    key = "arn:aws:kms:us-east-1:123456789012:key/12345678-1234-1234-1234-123456789012"
    encryption = {"encrypted": True, "kms_key_arn": key}
    if where == "stemcell":
        answer = call(heavy(stemcell, **encryption))
    else:
        answer = call(heavy(stemcell), config_with(lab, **encryption))
    ami = created(answer)
    sent = lab.calls("CreateVolume")[0]["params"]
    assert sent["Encrypted"] == "true" and sent["KmsKeyId"] == key
    snapshot = lab.ec2.describe_snapshots(SnapshotIds=[image(lab, ami)["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]])
    assert snapshot["Snapshots"][0]["Encrypted"] is True
    assert sha256_of(lab.snapshot_file(snapshot["Snapshots"][0]["SnapshotId"]), stemcell.size) == stemcell.sha256
    created(call({"method": "delete_stemcell", "arguments": [ami]}))


def test_the_stemcell_wins_over_the_configuration(lab, call, stemcell):
    ami = created(call(heavy(stemcell, encrypted=False), config_with(lab, encrypted=True)))
    assert lab.calls("CreateVolume")[0]["params"].get("Encrypted", "false") == "false"
    created(call({"method": "delete_stemcell", "arguments": [ami]}))


def test_device_names_that_are_taken(lab, call, stemcell):
    volume = lab.ec2.create_volume(Size=1, AvailabilityZone="us-east-1a")["VolumeId"]
    lab.ec2.attach_volume(VolumeId=volume, InstanceId=lab.builder, Device="/dev/sdf")
    # another call takes the next name after we looked
    lab.faults({"action": "AttachVolume", "kind": "error", "status": 400, "code": "InvalidParameterValue",
                "message": "Invalid value '/dev/sdg' for unixDevice. Attachment point /dev/sdg is already in use"})
    ami = created(call(heavy(stemcell)))
    assert [c["params"]["Device"] for c in lab.calls("AttachVolume")][-2:] == ["/dev/sdg", "/dev/sdh"]
    lab.ec2.detach_volume(VolumeId=volume)
    lab.ec2.delete_volume(VolumeId=volume)
    created(call({"method": "delete_stemcell", "arguments": [ami]}))


def test_slow_states_and_no_sight_of_new_things(lab, call, stemcell):
    lab.states(volume={"available": {"looks": 2}, "attached": {"looks": 2}, "detached": {"looks": 2}},
               snapshot={"completed": {"looks": 3}}, image={"available": {"looks": 3}})
    lab.faults({"action": "DescribeVolumes", "kind": "not_found", "count": 2},
               {"action": "DescribeSnapshots", "kind": "not_found", "count": 2},
               {"action": "DescribeImages", "kind": "not_found", "count": 2})
    ami = created(call(heavy(stemcell)))
    lab.reset()
    created(call({"method": "delete_stemcell", "arguments": [ami]}))


# --- refused before anything is made ---

@pytest.mark.parametrize("properties, message", [
    ({"disk": 1023}, "1024"), ({"disk": 16 * 1024 * 1024 + 1}, "16777216"),
    ({"virtualization_type": "quantum"}, "virtualization_type"), ({"architecture": "vax"}, "architecture"),
    ({"boot_mode": "floppy"}, "boot_mode"),
    ({"virtualization_type": "paravirtual", "root_device_name": None}, "root_device_name"),
])
def test_bad_properties(lab, call, stemcell, properties, message):
    refused(call(heavy(stemcell, **properties)), message)
    assert actions(lab) == []


def test_bad_image_paths(lab, call, tmp_path):
    empty = tmp_path / "empty"
    empty.touch()
    for path, message in ((tmp_path / "none", "No such file"), (tmp_path, "is not a file"), (empty, "is empty")):
        assert str(path) in refused(call(heavy(str(path))), message)
    assert actions(lab) == []


def test_wrong_region(lab, call, stemcell):
    refused(call(heavy(stemcell), config_with(lab, region="eu-central-1")),
            r"is in region us-east-1, aws.region is eu-central-1")
    assert "CreateVolume" not in actions(lab)


def test_not_an_ec2_instance(lab, call, stemcell):
    lab.imds(mode="off")
    refused(call(heavy(stemcell)), "does not look like an EC2 instance")
    assert "CreateVolume" not in actions(lab)


def test_ssh_without_a_host(lab, call, stemcell):
    """Over sshd: test_ssh.py."""
    refused(call(heavy(stemcell), config_with(lab, stemcell={"builder": "ssh", "ssh": {"user": "u"}})), "aws.stemcell.ssh.host is missing")
    assert actions(lab) == []


def test_no_onhost(lab, call, stemcell):
    refused(call(heavy(stemcell), config_with(lab, stemcell={"onhost_path": "/nowhere/onhost"})), "/nowhere/onhost")
    assert actions(lab) == []


def test_skipping_zeros_does_not_go_with_encryption(lab, call, stemcell):
    config = config_with(lab, stemcell={"skip_zero_blocks": True})
    refused(call(heavy(stemcell, encrypted=True), config), "skip_zero_blocks")
    assert actions(lab) == []
    ami = created(call(heavy(stemcell), config))
    snapshot = image(lab, ami)["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    assert sha256_of(lab.snapshot_file(snapshot), stemcell.size) == stemcell.sha256
    created(call({"method": "delete_stemcell", "arguments": [ami]}))


def test_the_device_never_comes(lab, call, stemcell):
    before = account(lab)
    lab.devices(never=True)
    message = refused(call(heavy(stemcell)), "cannot write the stemcell .* to volume vol-")
    assert "onhost: " in message
    assert account(lab) == before


# --- light ---

def light(amis, **more):
    return {"method": "create_stemcell", "arguments": ["/no/image", {**PROPERTIES, "ami": amis, **more}]}


def test_light(lab, call):
    before = account(lab)
    lab.forget_calls()
    answer = call(light({"eu-west-1": "ami-00000000000000001", "us-east-1": lab.light_ami}))
    assert created(answer) == lab.light_ami + " light"
    assert actions(lab) == ["DescribeImages"]
    assert created(call({"method": "delete_stemcell", "arguments": [lab.light_ami + " light"]})) is None
    assert account(lab) == before


def test_a_light_ones_tags(lab, call):
    request = light({"us-east-1": lab.light_ami})
    request = {**request, "arguments": [*request["arguments"], {"tags": {"team": "bosh"}}], "api_version": 3}
    lab.faults({"action": "CreateTags", "kind": "error", "status": 403, "code": "UnauthorizedOperation"})
    answer = call(request)
    assert created(answer) == f"{lab.light_ami} light"
    assert re.search(r"WARN.*cannot tag AMI.*UnauthorizedOperation", answer.stderr)
    assert "team" not in tags(image(lab, lab.light_ami))
    created(call(request))
    assert tags(image(lab, lab.light_ami))["team"] == "bosh"
    lab.ec2.delete_tags(Resources=[lab.light_ami], Tags=[{"Key": "team"}])


def test_light_of_another_region_that_is_here(lab, call):
    """A private region's endpoint: the map has no entry for it, but one of its ids is there."""
    assert created(call(light({"elsewhere": lab.light_ami, "nowhere": "ami-00000000000000001"}))) == lab.light_ami + " light"


def test_light_that_is_not_there(lab, call):
    refused(call(light({"us-east-1": "ami-00000000000000001"})), "does not contain an AMI in region us-east-1")
    refused(call(light({"eu-west-1": "ami-00000000000000001"})), "does not contain an AMI in region us-east-1")
    refused(call(light({"elsewhere": lab.light_ami}, encrypted=True)), "does not contain an AMI in region us-east-1")
    assert set(actions(lab)) == {"DescribeImages"}


def test_light_encrypted(lab, call):
    before = account(lab)
    key = "arn:aws:kms:us-east-1:123456789012:key/12345678-1234-1234-1234-123456789012"
    ami = created(call(light({"us-east-1": lab.light_ami}, encrypted=True, kms_key_arn=key, tags={"owner": "me"})))
    assert re.fullmatch(r"ami-[0-9a-f]{17}", ami) and ami != lab.light_ami
    sent = lab.calls("CopyImage")[0]["params"]
    assert sent["SourceImageId"] == lab.light_ami and sent["SourceRegion"] == "us-east-1"
    assert sent["Encrypted"] == "true" and sent["KmsKeyId"] == key
    assert sent["Name"] == f"Copied from SourceAMI {lab.light_ami}"
    assert tags(image(lab, ami))["owner"] == "me"
    created(call({"method": "delete_stemcell", "arguments": [ami]}))
    assert account(lab) == before


def test_a_failed_copy_is_removed(lab, call):
    before = account(lab)
    lab.states(image={"available": {"error": "the key is disabled", "looks": 1}})
    refused(call(light({"us-east-1": lab.light_ami}, encrypted=True)), "the key is disabled")
    lab.reset()
    assert account(lab) == before


# --- delete_stemcell ---

def test_delete_what_is_not_there(lab, call):
    answer = call({"method": "delete_stemcell", "arguments": ["ami-00000000000000001"]})
    assert created(answer) is None
    assert "gone already" in answer.stderr
    assert "DeregisterImage" not in actions(lab)


def test_delete_goes_on_where_another_was_cut_short(lab, call, stemcell):
    before = account(lab)
    ami = created(call(heavy(stemcell)))
    lab.faults({"action": "DeleteSnapshot", "kind": "error", "status": 403, "code": "UnauthorizedOperation", "count": 1})
    refused(call({"method": "delete_stemcell", "arguments": [ami]}), "UnauthorizedOperation")
    assert ami not in account(lab)["images"]
    assert account(lab) != before
    created(call({"method": "delete_stemcell", "arguments": [ami]}))
    assert account(lab) == before


def test_delete_says_who_uses_it(lab, call, stemcell):
    ami = created(call(heavy(stemcell)))
    instance = lab.ec2.run_instances(ImageId=ami, MinCount=1, MaxCount=1, InstanceType="t3.small")["Instances"][0]["InstanceId"]
    answer = call({"method": "delete_stemcell", "arguments": [ami]})
    assert created(answer) is None
    assert re.search(rf"AMI {ami} is deleted while 1 instances were made from it, {instance}", answer.stderr)
    lab.ec2.terminate_instances(InstanceIds=[instance])


def test_delete_leaves_a_snapshot_that_another_ami_is_based_on(lab, call, stemcell):
    ami = created(call(heavy(stemcell)))
    snapshot = image(lab, ami)["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    other = lab.ec2.register_image(Name="another on it", RootDeviceName="/dev/xvda", Architecture="x86_64", BlockDeviceMappings=[
        {"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": snapshot}}])["ImageId"]
    answer = call({"method": "delete_stemcell", "arguments": [ami]})
    assert created(answer) is None
    assert f"snapshot {snapshot} stays: AMI {other} is based on it too" in answer.stderr
    after = account(lab)
    assert ami not in after["images"] and snapshot in after["snapshots"]
    lab.ec2.deregister_image(ImageId=other)
    lab.ec2.delete_snapshot(SnapshotId=snapshot)
