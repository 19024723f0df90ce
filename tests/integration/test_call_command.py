# SPDX-License-Identifier: Apache-2.0
"""`cpi call`: methods of the CPI by hand."""
import json
import os
import subprocess

import pytest
from command_kit import NOBODY, lab_env, run, signed_by, users, write_profiles
from conftest import CPI, account


@pytest.fixture
def cpi(lab, tmp_path):
    """cpi("call", …) with the lab's keys in the environment."""
    def run_it(*arguments, **more):
        return run(lab_env(lab, tmp_path, **more), *arguments)
    return run_it


@pytest.fixture
def call(lab, cpi):  # pylint: disable=redefined-outer-name
    """call("has_disk", …) with the lab's configuration."""
    def run_it(*words, **more):
        return cpi("call", *words, "--config", lab.config_path, **more)
    return run_it


def value(result):
    """What was printed, which is one line of JSON."""
    assert result.returncode == 0 and result.stderr == "" and result.stdout.count("\n") == 1, result.stderr
    return json.loads(result.stdout)


def test_life_of_a_disk(lab, call):
    """Numbers, objects and bare words as arguments; the account has what was printed."""
    disk = value(call("create_disk", "1024", '{"type":"gp3"}', lab.builder))
    volume, = lab.ec2.describe_volumes(VolumeIds=[disk])["Volumes"]
    assert (volume["Size"], volume["VolumeType"]) == (1, "gp3")
    assert value(call("has_disk", disk)) is True and value(call("has-disk", f'"{disk}"')) is True
    assert value(call("set_disk_metadata", disk, '{"director":"d","job":"j"}')) is None
    tags = {t["Key"]: t["Value"] for t in lab.ec2.describe_volumes(VolumeIds=[disk])["Volumes"][0]["Tags"]}
    assert tags["job"] == "j"
    assert value(call("delete_disk", disk)) is None
    assert value(call("has_disk", disk)) is False


def test_without_a_configuration(lab, cpi):  # pylint: disable=redefined-outer-name
    assert value(cpi("call", "has_vm", lab.builder, AWS_REGION="us-east-1")) is True
    assert value(cpi("call", "info"))["api_version"] == 3


def test_options_anywhere(lab, cpi):  # pylint: disable=redefined-outer-name
    for words in (["--config", lab.config_path, "call", "has_vm", lab.builder], ["call", "--config", lab.config_path, "has_vm", lab.builder],
                  ["call", "has_vm", f"--config={lab.config_path}", "--", lab.builder]):
        assert value(cpi(*words)) is True


def test_an_action(lab, call):
    """delete_snapshot is the method with a text, the action with an object."""
    assert value(call("get_volumes"))["success"] is True
    assert value(call("has_volume", '{"volume_id":"vol-0123456789abcdef0"}')) == {"success": True, "exists": False}
    volume = lab.ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]
    first, second = (lab.ec2.create_snapshot(VolumeId=volume)["SnapshotId"] for _ in range(2))
    assert value(call("delete_snapshot", first)) is None
    assert value(call("delete_snapshot", json.dumps({"snapshot_id": second}))) == {"success": True}
    left = {s["SnapshotId"] for s in lab.ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]}
    assert not left & {first, second}
    lab.ec2.delete_volume(VolumeId=volume)


def test_version(lab, call):
    """The highest on offer, or what is said: attach_disk answers with a device's name from version 2 on."""
    worker = lab.ec2.run_instances(ImageId=lab.light_ami, MinCount=1, MaxCount=1)["Instances"][0]
    disk = lab.ec2.create_volume(AvailabilityZone=worker["Placement"]["AvailabilityZone"], Size=1)["VolumeId"]
    lab.ec2.get_waiter("instance_running").wait(InstanceIds=[worker["InstanceId"]])
    for version in ([], ["--api-version", "2"], ["--api-version=3"]):
        assert isinstance(value(call("attach_disk", worker["InstanceId"], disk, *version)), str)
        assert value(call("detach_disk", worker["InstanceId"], disk)) is None
    result = call("attach_disk", worker["InstanceId"], disk, "--api-version", "1")
    assert "registry" in result.stderr or value(result) is None
    lab.ec2.terminate_instances(InstanceIds=[worker["InstanceId"]])


def test_version_of_the_configuration(lab, cpi, tmp_path):  # pylint: disable=redefined-outer-name
    config = json.loads(json.dumps(lab.config))
    config["cloud"]["properties"].setdefault("debug", {}).setdefault("cpi", {})["api_version"] = 2
    path = tmp_path / "two.json"
    path.write_text(json.dumps(config))
    assert value(cpi("call", "has_vm", lab.builder, "--config", str(path))) is True
    result = cpi("call", "has_vm", lab.builder, "--config", str(path), "--api-version", "3")
    assert result.returncode == 1 and "CPI API version 3 was requested, but the highest that is supported is 2" in result.stderr


def test_profile_and_region(lab, call, tmp_path):
    _, second = users(lab)
    write_profiles(tmp_path, lab, other=(second, None))
    call("has_vm", NOBODY)
    mine, region = signed_by(lab)
    call("has_vm", NOBODY, "--profile", "other", "--region", "eu-west-3")
    assert signed_by(lab) == (lab.identities["users"][second]["access_key_id"], "eu-west-3")
    assert mine == lab.config["cloud"]["properties"]["aws"]["access_key_id"] and region != "eu-west-3"


def test_failure(lab, call):
    lab.faults({"action": "CreateVolume", "kind": "deny", "count": -1})
    result = call("create_disk", "1024", "{}")
    assert result.returncode == 1 and result.stdout == ""
    assert result.stderr.startswith("cpi: ") and "CreateVolume" in result.stderr and "UnauthorizedOperation" in result.stderr


def test_what_cannot_be_printed_is_undone(lab, tmp_path):
    before = account(lab)
    read, write = os.pipe()
    os.close(read)
    result = run(lab_env(lab, tmp_path), "call", "create_disk", "1024", "{}", "--config", lab.config_path, stdout=write)
    os.close(write)
    assert result.returncode == 1 and "removed again" in result.stderr
    assert len(lab.calls("CreateVolume")) == 1 and account(lab) == before


def test_reader_that_closed_it_before(lab, tmp_path):
    """Standard output is closed from the start."""
    before = account(lab)
    result = subprocess.run(["sh", "-c", 'exec "$@" >&-', "sh", CPI, "call", "create_disk", "1024", "{}", "--config", lab.config_path],
                            env=lab_env(lab, tmp_path), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=120, check=False)
    assert result.returncode == 1 and "removed again" in result.stderr and account(lab) == before


WRONG = {
    "no method": (["call"], "call needs a METHOD"),
    "unknown": (["call", "has_wm", "x"], "the CPI has no method has_wm; did you mean has_vm?"),
    "unknown, nothing near": (["call", "xyzzy"], "the CPI has no method xyzzy;"),
    "not served": (["call", "create_network", "{}"], "the CPI has no method create_network"),
    "an action mistyped": (["call", "get_volume"], "did you mean get_volumes?"),
    "an object without its end": (["call", "create_disk", "1024", '{"type":"gp3"'], "argument 2, {\"type\":\"gp3\": not JSON: at byte 13"),
    "a comma too much": (["call", "create_disk", "1024", "[1,]"], "argument 2, [1,]: not JSON: at byte 3"),
    "a text without its end": (["call", "has_disk", '"vol-1'], 'argument 1, "vol-1: not JSON'),
    "behind a blank": (["call", "has_disk", ' {"a"}'], "argument 1"),
    "too few": (["call", "attach_disk", "i-1"], "wrong arguments: 1, and attach_disk takes 2"),
    "too many": (["call", "info", "1"], "wrong arguments: 1, and info takes 0"),
    "of a wrong type": (["call", "has_vm", "{}"], "wrong arguments: an object as "),
    "a version that is none": (["call", "info", "--api-version", "new"], "--api-version is 'new', and should be a number from 1 to 3"),
    "a version of tomorrow": (["call", "info", "--api-version", "4"], "--api-version is '4'"),
    "unknown option": (["call", "info", "--regoin", "x"], "there is no option --regoin; did you mean --region?"),
    "an action's option": (["call", "info", "--json"], "--json does not go with this command"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong(lab, cpi, case):  # pylint: disable=redefined-outer-name
    words, message = WRONG[case]
    result = cpi(*words, AWS_REGION="us-east-1")
    assert result.returncode == 2 and message in result.stderr and result.stdout == "", result.stderr
    assert lab.calls() == []


def test_help(cpi):  # pylint: disable=redefined-outer-name
    text = cpi("call", "--help").stdout
    assert text.startswith("usage: cpi call METHOD") and cpi("help", "call").stdout == text
    for name in ("info", "create_vm", "attach_disk", "delete_snapshot", "--api-version N", "exit status:", "example:"):
        assert name in text
    assert "create_network" not in text
