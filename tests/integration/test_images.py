# SPDX-License-Identifier: Apache-2.0
"""Images through the real onhost, made by the tools that people have: every good one gives what `tar -xO` gives, every bad
one is refused with its own message, by unpack and by write, and the device's first MiB stays blank."""
import gzip
import hashlib
import os
import shutil
import signal
import subprocess
import time

import pytest

from bad_images import BAD, DISK, GOOD, MIB, disk_bytes
from conftest import ONHOST

DEVICE_SIZE = 8 * MIB


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A folder with root.img (dense) and sparse/root.img (with holes)."""
    folder = tmp_path_factory.mktemp("images")
    (folder / "root.img").write_bytes(disk_bytes(3 * MIB + 4096 + 512))
    (folder / "sparse").mkdir()
    with open(folder / "sparse" / "root.img", "wb") as f:
        f.write(disk_bytes(8192))
        for at in (MIB, 2 * MIB + 512 * 9, 5 * MIB - 4096):
            f.seek(at)
            f.write(disk_bytes(8192, at))
        f.truncate(6 * MIB + 512)
    return folder


def run(*command, cwd=None, stdin=None):
    return subprocess.run(command, cwd=cwd, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=True).stdout


def onhost(*arguments, stdin=None):
    done = subprocess.run([ONHOST, *arguments], input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120,
                          check=False)
    text = done.stderr.decode(errors="replace")
    assert "Sanitizer" not in text and done.returncode >= 0, text
    return done.returncode, done.stdout, text


def check_unpack(image, want):
    status, out, text = onhost("unpack", "--image", str(image))
    assert status == 0, text
    assert hashlib.sha256(out).hexdigest() == hashlib.sha256(want).hexdigest()
    status, again, text = onhost("unpack", stdin=image.read_bytes())
    assert status == 0, text
    assert again == out


def need(tool):
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed here")


PACKERS = {"plain": None, "gzip": ["gzip", "-c"], "gzip -9": ["gzip", "-9c"], "pigz": ["pigz", "-c"],
           "zstd": ["zstd", "-q", "-c"], "zstd -19": ["zstd", "-q", "-19", "-c"], "xz": ["xz", "-c"],
           "xz -T2": ["xz", "-T2", "-c"]}


@pytest.mark.parametrize("dialect, packer", [(dialect, "gzip") for dialect in ("v7", "oldgnu", "gnu", "ustar", "posix")] +
                         [("gnu", packer) for packer in PACKERS if packer != "gzip"])
def test_gnu_tar(root, tmp_path, dialect, packer):
    image = tmp_path / "image"
    if PACKERS[packer]:
        need(PACKERS[packer][0])
    tar = run("tar", f"--format={dialect}", "-cf", "-", "root.img" if packer != "gzip" else "./root.img", cwd=root)
    image.write_bytes(run(*PACKERS[packer], stdin=tar) if PACKERS[packer] else tar)
    check_unpack(image, (root / "root.img").read_bytes())


@pytest.mark.parametrize("packer", PACKERS)
def test_raw(root, tmp_path, packer):
    image = tmp_path / "image"
    raw = (root / "root.img").read_bytes()
    if PACKERS[packer]:
        need(PACKERS[packer][0])
    image.write_bytes(run(*PACKERS[packer], stdin=raw) if PACKERS[packer] else raw)
    check_unpack(image, raw)


SPARSE = {"gnu": ["--format=gnu"], "oldgnu": ["--format=oldgnu"], "posix 0.0": ["--format=posix", "--sparse-version=0.0"],
          "posix 0.1": ["--format=posix", "--sparse-version=0.1"], "posix 1.0": ["--format=posix", "--sparse-version=1.0"]}


@pytest.mark.parametrize("dialect", SPARSE)
def test_gnu_tar_sparse(root, tmp_path, dialect):
    image = tmp_path / "image"
    image.write_bytes(gzip.compress(run("tar", *SPARSE[dialect], "--sparse", "-cf", "-", "root.img", cwd=root / "sparse")))
    check_unpack(image, run("tar", "-xzOf", str(image), "root.img"))


@pytest.mark.parametrize("dialect", ["v7", "ustar", "pax", "gnutar"])
@pytest.mark.parametrize("folder", [".", "sparse"])
def test_bsdtar(root, tmp_path, dialect, folder):
    need("bsdtar")
    image = tmp_path / "image"
    image.write_bytes(run("bsdtar", f"--format={dialect}", "-czf", "-", "root.img", cwd=root / folder))
    check_unpack(image, (root / folder / "root.img").read_bytes())


def test_gzip_members(root, tmp_path):
    tar = run("tar", "-cf", "-", "root.img", cwd=root)
    image = tmp_path / "image"
    image.write_bytes(b"".join(gzip.compress(tar[at:at + MIB]) for at in range(0, len(tar), MIB)))
    check_unpack(image, (root / "root.img").read_bytes())


def test_holes_are_left_out_or_written(root, tmp_path, make_loop):
    """A sparse archive on a used device (--force) gives zeros where the holes are."""
    image = tmp_path / "image"
    image.write_bytes(gzip.compress(run("tar", "--sparse", "-cf", "-", "root.img", cwd=root / "sparse")))
    want = (root / "sparse" / "root.img").read_bytes()
    device = make_loop(DEVICE_SIZE, b"\xff" * DEVICE_SIZE)
    status, _, text = onhost("write", "--device", device, "--force", "--image", str(image))
    assert status == 0, text
    with open(make_loop.backing[device], "rb") as f:
        got = f.read()
    assert got[:len(want)] == want
    assert set(got[len(want):]) == {0xFF}
    status, _, text = onhost("verify", "--device", device, "--image", str(image))
    assert status == 0, text


# --- bad images ----------------------------------------------------------------------------------------------------------

def check_device_untouched(path, blank=MIB):
    with open(path, "rb") as f:
        assert f.read(blank) == bytes(blank)


@pytest.mark.parametrize("name", BAD)
def test_bad_image(tmp_path, make_loop, name):
    data, want = BAD[name]
    image = tmp_path / "image"
    image.write_bytes(data)
    status, _, text = onhost("unpack", "--image", str(image))
    assert status != 0 and want in text
    device = make_loop(DEVICE_SIZE)
    status, _, text = onhost("write", "--device", device, "--image", str(image))
    assert status != 0 and want in text
    check_device_untouched(make_loop.backing[device])


def test_gzip_cut(tmp_path, make_loop):
    image = tmp_path / "image"
    device = make_loop(DEVICE_SIZE)
    for i in range(20):
        image.write_bytes(GOOD[:1 + i * (len(GOOD) - 2) // 19])
        status, _, text = onhost("write", "--device", device, "--force", "--image", str(image))
        assert status != 0 and ("cut short" in text or i == 0), text
        check_device_untouched(make_loop.backing[device])


def test_larger_than_the_device(tmp_path, make_loop):
    """Told by the size that the archive declares, so not a byte is written."""
    image = tmp_path / "image"
    image.write_bytes(GOOD)
    device = make_loop(MIB)
    status, _, text = onhost("write", "--device", device, "--image", str(image))
    assert status != 0 and f"has {len(DISK)} bytes" in text and f"holds only {MIB}" in text
    check_device_untouched(make_loop.backing[device])


def test_stopped_in_the_middle(make_loop):
    """SIGTERM while the image is still coming: it ends soon, and the first MiB is blank."""
    device = make_loop(DEVICE_SIZE)
    with subprocess.Popen([ONHOST, "write", "--device", device], stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdin.write(GOOD[:len(GOOD) * 3 // 4])
        process.stdin.flush()
        time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        text = process.stderr.read().decode(errors="replace")
        assert process.wait(timeout=60) != 0
        assert "signal 15" in text
    check_device_untouched(make_loop.backing[device])


def test_memory_is_bounded(tmp_path):
    """1 GiB of zeros, packed to 1 MiB, within 64 MiB of memory."""
    image = tmp_path / "image"
    image.write_bytes(b"".join([gzip.compress(DISK)] + [gzip.compress(bytes(32 * MIB), 1)] * 32))
    with open(os.devnull, "wb") as nowhere, subprocess.Popen([ONHOST, "unpack", "--image", str(image)], stdout=nowhere,
                                                             stderr=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    if not os.environ.get("ONHOST_BIN"):  # sanitizers have memory of their own
        assert usage.ru_maxrss < 64 * 1024
