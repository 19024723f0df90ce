# SPDX-License-Identifier: Apache-2.0
"""An image to a snapshot by the EBS direct APIs: `cpi upload-image` with 20 ms of latency a call. Against the lab, one connection
and as many as it takes by itself: there each block is checked and kept. Against the sink (tests/tools/ebs_sink.c), which costs
nearly nothing: from how many in flight on more gain nothing, how busy the processors are then, how that compares with what
onhost alone takes to read the image, and what memory cpi and its onhost have at most. All over plain HTTP: TLS is not in it."""
import contextlib
import json
import os
import statistics
import subprocess
import tempfile
import threading
import time

import image
from measure import idle_s, idle_share, measured, median, table

MIB = 1 << 20
LATENCY_MS = 20
IN_FLIGHT = (1, 2, 4, 8, 16, 32, 64)
SLOW = 8  # up to so many in flight it is latency that is measured, and one round tells it
GAIN = 0.05  # less is nothing
LAB_MIB = 256  # the lab is Python: a small image
MEMORY_MIB = 96
SINK = os.path.join(image.BUILD, "tests/ebs_sink")


CPI = os.environ.get("CPI_BIN") or os.path.join(image.BUILD, "cpi")
ONHOST = os.environ.get("ONHOST_BIN") or os.path.join(image.BUILD, "onhost")


def command(path, config, connections=None):
    """The program, with what it must be told."""
    words = [CPI, "upload-image", path, "--config", config, "--no-resume", "--json"]
    return words + (["--connections", str(connections)] if connections else [])


def reading(path):
    """What an upload's child does, with a reader that only throws away."""
    return ["sh", "-c", '"$0" unpack --blocks --image "$1" 2>/dev/null | cat >/dev/null', ONHOST, path]


def children(pid):
    with contextlib.suppress(OSError):
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return file.read().split()
    return []


def peak_mib(pid):
    """The most that a process has had in memory so far; 0 when it is gone."""
    with contextlib.suppress(OSError):
        with open(f"/proc/{pid}/status", encoding="ascii") as file:
            return next((int(line.split()[1]) / 1024 for line in file if line.startswith("VmHWM:")), 0)
    return 0


class Peaks:
    """The peaks of a process and of its children, looked at until it ends. The kernel keeps each peak, so that only what is
    reached within the last look's time is missed. A thread's work here is the uploader's no more than the bench's."""

    def __init__(self, pid):
        self.peaks, self.pid = {}, pid
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()

    def _look(self):
        while not self._ended.wait(0.05):
            for pid in [str(self.pid), *children(self.pid)]:
                self.peaks[pid] = max(self.peaks.get(pid, 0), peak_mib(pid))

    def end(self):
        """cpi's, and that of the largest child."""
        self._ended.set()
        self._thread.join()
        own = self.peaks.pop(str(self.pid), 0)
        return own, max(self.peaks.values(), default=0)


def run(words, env):
    """One upload: what it took and what it says."""
    with tempfile.TemporaryDirectory() as state, tempfile.TemporaryFile() as log:
        idle = idle_s()
        start = time.monotonic()
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=log, stdin=subprocess.DEVNULL,
                                   env=env | {"PATH": os.environ["PATH"], "HOME": state, "AWS_CPI_STATE_DIR": state})
        peaks = Peaks(process.pid)
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - start
        idle = idle_share(idle, wall)
        process.returncode = os.waitstatus_to_exitcode(status)
        cpi_mib, onhost_mib = peaks.end()
        if process.returncode != 0:
            log.seek(0)
            raise SystemExit(f"{words} failed:\n{log.read().decode(errors='replace')[-3000:]}")
    told = json.loads(output)
    return {"wall_s": wall, "idle": idle, "cpu_s": usage.ru_utime + usage.ru_stime, "cpi_mib": cpi_mib, "onhost_mib": onhost_mib,
            "sum_mib": cpi_mib + onhost_mib, "blocks": told["blocks"], "mib_s": told["blocks"] / 2 / wall,
            "snapshot": told["snapshot_id"]}


# --- against the sink -------------------------------------------------------------------------------------------------

class Sink:
    """The sink, for one upload: so its counts are that upload's."""

    def __init__(self):
        self._process = subprocess.Popen([SINK, "--latency", str(LATENCY_MS)], stdout=subprocess.PIPE, text=True)
        self.url = self._process.stdout.readline().strip()

    def end(self):
        """Its counts, and its processor time."""
        self._process.terminate()
        counts = json.loads(self._process.stdout.read())
        _, status, usage = os.wait4(self._process.pid, 0)
        self._process.returncode = os.waitstatus_to_exitcode(status)
        return counts | {"cpu_s": usage.ru_utime + usage.ru_stime}


def sink_config(folder):
    """For an account that is not there."""
    path = os.path.join(folder, "cpi.json")
    aws = {"credentials_source": "static", "access_key_id": "AKIASINK", "secret_access_key": "sink", "region": "us-east-1",
           "max_retries": 8, "stemcell": {"builder": "direct", "onhost_path": ONHOST}}
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"cloud": {"plugin": "aws", "properties": {"aws": aws}}}, file)
    return path


def into_sink(path, config, in_flight):
    sink = Sink()
    try:
        row = run(command(path, config, in_flight), {"AWS_ENDPOINT_URL": sink.url})
    finally:
        counts = sink.end()
    if counts["blocks"] < row["blocks"] or counts["bytes"] < row["blocks"] * MIB // 2:
        raise SystemExit(f"the upload tells of {row['blocks']} blocks, the sink of {counts}")
    cores = len(os.sched_getaffinity(0))
    return row | {"sink_cpu_s": counts["cpu_s"], "at_once": counts["most_blocks_at_once"],
                  "busy": (row["cpu_s"] + counts["cpu_s"]) / row["wall_s"] / cores}


def rounds_into_sink(path, rounds):
    """All numbers in turn, and the reading alone, which also warms up."""
    with tempfile.TemporaryDirectory() as folder:
        config = sink_config(folder)
        measured(reading(path))
        rows, alone = {n: [] for n in IN_FLIGHT}, []
        for number in range(rounds):
            alone.append(measured(reading(path)))
            for in_flight, side in rows.items():
                if number == 0 or in_flight > SLOW:
                    side.append(into_sink(path, config, in_flight))
        return rows, alone


def enough(rows):
    """The fewest in flight that any more are faster than by no more than nothing."""
    rates = {n: median(side, "mib_s") for n, side in rows.items()}
    return next(n for n in rates if max(rates[m] for m in rates if m >= n) <= rates[n] * (1 + GAIN))


# --- against the lab --------------------------------------------------------------------------------------------------

def rounds_into_lab(lab, path, rounds):
    """One connection and the usual number, in turn."""
    aws = lab.settings["cloud"]["properties"]["aws"]
    aws["stemcell"] = {"builder": "direct", "onhost_path": aws["stemcell"]["onhost_path"]}
    with open(lab.config, "w", encoding="utf-8") as file:
        json.dump(lab.settings, file)
    lab.control("faults", "PUT", {"kind": "delay", "seconds": LATENCY_MS / 1000, "count": -1})
    sides = {"one connection": 1, "the usual number": None}
    rows = {name: [] for name in sides}
    for number in range(rounds + 1):
        for name, connections in sides.items():
            row = run(command(path, lab.config, connections), {"AWS_ENDPOINT_URL": lab.env["AWS_ENDPOINT_URL"]})
            os.unlink(os.path.join(lab.folder, "snapshots", row["snapshot"]))  # gigabytes otherwise
            if number > 0:
                rows[name].append(row)
    return rows


# --- the table --------------------------------------------------------------------------------------------------------

COLUMNS = [("wall_s", "wall s", 1), ("mib_s", "MiB/s", 1), ("cpu_s", "cpu s", 1)]


def figures(rows, alone):
    """What the sink's rows say: (text, value, goal or None)."""
    n = enough(rows)
    every = [row for side in rows.values() for row in side]
    return [("blocks in flight from which on more gain nothing (within 5 %)", n, None),
            ("of the processors' time is used then, the sink's with it", median(rows[n], "busy"), None),
            ("of it is idle then (the rest is others')", median(rows[n], "idle"), None),
            ("MiB/s then", median(rows[n], "mib_s"), None),
            ("times as long as onhost alone takes to read the image", median(rows[n], "wall_s") / median(alone, "wall_s"), None),
            ("times as fast as one at a time", median(rows[n], "mib_s") / median(rows[min(rows)], "mib_s"), None),
            ("MiB of memory, the peaks of cpi and of onhost together", max(row["sum_mib"] for row in every), MEMORY_MIB)]


def show(args, result, make_lab):
    """Both parts; make_lab gives bench.py's lab."""
    path = image.stemcell(args.mib)
    rows, alone = rounds_into_sink(path, args.upload_rounds)
    table(f"image of {args.mib} MiB into the sink, {LATENCY_MS} ms a call, medians of {args.upload_rounds} rounds in turn (up to "
          f"{SLOW} in flight: one)", {f"{n} in flight": side for n, side in rows.items()},
          COLUMNS + [("sink_cpu_s", "sink cpu s", 1), ("busy", "busy %", 100), ("idle", "idle %", 100), ("cpi_mib", "cpi MiB", 1),
                     ("onhost_mib", "onhost MiB", 1), ("at_once", "at once", 1)])
    print(f"\n  {len(os.sched_getaffinity(0))} processors; {rows[1][0]['blocks']} blocks of 512 KiB; onhost alone reads them in "
          f"{median(alone, 'wall_s'):.1f} s")
    told = figures(rows, alone)
    for text, value, goal in told:
        print(f"  {value:8.2f} {text}" + ("" if goal is None else f" (the goal: at most {goal}{'' if value <= goal else ': MISSED'})"))
    result["upload_sink"] = {str(n): {key: median(side, key) for key in side[0] if key != "snapshot"} for n, side in rows.items()}
    result["upload_reading"] = {key: median(alone, key) for key in alone[0]}
    result["upload_figures"] = {text: value for text, value, _ in told}

    lab = make_lab()
    try:
        rows = rounds_into_lab(lab, image.stemcell(LAB_MIB), args.upload_rounds)
    finally:
        lab.close()
    table(f"image of {LAB_MIB} MiB into the lab, {LATENCY_MS} ms a call, medians of {args.upload_rounds} rounds in turn", rows, COLUMNS)
    ratio = statistics.median(a["wall_s"] / b["wall_s"] for a, b in zip(rows["one connection"], rows["the usual number"]))
    print(f"\n  {ratio:8.2f} times as fast as with one connection (the lab's own time counts on both sides)")
    result["upload_lab"] = {name: {key: median(side, key) for key in side[0] if key != "snapshot"} for name, side in rows.items()}
    result["upload_lab_ratio"] = ratio
