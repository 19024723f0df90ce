# SPDX-License-Identifier: Apache-2.0
"""The worker actions through the CPI's request: what each answers, what it does in the account, and what is said where it does
not. That a call which fails leaves nothing behind is test_fault_walk.py's."""
import json
import os
import signal
import threading

import pytest
from conftest import account, director_env, run_cpi, start_cpi, request_bytes, wait_until
from scenarios import (ELSEWHERE, ZONE, action, attach, holdings, make_disk, make_elsewhere, make_snapshot, make_vm, more_than,
                       wipe)
from test_create_stemcell import config_with, created, journals, state_env, tags

pytestmark = pytest.mark.beyond_incumbent

NO_WORKER, NO_VOLUME, NO_SNAPSHOT = "i-0123456789abcdef0", "vol-0123456789abcdef0", "snap-0123456789abcdef0"
DONE = {"success": True}


@pytest.fixture
def act(lab, tmp_path):
    """act("get_worker", worker_id=…): the answer of one call, which leaves no journal. What was made goes at the end."""
    before = holdings(lab)

    def one(name, config=None, env=None, **parameters):
        answer = run_cpi(lab, action(name, **parameters), config, env=state_env(tmp_path) | (env or {}))
        assert journals(tmp_path) == [] and answer.returncode == 0
        return answer
    yield one
    lab.reset()
    wipe(lab, before)


@pytest.fixture
def does(act):
    """does("get_worker", worker_id=…): the result of one that succeeds."""
    return lambda name, **more: created(act(name, **more))


def refused(lab, answer, code, api_action):
    """The error of an answer in which AWS said no, told as it is on the lab's record."""
    error = answer.json["error"]
    assert answer.json["result"] is None and set(error) == {"type", "message", "ok_to_retry", "aws"}, answer.json
    call = lab.calls(api_action)[-1]
    assert (call["error"], error["aws"]["code"]) == (code, code)
    assert error["aws"] == {"code": code, "message": error["aws"]["message"], "request_id": call["request_id"],
                            "action": api_action}
    assert error["type"] == "Bosh::Clouds::CloudError"
    for part in (code, error["aws"]["message"], call["request_id"], api_action):
        assert part and part in error["message"]
    return error


def wrong(answer, *texts):
    """The message of a call that is refused before AWS hears of it."""
    error = answer.json["error"]
    assert error is not None and set(error) == {"type", "message", "ok_to_retry"}, answer.json
    assert (error["type"], error["ok_to_retry"]) == ("InvalidCall", False), error
    for text in texts:
        assert text in error["message"], error
    return error["message"]


def instance(lab, worker):
    return lab.ec2.describe_instances(InstanceIds=[worker])["Reservations"][0]["Instances"][0]


def volume(lab, volume_id):
    return lab.ec2.describe_volumes(VolumeIds=[volume_id])["Volumes"][0]


def state(lab, worker):
    return instance(lab, worker)["State"]["Name"]


# --- what they do ---

def test_test_install(lab, does):
    result = does("test_install", env={"AWS_ENDPOINT_URL_STS": lab.endpoint})
    who = lab.client("sts").get_caller_identity()
    assert result == {"success": True, "version": result["version"], "identity": {"account": who["Account"], "arn": who["Arn"]},
                      "regions": [r["RegionName"] for r in lab.ec2.describe_regions()["Regions"]]}
    assert result["version"] and "us-east-1" in result["regions"]


def test_a_workers_life(lab, does):
    """From the account's view, too."""
    result = does("create_worker", worker_name="web", instance_type="t3.small", ami=lab.light_ami)
    worker = result["id"]
    assert result == {"success": True, "id": worker, "name": "web"}
    now = instance(lab, worker)
    assert (now["InstanceType"], now["ImageId"], tags(now)["Name"]) == ("t3.small", lab.light_ami, "web")
    default = lab.ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
    assert now["VpcId"] == default and len(tags(now)) == 2  # and the CPI's own
    wait_until(lambda: state(lab, worker) == "running")
    now = instance(lab, worker)
    shown = {"id": worker, "name": "web", "state": "running", "instance_type": "t3.small", "public_ip": now["PublicIpAddress"],
             "private_ip": now["PrivateIpAddress"]}
    assert does("get_worker", worker_id=worker) == {
        "success": True, "vm": shown | {"availability_zone": now["Placement"]["AvailabilityZone"]}}
    assert shown in does("list_workers")["workers"]
    assert does("has_worker", worker_id=worker) == {"success": True, "exists": True}
    assert does("set_worker_metadata", worker_id=worker, key="owner", value="me") == DONE
    assert does("set_worker_metadata", worker_id=worker, key="owner", value="") == DONE
    assert does("set_worker_metadata", worker_id=worker, key="Name", value="db") == DONE
    assert {k: tags(instance(lab, worker)).get(k) for k in ("owner", "Name")} == {"owner": "", "Name": "db"}
    assert does("get_worker", worker_id=worker)["vm"]["name"] == "db"
    lab.forget_calls()
    assert does("reboot_worker", worker_id=worker) == DONE
    assert lab.calls("RebootInstances")[0]["params"]["InstanceId.1"] == worker
    lab.ec2.stop_instances(InstanceIds=[worker])
    wait_until(lambda: state(lab, worker) == "stopped")
    assert does("start_worker", worker_id=worker) == {"success": True, "started": worker}
    wait_until(lambda: state(lab, worker) == "running")
    assert does("delete_worker", worker_id=worker) == DONE
    wait_until(lambda: state(lab, worker) == "terminated")
    assert does("has_worker", worker_id=worker) == {"success": True, "exists": False}
    gone = does("get_worker", worker_id=worker)["vm"]
    assert gone == {"id": worker, "name": "db", "state": "terminated", "instance_type": "t3.small", "public_ip": None,
                    "private_ip": None, "availability_zone": now["Placement"]["AvailabilityZone"]}


def test_defaults(lab, does):
    """Of create_worker and create_volume."""
    worker = does("create_worker", worker_name="plain", ami=lab.light_ami)["id"]
    assert instance(lab, worker)["InstanceType"] == "t2.micro"
    disk = does("create_volume", size_gb=1, availability_zone=ZONE)["id"]
    assert volume(lab, disk)["VolumeType"] == "gp2"


@pytest.mark.parametrize("named", [None, ""], ids=["no name", "an empty name"])
def test_unnamed(lab, does, named):
    """A worker that somebody else made, without a public address."""
    more = {} if named is None else {"TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": named}]}]}
    vm = does("get_worker", worker_id=make_vm(lab, **more))["vm"]
    assert vm["name"] == "unnamed" and vm["public_ip"] is None and vm["private_ip"].startswith("10.0.0.")


def test_a_type_that_nobody_knows(lab, act):
    """It is passed on, and EC2 refuses it; nothing else is started in its place."""
    before = account(lab)
    answer = act("create_worker", worker_name="web", instance_type="t9.enormous", ami=lab.light_ami)
    refused(lab, answer, "InvalidInstanceType" if lab.calls("RunInstances")[-1]["error"] == "InvalidInstanceType"
            else "InvalidParameterValue", "RunInstances")
    assert lab.calls("RunInstances")[-1]["params"]["InstanceType"] == "t9.enormous"
    assert account(lab) == before


def test_volumes(lab, does):
    result = does("create_volume", size_gb=3, availability_zone=ZONE, volume_type="gp3")
    disk = result["id"]
    assert result == {"success": True, "id": disk, "path": disk}
    now = volume(lab, disk)
    assert (now["Size"], now["AvailabilityZone"], now["VolumeType"], now["State"]) == (3, ZONE, "gp3", "available")
    shown = {"id": disk, "path": disk, "size_mb": 3072, "state": "available", "availability_zone": ZONE, "attached_to": None}
    assert shown in does("get_volumes")["volumes"]
    assert does("has_volume", volume_id=disk) == {"success": True, "exists": True}
    worker = make_vm(lab)
    for _ in range(2):  # so already is as good
        assert does("attach_volume", worker_id=worker, volume_id=disk, device_name="/dev/sdf") == DONE
    wait_until(lambda: volume(lab, disk)["State"] == "in-use")
    [there] = volume(lab, disk)["Attachments"]
    assert (there["InstanceId"], there["Device"]) == (worker, "/dev/sdf")
    assert shown | {"state": "in-use", "attached_to": worker} in does("get_volumes")["volumes"]
    assert does("detach_volume", volume_id=disk) == DONE
    wait_until(lambda: volume(lab, disk)["State"] == "available")
    assert does("delete_volume", volume_id=disk) == DONE
    assert disk not in account(lab)["volumes"]
    assert does("has_volume", volume_id=disk) == {"success": True, "exists": False}


def test_a_volume_that_takes_its_time(lab, does):
    """create_volume waits until it is available."""
    lab.states(volume={"available": {"looks": 2}})
    lab.forget_calls()
    disk = does("create_volume", size_gb=1, availability_zone=ZONE)["id"]
    assert len(lab.calls("DescribeVolumes")) == 3
    assert volume(lab, disk)["State"] == "available"


@pytest.mark.parametrize("name, parameter, more", [
    ("create_snapshot", "volume_id", {}), ("snapshot_volume", "source_volume_id", {"source_volume_id"})])
def test_snapshots(lab, does, name, parameter, more):
    """Not waited for."""
    disk = make_disk(lab)
    lab.states(snapshot={"completed": {"never": True}})
    result = does(name, **{parameter: disk, "snapshot_name": "before the upgrade"})
    copy = result["id"]
    assert result == {"success": True, "id": copy} | dict.fromkeys(more, disk)
    now = lab.ec2.describe_snapshots(SnapshotIds=[copy])["Snapshots"][0]
    assert (now["VolumeId"], now["State"], tags(now)["Name"]) == (disk, "pending", "before the upgrade")
    lab.reset()
    assert does("has_snapshot", snapshot_id=copy) == {"success": True, "exists": True}
    assert does("delete_snapshot", snapshot_id=copy) == DONE
    assert copy not in account(lab)["snapshots"]
    assert does("has_snapshot", snapshot_id=copy) == {"success": True, "exists": False}


def test_delete_snapshot_is_a_method_as_well(lab, tmp_path):
    """With a string: its result is null, and what is gone already is success."""
    copy = make_snapshot(lab)
    for _ in range(2):
        answer = run_cpi(lab, {"method": "delete_snapshot", "arguments": [copy]}, env=state_env(tmp_path))
        assert answer.json == {"result": None, "error": None, "log": ""}
    assert copy not in account(lab)["snapshots"]
    for arguments in ([], [None], [7], [copy, copy]):
        answer = run_cpi(lab, {"method": "delete_snapshot", "arguments": arguments}, env=state_env(tmp_path))
        assert answer.json["error"]["type"] == "InvalidCall", arguments


# --- what there is not ---

@pytest.mark.parametrize("name, parameters", [
    ("has_worker", {"worker_id": NO_WORKER}), ("has_volume", {"volume_id": NO_VOLUME}),
    ("has_snapshot", {"snapshot_id": NO_SNAPSHOT})])
def test_has_what_never_was(does, name, parameters):
    assert does(name, **parameters) == {"success": True, "exists": False}


MISSING = [
    ("get_worker", {"worker_id": NO_WORKER}, "InvalidInstanceID.NotFound", "DescribeInstances"),
    ("delete_worker", {"worker_id": NO_WORKER}, "InvalidInstanceID.NotFound", "TerminateInstances"),
    ("start_worker", {"worker_id": NO_WORKER}, "InvalidInstanceID.NotFound", "StartInstances"),
    ("reboot_worker", {"worker_id": NO_WORKER}, "InvalidInstanceID.NotFound", "RebootInstances"),
    ("set_worker_metadata", {"worker_id": NO_WORKER, "key": "a", "value": "b"}, "InvalidInstanceID.NotFound", "CreateTags"),
    ("create_worker", {"worker_name": "web", "ami": "ami-0123456789abcdef0"}, "InvalidAMIID.NotFound", "RunInstances"),
    ("create_volume", {"size_gb": 1, "availability_zone": "us-east-1q"}, "InvalidZone.NotFound", "CreateVolume"),
    ("delete_volume", {"volume_id": NO_VOLUME}, "InvalidVolume.NotFound", "DeleteVolume"),
    ("attach_volume", {"worker_id": NO_WORKER, "volume_id": NO_VOLUME, "device_name": "/dev/sdf"}, None, "AttachVolume"),
    ("detach_volume", {"volume_id": NO_VOLUME}, "InvalidVolume.NotFound", "DetachVolume"),
    ("create_snapshot", {"volume_id": NO_VOLUME, "snapshot_name": "x"}, "InvalidVolume.NotFound", "CreateSnapshot"),
    ("snapshot_volume", {"source_volume_id": NO_VOLUME, "snapshot_name": "x"}, "InvalidVolume.NotFound", "CreateSnapshot"),
    ("delete_snapshot", {"snapshot_id": NO_SNAPSHOT}, "InvalidSnapshot.NotFound", "DeleteSnapshot"),
]


@pytest.mark.parametrize("name, parameters, code, api_action", MISSING, ids=[m[0] for m in MISSING])
def test_what_is_not_there(lab, act, name, parameters, code, api_action):
    """Everything but the has-actions says so as AWS does."""
    before = account(lab)
    answer = act(name, **parameters)
    error = refused(lab, answer, code or lab.calls(api_action)[-1]["error"], api_action)
    assert "NotFound" in error["aws"]["code"] and error["ok_to_retry"] is False
    assert account(lab) == before


MALFORMED = [("has_worker", "worker_id", "InvalidInstanceID.Malformed", "DescribeInstances"),
             ("get_worker", "worker_id", "InvalidInstanceID.Malformed", "DescribeInstances"),
             ("delete_worker", "worker_id", "InvalidInstanceID.Malformed", "TerminateInstances"),
             ("has_volume", "volume_id", "InvalidVolumeID.Malformed", "DescribeVolumes"),
             ("delete_volume", "volume_id", "InvalidVolumeID.Malformed", "DeleteVolume"),
             ("detach_volume", "volume_id", "InvalidVolumeID.Malformed", "DetachVolume"),
             ("has_snapshot", "snapshot_id", "InvalidSnapshotID.Malformed", "DescribeSnapshots"),
             ("delete_snapshot", "snapshot_id", "InvalidSnapshotID.Malformed", "DeleteSnapshot")]


@pytest.mark.parametrize("name, parameter, code, api_action", MALFORMED, ids=[m[0] for m in MALFORMED])
def test_what_is_no_id(lab, act, name, parameter, code, api_action):
    """AWS's error, for has-actions too: nobody has looked."""
    refused(lab, act(name, **{parameter: "banana"}), code, api_action)


def test_wrong_states(lab, act):
    """EC2's refusals come through."""
    worker, disk = make_vm(lab), make_disk(lab)
    refused(lab, act("detach_volume", volume_id=disk), "IncorrectState", "DetachVolume")
    attach(lab, worker, disk)
    refused(lab, act("delete_volume", volume_id=disk), "VolumeInUse", "DeleteVolume")
    refused(lab, act("attach_volume", worker_id=make_vm(lab), volume_id=disk, device_name="/dev/sdf"), "VolumeInUse", "AttachVolume")
    assert volume(lab, disk)["Attachments"][0]["InstanceId"] == worker
    lab.ec2.terminate_instances(InstanceIds=[worker])
    wait_until(lambda: state(lab, worker) == "terminated")
    refused(lab, act("start_worker", worker_id=worker), "IncorrectInstanceState", "StartInstances")


# --- trouble ---

TROUBLE = [({"kind": "error", "status": 503, "code": "RequestLimitExceeded", "message": "Request limit exceeded."}, True),
           ({"kind": "error", "status": 500, "code": "InternalError", "message": "An internal error has occurred"}, True),
           ({"kind": "error", "status": 503, "code": "Unavailable", "message": "The service is unavailable"}, True),
           ({"kind": "error", "status": 400, "code": "InvalidParameterCombination", "message": "These do not go together"}, False)]
TROUBLED = [("list_workers", {}, "DescribeInstances"), ("has_worker", {"worker_id": NO_WORKER}, "DescribeInstances"),
            ("delete_volume", {"volume_id": NO_VOLUME}, "DeleteVolume"),
            ("create_volume", {"size_gb": 1, "availability_zone": ZONE}, "CreateVolume")]


@pytest.mark.waits
@pytest.mark.parametrize("fault, again", TROUBLE, ids=[t[0]["code"] for t in TROUBLE])
@pytest.mark.parametrize("name, parameters, api_action", TROUBLED, ids=[t[0] for t in TROUBLED])
def test_trouble_that_stays(lab, act, name, parameters, api_action, fault, again):
    """ok_to_retry says whether it may pass."""
    lab.faults({"action": api_action, "count": -1, **fault})
    error = refused(lab, act(name, **parameters), fault["code"], api_action)
    assert error["ok_to_retry"] is again and error["aws"]["message"] == fault["message"]


def test_denied(lab, act):
    """The encoded message is AWS's own words, too; decoded, it is in the message."""
    lab.faults({"action": "StopInstances", "kind": "deny", "count": -1}, {"action": "StartInstances", "kind": "deny", "count": -1})
    answer = act("start_worker", worker_id=make_vm(lab), env={"AWS_ENDPOINT_URL_STS": lab.endpoint})
    error = answer.json["error"]
    assert error["aws"]["code"] == "UnauthorizedOperation" and error["ok_to_retry"] is False
    assert (error["aws"]["action"], error["aws"]["request_id"]) == (
        "StartInstances", lab.calls("StartInstances")[-1]["request_id"])
    assert "not authorized" in error["aws"]["message"]


def test_nobody_there(lab, act):
    """AWS said nothing: there is no aws."""
    answer = act("list_workers", config=config_with(lab, ec2_endpoint="http://127.0.0.1:1", max_retries=0))
    error = answer.json["error"]
    assert set(error) == {"type", "message", "ok_to_retry"} and error["ok_to_retry"] is True
    assert "127.0.0.1:1" in error["message"]


LOST = [{"kind": "drop"}, {"kind": "truncate"}, {"kind": "error_after", "status": 500, "code": "InternalError"}]


def _lost_scene(lab, name):
    """(parameters, API action, what there is more afterwards)."""
    if name == "create_worker":
        return {"worker_name": "web", "ami": lab.light_ami}, "RunInstances", {"instances": 1, "volumes": 1, "interfaces": 1,
                                                                             "attachments": 1}
    disk = make_disk(lab)
    if name == "create_volume":
        return {"size_gb": 1, "availability_zone": ZONE}, "CreateVolume", {"volumes": 1}
    if name == "create_snapshot":
        return {"volume_id": disk, "snapshot_name": "x"}, "CreateSnapshot", {"snapshots": 1}
    if name == "delete_snapshot":
        return {"snapshot_id": make_snapshot(lab)}, "DeleteSnapshot", {}
    if name == "delete_worker":
        return {"worker_id": make_vm(lab)}, "TerminateInstances", {}
    if name == "attach_volume":
        return {"volume_id": disk, "worker_id": make_vm(lab), "device_name": "/dev/sdf"}, "AttachVolume", {"attachments": 1}
    if name == "detach_volume":
        attach(lab, make_vm(lab), disk)
        return {"volume_id": disk}, "DetachVolume", {}
    return {"volume_id": disk}, "DeleteVolume", {}


@pytest.mark.parametrize("fault", LOST, ids=[f["kind"] for f in LOST])
@pytest.mark.parametrize("name", ["create_worker", "create_volume", "create_snapshot", "delete_worker", "delete_volume",
                                  "delete_snapshot", "attach_volume", "detach_volume"])
def test_a_lost_answer(lab, does, name, fault):
    """The call was done; it counts as done, once."""
    parameters, api_action, more = _lost_scene(lab, name)
    before = holdings(lab)
    lab.faults({"action": api_action, **fault})
    result = does(name, **parameters)
    assert lab.faults()[0]["hits"] == 1 and result["success"] is True
    new = more_than(before, holdings(lab))
    assert {kind: len(names) for kind, names in new.items()} == more
    if "id" in result:
        assert any(result["id"] in names for names in new.values())
    elif name != "attach_volume":
        assert more_than(holdings(lab), before), "nothing was taken away"


CREATING = ["create_worker", "create_volume", "create_snapshot"]


@pytest.mark.parametrize("name", CREATING)
@pytest.mark.parametrize("when", ["before", "after"])
def test_stopped(lab, tmp_path, name, when):
    """SIGTERM at the creating call: nothing stays, but where that was the last one, and the answer goes out all the same."""
    first = holdings(lab)
    parameters, api_action, more = _lost_scene(lab, name)
    before = holdings(lab)
    process = start_cpi(lab, env=state_env(tmp_path))
    lab.faults({"action": api_action, "kind": "signal", "signal": "TERM", "when": when, "pid": process.pid})
    out, err = process.communicate(request_bytes(action(name, **parameters)), timeout=60)
    answer, new = json.loads(out), more_than(before, holdings(lab))
    assert lab.faults()[0]["hits"] == 1 and journals(tmp_path) == []
    if answer["error"] is None:
        assert when == "after" and {kind: len(names) for kind, names in new.items()} == more, err
        assert answer["result"]["id"] in str(new)
    else:
        assert answer["error"]["type"] == "Bosh::Clouds::CloudError" and new == {}, err
    lab.reset()
    wipe(lab, first)


def undelivered(lab, folder, request):
    """A call whose standard output has nobody at its other end."""
    process = start_cpi(lab, env=state_env(folder))
    process.stdout.close()
    process.stdin.write(request_bytes(request))
    process.stdin.close()
    log = process.stderr.read().decode()
    assert process.wait(60) == 1 and "could not be delivered" in log, log


@pytest.mark.parametrize("name", [*CREATING, "attach_volume"])
def test_an_answer_that_nobody_takes(lab, tmp_path, name):
    """What was made is removed."""
    first = holdings(lab)
    parameters, api_action, _ = _lost_scene(lab, name)
    before = holdings(lab)
    lab.forget_calls()
    undelivered(lab, tmp_path, action(name, **parameters))
    assert [c["status"] for c in lab.calls(api_action)] == [200]
    wait_until(lambda: more_than(before, holdings(lab)) == {})
    assert journals(tmp_path) == []
    wipe(lab, first)


def test_an_attachment_that_was_there_stays(lab, tmp_path):
    """Though the call that found it could not deliver its answer."""
    first = holdings(lab)
    worker, disk = make_vm(lab), make_disk(lab)
    attach(lab, worker, disk)
    undelivered(lab, tmp_path, action("attach_volume", worker_id=worker, volume_id=disk, device_name="/dev/sdf"))
    assert [a["State"] for a in volume(lab, disk)["Attachments"]] == ["attached"]
    assert journals(tmp_path) == []
    wipe(lab, first)


@pytest.mark.parametrize("name", CREATING)
def test_killed(lab, tmp_path, name):
    """SIGKILL: the journal knows, and `cpi sweep` removes it."""
    first = holdings(lab)
    parameters, api_action, more = _lost_scene(lab, name)
    before = holdings(lab)
    process = start_cpi(lab, env=state_env(tmp_path))
    lab.faults({"action": api_action, "kind": "hold", "after": True})
    talk = threading.Thread(target=process.communicate, args=(request_bytes(action(name, **parameters)),))
    talk.start()
    wait_until(lambda: {k: len(v) for k, v in more_than(before, holdings(lab)).items()} == more)
    process.send_signal(signal.SIGKILL)
    talk.join(60)
    lab.release()
    assert len(journals(tmp_path)) == 1
    swept = run_cpi(lab, b"", env=state_env(tmp_path), arguments=("sweep", "--delete"))
    assert swept.returncode == 0, swept.stdout + swept.stderr
    wait_until(lambda: more_than(before, holdings(lab)) == {})
    assert journals(tmp_path) == []
    lab.reset()
    wipe(lab, first)


# --- parameters ---

@pytest.mark.parametrize("arguments", [[], [None], [{}], [{"region": None}]], ids=json.dumps)
def test_without_parameters(lab, arguments):
    assert created(run_cpi(lab, {"method": "list_workers", "arguments": arguments}))["success"] is True


WRONG = [
    ("get_worker", [], "nothing as worker_id (ID of the instance). get_worker takes worker_id, and if wanted region"),
    ("get_worker", [None], "nothing as worker_id"),
    ("get_worker", [{"worker_id": None}], "nothing as worker_id"),
    ("get_worker", [{"worker_id": ""}], "an empty string as worker_id, which should be a string"),
    ("get_worker", [{"worker_id": 7}], "worker_id, which should be a string"),
    ("get_worker", [{"worker_id": {}}], "worker_id, which should be a string"),
    ("get_worker", [{"worker_id": ["i-1"]}], "worker_id, which should be a string"),
    ("get_worker", [{"worker_id": True}], "worker_id, which should be a string"),
    ("get_worker", [{"worker_id": "i-1\0"}], "a string with a NUL as worker_id"),
    ("get_worker", [{"workerid": "i-1"}], "Did you mean worker_id?"),
    ("get_worker", [{"wroker_id": "i-1"}], "Did you mean worker_id?"),
    ("get_worker", [{"worker_id": "i-1", "zebra": 1}], "the parameter zebra, which get_worker does not have. It takes worker_id"),
    ("list_workers", [{"region\0": "eu-west-3"}], "a parameter with a NUL in its name"),
    ("get_worker", [{"worker_id": "i-1", "": 1}], "which get_worker does not have"),
    ("get_worker", [{"worker_id": "i-1", "x" * 5000: 1}], "x" * 80 + ", which get_worker does not have"),
    ("get_worker", ["i-1"], "and get_worker takes one object with its parameters"),
    ("get_worker", [["i-1"]], "and get_worker takes one object with its parameters"),
    ("get_worker", [{"worker_id": "i-1"}, {}], "2, and get_worker takes one object with its parameters"),
    ("list_workers", [{"region": ""}], "an empty string as region"),
    ("list_workers", [{"region": 1}], "region, which should be a string"),
    ("list_workers", [{"worker_id": "i-1"}], "list_workers does not have. It takes if wanted region"),
    ("create_volume", [{"availability_zone": ZONE}], "nothing as size_gb"),
    ("create_volume", [{"size_gb": 1}], "nothing as availability_zone"),
    *[("create_volume", [{"size_gb": size, "availability_zone": ZONE}], "as size_gb, which should be a whole number from 1 to 65536")
      for size in (0, -1, 65537, 1.5, 1e30, 2 ** 70, "many", "", [], {}, True, "1" * 5000)],
    ("create_worker", [{"ami": "ami-1"}], "nothing as worker_name"),
    ("create_worker", [{"worker_name": "", "ami": "ami-1"}], "an empty string as worker_name"),
    ("set_worker_metadata", [{"worker_id": "i-1", "key": "", "value": ""}], "an empty string as key"),
    ("set_worker_metadata", [{"worker_id": "i-1", "key": "a"}], "nothing as value"),
    ("set_worker_metadata", [{"worker_id": "i-1", "key": "a", "value": "b\0"}], "a string with a NUL as value"),
    ("attach_volume", [{"worker_id": "i-1", "volume_id": "vol-1"}], "nothing as device_name"),
    ("delete_snapshot", [{}], "nothing as snapshot_id"),
]


@pytest.mark.parametrize("number", range(len(WRONG)))
def test_wrong_parameters(lab, number):
    """Refused before AWS hears of them, with what is expected."""
    name, arguments, text = WRONG[number]
    wrong(run_cpi(lab, {"method": name, "arguments": arguments}), text)
    assert lab.calls() == []


def test_a_huge_value(lab, act):
    """EC2's to refuse; the answer stays one."""
    lab.faults({"action": "CreateTags", "kind": "error", "status": 400, "code": "InvalidParameterValue", "message": "Tag value is too long"})
    answer = act("set_worker_metadata", worker_id=NO_WORKER, key="a", value="v" * 200000)
    refused(lab, answer, "InvalidParameterValue", "CreateTags")
    error = act("get_worker", worker_id="i-" + "0" * 100000).json["error"]
    assert error["aws"]["code"] == "InvalidInstanceID.Malformed" and error["message"].startswith("DescribeInstances failed: Invalid")
    assert len(error["message"]) < 2100 and len(error["aws"]["message"]) <= 512  # cut


def test_foreign_values(lab, does):
    """What is written into a URL or XML has to be escaped."""
    value = "a&b=c <d> \"e\" 'f' %20+\t\u00fc\u20ac\U0001f600"
    worker = does("create_worker", worker_name=value, ami=lab.light_ami)["id"]
    assert tags(instance(lab, worker))["Name"] == value
    assert does("get_worker", worker_id=worker)["vm"]["name"] == value


def test_an_action_that_there_is_not(lab):
    answer = run_cpi(lab, {"method": "get_workers", "arguments": [{}]})
    assert answer.json["error"]["type"] == "Bosh::Clouds::NotImplemented"


# --- the AMI ---

def test_the_configurations_ami(lab, act, does):
    config = config_with(lab, worker_ami=lab.light_ami)
    worker = does("create_worker", worker_name="web", config=config)["id"]
    assert instance(lab, worker)["ImageId"] == lab.light_ami
    answer = act("create_worker", worker_name="web", ami="ami-0123456789abcdef0", config=config)
    refused(lab, answer, "InvalidAMIID.NotFound", "RunInstances")


@pytest.mark.parametrize("region", [None, ELSEWHERE])
def test_no_ami(lab, act, region):
    message = wrong(act("create_worker", worker_name="web", region=region), "nothing as ami", "aws.worker_ami")
    assert f"of region {region or 'us-east-1'} " in message
    assert lab.calls("RunInstances") == []


# --- regions ---

def test_two_regions(lab, act, does):
    """Each call has its own; what is here is not there."""
    there = make_elsewhere(lab)
    here = make_vm(lab)
    assert [w["id"] for w in does("list_workers", region=ELSEWHERE)["workers"]] == [there]
    shown = [w["id"] for w in does("list_workers")["workers"]]
    assert here in shown and there not in shown
    assert does("has_worker", worker_id=there) == {"success": True, "exists": False}
    assert does("has_worker", worker_id=there, region=ELSEWHERE) == {"success": True, "exists": True}
    assert does("get_worker", worker_id=there, region=ELSEWHERE)["vm"]["availability_zone"] == ELSEWHERE + "a"
    refused(lab, act("get_worker", worker_id=here, region=ELSEWHERE), "InvalidInstanceID.NotFound", "DescribeInstances")
    assert lab.calls("DescribeInstances")[-1]["region"] == ELSEWHERE
    assert len(does("get_volumes", region=ELSEWHERE)["volumes"]) == 2
    disk = does("create_volume", size_gb=1, availability_zone=ELSEWHERE + "b", region=ELSEWHERE)["id"]
    assert disk not in account(lab)["volumes"]
    assert does("delete_volume", volume_id=disk, region=ELSEWHERE) == DONE


def standard_env(lab, home, **more):
    """Somebody whose credentials and endpoints are the environment's, with instance metadata that would say us-west-2."""
    return director_env() | {
        "AWS_ACCESS_KEY_ID": lab.env["AWS_ACCESS_KEY_ID"], "AWS_SECRET_ACCESS_KEY": lab.env["AWS_SECRET_ACCESS_KEY"],
        "AWS_ENDPOINT_URL": lab.endpoint, "AWS_EC2_METADATA_SERVICE_ENDPOINT": lab.env["AWS_EC2_METADATA_SERVICE_ENDPOINT"],
        "HOME": str(home), "AWS_CPI_STATE_DIR": os.path.join(str(home), "state"), **more}


PARAMETER, CONFIGURED, VARIABLE, PROFILE = "eu-west-1", "eu-west-2", "eu-central-1", "ap-south-1"
REGIONS = [({"parameter", "configuration", "variable", "profile"}, PARAMETER), ({"configuration", "variable", "profile"}, CONFIGURED),
           ({"variable", "profile"}, VARIABLE), ({"profile"}, PROFILE), (set(), "us-east-1"), ({"parameter"}, PARAMETER)]


@pytest.mark.parametrize("said, region", REGIONS, ids=[" ".join(sorted(r[0])) or "nothing" for r in REGIONS])
def test_which_region(lab, tmp_path, said, region):
    """Parameter, configuration, variable, profile, us-east-1, in this order; instance metadata are not asked for it."""
    env = standard_env(lab, tmp_path, **{"AWS_REGION": VARIABLE} if "variable" in said else {})
    if "profile" in said:
        (tmp_path / ".aws").mkdir()
        (tmp_path / ".aws" / "config").write_text(f"[default]\nregion = {PROFILE}\n", encoding="utf-8")
    aws = {"credentials_source": "env_or_profile"} | ({"region": CONFIGURED} if "configuration" in said else {})
    config = {"cloud": {"plugin": "aws", "properties": {"aws": aws}}}
    request = action("list_workers", **{"region": PARAMETER} if "parameter" in said else {})
    lab.imds(paths={"/latest/meta-data/placement/region": "us-west-2"})
    assert created(run_cpi(lab, request, config, env=env))["success"] is True
    assert [c["region"] for c in lab.calls()] == [region]
    assert lab.imds_requests() == []


# --- long lists ---

COUNT = 1500


@pytest.mark.waits
@pytest.mark.parametrize("size", [pytest.param(None, marks=pytest.mark.long), 250])
def test_long_lists(fresh_lab, tmp_path, size):
    """1,500 instances and their volumes, over EC2's pages (the lab needs long for such) or smaller ones: all there, each once."""
    lab = fresh_lab(devices="plain")
    made = {i["InstanceId"] for _ in range(COUNT // 100) for i in lab.ec2.run_instances(
        ImageId=lab.light_ami, InstanceType="m5.large", MinCount=100, MaxCount=100)["Instances"]}
    assert len(made) == COUNT
    patient = config_with(lab)
    patient["cloud"]["properties"]["debug"]["cpi"]["time_scale"] = 1
    if size:
        lab.options(page_size=size)
    for name, member, api_action, most in (("list_workers", "workers", "DescribeInstances", 1000),
                                           ("get_volumes", "volumes", "DescribeVolumes", 500)):
        lab.forget_calls()
        found = created(run_cpi(lab, action(name), patient, state_env(tmp_path), timeout=300))[member]
        ids = [each["id"] for each in found]
        assert len(ids) == len(set(ids)) == COUNT + 1  # and the builder
        if name == "list_workers":
            assert set(ids) == made | {lab.builder}
        else:
            assert {each["attached_to"] for each in found} == made | {lab.builder}
        assert len(lab.calls(api_action)) == -(-(COUNT + 1) // (size or most))  # pages, rounded up


# --- the log ---

def test_the_log_shows_ids_and_no_values(lab, tmp_path):
    worker = make_vm(lab)
    try:
        answer = run_cpi(lab, action("set_worker_metadata", worker_id=worker, key="purpose", value="hunter2-of-the-tag"),
                         env=state_env(tmp_path) | {"CPI_LOG_LEVEL": "debug"})
        created(answer)
        assert worker in answer.stderr and '"key":"purpose"' in answer.stderr
        assert "hunter2" not in answer.stderr
    finally:
        lab.ec2.terminate_instances(InstanceIds=[worker])
