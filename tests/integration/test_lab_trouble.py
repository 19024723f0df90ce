# SPDX-License-Identifier: Apache-2.0
"""Trouble that the lab makes on demand: faults, slow and failing states, late devices; and its record of calls."""
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request

import pytest
from awslab import udev
from botocore.exceptions import ClientError, ConnectionClosedError, HTTPClientError
from botocore.parsers import ResponseParserError
from conftest import in_namespaces, wait_until
from test_lab import attach, new_volume, refused, register, volume

pytestmark = pytest.mark.once


def test_faults_before_and_after(lab):
    def names():
        return len(lab.ec2.describe_volumes()["Volumes"])
    count = names()
    lab.faults({"action": "CreateVolume", "kind": "throttle", "count": 2})
    for _ in range(2):
        error = refused("RequestLimitExceeded", new_volume, lab=lab)
        assert error["ResponseMetadata"]["HTTPStatusCode"] == 503
    assert names() == count
    made = [new_volume(lab)]
    lab.faults({"action": "Create*", "kind": "error_after", "status": 500, "code": "InternalError", "skip": 1})
    made.append(new_volume(lab))
    refused("InternalError", new_volume, lab=lab)
    assert names() == count + 3
    lab.faults({"action": "CreateVolume", "kind": "drop"})
    with pytest.raises(ConnectionClosedError):
        new_volume(lab)
    assert names() == count + 4
    lab.faults({"action": "CreateVolume", "kind": "reset"})
    with pytest.raises(ConnectionResetError):
        urllib.request.urlopen(lab.endpoint, b"Action=CreateVolume")
    assert names() == count + 4
    for kind in ("truncate", "garbage"):
        lab.faults({"action": "CreateVolume", "kind": kind})
        with pytest.raises((HTTPClientError, ResponseParserError)):
            new_volume(lab)
    assert names() == count + 6
    lab.faults({"action": "DescribeVolumes", "kind": "not_found", "match": {"VolumeId": made[0]}, "count": 2})
    volume(lab, made[1])
    for _ in range(2):
        refused("InvalidVolume.NotFound", volume, lab=lab, volume_id=made[0])
    volume(lab, made[0])
    with pytest.raises(ValueError, match="unknown kind"):
        lab.faults({"kind": "nonsense"})
    for each in lab.ec2.describe_volumes(Filters=[{"Name": "status", "Values": ["available"]}])["Volumes"]:
        lab.ec2.delete_volume(VolumeId=each["VolumeId"])


def test_delays_hangs_and_buckets(lab):
    lab.faults({"kind": "delay", "seconds": 0.3})
    began = time.monotonic()
    lab.ec2.describe_volumes()
    assert time.monotonic() - began >= 0.3
    lab.faults({"kind": "hang", "seconds": 0.2})
    with pytest.raises(ConnectionClosedError):
        lab.ec2.describe_volumes()
    lab.faults({"kind": "bucket", "action": "DescribeVolumes", "depth": 3, "refill": 5})
    for _ in range(3):
        lab.ec2.describe_volumes()
    refused("RequestLimitExceeded", lab.ec2.describe_volumes)
    lab.ec2.describe_images()
    time.sleep(0.25)
    lab.ec2.describe_volumes()


@pytest.mark.parametrize("after", [False, True])
def test_calls_that_are_held(lab, after):
    """They are on record and not done, or done and not answered, until the rules are taken away."""
    before = len(lab.ec2.describe_volumes()["Volumes"])
    lab.faults({"kind": "hold", "action": "CreateVolume", "after": after}, {"kind": "throttle", "action": "DeleteVolume"})
    made = []
    caller = threading.Thread(target=lambda: made.append(lab.ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)))
    caller.start()
    wait_until(lambda: lab.calls("CreateVolume"))
    if after:
        wait_until(lambda: len(lab.ec2.describe_volumes()["Volumes"]) == before + 1)
    else:
        assert len(lab.ec2.describe_volumes()["Volumes"]) == before
    assert made == [] and lab.calls("CreateVolume")[0]["status"] is None
    assert [rule["kind"] for rule in lab.faults()] == ["hold", "throttle"]
    lab.release()
    caller.join()
    assert [rule["kind"] for rule in lab.faults()] == ["throttle"]
    lab.clear()
    lab.ec2.delete_volume(VolumeId=made[0]["VolumeId"])


def test_published_buckets(lab):
    """One for each action and region, of the depth and the refill that AWS publishes; a refused call takes nothing."""
    lab.buckets(limits="published", refill=0, actions={"DescribeImages": [2, 1]})
    for _ in range(2):
        lab.ec2.describe_images(Owners=["self"])
    error = refused("RequestLimitExceeded", lab.ec2.describe_images)
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 503
    lab.ec2.describe_volumes()
    lab.ec2.describe_volumes(Filters=[{"Name": "status", "Values": ["error"]}])
    made = new_volume(lab)
    lab.ec2.create_tags(Resources=[made], Tags=[{"Key": "a", "Value": "b"}])
    lab.ec2.delete_volume(VolumeId=made)
    refused("InvalidAMIID.NotFound", lab.ec2.run_instances, ImageId="ami-0123456789abcdef0", MinCount=3, MaxCount=3)
    refused("RequestLimitExceeded", lab.ec2.run_instances, ImageId="ami-0123456789abcdef0", MinCount=1, MaxCount=998)
    held = lab.buckets()
    told = {k.removeprefix("us-east-1 "): (b["depth"], b["level"], b["given"], b["refused"]) for k, b in held.items()}
    assert told == {
        "DescribeImages": (2, 0, 2, 1), "DescribeVolumes": (50, 49, 1, 0), "DescribeVolumes filtered": (100, 99, 1, 0),
        "CreateVolume": (100, 99, 1, 0), "CreateTags": (100, 99, 1, 0), "DeleteVolume": (100, 99, 1, 0),
        "RunInstances": (5, 4, 1, 0), "RunInstances resources": (1000, 997, 3, 998)}
    assert [c["faults"] for c in lab.calls("DescribeImages")] == [[], [], ["throttle"]]
    with pytest.raises(ValueError, match="published"):
        lab.buckets(limits="none")


def test_buckets_refill_at_the_published_rate(lab):
    lab.buckets(limits="published", depth=0.02)
    rates = {"CreateVolume": 5, "CopyImage": 1, "AttachVolume": 5}
    asked = ((lab.ec2.create_volume, {"Size": 0, "AvailabilityZone": "us-east-1a"}),
             (lab.ec2.copy_image, {"Name": "copy", "SourceImageId": "ami-1", "SourceRegion": "us-east-1"}),
             (lab.ec2.attach_volume, {"Device": "/dev/sdf", "InstanceId": "i-1", "VolumeId": "vol-1"}))
    for call, arguments in asked:
        with pytest.raises(ClientError):
            call(**arguments)
    held = lab.buckets()
    assert {k.removeprefix("us-east-1 "): b["refill"] for k, b in held.items()} == rates
    assert held["us-east-1 CreateVolume"]["depth"] == 2 and held["us-east-1 AttachVolume"]["depth"] == 1
    refused("RequestLimitExceeded", lab.ec2.attach_volume, **asked[2][1])
    wait_until(lambda: lab.buckets()["us-east-1 AttachVolume"]["level"] == 1)
    lab.reset()
    assert not lab.buckets()


def test_a_signal_at_an_exact_call(lab):
    with subprocess.Popen(["sleep", "60"]) as process:
        lab.faults({"action": "DescribeVolumes", "kind": "signal", "pid": process.pid, "signal": "KILL"})
        lab.ec2.describe_images()
        assert process.poll() is None
        lab.ec2.describe_volumes()
        assert process.wait(5) == -signal.SIGKILL


def test_the_record_counts_and_keeps_no_secrets(lab):
    new = new_volume(lab)
    refused("InvalidVolume.NotFound", volume, lab=lab, volume_id="vol-0123456789abcdef0")
    lab.ec2.delete_volume(VolumeId=new)
    calls = lab.calls()
    assert [c["action"] for c in calls] == ["CreateVolume", "DescribeVolumes", "DeleteVolume"]
    assert calls[0]["params"]["Size"] == "1" and calls[2]["params"] == {"VolumeId": new}
    assert [c["status"] for c in calls] == [200, 400, 200] and calls[1]["error"] == "InvalidVolume.NotFound"
    assert calls[0]["request_id"] and calls[0]["access_key_id"] == lab.env["AWS_ACCESS_KEY_ID"]
    assert lab.env["AWS_SECRET_ACCESS_KEY"] not in json.dumps(calls)
    lab.forget_calls()
    assert not lab.calls()


def test_slow_and_failing_states(lab):
    lab.states(volume={"available": 2, "attached": {"looks": 2}, "detached": 2},
               snapshot={"completed": {"looks": 2}}, image={"available": {"error": "no room"}})
    slow = new_volume(lab)
    assert volume(lab, slow)["State"] == "creating"
    refused("IncorrectState", attach, lab=lab, volume_id=slow)
    wait_until(lambda: volume(lab, slow)["State"] == "available")
    attach(lab, slow)
    seen = [volume(lab, slow)["Attachments"][0]["State"] for _ in range(3)]
    assert seen == ["attaching", "attaching", "attached"]
    lab.ec2.detach_volume(VolumeId=slow)
    assert volume(lab, slow)["Attachments"][0]["State"] == "detaching"
    refused("VolumeInUse", lab.ec2.delete_volume, VolumeId=slow)
    wait_until(lambda: volume(lab, slow)["State"] == "available")
    snapshot_id = lab.ec2.create_snapshot(VolumeId=slow)["SnapshotId"]
    shown = [lab.ec2.describe_snapshots(SnapshotIds=[snapshot_id])["Snapshots"][0] for _ in range(3)]
    assert [s["State"] for s in shown] == ["pending", "pending", "completed"]
    assert [s["Progress"] for s in shown] == ["50%", "99%", "100%"]
    image_id = register(lab, "failing", snapshot_id)
    image = lab.ec2.describe_images(ImageIds=[image_id])["Images"][0]
    assert image["State"] == "failed" and image["StateReason"]["Message"] == "no room"
    lab.ec2.deregister_image(ImageId=image_id)
    lab.states(snapshot={"completed": {"error": "lost"}}, volume={"available": {"error": "x"}})
    failed = lab.ec2.create_snapshot(VolumeId=slow)["SnapshotId"]
    shown = lab.ec2.describe_snapshots(SnapshotIds=[failed])["Snapshots"][0]
    assert (shown["State"], shown["StateMessage"]) == ("error", "lost")
    broken = new_volume(lab)
    assert volume(lab, broken)["State"] == "error"
    for each in (slow, broken):
        lab.ec2.delete_volume(VolumeId=each)
    for each in (snapshot_id, failed):
        lab.ec2.delete_snapshot(SnapshotId=each)


def test_late_devices_and_none(lab):
    lab.devices(delay=2)
    late, never = new_volume(lab), new_volume(lab)
    attach(lab, late)
    assert not os.path.lexists(lab.link(late))
    assert volume(lab, late)["Attachments"][0]["State"] == "attached"
    lab.wait_for_device(late)
    lab.devices(never=True)
    attach(lab, never, "/dev/sdg")
    time.sleep(0.3)
    assert not os.path.lexists(lab.link(never))
    for each in (late, never):
        lab.ec2.detach_volume(VolumeId=each)
        lab.ec2.delete_volume(VolumeId=each)


# In namespaces of its own, with what a lab and its udevd leave when both are killed; /dev/disk is covered, for its links
# belong to the labs that run beside this test.
AFTER_A_KILL = """
import os, socket, sys
from awslab import process, udev
os.makedirs("/run/udev")
with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as control:
    control.bind(udev.CONTROL)
os.makedirs(udev.STATE)
for name, text in (("daemon", "1-1"), ("leftovers", "/run/udev"), ("lab-1-1", "")):
    with open(os.path.join(udev.STATE, name), "w") as f:
        f.write(text)
assert not udev.runs()
made = udev.acquire(process.identity())
print(made, udev.runs())
udev.release(process.identity())
print(udev.runs(), os.path.exists("/run/udev"), os.path.exists(udev.STATE))
"""


def test_udevd_was_killed_with_its_lab():
    """The socket that it left is not taken for a daemon: a new one is started, and all of it goes."""
    if not any(os.path.exists(d) for d in udev.DAEMONS):
        pytest.skip("no udevd to start here")
    prefix = in_namespaces("sh", "-c", "mount -t tmpfs t /run && mkdir -p /dev/disk && mount -t tmpfs t /dev/disk || exit 99;"
                           " \"$@\"; s=$?; umount /dev/disk; rmdir /dev/disk 2>/dev/null; exit $s", "sh")
    done = subprocess.run([*prefix, sys.executable, "-c", AFTER_A_KILL], check=True, capture_output=True, text=True,
                          timeout=120, env=os.environ | {"PYTHONPATH": os.path.dirname(os.path.dirname(udev.__file__))})
    assert done.stdout.split() == ["True", "True", "False", "False", "False"], done.stdout + done.stderr
