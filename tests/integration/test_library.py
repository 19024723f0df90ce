# SPDX-License-Identifier: Apache-2.0
"""The shared library through ctypes: what it says of itself, each action with the account looked at, what it refuses, regions, and
what a call does to its host while it lasts. Credentials are in test_library_credentials.py."""
import json
import os
import re
import signal

import pytest
from conftest import ROOT, account, wait_until
from library_kit import Library, execution
from test_create_stemcell import journals, state_env
from test_library_host import REGIONS, everywhere, settings_of

pytestmark = pytest.mark.beyond_incumbent

ACTIONS = ("test_install list_workers create_worker delete_worker get_worker has_worker start_worker reboot_worker get_volumes "
           "has_volume create_volume delete_volume attach_volume detach_volume create_snapshot snapshot_volume delete_snapshot "
           "has_snapshot set_worker_metadata").split()
NO_VOLUME = "vol-0123456789abcdef0"


@pytest.fixture
def library(lab, tmp_path):
    """A host with nothing but a state directory and the lab's address in its environment."""
    host = Library(state_env(tmp_path) | {"AWS_ENDPOINT_URL": lab.endpoint})
    yield host
    host.end()


@pytest.fixture
def settings(lab):
    """The lab's configuration, inline."""
    return json.loads(settings_of(lab))


def done(answer):
    """The members of an answer that is a success."""
    assert answer.pop("success") is True, answer
    return answer


def error_of(answer):
    """The error of one that is none."""
    assert answer["success"] is False and set(answer) == {"success", "error"}, answer
    return answer["error"]


# --- what it says of itself

def test_about(library):
    with open(os.path.join(ROOT, "Makefile"), encoding="utf-8") as makefile:
        version = re.search(r"^VERSION := (.*)$", makefile.read(), re.MULTILINE).group(1)
    with open(os.path.join(ROOT, "cpi", "cpi_aws.h"), encoding="utf-8") as header:
        macros = dict(re.findall(r"^#define CPI_AWS_VERSION(\w*) (.*)$", header.read(), re.MULTILINE))
    assert library.call("version") == version == json.loads(macros[""])
    assert ".".join(macros[f"_{part}"] for part in ("MAJOR", "MINOR", "PATCH")) == version
    assert (library.call("name"), library.call("provider_type")) == ("ec2", "cloud")
    assert json.loads(library.call("default_settings")) == {"region": "us-east-1", "instance_type": "t2.micro", "volume_type": "gp2"}


def test_definitions(library):
    assert json.loads(library.call("list_actions")) == ACTIONS
    for action in ACTIONS:
        definition = json.loads(library.call("action_definition", action))
        assert definition["name"] == action and definition["description"]
        assert definition["parameters"][-1]["name"] == "region" and definition["parameters"][-1]["default"] == "us-east-1"
        for parameter in definition["parameters"]:
            assert set(parameter) == {"name", "description", "type", "required", "default"}
            assert parameter["type"] == ("integer" if parameter["name"] == "size_gb" else "string")
    for unknown in ("list_wokers", "", None):
        assert library.call("action_definition", unknown) is None


# --- each action

def instance(lab, worker):
    return lab.ec2.describe_instances(InstanceIds=[worker])["Reservations"][0]["Instances"][0]


def volume(lab, volume_id):
    return lab.ec2.describe_volumes(VolumeIds=[volume_id])["Volumes"][0]


def test_workers(lab, library, settings):
    """From its creation to its end, each step seen by boto3."""
    made = done(library.execute("create_worker", settings, worker_name="one", ami=lab.light_ami, instance_type="t3.small"))
    worker = made["id"]
    assert made["name"] == "one" and instance(lab, worker)["InstanceType"] == "t3.small"
    assert {"Key": "Name", "Value": "one"} in instance(lab, worker)["Tags"]
    wait_until(lambda: instance(lab, worker)["State"]["Name"] == "running")
    vm = done(library.execute("get_worker", settings, worker_id=worker))["vm"]
    assert (vm["id"], vm["name"], vm["state"], vm["instance_type"]) == (worker, "one", "running", "t3.small")
    assert vm["availability_zone"] == instance(lab, worker)["Placement"]["AvailabilityZone"]
    (listed,) = [w for w in done(library.execute("list_workers", settings))["workers"] if w["id"] == worker]
    assert listed == {k: v for k, v in vm.items() if k != "availability_zone"}
    assert done(library.execute("has_worker", settings, worker_id=worker)) == {"exists": True}
    done(library.execute("set_worker_metadata", settings, worker_id=worker, key="team", value=""))
    assert {"Key": "team", "Value": ""} in instance(lab, worker)["Tags"]
    done(library.execute("reboot_worker", settings, worker_id=worker))
    assert [c["params"]["InstanceId.1"] for c in lab.calls("RebootInstances")] == [worker]
    lab.ec2.stop_instances(InstanceIds=[worker])
    wait_until(lambda: instance(lab, worker)["State"]["Name"] == "stopped")
    assert done(library.execute("start_worker", settings, worker_id=worker))["started"] == worker
    wait_until(lambda: instance(lab, worker)["State"]["Name"] == "running")
    done(library.execute("delete_worker", settings, worker_id=worker))
    wait_until(lambda: instance(lab, worker)["State"]["Name"] == "terminated")


def test_volumes(lab, library, settings):
    before = account(lab)
    made = done(library.execute("create_volume", settings, size_gb=1, availability_zone="us-east-1a", volume_type="gp3"))
    disk = made["id"]
    assert made == {"id": disk, "path": disk}
    assert (volume(lab, disk)["Size"], volume(lab, disk)["VolumeType"], volume(lab, disk)["State"]) == (1, "gp3", "available")
    (listed,) = [v for v in done(library.execute("get_volumes", settings))["volumes"] if v["id"] == disk]
    assert (listed["path"], listed["size_mb"], listed["state"], listed["availability_zone"], listed["attached_to"]) == (
        disk, 1024, "available", "us-east-1a", None)
    assert done(library.execute("has_volume", settings, volume_id=disk)) == {"exists": True}
    done(library.execute("attach_volume", settings, worker_id=lab.builder, volume_id=disk, device_name="/dev/sdq"))
    (attached,) = volume(lab, disk)["Attachments"]
    assert (attached["InstanceId"], attached["Device"]) == (lab.builder, "/dev/sdq")
    done(library.execute("detach_volume", settings, volume_id=disk))
    wait_until(lambda: volume(lab, disk)["State"] == "available")
    done(library.execute("delete_volume", settings, volume_id=disk))
    assert done(library.execute("has_volume", settings, volume_id=disk)) == {"exists": False}
    assert account(lab) == before


def test_snapshots(lab, library, settings):
    before = account(lab)
    disk = lab.ec2.create_volume(Size=1, AvailabilityZone="us-east-1a")["VolumeId"]
    first = done(library.execute("create_snapshot", settings, volume_id=disk, snapshot_name="first"))["id"]
    second = done(library.execute("snapshot_volume", settings, source_volume_id=disk, snapshot_name="second"))
    assert second["source_volume_id"] == disk
    for snapshot, name in ((first, "first"), (second["id"], "second")):
        (seen,) = lab.ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"]
        assert seen["VolumeId"] == disk and {"Key": "Name", "Value": name} in seen["Tags"]
        assert done(library.execute("has_snapshot", settings, snapshot_id=snapshot)) == {"exists": True}
        done(library.execute("delete_snapshot", settings, snapshot_id=snapshot))
        assert done(library.execute("has_snapshot", settings, snapshot_id=snapshot)) == {"exists": False}
    lab.ec2.delete_volume(VolumeId=disk)
    assert account(lab) == before


def test_test_install(lab, library, settings):
    told = done(library.execute("test_install", settings))
    assert told["version"] == library.call("version")
    assert told["identity"] == {k.lower(): v for k, v in lab.client("sts").get_caller_identity().items() if k in ("Account", "Arn")}
    assert set(REGIONS) <= set(told["regions"])


# --- what it refuses

LONG = 8 * 1024 * 1024
BAD = [
    # settings, action, parameters, type, words
    (None, None, None, "InvalidCall", "no action is named"),
    (None, "list_wokers", None, "Bosh::Clouds::NotImplemented", "no action 'list_wokers'. Did you mean list_workers?"),
    (None, "", None, "Bosh::Clouds::NotImplemented", "no action ''"),
    (None, "has_vm", None, "Bosh::Clouds::NotImplemented", "no action 'has_vm'"),
    ("", "list_workers", None, "InvalidCall", "the settings are not valid JSON"),
    ("[]", "list_workers", None, "InvalidCall", "the settings should be a JSON object"),
    ('{"regoin":"x"}', "list_workers", None, "InvalidCall", "no setting regoin. Did you mean region?"),
    ('{"region":1}', "list_workers", None, "InvalidCall", "the setting region should be a string"),
    ('{"region":""}', "list_workers", None, "InvalidCall", "the setting region should be a string, and is empty"),
    ('{"profile":"a\\u0000"}', "list_workers", None, "InvalidCall", "the setting profile should be a string, and is one with a NUL"),
    ('{"config":"/nonexistent/cpi.json"}', "list_workers", None, "Bosh::Clouds::CloudError", "/nonexistent/cpi.json cannot be read"),
    ('{"cloud":[]}', "list_workers", None, "InvalidCall", "the setting cloud should be a JSON object"),
    ('{"cloud":{}}', "list_workers", None, "Bosh::Clouds::CloudError", "Could not find cloud properties"),
    ('{"cloud":{},"config":"x"}', "list_workers", None, "InvalidCall", "two configurations"),
    ('{"profile":"nobody"}', "list_workers", None, "Bosh::Clouds::CloudError", "the AWS profile nobody, which the setting profile names"),
    ('{"a":"' + "x" * LONG + '"}', "list_workers", None, "InvalidCall", "the settings are over 8 MiB"),
    (None, "list_workers", "{} {}", "InvalidCall", "the parameters are not valid JSON"),
    (None, "list_workers", '{"region":"\udcff"}', "InvalidCall", "the parameters are not valid JSON"),
    (None, "list_workers", '{"a":' * 65 + "1" + "}" * 65, "InvalidCall", "the parameters are not valid JSON"),
    (None, "list_workers", "null", "InvalidCall", "the parameters should be a JSON object, and are null"),
    (None, "list_workers", '{"a":"' + "x" * LONG + '"}', "InvalidCall", "the parameters are over 8 MiB"),
    (None, "has_worker", None, "InvalidCall", "nothing as worker_id"),
    (None, "has_worker", '{"worker_id":null}', "InvalidCall", "nothing as worker_id"),
    (None, "has_worker", '{"worker_id":""}', "InvalidCall", "an empty string as worker_id"),
    (None, "has_worker", '{"worker_id":7}', "InvalidCall", "worker_id, which should be a string"),
    (None, "has_worker", '{"workerid":"i-1"}', "InvalidCall", "Did you mean worker_id?"),
    (None, "delete_snapshot", None, "InvalidCall", "nothing as snapshot_id"),
    (None, "create_volume", '{"size_gb":"big","availability_zone":"us-east-1a"}', "InvalidCall", "big as size_gb"),
    (None, "create_volume", '{"size_gb":0,"availability_zone":"us-east-1a"}', "InvalidCall", "0 as size_gb"),
    (None, "create_volume", '{"size_gb":1.5,"availability_zone":"us-east-1a"}', "InvalidCall", "1.5 as size_gb"),
]


def test_bad_calls(lab, library):
    """Without a call to AWS, and without credentials."""
    lab.forget_calls()
    for settings_text, action, parameters, kind, words in BAD:
        error = error_of(json.loads(library.call("execute", settings_text, action, parameters)))
        assert (error["type"], error["ok_to_retry"], "aws" in error) == (kind, False, False), error
        assert words in error["message"]
    assert lab.calls() == []


def test_refused_by_aws(lab, library, settings):
    """AWS's own words, and whether it is worth another try."""
    error = error_of(library.execute("delete_volume", settings, volume_id=NO_VOLUME))
    assert error["ok_to_retry"] is False and error["aws"]["code"] == "InvalidVolume.NotFound"
    assert error["aws"]["action"] == "DeleteVolume" and NO_VOLUME in error["aws"]["message"] and error["aws"]["request_id"]
    lab.faults({"action": "DescribeVolumes", "kind": "error", "status": 503, "code": "Unavailable", "message": "later",
                "count": -1})
    error = error_of(library.execute("get_volumes", settings))
    assert error["ok_to_retry"] is True
    assert (error["aws"]["code"], error["aws"]["message"], error["aws"]["action"]) == ("Unavailable", "later", "DescribeVolumes")


def test_failure_leaves_nothing(lab, library, settings, tmp_path):
    before = account(lab)
    lab.states(volume={"available": {"error": "no more room"}})
    error = error_of(library.execute("create_volume", settings, size_gb=1, availability_zone="us-east-1a"))
    assert "error" in error["message"] and len(lab.calls("CreateVolume")) == 1
    lab.states(volume={"available": 0})
    assert account(lab) == before and journals(tmp_path) == []


# --- regions


def test_two_regions(lab, library, settings):
    """In one process, at the same time, by settings and by parameter."""
    before = everywhere(lab)
    lab.faults({"action": "CreateVolume", "kind": "hold", "count": 2})
    library.send(*[execution("create_volume", settings | {"region": region}, size_gb=1, availability_zone=region + "a")
                   for region in REGIONS])
    wait_until(lambda: len([c for c in lab.faults() if c["kind"] == "hold" and c["hits"] == 2]) == 1)
    lab.release()
    disks = [done(json.loads(text))["id"] for text in library.receive()]
    for region, other, disk in zip(REGIONS, reversed(REGIONS), disks, strict=True):
        (seen,) = lab.client("ec2", region=region).describe_volumes(VolumeIds=[disk])["Volumes"]
        assert seen["AvailabilityZone"] == region + "a"
        assert done(library.execute("has_volume", settings | {"region": other}, volume_id=disk)) == {"exists": False}
        done(library.execute("delete_volume", settings | {"region": other}, volume_id=disk, region=region))
    assert everywhere(lab) == before


def test_where_the_region_comes_from(lab, tmp_path):
    """The parameter, the settings, the configuration, the environment, us-east-1."""
    def asked(settings, env, **parameters):
        host = Library(state_env(tmp_path) | {"AWS_ENDPOINT_URL": lab.endpoint, "AWS_EC2_METADATA_DISABLED": "true",
                                              "HOME": str(tmp_path), **keys, **env})
        lab.forget_calls()
        done(host.execute("list_workers", settings, **parameters))
        host.end()
        return {c["region"] for c in lab.calls("DescribeInstances")}
    keys = {k: lab.env[k] for k in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
    config = json.loads(settings_of(lab, region="eu-west-1"))
    west = {"AWS_REGION": "us-west-1"}
    assert asked(config | {"region": "eu-west-2"}, west, region="eu-west-3") == {"eu-west-3"}
    assert asked(config | {"region": "eu-west-2"}, west) == {"eu-west-2"}
    assert asked(config, west) == {"eu-west-1"}
    assert asked(None, west) == {"us-west-1"}
    assert asked(None, {}) == {"us-east-1"}


# --- the host

def descriptors(pid):
    """number → (what it is, whether a program that is started has it too)."""
    found = {}
    for number in os.listdir(f"/proc/{pid}/fd"):
        with open(f"/proc/{pid}/fdinfo/{number}", encoding="ascii") as f:
            flags = int(re.search(r"^flags:\s*(\d+)", f.read(), re.MULTILINE).group(1), 8)
        found[int(number)] = (os.readlink(f"/proc/{pid}/fd/{number}"), not flags & os.O_CLOEXEC)
    return found


def blocks_pipe_signal(pid):
    """How many threads block SIGPIPE."""
    masks = []
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/status", encoding="ascii") as f:
            masks.append(int(re.search(r"^SigBlk:\s*(\w+)", f.read(), re.MULTILINE).group(1), 16))
    return len([mask for mask in masks if mask >> (signal.SIGPIPE - 1) & 1])


def connections(pid):
    """The sockets of connections, which are what is not libcurl's own."""
    told = set()
    for table in ("tcp", "tcp6"):
        with open(f"/proc/{pid}/net/{table}", encoding="ascii") as f:
            told |= {f"socket:[{line.split()[9]}]" for line in f.readlines()[1:]}
    return [(number, inherited) for number, (what, inherited) in descriptors(pid).items() if what in told]


def test_while_a_call_lasts(lab, library, settings):
    """SIGPIPE cannot end the host, and no program that it starts holds the connection. Afterwards all is as it was."""
    pid = library.process.pid
    done(library.execute("list_workers", settings))
    before = descriptors(pid)
    lab.faults({"action": "DescribeVolumes", "kind": "hold"})
    library.send(execution("get_volumes", settings))
    wait_until(lambda: connections(pid))
    assert blocks_pipe_signal(pid) == 1
    assert [inherited for _, inherited in connections(pid)] == [False]
    lab.release()
    done(json.loads(library.receive()[0]))
    assert descriptors(pid) == before and blocks_pipe_signal(pid) == 0
    # a thread that was waited for is on show a moment longer
    wait_until(lambda: len(os.listdir(f"/proc/{pid}/task")) == 1)
