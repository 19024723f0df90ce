# SPDX-License-Identifier: Apache-2.0
"""A signal ends whatever cpi is waiting for. The waits here are of a minute or more, most of ten, so that one that is sat out
shows; afterwards there is an answer, and nothing is left of what the call had made."""
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest
from awslab import namespace
from conftest import CPI, account, director_env, in_namespaces, request_bytes, wait_until
from credentials_kit import Machine
from scenarios import make_disk
from test_create_stemcell import config_with, journals, state_env
from test_kill import alive
from wire_kit import Front, Watched, aws_error, nobody_accepts

SIGNALS = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP]
CREATE_DISK = {"method": "create_disk", "arguments": [2048, {}, None]}
HAS_DISK = {"method": "has_disk", "arguments": ["vol-0123456789abcdef0"]}
CURRENT_VM = {"method": "current_vm_id"}
LATER = [("Retry-After", "600")]


SLOWER = 60  # than an operator's waits: time-outs of the network too are ten minutes then
SHORT = 45   # than any wait here


def slow_config(lab, scale=1, **aws):
    """The configuration with waits as long as an operator has them, or longer."""
    config = config_with(lab, **aws)
    config["cloud"]["properties"]["debug"]["cpi"]["time_scale"] = scale
    return config


@pytest.fixture
def clean(lab):
    """Nothing more is in the account at the end than at the start."""
    before = account(lab)
    yield
    lab.reset()
    assert account(lab) == before


def check_stopped(running, number, folder):
    """It answers with an error that says why, and leaves no journal."""
    answer = json.loads(running.end(SHORT) or "null")
    assert answer is not None, running.log
    assert f"stopped by signal {int(number)}" in answer["error"]["message"], answer
    assert "left behind" not in answer["error"]["message"]
    assert running.process.returncode == 0
    assert journals(folder) == []


def stop(running, number, folder):
    """Sends the signal."""
    os.kill(running.pid, number)
    check_stopped(running, number, folder)


# --- a call to AWS ---

class Held:
    """A trouble that holds an exchange up for good once it has sent what there is to send."""

    def __init__(self, where=None):
        self._where, self.reached = where, threading.Event()

    def __call__(self, exchange):
        if self._where is not None:
            exchange.send(self._where(*exchange.ask()))
        self.reached.set()
        exchange.hang()


HELD = {
    "not done": None,
    "done": lambda head, body: b"",
    "in the status line": lambda head, body: head[:9],
    "in the headers": lambda head, body: head[:len(head) // 2],
    "behind the headers": lambda head, body: head,
    "in the body": lambda head, body: head + body[:len(body) // 2],
}


@pytest.mark.usefixtures("clean")
@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("where", HELD)
def test_an_answer_that_does_not_come(lab, tmp_path, where, number):
    """To each of create_disk's calls; what CreateVolume has made by then is found, and removed."""
    for n in range(3):
        held = Held(HELD[where])
        with contextlib.closing(Front(lab, {n: held})) as front:
            running = Watched(lab, front.url, CREATE_DISK, state_env(tmp_path), slow_config(lab, ec2_endpoint=front.url))
            assert held.reached.wait(60), running.log
            stop(running, number, tmp_path)


def connections_begun(port):
    """How many of this machine's connections there nobody has taken up yet."""
    with open("/proc/net/tcp", encoding="ascii") as f:
        return f.read().count(f":{port:04X} 02 ")


@pytest.mark.parametrize("number", SIGNALS)
def test_connecting(lab, tmp_path, number):
    with nobody_accepts() as (listener, _):
        port = listener.getsockname()[1]
        before = connections_begun(port)
        url = f"http://127.0.0.1:{port}"
        running = Watched(lab, url, HAS_DISK, state_env(tmp_path), slow_config(lab, SLOWER, ec2_endpoint=url))
        wait_until(lambda: connections_begun(port) > before, 60)
        stop(running, number, tmp_path)


@pytest.mark.usefixtures("clean")
@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("status, code", [(500, "InternalError"), (503, "RequestLimitExceeded")])
def test_the_wait_before_another_attempt(lab, tmp_path, status, code, number):
    """Of a failure, and of throttling."""
    def again(exchange):
        exchange.send(aws_error(status, code, LATER))
        exchange.close()
    for n in range(3):
        with contextlib.closing(Front(lab, {n: again})) as front:
            running = Watched(lab, front.url, CREATE_DISK, state_env(tmp_path), slow_config(lab, ec2_endpoint=front.url))
            running.sees(r"another one in \d{6} ms")
            stop(running, number, tmp_path)


@pytest.mark.parametrize("number", SIGNALS)
def test_the_turn_at_a_bucket(lab, tmp_path, number):
    """AWS has refused the call, and its bucket gives a token every quarter of an hour."""
    lab.buckets(limits="published", actions={"DescribeVolumes": [1, 0.001]})
    lab.ec2.describe_volumes()
    running = Watched(lab, lab.endpoint, HAS_DISK, state_env(tmp_path), slow_config(lab))
    wait_until(lambda: lab.calls("DescribeVolumes")[-1]["error"] == "RequestLimitExceeded", 60)
    stop(running, number, tmp_path)


def test_what_was_refused_is_not_searched_for(lab, tmp_path):
    """AWS has said that it made nothing."""
    lab.buckets(limits="published", actions={"CreateVolume": [1, 0.001]})
    make_disk(lab)
    lab.forget_calls()
    running = Watched(lab, lab.endpoint, CREATE_DISK, state_env(tmp_path), slow_config(lab))
    wait_until(lambda: lab.calls("CreateVolume"), 60)
    stop(running, signal.SIGTERM, tmp_path)
    assert [c["action"] for c in lab.calls() if "Volume" in c["action"]] == ["CreateVolume"]


# --- a state that does not come ---

@pytest.mark.usefixtures("clean")
@pytest.mark.parametrize("number", SIGNALS)
def test_a_state(lab, tmp_path, number):
    """A volume that does not go away: nothing has to be undone."""
    disk = make_disk(lab)
    lab.states(volume={"deleted": {"never": True}})
    lab.forget_calls()
    request = {"method": "delete_disk", "arguments": [disk]}
    running = Watched(lab, lab.endpoint, request, state_env(tmp_path), slow_config(lab))
    wait_until(lambda: len(lab.calls("DescribeVolumes")) > 1, 60)
    stop(running, number, tmp_path)


@pytest.mark.usefixtures("clean")
@pytest.mark.parametrize("number", SIGNALS)
def test_a_state_of_something_new(lab, tmp_path, number):
    """A volume that does not become available cannot be deleted before it is: that is waited for."""
    lab.states(volume={"available": {"never": True}})
    lab.forget_calls()
    running = Watched(lab, lab.endpoint, CREATE_DISK, state_env(tmp_path), slow_config(lab))
    wait_until(lambda: len(lab.calls("DescribeVolumes")) > 1, 60)
    os.kill(running.pid, number)
    running.sees(r"waiting for volume \S+ to be gone")
    lab.reset()
    check_stopped(running, number, tmp_path)


# --- the metadata service ---

@pytest.mark.parametrize("number", SIGNALS)
def test_the_metadata_service(lab, tmp_path, number):
    lab.imds(mode="hang")
    running = Watched(lab, lab.endpoint, CURRENT_VM, state_env(tmp_path), slow_config(lab))
    wait_until(lab.imds_requests, 60)
    stop(running, number, tmp_path)


# --- who gives credentials ---

@pytest.fixture
def machine(lab, tmp_path):
    """One without credentials, whose services are the lab's."""
    made = Machine(lab, tmp_path, None)
    made.env |= {"AWS_EC2_METADATA_SERVICE_ENDPOINT": lab.config["cloud"]["properties"]["aws"]["metadata_endpoint"],
                 "CPI_LOG_LEVEL": "debug"}
    return made


def stop_machine(machine, reached, number):
    """Starts a call by its credentials, and sends the signal when it is where it should be."""
    machine.write()
    config = machine.cpi_config()
    config["cloud"]["properties"]["debug"]["cpi"]["time_scale"] = 1
    running = Watched(machine.lab, machine.lab.endpoint, HAS_DISK, machine.env, config)
    wait_until(lambda: reached() or running.process.poll() is not None, 60)
    stop(running, number, machine.home)
    assert not machine.lab.calls("DescribeVolumes")


HANGING = {"role": "AssumeRole", "web_environment": "AssumeRoleWithWebIdentity", "sso": "GetRoleCredentials"}


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("way", [*HANGING, "sso_refreshed"])
def test_a_service_that_gives_credentials(machine, way, number):
    action = HANGING.get(way, "CreateToken")
    machine.sso() if way == "sso_refreshed" else getattr(machine, way)()
    if way == "sso_refreshed":
        machine.sso_token(seconds=-60, accessToken=machine.told["sso"]["expired_access_token"])
    machine.lab.faults({"action": action, "kind": "hang", "seconds": 600, "count": -1})
    machine.lab.forget_calls()
    stop_machine(machine, lambda: machine.lab.calls(action), number)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_containers_agent(machine, number):
    machine.pod(machine.lab.env["LAB_CONTAINER"])
    machine.lab.container(mode="hang")
    machine.lab.forget_calls()
    stop_machine(machine, lambda: machine.lab.control("container/requests"), number)


@pytest.mark.parametrize("number", SIGNALS)
def test_the_metadata_services_credentials(machine, number):
    machine.instance()
    machine.lab.imds(mode="hang")
    machine.lab.forget_calls()
    stop_machine(machine, machine.lab.imds_requests, number)


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("head", ["exec sleep 600", "trap '' TERM INT HUP\nsleep 600", "sleep 600 & sleep 600",
                                  "exec >&- 2>&-\nsleep 600"], ids=["waits", "ignores it", "has children", "says nothing"])
def test_a_process(machine, head, number):
    """It ends as well, whatever it thinks of signals."""
    pid_file = machine.home / "pid"
    machine.process(head=f"echo $$ >'{pid_file}.new'; mv '{pid_file}.new' '{pid_file}'\n{head}")
    stop_machine(machine, pid_file.exists, number)
    assert not alive(int(pid_file.read_text()))


# --- names ---

# In a namespace of its own: the only name server takes questions and never answers. Prints cpi's pid once it has asked.
SILENT_RESOLVER = r"""
import os, socket, subprocess, sys
from awslab import namespace
namespace.loopback_up()
subprocess.run(["mount", "--bind", sys.argv[1], "/etc/resolv.conf"], check=True)
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 53))
cpi = subprocess.Popen(sys.argv[3:])
server.recv(4096)
with open(sys.argv[2] + ".new", "w") as f:
    f.write(str(cpi.pid))
os.rename(sys.argv[2] + ".new", sys.argv[2])
sys.exit(cpi.wait())
"""


@pytest.mark.parametrize("number", SIGNALS)
def test_a_name(lab, tmp_path, number):
    resolver, pid_file, config = tmp_path / "resolv.conf", tmp_path / "pid", tmp_path / "cpi.json"
    resolver.write_text("nameserver 127.0.0.1\noptions timeout:30 attempts:5\n", encoding="ascii")
    config.write_text(json.dumps(slow_config(lab, SLOWER, ec2_endpoint="http://ec2.example.com")), encoding="utf-8")
    process = subprocess.Popen(
        [*in_namespaces(), sys.executable, "-c", SILENT_RESOLVER, str(resolver), str(pid_file), CPI, str(config)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**director_env(), **state_env(tmp_path), "PYTHONPATH": os.path.dirname(os.path.dirname(namespace.__file__))})
    process.stdin.write(request_bytes(HAS_DISK))
    process.stdin.close()
    process.stdin = None
    wait_until(lambda: pid_file.exists() or process.poll() is not None, 60)
    assert pid_file.exists(), process.stderr.read()
    os.kill(int(pid_file.read_text(encoding="ascii")), number)
    running = SimpleNamespace(process=process, log="", end=lambda seconds: process.communicate(timeout=seconds)[0].decode())
    check_stopped(running, number, tmp_path)


# --- the request itself ---

@pytest.mark.parametrize("number", SIGNALS)
def test_a_request_that_does_not_end(lab, tmp_path, number):
    """Standard input stays open."""
    running = Watched(lab, lab.endpoint, None, state_env(tmp_path), slow_config(lab))
    running.process.stdin.write(request_bytes(HAS_DISK)[:-1])
    running.process.stdin.flush()
    # the handler is there once the signal is caught
    mask = 1 << (int(number) - 1)

    def caught():
        with open(f"/proc/{running.pid}/status", encoding="ascii") as f:
            return int(re.search(r"SigCgt:\t(\w+)", f.read()).group(1), 16) & mask
    wait_until(caught)
    stop(running, number, tmp_path)
