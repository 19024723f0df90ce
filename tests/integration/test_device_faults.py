# SPDX-License-Identifier: Apache-2.0
"""Devices that fail in the middle: each is a clear error with offset and errno, the first MiB is blank afterwards, and
nothing hangs.

What the kernel makes of an errno on its way up: a loop device passes ENOSPC on (with cached I/O, older kernels make EIO of
it), and turns everything else, also a short write, into EIO. So does any disk's driver with ENODEV mostly: only the
device's size tells whether it has gone.
"""
import errno
import os
import pty
import re
import subprocess
import threading

import fault_kit
import pytest
import test_devices
from conftest import ONHOST, loop, wait_until
from fault_kit import MIB, raw_image, told_place
from test_devices import IO, LINK, NO_DEVICE

# fixtures of other files
make_fault_disk = fault_kit.make_fault_disk
make_links, make_session = test_devices.make_links, test_devices.make_session

SIZE = 32 * MIB
IMAGE_SIZE = 8 * MIB
# at 200 ms for each MiB, two at a time, longer than a second
SLOW_SIZE = 24 * MIB


def onhost(*arguments, **more):
    """One run to its end."""
    return subprocess.run([ONHOST, *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=120, check=False, **more)


class Feed:
    """`onhost COMMAND --device …`, fed by hand."""

    def __init__(self, command, device, data, stderr=subprocess.PIPE, env=None):
        self.data = data
        self.process = subprocess.Popen([ONHOST, command, "--device", device], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=stderr, env=env)

    def give(self, start, end):
        """That part of the image."""
        try:
            self.process.stdin.write(self.data[start:end])
            self.process.stdin.flush()
        except BrokenPipeError:
            pass

    def end(self):
        """Exit status and what was said."""
        _, err = self.process.communicate(timeout=60)
        return self.process.returncode, err.decode()


@pytest.fixture(name="image")
def make_image(tmp_path):
    """A raw disk image."""
    path = tmp_path / "root.img"
    path.write_bytes(raw_image(IMAGE_SIZE))
    return path


@pytest.fixture(name="write", params=["write", "serve"])
def make_write(request, session, links, image):
    """Writes the image onto a device by `onhost write`, or in a session: exit status and the error, None if none."""
    def by_hand(device):
        result = onhost("write", "--device", device, "--image", image)
        return result.returncode, result.stderr if result.returncode else None

    def by_session(device):
        (links / LINK).symlink_to(device)
        serving = session()
        assert serving.write(size=SIZE)["ok"] == "ready"
        sender = threading.Thread(target=send, args=(serving, image.read_bytes()))
        sender.start()
        answer = serving.answer()
        if "error" in answer:
            assert answer["error"]["type"] == ("no_device" if "became" in answer["error"]["message"] or
                                               "went away" in answer["error"]["message"] else "io")
        status, _ = serving.end() if "error" not in answer else (serving.process.wait(timeout=60), None)
        sender.join(60)
        return status, answer["error"]["message"] if "error" in answer else None
    return by_hand if request.param == "write" else by_session


def send(serving, data):
    """The image, as far as it is taken."""
    try:
        serving.stream(data)
    except BrokenPipeError:
        pass


def head_is_blank(disk):
    """Nothing that has reached the disk looks bootable, or like the image at all."""
    return disk.contents()[:MIB] == bytes(MIB)


# --- errors of requests -----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("direct", [True, False], ids=["direct", "cached"])
@pytest.mark.parametrize("at", [MIB, 3 * MIB + 12345, IMAGE_SIZE - 1])
def test_write_error(at, direct, fault_disk, write):
    """EIO at one byte: the request that is named is the one that touches it."""
    disk = fault_disk(SIZE)
    disk.attach(direct)
    disk.order(f"write EIO {at} {at + 1}")
    status, message = write(disk.device)
    assert status == IO
    offset, length = told_place(message)
    assert offset <= at < offset + length
    failed = disk.report("write")
    assert failed and all(offset <= f.offset and f.offset + f.length <= offset + length for f in failed)
    assert f"cannot write to {disk.device} at offset" in message and os.strerror(errno.EIO) in message
    assert head_is_blank(disk)


@pytest.mark.parametrize("direct", [True, False], ids=["direct", "cached"])
def test_no_space(direct, fault_disk, write):
    """As on a thin-provisioned disk: from some byte on there is nothing."""
    disk = fault_disk(SIZE)
    disk.attach(direct)
    disk.order(f"write ENOSPC {5 * MIB + 4096} -")
    status, message = write(disk.device)
    assert status == IO
    offset, length = told_place(message)
    assert offset + length > 5 * MIB + 4096
    assert any(offset <= f.offset < offset + length and f.errno == errno.ENOSPC for f in disk.report("write"))
    assert os.strerror(errno.ENOSPC) in message or not direct and os.strerror(errno.EIO) in message
    assert head_is_blank(disk)


def test_short_writes_of_a_device(fault_disk, write):
    """The kernel makes EIO of them."""
    disk = fault_disk(SIZE)
    disk.attach()
    disk.order("write none 0 -", "short 100000")
    status, message = write(disk.device)
    assert status == IO
    offset, _ = told_place(message)
    assert offset in [r.offset for r in disk.report("write")]
    assert os.strerror(errno.EIO) in message
    assert head_is_blank(disk)


@pytest.mark.parametrize("at", [512, SIZE - 5000])
def test_probing_fails(at, fault_disk, image):
    """What cannot be read cannot be shown to be blank; nothing is written."""
    disk = fault_disk(SIZE)
    # before udev's look at the new device, which would leave what it read in the page cache
    disk.order(f"read EIO {at} {at + 1}", "write none 0 -")
    disk.attach()
    result = onhost("write", "--device", disk.device, "--image", image)
    assert result.returncode == IO, result.stderr
    assert os.strerror(errno.EIO) in result.stderr and disk.device in result.stderr
    assert not disk.report("write")


@pytest.mark.parametrize("at", [0, 3 * MIB + 12345, IMAGE_SIZE - 1])
def test_verify_read_error(at, fault_disk, image):
    disk = fault_disk(SIZE)
    disk.attach()
    assert onhost("write", "--device", disk.device, "--image", image).returncode == 0
    assert onhost("verify", "--device", disk.device, "--image", image).returncode == 0
    disk.order(f"read EIO {at} {at + 1}")
    result = onhost("verify", "--device", disk.device, "--image", image)
    assert result.returncode == IO
    offset, length = told_place(result.stderr)
    assert offset <= at < offset + length
    assert f"cannot read {disk.device} at offset" in result.stderr and os.strerror(errno.EIO) in result.stderr


# --- flushing, and the head -------------------------------------------------------------------------------------------

def test_first_flush_fails(fault_disk, write):
    """The head has not gone out."""
    disk = fault_disk(SIZE)
    disk.attach()
    disk.order("fsync EIO", f"write none 0 {MIB}")
    status, message = write(disk.device)
    assert status == IO
    assert f"cannot flush what was written to {disk.device}" in message and os.strerror(errno.EIO) in message
    assert disk.report("fsync") and not disk.report("write")
    assert head_is_blank(disk) and disk.contents()[MIB:2 * MIB] != bytes(MIB)


@pytest.mark.parametrize("orders", [
    ["fsync EIO 1 1"],                      # the last flush alone; blanking is flushed
    ["fsync EIO 1"],                        # that, and the one after the blanking too
    ["write EIO 524288 524289"],            # a block of the head, for good
    ["write EIO 0 1 0 1"],                  # the first block, once
    ["write EIO 0 1"],                      # the first block, for good
    [f"write EIO {MIB - 1} {MIB} 0 2", "fsync EIO 1 1"],
])
def test_head_fails(orders, fault_disk, write, image):
    """Blanked again, as far as the device takes it: here, all of it."""
    disk = fault_disk(SIZE)
    disk.attach()
    disk.order(*orders, f"write none 0 {MIB}")
    status, message = write(disk.device)
    assert status == IO
    assert "cannot flush" in message or told_place(message)[0] < MIB
    assert os.strerror(errno.EIO) in message
    assert disk.report()
    assert head_is_blank(disk)
    assert disk.contents()[MIB:IMAGE_SIZE] == image.read_bytes()[MIB:]


def test_head_had_gone_out(fault_disk, image):
    """The blanking above is not for nothing: without it the disk would boot."""
    disk = fault_disk(SIZE)
    disk.attach()
    disk.order(f"write none 0 {MIB}", "fsync EIO 1 1")
    assert onhost("write", "--device", disk.device, "--image", image).returncode == IO
    first = [w for w in disk.report("write") if w.offset == 0]
    assert len(first) == 2 and sum(w.length for w in disk.report("write")) >= 2 * MIB


# --- slow devices -----------------------------------------------------------------------------------------------------

def test_slow_device(fault_disk, session, links):
    """200 ms a request: right in the end, and progress is told meanwhile."""
    disk, data = fault_disk(SIZE), raw_image(SLOW_SIZE)
    disk.attach()
    (links / LINK).symlink_to(disk.device)
    serving = session()
    assert serving.write(size=SIZE)["ok"] == "ready"
    disk.order("delay 200")
    serving.stream(data)
    told = []
    while True:
        message = serving.any_answer()
        if message.get("event") != "progress":
            break
        told.append(message)
    assert message["ok"] == "written" and message["written"] == SLOW_SIZE
    assert any(0 < each["written"] < SLOW_SIZE for each in told), told
    assert serving.end()[0] == 0
    assert disk.contents()[:SLOW_SIZE] == data


def test_slow_device_on_a_terminal(fault_disk):
    """The bar moves."""
    disk, data = fault_disk(SIZE), raw_image(SLOW_SIZE)
    disk.attach()
    disk.order("write none 0 -")
    leader, follower = pty.openpty()
    feed = Feed("write", disk.device, data, stderr=follower, env=os.environ | {"TERM": "xterm"})
    os.close(follower)
    feed.give(0, 3 * MIB)
    wait_until(lambda: disk.report("write"), 30)
    disk.order("delay 200")
    feed.give(3 * MIB, SLOW_SIZE)
    feed.process.stdin.close()
    text = b""
    try:
        while chunk := os.read(leader, 65536):
            text += chunk
    except OSError:  # the other end is closed
        pass
    os.close(leader)
    assert feed.process.wait(60) == 0
    assert b"written: " in feed.process.stdout.read()
    percents = [int(p) for p in re.findall(rb"(\d+) %", text)]
    assert percents == sorted(percents) and percents[-1] == 100 and any(0 < p < 100 for p in percents), text
    assert disk.contents()[:SLOW_SIZE] == data


# --- without O_DIRECT, and in pieces ----------------------------------------------------------------------------------

def onto_a_file(session, links, image, file):
    """In a session of the lab, which may write to regular files: the answer at the end."""
    (links / LINK).symlink_to(file)
    serving = session()
    assert serving.write(size=SIZE)["ok"] == "ready"
    send(serving, image.read_bytes())
    answer = serving.answer()
    assert serving.end()[0] == 0
    return answer


@pytest.mark.parametrize("orders", [["no-direct"], ["short 5000"], ["no-direct", "short 65537"]])
def test_direct_refused_and_short(orders, fault_disk, session, links, image):
    """O_DIRECT that is refused with the first request, and writes that take less than was asked: all of it arrives."""
    disk = fault_disk(SIZE)
    disk.order(*orders, "write none 0 -")
    answer = onto_a_file(session, links, image, disk.file)
    assert answer["ok"] == "written" and answer["written"] == IMAGE_SIZE
    assert disk.refused_direct() == ("no-direct" in orders)
    if orders[0] == "short 5000":
        assert all(w.length <= 5000 for w in disk.report("write"))
    assert disk.contents()[:IMAGE_SIZE] == image.read_bytes()


def test_no_direct_at_all(session, links, image, tmp_path):
    """A file system where the flag cannot even be set."""
    folder = tmp_path / "ramfs"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "ramfs", "ramfs", folder], check=False, capture_output=True, text=True)
    if mounted.returncode != 0:
        pytest.skip(f"cannot mount here: {mounted.stderr.strip()}")
    try:
        file = folder / "disk"
        file.write_bytes(b"")
        os.truncate(file, SIZE)
        with pytest.raises(OSError):
            os.close(os.open(file, os.O_RDWR | os.O_DIRECT))
        assert onto_a_file(session, links, image, file)["ok"] == "written"
        assert file.read_bytes()[:IMAGE_SIZE] == image.read_bytes()
    finally:
        subprocess.run(["umount", folder], check=True)


# --- by strace: what a device of our own cannot be made to do ---------------------------------------------------------

def under_strace(tmp_path, inject, *arguments):
    """The run, and its calls of pwrite64 and fsync as (call, offset, asked, result)."""
    log = tmp_path / "strace"
    result = subprocess.run(["strace", "-f", "-qq", "-o", log, "-s", "0", "-e", "trace=pwrite64,fsync",
                             *(f"-einject={each}" for each in inject), ONHOST, *map(str, arguments)],
                            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False,
                            env=os.environ | {"ASAN_OPTIONS": "detect_leaks=0"})
    # a call that another thread's interrupts stands there in two parts
    begun, calls = {}, []
    for line in log.read_text().splitlines():
        thread, _, rest = line.partition(" ")
        rest = rest.strip()
        if rest.endswith("<unfinished ...>"):
            begun[thread] = rest[:-len("<unfinished ...>")]
            continue
        resumed = re.match(r"<\.\.\. \w+ resumed>", rest)
        if resumed:
            rest = begun.pop(thread).rstrip() + rest[resumed.end():]
        match = re.match(r"pwrite64\(\d+, .*, (\d+), (\d+)\)\s+= (-?\d+)(?: (\w+))?", rest)
        if match:
            asked, offset, got = (int(match.group(i)) for i in (1, 2, 3))
            calls.append((offset, asked, match.group(4) if got < 0 else got))
    return result, calls


@pytest.mark.parametrize("name", ["EIO", "ENOSPC", "EAGAIN"])
def test_errno_of_a_call(name, make_loop, image, tmp_path):
    """The third write of a thread; the offset that is told is that call's."""
    device = make_loop(SIZE)
    result, calls = under_strace(tmp_path, [f"pwrite64:error={name}:when=3"], "write", "--device", device, "--image", image)
    assert result.returncode == IO, result.stderr
    assert os.strerror(getattr(errno, name)) in result.stderr
    assert told_place(result.stderr) in [(offset, asked) for offset, asked, got in calls if got == name]
    loop.flush(device)
    with open(make_loop.backing[device], "rb") as f:
        assert f.read(MIB) == bytes(MIB)


def test_interrupted_calls(make_loop, image, tmp_path):
    """EINTR: made again, of writes and of both flushes."""
    device = make_loop(SIZE)
    result, calls = under_strace(tmp_path, ["pwrite64:error=EINTR:when=1+3", "fsync:error=EINTR:when=1+2"],
                                 "write", "--device", device, "--image", image)
    assert result.returncode == 0, result.stderr
    assert sum(got == "EINTR" for _, _, got in calls) >= 3
    assert onhost("verify", "--device", device, "--image", image).returncode == 0


@pytest.mark.parametrize("taken", [4096, 1000, 262144])
def test_short_call(taken, make_loop, image, tmp_path):
    """The rest of a short write follows where it ended (strace writes nothing of what it says was taken)."""
    device = make_loop(SIZE)
    result, calls = under_strace(tmp_path, [f"pwrite64:retval={taken}:when=2"], "write", "--device", device, "--image", image)
    assert result.returncode == 0, result.stderr
    short = [(offset, asked) for offset, asked, got in calls if got == taken and asked > taken]
    assert short
    expected = bytearray(image.read_bytes())
    for offset, asked in short:
        assert (offset + taken, asked - taken) in [(o, a) for o, a, _ in calls]
        expected[offset:offset + taken] = bytes(taken)
    loop.flush(device)
    with open(make_loop.backing[device], "rb") as f:
        assert f.read(IMAGE_SIZE) == expected


def test_nothing_taken(make_loop, image, tmp_path):
    """A write that takes nothing, over and over, is a device that is full, and no endless loop."""
    device = make_loop(SIZE)
    result, calls = under_strace(tmp_path, ["pwrite64:retval=0:when=2+"], "write", "--device", device, "--image", image)
    assert result.returncode == IO
    assert told_place(result.stderr) in [(offset, asked) for offset, asked, got in calls if got == 0]
    assert os.strerror(errno.ENOSPC) in result.stderr


@pytest.mark.parametrize("name", ["ENODEV", "ENXIO"])
def test_errno_says_gone(name, make_loop, image, tmp_path):
    """What a driver answers for a device that was taken away."""
    device = make_loop(SIZE)
    result, calls = under_strace(tmp_path, [f"pwrite64:error={name}:when=2"], "write", "--device", device, "--image", image)
    assert result.returncode == NO_DEVICE, result.stderr
    assert f"{device} went away while it was written at offset" in result.stderr
    assert os.strerror(getattr(errno, name)) in result.stderr
    assert told_place(result.stderr) in [(offset, asked) for offset, asked, got in calls if got == name]


# --- the device goes away ---------------------------------------------------------------------------------------------

@pytest.mark.parametrize("size, text", [(0, "went away while it was written"), (2 * MIB, "became smaller while it was written")])
def test_device_goes_half_way(size, text, fault_disk, image):
    """Capacity 0, as after an unplug, or less than there was: the next write finds out, and its offset is told."""
    disk = fault_disk(SIZE)
    disk.attach()
    feed = Feed("write", disk.device, image.read_bytes())
    feed.give(0, 4 * MIB)
    wait_until(lambda: disk.contents()[MIB:3 * MIB] == feed.data[MIB:3 * MIB], 30)
    disk.resize(size)
    feed.give(4 * MIB, IMAGE_SIZE)
    status, message = feed.end()
    assert status == NO_DEVICE, message
    assert disk.device in message and text in message and "start again" in message
    offset, length = told_place(message)
    assert offset in range(3 * MIB, IMAGE_SIZE, MIB) and length == MIB
    if size:
        assert f"it has {size} bytes now and had {SIZE}" in message
        assert head_is_blank(disk)


@pytest.mark.parametrize("flush", [0, 1])
@pytest.mark.parametrize("errors", ["EIO", "none"])
def test_device_goes_while_flushed(errors, flush, fault_disk, image):
    """Also where the kernel says that the flush went well, as it does for a device without a write cache."""
    disk = fault_disk(SIZE)
    disk.attach()
    disk.order(f"fsync {errors} {flush}", "hold")
    feed = Feed("write", disk.device, image.read_bytes())
    feed.give(0, 4 * MIB)
    feed.process.stdin.close()
    feed.process.stdin = None
    wait_until(lambda: disk.report("fsync"), 60)
    disk.resize(0)
    disk.order("go")
    status, message = feed.end()
    assert status == NO_DEVICE, message
    assert f"{disk.device} went away while it was written" in message
    assert os.strerror(errno.EIO if errors == "EIO" else errno.ENODEV) in message


def test_device_goes_in_a_session(fault_disk, session, links, image):
    disk = fault_disk(SIZE)
    disk.attach()
    (links / LINK).symlink_to(disk.device)
    serving = session()
    assert serving.write(size=SIZE)["ok"] == "ready"
    disk.resize(0)
    send(serving, image.read_bytes())
    answer = serving.answer()
    assert answer["error"]["type"] == "no_device"
    assert "vol-" in answer["error"]["message"] and "went away" in answer["error"]["message"]
    assert serving.process.wait(timeout=60) == NO_DEVICE


@pytest.mark.parametrize("size", [0, 2 * MIB])
def test_device_goes_while_read(size, fault_disk, image):
    """Reading ends early, where the device now does; some piece before the last may still have been on its way."""
    disk = fault_disk(SIZE)
    disk.attach()
    assert onhost("write", "--device", disk.device, "--image", image).returncode == 0
    disk.order("read none 0 -")
    feed = Feed("verify", disk.device, image.read_bytes())
    feed.give(0, 4 * MIB)
    wait_until(lambda: any(r.offset >= 2 * MIB for r in disk.report("read")), 30)
    disk.resize(size)
    feed.give(4 * MIB, IMAGE_SIZE)
    status, message = feed.end()
    assert status == NO_DEVICE, message
    assert "while it was read" in message
    assert told_place(message)[0] in range(size, IMAGE_SIZE, MIB)
