# SPDX-License-Identifier: Apache-2.0
"""A crowd: many cpi at once, create_disk, attach_disk and has_vm mixed, against the lab with EC2's token buckets. Both the
test and the bench of throttling are made of it."""

import json
import os
import random
import subprocess
import tempfile
import threading
import time

SHARES = {"create_disk": 0.4, "attach_disk": 0.3, "has_vm": 0.3}
DISKS_PER_VM = 1  # as a Director does: one after the other


class Crowd:
    """What the account must hold for so many processes, made by another client (boto3, without buckets): VMs, and a disk for
    each attach_disk."""

    def __init__(self, ec2, processes, image, subnet, zone="us-east-1a"):
        counts = {method: int(processes * share) for method, share in SHARES.items()}
        counts["has_vm"] += processes - sum(counts.values())
        n_vms = max(1, -(-counts["attach_disk"] // DISKS_PER_VM))
        self.ec2 = ec2
        self.vms = [vm["InstanceId"] for vm in ec2.run_instances(
            ImageId=image, SubnetId=subnet, InstanceType="m5.large", MinCount=n_vms, MaxCount=n_vms)["Instances"]]
        self.disks = [ec2.create_volume(Size=1, AvailabilityZone=zone)["VolumeId"] for _ in range(counts["attach_disk"])]
        self.calls = [("create_disk", [1024, {}, self.vms[i % n_vms]]) for i in range(counts["create_disk"])]
        self.calls += [("attach_disk", [self.vms[i % n_vms], disk]) for i, disk in enumerate(self.disks)]
        self.calls += [("has_vm", [self.vms[i % n_vms]]) for i in range(counts["has_vm"])]
        random.Random(1).shuffle(self.calls)
        self.answers = []
        self.seconds = 0

    def run(self, cpi, config, environ):
        """All of them at the same time. answers: (method, arguments, answer, standard error)."""
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(config, file)
            file.flush()
            self._run([cpi, file.name], environ)

    def _run(self, command, environ):
        self.answers = [None] * len(self.calls)
        threads = []
        started = time.monotonic()
        for number in range(len(self.calls)):
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                       env=environ)
            threads.append(threading.Thread(target=self._follow, args=(number, process)))
            threads[-1].start()
        for thread in threads:
            thread.join()
        self.seconds = time.monotonic() - started

    def _follow(self, number, process):
        method, arguments = self.calls[number]
        request = {"method": method, "arguments": arguments, "api_version": 2,
                   "context": {"director_uuid": "crowd", "request_id": f"cpi-{number}", "vm": {"stemcell": {"api_version": 3}}}}
        out, err = process.communicate(json.dumps(request).encode())
        try:
            answer = json.loads(out)
        except ValueError:
            answer = {"result": None, "error": {"message": f"status {process.returncode}, no answer"}}
        self.answers[number] = method, arguments, answer, err.decode(errors="replace")

    def failures(self):
        """What went wrong, with the log of it."""
        return [f"{method}{arguments}: {answer['error']['message']}\n{log}" for method, arguments, answer, log in self.answers
                if answer["error"] is not None]

    def results(self, method):
        """What each call of that method has answered."""
        return [answer["result"] for name, _, answer, _ in self.answers if name == method]

    def clean(self):
        """Gives it all back, with what was made."""
        made = [r for r in self.results("create_disk") if r] if self.answers else []
        self.ec2.terminate_instances(InstanceIds=self.vms)
        self.ec2.get_waiter("instance_terminated").wait(InstanceIds=self.vms, WaiterConfig={"Delay": 1})
        for disk in self.disks + made:
            self.ec2.delete_volume(VolumeId=disk)


def best(buckets):
    """Seconds that the buckets allow at best, and which one: all that it gave less what it held at first, at its refill."""
    return max((max(0.0, b["given"] - b["depth"]) / b["refill"], name) for name, b in buckets.items())


def environment(folder):
    """The Director's, with a state directory of its own."""
    return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": str(folder), "TMPDIR": str(folder),
            "AWS_CPI_STATE_DIR": os.path.join(str(folder), "state")}
