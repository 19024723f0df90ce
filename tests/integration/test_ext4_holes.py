# SPDX-License-Identifier: Apache-2.0
"""What onhost leaves out because the image's own ext4 calls it free: on a device full of noise, as an encrypted volume
is, e2fsck and every file say the same of it as of the image; and it is as much as dumpe2fs's lists of free blocks and the
image's zeros allow, to the block."""
import filecmp
import hashlib
import json
import os
import random
import shutil
import struct
import subprocess
from types import SimpleNamespace

import pytest

from conftest import ONHOST, make_stemcell
from ext4_kit import (BLOCK, MIB, SECTOR, Groups, age, at, disk, files, fsck, gpt, known_free, left_out, listing, mbr, mkfs,
                      mounted, run, tree)

VOLUME = "vol-0123456789abcdef0"
LINK = "nvme-Amazon_Elastic_Block_Store_" + VOLUME.replace("-", "")
SIZE = 48 * MIB

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounting takes root")


@pytest.fixture(scope="session", name="payload")
def make_payload(tmp_path_factory):
    """Files to put into file systems."""
    return tree(tmp_path_factory.mktemp("payload") / "tree")


@pytest.fixture(scope="session", name="noise")
def make_noise(tmp_path_factory):
    """A file of noise, larger than the images."""
    path = tmp_path_factory.mktemp("noise") / "noise"
    rng = random.Random(5)
    with open(path, "wb") as f:
        for _ in range(SIZE // MIB + 1):
            f.write(rng.randbytes(MIB))
    return path


def onhost(*arguments, status=0):
    done = subprocess.run([ONHOST, *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=120, check=False)
    assert done.returncode == status, done.stderr
    return done


@pytest.fixture(name="write")
def make_write(tmp_path, noise):
    """write(image): the image on a device of noise, as on an encrypted volume; .device .left_out (bytes) .log"""
    links = tmp_path / "by-id"
    links.mkdir()

    def write(image, *options, device=None, encrypted=True):
        if device is None:
            device = tmp_path / "device"
            shutil.copyfile(noise, device)
        (links / LINK).unlink(missing_ok=True)
        (links / LINK).symlink_to(device)
        kind = ("--encrypted",) if encrypted else ()
        done = onhost("write", "--volume", VOLUME, "--fresh", *kind, "--image", image, "--lab-devices", links,
                      "--verbose", "--json", *options)
        told = json.loads(done.stdout)
        checked = json.loads(onhost("verify", "--device", device, "--image", image, "--fresh", *kind, "--json").stdout)
        assert (checked["written"], checked["skipped"]) == (told["written"], told["skipped"])
        assert told["written"] + told["skipped"] == told["image_size"]
        return SimpleNamespace(device=str(device), left_out=told["skipped"], written=told["written"], log=done.stderr)
    return write


def same_in_use(image, written, offsets, folder):
    """e2fsck's verdict and all files; and outside of what may be left out each byte is the image's. Returns the verdicts."""
    verdicts = [fsck(image, offset) for offset in offsets]
    assert [fsck(written.device, offset) for offset in offsets] == verdicts
    for number, offset in enumerate(offsets):
        mine = files(written.device, offset, folder / f"written-{number}")
        assert mine == files(image, offset, folder / f"image-{number}")
        assert len(mine) > 3
    return [status for status, _ in verdicts]


def differing(image, device):
    """The numbers of the disk's blocks that are not the image's."""
    blocks = set()
    with open(image, "rb") as left, open(device, "rb") as right:
        for number in range(-(-os.path.getsize(image) // BLOCK)):
            data = left.read(BLOCK)
            if data != right.read(BLOCK)[:len(data)]:
                blocks.add(number)
    return blocks


def expect(image, written, offsets, folder):
    """All is right, and what was left out is what may be."""
    assert set(same_in_use(image, written, offsets, folder)) == {0}
    return exact(image, written, offsets)


def exact(image, written, offsets):
    """Left out are the blocks that may be, and no others; how many."""
    allowed = left_out(image, offsets)
    assert differing(image, written.device) == allowed
    size = os.path.getsize(image)
    assert written.left_out == sum(min(BLOCK, size - number * BLOCK) for number in allowed)
    return len(allowed)


def at_sector(first, part, path):
    """A disk with one Linux partition."""
    size = first * SECTOR + os.path.getsize(part)
    disk(path, size, mbr((0x83, first, os.path.getsize(part) // SECTOR)), [(first * SECTOR, part)])
    return path


# --- file systems as mkfs makes them -------------------------------------------------------------------------------

# name: mkfs's options, and whether anything may be left out
KINDS = {
    "default": (("-b", "4096"), True),
    "small blocks": ((), True),
    "blocks of 2 KiB": (("-b", "2048"), True),
    "small groups": (("-b", "4096", "-g", "1024"), True),
    "small groups of small blocks": (("-b", "1024", "-g", "1024"), True),
    "small groups without flex_bg": (("-b", "4096", "-g", "1024", "-O", "^flex_bg"), True),
    "flex of 4": (("-b", "4096", "-g", "1024", "-G", "4"), True),
    "flex of 64": (("-b", "1024", "-g", "1024", "-G", "64"), True),
    "without 64bit": (("-b", "4096", "-g", "1024", "-O", "^64bit"), True),
    "without flex_bg": (("-b", "1024", "-O", "^flex_bg"), True),
    "without resize_inode": (("-b", "4096", "-g", "1024", "-O", "^resize_inode"), True),
    "copies everywhere": (("-b", "1024", "-g", "2048", "-O", "^sparse_super,^resize_inode"), True),
    "sparse_super2": (("-b", "4096", "-g", "1024", "-O", "sparse_super2,^resize_inode"), True),
    "with a seed": (("-b", "4096", "-O", "metadata_csum_seed"), True),
    "quota": (("-b", "4096", "-g", "1024", "-O", "quota,project"), True),
    "inline data": (("-b", "4096", "-O", "inline_data,ea_inode,large_dir"), True),
    "encrypt, casefold": (("-b", "4096", "-O", "encrypt,casefold,verity,stable_inodes"), True),
    "fast_commit": (("-b", "4096", "-O", "fast_commit"), True),
    "orphan_file": (("-b", "4096", "-O", "orphan_file"), True),
    "a small journal": (("-b", "1024", "-J", "size=1"), True),
    "a large journal": (("-b", "4096", "-g", "2048", "-J", "size=16"), True),
    "without a journal": (("-b", "4096", "-O", "^has_journal"), True),
    "tables not initialised": (("-b", "4096", "-g", "1024", "-E", "lazy_itable_init=1,lazy_journal_init=1"), True),
    "all tables written": (("-b", "4096", "-g", "1024", "-E", "lazy_itable_init=0,lazy_journal_init=0"), True),
    "many inodes": (("-b", "4096", "-i", "2048", "-I", "512"), True),
    # doubts
    "meta_bg": (("-b", "4096", "-O", "meta_bg,^resize_inode"), False),
    "bigalloc": (("-b", "4096", "-O", "bigalloc", "-C", "16384"), False),
    "mmp": (("-b", "4096", "-O", "mmp"), False),
    "without checksums": (("-b", "4096", "-O", "^metadata_csum"), False),
    "uninit_bg": (("-b", "4096", "-O", "^metadata_csum,uninit_bg"), False),
    "ext3": (("-b", "4096", "-t", "ext3"), False),
    "ext2": (("-b", "4096", "-t", "ext2"), False),
}


@pytest.mark.parametrize("kind", KINDS)
def test_as_mkfs_makes_it(kind, tmp_path, payload, write):
    """At sector 63, where the file system's blocks are none of the disk's."""
    options, trusted = KINDS[kind]
    part, image = tmp_path / "part", tmp_path / "root.img"
    mkfs(part, SIZE - MIB, payload, options)
    if kind == "quota":
        run("e2fsck", "-fy", part, status=(0, 1))  # mkfs.ext4 -d leaves quotas wrong
    at_sector(63, part, image)
    written = write(image)
    if trusted:
        assert expect(image, written, [63 * SECTOR], tmp_path) > 1000
        assert "ext4 at sector 63: of its" in written.log
    else:
        assert (written.left_out, differing(image, written.device)) == (0, set())
        assert "the partition at sector 63 is written whole: " in written.log


# --- where it stands ------------------------------------------------------------------------------------------------

@pytest.fixture(name="part", scope="session")
def make_part(tmp_path_factory, payload):
    """An ordinary file system."""
    path = tmp_path_factory.mktemp("part") / "part"
    mkfs(path, 20 * MIB, payload, ("-b", "4096", "-g", "1024"))
    return path


def place_whole(image, part):
    shutil.copyfile(part, image)
    return [0]


def place_behind_boot_code(image, part):
    shutil.copyfile(part, image)
    with open(image, "r+b") as f:
        f.write(mbr())
    return [0]


def place_at_2048(image, part):
    at_sector(2048, part, image)
    return [MIB]


def place_at_1(image, part):
    at_sector(1, part, image)
    return [SECTOR]


def place_two(image, part):
    """And one that is none, and the table not in order."""
    count = os.path.getsize(part) // SECTOR
    disk(image, 44 * MIB, mbr((0x83, 2100 + count, count), (0x82, 63, 1000), (0x83, 2063, count)),
         [(2063 * SECTOR, part), ((2100 + count) * SECTOR, part)])
    return [2063 * SECTOR, (2100 + count) * SECTOR]


def place_gpt(image, part):
    count = os.path.getsize(part) // SECTOR
    disk(image, 46 * MIB, b"", [(4096 * SECTOR, part), ((4096 + count) * SECTOR, part)])
    gpt(image, f"label: gpt\nstart=2048, size=2048, type=uefi\nstart=4096, size={count}, type=linux\n"
               f"start={4096 + count}, size={count}, type=4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709\n")
    return [4096 * SECTOR, (4096 + count) * SECTOR]


PLACES = (place_whole, place_behind_boot_code, place_at_1, place_at_2048, place_two, place_gpt)


@pytest.mark.parametrize("place", PLACES, ids=lambda f: f.__name__[6:])
def test_places(place, tmp_path, part, write):
    image = tmp_path / "root.img"
    offsets = place(image, part)
    written = write(image)
    assert expect(image, written, offsets, tmp_path) > 1000 * len(offsets)


def overlapping(image, part):
    count = os.path.getsize(part) // SECTOR
    disk(image, 24 * MIB, mbr((0x83, 63, count), (0x83, 62 + count, 100)), [(63 * SECTOR, part)])


def behind_the_end(image, part):
    at_sector(63, part, image)
    os.truncate(image, os.path.getsize(image) - 8 * SECTOR)
    # its size is known beforehand only from an archive
    run("tar", "-C", image.parent, "-cf", image.with_suffix(".tar"), "root.img")
    os.rename(image.with_suffix(".tar"), image)


def of_another_type(image, part):
    disk(image, 24 * MIB, mbr((0x8E, 63, os.path.getsize(part) // SECTOR)), [(63 * SECTOR, part)])


def too_small_for_it(image, part):
    disk(image, 24 * MIB, mbr((0x83, 63, os.path.getsize(part) // SECTOR - 8)), [(63 * SECTOR, part)])


def logical(image, part):
    disk(image, 24 * MIB, mbr((0x05, 63, os.path.getsize(part) // SECTOR)), [(63 * SECTOR, part)])


def of_both_kinds(image, part):
    count = os.path.getsize(part) // SECTOR
    disk(image, 24 * MIB, mbr((0xEE, 1, 62), (0x83, 63, count)), [(63 * SECTOR, part)])


def of_a_damaged_gpt(image, part):
    place_gpt(image, part)
    with open(image, "r+b") as f:
        f.seek(2 * SECTOR + 200)
        f.write(b"\x77")


def left_from_before(image, part):
    """A file system over the whole disk, and then a table whose partition begins behind its superblock."""
    shutil.copyfile(part, image)
    with open(image, "r+b") as f:
        f.write(mbr((0x83, 16384, 2048)))


DOUBTS = (overlapping, behind_the_end, of_another_type, too_small_for_it, logical, of_both_kinds, of_a_damaged_gpt,
          left_from_before)


@pytest.mark.parametrize("make", DOUBTS, ids=lambda f: f.__name__)
def test_doubtful_places(make, tmp_path, part, write):
    image = tmp_path / "root.img"
    make(image, part)
    assert write(image).left_out == 0


# --- what happens to file systems ----------------------------------------------------------------------------------

def patch(image, offset, *commands):
    """debugfs changes it, and sets the superblock's checksum right."""
    run("debugfs", "-w", "-f", "-", at(image, offset), input="\n".join(commands) + "\n")


@needs_root
def test_aged(tmp_path, payload, write):
    """Freed blocks hold what once stood in them: those are written."""
    part, image = tmp_path / "part", tmp_path / "root.img"
    mkfs(part, SIZE - MIB, payload, ("-b", "4096", "-g", "2048"))
    at_sector(63, part, image)
    with mounted(image, tmp_path / "mnt", 63 * SECTOR) as folder:
        age(folder)
        before = listing(folder)
    written = write(image)
    count = expect(image, written, [63 * SECTOR], tmp_path)
    free = sum(known_free(Groups(image, 63 * SECTOR), 63 * SECTOR, os.path.getsize(image)))
    assert count > 1000 and free - count > 200
    # the kernel's own word
    with mounted(written.device, tmp_path / "mnt", 63 * SECTOR, ("ro", "noload")) as folder:
        assert listing(folder) == before


@needs_root
def test_on_block_devices(tmp_path, part, write, noise, make_loop):
    """From a loop device's noise, O_DIRECT and all."""
    image = tmp_path / "root.img"
    at_sector(63, part, image)
    device = make_loop(os.path.getsize(noise))
    with open(noise, "rb") as f, open(device, "wb") as out:
        shutil.copyfileobj(f, out, MIB)
    written = write(image, device=device)
    assert expect(image, written, [63 * SECTOR], tmp_path) > 1000


@needs_root
def test_not_unmounted(tmp_path, part, write):
    image, copy = tmp_path / "root.img", tmp_path / "copy.img"
    at_sector(63, part, image)
    with mounted(image, tmp_path / "mnt", 63 * SECTOR) as folder:
        (folder / "more").write_bytes(b"more" * 10000)
        os.sync()
        shutil.copyfile(image, copy)
    assert "needs_recovery" in Groups(copy, 63 * SECTOR).features
    written = write(copy)
    assert written.left_out == 0 and "its journal needs recovery" in written.log


@pytest.mark.parametrize("command, why", [
    ("ssv state 3", "its state is not clean"), ("ssv state 0", "its state is not clean"),
    ("ssv error_count 1", "its state is not clean"), ("ssv last_orphan 12", "its state is not clean"),
    ("ssv free_blocks_count 100", "count different numbers of free blocks"),
    ("feature orphan_present", "features whose effect"), ("feature shared_blocks", "features whose effect"),
    ("feature FEATURE_C20", "features whose effect"), ("feature FEATURE_I20", "features whose effect"),
    ("feature FEATURE_R20", "features whose effect")])
def test_not_clean(command, why, tmp_path, part, write):
    image = tmp_path / "root.img"
    at_sector(63, part, image)
    patch(image, 63 * SECTOR, command)
    written = write(image)
    assert written.left_out == 0 and why in written.log


@pytest.mark.parametrize("command, why", [
    ("set_bg 3 free_blocks_count 7", "count different numbers"), ("set_bg 4 flags 8", "flags that are not known"),
    ("set_bg 2 block_bitmap 5000000", "stands where it cannot"), ("set_bg 2 inode_table 5119", "stands where it cannot"),
    ("set_bg 2 block_bitmap 3", "stands where it cannot")])
def test_descriptors_that_lie(command, why, tmp_path, part, write):
    image = tmp_path / "root.img"
    at_sector(63, part, image)
    patch(image, 63 * SECTOR, command, " ".join(command.split()[:2]) + " checksum calc")
    written = write(image)
    assert written.left_out == 0 and why in written.log


def metadata_places(groups):
    """Offsets in a file system of all that is read of it: superblock, descriptors, block bitmaps."""
    width = 64 if "64bit" in groups.features else 32
    yield from range(1024, 2048)
    table = (groups.first + 1) * groups.block_size
    yield from range(table, table + width * len(groups.groups))
    for _, _, bitmap, uninit, _ in groups.groups:
        if not uninit:
            yield from range(bitmap * groups.block_size, (bitmap + 1) * groups.block_size)


def test_any_byte_wrong(tmp_path, write):
    """Whatever e2fsck and debugfs make of an image with a flipped byte, they make of what was written."""
    part, image = tmp_path / "part", tmp_path / "root.img"
    mkfs(part, 8 * MIB, tree(tmp_path / "tree", MIB, seed=2), ("-b", "1024", "-g", "1024", "-O", "^has_journal"))
    at_sector(63, part, image)
    rng = random.Random(int(os.environ["WALK_SEED"]))
    places = list(metadata_places(Groups(image, 63 * SECTOR)))
    for number in range(12):
        place, change = 63 * SECTOR + rng.choice(places[:rng.choice((1024, 2048, len(places)))]), rng.randrange(1, 256)
        flip(image, place, change)
        written = write(image)
        folder = tmp_path / f"turn-{number}"
        folder.mkdir()
        left, right = [(fsck(path, 63 * SECTOR), files(path, 63 * SECTOR, folder / name))
                       for path, name in ((image, "image"), (written.device, "written"))]
        assert left == right, (place, change, os.environ["WALK_SEED"])
        flip(image, place, change)
    assert expect(image, write(image), [63 * SECTOR], tmp_path) > 300


def flip(image, place, change):
    with open(image, "r+b") as f:
        f.seek(place)
        byte = f.read(1)[0]
        f.seek(place)
        f.write(bytes([byte ^ change]))


# --- archives -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("options", [("-z",), ("-Sz",)], ids=["gzip", "sparse"])
def test_archives(options, tmp_path, part, write):
    """Holes of a sparse archive are written on an encrypted volume, except where they are free; on others they may stay."""
    image, archive = tmp_path / "root.img", tmp_path / "image"
    at_sector(63, part, image)
    run("tar", "-C", tmp_path, *options, "-cf", archive, "root.img")
    written = write(archive)
    assert expect(image, written, [63 * SECTOR], tmp_path) > 1000
    device = tmp_path / "blank"
    with open(device, "wb") as f:
        f.truncate(SIZE)
    plain = write(archive, device=device, encrypted=False)
    assert plain.left_out == written.left_out if options == ("-z",) else plain.left_out > written.left_out
    assert differing(image, device) == set()


def session(image, folder, **message):
    """One write in a session with cpi, all sent ahead; what is answered to it."""
    data = image.read_bytes()
    lines = [{"op": "hello", "version": 1},
             {"op": "write", "volume_id": VOLUME, "device_name": "/dev/sdf", "size_mib": SIZE // MIB, "device_timeout_ms": 1000,
              "image": {"source": "stream"}, **message}]
    sent = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    for start in range(0, len(data), MIB):
        sent += struct.pack(">I", len(data[start:start + MIB])) + data[start:start + MIB]
    sent += bytes(4)
    sent += json.dumps({"op": "end", "sha256": hashlib.sha256(data).hexdigest()}).encode() + b"\n"
    done = subprocess.run([ONHOST, "serve", "--lab", "--lab-devices", folder], input=sent, capture_output=True, timeout=60,
                          check=False, env={"AWS_EC2_METADATA_DISABLED": "true"})
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("encrypted", [True, False])
def test_session(encrypted, tmp_path, part, noise):
    """cpi says that the volume is new, and whether it is encrypted."""
    image, archive, device, links = (tmp_path / name for name in ("root.img", "image", "device", "links"))
    links.mkdir()
    (links / LINK).symlink_to(device)
    at_sector(63, part, image)
    run("tar", "-C", tmp_path, "-Sczf", archive, "root.img")
    for fresh in (True, False):
        if encrypted:
            shutil.copyfile(noise, device)
        else:
            with open(device, "wb") as f:
                f.truncate(SIZE)
        told = session(archive, links, fresh=fresh, encrypted=encrypted)
        assert told["ok"] == "written", told
        if not fresh:
            assert told["skipped"] == 0
        elif encrypted:
            expect(image, SimpleNamespace(device=str(device), left_out=told["skipped"]), [63 * SECTOR], tmp_path)
        else:
            assert told["skipped"] >= len(left_out(image, [63 * SECTOR])) * BLOCK
            assert differing(image, device) == set()


@pytest.mark.waits
@needs_root
def test_stemcell(tmp_path, write, noise):
    """Every file as it was, for the kernel itself; and written at most 1.02 times what the file system uses."""
    folder = make_stemcell(256, "--keep-root")
    image, device = os.path.join(folder, "root.img"), tmp_path / "device"
    with open(device, "wb") as out:
        for _ in range(6):
            out.write(noise.read_bytes())
    written = write(os.path.join(folder, "image"), device=device)
    assert exact(image, written, [63 * SECTOR]) > 10000
    assert written.written <= 1.02 * Groups(image, 63 * SECTOR).used_bytes
    assert fsck(device, 63 * SECTOR)[0] == 0
    with mounted(image, tmp_path / "image", 63 * SECTOR, ("ro", "noload")) as left:
        with mounted(device, tmp_path / "written", 63 * SECTOR, ("ro", "noload")) as right:
            assert listing(left) == listing(right)


def test_not_known_to_be_fresh(tmp_path, part, make_loop):
    """Then all of it is written, and unpack's image is always whole."""
    image = tmp_path / "root.img"
    at_sector(63, part, image)
    device = make_loop(os.path.getsize(image))
    told = json.loads(onhost("write", "--device", device, "--image", image, "--json").stdout)
    assert (told["skipped"], told["written"]) == (0, os.path.getsize(image))
    with open(tmp_path / "unpacked", "wb") as out:
        subprocess.run([ONHOST, "unpack", "--image", image], check=True, stdout=out, stderr=subprocess.DEVNULL, timeout=60)
    assert filecmp.cmp(image, tmp_path / "unpacked", shallow=False)


def test_verify_compares_what_must_be_written(tmp_path, part, write):
    """A block of zeros in use that is noise on the device is a difference; one that is free is not."""
    image = tmp_path / "root.img"
    at_sector(63, part, image)
    written = write(image)
    allowed = left_out(image, [63 * SECTOR])
    with open(image, "rb") as f:
        zeros = [n for n in range(os.path.getsize(image) // BLOCK) if f.read(BLOCK) == bytes(BLOCK) and n not in allowed]
    options = ("verify", "--device", written.device, "--image", image, "--fresh", "--encrypted")
    flip(written.device, min(allowed) * BLOCK, 1)
    onhost(*options)
    flip(written.device, zeros[-1] * BLOCK + 5, 1)
    assert f"differs from the image at offset {zeros[-1] * BLOCK + 5}" in onhost(*options, status=6).stderr
