# SPDX-License-Identifier: Apache-2.0
"""What volumes can be, and how they change, in the lab: as EC2 has it."""
import os

import pytest
from conftest import wait_until
from test_lab import GIB, new_volume, refused, volume

pytestmark = pytest.mark.once


def modification(lab, volume_id):
    return lab.ec2.describe_volumes_modifications(VolumeIds=[volume_id])["VolumesModifications"][0]


@pytest.mark.parametrize("code, arguments", [
    ("InvalidParameterValue", {"Size": 65537, "VolumeType": "gp3"}),
    ("InvalidParameterValue", {"Size": 16385, "VolumeType": "gp2"}),
    ("InvalidParameterValue", {"Size": 124, "VolumeType": "st1"}),
    ("InvalidParameterValue", {"Size": 1025, "VolumeType": "standard"}),
    ("InvalidParameterValue", {"Size": 3, "VolumeType": "io1", "Iops": 100}),
    ("MissingParameter", {"Size": 10, "VolumeType": "io2"}),
    ("InvalidParameterValue", {"Size": 10, "VolumeType": "io1", "Iops": 501}),
    ("InvalidParameterValue", {"Size": 2000, "VolumeType": "io1", "Iops": 64001}),
    ("InvalidParameterValue", {"Size": 10, "VolumeType": "gp3", "Iops": 2999}),
    ("InvalidParameterValue", {"Size": 10, "VolumeType": "gp3", "Iops": 5001}),
    ("InvalidParameterValue", {"Size": 10, "VolumeType": "gp3", "Throughput": 124}),
    ("InvalidParameterValue", {"Size": 10, "VolumeType": "gp3", "Throughput": 751}),
    ("InvalidParameterCombination", {"Size": 500, "VolumeType": "sc1", "Iops": 100}),
    ("InvalidParameterCombination", {"Size": 10, "VolumeType": "io1", "Iops": 100, "Throughput": 200}),
    ("UnknownVolumeType", {"Size": 10, "VolumeType": "gp9"}),
    ("InvalidParameterDependency", {"Size": 10, "KmsKeyId": "alias/a"}),
    ("MissingParameter", {}),
    ("InvalidSnapshot.NotFound", {"SnapshotId": "snap-0123456789abcdef0"}),
    ("InvalidZone.NotFound", {"Size": 1, "AvailabilityZone": "us-east-1q"})])
def test_volumes_that_cannot_be(lab, code, arguments):
    refused(code, lab.ec2.create_volume, **{"AvailabilityZone": "us-east-1a", **arguments})


@pytest.mark.parametrize("arguments, iops, throughput", [
    ({"Size": 10}, 100, None), ({"Size": 100, "VolumeType": "gp2"}, 300, None),
    ({"Size": 16384, "VolumeType": "gp2"}, 16000, None), ({"Size": 65536, "VolumeType": "gp3"}, 3000, 125),
    ({"Size": 10, "VolumeType": "gp3", "Iops": 5000, "Throughput": 500}, 5000, 500),
    ({"Size": 10, "VolumeType": "io2", "Iops": 10000}, 10000, None),
    ({"Size": 125, "VolumeType": "st1"}, None, None), ({"Size": 1, "VolumeType": "standard"}, None, None)])
def test_volumes_that_can_be(lab, arguments, iops, throughput):
    made = lab.ec2.create_volume(AvailabilityZone="us-east-1a", **arguments)
    now = volume(lab, made["VolumeId"])
    assert (now["Size"], now["VolumeType"]) == (arguments["Size"], arguments.get("VolumeType", "gp2"))
    assert (now.get("Iops"), now.get("Throughput")) == (iops, throughput)
    lab.ec2.delete_volume(VolumeId=now["VolumeId"])


def test_keys_are_shown_by_arn(lab):
    key = lab.env["LAB_KMS_KEY"]
    for given in (key, key.rpartition("/")[2]):
        made = new_volume(lab, Encrypted=True, KmsKeyId=given)
        assert (volume(lab, made)["Encrypted"], volume(lab, made)["KmsKeyId"]) == (True, key)
        snapshot = lab.ec2.create_snapshot(VolumeId=made)["SnapshotId"]
        copy = lab.ec2.create_volume(SnapshotId=snapshot, AvailabilityZone="us-east-1a")["VolumeId"]
        assert volume(lab, copy)["KmsKeyId"] == key
        for each in (made, copy):
            lab.ec2.delete_volume(VolumeId=each)
        lab.ec2.delete_snapshot(SnapshotId=snapshot)
    assert volume(lab, plain := new_volume(lab, Encrypted=True))["KmsKeyId"].startswith("arn:")
    lab.ec2.delete_volume(VolumeId=plain)


def test_deleting_takes_time(lab):
    lab.states(volume={"deleted": {"looks": 1}})
    made = new_volume(lab)
    lab.ec2.delete_volume(VolumeId=made)
    assert volume(lab, made)["State"] == "deleting"
    refused("InvalidVolume.NotFound", volume, lab=lab, volume_id=made)


def test_a_modification_goes_through_its_states(lab):
    lab.states(modification={"optimizing": {"looks": 2}, "completed": {"looks": 1}})
    made = new_volume(lab, VolumeType="gp2")
    refused("InvalidVolumeModification.NotFound", modification, lab=lab, volume_id=made)
    answer = lab.ec2.modify_volume(VolumeId=made, Size=8, VolumeType="gp3", Iops=4000)["VolumeModification"]
    assert (answer["ModificationState"], answer["TargetSize"], answer["OriginalSize"]) == ("modifying", 8, 1)
    assert volume(lab, made)["Size"] == 1
    assert [modification(lab, made)["ModificationState"] for _ in range(2)] == ["modifying", "modifying"]
    assert modification(lab, made)["ModificationState"] == "optimizing"
    now = volume(lab, made)
    assert (now["Size"], now["VolumeType"], now["Iops"], now["Throughput"]) == (8, "gp3", 4000, 125)
    assert os.path.getsize(lab.volume_file(made)) == 8 * GIB
    last = modification(lab, made)
    assert (last["ModificationState"], last["Progress"], last["TargetIops"], last["OriginalVolumeType"]) == (
        "completed", 100, 4000, "gp2")
    lab.ec2.delete_volume(VolumeId=made)


def test_modifications_that_cannot_be(lab):
    lab.states(modification={"completed": {"looks": 1}})
    made, magnetic = new_volume(lab, size=10, VolumeType="gp3"), new_volume(lab, VolumeType="standard")
    change = lab.ec2.modify_volume
    for code, arguments in (("InvalidParameterValue", {"Size": 9}), ("InvalidParameterValue", {"Iops": 5001}),
                            ("InvalidParameterValue", {"VolumeType": "st1"}), ("InvalidParameterValue", {}),
                            ("InvalidParameterValue", {"VolumeType": "standard"}),
                            ("InvalidParameterCombination", {"VolumeType": "gp2", "Iops": 300})):
        refused(code, change, VolumeId=made, **arguments)
    refused("InvalidParameterValue", change, VolumeId=magnetic, Size=2)
    refused("InvalidVolume.NotFound", change, VolumeId="vol-0123456789abcdef0", Size=2)
    change(VolumeId=made, Size=11)
    refused("IncorrectModificationState", change, VolumeId=made, Size=12)
    assert [modification(lab, made)["ModificationState"] for _ in range(2)] == ["optimizing", "completed"]
    lab.options(modification_cooldown=3600)
    refused("VolumeModificationRateExceeded", change, VolumeId=made, Size=12)
    assert volume(lab, made)["Size"] == 11
    lab.options(modification_cooldown=0)
    lab.states(modification={"optimizing": {"error": "no room"}})
    change(VolumeId=made, Size=12)
    assert (modification(lab, made)["ModificationState"], modification(lab, made)["StatusMessage"]) == ("failed", "no room")
    lab.states(volume={"available": {"looks": 1}})
    early = new_volume(lab)
    refused("IncorrectState", change, VolumeId=early, Size=2)
    wait_until(lambda: volume(lab, early)["State"] == "available")
    for each in (made, magnetic, early):
        lab.ec2.delete_volume(VolumeId=each)
