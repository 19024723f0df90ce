# SPDX-License-Identifier: Apache-2.0
"""Whole processes, measured from outside, and what is made of several runs."""
import os
import statistics
import subprocess
import sys
import tempfile
import time


def measured(command, stdin=None):
    """Runs a command to its end: wall and CPU seconds, and the peak memory of its largest process. The memory is taken
    through time(1): a child of this process would be charged with the interpreter's memory that it was forked from."""
    with tempfile.NamedTemporaryFile("r") as memory:
        start = time.monotonic()
        process = subprocess.Popen(["/usr/bin/time", "-q", "-f", "%M", "-o", memory.name, *command], stdin=stdin,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            sys.exit(f"{command} failed:\n{output.decode(errors='replace')}")
        return {"wall_s": wall, "cpu_s": usage.ru_utime + usage.ru_stime, "peak_mib": int(memory.read()) / 1024}


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
