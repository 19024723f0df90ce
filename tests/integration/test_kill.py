# SPDX-License-Identifier: Apache-2.0
"""create_stemcell broken off, at every place: calls that fail, answers that are lost, signals, kills. Afterwards the
account holds nothing that the answer did not name."""
import json
import os
import re
import signal
import subprocess
import time

import pytest
from conftest import CPI, Working, account, run_cpi, start_cpi, wait_until
from test_create_stemcell import created, heavy, journals, light, refused, state_env

pytestmark = pytest.mark.waits

MIB = 1 << 20
THING = {"CreateVolume": "volume", "CreateSnapshot": "snapshot", "RegisterImage": "image"}
CREATING = list(THING)
# every call that a heavy create_stemcell makes, in order
CALLS = ["DescribeInstances", "CreateVolume", "DescribeVolumes", "AttachVolume", "DetachVolume", "CreateSnapshot",
         "DescribeSnapshots", "DeleteVolume", "RegisterImage", "DescribeImages"]


class Running(Working):
    """With the lab's own configuration."""

    def __init__(self, lab, folder):
        super().__init__(start_cpi(lab, env=state_env(folder)))

    def sees(self, pattern, seconds=30):
        """Waits for a line of the log; None when the process ends without it."""
        return wait_until(lambda: re.search(pattern, self.log) or (not self.reader.is_alive() and "ended"), seconds)

    def onhost(self, seconds=20):
        """The pid of the onhost that it has started."""
        return wait_until(lambda: next(iter(children(self.pid)), None), seconds)

    def end(self, seconds=60):
        """Its answer's text."""
        answer = self.process.stdout.read()
        self.process.wait(seconds)
        self.reader.join(seconds)
        return answer


def children(pid):
    """The processes whose parent that is."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
            return [int(p) for p in f.read().split()]
    except FileNotFoundError:
        return []


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as f:
            return f.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def kill(pid):
    """SIGKILL; whether the process was there."""
    try:
        os.kill(pid, signal.SIGKILL)
        return True
    except ProcessLookupError:
        return False


def same_start(device, image):
    """Whether the device begins with all of the image."""
    device.seek(0)
    return all(device.read(len(piece)) == piece for piece in iter(lambda: image.read(MIB), b""))


def sweep(lab, folder, *arguments):
    """cpi sweep with the lab's configuration."""
    return subprocess.run([CPI, "sweep", *arguments, lab.config_path], env=state_env(folder), capture_output=True,
                          text=True, timeout=120, check=False)


@pytest.fixture
def clean(lab, tmp_path):
    """Nothing more is in the account at the end than at the start, and no journal."""
    before = account(lab)
    lab.forget_calls()
    yield before
    lab.reset()
    assert account(lab) == before
    assert journals(tmp_path) == []


# --- calls that fail ---

@pytest.mark.parametrize("action", CALLS)
def test_a_call_that_is_refused(lab, stemcell, tmp_path, clean, action):
    lab.faults({"action": action, "kind": "error", "status": 403, "code": "UnauthorizedOperation", "count": 1})
    message = refused(run_cpi(lab, heavy(stemcell), env=state_env(tmp_path)), "UnauthorizedOperation")
    assert action in message and "left behind" not in message


@pytest.mark.parametrize("action", CALLS)
def test_a_call_that_took_effect_and_failed(lab, stemcell, tmp_path, clean, action):
    """An answer 500 that comes again and again, while EC2 did what was asked for."""
    lab.faults({"action": action, "kind": "error_after", "status": 500, "code": "InternalError", "count": 12})
    answer = run_cpi(lab, heavy(stemcell), env=state_env(tmp_path))
    if answer.json["error"] is None:  # it was seen by other means that it had taken effect
        lab.reset()
        created(run_cpi(lab, {"method": "delete_stemcell", "arguments": [created(answer)]}, env=state_env(tmp_path)))
    else:
        assert "left behind" not in answer.json["error"]["message"]


@pytest.mark.parametrize("action", ["CreateVolume", "AttachVolume", "DetachVolume", "CreateSnapshot", "DeleteVolume",
                                    "RegisterImage"])
@pytest.mark.parametrize("kind", ["drop", "truncate", "garbage"])
def test_a_lost_answer(lab, stemcell, tmp_path, clean, action, kind):
    """The call took effect and its answer did not come: it is not made twice, and all goes well."""
    lab.faults({"action": action, "kind": kind, "count": 1})
    answer = run_cpi(lab, heavy(stemcell), env=state_env(tmp_path))
    if kind != "garbage":
        created(answer)
    after = account(lab)
    assert len(after["images"]) - len(clean["images"]) == (1 if answer.json["error"] is None else 0)
    assert len(after["snapshots"]) - len(clean["snapshots"]) == (1 if answer.json["error"] is None else 0)
    assert after["volumes"] == clean["volumes"]
    if answer.json["error"] is None:
        created(run_cpi(lab, {"method": "delete_stemcell", "arguments": [answer.json["result"]]}, env=state_env(tmp_path)))


@pytest.mark.parametrize("action", CREATING)
def test_answers_that_are_lost_for_good(lab, stemcell, tmp_path, clean, action):
    """Created, and the id never came: it is found by its tag, and removed."""
    running = Running(lab, tmp_path)
    lab.faults({"action": action, "kind": "signal", "signal": "TERM", "when": "after", "pid": running.pid},
               {"action": action, "kind": "drop"})
    running.send(heavy(stemcell))
    answer = running.end()
    assert b"stopped by signal 15" in answer and b"left behind" not in answer, answer
    assert re.search(rf"removed {THING[action]} \S+ again", running.log), running.log


def test_a_lost_copy(lab, tmp_path, clean):
    lab.faults({"action": "CopyImage", "kind": "drop", "count": 1})
    ami = created(run_cpi(lab, light({"us-east-1": lab.light_ami}, encrypted=True), env=state_env(tmp_path)))
    assert len(account(lab)["images"]) == len(clean["images"]) + 1
    created(run_cpi(lab, {"method": "delete_stemcell", "arguments": [ami]}, env=state_env(tmp_path)))
    lab.faults({"action": "CopyImage", "kind": "drop", "count": 30})
    assert run_cpi(lab, light({"us-east-1": lab.light_ami}, encrypted=True), env=state_env(tmp_path)).json["error"]


def test_what_cannot_be_undone_is_named_and_swept_later(lab, stemcell, tmp_path, clean):
    lab.faults({"action": "CreateSnapshot", "kind": "error", "status": 403, "code": "UnauthorizedOperation"},
               {"action": "DeleteVolume", "kind": "error", "status": 403, "code": "UnauthorizedOperation", "count": -1})
    message = refused(run_cpi(lab, heavy(stemcell), env=state_env(tmp_path)), "left behind: volume vol-")
    volume = re.search(r"left behind: volume (vol-\w+)", message).group(1)
    assert "CreateSnapshot" in message.partition("left behind")[0] and "cpi sweep" in message
    lab.reset()
    listed = sweep(lab, tmp_path)
    assert listed.returncode == 0 and volume in listed.stdout
    swept = sweep(lab, tmp_path, "--delete")
    assert swept.returncode == 0 and re.search(rf"{volume}.*removed", swept.stdout), swept.stdout + swept.stderr


def test_a_lost_delivery(lab, stemcell, tmp_path, clean):
    """The Director went away before the answer: what was made is removed again."""
    running = Running(lab, tmp_path)
    running.process.stdout.close()
    running.send(heavy(stemcell))
    running.process.wait(60)
    running.reader.join(10)
    assert running.process.returncode != 0
    assert "removed again" in running.log
    assert re.search(r"registered AMI", running.log)


# --- cpi is told to stop ---

STOPS = [("DescribeInstances", "before"), ("CreateVolume", "before"), ("CreateVolume", "after"), ("DescribeVolumes", "before"),
         ("AttachVolume", "before"), ("AttachVolume", "after"), ("DetachVolume", "before"), ("CreateSnapshot", "before"),
         ("CreateSnapshot", "after"), ("DeleteVolume", "before"), ("RegisterImage", "before"), ("RegisterImage", "after"),
         ("DescribeImages", "before")]


@pytest.mark.parametrize("action, when", STOPS)
@pytest.mark.parametrize("name", ["TERM"])
def test_cpi_is_stopped_at_a_call(lab, stemcell, tmp_path, clean, action, when, name):
    running = Running(lab, tmp_path)
    lab.faults({"action": action, "kind": "signal", "signal": name, "when": when, "pid": running.pid})
    running.send(heavy(stemcell))
    answer = running.end()
    assert b'"error":{' in answer and b"stopped by signal 15" in answer, answer
    assert b"left behind" not in answer
    assert running.process.returncode == 0
    assert children(running.pid) == []


@pytest.mark.parametrize("delay", [0, 0.02, 0.1, 0.2])
def test_cpi_is_stopped_while_writing(lab, stemcell, tmp_path, clean, delay):
    lab.faults({"action": "DetachVolume", "kind": "hold"})  # so that it cannot have ended
    running = Running(lab, tmp_path)
    running.send(heavy(stemcell))
    onhost = running.onhost()
    running.sees(r"volume vol-\w+ is /")
    time.sleep(delay)
    os.kill(running.pid, signal.SIGTERM)
    lab.release()
    answer = running.end()
    assert b"stopped by signal 15" in answer, answer
    assert not alive(onhost)


def test_a_second_signal_shortens_the_undoing(lab, stemcell, tmp_path, clean):
    """The volume does not come off: at the second signal what is left is asked to go, and is named."""
    running = Running(lab, tmp_path)
    lab.states(volume={"detached": {"never": True}})
    lab.faults({"action": "DetachVolume", "kind": "error", "status": 403, "code": "UnauthorizedOperation", "count": 1},
               {"action": "DescribeVolumes", "kind": "signal", "signal": "TERM", "when": "before", "pid": running.pid,
                "skip": 5})
    running.send(heavy(stemcell))
    answer = running.end()
    volume = re.search(rb"left behind: volume (vol-\w+)", answer)
    assert volume, answer
    lab.reset()
    assert sweep(lab, tmp_path, "--delete").returncode == 0


# --- onhost is killed ---

@pytest.mark.parametrize("action, when", [("DescribeInstances", "after"), ("CreateVolume", "before"), ("CreateVolume", "after"),
                                          ("DescribeVolumes", "before"), ("AttachVolume", "before"),
                                          ("AttachVolume", "after")])
def test_onhost_is_killed_at_a_call(lab, stemcell, tmp_path, clean, action, when):
    running = Running(lab, tmp_path)
    pid_file = tmp_path / "pid"
    lab.faults({"action": "DescribeInstances", "kind": "hold"},
               {"action": action, "kind": "signal", "signal": "KILL", "when": when, "pid_file": str(pid_file)})
    running.send(heavy(stemcell))
    pid_file.write_text(str(running.onhost()), encoding="ascii")
    lab.release()
    answer = running.end()
    assert b"was killed by signal 9 (Killed) in the middle of its work" in answer, answer
    assert b"left behind" not in answer


@pytest.mark.parametrize("delay", [0, 0.02, 0.05, 0.1])
def test_onhost_is_killed_while_writing(lab, stemcell, tmp_path, clean, delay):
    """Where the machine is faster than the delay, all was written and the kill comes too late to matter."""
    running = Running(lab, tmp_path)
    running.send(heavy(stemcell))
    onhost = running.onhost()
    running.sees(r"volume vol-\w+ is /")
    time.sleep(delay)
    was_at_work = kill(onhost)
    answer = running.end()
    if b'"error":null' in answer:
        assert delay or not was_at_work
        run_cpi(lab, {"method": "delete_stemcell", "arguments": [json.loads(answer)["result"]]}, env=state_env(tmp_path))
    else:
        assert b"was killed by signal 9 (Killed) in the middle of its work" in answer, answer
        assert b"left behind" not in answer


# --- cpi is killed ---

def assert_swept(lab, tmp_path, running, onhost):
    """onhost ends by itself; the journal tells a sweep what is left."""
    assert running.process.wait(20) == -signal.SIGKILL
    assert onhost is None or wait_until(lambda: not alive(onhost), 30)
    swept = sweep(lab, tmp_path, "--delete")
    assert swept.returncode == 0, swept.stdout + swept.stderr
    return swept.stdout


@pytest.mark.parametrize("action, when", [("CreateVolume", "before"), ("CreateVolume", "after"), ("AttachVolume", "before"),
                                          ("AttachVolume", "after"), ("CreateSnapshot", "before"),
                                          ("CreateSnapshot", "after"), ("RegisterImage", "before"),
                                          ("RegisterImage", "after"), ("DescribeImages", "before")])
def test_cpi_is_killed_at_a_call(lab, stemcell, tmp_path, clean, action, when):
    running = Running(lab, tmp_path)
    lab.faults({"action": action, "kind": "signal", "signal": "KILL", "when": when, "pid": running.pid})
    running.send(heavy(stemcell))
    assert running.end() == b""
    assert journals(tmp_path) != []
    assert_swept(lab, tmp_path, running, None)


@pytest.mark.parametrize("delay", [0, 0.02, 0.05, 0.1])
def test_cpi_is_killed_while_writing(lab, stemcell, tmp_path, clean, delay):
    """A volume that looks bootable holds all of the image; on a machine that is slower than the delay, none does."""
    running = Running(lab, tmp_path)
    lab.faults({"action": "DetachVolume", "kind": "hold"})  # so that it cannot have ended
    running.send(heavy(stemcell))
    onhost = running.onhost()
    volume = running.sees(r"volume (vol-\w+) is /").group(1)
    time.sleep(delay)
    kill(running.pid)
    running.process.wait(20)
    lab.release()
    assert wait_until(lambda: not alive(onhost), 30)
    if volume in account(lab)["volumes"]:
        with open(lab.volume_file(volume), "rb") as device, open(stemcell.root, "rb") as image:
            assert not any(device.read(MIB)) or same_start(device, image), "a part of the image looks bootable"
    swept = assert_swept(lab, tmp_path, running, onhost)
    assert volume in swept or delay
