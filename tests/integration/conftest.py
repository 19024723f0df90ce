# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the integration tests: the lab, the account before and after, the cpi as the Director starts it, a
stemcell, loop devices.

Variables: CPI_BIN and ONHOST_BIN (other builds, as with sanitizers), CPI_WRAPPER (put before cpi, as valgrind),
LAB_DEVICES (auto, loop, plain), LAB_PYTHON.
"""
import contextlib
import json
import os
import random
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from types import SimpleNamespace

import pytest
from incumbent_policy import INCUMBENT

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
LAB = os.path.join(ROOT, "tests", "lab", "lab")
CPI = os.environ.get("CPI_BIN") or os.path.join(ROOT, "build", "cpi")
ONHOST = os.environ.get("ONHOST_BIN") or os.path.join(ROOT, "build", "onhost")
DEVICES = os.environ.get("LAB_DEVICES", "auto")

sys.path.insert(0, os.path.join(ROOT, "tests", "lab"))
from awslab import loop, namespace  # noqa: E402  pylint: disable=wrong-import-position


def no_loop_devices():
    """Why there are no loop devices here, or None."""
    with tempfile.TemporaryDirectory() as folder:  # the workers ask at the same time
        return loop.why_not(folder)


# a shell's background job ignores these, and what it starts inherits that; the Director does not
for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
    if signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, signal.SIG_DFL)

# what the labs note of our programs' calls, for tests/tools/recorded_actions.py
if "BUILD_DIR" in os.environ:
    os.environ["LAB_RECORDED_ACTIONS"] = os.path.join(os.environ["BUILD_DIR"], "recorded-actions")
    os.makedirs(os.environ["LAB_RECORDED_ACTIONS"], exist_ok=True)

# one for all workers, and for who wants the same walk again
os.environ.setdefault("WALK_SEED", str(random.SystemRandom().randrange(1 << 32)))


def pytest_terminal_summary(terminalreporter):
    """How many points the fault walks have walked."""
    reports = [r for kind in ("passed", "failed") for r in terminalreporter.stats.get(kind, [])]
    points = sum(value for r in reports for name, value in r.user_properties if name == "points")
    if points:
        terminalreporter.write_line(f"fault walk: {points} points, WALK_SEED={os.environ['WALK_SEED']}")


def pytest_report_header(config):  # pylint: disable=unused-argument
    why = "asked for" if DEVICES == "plain" else no_loop_devices()
    return f"lab: plain files stand for devices ({why})" if why else "lab: devices are loop devices"


class Lab:
    """A running lab. Settings and records last until reset()."""

    def __init__(self, folder, devices=None, options=()):
        self.dir = os.path.realpath(folder)
        command = [LAB, "up", "--dir", self.dir, "--devices", devices or DEVICES, *options]
        environ = os.environ | {"LAB_PYTHON": os.environ.get("LAB_PYTHON", sys.executable), "ONHOST_BIN": ONHOST}
        self._environ = environ
        subprocess.run(command, check=True, env=environ, stdout=subprocess.DEVNULL, timeout=120)
        with open(os.path.join(self.dir, "env"), encoding="utf-8") as f:
            self.env = {k: v.strip("'") for k, _, v in (line.strip().partition("=") for line in f)}
        self.config_path = os.path.join(self.dir, "cpi.json")
        with open(self.config_path, encoding="utf-8") as f:
            self.config = json.load(f)
        with open(os.path.join(self.dir, "identities.json"), encoding="utf-8") as f:
            self.identities = json.load(f)
        self.kind = self.env["LAB_DEVICES"]
        self.builder = self.env["LAB_BUILDER"]
        self.light_ami = self.env["LAB_LIGHT_AMI"]
        self.endpoint = self.env["AWS_ENDPOINT_URL"]
        self.ec2 = self.client("ec2")

    def client(self, service, access_key_id=None, secret=None, token=None, region=None):
        """A boto3 client; without keys and region, with the lab's own. It does not retry, so that faults are seen."""
        import boto3
        from botocore.config import Config
        return boto3.client(
            service, region_name=region or self.env["AWS_REGION"], endpoint_url=self.endpoint,
            aws_access_key_id=access_key_id or self.env["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=secret or self.env["AWS_SECRET_ACCESS_KEY"], aws_session_token=token,
            config=Config(retries={"total_max_attempts": 1}, read_timeout=30, connect_timeout=5))

    def control(self, name, method="GET", value=None):
        """One request to the control endpoint."""
        data = None if value is None else json.dumps(value).encode()
        request = urllib.request.Request(f"{self.endpoint}/_lab/{name}", data=data, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise ValueError(json.load(error)["error"]) from error

    def faults(self, *rules):
        """Adds fault rules (tests/lab/awslab/faults.py lists them); without any, says which there are."""
        return self.control("faults", "POST", list(rules)) if rules else self.control("faults")

    def calls(self, action=None):
        """The calls on record, all or of one action."""
        return [c for c in self.control("calls") if action in (None, c["action"])]

    def forget_calls(self):
        """Empties the record."""
        self.control("calls", "DELETE")

    def clear(self):
        """Takes away all fault rules."""
        self.control("faults", "DELETE")

    def release(self):
        """Takes away the rules that hold calls, and lets go of those."""
        self.control("faults/release", "POST")

    def states(self, **kinds):
        """states(volume={"available": 1.5}) and so on; see tests/lab/awslab/states.py."""
        return self.control("states", "POST", kinds)

    def devices(self, **settings):
        """devices(delay=59), devices(never=True), devices(read_only=True)."""
        return self.control("devices", "POST", settings)

    def imds(self, **settings):
        """imds(mode="hop-limit") and so on; see tests/lab/awslab/imds.py."""
        return self.control("imds", "POST", settings)

    def container(self, **settings):
        """container(mode="hang") and so on; see tests/lab/awslab/container.py. These are all there are then."""
        return self.control("container", "PUT", settings)

    def sessions(self, **settings):
        """sessions(lasts=2, told=900): how long new sessions of roles last; see tests/lab/awslab/sessions.py."""
        return self.control("sessions", "PUT", settings)

    def owner(self, access_key_id):
        """The ARN of whom a key belongs to."""
        return self.control("sessions/owners")[access_key_id]

    def imds_requests(self):
        """The requests to the metadata service on record."""
        return self.control("imds/requests")

    def buckets(self, **settings):
        """buckets(limits="published", depth=0.1) turns EC2's token buckets on; without settings: what each holds, gave
        and refused, by "us-east-1 CreateVolume"."""
        if settings:
            self.control("buckets", "PUT", settings)
        return self.control("buckets")["buckets"]

    def options(self, **settings):
        """options(page_size=2, clock_offset=3600, deregistered="empty")."""
        return self.control("options", "POST", settings)

    def allow(self, actions):
        """What cpi may do from now on, as in a policy ("ec2:Describe*"); None: all."""
        self.control("policy", "PUT", {} if actions is None else {"allow": sorted(actions)})

    def reset(self):
        """Back to no faults, settings, records; what takes time is done. The account stays."""
        self.control("reset", "POST")

    def volume_file(self, volume_id):
        """The file with a volume's contents."""
        return os.path.join(self.dir, "volumes", volume_id)

    def snapshot_file(self, snapshot_id):
        """The file with a snapshot's contents."""
        return os.path.join(self.dir, "snapshots", snapshot_id)

    def link(self, volume_id):
        """The by-id link that an attached volume has."""
        folder = "/dev/disk/by-id" if self.kind == "loop" else os.path.join(self.dir, "dev")
        return os.path.join(folder, "nvme-Amazon_Elastic_Block_Store_" + volume_id.replace("-", ""))

    def wait_for_device(self, volume_id, seconds=60):
        """The device of an attached volume, once it is there."""
        return wait_until(lambda: os.path.exists(self.link(volume_id)) and os.path.realpath(self.link(volume_id)), seconds)

    def down(self):
        """Ends the lab."""
        subprocess.run([LAB, "down", "--dir", self.dir], check=True, env=self._environ, timeout=60)


def wait_until(condition, seconds=60):
    """What the condition gives once that is true; fails after so many seconds, which a busy machine does not need."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.02)


def beside(call):
    """The call in a thread of its own, and a list that gets what comes of it."""
    answers = []
    thread = threading.Thread(target=lambda: answers.append(call()))
    thread.start()
    return thread, answers


def policy_of(request):
    """What cpi may do in a test: what the incumbent's policy allows, or all where the test is of what only we do."""
    return None if request.node.get_closest_marker("beyond_incumbent") else INCUMBENT


@pytest.fixture(scope="session")
def session_lab(tmp_path_factory):
    """The lab that most tests share."""
    running = Lab(tmp_path_factory.mktemp("lab") / "lab")
    yield running
    running.down()


@pytest.fixture
def lab(request, session_lab):  # pylint: disable=redefined-outer-name
    """The shared lab without anyone else's faults, settings and records. Things in its account may be others'."""
    session_lab.reset()
    session_lab.allow(policy_of(request))
    yield session_lab
    session_lab.reset()


@pytest.fixture
def fresh_lab(request, tmp_path):
    """A lab of the test's own; call it for more, with what `lab up` takes: fresh_lab(devices="plain")."""
    labs = []

    def make(devices=None, options=()):
        labs.append(Lab(tmp_path / f"lab{len(labs)}", devices, options))
        labs[-1].allow(policy_of(request))
        return labs[-1]
    yield make
    for each in labs:
        each.down()


@pytest.fixture(scope="module")
def namespace_lab(tmp_path_factory):
    """A lab in a network namespace of its own that has the fixed addresses of AWS's instances and containers; the whole
    module, and what it starts, is inside. Settings and records are the test's to reset."""
    if os.geteuid() != 0:
        pytest.skip("a network namespace with fixed addresses takes root")
    with namespace.entered():
        running = Lab(tmp_path_factory.mktemp("namespace") / "lab", "plain", ("--fixed-addresses",))
        try:
            yield running
        finally:
            running.down()


@pytest.fixture(scope="module")
def whoami_home(tmp_path_factory):
    """A home directory that stays the same for a module."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def whoami_boto3(namespace_lab, whoami_home):  # pylint: disable=unused-argument,redefined-outer-name
    """boto3 in that home, inside the namespace."""
    from credentials_kit import Boto3
    program = Boto3(whoami_home)
    yield program
    program.end()


@pytest.fixture
def machine(request, namespace_lab, whoami_home, whoami_boto3):  # pylint: disable=redefined-outer-name
    """A machine where nobody has credentials (credentials_kit.py)."""
    from credentials_kit import Machine
    namespace_lab.reset()
    namespace_lab.allow(policy_of(request))
    for each in whoami_home.iterdir():
        if each.is_dir():
            shutil.rmtree(each)
        else:
            each.unlink()
    yield Machine(namespace_lab, whoami_home, whoami_boto3)
    namespace_lab.reset()


def in_namespaces(*command, kinds=("mount", "net")):
    """The command in namespaces of its own: words to put before another command. Skips where there are none: without root,
    and in a chroot."""
    prefix = ["unshare", *(f"--{kind}" for kind in kinds), *command]
    try:
        probe = subprocess.run([*prefix, "true"], check=False, capture_output=True, timeout=60)
    except FileNotFoundError:
        pytest.skip("no unshare here")
    if probe.returncode != 0:
        pytest.skip(f"no namespaces here: {probe.stderr.decode()[-200:]}")
    return prefix


def devices_of(lab):  # pylint: disable=redefined-outer-name
    """The volumes that are devices. Those on their way out get time for it."""
    if lab.kind == "plain":
        return sorted(os.listdir(os.path.join(lab.dir, "dev")))
    deadline = time.monotonic() + 10
    while True:
        there = loop.over(os.path.join(lab.dir, "volumes", ""))
        if not any(loop.is_going(device) for device, _ in there) or time.monotonic() > deadline:
            return sorted(os.path.basename(backing) for _, backing in there)
        time.sleep(0.02)


def account(lab):  # pylint: disable=redefined-outer-name
    """What there is in the account, and the devices: two of these compare equal if nothing was left or lost."""
    ec2 = lab.ec2
    tagged = {"devices": devices_of(lab)}
    tagged["volumes"] = {v["VolumeId"]: v["State"] for v in ec2.describe_volumes()["Volumes"]}
    tagged["snapshots"] = {s["SnapshotId"]: s["State"] for s in ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]}
    tagged["images"] = {i["ImageId"]: i["State"] for i in ec2.describe_images(Owners=["self"])["Images"]}
    # those that are gone stay on show, and moto's pages are short
    alive = [{"Name": "instance-state-name", "Values": ["pending", "running", "shutting-down", "stopping", "stopped"]}]
    tagged["instances"] = {i["InstanceId"]: i["State"]["Name"]
                           for page in ec2.get_paginator("describe_instances").paginate(Filters=alive)
                           for r in page["Reservations"] for i in r["Instances"]}
    tagged["interfaces"] = sorted(n["NetworkInterfaceId"]
                                  for n in ec2.describe_network_interfaces()["NetworkInterfaces"])
    return tagged


def director_context(**more):
    """The context that the Director sends along."""
    return {"director_uuid": "2f3c4d5e-0000-4000-8000-0123456789ab", "request_id": "cpi-123456", "vm": {"stemcell": {
        "api_version": 3}}, **more}


def director_env(tmpdir="/tmp"):
    """All that the Director leaves in the environment."""
    return {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TMPDIR": str(tmpdir), "HOME": "/root"}


def start_cpi(lab, config=None, env=None, arguments=()):  # pylint: disable=redefined-outer-name
    """Starts cpi with pipes, for tests that send signals; config is a path or a dict."""
    if isinstance(config, dict):
        fd, path = tempfile.mkstemp(".json", "cpi-", os.path.dirname(lab.dir))  # outside of what the lab removes
        with os.fdopen(fd, "w", encoding="utf-8") as f:
            json.dump(config, f)
        config = path
    command = shlex.split(os.environ.get("CPI_WRAPPER", "")) + [CPI, *arguments, str(config or lab.config_path)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            env=director_env() if env is None else env)


class Working:
    """A cpi that is at work; its log is read as it comes."""

    def __init__(self, process):
        self.process = process
        self.pid = process.pid
        self.log = ""
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stderr:
            self.log += line.decode(errors="replace")

    def send(self, request):
        """The request, whole."""
        self.process.stdin.write(request_bytes(request))
        self.process.stdin.close()


def request_bytes(request):
    """A request as the Director writes it; bytes go as they are."""
    if isinstance(request, bytes):
        return request
    if isinstance(request, dict):
        request = {"arguments": [], "context": director_context(), "api_version": 2, **request}
    return json.dumps(request).encode()


def run_cpi(lab, request, config=None, env=None, timeout=60, arguments=()):  # pylint: disable=redefined-outer-name
    """One call of cpi, the Director's way: {"method": …, "arguments": […]} (the rest is filled in), or raw bytes.
    The result has stdout, stderr (text), returncode, seconds, and json (None where stdout is no JSON)."""
    began = time.monotonic()
    if "CPI_WRAPPER" in os.environ:
        timeout *= 20
    process = start_cpi(lab, config, env, arguments)
    try:
        out, err = process.communicate(request_bytes(request), timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        pytest.fail(f"cpi did not end within {timeout} s; stderr: {err.decode(errors='replace')[-2000:]}")
    answer = None
    with contextlib.suppress(ValueError):
        answer = json.loads(out)
    return SimpleNamespace(stdout=out.decode(errors="replace"), stderr=err.decode(errors="replace"),
                           returncode=process.returncode, json=answer, seconds=time.monotonic() - began)


def make_stemcell(size=64, *options):
    """The folder of a stemcell of so many MiB (image, stemcell.MF, root.img.sha256), built once."""
    suffix = "".join(o.replace("--", "-").replace("/", "_") for o in options)
    folder = os.path.join(ROOT, "build", f"stemcell-{size}{suffix}")
    if not os.path.exists(os.path.join(folder, "stemcell.MF")):
        shutil.rmtree(folder, ignore_errors=True)
        # stemcell.MF is written last, so a folder with it is whole.
        subprocess.run([sys.executable, os.path.join(ROOT, "tests", "lab", "make-stemcell"), "--size", str(size),
                        "--out", folder, *options], check=True, stdout=subprocess.DEVNULL)
    return folder


@pytest.fixture(scope="session")
def stemcell():
    """A stemcell of 64 MiB, with root.img beside it: .dir .image .root .sha256 (of root.img) .size (bytes of it)."""
    folder = make_stemcell(64, "--keep-root")
    with open(os.path.join(folder, "root.img.sha256"), encoding="ascii") as f:
        sha256 = f.read().split()[0]
    root = os.path.join(folder, "root.img")
    return SimpleNamespace(dir=folder, image=os.path.join(folder, "image"), root=root, sha256=sha256,
                           size=os.path.getsize(root))


@pytest.fixture
def make_loop(tmp_path):
    """make_loop(size, content=b"", read_only=False): the path of a loop device over a new sparse file, which is
    .backing[path]. They are all detached at the end. Skips where loop devices cannot be had."""
    why = no_loop_devices()
    if why:
        pytest.skip(f"no loop devices here: {why}")
    backing = {}

    def make(size, content=b"", read_only=False):
        path = str(tmp_path / f"loop-{len(backing)}")
        with open(path, "wb") as f:
            f.write(content)
            f.truncate(size)
        device = loop.attach(path, read_only)
        backing[device] = path
        return device
    make.backing = backing
    yield make
    for device, path in backing.items():
        loop.detach(device, path)
