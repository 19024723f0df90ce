# SPDX-License-Identifier: Apache-2.0
"""The bytes behind volumes and snapshots: sparse files, and the device that appears when a volume is attached.

Two kinds of device, chosen when the lab starts: `loop` is a loop device with the by-id link of EC2's NVMe volumes;
`plain` is an entry of that name in DIR/dev that points at the volume's file, where loop devices cannot be had.
"""
import os
import subprocess
import threading

from . import loop, udev

GIB = 1 << 30
MOST = 8192  # GiB: file systems do not take files as large as EBS's largest volumes


class Disks:
    """Files and devices of one lab. Called with the lab's lock held, except for the timers of late devices."""

    def __init__(self, folder, kind, by_udev, log):
        self.folder, self.kind, self.by_udev, self.log = folder, kind, by_udev, log
        self.settings = {}
        self._devices = {}  # volume id -> device, or None while it is still to come
        self._timers = {}
        self._lock = threading.RLock()
        for name in ("volumes", "snapshots") + (("dev",) if kind == "plain" else ()):
            os.makedirs(os.path.join(folder, name), exist_ok=True)

    def volume(self, volume_id):
        return os.path.join(self.folder, "volumes", volume_id)

    def snapshot(self, snapshot_id):
        return os.path.join(self.folder, "snapshots", snapshot_id)

    def link(self, volume_id):
        """Where the by-id link of a volume stands."""
        folder = udev.BY_ID if self.kind == "loop" else os.path.join(self.folder, "dev")
        return os.path.join(folder, udev.LINK + volume_id.replace("-", ""))

    def device(self, volume_id):
        return self._devices.get(volume_id)

    # Contents

    def create_volume(self, volume_id, gib, snapshot_id=None):
        path = self.volume(volume_id)
        if snapshot_id and os.path.exists(self.snapshot(snapshot_id)):
            _copy(self.snapshot(snapshot_id), path)
        _size(path, gib)

    def resize_volume(self, volume_id, gib):
        _size(self.volume(volume_id), gib)
        device = self.device(volume_id)
        if device and self.kind == "loop":
            loop.resize(device)

    def delete_volume(self, volume_id):
        self.detach(volume_id)
        _unlink(self.volume(volume_id))

    def take_snapshot(self, snapshot_id, volume_id):
        device = self.device(volume_id)
        if device and self.kind == "loop":
            loop.flush(device)
        if os.path.exists(self.volume(volume_id)):
            _copy(self.volume(volume_id), self.snapshot(snapshot_id))

    def copy_snapshot(self, source_id, snapshot_id):
        if os.path.exists(self.snapshot(source_id)):
            _copy(self.snapshot(source_id), self.snapshot(snapshot_id))

    def create_snapshot(self, snapshot_id, gib):
        _size(self.snapshot(snapshot_id), gib)

    def write_snapshot(self, snapshot_id, offset, data):
        fd = os.open(self.snapshot(snapshot_id), os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.pwrite(fd, data[:max(0, os.fstat(fd).st_size - offset)], offset)
        finally:
            os.close(fd)

    def read_snapshot(self, snapshot_id, offset, length):
        """Zeros where the file has nothing."""
        data = b""
        if os.path.exists(self.snapshot(snapshot_id)):
            with open(self.snapshot(snapshot_id), "rb") as f:
                f.seek(offset)
                data = f.read(length)
        return data.ljust(length, b"\0")

    def snapshot_blocks(self, snapshot_id, size):
        """The indexes of the blocks of that size in which the snapshot's file has data, ascending."""
        indexes = {}
        if os.path.exists(self.snapshot(snapshot_id)):
            with open(self.snapshot(snapshot_id), "rb") as f:
                for start, end in _extents(f.fileno()):
                    indexes.update(dict.fromkeys(range(start // size, (end - 1) // size + 1)))
        return list(indexes)

    def delete_snapshot(self, snapshot_id):
        _unlink(self.snapshot(snapshot_id))

    # Devices

    def attach(self, volume_id):
        """The device appears: now, late, or never, as the settings say."""
        with self._lock:
            self._devices[volume_id] = None
            if self.settings.get("never"):
                return
            delay = float(self.settings.get("delay", 0))
            if delay > 0:
                timer = threading.Timer(delay, self._appear, [volume_id])
                timer.daemon = True
                self._timers[volume_id] = timer
                timer.start()
            else:
                self._appear(volume_id)

    def _appear(self, volume_id):
        with self._lock:
            self._timers.pop(volume_id, None)
            if volume_id not in self._devices or not os.path.exists(self.volume(volume_id)):
                return
            link = self.link(volume_id)
            if self.kind == "plain":
                os.symlink(self.volume(volume_id), link)
                self._devices[volume_id] = self.volume(volume_id)
                return
            device = loop.attach(self.volume(volume_id), bool(self.settings.get("read_only")))
            self._devices[volume_id] = device
            self.log(f"{volume_id} is {device}")
            if not self.by_udev:
                os.makedirs(udev.BY_ID, exist_ok=True)
                _unlink(link)
                os.symlink(device, link)

    def detach(self, volume_id):
        with self._lock:
            timer = self._timers.pop(volume_id, None)
            if timer:
                timer.cancel()
            device = self._devices.pop(volume_id, None)
            if device is None:
                return
            if self.kind == "plain" or not self.by_udev:
                _unlink(self.link(volume_id))
            if self.kind == "loop":
                loop.flush(device)
                loop.detach(device, self.volume(volume_id))

    def detach_all(self):
        for volume_id in list(self._devices):
            self.detach(volume_id)


def sweep(folder):
    """Takes away what a lab in that folder may have left: loop devices over its volumes, and their links."""
    prefix = os.path.join(os.path.realpath(folder), "volumes", "")
    for device, path in loop.over(prefix):
        loop.detach(device, path)
    if os.path.isdir(prefix):
        for name in os.listdir(prefix):
            _unlink(os.path.join(udev.BY_ID, udev.LINK + name.replace("-", "")))
    for path in (udev.BY_ID, os.path.dirname(udev.BY_ID)):
        if not udev.runs():  # with no udevd these folders were made by a lab
            try:
                os.rmdir(path)
            except OSError:
                pass


def _copy(source, target):
    # cp keeps holes, and shares the blocks where the file system can.
    subprocess.run(["cp", "--sparse=auto", "--reflink=auto", "--", source, target], check=True)


def _extents(fd):
    """Where a file has data: starts and ends, ascending."""
    end = 0
    while True:
        try:
            start = os.lseek(fd, end, os.SEEK_DATA)
        except OSError:  # no more
            return
        end = os.lseek(fd, start, os.SEEK_HOLE)
        yield start, end


def _size(path, gib):
    with open(path, "ab") as f:
        f.truncate(min(int(gib), MOST) * GIB)


def _unlink(path):
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
