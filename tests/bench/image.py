# SPDX-License-Identifier: Apache-2.0
"""Image to device: `onhost write` onto a new volume, with ISA-L and with zlib, against tar and dd, against the libraries
that inflate alone, and against what the device takes at best; and cpi's session with onhost, here and through ssh. Each run has a fresh loop device over a sparse file in
memory; all sides run in turn."""
import contextlib
import os
import shutil
import statistics
import subprocess
import tempfile

from measure import measured, median, table
from sshd import Sshd

MIB = 1 << 20
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("BUILD", "build"))
VOLUME = "vol-0123456789abcdef0"
LINK = "nvme-Amazon_Elastic_Block_Store_" + VOLUME.replace("-", "")
PARTITION_START = 63 * 512  # of a stemcell's only partition
THROTTLED_BYTES = 125 * MIB  # a second: gp3 without extra throughput

# (name, upper or lower bound, figure): what the image's figures are to be, and are said to miss where they do
GOALS = [
    ("as fast as tar | dd", ">=", 7.0), ("as fast as igzip's tar | dd past the cache", ">=", 2.0),
    ("of ISA-L alone", "<=", 1.15), ("with zlib, as fast as tar | dd", ">=", 2.5), ("of zlib alone", "<=", 1.10),
    ("of the device's rate", "<=", 1.08), ("of what the file system uses", "<=", 1.02), ("MiB of memory", "<=", 24.0),
    ("over ssh, of a session here", "<=", 1.3),
]


class Volume:
    """A fresh loop device over a sparse file, with the link that tells onhost which volume it is."""

    def __init__(self, folder, size):
        self.folder = tempfile.mkdtemp(dir=folder)
        self.path = os.path.join(self.folder, "volume")
        with open(self.path, "wb") as file:
            file.truncate(size)
        self.device = self._loop()
        self.links = os.path.join(self.folder, "by-id")
        os.mkdir(self.links)
        os.symlink(self.device, os.path.join(self.links, LINK))
        self._before = self._sectors()

    def _loop(self, *options):
        return subprocess.run(["losetup", "--find", "--show", *options, self.path], check=True, capture_output=True,
                              text=True).stdout.strip()

    def _sectors(self):
        with open(f"/sys/block/{os.path.basename(self.device)}/stat", encoding="ascii") as file:
            return int(file.read().split()[6])

    def bytes_written(self):
        return (self._sectors() - self._before) * 512

    def file_system_uses(self):
        """Bytes of blocks in use, as dumpe2fs counts them."""
        device = self._loop("--offset", str(PARTITION_START), "--read-only")
        try:
            text = subprocess.run(["dumpe2fs", "-h", device], check=True, capture_output=True, text=True).stdout
        finally:
            subprocess.run(["losetup", "--detach", device], check=True)
        facts = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
        return (int(facts["Block count"]) - int(facts["Free blocks"])) * int(facts["Block size"])

    def close(self):
        subprocess.run(["losetup", "--detach", self.device], check=True)
        shutil.rmtree(self.folder)


class Throttle:
    """A control group whose writes to one device are limited, of version 1 or 2, whichever the kernel has."""

    def __init__(self, device, rate):
        with open(f"/sys/block/{os.path.basename(device)}/dev", encoding="ascii") as file:
            number = file.read().strip()
        name = f"aws-cpi-bench-{os.getpid()}"
        if os.path.isdir("/sys/fs/cgroup/blkio"):
            self.folder = f"/sys/fs/cgroup/blkio/{name}"
            setting, value = "blkio.throttle.write_bps_device", f"{number} {rate}"
        else:
            with open("/sys/fs/cgroup/cgroup.subtree_control", "w", encoding="ascii") as file:
                file.write("+io")
            self.folder = f"/sys/fs/cgroup/{name}"
            setting, value = "io.max", f"{number} wbps={rate}"
        os.mkdir(self.folder)
        with open(os.path.join(self.folder, setting), "w", encoding="ascii") as file:
            file.write(value)

    def command(self, command):
        return ["sh", "-c", 'echo $$ >"$0/cgroup.procs"; exec "$@"', self.folder, *command]

    def close(self):
        os.rmdir(self.folder)


def stemcell(mib):
    """The image, made once: files to about two fifths, as in a real stemcell."""
    cache = os.path.join(ROOT, "build", f"stemcell-bench-{mib}")
    if not os.path.exists(os.path.join(cache, "image")):
        print(f"making a stemcell of {mib} MiB (once)", flush=True)
        subprocess.run([os.path.join(ROOT, "tests/lab/make-stemcell"), "--size", str(mib), "--payload",
                        str(mib * 1300 // 3072), "--out", cache], check=True)
    return os.path.join(cache, "image")


def onhost_write(image, program):
    return lambda volume: [program, "write", "--volume", VOLUME, "--lab-devices", volume.links, "--fresh", "--image", image]


def session(image, mib, sshd=None):
    """cpi's end of a session, with an onhost that is told to ask no metadata service."""
    driver = [os.path.join(BUILD, "tests/session_driver"), image, VOLUME, str(mib), "--"]

    def command(volume):
        serve = ["env", "AWS_EC2_METADATA_DISABLED=true", os.path.join(BUILD, "onhost"), "serve", "--lab", "--lab-devices", volume.links]
        return [*driver, *(serve if sshd is None else sshd.command(serve))]
    return command


def shell(text):
    return lambda volume: ["sh", "-c", text.replace("DEVICE", volume.device)]


def sides_of(image, mib, sshd):
    with_isal = os.path.join(BUILD, "onhost")
    alone = os.path.join(BUILD, "tests/inflate_alone")
    return {
        "onhost write": onhost_write(image, with_isal),
        "tar | dd": shell(f"tar -xzOf {image} root.img | dd bs=1M of=DEVICE conv=fsync"),
        "igzip's tar | dd": shell(f"tar -I igzip -xOf {image} root.img | dd bs=1M iflag=fullblock oflag=direct conv=fsync of=DEVICE"),
        "ISA-L alone": lambda volume: [alone, "isal", image],
        "onhost with zlib": onhost_write(image, os.path.join(BUILD, "zlib", "onhost")),
        "zlib alone": lambda volume: [alone, "zlib", image],
        "onhost throttled": onhost_write(image, with_isal),
        "session here": session(image, mib),
        "session, ssh": session(image, mib, sshd),
    }


def run_once(name, side, folder, mib):
    with contextlib.ExitStack() as stack:
        volume = Volume(folder, mib << 20)
        stack.callback(volume.close)
        command = side(volume)
        if name.endswith("throttled"):
            throttle = Throttle(volume.device, THROTTLED_BYTES)
            stack.callback(throttle.close)
            command = throttle.command(command)
        row = measured(command)
        row["written_mib"] = volume.bytes_written() / MIB
        if name.startswith("onhost"):
            row["uses_mib"] = volume.file_system_uses() / MIB
        return row


def run_all(mib, rounds):
    folder = tempfile.mkdtemp(prefix="aws-cpi-bench-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
    sshd = Sshd()
    try:
        image = os.path.join(folder, "image")
        shutil.copyfile(stemcell(mib), image)
        sides = sides_of(image, mib, sshd)
        rows = {name: [] for name in sides}
        for number in range(rounds + 1):
            for name, side in sides.items():
                row = run_once(name, side, folder, mib)
                if number > 0:  # the first round warms up
                    rows[name].append(row)
        return rows
    finally:
        sshd.close()
        shutil.rmtree(folder, ignore_errors=True)


def ratio(rows, above, below):
    """The median of the rounds' ratios of wall times."""
    return statistics.median(a["wall_s"] / b["wall_s"] for a, b in zip(rows[above], rows[below]))


def figures(rows):
    throttled = rows["onhost throttled"]
    written = rows["onhost write"]
    values = [
        ratio(rows, "tar | dd", "onhost write"), ratio(rows, "igzip's tar | dd", "onhost write"),
        ratio(rows, "onhost write", "ISA-L alone"), ratio(rows, "tar | dd", "onhost with zlib"),
        ratio(rows, "onhost with zlib", "zlib alone"),
        statistics.median(row["wall_s"] / (row["uses_mib"] * MIB / THROTTLED_BYTES) for row in throttled),
        statistics.median(row["written_mib"] / row["uses_mib"] for row in written),
        max(row["peak_mib"] for row in written), ratio(rows, "session, ssh", "session here"),
    ]
    return [(*goal, value) for goal, value in zip(GOALS, values)]


def show(args, result):
    if os.geteuid() != 0 or not os.path.exists("/dev/loop-control"):
        print("\nimage to device: not measured, because that needs root and loop devices")
        return
    rows = run_all(args.mib, args.rounds)
    table(f"image of {args.mib} MiB to a device, medians of {args.rounds} rounds in turn", rows,
          [("wall_s", "wall s", 1), ("cpu_s", "cpu s", 1), ("idle", "idle %", 100), ("written_mib", "written MiB", 1),
           ("peak_mib", "peak MiB", 1)])
    print("\n  onhost write, medians of the rounds' ratios")
    for name, relation, bound, value in figures(rows):
        met = value >= bound if relation == ">=" else value <= bound
        print(f"  {value:8.2f} {name} (the goal: {'at least' if relation == '>=' else 'at most'} {bound:g}{'' if met else ': MISSED'})")
    result["image"] = {name: {key: median(side, key) for key in side[0]} for name, side in rows.items()}
    result["image_figures"] = {name: value for name, _, _, value in figures(rows)}
