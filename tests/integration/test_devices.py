# SPDX-License-Identifier: Apache-2.0
"""onhost and devices: the wrong ones, each refused and untouched, byte for byte; the right one, early, late and never.

Every device is a loop device that the test made itself; nothing else is ever written to.
"""
import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import threading
import time

import pytest

from conftest import ONHOST, in_namespaces, loop, wait_until

MIB = 1 << 20
SIZE = 64 * MIB
VOLUME = "vol-0123456789abcdef0"
LINK = "nvme-Amazon_Elastic_Block_Store_" + VOLUME.replace("-", "")
UDEVD = "/lib/systemd/systemd-udevd"
USAGE, IMAGE, REFUSED, NO_DEVICE, IO, PROTOCOL = 2, 3, 4, 5, 6, 8


def onhost(*arguments, stdin=subprocess.DEVNULL, timeout=60):
    """One run to its end."""
    return subprocess.run([ONHOST, *map(str, arguments)], stdin=stdin, capture_output=True, text=True, timeout=timeout,
                          check=False)


def run(*command, **more):
    """A tool that the test needs; skips where there is none."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"no {command[0]} here")
    return subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **more)


def contents(device):
    """The SHA-256 of the whole device, past the page cache."""
    loop.flush(device)
    with open(device, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest() if hasattr(hashlib, "file_digest") else \
            hashlib.sha256(f.read()).hexdigest()


@pytest.fixture(name="image")
def make_image(tmp_path):
    """A raw disk image of 2 MiB."""
    path = tmp_path / "root.img"
    data = bytearray(os.urandom(2 * MIB))
    data[510:512] = b"\x55\xaa"
    path.write_bytes(data)
    return path


def refused(device, image, text, *options, status=REFUSED):
    """`onhost write` refuses it, says so, and changes nothing."""
    before = contents(device)
    result = onhost("write", "--device", device, "--image", image, *options)
    assert result.returncode == status, result.stderr
    assert re.search(text, result.stderr), result.stderr
    assert result.stdout == ""
    assert contents(device) == before


# --- what lies on it

def put_gpt(device):
    run("sfdisk", "--quiet", device, input=b"label: gpt\n,20M\n,\n")


def put_mbr(device):
    run("sfdisk", "--quiet", "--no-reread", device, input=b"label: dos\n,20M\n,\n")


def put_luks(device):
    run("cryptsetup", "luksFormat", "--batch-mode", "--type", "luks2", "--pbkdf", "pbkdf2", "--pbkdf-force-iterations",
        "1000", device, "-", input=b"word")


def put_raid(device):
    """By hand: mdadm makes superblocks only where the kernel has md."""
    with open(device, "r+b") as f:
        f.seek(4096)
        f.write(struct.pack("<II64xI68xQ", 0xA92B4EFC, 1, 1, 8))


SIGNATURES = {
    "ext4": (lambda device: run("mkfs.ext4", "-q", "-F", device), r"ext4, its signature at byte 1080"),
    "gpt": (put_gpt, r"partition table: gpt"),
    "mbr": (put_mbr, r"partition table: dos, its signature at byte 510"),
    "lvm": (lambda device: run("pvcreate", "-q", "-y", "--config", "devices{scan=\"/dev\" filter=[\"a|.*|\"]}", device),
            r"LVM2_member"),
    "luks": (put_luks, r"crypto_LUKS"),
    "swap": (lambda device: run("mkswap", device), r"swap, its signature at byte 4086"),
    "raid": (put_raid, r"linux_raid_member"),
}


@pytest.mark.parametrize("kind", SIGNATURES)
def test_signature(kind, make_loop, image):
    """A signature of a tool's own making; only a person's --force passes over it, and then the image is whole."""
    device = make_loop(SIZE)
    put, text = SIGNATURES[kind]
    try:
        put(device)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"{kind} cannot be made here: {error.stderr.decode(errors='replace').strip()[-200:]}")
    refused(device, image, text)
    refused(device, image, text, "--encrypted")
    result = onhost("write", "--device", device, "--image", image, "--force")
    assert result.returncode == 0, result.stderr
    assert onhost("verify", "--device", device, "--image", image).returncode == 0


@pytest.mark.parametrize("offset", [0, MIB - 1, SIZE - MIB, SIZE - 1])
def test_ends_not_blank(offset, make_loop, image):
    """Anything at either end is too much, unless the volume is encrypted."""
    device = make_loop(SIZE)
    with open(device, "r+b") as f:
        f.seek(offset)
        f.write(b"\x01")
    refused(device, image, f"byte {offset} is not zero")
    result = onhost("write", "--device", device, "--image", image, "--encrypted")
    assert result.returncode == 0, result.stderr


# --- who uses it

def test_mounted(make_loop, image, tmp_path):
    """Also with --force."""
    device = make_loop(SIZE)
    run("mkfs.ext4", "-q", "-F", device)
    folder = tmp_path / "mnt"
    folder.mkdir()
    mounted = subprocess.run(["mount", device, folder], check=False, capture_output=True, text=True)
    if mounted.returncode != 0:
        pytest.skip(f"cannot mount here: {mounted.stderr.strip()}")
    try:
        for options in ((), ("--force",)):
            result = onhost("write", "--device", device, "--image", image, *options)
            assert result.returncode == REFUSED
            assert f"{device} is mounted: {os.path.basename(device)} at {folder}" in result.stderr
        subprocess.run(["umount", folder], check=True)
        fsck = subprocess.run(["e2fsck", "-fn", device], check=False, capture_output=True)
        assert fsck.returncode == 0
    finally:
        subprocess.run(["umount", folder], check=False, stderr=subprocess.DEVNULL)


def test_swap_in_use(make_loop, image):
    """Also with --force."""
    device = make_loop(SIZE)
    run("mkswap", device)
    if subprocess.run(["swapon", device], check=False, capture_output=True).returncode != 0:
        pytest.skip("cannot swapon here")
    try:
        for options in ((), ("--force",)):
            result = onhost("write", "--device", device, "--image", image, *options)
            assert result.returncode == REFUSED
            assert "is used as swap" in result.stderr
    finally:
        subprocess.run(["swapoff", device], check=True)
    refused(device, image, "swap, its signature")


def test_held_exclusively(make_loop, image):
    """By whoever opened it so: a mount in another namespace, another onhost."""
    device = make_loop(SIZE)
    fd = os.open(device, os.O_RDONLY | os.O_EXCL)
    try:
        refused(device, image, "is busy", "--force")
    finally:
        os.close(fd)
    assert onhost("write", "--device", device, "--image", image).returncode == 0


def test_under_a_loop_device(make_loop, image):
    """A loop device over it opens it without claiming it."""
    device = make_loop(SIZE)
    over = loop.attach(device)
    try:
        refused(device, image, f"the loop device {os.path.basename(over)} lies over {device}", "--force")
    finally:
        loop.detach(over, device)


def test_partition(make_loop, image):
    """Only whole disks; and a disk whose partition is held is held."""
    device = make_loop(SIZE)
    put_mbr(device)
    run("partx", "-a", device)
    part = device + "p1"
    try:
        wait_until(lambda: os.path.exists(part))
        refused(part, image, "is a partition", "--force")
        fd = os.open(part, os.O_RDONLY | os.O_EXCL)
        try:
            refused(device, image, "is busy", "--force")
        finally:
            os.close(fd)
    finally:
        subprocess.run(["partx", "-d", device], check=False)


# --- what it is

def test_read_only(make_loop, image):
    """As the kernel says it."""
    refused(make_loop(SIZE, read_only=True), image, "is read-only", "--force")


def test_too_small(make_loop, image):
    """For the image, which the pipeline finds out, and untouched all the same."""
    refused(make_loop(MIB), image, "holds|larger|small", status=IMAGE)


def test_loop_without_a_file(make_loop, image):  # pylint: disable=unused-argument
    """A device of no size."""
    with loop.without_file(10000 + os.getpid() % 10000) as device:
        result = onhost("write", "--device", device, "--image", image)
    assert result.returncode in (REFUSED, NO_DEVICE, IO), result.stderr
    assert device in result.stderr


def test_no_device_at_all(tmp_path, image):
    """A regular file, a folder, a character device, nothing."""
    file = tmp_path / "file"
    file.write_bytes(bytes(SIZE))
    for path, text, status in ((file, "regular file", REFUSED), (tmp_path, "folder", REFUSED),
                               ("/dev/null", "character device", REFUSED),
                               (tmp_path / "none", "cannot be found", NO_DEVICE)):
        result = onhost("write", "--device", path, "--image", image, "--force")
        assert result.returncode == status, result.stderr
        assert text in result.stderr
    assert file.read_bytes() == bytes(SIZE)
    link = tmp_path / "link"
    link.symlink_to(file)
    assert onhost("write", "--device", link, "--image", image).returncode == REFUSED


# --- sessions

class Session:
    """cpi's half, by hand."""

    def __init__(self, links):
        self.process = subprocess.Popen([ONHOST, "serve", "--lab", "--lab-devices", str(links)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        env={"AWS_EC2_METADATA_DISABLED": "true"})
        assert self.ask({"op": "hello", "version": 1})["ok"] == "hello"

    def send(self, message):
        """One line."""
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()

    def any_answer(self):
        """The next message; None at the end."""
        line = self.process.stdout.readline()
        return json.loads(line) if line else None

    def answer(self):
        """The next message that is not progress; None at the end."""
        while True:
            message = self.any_answer()
            if message is None or message.get("event") != "progress":
                return message

    def ask(self, message):
        """A line and its answer."""
        self.send(message)
        return self.answer()

    def write(self, size=SIZE, timeout_ms=300, volume=VOLUME, **more):
        """A write message, and what is said to it."""
        return self.ask({"op": "write", "volume_id": volume, "device_name": "/dev/sdf", "size_mib": size // MIB,
                         "fresh": True, "encrypted": False, "device_timeout_ms": timeout_ms,
                         "image": {"source": "stream"}, **more})

    def stream(self, data, chunk=300000):
        """The image and its end."""
        for at in range(0, len(data), chunk):
            piece = data[at:at + chunk]
            self.process.stdin.write(struct.pack(">I", len(piece)) + piece)
        self.process.stdin.write(bytes(4))
        self.send({"op": "end", "sha256": hashlib.sha256(data).hexdigest()})

    def end(self):
        """Closes our side; exit status and log."""
        self.process.stdin.close()
        log = self.process.stderr.read().decode()
        assert self.process.stdout.read() == b""
        return self.process.wait(timeout=30), log

    def kill(self):
        """Whatever is left of it."""
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            with contextlib.suppress(BrokenPipeError):
                stream.close()


@pytest.fixture(name="links")
def make_links(tmp_path):
    """A folder of by-id links of the test's own."""
    folder = tmp_path / "links"
    folder.mkdir()
    return folder


@pytest.fixture(name="session")
def make_session(links):
    """Starts sessions over that folder."""
    sessions = []

    def start():
        sessions.append(Session(links))
        return sessions[-1]
    yield start
    for each in sessions:
        each.kill()


def test_session_onto_a_device(session, links, make_loop, image):
    """The whole way, twice in one session."""
    serving = session()
    for suffix, volume in (("", VOLUME), ("-ns-1", "vol-00000000000000001")):
        device = make_loop(SIZE)
        (links / (f"nvme-Amazon_Elastic_Block_Store_{volume.replace('-', '')}" + suffix)).symlink_to(device)
        ready = serving.write(volume=volume)
        assert ready["ok"] == "ready" and ready["device"] == device
        serving.stream(image.read_bytes())
        written = serving.answer()
        assert written["ok"] == "written" and written["image_size"] == 2 * MIB
        loop.flush(device)
        with open(make_loop.backing[device], "rb") as f:
            assert f.read(2 * MIB) == image.read_bytes()
            assert f.read() == bytes(SIZE - 2 * MIB)
    status, log = serving.end()
    assert status == 0
    assert "lab: the links in" in log


def test_session_refuses_and_goes_on(session, links, make_loop, image):
    """Too small for the volume, not blank, held, not the one asked for: then the right one."""
    serving = session()
    small, full, held, right = make_loop(SIZE - MIB), make_loop(SIZE), make_loop(SIZE), make_loop(SIZE)
    run("mkfs.ext4", "-q", "-F", full)
    link = links / LINK
    sums = {device: contents(device) for device in (small, full, held, right)}
    for device, text in ((small, "where at least"), (full, "ext4"), (held, "is busy")):
        fd = os.open(held, os.O_RDONLY | os.O_EXCL)
        link.symlink_to(device)
        answer = serving.write()
        link.unlink()
        os.close(fd)
        assert answer["error"]["type"] == "device_refused"
        assert text in answer["error"]["message"]
    other = links / LINK.replace("0123", "9999")
    other.symlink_to(right)
    answer = serving.write()
    assert answer["error"]["type"] == "no_device"
    assert other.name in answer["error"]["message"]
    for device, value in sums.items():
        assert contents(device) == value
    other.rename(link)
    assert serving.write()["ok"] == "ready"
    serving.stream(image.read_bytes())
    assert serving.answer()["ok"] == "written"
    assert serving.end()[0] == 0


def test_regular_file_only_in_a_lab_folder(session, links, tmp_path, image):
    """A lab without loop devices has files; nobody else has."""
    file = tmp_path / "volume"
    with open(file, "wb") as f:
        f.truncate(SIZE)
    (links / LINK).symlink_to(file)
    serving = session()
    assert serving.write()["ok"] == "ready"
    serving.stream(image.read_bytes())
    assert serving.answer()["ok"] == "written"
    assert serving.end()[0] == 0
    assert file.read_bytes()[:2 * MIB] == image.read_bytes()


@pytest.mark.parametrize("how", ["close", "kill", "SIGTERM", "SIGINT", "SIGHUP", "SIGKILL"])
def test_session_ends_half_way(how, session, links, make_loop):
    """cpi dies, or onhost is stopped: the first MiB is blank, and onhost is gone."""
    device = make_loop(SIZE)
    (links / LINK).symlink_to(device)
    serving = session()
    assert serving.write()["ok"] == "ready"
    data = bytearray(os.urandom(8 * MIB))
    data[510:512] = b"\x55\xaa"
    for at in range(0, 6 * MIB, MIB):
        serving.process.stdin.write(struct.pack(">I", MIB) + data[at:at + MIB])
    serving.process.stdin.flush()
    expected = PROTOCOL
    if how == "close":
        serving.process.stdin.close()
        answer = serving.answer()
        assert answer["error"]["type"] == "protocol"
        assert "ended before the image did" in answer["error"]["message"]
    elif how == "kill":  # both ends at once, as when cpi is killed
        serving.process.stdin.close()
        serving.process.stdout.close()
    else:
        number = getattr(signal, how)
        serving.process.send_signal(number)
        expected = -number if number == signal.SIGKILL else 128 + number
        if number != signal.SIGKILL:
            assert serving.answer()["error"]["type"] == "cancelled"
    assert serving.process.wait(timeout=30) == expected
    loop.flush(device)
    with open(make_loop.backing[device], "rb") as f:
        assert f.read(MIB) == bytes(MIB)


def test_closed_output_ends_the_session(session, links, make_loop):
    """Even when our standard input stays open, as behind a broken ssh."""
    (links / LINK).symlink_to(make_loop(SIZE))
    serving = session()
    assert serving.write()["ok"] == "ready"
    serving.process.stdout.close()
    assert serving.process.wait(timeout=30) == PROTOCOL


# --- early, late, never

def link_later(links, device, seconds):
    """The link appears after so long, in the way that a tool would make it."""
    timer = threading.Timer(seconds, lambda: (links / LINK).symlink_to(device))
    timer.start()
    return timer


def test_late_device_is_taken(session, links, make_loop):
    """It comes while we wait."""
    device = make_loop(SIZE)
    serving = session()
    timer = link_later(links, device, 1.5)
    ready = serving.write(timeout_ms=30000)
    timer.join()
    assert ready["ok"] == "ready" and ready["device"] == device


def test_wait_device(links, make_loop):
    """The command for people."""
    device = make_loop(SIZE)
    timer = link_later(links, device, 0.5)
    result = onhost("wait-device", "--volume", VOLUME, "--lab-devices", links, "--timeout", 20)
    timer.join()
    assert (result.returncode, result.stdout) == (0, f"{device}\tby-id link {LINK} (lab)\n")
    result = onhost("wait-device", "--volume", VOLUME, "--lab-devices", links, "--json")
    assert json.loads(result.stdout) == {"device": device, "recognised_by": f"by-id link {LINK} (lab)"}


def test_device_never_comes(make_loop):
    """The error says what was seen instead."""
    device = make_loop(SIZE)
    result = onhost("wait-device", "--volume", VOLUME, "--device", "/dev/sdf", "--timeout", 1)
    assert result.returncode == NO_DEVICE
    assert f"the block device of {VOLUME} as /dev/sdf did not appear within 1 s" in result.stderr
    assert re.search(rf"{os.path.basename(device)} \(0.1 GiB: not an EBS controller", result.stderr)


def test_not_the_volume_asked_for(links, make_loop, image):
    """Blank, of the right size, and another volume's: left alone, and named."""
    device = make_loop(SIZE)
    other = LINK[:-1] + "1"
    (links / other).symlink_to(device)
    before = contents(device)
    result = onhost("write", "--volume", VOLUME, "--fresh", "--image", image, "--lab-devices", links, "--timeout", 1)
    assert result.returncode == NO_DEVICE, result.stderr
    assert f"the block device of {VOLUME} did not appear within 1 s" in result.stderr
    assert contents(device) == before


def wait_device(*options):
    """A `wait-device` that has looked at what is there, and waits."""
    waiting = subprocess.Popen([ONHOST, "wait-device", "--volume", VOLUME, "--verbose", *options], stderr=subprocess.PIPE,
                               text=True)
    while "watching for block devices" not in (line := waiting.stderr.readline()):
        assert line, "it has ended"

    def polls():
        with open(f"/proc/{waiting.pid}/wchan", encoding="ascii") as f:
            return "poll" in f.read()
    wait_until(polls, 30)
    return waiting


def test_new_arrivals_are_named(make_loop):
    """What came while we waited, and was not it."""
    waiting = wait_device("--timeout", "3")
    device = make_loop(SIZE)
    _, err = waiting.communicate(timeout=30)
    assert waiting.returncode == NO_DEVICE
    name = os.path.basename(device)
    # A loop device is another disk with each file that it gets; kernels before 5.15 do not number them.
    assert ("newly arrived " if os.path.exists(f"/sys/block/{name}/diskseq") else "") + name in err


def test_wait_ends_with_cpi(session):
    """cpi's death ends the wait at once, not after its minute."""
    serving = session()
    serving.send({"op": "write", "volume_id": VOLUME, "device_name": "/dev/sdf", "size_mib": 64, "fresh": True,
                  "encrypted": False, "image": {"source": "stream"}})
    time.sleep(0.3)
    began = time.monotonic()
    serving.process.stdin.close()
    assert serving.process.wait(timeout=30) == PROTOCOL
    assert time.monotonic() - began < 20
    assert serving.answer()["error"]["type"] == "protocol"


def test_wait_ends_with_sigterm():
    """128 and the signal's number."""
    waiting = wait_device()
    waiting.terminate()
    _, err = waiting.communicate(timeout=30)
    assert waiting.returncode == 128 + signal.SIGTERM
    assert "SIGTERM" in err or "signal 15" in err or "erminated" in err


@pytest.mark.long
@pytest.mark.parametrize("seconds", [59, None])
def test_a_whole_minute(seconds, session, links, make_loop):
    """After 59 s it is taken; after 60 s it is too late, whatever the clock says in unit tests."""
    device = make_loop(SIZE)
    serving = session()
    timer = link_later(links, device, seconds) if seconds else None
    began = time.monotonic()
    answer = serving.write(timeout_ms=0)
    if timer:
        timer.join()
        assert answer["ok"] == "ready"
    else:
        assert time.monotonic() - began >= 60
        assert "did not appear within 60 s" in answer["error"]["message"]
        assert "no link at all" in answer["error"]["message"]


# --- udev

RULE = ('SUBSYSTEM=="block", ATTR{loop/backing_file}=="*/loop-*", SYMLINK+="disk/by-id/' + LINK + '"')
# A second udevd with folders of its own in namespaces of its own; then the command; then all of it goes. /dev itself is
# shared, so that folders which udevd makes there are taken away where they were not before.
WITH_UDEVD = f"""
for d in disk block char; do [ -e /dev/$d ] || new="$new /dev/$d"; done
mount -t tmpfs t /run && mkdir -p /run/udev/rules.d /dev/disk && mount -t tmpfs t /dev/disk || exit 99
printf '%s\\n' '{RULE}' > /run/udev/rules.d/60-test.rules
{UDEVD} & daemon=$!
for i in $(seq 100); do udevadm control --ping 2>/dev/null && break; sleep 0.05; done
"$@"; status=$?
kill $daemon; wait $daemon
umount /dev/disk
[ -z "$new" ] || rm -rf $new
exit $status
"""
WITHOUT_UDEVD = 'mount -t tmpfs t /run && exec "$@"'


@pytest.mark.parametrize("with_udevd", [True, False])
def test_events(with_udevd, make_loop):
    """With udevd its events are waited for and its link is taken; without, the kernel's events are."""
    if with_udevd and not os.path.exists(UDEVD):
        pytest.skip("no udevd to start here")
    prefix = in_namespaces("sh", "-c", WITH_UDEVD if with_udevd else WITHOUT_UDEVD, "sh")
    waiting = subprocess.Popen([*prefix, ONHOST, "wait-device", "--volume", VOLUME, "--verbose", *(
        ["--lab", "--timeout", "20"] if with_udevd else ["--timeout", "2"])],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    seen = ""
    while f"{'udev' if with_udevd else 'kernel'} events" not in seen:
        line = waiting.stderr.readline()
        assert line, seen
        seen += line
    device = make_loop(SIZE)
    out, err = waiting.communicate(timeout=60)
    if with_udevd:
        assert waiting.returncode == 0, seen + err
        assert out.startswith(device + "\t")
    else:
        assert waiting.returncode == NO_DEVICE
        assert os.path.basename(device) in err


# --- the rest of the command line

def test_image_on_a_terminal(make_loop):
    """It says what it expects instead of waiting."""
    controller, terminal = os.openpty()
    try:
        for arguments in (("serve",), ("unpack",), ("write", "--device", make_loop(SIZE))):
            result = onhost(*arguments, stdin=terminal)
            assert result.returncode == USAGE
            assert "terminal" in result.stderr and "expect" in result.stderr
    finally:
        os.close(controller)
        os.close(terminal)


def test_binary_to_a_terminal(image):
    """unpack refuses to write a disk image to one."""
    controller, terminal = os.openpty()
    try:
        result = subprocess.run([ONHOST, "unpack", "--image", image], stdout=terminal, stderr=subprocess.PIPE,
                                check=False, timeout=30)
        assert result.returncode == USAGE
        assert b"terminal" in result.stderr
    finally:
        os.close(controller)
        os.close(terminal)


def test_unpack_and_verify(image, make_loop):
    """Standard input, standard output, a pipe."""
    with open(image, "rb") as f:
        out = subprocess.run([ONHOST, "unpack", "--digest"], stdin=f, capture_output=True, check=True, timeout=60)
    assert out.stdout == image.read_bytes()
    assert hashlib.sha256(out.stdout).hexdigest() in out.stderr.decode()
    device = make_loop(SIZE)
    result = onhost("write", "--device", device, "--image", image, "--json", "--digest")
    written = json.loads(result.stdout)
    assert written["device"] == device
    assert written["image_sha256"] == hashlib.sha256(image.read_bytes()).hexdigest()
    assert onhost("verify", "--device", device, "--image", image).returncode == 0
    with open(device, "r+b") as f:
        f.seek(1500000)
        byte = f.read(1)
        f.seek(1500000)
        f.write(bytes([byte[0] ^ 1]))
    result = onhost("verify", "--device", device, "--image", image)
    assert result.returncode == IO
    assert "1500000" in result.stderr


@pytest.mark.parametrize("arguments", [
    (), ("frob",), ("write",), ("write", "--volume", VOLUME, "--device", "/dev/x"), ("write", "--volume", "sdf"),
    ("write", "--volume", VOLUME, "--force"), ("write", "--device", "/dev/x", "--fresh"), ("serve", "--force"),
    ("write", "--volume", VOLUME, "--skip-zero-blocks"), ("wait-device",), ("verify",), ("serve", "--device", "/dev/x"),
    ("write", "--volume", VOLUME, "--fresh", "--encrypted", "--skip-zero-blocks")])
def test_usage(arguments):
    """Exit status 2, and where help is."""
    result = onhost(*arguments)
    assert result.returncode == USAGE
    assert "onhost" in result.stderr and result.stdout == ""


@pytest.mark.parametrize("command", ["serve", "metadata", "wait-device", "write", "verify", "unpack"])
def test_help(command):
    """Each command has its own; the exit statuses are in it."""
    result = onhost(command, "--help")
    assert result.returncode == 0 and result.stderr == ""
    assert f"Usage: onhost {command}" in result.stdout and "Exit status" in result.stdout


def test_progress_bar(image, make_loop):
    """On a terminal there is a bar, elsewhere not one carriage return."""
    device = make_loop(SIZE)
    result = onhost("write", "--device", device, "--image", image)
    assert result.returncode == 0 and "\r" not in result.stderr


def test_volume_of_the_lab(lab, image):
    """The device that attaching makes, with the link that udev gives it where udevd runs."""
    volume = lab.ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]
    options = ["--volume", volume, "--lab"]
    if lab.kind == "plain":
        options += ["--lab-devices", os.path.join(lab.dir, "dev")]
    try:
        lab.ec2.get_waiter("volume_available").wait(VolumeIds=[volume])
        waiting = subprocess.Popen([ONHOST, "wait-device", *options], stdout=subprocess.PIPE, text=True)
        lab.ec2.attach_volume(VolumeId=volume, InstanceId=lab.builder, Device="/dev/sdf")
        out, _ = waiting.communicate(timeout=60)
        assert out.split("\t")[0] == os.path.realpath(lab.link(volume))
        result = onhost("write", "--image", image, "--fresh", *options)
        assert result.returncode == 0, result.stderr
        assert onhost("write", "--image", image, *options).returncode == REFUSED
    finally:
        lab.ec2.detach_volume(VolumeId=volume)
        lab.ec2.get_waiter("volume_available").wait(VolumeIds=[volume])
        lab.ec2.delete_volume(VolumeId=volume)
