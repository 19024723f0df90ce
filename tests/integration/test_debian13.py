# SPDX-License-Identifier: Apache-2.0
"""onhost's sandbox under a newer C library: a Debian 13 root, in which onhost is built and reads images of all formats by
all of its commands."""
import gzip
import hashlib
import json
import lzma
import os
import shutil
import struct
import subprocess

import pytest

from awslab import loop
from bad_images import DISK, GOOD, GOOD_TAR, MIB
from conftest import ROOT
from root_kit import inside, let_apt_fetch, made_root

HERE = os.path.join(ROOT, "build", "debian13")
SOURCE = "/src"
VOLUME = "vol-0123456789abcdef0"
SIZE = 8 * MIB

pytestmark = [pytest.mark.long, pytest.mark.skipif(os.geteuid() != 0, reason="a root directory of its own takes root")]


class Root:
    """Commands in the root directory, among the sources."""

    def __init__(self, folder):
        self.folder = folder
        self.prefix = inside(folder, "-C", SOURCE)

    def run(self, *command, stdin=None, **more):
        return subprocess.run([*self.prefix, *command], input=stdin, capture_output=True, timeout=1800, check=False, **more)


@pytest.fixture(scope="module")
def debian():
    """The root with the sources as they are here, built there."""
    if not os.path.exists("/usr/share/debootstrap/scripts/trixie"):
        pytest.skip("there is no debootstrap here that knows Debian 13")
    source = made_root(HERE, "trixie") + SOURCE
    os.makedirs(source, exist_ok=True)
    root = Root(HERE)
    subprocess.run(["find", source, "-mindepth", "1", "-maxdepth", "1", "!", "-name", "build", "-exec", "rm", "-rf", "{}", "+"],
                   check=False, stderr=subprocess.DEVNULL)
    let_apt_fetch(root.folder)
    files = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True,
                           check=True).stdout.split("\n")
    for name in filter(None, files):
        if os.path.isfile(os.path.join(ROOT, name)):
            os.makedirs(os.path.dirname(os.path.join(source, name)), exist_ok=True)
            shutil.copy2(os.path.join(ROOT, name), os.path.join(source, name))
    for command in (["tests/setup", "build"], ["make", "-j2", "build/onhost", "build/tests/sandbox_probe"]):
        done = root.run(*command)
        assert done.returncode == 0, (command, done.stdout[-2000:], done.stderr[-2000:])
    return root


def images():
    yield "gzip", GOOD
    yield "tar", GOOD_TAR
    yield "zstd", subprocess.run(["zstd", "-q", "-c"], input=GOOD_TAR, stdout=subprocess.PIPE, check=True).stdout
    yield "xz", lzma.compress(GOOD_TAR, preset=6)
    yield "raw", DISK
    yield "raw in gzip", gzip.compress(DISK)


@pytest.mark.parametrize("name", [name for name, _ in images()])
def test_commands(debian, make_loop, name):
    image = dict(images())[name]
    device = make_loop(SIZE)
    done = debian.run("build/onhost", "unpack", "--digest", stdin=image)
    assert done.returncode == 0, done.stderr
    assert done.stdout == DISK
    done = debian.run("build/onhost", "write", "--device", device, "--digest", "--verbose", stdin=image)
    assert done.returncode == 0, done.stderr
    assert b"no namespaces" not in done.stderr and b"no empty root" not in done.stderr
    loop.flush(device)
    with open(make_loop.backing[device], "rb") as file:
        assert file.read(len(DISK)) == DISK
    done = debian.run("build/onhost", "verify", "--device", device, stdin=image)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", [name for name, _ in images()])
def test_session(debian, make_loop, name):
    image = dict(images())[name]
    device = make_loop(SIZE)
    links = debian.folder + "/links"
    shutil.rmtree(links, ignore_errors=True)
    os.mkdir(links)
    os.symlink(device, f"{links}/nvme-Amazon_Elastic_Block_Store_{VOLUME.replace('-', '')}")
    write = {"op": "write", "volume_id": VOLUME, "device_name": "/dev/sdf", "size_mib": SIZE // MIB, "fresh": True,
             "encrypted": False, "digest": True, "image": {"source": "stream"}}
    stream = (json.dumps({"op": "hello", "version": 1}) + "\n" + json.dumps(write) + "\n").encode()
    stream += b"".join(struct.pack(">I", len(image[at:at + MIB])) + image[at:at + MIB] for at in range(0, len(image), MIB))
    stream += bytes(4) + json.dumps({"op": "end", "sha256": hashlib.sha256(image).hexdigest()}).encode() + b"\n"
    done = debian.run("env", "AWS_EC2_METADATA_DISABLED=true", "build/onhost", "serve", "--lab-devices", "/links",
                      stdin=stream)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout.strip().split(b"\n")[-1])
    assert answer["ok"] == "written" and answer["image_sha256"] == hashlib.sha256(DISK).hexdigest()
    loop.flush(device)
    with open(make_loop.backing[device], "rb") as file:
        assert file.read(len(DISK)) == DISK


def test_bad_image(debian):
    done = debian.run("build/onhost", "unpack", stdin=GOOD[:-5])
    assert done.returncode == 3
    assert b"cut short" in done.stderr


def test_nothing_can_be_had(debian, make_loop):
    """The same program as in test_sandbox.py."""
    done = debian.run("build/tests/sandbox_probe", make_loop(SIZE))
    assert done.returncode == 0, done.stderr
    lines = done.stdout.decode().split("\n")
    assert lines[-2] == "end"
    assert not [line for line in lines if line.startswith(("OPEN", "BROKEN"))]
    assert len(lines) > 300
