#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`make bench`: what it costs, both sides in turn in one run, medians of whole processes. Writes build/bench.json.

Image to device: image.py. `cpi info` against /bin/true, the least that any process costs here. Waits: how long
after a volume of the lab has become available `cpi create_disk` is done, with some of them side by side. Throttling: how
long 200 cpi at once take against EC2's token buckets, and what those allow at best. Image to snapshot: upload.py."""

import argparse
import json
import os
import random
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

import crowd
import image
import upload
from measure import mean, measured, median, table

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("BUILD", "build"))
# the programs as the BOSH release has them, where tests/integration/test_release_package.py has built them
SHIPPED = os.path.join(ROOT, "build", "release-root", "var", "vcap", "data", "packages", "aws_cpi", "bin")


def bench_info(rounds):
    request = tempfile.NamedTemporaryFile("w", suffix=".json")
    json.dump({"method": "info", "arguments": [], "context": {"director_uuid": "bench"}}, request)
    request.flush()
    config = tempfile.NamedTemporaryFile("w", suffix=".json")
    json.dump({"cloud": {"properties": {"aws": {"region": "us-east-1", "access_key_id": "a", "secret_access_key": "b",
                                                "max_retries": 8}}}}, config)
    config.flush()
    sides = {"cpi info": [os.path.join(BUILD, "cpi"), config.name], "true": ["/bin/true"]}
    if os.path.exists(os.path.join(SHIPPED, "cpi")):
        sides["as shipped"] = [os.path.join(SHIPPED, "cpi"), config.name]
    rows = {name: [] for name in sides}
    for number in range(rounds + 3):
        for name, command in sides.items():
            with open(request.name, "rb") as stdin:
                row = measured(command, stdin)
            if number >= 3:
                rows[name].append(row)
    return rows


class Lab:
    """The local EC2, for as long as the bench needs it."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="aws-cpi-bench-")
        self._run("up", "--devices", "plain")
        with open(os.path.join(self.folder, "env"), encoding="utf-8") as file:
            self.env = dict(word.split("=", 1) for word in shlex.split(file.read()))
        self.control_url = self.env["LAB_CONTROL"]
        self.config = os.path.join(self.folder, "bench.json")
        with open(os.path.join(self.folder, "cpi.json"), encoding="utf-8") as file:
            self.settings = json.load(file)
        self.settings["cloud"]["properties"].pop("debug", None)  # in which time goes faster
        with open(self.config, "w", encoding="utf-8") as file:
            json.dump(self.settings, file)

    def _run(self, command, *options):
        subprocess.run([os.path.join(ROOT, "tests/lab/lab"), command, "--dir", self.folder, *options], check=True,
                       stdout=subprocess.DEVNULL)

    def control(self, name, method="GET", value=None):
        data = None if value is None else json.dumps(value).encode()
        request = urllib.request.Request(f"{self.control_url}/{name}", data=data, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def calls(self, action):
        return [call for call in self.control("calls") if call["action"] == action and call["end"] is not None]

    def close(self):
        self._run("down")
        shutil.rmtree(self.folder, ignore_errors=True)


class Wait:
    """One create_disk, whose volume takes that many seconds to become available."""

    def __init__(self, lab, seconds):
        self.seconds = seconds
        before = len(lab.calls("CreateVolume"))
        lab.control("states", "PUT", {"volume": {"available": seconds}})
        self._process = subprocess.Popen([os.path.join(BUILD, "cpi"), lab.config], stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self._ended = None
        self._answer = None
        self._thread = threading.Thread(target=self._follow)
        self._thread.start()
        while len(lab.calls("CreateVolume")) == before:
            if self._ended is not None:
                sys.exit(f"create_disk made no volume: {self._answer.decode()}")
            time.sleep(0.02)
        self._changed = lab.calls("CreateVolume")[-1]["start"] + seconds

    def _follow(self):
        request = {"method": "create_disk", "arguments": [1024, {}, None],
                   "context": {"director_uuid": "bench", "request_id": "bench"}, "api_version": 2}
        self._answer, _ = self._process.communicate(json.dumps(request).encode())
        self._ended = time.monotonic()

    def row(self, lab):
        self._thread.join()
        volume = json.loads(self._answer)["result"]
        looks = [call for call in lab.calls("DescribeVolumes") if volume in call["params"].values()]
        if not volume or not looks:
            sys.exit(f"create_disk failed, or did not wait: {self._answer.decode()}")
        return {"late_s": self._ended - self._changed, "took_s": self.seconds, "looks": len(looks)}


def bench_waits(count):
    """The lab tells when each volume changes: its clock is the one of this machine, like ours."""
    lab = Lab()
    try:
        waits = [Wait(lab, random.uniform(0, 30)) for _ in range(count)]
        return [wait.row(lab) for wait in waits]
    finally:
        lab.close()


def bench_throttling(processes, limits):
    """One crowd against the buckets; each row's name is theirs."""
    import boto3
    lab = Lab()
    try:
        os.environ.update({k: v for k, v in lab.env.items() if k.startswith("AWS_")})
        ec2 = boto3.client("ec2")
        rows = {}
        for name, settings in limits.items():
            people = crowd.Crowd(ec2, processes, lab.env["LAB_LIGHT_AMI"], lab.env["LAB_SUBNET"])
            lab.control("buckets", "PUT", {"limits": "published", **settings})
            people.run(os.path.join(BUILD, "cpi"), lab.settings,
                       crowd.environment(tempfile.mkdtemp(prefix="state-", dir=lab.folder)))
            buckets = lab.control("buckets")["buckets"]
            lab.control("reset", "POST")
            if people.failures():
                sys.exit(f"throttling: {people.failures()[0]}")
            best_s, bucket = crowd.best(buckets)
            rows[name] = {"wall_s": people.seconds, "best_s": best_s, "bucket": bucket, "ratio": people.seconds / best_s,
                          "calls": sum(b["given"] for b in buckets.values()),
                          "refused": sum(b["refused"] for b in buckets.values())}
            people.clean()
        return rows
    finally:
        lab.close()


def show_info(args, result):
    info = bench_info(args.info_rounds)
    table(f"cpi info, medians of {args.info_rounds} runs in turn", info,
          [("wall_s", "wall ms", 1000), ("cpu_s", "cpu ms", 1000), ("peak_mib", "peak MiB", 1)])
    result["info"] = {name: {key: median(side, key) for key in side[0]} for name, side in info.items()}
    if "as shipped" in info:
        sizes = {name: os.path.getsize(os.path.join(SHIPPED, name)) / 1024 / 1024 for name in ("cpi", "onhost")}
        print("\n  as shipped in the BOSH release: " + ", ".join(f"{name} {mib:.2f} MiB" for name, mib in sizes.items()))
        result["shipped_mib"] = sizes


def show_waits(args, result):
    waits = {"create_disk": bench_waits(args.waits)}
    table(f"waits for volumes that change after 0 to 30 s, means of {args.waits}", waits,
          [("took_s", "changed s", 1), ("late_s", "late s", 1), ("looks", "looks", 1)], mean)
    print(f"\n  the latest {max(row['late_s'] for row in waits['create_disk']):.2f} s, "
          f"at most {max(row['looks'] for row in waits['create_disk'])} looks")
    result["waits"] = {name: {key: mean(side, key) for key in side[0]} for name, side in waits.items()}


def show_throttling(args, result):
    rows = bench_throttling(args.crowd, {"published": {}, "half of it": {"refill": 0.5}})
    table(f"{args.crowd} cpi at once (create_disk, attach_disk, has_vm) against EC2's token buckets",
          {name: [row] for name, row in rows.items()},
          [("wall_s", "wall s", 1), ("best_s", "at best s", 1), ("ratio", "ratio", 1), ("calls", "calls", 1),
           ("refused", "refused", 1)])
    for name, row in rows.items():
        print(f"  {name}: {row['bucket']} is what it takes its time for")
    result["throttling"] = rows


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mib", type=int, default=3072)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--info-rounds", type=int, default=50)
    parser.add_argument("--waits", type=int, default=60)
    parser.add_argument("--crowd", type=int, default=200)
    parser.add_argument("--upload-rounds", type=int, default=3)
    parser.add_argument("--only", choices=("info", "waits", "throttling", "image", "upload"), action="append")
    args = parser.parse_args()
    result = {"mib": args.mib, "rounds": args.rounds}
    parts = {"info": show_info, "waits": show_waits, "throttling": show_throttling, "image": image.show,
             "upload": lambda *both: upload.show(*both, Lab)}
    for name, part in parts.items():
        if args.only is None or name in args.only:
            part(args, result)

    if args.only is not None:
        return
    with open(os.path.join(ROOT, "build", "bench.json"), "w", encoding="utf-8") as file:
        json.dump(result, file, indent=1)
    print("\nfigures: build/bench.json")


if __name__ == "__main__":
    main()
