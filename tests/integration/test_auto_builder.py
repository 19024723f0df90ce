# SPDX-License-Identifier: Apache-2.0
"""aws.stemcell.builder auto: which one it takes, and that it says so. Where ssh is configured: test_ssh.py."""
import json
import os
import re
import subprocess

import pytest
from conftest import CPI, ONHOST, director_env, in_namespaces, request_bytes, run_cpi
from direct_kit import MIB, blocks_of, is_image, noise, request, snapshot_of
from scenarios import holdings, wipe
from test_create_stemcell import config_with, created, refused, state_env

pytestmark = pytest.mark.beyond_incumbent

NOBODY = 65534
DIRECT = r"INFO.*building the stemcell without an instance \(direct, as aws.stemcell.builder is auto, this machine cannot build " \
         r"\((.*)\) and no aws.stemcell.ssh is configured: through the EBS direct APIs"


@pytest.fixture(name="disk")
def make_disk(tmp_path):
    """A raw image."""
    path = tmp_path / "image"
    path.write_bytes(noise(2 * MIB, seed=2))
    for folder in [tmp_path, *tmp_path.parents][:-2]:  # another user reads it
        os.chmod(folder, 0o755)
    return path


@pytest.fixture(name="call")
def make_call(lab, tmp_path, disk):
    """call(…): create_stemcell of the disk with builder auto. What it makes goes at the end."""
    before = holdings(lab)

    def one(config=None, **stemcell):
        return run_cpi(lab, request(disk), config or config_with(lab, stemcell={"builder": "auto", **stemcell}), env=state_env(tmp_path))
    yield one
    lab.reset()
    wipe(lab, before)


def went_direct(lab, answer, disk, why):
    """The snapshot holds the image, no volume was made, and the log says why."""
    snapshot = snapshot_of(lab, created(answer))
    assert is_image(blocks_of(lab, snapshot), disk.read_bytes())
    assert lab.calls("CreateVolume") == [] and len(lab.calls("StartSnapshot")) == 1
    told = re.search(DIRECT, answer.stderr)
    assert told, answer.stderr
    assert re.search(why, told.group(1)), told.group(1)


def test_the_right_instance(lab, call):
    answer = call()
    created(answer)
    assert re.search(r"INFO.*building the stemcell on instance i-\w+ in \S+ \(local, as aws.stemcell.builder is auto and this instance can build: ",
                     answer.stderr)
    assert lab.calls("StartSnapshot") == [] and len(lab.calls("CreateVolume")) == 1


def test_no_instance_of_ec2(lab, call, disk):
    lab.imds(mode="off")
    went_direct(lab, call(), disk, "does not look like an EC2 instance")


def test_an_instance_of_another_region(lab, call, disk):
    document = {"instanceId": lab.builder, "region": "eu-west-3", "availabilityZone": "eu-west-3a", "architecture": "x86_64",
                "instanceType": "m5.large", "accountId": "123456789012"}
    lab.imds(paths={"dynamic/instance-identity/document": json.dumps(document)})
    went_direct(lab, call(), disk, "is in region eu-west-3, aws.region is us-east-1")


def test_no_onhost(lab, call):
    """Nobody unpacks then."""
    message = refused(call(onhost_path="/nowhere/onhost"), "/nowhere/onhost is not a program")
    assert message.startswith("aws.stemcell.builder is auto, and this machine cannot build")
    assert lab.calls("StartSnapshot") == [] and lab.calls("CreateVolume") == []


def test_not_permitted_either(lab, call):
    """An account whose policy knows nothing of EBS direct: the error says why it was tried."""
    lab.imds(mode="off")
    lab.faults({"action": "StartSnapshot", "kind": "deny", "count": -1})
    message = refused(call(), "ebs:StartSnapshot")
    assert "this machine cannot build" in message and "does not look like an EC2 instance" in message


def whole_run(lab, disk, tmp_path, config, *before):
    """One call, started by another program."""
    path = tmp_path / "cpi.json"
    path.write_text(json.dumps(config))
    os.chmod(path, 0o644)
    env = director_env() | {"AWS_CPI_STATE_DIR": str(tmp_path / "states"), "HOME": str(tmp_path)}
    done = subprocess.run([*before, CPI, str(path)], input=request_bytes(request(disk)), env=env, capture_output=True, timeout=120, check=False)
    return type("Answer", (), {"json": json.loads(done.stdout), "stderr": done.stderr.decode(), "returncode": done.returncode})


def real_config(lab):
    """As an operator has it: no --lab, so that onhost needs root, and looks at the machine's own devices."""
    return config_with(lab, stemcell={"builder": "auto", "lab": False, "onhost_path": ONHOST})


@pytest.mark.usefixtures("call")
def test_who_may_not_become_root(lab, disk, tmp_path):
    """sudo is not there, or wants a password."""
    if os.geteuid() != 0:
        pytest.fail("this test starts cpi as another user, and needs root for that")
    os.mkdir(tmp_path / "states")
    os.chown(tmp_path / "states", NOBODY, NOBODY)
    answer = whole_run(lab, disk, tmp_path, real_config(lab), "setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
    went_direct(lab, answer, disk, "sudo")


@pytest.mark.usefixtures("call")
def test_confined(lab, disk, tmp_path):
    """A container whose /dev is its own: the machine's disks have no nodes there, and so would the volume."""
    script = tmp_path / "confine"
    script.write_text("set -e\nmkdir -p $0.dev\ncp -a /dev/null /dev/zero /dev/urandom /dev/random $0.dev/\n"
                      'ln -sfn /proc/self/fd $0.dev/fd\nmount --bind $0.dev /dev\nexec "$@"\n')
    with_own_dev = in_namespaces("sh", str(script), kinds=("mount",))
    went_direct(lab, whole_run(lab, disk, tmp_path, real_config(lab), *with_own_dev), disk, "would not show up")
