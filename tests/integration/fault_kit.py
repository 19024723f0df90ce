# SPDX-License-Identifier: Apache-2.0
"""Disks that make trouble: a loop device over tests/tools/fault_fs.c, and images for them."""
import contextlib
import fcntl
import os
import re
import subprocess
from types import SimpleNamespace

import pytest
from conftest import ROOT, loop, no_loop_devices, wait_until

MIB = 1 << 20
FAULT_FS = os.path.join(os.environ.get("BUILD_DIR") or os.path.join(ROOT, "build"), "tests", "fault_fs")
LOOP_SET_DIRECT_IO = 0x4C08


class FaultDisk:
    """A file of so many bytes in a FUSE file system of its own; .device is a loop device over it, once attached."""

    def __init__(self, folder, size):
        self.mount = folder / "faults"
        self.mount.mkdir()
        self.backing = folder / "backing"
        self.backing.write_bytes(b"")
        os.truncate(self.backing, size)
        self.file = str(self.mount / "disk")
        self.device = None
        # allow_other: onhost may have become somebody else by the time it writes
        done = subprocess.run([FAULT_FS, self.backing, self.mount, "-o", "allow_other"], capture_output=True, text=True,
                              timeout=30, check=False)
        if done.returncode != 0:
            pytest.skip(f"no FUSE here: {done.stderr.strip()}")

    def attach(self, direct=True):
        """The loop device; with direct it passes O_DIRECT on to the file, and not its page cache."""
        why = no_loop_devices()
        if why:
            pytest.skip(f"no loop devices here: {why}")
        self.device = loop.attach(self.file)
        with open(self.device, "rb", buffering=0) as f:
            fcntl.ioctl(f, LOOP_SET_DIRECT_IO, 1 if direct else 0)
        return self.device

    def order(self, *lines):
        """Orders of fault_fs.c; the trouble begins when this returns."""
        with open(self.mount / "control", "w", encoding="ascii") as control:
            control.write("\n".join(lines))

    def report(self, what=""):
        """The requests that a rule was for: [(operation, offset, length, errno)], in order."""
        with open(self.mount / "control", encoding="ascii") as control:
            lines = [line.split() for line in control]
        return [SimpleNamespace(operation=o, offset=int(a), length=int(n), errno=int(e))
                for o, a, n, e in (line for line in lines if len(line) == 4) if o.startswith(what)]

    def refused_direct(self):
        """Whether a request with O_DIRECT was refused."""
        return "refused direct" in (self.mount / "control").read_text()

    def contents(self):
        """What has reached the backing file."""
        return self.backing.read_bytes()

    def resize(self, size):
        """The device gets that size while it is in use, as the kernel does it to a disk that was pulled out (0)."""
        os.truncate(self.backing, size)
        # looked at, so that the kernel knows; to truncate it by its own name would wait for requests under way
        assert os.stat(self.file).st_size == size
        loop.resize(self.device)

    def end(self):
        """Detaches and unmounts."""
        with contextlib.suppress(OSError):
            self.order("clear")
        if self.device:
            loop.detach(self.device, self.file)
            wait_until(lambda: loop.backing_of(self.device) != os.path.realpath(self.file), 30)
        subprocess.run(["fusermount3", "-u", self.mount], check=True, timeout=30)


@pytest.fixture(name="fault_disk")
def make_fault_disk(tmp_path):
    """fault_disk(size): a FaultDisk."""
    disks = []

    def make(size):
        folder = tmp_path / f"disk{len(disks)}"
        folder.mkdir()
        disks.append(FaultDisk(folder, size))
        return disks[-1]
    yield make
    for disk in disks:
        disk.end()


def raw_image(size, seed=0):
    """A raw disk image without a block of zeros."""
    data = bytearray(os.urandom(4096) * (size // 4096) if seed else os.urandom(size))
    data[510:512] = b"\x55\xaa"
    return bytes(data)


def told_place(message):
    """(offset, length) of the request that a message names."""
    match = re.search(r"at offset (\d+) \((\d+) bytes\)", message)
    assert match, message
    return int(match.group(1)), int(match.group(2))
