# SPDX-License-Identifier: Apache-2.0
"""onhost in a machine of its own, where NVMe controllers come and go: the volume's is found among others that are not it,
with udevd and without; it is asked what it is; what is not it is refused; what goes away is said to have gone.

No emulator sets Amazon's vendor number and the bytes with the name, so that one answer is overlaid (identify_shim.c), and
nothing else. sysfs shows the emulator's own model for its controllers, and any model for those of the guest's kernel.
"""
import gzip
import io
import random
import tarfile
import threading

import pytest

import guest_kit
from guest_kit import MIB, Guest

VOLUME, SERIAL = "vol-0123456789abcdef0", "vol0123456789abcdef0"
OTHER = "vol0aaaaaaaaaaaaaaaa"
EBS, INSTANCE_STORE = "Amazon Elastic Block Store", "Amazon EC2 NVMe Instance Storage"
SIZE = 48 * MIB
IMAGE_SIZE = 24 * MIB
REFUSED, NO_DEVICE, PROTOCOL = 4, 5, 8

# in one worker: a guest is booted for all tests, not for each
pytestmark = [pytest.mark.waits, pytest.mark.skipif(guest_kit.why_not() is not None, reason=guest_kit.why_not() or ""),
              pytest.mark.xdist_group("guest")]


def amazon(vendor="0x1d0f", model=EBS, name="/dev/sdf"):
    """Words before onhost: its controllers say this of themselves."""
    # a sanitizer's library need not be the first
    return (f"ASAN_OPTIONS=verify_asan_link_order=0 LD_PRELOAD=/shim.so IDENTIFY_VENDOR={vendor} "
            f"IDENTIFY_MODEL='{model}' IDENTIFY_NAME='{name}'")


@pytest.fixture(scope="module", name="image")
def make_image():
    """A disk image (.root) of noise with two holes of zeros, and the same as a stemcell's (.packed)."""
    noise = random.Random(6)
    root = bytearray(noise.randbytes(IMAGE_SIZE))
    root[510:512] = b"\x55\xaa"
    for start in (3 * MIB, 16 * MIB):
        root[start:start + 2 * MIB] = bytes(2 * MIB)
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=1, mtime=0) as stream, \
            tarfile.open(fileobj=stream, mode="w") as tar:
        member = tarfile.TarInfo("root.img")
        member.size = len(root)
        tar.addfile(member, io.BytesIO(root))
    return bytes(root), packed.getvalue()


def start_guest(folder, udevd):
    """With an NVMe disk that is another volume, and a virtio disk that has the wanted serial, from the beginning."""
    drives, files = [], {}
    for name, device in (("present", f"nvme,serial={OTHER}"), ("virtio", f"virtio-blk-pci,serial={SERIAL}")):
        files[name] = folder / f"{name}.img"
        with open(files[name], "wb") as f:
            f.truncate(SIZE)
        drives += ["-blockdev", f"driver=raw,node-name={name},file.driver=file,file.filename={files[name]}",
                   "-device", f"{device},drive={name}"]
    guest = Guest(folder, udevd, drives)
    guest.files.update(files)
    return guest


@pytest.fixture(scope="module", params=["udevd", "no-udevd"])
def booted(request, tmp_path_factory):
    """Both kinds, one after the other."""
    guest = start_guest(tmp_path_factory.mktemp("guest"), request.param == "udevd")
    guest.udevd = request.param == "udevd"
    yield guest
    guest.end()


# udevd has no part in it
without_udevd = pytest.mark.parametrize("booted", ["no-udevd"], indirect=True)


@pytest.fixture(name="guest")
def make_guest(booted):
    """What a test plugs in is gone at its end, and what was there from the beginning is untouched."""
    yield booted
    booted.unplug()
    booted.until(f"! grep -qs '^{SERIAL} *$' /sys/block/nvme*/device/serial")
    assert booted.backing("present") == booted.backing("virtio") == bytes(SIZE)


def disk_of(guest, serial, model="."):
    """The name of the guest's disk with that serial, once it is there."""
    return guest.until(f"cd /sys/block; for d in nvme*n*; do if grep -q '^{serial} *$' $d/device/serial && "
                       f"grep -q '{model}' $d/device/model && [ -e $d/dev ]; then echo $d; fi; done | grep .")


def refuse(guest, prefix, text, size=SIZE):
    """The right serial, and yet it is refused, untouched; the session goes on."""
    guest.plug("suspect", SERIAL, size)
    disk = disk_of(guest, SERIAL)
    session = guest.serve(prefix)
    session.want(VOLUME, SIZE)
    error = session.answer()["error"]
    assert error["type"] == "device_refused", error
    assert f"/dev/{disk}" in error["message"] and text in error["message"], error
    assert session.ask({"op": "hello", "version": 1})["ok"] == "hello"
    assert session.end() == 0
    assert guest.backing("suspect") == bytes(size)


# --- the one that arrives

def test_the_one_that_arrives(guest, image):
    """The session waits already when controllers come: another volume's, instance storage with the right serial, and then
    the one, which is written."""
    root, packed = image
    if guest.udevd:
        # udev has not made it: what a link says is a hint, and a wrong one
        guest.sh(f"mkdir -p /dev/disk/by-id; ln -s ../../vda /dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_{SERIAL}")
    session = guest.serve(amazon())
    session.want(VOLUME, SIZE)
    session.is_waiting()
    guest.plug("another", "vol0bbbbbbbbbbbbbbbb", SIZE)
    disk_of(guest, "vol0bbbbbbbbbbbbbbbb")
    guest.sh("truncate -s 48M /tmp/ephemeral")
    guest.fabric("ephemeral", SERIAL, INSTANCE_STORE, "/tmp/ephemeral")
    guest.plug("wanted", SERIAL, SIZE)

    ready = session.answer()
    assert ready["ok"] == "ready", (ready, session.log())
    assert ready["device"] == "/dev/" + disk_of(guest, SERIAL, "QEMU")
    assert ready["recognised_by"] == f"controller serial {SERIAL}, {EBS}, requested as /dev/sdf"
    session.stream(packed)
    written = session.answer()
    assert written["ok"] == "written" and written["image_size"] == IMAGE_SIZE, written
    assert session.end() == 0
    events = "udev" if guest.udevd else "kernel"
    assert f"watching for block devices: {events} events" in session.log()

    assert guest.backing("wanted") == root + bytes(SIZE - IMAGE_SIZE)
    assert guest.backing("another") == bytes(SIZE)
    assert guest.sh("tr -d '\\0' </tmp/ephemeral | wc -c").output == "0"


@without_udevd
def test_instance_storage_by_name(guest):
    """Not even a person may name it; sysfs tells, and where sysfs does not, the controller."""
    guest.sh("truncate -s 48M /tmp/ephemeral")
    disk = guest.fabric("ephemeral", SERIAL, INSTANCE_STORE, "/tmp/ephemeral")
    run = f"onhost write --device /dev/{disk} --force </dev/null"
    result = guest.sh(run, check=False)
    assert result.status == REFUSED and f"/dev/{disk} is instance storage" in result.output, result
    result = guest.sh(f"onhost wait-device --volume {VOLUME} --timeout 1", check=False)
    assert result.status == NO_DEVICE and f"{disk} (" in result.output and ": instance storage" in result.output, result

    present = disk_of(guest, OTHER)
    run = f"{amazon(model=INSTANCE_STORE)} onhost write --device /dev/{present} --force </dev/null"
    result = guest.sh(run, check=False)
    assert result.status == REFUSED and f'its controller says "{INSTANCE_STORE}"' in result.output, result


# --- the right serial, and not the volume

def test_another_vendor(guest):
    """Nothing is overlaid: QEMU's controller says whose it is."""
    refuse(guest, "", "not Amazon's: its vendor is 0x1b36")


@without_udevd
def test_another_model(guest):
    """Amazon's, but something that nobody knows yet."""
    refuse(guest, amazon(model="Amazon Something New"), 'model is "Amazon Something New"')


@without_udevd
def test_another_serial(guest):
    """The controller and sysfs disagree."""
    refuse(guest, f"IDENTIFY_SERIAL={OTHER} {amazon()}", f"says that it is {OTHER}, and not {SERIAL}")


@without_udevd
def test_another_attachment(guest):
    """The same volume, attached under another name; without a name there is nothing to compare."""
    refuse(guest, amazon(name="sdg"), "was attached as sdg, and not as /dev/sdf")


@without_udevd
def test_another_size(guest):
    """An EBS volume's disk has exactly its size."""
    refuse(guest, amazon(), f"holds {SIZE + MIB} bytes, and the volume {SIZE}", size=SIZE + MIB)


# --- gone

def half_way(session, packed):
    """Streams until something is on the disk; the thread that goes on with it."""
    thread = threading.Thread(target=session.stream, args=(packed,), daemon=True)
    thread.start()
    while True:
        message = session.answer(progress=True)
        assert message.get("event") == "progress", message
        if message["written"] >= MIB:
            return thread


def assert_gone(session, disk, thread):
    """The error says so, and the session is over."""
    error = session.answer()["error"]
    assert error["type"] == "no_device", error
    assert f"/dev/{disk}" in error["message"] and "went away" in error["message"], error
    assert session.end() == NO_DEVICE
    thread.join(guest_kit.PATIENCE)
    assert not thread.is_alive()


def test_unplugged_half_way(guest, image):
    """A detach while it is written."""
    guest.plug("slow", SERIAL, SIZE, bytes_per_second=4 * MIB)
    disk = disk_of(guest, SERIAL)
    session = guest.serve(amazon())
    session.want(VOLUME, SIZE)
    assert session.answer()["ok"] == "ready"
    thread = half_way(session, image[1])
    guest.unplug()
    assert_gone(session, disk, thread)
    left = guest.backing("slow")
    assert left[:MIB] == bytes(MIB) and left != bytes(SIZE)


# --- controllers that show Amazon's model in sysfs too

def test_model_in_sysfs(guest):
    """With another vendor it is refused all the same; with Amazon's it is the one, and the link that udev makes says so too.
    (It is not written to: the kernel's target and initiator on one CPU can wait for each other.)"""
    guest.sh("truncate -s 48M /tmp/ebs")
    disk = guest.fabric("ebs", SERIAL, EBS, "/tmp/ebs")
    session = guest.serve()
    session.want(VOLUME, SIZE)
    error = session.answer()["error"]
    assert error["type"] == "device_refused" and "not Amazon's: its vendor is 0x0000" in error["message"], error
    assert session.end() == 0

    result = guest.sh(f"{amazon(name='none')} onhost wait-device --volume {VOLUME}")
    assert result.output == f"/dev/{disk}\tcontroller serial {SERIAL}, {EBS}"
    if guest.udevd:
        link = f"/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_{SERIAL}"
        guest.until(f"[ $(readlink -f {link}) = /dev/{disk} ]")
    session = guest.serve(amazon(name="sdf"))
    session.want(VOLUME, SIZE)
    assert session.answer() == {"ok": "ready", "device": f"/dev/{disk}",
                                "recognised_by": f"controller serial {SERIAL}, {EBS}, requested as sdf"}
    assert session.end() == PROTOCOL


# --- /dev

def in_a_container(setup):
    """Words before onhost: a /dev of its own, with what the words of the shell put there."""
    return (f"{amazon()} unshare -m sh -c 'set -e; mkdir -p /mnt; mount -t tmpfs dev /mnt; {setup}; "
            "mount -o move /mnt /dev; exec onhost serve --verbose'")


@without_udevd
@pytest.mark.parametrize("setup, text", [
    ("true", "is not there"),
    ('mknod /mnt/{disk} b $(tr : " " </sys/block/vda/dev)', "is the node of another device"),
    ("echo >/mnt/{disk}", "is no block device's node but a file"),
], ids=["none", "another", "file"])
def test_dev_without_new_nodes(guest, setup, text):
    """sysfs shows the disk, and /dev never gets its node, or has an old one of that name: the error says exactly that."""
    guest.plug("wanted", SERIAL, SIZE)
    disk = disk_of(guest, SERIAL)
    session = guest.serve(in_a_container(setup.format(disk=disk)))
    session.want(VOLUME, SIZE, timeout_ms=1000)
    error = session.answer()["error"]
    assert error["type"] == "no_device", error
    assert f"the kernel has the disk of {VOLUME}" in error["message"], error
    assert f"/dev/{disk} {text}" in error["message"] and "as in a container" in error["message"], error
    assert session.end() == 0
    assert guest.backing("wanted") == bytes(SIZE)
