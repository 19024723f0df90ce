# SPDX-License-Identifier: Apache-2.0
"""Bad images: what each holds, and words of the message that must refuse it. For tests of onhost alone and through cpi."""
import gzip
import io
import lzma
import random
import subprocess
import tarfile

MIB = 1024 * 1024


def disk_bytes(size, seed=1):
    """Bytes like a disk's: compressible, with a boot signature, and zeros in the middle."""
    source = random.Random(seed)
    data = bytearray(source.choices(range(16), k=size))
    data[size // 3:size // 2] = bytes(size // 2 - size // 3)
    data[510:512] = b"\x55\xaa"
    return bytes(data)


def tar_of(*members):
    """A ustar archive of (name, type, bytes)."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, kind, data in members:
            entry = tarfile.TarInfo(name)
            entry.type = kind
            entry.size = len(data)
            entry.linkname = "other" if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE) else ""
            archive.addfile(entry, io.BytesIO(data))
    return out.getvalue()


FILE = tarfile.REGTYPE
DISK = disk_bytes(2 * MIB)
GOOD_TAR = tar_of(("root.img", FILE, DISK))
GOOD = gzip.compress(GOOD_TAR, 6, mtime=0)


def changed(data, at, bit=1):
    data = bytearray(data)
    data[at] ^= bit
    return bytes(data)


BAD = {
    "empty": (b"", "the image is empty"),
    "empty in gzip": (gzip.compress(b""), "the image is empty"),
    "text": (b"This is no image.\n" * 100, "neither a tar archive nor a disk image"),
    "zip": (b"PK\x03\x04" + bytes(1000), "looks like a zip archive"),
    "bzip2": (b"BZh91AY&SY" + bytes(1000), "looks like bzip2 data"),
    "qcow2": (gzip.compress(b"QFI\xfb" + bytes(1000)), "looks like a qcow2 disk image"),
    "packed twice": (gzip.compress(GOOD), "looks like gzip data"),
    "zeros": (bytes(MIB), "neither a tar archive nor a disk image"),
    # zlib says which of the two it is, ISA-L does not
    "checksum": (changed(GOOD, -5), "gzip data are damaged (incorrect "),
    "length": (changed(GOOD, -1), "gzip data are damaged (incorrect "),
    "a byte in the middle": (changed(GOOD, len(GOOD) // 2), "damaged"),
    "trailing garbage": (GOOD + b"garbage", "follow the end"),
    "garbage behind padding": (GOOD + bytes(512) + b"x", "follow the end"),
    "garbage in the tar": (gzip.compress(GOOD_TAR + b"garbage"), "follow the end"),
    "tar without an end": (GOOD_TAR[:512 + len(DISK)], "does not end with two blocks of zeros"),
    "tar cut": (GOOD_TAR[:MIB], "cut short"),
    "zstd cut": (subprocess.run(["zstd", "-q", "-c"], input=GOOD_TAR, stdout=subprocess.PIPE, check=True).stdout[:-10], "cut short"),
    "xz cut": (lzma.compress(GOOD_TAR, preset=1)[:-20], "cut short"),
    "xz changed": (changed(lzma.compress(GOOD_TAR, preset=1), 2000), "damaged"),
    "xz -9": (lzma.compress(GOOD_TAR, preset=9), "pack it with xz -6"),
    "no root.img": (gzip.compress(tar_of(("disk.img", FILE, DISK))), "holds 'disk.img' where only root.img may be"),
    "two": (gzip.compress(tar_of(("root.img", FILE, DISK), ("root.img", FILE, DISK))), "a second 'root.img'"),
    "something beside": (gzip.compress(tar_of(("root.img", FILE, DISK), ("README", FILE, b"x"))), "also 'README'"),
    "the stemcell itself": (gzip.compress(tar_of(("stemcell.MF", FILE, b"x"), ("image", FILE, GOOD))), "the whole stemcell"),
    "symbolic link": (gzip.compress(tar_of(("root.img", tarfile.SYMTYPE, b""))), "a symbolic link"),
    "hard link": (gzip.compress(tar_of(("root.img", tarfile.LNKTYPE, b""))), "a hard link"),
    "directory": (gzip.compress(tar_of(("root.img", tarfile.DIRTYPE, b""))), "a directory"),
    "device": (gzip.compress(tar_of(("root.img", tarfile.BLKTYPE, b""))), "a device"),
    "pipe": (gzip.compress(tar_of(("root.img", tarfile.FIFOTYPE, b""))), "a pipe"),
    "size 0": (gzip.compress(tar_of(("root.img", FILE, b""))), "empty (0 bytes)"),
    "odd size": (gzip.compress(tar_of(("root.img", FILE, DISK[:-1]))), "not a multiple of 512"),
    "raw of odd size": (DISK[:-1], "not a multiple of 512"),
    "less than declared": (gzip.compress(GOOD_TAR[:512 + MIB]), "cut short"),
}
# every place where a download may have stopped
BAD.update({f"gzip cut at {part}/20": (GOOD[:len(GOOD) * part // 20], "cut short") for part in range(1, 20)})
BAD["gzip cut at its last byte"] = (GOOD[:-1], "cut short")
