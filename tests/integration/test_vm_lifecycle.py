# SPDX-License-Identifier: Apache-2.0
"""delete_vm, has_vm, reboot_vm, set_vm_metadata, get_disks: what the account shows afterwards, by another client's eyes."""
import pytest
from conftest import director_context, run_cpi
from scenarios import attach, holdings, make_disk, make_vm, wipe

MISSING = "i-0123456789abcdef0"
NOT_FOUND = "Bosh::Clouds::VMNotFound"


@pytest.fixture(autouse=True)
def tidy(lab):
    """Whatever a test makes, goes."""
    before = holdings(lab)
    yield
    lab.reset()
    wipe(lab, before)


@pytest.fixture
def call(lab):
    """call(method, arguments…): the answer; .actions are the calls that it took."""
    def one(method, *arguments, config=None, **request):
        lab.forget_calls()
        answer = run_cpi(lab, {"method": method, "arguments": list(arguments), **request}, config)
        assert answer.returncode == 0
        answer.actions = [c["action"] for c in lab.calls()]
        return answer
    return one


def done(answer, result=None):
    assert answer.json == {"result": result, "error": None, "log": ""}, answer.stderr


def refused(answer, kind, *texts):
    error = answer.json["error"]
    assert error["type"] == kind, error
    for text in texts:
        assert text in error["message"]
    return error


def instance(lab, vm):
    return lab.ec2.describe_instances(InstanceIds=[vm])["Reservations"][0]["Instances"][0]


def state(lab, vm):
    return instance(lab, vm)["State"]["Name"]


def tags(lab, thing):
    """Those that CPI methods set: the tags that AWS and the lab know of a thing of any kind."""
    found = lab.ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [thing]}])["Tags"]
    return {t["Key"]: t["Value"] for t in found}


def volumes(lab, vm):
    return [m["Ebs"]["VolumeId"] for m in instance(lab, vm)["BlockDeviceMappings"]]


# --- delete_vm ---

def test_delete(lab, call):
    vm = make_vm(lab)
    answer = call("delete_vm", vm)
    done(answer)
    assert state(lab, vm) == "terminated"
    assert answer.actions == ["TerminateInstances", "DescribeInstances"]


def test_delete_waits_until_terminated(lab, call):
    vm = make_vm(lab)
    lab.states(instance={"terminated": {"looks": 3}})
    answer = call("delete_vm", vm)
    done(answer)
    assert state(lab, vm) == "terminated"
    assert answer.actions.count("DescribeInstances") == 4


def test_delete_keeps_persistent_disks(lab, call):
    vm, disk = make_vm(lab), make_disk(lab)
    attach(lab, vm, disk)
    own = [v for v in volumes(lab, vm) if v != disk]
    done(call("delete_vm", vm))
    left = {v["VolumeId"]: v["State"] for v in lab.ec2.describe_volumes()["Volumes"]}
    assert left[disk] == "available"
    assert own and not set(own) & set(left)


def test_delete_missing(call):
    answer = call("delete_vm", MISSING)
    refused(answer, NOT_FOUND, MISSING)
    assert answer.actions == ["TerminateInstances"]


def test_delete_again(lab, call):
    """EC2 shows a terminated instance for a while."""
    vm = make_vm(lab)
    done(call("delete_vm", vm))
    done(call("delete_vm", vm))


@pytest.mark.parametrize("truthy", [True, "yes"])
def test_delete_fast(lab, call, truthy):
    vm = make_vm(lab)
    lab.states(instance={"terminated": {"never": True}})
    answer = call("delete_vm", vm, context=director_context(fast_path_delete=truthy))
    done(answer)
    assert answer.actions == ["TerminateInstances", "CreateTags"]
    assert state(lab, vm) == "shutting-down"
    assert tags(lab, vm)["Name"] == "to be deleted"


@pytest.mark.parametrize("falsy", [False, None])
def test_delete_not_fast(lab, call, falsy):
    vm = make_vm(lab)
    answer = call("delete_vm", vm, context=director_context(fast_path_delete=falsy))
    done(answer)
    assert "CreateTags" not in answer.actions
    assert state(lab, vm) == "terminated"


def test_delete_of_a_protected_vm(lab, call):
    """What EC2 says reaches the operator, and nothing is waited for."""
    vm = make_vm(lab)
    lab.faults({"action": "TerminateInstances", "kind": "error", "status": 400, "code": "OperationNotPermitted",
                "message": "The instance may not be terminated. Modify its 'disableApiTermination' instance attribute"})
    answer = call("delete_vm", vm)
    refused(answer, "Bosh::Clouds::CloudError", "OperationNotPermitted", "disableApiTermination", "TerminateInstances")
    assert answer.actions == ["TerminateInstances"]


# --- has_vm ---

def test_has(lab, call):
    vm = make_vm(lab)
    answer = call("has_vm", vm)
    done(answer, True)
    assert answer.actions == ["DescribeInstances"]
    lab.ec2.stop_instances(InstanceIds=[vm])
    done(call("has_vm", vm), True)
    lab.ec2.terminate_instances(InstanceIds=[vm])
    done(call("has_vm", vm), False)
    done(call("has_vm", MISSING), False)


def test_has_is_not_sure(lab, call):
    """A failure to look is not a "no": the Director would make the VM anew."""
    vm = make_vm(lab)
    lab.faults({"action": "DescribeInstances", "kind": "error", "status": 403, "code": "UnauthorizedOperation",
                "message": "You are not authorized", "count": -1})
    refused(call("has_vm", vm), "Bosh::Clouds::CloudError", "UnauthorizedOperation")


# --- reboot_vm ---

def test_reboot(lab, call):
    vm = make_vm(lab)
    answer = call("reboot_vm", vm)
    done(answer)
    assert answer.actions == ["RebootInstances"]
    assert lab.calls("RebootInstances")[0]["params"] == {"InstanceId.1": vm}
    assert state(lab, vm) == "running"


def test_reboot_missing(call):
    answer = call("reboot_vm", MISSING)
    refused(answer, NOT_FOUND, MISSING)
    assert answer.actions == ["RebootInstances"]


def not_in_that_state(lab, action="RebootInstances", **more):
    lab.faults({"action": action, "kind": "error", "status": 400, "code": "IncorrectInstanceState",
                "message": "The instance is not in a state from which it can be rebooted", **more})


@pytest.mark.beyond_incumbent
def test_reboot_of_a_stopped_vm(lab, call):
    vm = make_vm(lab)
    lab.ec2.stop_instances(InstanceIds=[vm])
    not_in_that_state(lab)
    answer = call("reboot_vm", vm)
    done(answer)
    assert answer.actions == ["RebootInstances", "StartInstances"]
    assert state(lab, vm) in ("pending", "running")


def test_reboot_of_a_stopped_vm_without_the_right(lab, call):
    """The incumbent's policy does not have it."""
    vm = make_vm(lab)
    lab.ec2.stop_instances(InstanceIds=[vm])
    not_in_that_state(lab)
    refused(call("reboot_vm", vm), "Bosh::Clouds::CloudError", vm, "ec2:StartInstances", "UnauthorizedOperation",
            "start the VM by hand")
    assert state(lab, vm) == "stopped"


def test_reboot_of_a_vm_that_is_ending(lab, call):
    """It will not come back, whatever is waited for."""
    vm = make_vm(lab)
    lab.ec2.terminate_instances(InstanceIds=[vm])
    not_in_that_state(lab)
    not_in_that_state(lab, "StartInstances", count=-1)
    refused(call("reboot_vm", vm), NOT_FOUND, vm, "terminated")


# --- set_vm_metadata ---

METADATA = {"director": "bosh", "deployment": "redis", "job": "redis", "index": "1", "id": "2e52d8ad"}


def test_metadata(lab, call):
    vm, disk = make_vm(lab), make_disk(lab)
    attach(lab, vm, disk)
    answer = call("set_vm_metadata", vm, {**METADATA, "count": 3, "on": True, "nothing": None})
    done(answer)
    assert answer.actions == ["DescribeInstances", "CreateTags"]
    things = [vm, *volumes(lab, vm)]
    assert disk in things and len(things) == 3
    for thing in things:
        found = tags(lab, thing)
        assert found.items() >= {**METADATA, "count": "3", "on": "true", "Name": "redis/1"}.items()
        assert "nothing" not in found


@pytest.mark.parametrize("metadata, name", [
    ({"name": "redis/2e52d8ad", "job": "redis", "index": "1"}, "redis/2e52d8ad"),
    ({"job": "redis", "index": "1", "compiling": "ruby"}, "redis/1"),
    ({"job": "redis", "index": 0}, "redis/0"),
    ({"compiling": "ruby"}, "compiling/ruby"),
    ({"name": None, "compiling": "ruby"}, "compiling/ruby"),
    ({"job": "redis", "compiling": "ruby"}, "compiling/ruby"),
    ({"name": "new", "Name": "old"}, "new"),
    ({"Name": "own"}, "own"),
    ({"job": "redis"}, None)], ids=str)
def test_names(lab, call, metadata, name):
    vm = make_vm(lab)
    done(call("set_vm_metadata", vm, metadata))
    found = tags(lab, vm)
    assert found.get("Name") == name
    assert "name" not in found
    assert found.items() >= {k: str(v) for k, v in metadata.items() if v is not None and k.lower() != "name"}.items()


def test_metadata_is_cut(lab, call):
    """At characters, not bytes."""
    vm = make_vm(lab)
    done(call("set_vm_metadata", vm, {"kä" + "x" * 200: "ö" * 300}))
    assert tags(lab, vm) == {"kä" + "x" * 125: "ö" * 255}


def full(lab, **match):
    lab.faults({"action": "CreateTags", "kind": "error", "status": 400, "code": "TagLimitExceeded", "count": -1,
                "message": "More than 50 tags specified", "match": match})


def test_one_full_tag_set(lab, call):
    """It is logged, and the others get their tags."""
    vm, disk = make_vm(lab), make_disk(lab)
    attach(lab, vm, disk)
    full(lab, **{"ResourceId.2": "*"})
    full(lab, **{"ResourceId.1": disk})
    answer = call("set_vm_metadata", vm, METADATA)
    done(answer)
    assert "TagLimitExceeded" in answer.stderr and disk in answer.stderr
    for thing in [vm, *volumes(lab, vm)]:
        assert tags(lab, thing).get("deployment") == (None if thing == disk else "redis")


@pytest.mark.parametrize("code", ["TagLimitExceeded", "InvalidParameterValue"])
def test_tags_that_are_refused(lab, call, code):
    vm = make_vm(lab)
    lab.faults({"action": "CreateTags", "kind": "error", "status": 400, "code": code, "message": "no", "count": -1})
    answer = call("set_vm_metadata", vm, METADATA)
    done(answer)
    assert f"could not tag {vm}" in answer.stderr and code in answer.stderr


def test_metadata_of_a_missing_vm(call):
    answer = call("set_vm_metadata", MISSING, METADATA)
    refused(answer, NOT_FOUND, MISSING)
    assert answer.actions == ["DescribeInstances"]


# --- get_disks ---

def test_disks(lab, call):
    vm, disk = make_vm(lab), make_disk(lab)
    attach(lab, vm, disk)
    answer = call("get_disks", vm)
    assert sorted(answer.json["result"]) == sorted(volumes(lab, vm))
    assert disk in answer.json["result"] and len(answer.json["result"]) == 2
    assert answer.actions == ["DescribeInstances"]


def test_disks_of_a_missing_vm(call):
    refused(call("get_disks", MISSING), NOT_FOUND, MISSING)


# --- wrong arguments ---

@pytest.mark.parametrize("method, arguments", [
    ("delete_vm", []), ("delete_vm", [7]), ("delete_vm", [None]), ("has_vm", [["i-1"]]), ("reboot_vm", [{}]),
    ("set_vm_metadata", ["i-1"]), ("set_vm_metadata", ["i-1", None]), ("set_vm_metadata", ["i-1", "x"]),
    ("get_disks", [7]), ("get_disks", ["i-1", "i-2"])], ids=str)
def test_wrong_arguments(call, method, arguments):
    answer = call(method, *arguments)
    refused(answer, "InvalidCall", "Arguments are not correct")
    assert answer.actions == []
