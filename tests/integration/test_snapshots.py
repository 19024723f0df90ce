# SPDX-License-Identifier: Apache-2.0
"""snapshot_disk and delete_snapshot, and what is in the account afterwards, by another client's eyes."""
import re

import pytest
from conftest import director_context
from disk_kit import DISK_NOT_FOUND, MISSING_DISK, caller, cleaned
from scenarios import attach, holdings, make_disk, make_vm, more_than
from test_create_stemcell import REQUEST_TAG, actions, created, refused, tags

MISSING_SNAPSHOT = "snap-0123456789abcdef0"
METADATA = {"agent_id": "agent", "instance_id": "2e52d8ad", "director_name": "Test Director", "director_uuid": "6d06b0cc",
            "deployment": "cf", "job": "db", "index": 0}
LABELS = {"agent_id": "agent", "instance_id": "2e52d8ad", "director": "Test Director", "director_uuid": "6d06b0cc",
          "deployment": "cf", "instance_index": "0", "instance_name": "db/2e52d8ad"}


@pytest.fixture(scope="module", autouse=True)
def account_as_it_was(session_lab):
    with cleaned(session_lab):
        yield


@pytest.fixture
def call(lab, tmp_path):
    return caller(lab, tmp_path)


def snapshot(lab, cid):
    return lab.ec2.describe_snapshots(SnapshotIds=[cid])["Snapshots"][0]


def test_of_a_disk(lab, call):
    disk = make_disk(lab)
    cid = created(call("snapshot_disk", disk, METADATA))
    assert actions(lab) == ["DescribeVolumes", "CreateSnapshot", "DescribeSnapshots"]
    made = snapshot(lab, cid)
    assert (made["State"], made["VolumeId"], made["Description"]) == ("completed", disk, "cf/db/0")
    labels = tags(made)
    assert re.fullmatch(director_context()["director_uuid"] + r"/cpi-123456/1-[0-9a-f]{8}", labels.pop(REQUEST_TAG))
    assert labels == LABELS | {"Name": "cf/db/0"}


def test_of_an_attached_disk(lab, call):
    vm, disk = make_vm(lab), make_disk(lab)
    attach(lab, vm, disk, "/dev/sdg")
    made = snapshot(lab, created(call("snapshot_disk", disk, METADATA)))
    assert made["Description"] == "cf/db/0/sdg"
    labels = tags(made)
    del labels[REQUEST_TAG]
    assert labels == LABELS | {"Name": "cf/db/0/sdg", "device": "/dev/sdg"}


@pytest.mark.parametrize("metadata, description, labels", [
    ([], "", {}),
    ([None], "", {}),
    ([{}], "", {}),
    ([{"job": None, "deployment": "cf"}], "cf", {"deployment": "cf", "Name": "cf"}),
    ([{"job": "db", "instance_id": "1"}], "db", {"instance_id": "1", "instance_name": "db/1", "Name": "db"}),
    ([{"anything": 1.5}], "", {"anything": "1.5"}),
])
def test_with_little_metadata(lab, call, metadata, description, labels):
    made = snapshot(lab, created(call("snapshot_disk", make_disk(lab), *metadata)))
    assert made.get("Description", "") == description
    assert {k: v for k, v in tags(made).items() if k != REQUEST_TAG} == labels


def test_waits(lab, call):
    lab.states(snapshot={"completed": {"looks": 2}})
    assert snapshot(lab, created(call("snapshot_disk", make_disk(lab), METADATA)))["State"] == "completed"


def test_of_a_missing_disk(lab, call):
    refused(call("snapshot_disk", MISSING_DISK, METADATA), MISSING_DISK, DISK_NOT_FOUND)
    assert actions(lab) == ["DescribeVolumes"]


def test_that_fails_is_undone(lab, call):
    disk = make_disk(lab)
    before = holdings(lab)
    lab.states(snapshot={"completed": {"error": "the key is disabled"}})
    refused(call("snapshot_disk", disk, METADATA), "the key is disabled")
    assert more_than(before, holdings(lab)) == {}


def test_whose_answer_is_lost(lab, call):
    disk = make_disk(lab)
    before = holdings(lab)
    lab.faults({"action": "CreateSnapshot", "kind": "drop"})
    cid = created(call("snapshot_disk", disk, METADATA))
    assert more_than(before, holdings(lab)) == {"snapshots": [cid]}


UNSEEN = ('<DescribeSnapshotsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>x</requestId><snapshotSet/>'
          "</DescribeSnapshotsResponse>")


@pytest.mark.parametrize("fails", [False, True])
def test_whose_answer_is_lost_and_that_is_not_seen_at_once(lab, call, fails):
    """It is made again, and in the end there is one, or none."""
    disk = make_disk(lab)
    before = holdings(lab)
    lab.faults({"action": "CreateSnapshot", "kind": "drop"}, {"action": "DescribeSnapshots", "kind": "garbage", "body": UNSEEN})
    if fails:
        lab.states(snapshot={"completed": {"error": "the key is disabled"}})
        refused(call("snapshot_disk", disk, METADATA), "the key is disabled")
    else:
        cid = created(call("snapshot_disk", disk, METADATA))
    assert actions(lab).count("CreateSnapshot") == 2
    assert more_than(before, holdings(lab)) == ({} if fails else {"snapshots": [cid]})


@pytest.mark.parametrize("arguments", [[5, {}], [MISSING_DISK, "x"], []])
def test_with_wrong_arguments(lab, call, arguments):
    refused(call("snapshot_disk", *arguments), "^Arguments are not correct", "InvalidCall")
    assert actions(lab) == []


def test_delete(lab, call):
    cid = created(call("snapshot_disk", make_disk(lab), METADATA))
    assert created(call("delete_snapshot", cid)) is None
    assert actions(lab) == ["DeleteSnapshot"]
    assert cid not in holdings(lab)["snapshots"]


def test_delete_of_a_missing_one(call):
    answer = call("delete_snapshot", MISSING_SNAPSHOT)
    assert created(answer) is None
    assert re.search(f"INFO.*{MISSING_SNAPSHOT}.*gone already", answer.stderr)


def test_delete_that_is_refused(lab, call):
    disk = make_disk(lab)
    cid = created(call("snapshot_disk", disk, METADATA))
    image = lab.ec2.register_image(Name="uses " + cid, RootDeviceName="/dev/xvda", BlockDeviceMappings=[
        {"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": cid}}])["ImageId"]
    refused(call("delete_snapshot", cid), "InvalidSnapshot.InUse")
    lab.ec2.deregister_image(ImageId=image)
