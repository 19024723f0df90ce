#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`make demo`: the main job on a local lab, everything shown. A heavy stemcell becomes an AMI through cpi and onhost, a VM is
made from it, a disk is made, attached and snapshotted; everything is torn down; the last line compares checksums."""

import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading

import boto3

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.join(ROOT, os.environ.get("BUILD", "build"))
SIZE_MIB = int(os.environ.get("DEMO_MIB", "512"))


def say(text):
    print(f"\n== {text}", flush=True)


def lab(*args):
    subprocess.run([os.path.join(HERE, "lab"), *args], check=True)


def read_env(path):
    with open(path, encoding="utf-8") as file:
        return dict(word.split("=", 1) for line in file for word in shlex.split(line))


def show_log(stream):
    """The log as it comes: progress is seen while the image is written."""
    for line in stream:
        print("  log: " + line.rstrip(), flush=True)


def cpi(config, method, *arguments):
    """One call as the Director makes it. Shows request, log and answer, and returns the result."""
    request = {
        "method": method,
        "arguments": list(arguments),
        "context": {"director_uuid": "8ab4f2a6-demo", "request_id": "cpi-" + method,
                    "vm": {"stemcell": {"api_version": 3}}},
        "api_version": 2,
    }
    print("  request: " + json.dumps(request), flush=True)
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": os.environ.get("HOME", "/"),
                   "TMPDIR": tempfile.gettempdir()}
    process = subprocess.Popen([os.path.join(BUILD, "cpi"), config], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True, env=environment)
    log = threading.Thread(target=show_log, args=(process.stderr,))
    log.start()
    process.stdin.write(json.dumps(request))
    process.stdin.close()
    answer = process.stdout.read()
    log.join()
    process.wait()
    print("  answer:  " + answer.strip(), flush=True)
    answer = json.loads(answer)
    if answer["error"]:
        sys.exit(f"{method} failed: {answer['error']['message']}")
    return answer["result"]


def sha256_of(path, size):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while size > 0:
            piece = file.read(min(size, 1 << 20))
            if not piece:
                sys.exit(f"{path} is too short")
            digest.update(piece)
            size -= len(piece)
    return digest.hexdigest()


def make_stemcell(work):
    subprocess.run([os.path.join(HERE, "make-stemcell"), "--size", str(SIZE_MIB), "--out", work, "--keep-root"],
                   check=True)
    root = os.path.join(work, "root.img")
    size = os.path.getsize(root)
    return size, sha256_of(root, size)


def vm_disk_snapshot(config, env, ami):
    """What a deployment does next."""
    networks = {"default": {"type": "dynamic", "default": ["dns", "gateway"],
                            "cloud_properties": {"subnet": env["LAB_SUBNET"], "security_groups": ["bosh"]}}}
    say("create_vm: an instance of that AMI")
    vm, _ = cpi(config, "create_vm", "4149ba0f-38d9-4485-476f-1581be36f290", ami,
                {"instance_type": "m5.large", "availability_zone": env["AWS_REGION"] + "a"}, networks, [],
                {"bosh": {"group": "demo"}})
    cpi(config, "set_vm_metadata", vm, {"name": "demo/0", "deployment": "demo"})

    say("create_disk, attach_disk, snapshot_disk")
    disk = cpi(config, "create_disk", 1024, {"type": "gp3"}, vm)
    cpi(config, "attach_disk", vm, disk)
    cpi(config, "get_disks", vm)
    snapshot = cpi(config, "snapshot_disk", disk, {"deployment": "demo", "job": "demo", "index": 0, "instance_id": "0"})

    say("all of it goes again")
    cpi(config, "delete_snapshot", snapshot)
    cpi(config, "detach_disk", vm, disk)
    cpi(config, "delete_vm", vm)
    cpi(config, "delete_disk", disk)


def left_over(ec2):
    """What could have been left in the account."""
    left = [v["VolumeId"] for v in ec2.describe_volumes()["Volumes"]]
    left += [n["NetworkInterfaceId"] for n in ec2.describe_network_interfaces()["NetworkInterfaces"]]
    left += [i["InstanceId"] for r in ec2.describe_instances()["Reservations"] for i in r["Instances"]
             if i["State"]["Name"] != "terminated"]
    left += [s["SnapshotId"] for s in ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]]
    left += [i["ImageId"] for i in ec2.describe_images(Owners=["self"])["Images"]]
    return left


def run(work):
    say(f"a stemcell of {SIZE_MIB} MiB from this machine's own files")
    size, expected = make_stemcell(work)

    say("a lab: an EC2 account of its own, instance metadata, and volumes that are real devices")
    state = os.path.join(work, "lab")
    lab("up", "--dir", state)
    try:
        config = os.path.join(state, "cpi.json")
        env = read_env(os.path.join(state, "env"))
        ec2 = boto3.client("ec2", endpoint_url=env["AWS_ENDPOINT_URL"], region_name=env["AWS_REGION"],
                           aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
                           aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"])
        before = left_over(ec2)

        say("info, as the Director asks first")
        cpi(config, "info")

        say("create_stemcell: the image becomes an AMI")
        ami = cpi(config, "create_stemcell", os.path.join(work, "image"),
                  {"name": "demo-stemcell", "version": "1.0", "infrastructure": "aws", "architecture": "x86_64",
                   "disk": max(SIZE_MIB, 1024), "disk_format": "raw", "root_device_name": "/dev/sda1"})
        image = ec2.describe_images(ImageIds=[ami])["Images"][0]
        snapshot = next(m["Ebs"]["SnapshotId"] for m in image["BlockDeviceMappings"] if "Ebs" in m)
        found = sha256_of(os.path.join(state, "snapshots", snapshot), size)

        vm_disk_snapshot(config, env, ami)

        say("delete_stemcell")
        cpi(config, "delete_stemcell", ami)
        left = [thing for thing in left_over(ec2) if thing not in before]
        if left:
            sys.exit("left behind in the account: " + ", ".join(left))
        print("  nothing is left in the account")
    finally:
        say("the lab goes down")
        lab("down", "--dir", state)

    if not re.fullmatch("[0-9a-f]{64}", found) or found != expected:
        sys.exit(f"WRONG: the first {size} bytes of {snapshot} have SHA-256 {found}, root.img has {expected}")
    print(f"\nThe SHA-256 of the first {size} bytes of snapshot {snapshot} is that of root.img: {found}")


def main():
    work = tempfile.mkdtemp(prefix="aws-cpi-demo-")
    try:
        run(work)
    finally:
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
