# SPDX-License-Identifier: Apache-2.0
"""The sandbox (docs/security.md): a program in place of the archive's parser tries everything and gets nothing; the real
onhost at work is who it should be; and no call that it makes in there is refused, but for those that are known."""
import gzip
import hashlib
import io
import json
import lzma
import os
import re
import shutil
import signal
import struct
import subprocess
import tarfile
import tempfile
import time

import pytest

from awslab import loop
from bad_images import BAD, DISK, GOOD, GOOD_TAR, MIB
from conftest import ONHOST, in_namespaces, wait_until

PROBE = os.path.join(os.environ.get("BUILD_DIR", "build"), "tests", "sandbox_probe")
VOLUME = "vol-0123456789abcdef0"
SIZE = 8 * MIB
SANDBOX, INTERNAL = 9, 1
USER = 54321  # nobody's
# clone3 makes libc use clone, whose flags the filter can see; chdir is the filter's own proof
KNOWN_REFUSALS = {"clone3", "chdir"}

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="what root gives up takes root")


@pytest.fixture
def shelf():
    """A folder that others can enter, with onhost and the probe in it."""
    folder = tempfile.mkdtemp(prefix="sandbox-")
    os.chmod(folder, 0o755)
    for program in (ONHOST, PROBE):
        shutil.copy(program, folder)
    yield folder
    shutil.rmtree(folder)


def as_user(*command):
    return ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", *command]


def contents(path):
    with open(path, "rb") as file:
        return file.read()


# --- a program in place of the parser

def judge(done):
    """What the probe said: the errno of each attempt by its name."""
    assert done.returncode == 0, done.stderr
    lines = done.stdout.split("\n")
    assert lines[-2] == "end"
    wrong = [line for line in lines if line.startswith("BROKEN")]
    assert not wrong
    assert len([line for line in lines if line.startswith("works ")]) >= 30
    refused = dict(line.removeprefix("refused ").rsplit(" ", 1) for line in lines if line.startswith("refused "))
    assert len(refused) >= 300
    closed = {"a descriptor not in the list", "its flags"}
    assert {name for name, why in refused.items() if why == "EBADF"} == closed
    by_filter = {name for name, why in refused.items() if why in ("EPERM", "ENOSYS")}
    return by_filter | closed, set(refused), {line.removeprefix("OPEN ") for line in lines if line.startswith("OPEN ")}


def test_nothing_can_be_had_by_root(make_loop):
    device = make_loop(SIZE)
    done = subprocess.run([PROBE, device], capture_output=True, text=True, timeout=120, check=False)
    by_filter, refused, holes = judge(done)
    assert not holes
    # the one name that the filter cannot see leads nowhere: the root directory is empty
    assert refused - by_filter == {"stat by name where none is due"}
    assert "missing nothing" in done.stdout


def test_nothing_can_be_had_by_a_user(shelf):
    file = os.path.join(shelf, "volume")
    with open(file, "wb") as f:
        f.truncate(SIZE)
    os.chown(file, USER, USER)
    done = subprocess.run(as_user(os.path.join(shelf, "sandbox_probe"), file), capture_output=True, text=True, timeout=120,
                          check=False)
    by_filter, refused, holes = judge(done)
    # who is not root has no empty root directory, and may see how large a file is whose name is known
    assert holes <= {"stat by name where none is due"}
    assert refused == by_filter


@pytest.mark.parametrize("way", ["i386", "x32"])
def test_calls_of_another_architecture_kill(make_loop, way):
    done = subprocess.run([PROBE, make_loop(SIZE), way], capture_output=True, text=True, timeout=60, check=False)
    if os.uname().machine != "x86_64":
        assert f"no {way} here" in done.stdout
        return
    assert done.returncode == -signal.SIGSYS
    assert "OPEN" not in done.stdout


# --- the real one at work

class Serving:
    """`onhost serve` with a worker that has got the image's first half."""

    def __init__(self, folder, device, environ=None):
        links = folder / "links"
        links.mkdir()
        (links / f"nvme-Amazon_Elastic_Block_Store_{VOLUME.replace('-', '')}").symlink_to(device)
        self.process = subprocess.Popen([ONHOST, "serve", "--lab-devices", str(links)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        env=os.environ | {"AWS_EC2_METADATA_DISABLED": "true"} | (environ or {}))
        assert self.ask({"op": "hello", "version": 1})["ok"] == "hello"
        assert self.ask({"op": "write", "volume_id": VOLUME, "device_name": "/dev/sdf", "size_mib": SIZE // MIB,
                         "fresh": True, "encrypted": False, "image": {"source": "stream"}})["ok"] == "ready"
        data = bytearray(os.urandom(6 * MIB))
        data[510:512] = b"\x55\xaa"
        for at in range(0, 6 * MIB, MIB):
            self.process.stdin.write(struct.pack(">I", MIB) + data[at:at + MIB])
        self.process.stdin.flush()
        self.worker = wait_until(self.find_worker)

    def ask(self, message):
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()
        return self.answer()

    def answer(self):
        """The next that is no progress."""
        while True:
            line = self.process.stdout.readline()
            if b'"progress"' not in line:
                return json.loads(line)

    def find_worker(self):
        """The worker, once all of its threads are there."""
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children", encoding="ascii") as f:
            children = f.read().split()
        return int(children[0]) if children and threads(int(children[0])) >= 5 else None

    def close(self):
        """Nothing is left."""
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def serving(tmp_path, make_loop):
    device = make_loop(SIZE)
    running = Serving(tmp_path, device)
    running.device = device
    running.backing = make_loop.backing[device]
    yield running
    running.close()


def threads(pid):
    try:
        return len(os.listdir(f"/proc/{pid}/task"))
    except FileNotFoundError:
        return 0


def statuses(pid):
    """/proc/PID/status of all threads."""
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/status", encoding="utf-8") as f:
            yield {key: value.strip() for key, value in (line.split(":", 1) for line in f)}


def check_confined(pid, uid=65534, bounding=0):
    for status in statuses(pid):
        assert status["NoNewPrivs"] == "1"
        assert status["Seccomp"] == "2"
        assert status["Uid"].split() == [str(uid)] * 4 == status["Gid"].split()
        assert status["Groups"] == ""
        for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            assert int(status[name], 16) == 0, name
        assert bounding is None or int(status["CapBnd"], 16) == bounding
    with open(f"/proc/{pid}/limits", encoding="ascii") as f:
        limits = {line[:26].strip(): line[26:].split()[0] for line in f}
    assert limits["Max core file size"] == "0"
    assert int(limits["Max open files"]) <= 40
    assert int(limits["Max cpu time"]) == 86400


def check_alone(pid):
    """What root's sandbox has besides."""
    for kind in ("net", "ipc"):
        assert os.readlink(f"/proc/{pid}/ns/{kind}") != os.readlink(f"/proc/self/ns/{kind}")
    with open(f"/proc/{pid}/net/dev", encoding="ascii") as f:
        assert [line.split(":")[0].strip() for line in f][2:] in ([], ["lo"])
    with open(f"/proc/{pid}/net/route", encoding="ascii") as f:
        assert len(f.readlines()) <= 1  # the heading
    with open(f"/proc/{pid}/net/fib_trie", encoding="ascii") as f:
        assert f.read() == ""
    # the folder of a process that has ended
    assert re.fullmatch(r"/proc/\d+/fdinfo( \(deleted\))?", os.readlink(f"/proc/{pid}/root"))
    assert os.readlink(f"/proc/{pid}/cwd") == os.readlink(f"/proc/{pid}/root")
    with pytest.raises(OSError):
        os.listdir(f"/proc/{pid}/root")


def descriptors(pid):
    return sorted(re.sub(r"\[.*|:.*", "", os.readlink(f"/proc/{pid}/fd/{fd}")) for fd in os.listdir(f"/proc/{pid}/fd"))


def test_worker_of_a_session(serving):
    check_confined(serving.worker)
    check_alone(serving.worker)
    # both streams and the log, the result, two to be stopped by (both ends), the device, and the pipeline's counters
    assert descriptors(serving.worker) == sorted(["pipe"] * (3 + 1 + 4) + [serving.device] + ["anon_inode"] * 2)
    session = next(statuses(serving.process.pid))
    assert session["Uid"].split() == ["0"] * 4 and session["Seccomp"] == "0"
    # nothing of the image is in the process that is root
    assert threads(serving.process.pid) == 1


def test_write_for_people(make_loop):
    device = make_loop(SIZE)
    with subprocess.Popen([ONHOST, "write", "--device", device], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as process:
        process.stdin.write(GOOD[:len(GOOD) // 2])
        process.stdin.flush()
        wait_until(lambda: threads(process.pid) >= 5)
        check_confined(process.pid)
        check_alone(process.pid)
        assert descriptors(process.pid) == sorted(["pipe"] * (2 + 1 + 4) + [device] + ["anon_inode"] * 2)
        process.stdin.write(GOOD[len(GOOD) // 2:])
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert b"written" in out
    loop.flush(device)
    assert contents(make_loop.backing[device])[:len(DISK)] == DISK


def test_unpack_by_a_user(shelf):
    with subprocess.Popen(as_user(os.path.join(shelf, "onhost"), "unpack"), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, cwd="/") as process:
        process.stdin.write(GOOD[:len(GOOD) // 2])
        process.stdin.flush()
        wait_until(lambda: threads(process.pid) >= 4)
        check_confined(process.pid, USER, None)
        out, err = process.communicate(GOOD[len(GOOD) // 2:], timeout=60)
    assert process.returncode == 0, err
    assert out == DISK


# --- what is refused there in a normal run

def trace(command, log, environ=None, **more):
    """Runs it under strace; the calls that were refused behind the filter."""
    # a sanitizer cannot look for leaks where another traces
    environ = os.environ | {"ASAN_OPTIONS": "detect_leaks=0:" + os.environ.get("ASAN_OPTIONS", "")} | (environ or {})
    done = subprocess.run(["strace", "-f", "-o", str(log), *command], capture_output=True, timeout=300, check=False,
                          env=environ, **more)
    inside, refused = set(), set()
    with open(log, encoding="utf-8", errors="replace") as f:
        for line in f:
            pid, _, text = line.partition(" ")
            text = text.strip()
            if re.match(r"seccomp\(SECCOMP_SET_MODE_FILTER, .*\{len=\d+, .*= 0$", text):
                inside.add(pid)
                continue
            if pid not in inside:
                continue
            name = re.match(r"(?:<\.\.\. )?(\w+)(?:\(| resumed)", text)
            if name and name.group(1) == "clone" and re.search(r"= (\d+)$", text):
                inside.add(re.search(r"= (\d+)$", text).group(1))
            if name and re.search(r" = -1 (EPERM|ENOSYS)\b", text):
                refused.add(name.group(1))
    assert inside, "the filter never came"
    return done, refused


def packed(tool, data):
    return subprocess.run([*tool.split(), "-c"], input=data, stdout=subprocess.PIPE, check=True).stdout


def sparse_tar(folder, dialect):
    with open(folder / "root.img", "wb") as f:
        f.write(DISK[:MIB])
        f.seek(2 * MIB)
        f.write(DISK[:MIB])
        f.truncate(4 * MIB)
    return subprocess.run(["tar", *dialect.split(), "--sparse", "-cf", "-", "root.img"], cwd=folder, stdout=subprocess.PIPE,
                          check=True).stdout


def pax_tar(header):
    """root.img with more about it than its name, which takes libarchive's conversions."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        entry = tarfile.TarInfo("root.img")
        entry.size = len(DISK)
        entry.pax_headers = header
        archive.addfile(entry, io.BytesIO(DISK))
    return out.getvalue()


def latin1_tar():
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT, encoding="latin-1") as archive:
        entry = tarfile.TarInfo("root.img")
        entry.size, entry.uname = len(DISK), "Björn"
        archive.addfile(entry, io.BytesIO(DISK))
    return out.getvalue()


def good_images(folder):
    yield "gzip", GOOD
    yield "tar", GOOD_TAR
    yield "zstd", packed("zstd -q -19", GOOD_TAR)
    yield "xz", lzma.compress(GOOD_TAR, preset=6)
    yield "raw", DISK
    yield "raw in gzip", gzip.compress(DISK)
    yield "pax", pax_tar({"uname": "Bjørn", "comment": "größer 漢字", "path": "./root.img"})
    yield "latin-1", latin1_tar()
    yield "gnu sparse", sparse_tar(folder, "--format=gnu")
    yield "pax sparse", sparse_tar(folder, "--format=posix --sparse-version=1.0")
    yield "members", gzip.compress(GOOD_TAR[:MIB]) + gzip.compress(GOOD_TAR[MIB:]) + bytes(512)


def test_no_call_is_refused_with_a_good_image(tmp_path, make_loop):
    """unpack, write, verify, of all formats."""
    image, log = tmp_path / "image", tmp_path / "trace"
    for name, data in good_images(tmp_path):
        image.write_bytes(data)
        device = make_loop(SIZE)
        for command in (["unpack", "--digest"], ["write", "--device", device, "--digest", "--verbose"],
                        ["verify", "--device", device, "--json"]):
            done, refused = trace([ONHOST, *command, "--image", str(image)], log)
            assert done.returncode == 0, (name, command, done.stderr)
            assert refused <= KNOWN_REFUSALS, (name, command)


def test_no_call_is_refused_with_a_bad_image(tmp_path):
    """Nothing that is only loaded or opened for an error is missing then."""
    image, log = tmp_path / "image", tmp_path / "trace"
    names = ({"path": "Björn.img"}, {"path": "漢字.img"}, {"path": "x", "hdrcharset": "BINARY"})
    bad = BAD | {str(name): (pax_tar(name), "where only root.img may be") for name in names}
    for name, (data, text) in bad.items():
        image.write_bytes(data)
        done, refused = trace([ONHOST, "unpack", "--image", str(image)], log)
        assert done.returncode > 0, name
        assert text in done.stderr.decode(errors="replace"), name
        assert refused <= KNOWN_REFUSALS, name


def whole_session(folder, device, image):
    """A session's arguments, and all that cpi says in it."""
    links = folder / "links"
    links.mkdir()
    (links / f"nvme-Amazon_Elastic_Block_Store_{VOLUME.replace('-', '')}").symlink_to(device)
    write = {"op": "write", "volume_id": VOLUME, "device_name": "/dev/sdf", "size_mib": SIZE // MIB, "fresh": True,
             "encrypted": False, "digest": True, "image": {"source": "stream"}}
    stream = (json.dumps({"op": "hello", "version": 1}) + "\n" + json.dumps(write) + "\n").encode()
    stream += b"".join(struct.pack(">I", len(image[at:at + MIB])) + image[at:at + MIB] for at in range(0, len(image), MIB))
    stream += bytes(4) + json.dumps({"op": "end", "sha256": hashlib.sha256(image).hexdigest()}).encode() + b"\n"
    return [ONHOST, "serve", "--lab-devices", str(links)], stream


def test_no_call_is_refused_in_a_session(tmp_path, make_loop):
    command, stream = whole_session(tmp_path, make_loop(SIZE), GOOD)
    done, refused = trace(command, tmp_path / "trace", input=stream, environ={"AWS_EC2_METADATA_DISABLED": "true"})
    assert done.returncode == 0, done.stderr
    assert b'"ok":"written"' in done.stdout
    assert refused <= KNOWN_REFUSALS


def test_children_ignored_by_who_started_it(tmp_path, make_loop):
    """Then the kernel forgets a child's end, unless onhost wants to know of it."""
    command, stream = whole_session(tmp_path, make_loop(SIZE), GOOD)
    done = subprocess.run(["env", "--ignore-signal=CHLD", *command], input=stream, capture_output=True, timeout=60, check=False,
                          env=os.environ | {"AWS_EC2_METADATA_DISABLED": "true"})
    assert done.returncode == 0, done.stderr
    assert b'"ok":"written"' in done.stdout
    assert b"no empty root directory" not in done.stderr


# --- what cannot be had

@pytest.mark.parametrize("call", ["setgroups", "setresgid", "setresuid", "capset", "prctl", "seccomp"])
def test_fatal(call, make_loop, tmp_path):
    """The image is not read: not a byte of it leaves the pipe."""
    device = make_loop(SIZE)
    image = tmp_path / "image"
    image.write_bytes(GOOD)
    command = ["strace", "-f", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:error=EINVAL", ONHOST,
               "write", "--device", device]
    with open(image, "rb") as file:
        done = subprocess.run(command, stdin=file, capture_output=True, text=True, timeout=60, check=False,
                              env=os.environ | {"ASAN_OPTIONS": "detect_leaks=0"})
        assert os.lseek(file.fileno(), 0, os.SEEK_CUR) == 0
    assert done.returncode == SANDBOX, done.stderr
    assert "image is not read" in done.stderr
    assert not any(contents(make_loop.backing[device]))


@pytest.mark.parametrize("call, text", [("unshare", "no namespaces of its own"), ("chroot", "no empty root directory"),
                                        ("unshare,chroot", "neither namespaces")])
def test_a_container_that_gives_less(call, text, make_loop):
    """The filter alone does what these do."""
    device = make_loop(SIZE)
    injections = [word for name in call.split(",") for word in ("-e", f"inject={name}:error=EPERM")]
    done = subprocess.run(["strace", "-f", "-o", "/dev/null", "-e", f"trace={call}", *injections, ONHOST, "write", "--device",
                           device, "--verbose"], input=GOOD, capture_output=True, timeout=60, check=False,
                          env=os.environ | {"ASAN_OPTIONS": "detect_leaks=0"})
    assert done.returncode == 0, done.stderr
    assert text in done.stderr.decode()


@pytest.mark.parametrize("line, text", [("", "there is no user nobody"),
                                        ("nobody:x:0:65534::/:/bin/false\n", "the user nobody is root here"),
                                        ("nobody:x:65534:0::/:/bin/false\n", "the user nobody is root here")])
def test_nobody_is_somebody_else(line, text, tmp_path):
    passwd = tmp_path / "passwd"
    passwd.write_text("root:x:0:0:root:/root:/bin/sh\n" + line)
    # systemd's module for names would make one up
    (tmp_path / "nsswitch.conf").write_text("passwd: files\n")
    mounts = " && ".join(f"mount --bind {tmp_path}/{name} /etc/{name}" for name in ("passwd", "nsswitch.conf"))
    prefix = in_namespaces("sh", "-c", f'{mounts} && exec "$@"', "-", kinds=("mount",))
    done = subprocess.run([*prefix, ONHOST, "unpack"], input=GOOD, capture_output=True, timeout=60, check=False)
    assert done.returncode == SANDBOX
    assert text in done.stderr.decode()
    assert done.stdout == b""


# --- the worker's life

def gone(pid):
    return not os.path.exists(f"/proc/{pid}")


def test_worker_is_killed(serving):
    """As by a call of another architecture, or by who runs out of memory: the session says so."""
    os.kill(serving.worker, signal.SIGKILL)
    error = serving.answer()["error"]
    assert error["type"] == "internal"
    assert "was killed by signal 9" in error["message"] and "first MiB of the device was not written" in error["message"]
    assert serving.process.wait(60) == INTERNAL
    assert gone(serving.worker)
    loop.flush(serving.device)
    assert not any(contents(serving.backing)[:MIB])


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_worker_does_not_outlive_the_session(serving, number):
    os.kill(serving.process.pid, number)
    serving.process.wait(60)
    wait_until(lambda: gone(serving.worker), 60)
    loop.flush(serving.device)
    assert not any(contents(serving.backing)[:MIB])


@pytest.mark.long
def test_worker_that_does_not_obey(serving):
    """It has half a minute, then it is killed."""
    os.kill(serving.worker, signal.SIGSTOP)
    began = time.monotonic()
    os.kill(serving.process.pid, signal.SIGTERM)
    assert serving.answer()["error"]["type"] == "cancelled"
    assert serving.process.wait(120) == 128 + signal.SIGTERM
    assert time.monotonic() - began >= 29
    assert gone(serving.worker)


def test_signal_to_the_worker_alone(serving):
    """The session was not told to stop, and says what happened."""
    os.kill(serving.worker, signal.SIGTERM)
    error = serving.answer()["error"]
    assert error["type"] == "internal" and "stopped by signal 15" in error["message"]
    assert serving.process.wait(60) == INTERNAL
