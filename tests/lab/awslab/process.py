# SPDX-License-Identifier: Apache-2.0
"""Processes by identity: a pid together with its start time, so that a pid used again is never taken for the old one."""
import os
import signal
import time


def _stat(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
            return f.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def identity(pid=None):
    """"PID-STARTTIME" of a process, or of this one."""
    pid = pid or os.getpid()
    fields = _stat(pid)
    return f"{pid}-{fields[19]}" if fields else f"{pid}-0"


def alive(who):
    """Whether that very process still runs; a zombie does not."""
    pid, _, started = who.partition("-")
    fields = _stat(pid)
    return fields is not None and fields[0] not in "ZX" and fields[19] == started


def stop(who, sig=signal.SIGTERM, seconds=10):
    """Sends the signal, waits, and kills what is still there."""
    for send in (sig, signal.SIGKILL):
        if not alive(who):
            return
        os.kill(int(who.partition("-")[0]), send)
        deadline = time.monotonic() + seconds
        while alive(who) and time.monotonic() < deadline:
            time.sleep(0.02)

