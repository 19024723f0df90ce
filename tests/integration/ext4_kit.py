# SPDX-License-Identifier: Apache-2.0
"""Disk images with ext4 inside, as e2fsprogs and the kernel make them; what of them may be left out, counted from what
dumpe2fs says; and what e2fsck and debugfs find in them."""
import contextlib
import hashlib
import os
import re
import struct
import subprocess

MIB = 1 << 20
SECTOR = 512
BLOCK = 4096
ENV = os.environ | {"PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin", "LC_ALL": "C"}


def run(*command, status=(0,), **more):
    """Output of a command that ends with one of these."""
    done = subprocess.run([str(c) for c in command], env=ENV, capture_output=True, text=True, errors="replace", check=False,
                          timeout=300, **more)
    assert done.returncode in status, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


# --- making ---------------------------------------------------------------------------------------------------------

def tree(folder, total=6 * MIB, seed=1):
    """Files of many sizes: small, large, sparse, of zeros, links, many in one folder."""
    os.makedirs(folder / "many")
    rest = total
    for number in range(10000):
        size = (number * 7919 + seed * 104729) % 90000
        if size > rest:
            break
        rest -= size
        data = hashlib.shake_128(b"%d:%d" % (seed, number)).digest(size)
        (folder / "many" / f"file-{number}").write_bytes(data)
    (folder / "zeros").write_bytes(bytes(700000))  # blocks of zeros that are in use
    with open(folder / "sparse", "wb") as f:
        f.truncate(3 * MIB)
        f.seek(MIB)
        f.write(b"in the middle")
    (folder / "empty").touch()
    (folder / "link").symlink_to("zeros")
    return folder


def mkfs(path, size, files=None, options=(), program="mkfs.ext4"):
    """A file system with these files in a file of so many bytes."""
    with open(path, "wb") as f:
        f.truncate(size)
    run(program, "-q", "-F", *(("-d", files) if files else ()), *options, path)


def mbr(*partitions):
    """A first sector: (type, first sector, sectors) for each partition."""
    table = b"".join(struct.pack("<B3sB3sII", 0, b"", kind, b"", first, count) for kind, first, count in partitions)
    return bytes([0xEB, 0x63]) + b"\x90" * 444 + table.ljust(64, b"\0") + b"\x55\xaa"


def disk(path, size, head, parts):
    """A sparse disk image: its first bytes, and files at offsets."""
    with open(path, "wb") as out:
        out.truncate(size)
        out.write(head)
        for offset, part in parts:
            with open(part, "rb") as f:
                out.seek(offset)
                while chunk := f.read(MIB):
                    if chunk.count(0) == len(chunk):
                        out.seek(len(chunk), os.SEEK_CUR)
                    else:
                        out.write(chunk)


def gpt(path, script):
    """Writes a GPT by sfdisk's script."""
    run("sfdisk", "-q", path, input=script)


@contextlib.contextmanager
def mounted(image, folder, offset=0, options=()):
    """The file system at that offset, mounted."""
    os.makedirs(folder, exist_ok=True)
    run("mount", "-o", ",".join(["loop", f"offset={offset}", *options]), image, folder)
    try:
        yield folder
    finally:
        run("umount", folder)


def age(folder, rounds=3):
    """Writes and removes files, so that free blocks are not zeros and free space lies in pieces."""
    for turn in range(rounds):
        for number in range(120):
            data = hashlib.shake_128(b"age %d:%d" % (turn, number)).digest(3000 + number * 777 % 60000)
            with open(folder / f"aged-{number}-{turn}", "wb") as f:
                f.write(data)
        os.sync()
        for number in range(0, 120, 2 if turn < rounds - 1 else 3):
            os.unlink(folder / f"aged-{number}-{turn}")
        os.sync()


# --- reading --------------------------------------------------------------------------------------------------------

def at(image, offset):
    """How e2fsprogs' programs name a file system inside a disk image."""
    return f"{image}?offset={offset}"


def fsck(image, offset):
    """e2fsck's status and words; nothing is changed."""
    done = subprocess.run(["e2fsck", "-fn", at(image, offset)], env=ENV, capture_output=True, text=True, errors="replace",
                          check=False, timeout=300)
    words = (done.stdout + done.stderr).replace(at(image, offset), "IMAGE").replace(str(image), "IMAGE")
    return done.returncode, words


def files(image, offset, folder):
    """All there is in the file system: paths with kind, mode, size and checksum, as debugfs gets them out."""
    os.makedirs(folder)
    run("debugfs", "-R", f'rdump / "{folder}"', at(image, offset), status=(0, 1))
    return listing(folder)


def listing(folder):
    """The same of a folder."""
    found = {}
    for path, folders, names in os.walk(folder):
        for name in folders + names:
            full = os.path.join(path, name)
            info = os.lstat(full)
            if os.path.islink(full):
                what = os.readlink(full)
            elif os.path.isdir(full):
                what = ""
            else:
                with open(full, "rb") as f:
                    what = hashlib.sha256(f.read()).hexdigest()
            found[os.path.relpath(full, folder)] = (info.st_mode, info.st_size if not os.path.isdir(full) else 0, what)
    return found


class Groups:
    """What dumpe2fs says of a file system."""

    def __init__(self, image, offset):
        text = run("dumpe2fs", at(image, offset))
        head, _, groups = text.partition("\nGroup 0:")
        self.facts = {k.strip(): v.strip() for k, _, v in (line.partition(":") for line in head.splitlines())}
        self.block_size = int(self.facts["Block size"])
        self.blocks = int(self.facts["Block count"])
        self.first = int(self.facts["First block"])
        self.features = self.facts["Filesystem features"].split()
        self.groups = []
        for part in re.split(r"\nGroup \d+:", groups):
            low, high = map(int, re.search(r"Blocks (\d+)-(\d+)", part).groups())
            bitmap = int(re.search(r"Block bitmap at (\d+)", part)[1])
            free = re.search(r"\n  Free blocks: ([^\n]*)", part)[1]
            ranges = [tuple(map(int, r.split("-"))) if "-" in r else (int(r), int(r)) for r in re.findall(r"[\d-]+", free)]
            self.groups.append((low, high, bitmap, "BLOCK_UNINIT" in part, ranges))

    @property
    def free(self):
        """Blocks."""
        return sum(b - a + 1 for *_, ranges in self.groups for a, b in ranges)

    @property
    def used_bytes(self):
        """Of all blocks that are not free."""
        return (self.blocks - self.free) * self.block_size


def known_free(groups, offset, size):
    """A byte for each block of 4 KiB of the disk: whether the file system at that offset says, in one pass by windows of 1
    MiB, that all of the block's bytes are its own and free."""
    per_sector = bytearray(-(-size // SECTOR))
    descriptors = 64 if "64bit" in groups.features else 32
    described = offset + (groups.first + 1) * groups.block_size + descriptors * len(groups.groups)
    for _, _, bitmap, uninit, ranges in groups.groups:
        seen = described if uninit else max(described, offset + (bitmap + 1) * groups.block_size)
        usable = (seen - 1) // MIB * MIB  # from the window on that it ends in
        for low, high in ranges:
            start = max(offset + low * groups.block_size, usable)
            end = offset + (high + 1) * groups.block_size
            if start < end:
                per_sector[start // SECTOR:end // SECTOR] = b"\1" * ((end - start) // SECTOR)
    return [all(per_sector[i:i + BLOCK // SECTOR]) for i in range(0, len(per_sector), BLOCK // SECTOR)]


def left_out(image, offsets):
    """The blocks of 4 KiB of a disk image that may be left out, by their numbers."""
    size = os.path.getsize(image)
    maps = [known_free(Groups(image, offset), offset, size) for offset in offsets]
    blocks = set()
    zeros = bytes(BLOCK)
    with open(image, "rb") as f:
        for number, free in enumerate(any(m) for m in zip(*maps)):
            if free:
                f.seek(number * BLOCK)
                data = f.read(BLOCK)
                if data == zeros[:len(data)]:
                    blocks.add(number)
    return blocks
