# SPDX-License-Identifier: Apache-2.0
"""cpi as a person calls it from a script: its environment, and with whose credentials it worked. What the actions take."""
import os
import shlex
import subprocess

from conftest import CPI, director_env

NOBODY = "i-0123456789abcdef0"

# what reference and definition say: name, required, optional (region is everywhere)
ACTIONS = {
    "test_install": ([], []),
    "list_workers": ([], []),
    "create_worker": (["worker_name"], ["instance_type", "ami"]),
    "delete_worker": (["worker_id"], []),
    "get_worker": (["worker_id"], []),
    "has_worker": (["worker_id"], []),
    "start_worker": (["worker_id"], []),
    "reboot_worker": (["worker_id"], []),
    "get_volumes": ([], []),
    "has_volume": (["volume_id"], []),
    "create_volume": (["size_gb", "availability_zone"], ["volume_type"]),
    "delete_volume": (["volume_id"], []),
    "attach_volume": (["worker_id", "volume_id", "device_name"], []),
    "detach_volume": (["volume_id"], []),
    "create_snapshot": (["volume_id", "snapshot_name"], []),
    "snapshot_volume": (["source_volume_id", "snapshot_name"], []),
    "delete_snapshot": (["snapshot_id"], []),
    "has_snapshot": (["snapshot_id"], []),
    "set_worker_metadata": (["worker_id", "key", "value"], []),
}


def lab_env(lab, tmp_path, **more):
    """The lab's endpoint and keys, and a home of the test's own; None takes a variable out."""
    env = director_env(tmp_path) | {
        "HOME": str(tmp_path), "AWS_ENDPOINT_URL": lab.endpoint, "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ACCESS_KEY_ID": lab.env["AWS_ACCESS_KEY_ID"], "AWS_SECRET_ACCESS_KEY": lab.env["AWS_SECRET_ACCESS_KEY"]} | more
    return {name: value for name, value in env.items() if value is not None}


def run(env, *arguments, stdout=subprocess.PIPE):
    """cpi in a pipe."""
    return subprocess.run([*shlex.split(os.environ.get("CPI_WRAPPER", "")), CPI, *arguments], env=env, stdin=subprocess.DEVNULL,
                          stdout=stdout, stderr=subprocess.PIPE, text=True, timeout=120, check=False)


def write_profiles(tmp_path, lab, **profiles):
    """~/.aws with a profile a user of the lab: write_profiles(…, default="source", other="shared_file")."""
    (tmp_path / ".aws").mkdir(exist_ok=True)
    lines = []
    for name, (user, region) in profiles.items():
        told = lab.identities["users"][user]
        lines += [f"[{name}]", f"aws_access_key_id = {told['access_key_id']}", f"aws_secret_access_key = {told['secret_access_key']}"]
        lines += [f"region = {region}"] if region else []
    (tmp_path / ".aws" / "credentials").write_text("\n".join(lines) + "\n")


def signed_by(lab):
    """Access key and region of the one call on record, which is forgotten."""
    call, = lab.calls("DescribeInstances")
    lab.forget_calls()
    return call["access_key_id"], call["region"]


def users(lab):
    """Two users of the lab."""
    first, second = sorted(lab.identities["users"])[:2]
    return first, second
