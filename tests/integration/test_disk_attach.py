# SPDX-License-Identifier: Apache-2.0
"""attach_disk and detach_disk: the device names, the hints, races and waits, by another client's eyes."""
import json
import re
import threading

import pytest
from botocore.exceptions import ClientError
from conftest import beside, director_context, request_bytes, start_cpi, wait_until
from disk_kit import DISK_NOT_FOUND, MISSING_DISK, MISSING_VM, VM_NOT_FOUND, caller, cleaned, hurried
from registry import Registry
from scenarios import attach, holdings, make_disk, make_vm, more_than
from test_create_stemcell import actions, config_with, created, refused, state_env

NOT_ATTACHED = "Bosh::Clouds::DiskNotAttached"
NITRO, XEN = "m5.large", "t2.micro"


@pytest.fixture(scope="module", autouse=True)
def account_as_it_was(session_lab):
    with cleaned(session_lab):
        yield


@pytest.fixture
def call(lab, tmp_path):
    return caller(lab, tmp_path)


def attachments(lab, disk):
    """VM → (device, state)."""
    return {a["InstanceId"]: (a["Device"], a["State"])
            for a in lab.ec2.describe_volumes(VolumeIds=[disk])["Volumes"][0]["Attachments"]}


def fill(lab, vm, names):
    """Attaches a disk under each of the names."""
    for name in names:
        lab.ec2.attach_volume(InstanceId=vm, VolumeId=make_disk(lab, 1), Device=name)


def usual_names(letters="fghijklmnop"):
    return [f"/dev/sd{letter}" for letter in letters]


def nvme(disk):
    return "/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_" + disk.replace("-", "")


# --- attach_disk ---

@pytest.mark.parametrize("kind", [NITRO, XEN])
def test_attach(lab, call, kind):
    vm, disk = make_vm(lab, type=kind), make_disk(lab)
    hint = created(call("attach_disk", vm, disk))
    assert sorted(actions(lab)) == ["AttachVolume", "DescribeInstanceTypes", "DescribeInstances", "DescribeVolumes"]
    assert hint == (nvme(disk) if kind == NITRO else "/dev/sdf")
    assert attachments(lab, disk) == {vm: ("/dev/sdf", "attached")}


def test_attach_looks_up_the_type_meanwhile(lab, call):
    """The look-up of the type takes longer than all the rest together, and is asked for before that ends."""
    vm, disk = make_vm(lab), make_disk(lab)
    lab.faults({"action": "DescribeInstanceTypes", "kind": "hold", "after": True})
    lab.states(volume={"attached": 0.3})
    attaching, answers = beside(lambda: call("attach_disk", vm, disk))

    def all_the_rest():
        attached = [c["end"] for c in lab.calls("AttachVolume") if c["status"] == 200]
        return attached and lab.calls("DescribeInstanceTypes") and any(
            c["status"] == 200 and c["start"] > attached[0] for c in lab.calls("DescribeVolumes"))
    wait_until(all_the_rest)
    assert lab.calls("DescribeInstanceTypes")[0]["status"] is None
    lab.release()
    attaching.join()
    created(answers[0])


def test_attach_without_describe_instance_types(lab, call):
    vm, disk = make_vm(lab), make_disk(lab)
    config = config_with(lab, enable_describe_instance_types=False)
    assert created(call("attach_disk", vm, disk, config=config)) == nvme(disk)
    assert "DescribeInstanceTypes" not in actions(lab)


def test_attach_takes_the_first_free_name(lab, call):
    vm, disk = make_vm(lab), make_disk(lab)
    fill(lab, vm, ["/dev/sdf", "/dev/xvdg", "/dev/sdi"])
    created(call("attach_disk", vm, disk))
    assert attachments(lab, disk)[vm][0] == "/dev/sdh"


def test_attach_beyond_eleven_on_nitro(lab, call):
    vm = make_vm(lab)
    fill(lab, vm, usual_names())
    for name in ("/dev/xvdba", "/dev/xvdbb"):
        disk = make_disk(lab)
        assert created(call("attach_disk", vm, disk)) == nvme(disk)
        assert sorted(actions(lab)) == ["AttachVolume", "DescribeInstanceTypes", "DescribeInstances", "DescribeVolumes"]
        assert attachments(lab, disk) == {vm: (name, "attached")}


def test_attach_beyond_eleven_on_xen(lab, call):
    vm, disk = make_vm(lab, type=XEN), make_disk(lab)
    fill(lab, vm, usual_names())
    message = refused(call("attach_disk", vm, disk), "too many disks attached")
    assert XEN in message and vm in message
    assert "AttachVolume" not in actions(lab)
    assert attachments(lab, disk) == {}


def test_attach_beyond_what_the_type_takes(lab, call):
    vm, disk = make_vm(lab), make_disk(lab)
    with pytest.raises(ClientError, match="AttachmentLimitExceeded"):
        fill(lab, vm, usual_names() + [f"/dev/xvdb{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"])
    message = refused(call("attach_disk", vm, disk), r"too many disks attached: instance type m5.large takes \d+ volumes")
    assert vm in message
    assert "AttachVolume" not in actions(lab)


def test_attach_whose_limit_ec2_knows_better(lab, call):
    vm, disk = make_vm(lab), make_disk(lab)
    lab.faults({"action": "AttachVolume", "kind": "error", "status": 400, "code": "AttachmentLimitExceeded", "count": -1})
    message = refused(call("attach_disk", vm, disk), "AttachmentLimitExceeded")
    assert vm in message and disk in message
    assert len(lab.calls("AttachVolume")) == 1


def test_attach_when_another_call_takes_the_name(lab, call):
    vm, disk = make_vm(lab), make_disk(lab)
    taken = {"action": "AttachVolume", "kind": "error", "status": 400, "code": "InvalidParameterValue",
             "message": "Invalid value '/dev/sdf' for unixDevice. Attachment point /dev/sdf is already in use"}
    lab.faults({**taken, "match": {"Device": "/dev/sd[fg]"}, "count": 2})
    created(call("attach_disk", vm, disk))
    assert attachments(lab, disk) == {vm: ("/dev/sdh", "attached")}
    assert [c["params"]["Device"] for c in lab.calls("AttachVolume")] == ["/dev/sdf", "/dev/sdg", "/dev/sdh"]


def test_attach_when_other_calls_take_all_the_usual_names(lab, call):
    vm, disk = make_vm(lab), make_disk(lab)
    lab.faults({"action": "AttachVolume", "kind": "error", "status": 400, "code": "InvalidParameterValue",
                "message": "Attachment point is already in use", "match": {"Device": "/dev/sd?"}, "count": -1})
    assert created(call("attach_disk", vm, disk)) == nvme(disk)
    assert attachments(lab, disk) == {vm: ("/dev/xvdba", "attached")}


def test_attach_twice_at_once(lab, tmp_path):
    """Both see the same names free."""
    vm, disks = make_vm(lab), [make_disk(lab), make_disk(lab)]
    # the answers wait until both have asked
    lab.faults({"action": "DescribeInstances", "kind": "hold", "count": 2, "after": True})
    lab.forget_calls()
    running = []
    for disk in disks:
        process = start_cpi(lab, env=state_env(tmp_path))
        process.stdin.write(request_bytes({"method": "attach_disk", "arguments": [vm, disk]}))
        process.stdin.close()
        running.append(process)
    wait_until(lambda: len(lab.calls("DescribeInstances")) == 2)
    lab.release()
    for process, disk in zip(running, disks):
        answer = json.loads(process.stdout.read())
        process.stderr.read()
        process.wait(30)
        assert answer["error"] is None and answer["result"] == nvme(disk)
    assert sorted(attachments(lab, disk)[vm] for disk in disks) == [("/dev/sdf", "attached"), ("/dev/sdg", "attached")]


def test_attach_waits_while_the_disk_is_in_use(lab, call):
    old, new, disk = make_vm(lab), make_vm(lab), make_disk(lab)
    attach(lab, old, disk)
    timer = threading.Timer(1, lambda: lab.ec2.detach_volume(VolumeId=disk))
    timer.start()
    created(call("attach_disk", new, disk))
    timer.join()
    assert attachments(lab, disk) == {new: ("/dev/sdf", "attached")}
    assert len(lab.calls("AttachVolume")) > 1


def test_attach_gives_up_on_a_disk_that_stays_in_use(lab, call):
    old, new, disk = make_vm(lab), make_vm(lab), make_disk(lab)
    attach(lab, old, disk)
    message = refused(call("attach_disk", new, disk, config=hurried(lab)), "VolumeInUse")
    assert old in message and "600 s" in message
    assert attachments(lab, disk) == {old: ("/dev/sdf", "attached")}


def test_attach_repeats_incorrect_state(lab, call):
    vm, disk = make_vm(lab), make_disk(lab)
    lab.faults({"action": "AttachVolume", "kind": "error", "status": 400, "code": "IncorrectState", "count": 3})
    created(call("attach_disk", vm, disk))
    assert len(lab.calls("AttachVolume")) == 4
    assert attachments(lab, disk)[vm] == ("/dev/sdf", "attached")


def test_attach_gives_up_on_incorrect_state(lab, call):
    vm, disk = make_vm(lab), make_disk(lab)
    lab.faults({"action": "AttachVolume", "kind": "error", "status": 400, "code": "IncorrectState", "count": -1})
    refused(call("attach_disk", vm, disk, config=hurried(lab)), "IncorrectState")
    assert len(lab.calls("AttachVolume")) == 15
    assert attachments(lab, disk) == {}


def test_attach_waits_until_attached(lab, call):
    vm, disk = make_vm(lab), make_disk(lab)
    lab.states(volume={"attached": {"looks": 2}})
    created(call("attach_disk", vm, disk))
    assert attachments(lab, disk)[vm][1] == "attached"


def test_attach_that_never_ends_is_undone(lab, call):
    vm, disk = make_vm(lab), make_disk(lab)
    before = holdings(lab)
    lab.states(volume={"attached": {"never": True}})
    refused(call("attach_disk", vm, disk, config=hurried(lab)), "attach")
    wait_until(lambda: attachments(lab, disk) == {})
    assert more_than(before, holdings(lab)) == {}


@pytest.mark.parametrize("action", ["DescribeInstanceTypes", "DescribeVolumes"])
def test_attach_that_fails_afterwards_is_undone(lab, call, action):
    vm, disk = make_vm(lab), make_disk(lab)
    lab.faults({"action": action, "kind": "error", "status": 400, "code": "InvalidInput", "count": 1})
    refused(call("attach_disk", vm, disk), "InvalidInput")
    wait_until(lambda: attachments(lab, disk) == {})


def test_attach_of_what_the_vm_has_already(lab, call):
    vm, disk = make_vm(lab), make_disk(lab)
    attach(lab, vm, disk, "/dev/sdk")
    assert created(call("attach_disk", vm, disk)) == nvme(disk)
    assert "AttachVolume" not in actions(lab)
    assert attachments(lab, disk) == {vm: ("/dev/sdk", "attached")}


def test_attach_of_what_the_vm_has_already_is_not_undone(lab, call):
    """It was there before this call."""
    vm, disk = make_vm(lab), make_disk(lab)
    attach(lab, vm, disk, "/dev/sdk")
    lab.faults({"action": "DescribeInstanceTypes", "kind": "error", "status": 400, "code": "InvalidInput", "count": -1})
    refused(call("attach_disk", vm, disk), "InvalidInput")
    assert attachments(lab, disk) == {vm: ("/dev/sdk", "attached")}


def test_attach_whose_answer_is_lost(lab, call):
    vm, disk = make_vm(lab), make_disk(lab)
    lab.faults({"action": "AttachVolume", "kind": "drop"})
    created(call("attach_disk", vm, disk))
    assert attachments(lab, disk) == {vm: ("/dev/sdf", "attached")}


def test_attach_to_a_missing_vm(lab, call):
    disk = make_disk(lab)
    refused(call("attach_disk", MISSING_VM, disk), MISSING_VM, VM_NOT_FOUND)
    assert actions(lab) == ["DescribeInstances"]


def test_attach_to_a_terminated_vm(lab, call):
    vm, disk = make_vm(lab), make_disk(lab)
    lab.ec2.terminate_instances(InstanceIds=[vm])
    wait_until(lambda: vm not in holdings(lab)["instances"])
    refused(call("attach_disk", vm, disk), vm, VM_NOT_FOUND)


def test_attach_of_a_missing_disk(lab, call):
    refused(call("attach_disk", make_vm(lab), MISSING_DISK), MISSING_DISK, DISK_NOT_FOUND)
    assert len(lab.calls("AttachVolume")) == 1


@pytest.mark.parametrize("method", ["attach_disk", "detach_disk"])
@pytest.mark.parametrize("arguments", [[MISSING_VM], [MISSING_VM, 5], [None, MISSING_DISK]])
def test_wrong_arguments(lab, call, method, arguments):
    refused(call(method, *arguments), "^Arguments are not correct", "InvalidCall")
    assert actions(lab) == []


# --- detach_disk ---

def test_detach(lab, call):
    vm, disk = make_vm(lab), make_disk(lab)
    attach(lab, vm, disk)
    assert created(call("detach_disk", vm, disk)) is None
    assert actions(lab) == ["DescribeVolumes", "DetachVolume", "DescribeVolumes"]
    assert attachments(lab, disk) == {}


def test_detach_waits(lab, call):
    vm, disk = make_vm(lab), make_disk(lab)
    attach(lab, vm, disk)
    lab.states(volume={"detached": {"looks": 2}})
    created(call("detach_disk", vm, disk))
    assert attachments(lab, disk) == {}


def test_detach_of_what_is_being_detached(lab, call):
    vm, disk = make_vm(lab), make_disk(lab)
    attach(lab, vm, disk)
    lab.states(volume={"detached": {"looks": 3}})
    lab.ec2.detach_volume(VolumeId=disk)
    created(call("detach_disk", vm, disk))
    assert "DetachVolume" not in actions(lab)
    assert attachments(lab, disk) == {}


@pytest.mark.parametrize("elsewhere", [False, True])
def test_detach_of_what_is_not_attached(lab, call, elsewhere):
    vm, disk = make_vm(lab), make_disk(lab)
    other = make_vm(lab) if elsewhere else None
    if elsewhere:
        attach(lab, other, disk)
    answer = call("detach_disk", vm, disk)
    refused(answer, f"Disk '{disk}' is not attached to VM '{vm}'", NOT_ATTACHED)
    assert answer.json["error"]["ok_to_retry"] is True
    assert "DetachVolume" not in actions(lab)
    assert list(attachments(lab, disk)) == ([other] if elsewhere else [])


def test_detach_of_a_missing_disk(lab, call):
    answer = call("detach_disk", make_vm(lab), MISSING_DISK)
    assert created(answer) is None
    assert re.search(f"WARN.*{MISSING_DISK}.*does not exist", answer.stderr)


def test_detach_from_a_missing_vm(lab, call):
    refused(call("detach_disk", MISSING_VM, make_disk(lab)), MISSING_VM, VM_NOT_FOUND)


def test_detach_that_never_ends(lab, call):
    vm, disk = make_vm(lab), make_disk(lab)
    attach(lab, vm, disk)
    lab.states(volume={"detached": {"never": True}})
    assert disk in refused(call("detach_disk", vm, disk, config=hurried(lab)), "detaching")


def test_detach_whose_answer_is_lost(lab, call):
    vm, disk = make_vm(lab), make_disk(lab)
    attach(lab, vm, disk)
    lab.faults({"action": "DetachVolume", "kind": "drop"})
    created(call("detach_disk", vm, disk))
    assert attachments(lab, disk) == {}


# --- versions and the registry ---

@pytest.fixture
def registry():
    """A running one, empty."""
    running = Registry()
    yield running
    running.close()


def config_of(lab, registry):  # pylint: disable=redefined-outer-name
    config = config_with(lab)
    config["cloud"]["properties"]["registry"] = registry.config()
    return config


def versions(api, stemcell):
    """The rest of a request at these versions."""
    return {"api_version": api, "context": director_context(vm={"stemcell": {"api_version": stemcell} if stemcell else {}})}


@pytest.mark.parametrize("api, stemcell", [(1, 3), (1, None), (2, 1), (2, None), (3, 1)])
def test_with_the_registry(lab, call, registry, api, stemcell):
    vm, disk = make_vm(lab), make_disk(lab)
    registry.put(vm, agent_id="a", disks={"persistent": {"vol-1": "/dev/sdk"}})
    more = {"config": config_of(lab, registry), **versions(api, stemcell)}
    assert created(call("attach_disk", vm, disk, **more)) == (None if api == 1 else nvme(disk))
    assert registry.get(vm) == {"agent_id": "a", "disks": {"persistent": {"vol-1": "/dev/sdk", disk: nvme(disk)}}}
    assert created(call("detach_disk", vm, disk, **more)) is None
    assert registry.get(vm) == {"agent_id": "a", "disks": {"persistent": {"vol-1": "/dev/sdk"}}}


def test_without_the_registry(lab, call, registry):
    vm, disk = make_vm(lab), make_disk(lab)
    more = {"config": config_of(lab, registry), **versions(2, 2)}
    assert created(call("attach_disk", vm, disk, **more)) == nvme(disk)
    assert created(call("detach_disk", vm, disk, **more)) is None
    assert registry.requests == []


@pytest.mark.parametrize("method", ["attach_disk", "detach_disk"])
def test_no_registry_where_one_is_needed(lab, call, method):
    vm, disk = make_vm(lab), make_disk(lab)
    refused(call(method, vm, disk, **versions(2, 1)), "registry")
    assert actions(lab) == []


def test_a_registry_that_fails(lab, call, registry):
    """The agent would not find the disk, so it is detached again."""
    vm, disk = make_vm(lab), make_disk(lab)
    registry.trouble = lambda request: 500
    refused(call("attach_disk", vm, disk, config=config_of(lab, registry), **versions(2, 1)), "500")
    wait_until(lambda: attachments(lab, disk) == {})


def test_detach_of_a_missing_disk_with_the_registry(lab, call, registry):
    vm = make_vm(lab)
    registry.put(vm, disks={"persistent": {MISSING_DISK: "/dev/sdf"}})
    assert created(call("detach_disk", vm, MISSING_DISK, config=config_of(lab, registry), **versions(2, 1))) is None
    assert registry.get(vm) == {"disks": {"persistent": {}}}
