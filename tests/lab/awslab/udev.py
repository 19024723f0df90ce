# SPDX-License-Identifier: Apache-2.0
"""udev for the lab: a daemon where none runs, and the rule that names a lab's loop devices as EC2's volumes are named.

Several labs share one daemon and one rule. Who uses them is kept in STATE, a file a lab, under a lock: the first lab
starts what is missing and the last one takes away what was started. A daemon that was there before is left alone.
"""
import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import time

from . import process

STATE = "/run/awslab"
LOCK = "/run/awslab.lock"
RULE = "/run/udev/rules.d/60-awslab.rules"
CONTROL = "/run/udev/control"
DAEMONS = ("/lib/systemd/systemd-udevd", "/usr/lib/systemd/systemd-udevd", "/sbin/udevd")
BY_ID = "/dev/disk/by-id"
LINK = "nvme-Amazon_Elastic_Block_Store_"
# What a daemon of ours leaves under /dev once its devices are gone.
LEFTOVERS = ("/dev/disk", "/dev/block", "/dev/char", "/run/udev")

# The volume's id without its dash, from the backing file's name. The match on backing_file is positive, so that the
# `change` event of a detached device sets nothing and udev removes the link.
RULE_TEXT = """\
# Written by the lab (tests/lab), removed by it.
SUBSYSTEM=="block", KERNEL=="loop[0-9]*", ATTR{loop/backing_file}=="*/volumes/vol-*", \
PROGRAM="/bin/sed -n s,.*/volumes/vol-,vol,p /sys$devpath/loop/backing_file", RESULT=="vol*", \
ENV{ID_MODEL}="Amazon Elastic Block Store", ENV{ID_SERIAL}="Amazon_Elastic_Block_Store_$result", \
ENV{ID_SERIAL_SHORT}="$result", SYMLINK+="disk/by-id/nvme-Amazon_Elastic_Block_Store_$result"
"""


@contextlib.contextmanager
def _locked():
    # The last one to leave unlinks the lock; who has waited for that one tries again with the new.
    while True:
        fd = os.open(LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            if os.path.exists(LOCK) and os.path.samestat(os.fstat(fd), os.stat(LOCK)):
                yield
                if not os.path.isdir(STATE):
                    os.unlink(LOCK)
                return
        finally:
            os.close(fd)


def _read(name):
    try:
        with open(os.path.join(STATE, name), encoding="utf-8") as f:
            return f.read().strip()
    except FileNotFoundError:
        return ""


def _write(name, text):
    with open(os.path.join(STATE, name), "w", encoding="utf-8") as f:
        f.write(text)


def _drop_dead_users():
    for name in os.listdir(STATE):
        if name.startswith("lab-") and not process.alive(name.removeprefix("lab-")):
            os.unlink(os.path.join(STATE, name))


def runs():
    """Whether a daemon answers: its socket stays behind when it is killed, so that the file alone says nothing."""
    return os.path.exists(CONTROL) and subprocess.run(["udevadm", "control", "--ping", "--timeout=10"], check=False,
                                                      stderr=subprocess.DEVNULL).returncode == 0


def _start_daemon():
    """Starts udevd if there is one to start; returns whether a daemon runs afterwards."""
    daemon = next((d for d in DAEMONS if os.path.exists(d)), None)
    if daemon is None:
        return False
    # A daemon of an earlier lab that was killed has left its folders: what was there before it still counts.
    if not os.path.exists(os.path.join(STATE, "leftovers")):
        _write("leftovers", "\n".join(p for p in LEFTOVERS if not os.path.exists(p)))
    # A session of its own, for it outlives this lab while others use it.
    daemon_process = subprocess.Popen([daemon], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                      stderr=subprocess.DEVNULL, start_new_session=True)
    _write("daemon", process.identity(daemon_process.pid))
    deadline = time.monotonic() + 5
    while daemon_process.poll() is None and time.monotonic() < deadline:
        if runs():
            return True
        time.sleep(0.02)
    return False


def acquire(identity):
    """Makes this lab a user of udev; returns whether udev will make the links."""
    with _locked():
        os.makedirs(STATE, exist_ok=True)
        _drop_dead_users()
        if not runs() and not _start_daemon():
            _release_unused()
            return False
        os.makedirs(os.path.dirname(RULE), exist_ok=True)
        if not os.path.exists(RULE):
            with open(RULE, "w", encoding="utf-8") as f:
                f.write(RULE_TEXT)
            subprocess.run(["udevadm", "control", "--reload"], check=False, stderr=subprocess.DEVNULL)
        _write("lab-" + identity, "")
        return True


def release(identity):
    """This lab no longer uses udev; the last one to leave stops and removes what a lab started."""
    if not os.path.isdir(STATE):
        return
    with _locked():
        if not os.path.isdir(STATE):
            return
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(STATE, "lab-" + identity))
        _drop_dead_users()
        _release_unused()


def _release_unused():
    if any(name.startswith("lab-") for name in os.listdir(STATE)):
        return
    with contextlib.suppress(FileNotFoundError):
        os.unlink(RULE)
    daemon = _read("daemon")
    if daemon:
        subprocess.run(["udevadm", "settle", "--timeout=5"], check=False, stderr=subprocess.DEVNULL)
        process.stop(daemon, signal.SIGTERM, 5)
        for path in _read("leftovers").splitlines():
            shutil.rmtree(path, ignore_errors=True)
    elif runs():
        subprocess.run(["udevadm", "control", "--reload"], check=False, stderr=subprocess.DEVNULL)
    shutil.rmtree(STATE, ignore_errors=True)
