# SPDX-License-Identifier: Apache-2.0
"""Throttling: crowds of cpi against EC2's token buckets, and what is in the state directory for that. How long they take is
`make bench`'s to measure; here it is that none fails, nothing doubles, and few calls are refused."""
import os
import re
import stat
import sys
import time

import pytest
from botocore.retries.standard import ThrottledRetryableChecker
from conftest import CPI, ROOT, request_bytes, run_cpi, start_cpi, wait_until
from disk_kit import cleaned
from scenarios import make_vm
from test_create_stemcell import config_with, created, state_env

sys.path.insert(0, os.path.join(ROOT, "tests", "bench"))
import crowd  # noqa: E402  pylint: disable=wrong-import-position

pytestmark = pytest.mark.waits

# sanitizers and valgrind take their time
PATIENCE = 600


@pytest.fixture(scope="module", autouse=True)
def account_as_it_was(session_lab):
    with cleaned(session_lab):
        yield


@pytest.fixture
def in_real_time(lab):
    """The configuration without the debug settings in which time goes faster."""
    config = config_with(lab)
    config["cloud"]["properties"].pop("debug", None)
    return config


def throttle_files(folder):
    """The files that the processes share."""
    folder = os.path.join(str(folder), "state", "throttle")
    return [os.path.join(folder, name) for name in os.listdir(folder)] if os.path.isdir(folder) else []


def throttled(log):
    """How often each call of that log was refused."""
    return [int(n) for n in re.findall(r" throttled=(\d+) ", log)]


def volumes(lab):
    return {v["VolumeId"]: v for v in lab.ec2.describe_volumes()["Volumes"]}


def request_tag(volume):
    return next(t["Value"] for t in volume["Tags"] if t["Key"] == "aws-cpi-request")


def check_crowd(lab, people, before):
    """What another client sees of what they have done."""
    assert not people.failures(), people.failures()[0]
    after = volumes(lab)
    disks = people.results("create_disk")
    assert sorted(disks) == sorted(set(after) - set(before))
    assert len({request_tag(after[disk]) for disk in disks}) == len(disks)
    wanted = {arguments[1]: arguments[0] for method, arguments, _, _ in people.answers if method == "attach_disk"}
    assert {disk: [a["InstanceId"] for a in after[disk]["Attachments"]] for disk in people.disks} == {
        disk: [vm] for disk, vm in wanted.items()}
    assert all(r is True for r in people.results("has_vm"))


def test_two_hundred_at_once(lab, tmp_path, in_real_time):
    people = crowd.Crowd(lab.ec2, 200, lab.light_ami, lab.env["LAB_SUBNET"])
    try:
        before = volumes(lab)
        lab.buckets(limits="published")
        people.run(CPI, in_real_time, crowd.environment(tmp_path))
        buckets = lab.buckets()
        lab.reset()
        check_crowd(lab, people, before)
    finally:
        lab.reset()
        people.clean()
    # those that were on their way when the first one was refused; then hardly any
    assert sum(b["refused"] for b in buckets.values()) < 2 * 200
    assert buckets["us-east-1 CreateVolume"]["given"] == 80 and buckets["us-east-1 AttachVolume"]["given"] == 60
    assert max(n for _, _, _, log in people.answers for n in [0, *throttled(log)]) <= 8


@pytest.mark.parametrize("where", ["shared", "nowhere"])
def test_a_bucket_smaller_than_published(lab, tmp_path, in_real_time, where):
    """One whose limits are others than expected, with a state directory and without."""
    vm = make_vm(lab)
    environment = crowd.environment(tmp_path)
    if where == "nowhere":
        environment["AWS_CPI_STATE_DIR"] = "/dev/null/nowhere"
    lab.buckets(limits="published", actions={"DescribeInstances": [5, 4]})
    running = [start_cpi(lab, in_real_time, environment) for _ in range(40)]
    for process in running:
        process.stdin.write(request_bytes({"method": "has_vm", "arguments": [vm]}))
        process.stdin.close()
    logs = []
    for process in running:
        assert process.stdout.read().startswith(b'{"result":true')
        logs.append(process.stderr.read().decode())
        process.stdout.close()
        process.stderr.close()
        assert process.wait(PATIENCE) == 0
    bucket = lab.buckets()["us-east-1 DescribeInstances"]
    assert bucket["given"] == 40
    counts = [n for log in logs for n in throttled(log)]
    assert sum(counts) == bucket["refused"]
    if where == "shared":
        assert max(counts) <= 8
    else:
        assert max(counts) <= 30


def test_killed_ones_only_lose_their_turns(lab, tmp_path, in_real_time):
    vm = make_vm(lab)
    lab.buckets(limits="published", actions={"DescribeInstances": [3, 0.5]})
    running = [start_cpi(lab, in_real_time, crowd.environment(tmp_path)) for _ in range(24)]
    for process in running:
        process.stdin.write(request_bytes({"method": "has_vm", "arguments": [vm]}))
        process.stdin.close()
    wait_until(lambda: lab.buckets().get("us-east-1 DescribeInstances", {"refused": 0})["refused"] > 8, 60)
    waiting = [process for process in running if process.poll() is None]
    for process in waiting[::2]:
        process.kill()
    lab.buckets(limits="published")
    for process in running:
        answer = process.stdout.read()
        process.stdout.close()
        process.stderr.close()
        status = process.wait(PATIENCE)
        assert (status == 0 and answer.startswith(b'{"result":true')) or process in waiting[::2]
    assert len(waiting[::2]) >= 2


def test_a_signal_ends_the_wait_for_a_turn(lab, tmp_path, in_real_time):
    """However long the queue is."""
    vm = make_vm(lab)
    lab.buckets(limits="published", actions={"DescribeInstances": [1, 0.01]})
    lab.ec2.describe_instances(InstanceIds=[vm])
    process = start_cpi(lab, in_real_time, crowd.environment(tmp_path))
    process.stdin.write(request_bytes({"method": "has_vm", "arguments": [vm]}))
    process.stdin.close()
    wait_until(lambda: lab.buckets()["us-east-1 DescribeInstances"]["refused"] > 1, 60)
    process.terminate()
    answer = process.stdout.read()
    process.stdout.close()
    process.stderr.close()
    process.wait(60)
    assert b'"error":{' in answer and b"stopped by signal 15" in answer, answer


# of other services, and in most of these a quota, which waiting does not change
NOT_OURS = {"ProvisionedThroughputExceededException", "TransactionInProgressException", "LimitExceededException"}


def test_what_botocore_takes_for_throttling(lab, tmp_path):
    """Its list of codes is ours: each is tried again (PriorRequestNotComplete as a failure that passes, as it is there too)."""
    vm = make_vm(lab)
    codes = set(ThrottledRetryableChecker._THROTTLED_ERROR_CODES) - NOT_OURS  # pylint: disable=protected-access
    assert len(codes) > 8
    for code in sorted(codes):
        lab.faults({"action": "DescribeInstances", "kind": "error", "status": 400, "code": code, "message": "slower"})
        answer = run_cpi(lab, {"method": "has_vm", "arguments": [vm]}, env=state_env(tmp_path / code))
        assert created(answer) is True and " attempts=2 " in answer.stderr, code
        assert throttled(answer.stderr) == ([] if code == "PriorRequestNotComplete" else [1]), code


def test_nothing_is_left_where_nothing_is_throttled(lab, tmp_path):
    vm = make_vm(lab)
    for _ in range(3):
        assert created(run_cpi(lab, {"method": "has_vm", "arguments": [vm]}, env=state_env(tmp_path))) is True
    assert not os.path.exists(tmp_path / "state" / "throttle")


def test_the_file_is_for_its_user_alone(lab, tmp_path):
    """And tells no one whose account it is about."""
    vm = make_vm(lab)
    lab.faults({"action": "DescribeInstances", "kind": "throttle"})
    answer = run_cpi(lab, {"method": "has_vm", "arguments": [vm]}, env=state_env(tmp_path))
    assert created(answer) is True and throttled(answer.stderr) == [1]
    [path] = throttle_files(tmp_path)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600 and stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode) == 0o700
    with open(path, encoding="ascii") as file:
        text = file.read()
    assert "DescribeInstances" in text and lab.env["AWS_ACCESS_KEY_ID"] not in text + path


@pytest.mark.parametrize("content", [b"", b"\x00\xff" * 5000, b"aws-cpi throttle 1\nDescribeInstances.all 1 2 3\nend\n"])
def test_a_broken_file_fails_no_call(lab, tmp_path, content):
    vm = make_vm(lab)
    lab.faults({"action": "DescribeInstances", "kind": "throttle", "count": 2})
    assert created(run_cpi(lab, {"method": "has_vm", "arguments": [vm]}, env=state_env(tmp_path))) is True
    [path] = throttle_files(tmp_path)
    with open(path, "wb") as file:
        file.write(content)
    lab.faults({"action": "DescribeInstances", "kind": "throttle", "count": 2})
    assert created(run_cpi(lab, {"method": "has_vm", "arguments": [vm]}, env=state_env(tmp_path))) is True
    with open(path, encoding="ascii") as file:
        assert file.read().startswith("aws-cpi throttle 1\nDescribeInstances")


def test_an_old_file_goes(lab, tmp_path):
    vm = make_vm(lab)
    folder = tmp_path / "state" / "throttle"
    folder.mkdir(mode=0o700, parents=True)
    old = folder / "0123456789abcdef0123456789abcdef.buckets"
    old.write_text("")
    os.utime(old, (time.time() - 2 * 86400,) * 2)
    lab.faults({"action": "DescribeInstances", "kind": "throttle"})
    created(run_cpi(lab, {"method": "has_vm", "arguments": [vm]}, env=state_env(tmp_path)))
    assert not old.exists() and len(throttle_files(tmp_path)) == 1
