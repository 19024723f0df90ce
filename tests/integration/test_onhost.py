# SPDX-License-Identifier: Apache-2.0
"""onhost as a person starts it: instance metadata, and images from a pipe that stays open. Devices and usage are
test_devices.py's, images test_images.py's."""
import json
import os
import subprocess

import pytest
from bad_images import GOOD
from conftest import ONHOST

IMAGE, METADATA, SIGTERM = 3, 7, 128 + 15


def onhost(*arguments, **more):
    return subprocess.run([ONHOST, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
                          check=False, **more)


def with_metadata(lab):
    return os.environ | {"AWS_EC2_METADATA_SERVICE_ENDPOINT": lab.env["AWS_EC2_METADATA_SERVICE_ENDPOINT"]}


def test_metadata(lab):
    """What boto3 says of the instance, this machine's metadata says too."""
    done = onhost("metadata", env=with_metadata(lab))
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    instance = lab.ec2.describe_instances(InstanceIds=[lab.builder])["Reservations"][0]["Instances"][0]
    assert told["instance_id"] == lab.builder
    assert told["availability_zone"] == instance["Placement"]["AvailabilityZone"]
    assert told["region"] == instance["Placement"]["AvailabilityZone"][:-1]
    assert told["instance_type"] == instance["InstanceType"]
    assert told["architecture"] == instance["Architecture"]


@pytest.mark.parametrize("mode", ["v1", "v1-v2"])
def test_metadata_of_version_1(lab, mode):
    lab.imds(mode=mode)
    done = onhost("metadata", env=with_metadata(lab))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["instance_id"] == lab.builder


def test_no_metadata(lab):
    lab.imds(mode="off")
    done = onhost("metadata", env=with_metadata(lab))
    assert done.returncode == METADATA and done.stdout == ""
    assert "metadata" in done.stderr


def test_bad_image_from_a_pipe_that_stays_open(make_loop):
    """What was sent is enough to refuse it: the sender need not end first."""
    device = make_loop(1 << 20)
    with subprocess.Popen([ONHOST, "write", "--device", device, "--image", "-"], stdin=subprocess.PIPE,
                          stderr=subprocess.PIPE) as process:
        # more than the device holds, and of what is read at once
        try:
            process.stdin.write(GOOD + bytes(1 << 20))
            process.stdin.flush()
        except BrokenPipeError:
            pass
        assert process.wait(60) == IMAGE
        assert b"1048576" in process.stderr.read()
    with open(make_loop.backing[device], "rb") as file:
        assert not any(file.read())


def test_stopped_while_waiting_for_an_image(make_loop):
    device = make_loop(1 << 20)
    with subprocess.Popen([ONHOST, "write", "--device", device, "--image", "-", "--verbose"], stdin=subprocess.PIPE,
                          stderr=subprocess.PIPE) as process:
        for line in process.stderr:
            if b"the device is" in line:
                break
        process.terminate()
        assert process.wait(60) == SIGTERM
        assert b"signal" in process.stderr.read()
