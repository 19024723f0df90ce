# SPDX-License-Identifier: Apache-2.0
"""Loop devices by ioctl: attach, detach, resize, list. Nothing here knows of volumes or AWS.

losetup is not used: between its looking for a free number and taking it another lab may be faster, and in a chroot
without devtmpfs the node of a new number has to be made first.
"""
import contextlib
import errno
import fcntl
import glob
import os
import stat
import struct
import time

CONTROL = "/dev/loop-control"
ADD, REMOVE, GET_FREE = 0x4C80, 0x4C81, 0x4C82
CONFIGURE, CLR_FD, SET_CAPACITY = 0x4C0A, 0x4C01, 0x4C07
BLKFLSBUF = 0x1261
READ_ONLY = 1
LOOP_MAJOR = 7


class LoopError(Exception):
    """No loop device is to be had; the text says why, in one line."""


def _node(number):
    path = f"/dev/loop{number}"
    if not os.path.exists(path):
        # A plain /dev (a chroot) does not follow the kernel: make the node as devtmpfs would have.
        with open(f"/sys/block/loop{number}/dev", encoding="ascii") as f:
            major, minor = f.read().strip().split(":")
        os.mknod(path, stat.S_IFBLK | 0o600, os.makedev(int(major), int(minor)))
    return path


def attach(path, read_only=False):
    """Puts a free loop device over the file and returns the device's path."""
    backing = os.open(path, os.O_RDONLY if read_only else os.O_RDWR)
    try:
        for _ in range(200):
            with open(CONTROL, "rb", buffering=0) as control:
                number = fcntl.ioctl(control, GET_FREE)
            device = _node(number)
            name = path.encode()[:63].ljust(64, b"\0")
            info = struct.pack("=5Q4I64s64s32s2Q", 0, 0, 0, 0, 0, 0, 0, 0, READ_ONLY if read_only else 0,
                               name, b"", b"", 0, 0)
            config = struct.pack("=2I", backing, 0) + info + b"\0" * 64
            try:
                fd = os.open(device, os.O_RDONLY if read_only else os.O_RDWR)
            except OSError as error:
                if error.errno != errno.ENXIO:
                    raise
                time.sleep(0.01)  # it is about to be let go
                continue
            try:
                fcntl.ioctl(fd, CONFIGURE, config)
                return device
            except OSError as error:
                if error.errno != errno.EBUSY:
                    raise
                time.sleep(0.01)  # someone else took this number
            finally:
                os.close(fd)
        raise LoopError("every free loop device was taken by others")
    except OSError as error:
        raise LoopError(f"loop devices do not work here: {error}") from error
    finally:
        os.close(backing)


@contextlib.contextmanager
def without_file(number):
    """The path of a new loop device of that number, which has no file. GET_FREE gives the lowest number that is free: a high
    one is nobody else's."""
    with open(CONTROL, "rb", buffering=0) as control:
        fcntl.ioctl(control, ADD, number)
        device = None
        try:
            device = _node(number)
            yield device
        finally:
            fcntl.ioctl(control, REMOVE, number)
            if device is not None:
                with contextlib.suppress(FileNotFoundError):  # devtmpfs has done it
                    os.unlink(device)


def backing_of(device):
    """The file under a loop device; None when there is none."""
    try:
        with open(f"/sys/block/{os.path.basename(device)}/loop/backing_file", encoding="utf-8", errors="replace") as f:
            return f.read().strip().removesuffix(" (deleted)")
    except OSError:
        return None


def detach(device, path):
    """Takes the device off that file, if it still is on it: its number may be somebody else's by now. While someone holds
    the device open, the kernel does so at the last close."""
    try:
        fd = os.open(device, os.O_RDONLY)
    except OSError:
        return
    try:
        # open, it cannot change hands
        if backing_of(device) == os.path.realpath(path):
            fcntl.ioctl(fd, CLR_FD, 0)
    except OSError as error:
        if error.errno != errno.ENXIO:  # ENXIO: it is off already
            raise
    finally:
        os.close(fd)


def is_going(device):
    """Whether it was taken off while someone, udev's probe say, held it open: then it goes with the last close."""
    try:
        with open(f"/sys/block/{os.path.basename(device)}/loop/autoclear", encoding="ascii") as f:
            return f.read().strip() == "1"
    except OSError:
        return False


def resize(device):
    """Makes the device as large as its file has become."""
    fd = os.open(device, os.O_RDONLY)
    try:
        fcntl.ioctl(fd, SET_CAPACITY, 0)
    finally:
        os.close(fd)


def flush(device):
    """Brings everything written to the device into its file."""
    fd = os.open(device, os.O_RDONLY)
    try:
        os.fsync(fd)
        fcntl.ioctl(fd, BLKFLSBUF, 0)
    finally:
        os.close(fd)


def over(prefix):
    """The loop devices over files whose path starts with prefix, as (device, backing file)."""
    found = []
    for entry in glob.glob("/sys/block/loop*/loop"):
        device = "/dev/" + entry.split("/")[3]
        backing = backing_of(device)
        if backing is not None and backing.startswith(prefix):
            found.append((device, backing))
    return sorted(found)


def why_not(scratch):
    """None if loop devices work here; else the reason. scratch is a folder for a small file."""
    if os.geteuid() != 0:
        return "not root"
    if not os.path.exists(CONTROL):
        return f"no {CONTROL}"
    probe = os.path.join(scratch, "loop-probe")
    try:
        with open(probe, "wb") as f:
            f.truncate(1 << 20)
        detach(attach(probe), probe)
    except (OSError, LoopError) as error:
        return str(error)
    finally:
        if os.path.exists(probe):
            os.unlink(probe)
    return None
