# SPDX-License-Identifier: Apache-2.0
"""The files that a lab leaves in its folder for others to read, and the clean-up of everything a lab made."""
import contextlib
import json
import os
import shutil

from . import account, disks, process, udev

MADE = ("env", "cpi.json", "identities.json", "state.json", "log", "volumes", "snapshots", "dev", "loop-probe")
ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))


def configuration(lab, region, key_id, secret, endpoint, imds):
    """cpi.json: the incumbent's shape, pointing at the lab."""
    stemcell = {"builder": "local", "lab": True,
                "onhost_path": os.environ.get("ONHOST_BIN") or os.path.join(ROOT, "build", "onhost")}
    if lab.kind == "plain":
        stemcell["lab_devices"] = os.path.join(lab.folder, "dev")
    aws = {"credentials_source": "static", "access_key_id": key_id, "secret_access_key": secret, "region": region,
           "default_security_groups": [account.NAME], "default_key_name": account.NAME, "max_retries": 8,
           "encrypted": False, "ec2_endpoint": endpoint, "elb_endpoint": endpoint, "ebs_endpoint": endpoint,
           "metadata_endpoint": imds,
           "stemcell": stemcell}
    return {"cloud": {"plugin": "aws", "properties": {
        "aws": aws, "agent": {"ntp": []}, "debug": {"cpi": {"api_version": 3, "time_scale": 0.05}}}}}


def write(lab, region, key_id, secret, addresses, things, known, identity):
    """Writes env, cpi.json and identities.json, then state.json, which says that the lab is ready. addresses: of endpoint,
    metadata, container; things: what else env names; known: what identities.json says."""
    endpoint, imds, container = addresses
    env = {"AWS_ACCESS_KEY_ID": key_id, "AWS_SECRET_ACCESS_KEY": secret, "AWS_REGION": region,
           "AWS_DEFAULT_REGION": region, "AWS_ENDPOINT_URL": endpoint, "AWS_EC2_METADATA_SERVICE_ENDPOINT": imds,
           "LAB_CONTROL": endpoint + "/_lab", "LAB_DIR": lab.folder, "LAB_DEVICES": lab.kind,
           "LAB_CONTAINER": container, "LAB_UDEV": "yes" if lab.disks.by_udev else "no", "LAB_BUILDER": lab.builder_id,
           **things}
    _write(lab.folder, "env", "".join(f"{k}='{v}'\n" for k, v in env.items()))
    _write(lab.folder, "cpi.json", json.dumps(configuration(lab, region, key_id, secret, endpoint, imds), indent=2) + "\n")
    _write(lab.folder, "identities.json", json.dumps(known, indent=2) + "\n")
    state = {"process": identity, "endpoint": endpoint, "imds": imds, "devices": lab.kind, "why": lab.why,
             "udev": lab.disks.by_udev}
    _write(lab.folder, "state.json", json.dumps(state) + "\n")


def _write(folder, name, text):
    # Secrets: for the owner alone; and whole or not there at all.
    path = os.path.join(folder, name)
    fd = os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "w", encoding="utf-8") as f:
        f.write(text)
    os.rename(path + ".new", path)


def read_state(folder):
    """state.json, or None where no lab is ready."""
    try:
        with open(os.path.join(folder, "state.json"), encoding="utf-8") as f:
            return json.load(f)
    except (FileNotFoundError, ValueError):
        return None


def clean(folder, identity, by_daemon=False):
    """Takes away the devices, links and udev of a lab whose process has ended or is about to, then its files. The
    daemon leaves the log and the folder: what it has to say at the end is still to be read."""
    if os.path.isdir(folder):
        disks.sweep(folder)
    if identity:
        udev.release(identity)
    for name in MADE:
        if by_daemon and name == "log":
            continue
        path = os.path.join(folder, name)
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path, ignore_errors=True)
        else:
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                os.unlink(path)


def running(state):
    """Whether the lab of that state still runs."""
    return bool(state) and process.alive(state["process"])
