# SPDX-License-Identifier: Apache-2.0
"""Whole processes, measured from outside, and what is made of several runs."""
import os
import statistics
import subprocess
import sys
import tempfile
import time


def idle_s():
    """Seconds that the machine's processors had nothing to do, all of them together since it started."""
    with open("/proc/stat", encoding="ascii") as file:
        words = file.readline().split()
    return (int(words[4]) + int(words[5])) / os.sysconf("SC_CLK_TCK")


def idle_share(since, wall):
    """How much of them was idle for wall seconds, since being idle_s at their start."""
    return (idle_s() - since) / wall / os.cpu_count()


def measured(command, stdin=None):
    """Runs a command to its end: wall and CPU seconds, how much of the machine was idle meanwhile, and the peak memory of its
    largest process. The memory is taken through time(1): a child of this process would be charged with the interpreter's
    memory that it was forked from."""
    with tempfile.NamedTemporaryFile("r") as memory:
        start, idle = time.monotonic(), idle_s()
        process = subprocess.Popen(["/usr/bin/time", "-q", "-f", "%M", "-o", memory.name, *command], stdin=stdin,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            sys.exit(f"{command} failed:\n{output.decode(errors='replace')}")
        return {"wall_s": wall, "idle": idle_share(idle, wall), "cpu_s": usage.ru_utime + usage.ru_stime,
                "peak_mib": int(memory.read()) / 1024}


def median(rows, key):
    return statistics.median(row[key] for row in rows)


def mean(rows, key):
    return statistics.fmean(row[key] for row in rows)


def table(title, rows, columns, middle=median):
    print(f"\n{title}")
    width = max(14, *(len(name) + 2 for name in rows))
    print("  " + "".ljust(width) + "".join(label.rjust(14) for _, label, _ in columns))
    for name, side in rows.items():
        print("  " + name.ljust(width) + "".join(f"{middle(side, key) * factor:14.2f}" for key, _, factor in columns))
