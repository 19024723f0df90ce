# SPDX-License-Identifier: Apache-2.0
"""`onhost unpack --blocks`: the stream (common/onhost_blocks.h) read by a reader of its own. The blocks on a disk of zeros are
the image, to the byte; which blocks come is what Python's own tar reader, dumpe2fs and the image's zeros say; and whatever
ends it early is told at a record's boundary or not at all."""
import fcntl
import gzip
import io
import json
import lzma
import os
import random
import select
import shutil
import signal
import stat
import struct
import subprocess
import tarfile
import tempfile
import termios
import time
from types import SimpleNamespace

import pytest

from bad_images import BAD, DISK, GOOD, MIB, changed, disk_bytes, tar_of
from conftest import ONHOST, wait_until
from ext4_kit import BLOCK as PAGE
from ext4_kit import SECTOR, disk, left_out, mbr, mkfs, tree
from test_sandbox import KNOWN_REFUSALS, good_images, trace

BLOCK = 512 * 1024
TIB = 1 << 40
USAGE, IMAGE, IO, SANDBOX = 2, 3, 6, 9
USER = 54321  # nobody's

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user takes root")


# --- the reader -----------------------------------------------------------------------------------------------------------

def read_stream(data):
    """.messages and .blocks (index: bytes) in order; .kinds, a letter a record: P(rogress), W(ritten), E(rror), B(lock); .rest:
    what is left of a record that was cut."""
    found = SimpleNamespace(messages=[], blocks={}, kinds="", rest=b"")
    at, last, short = 0, -1, False
    while at < len(data):
        first, length = struct.unpack(">II", data[at:at + 8]) if len(data) - at >= 8 else (0, len(data))
        size = length or first
        if len(data) - at < 8 + size:
            found.rest = data[at:]
            break
        body = data[at + 8:at + 8 + size]
        at += 8 + size
        if length == 0:
            message = json.loads(body)
            assert b"\n" not in body and len(body) < 65536
            found.messages.append(message)
            found.kinds += {"progress": "P", "written": "W"}.get(message.get("event") or message.get("ok"), "E")
            continue
        assert first > last and length <= BLOCK and not short
        last, short = first, length < BLOCK
        found.blocks[first] = body
        found.kinds += "B"
    if found.kinds:
        assert found.kinds[0] == "P" and "P" not in found.kinds[1:]
        assert set(found.kinds[1:-1]) <= {"B"}
    found.first, found.last = (found.messages or [None])[0], (found.messages or [None])[-1]
    return found


def onhost(*arguments, stdin=b"", status=0, **more):
    """Standard output, raw, and what was said."""
    done = subprocess.run([ONHOST, "unpack", "--blocks", *map(str, arguments)], input=stdin, capture_output=True, timeout=120,
                          check=False, **more)
    text = done.stderr.decode(errors="replace")
    assert "Sanitizer" not in text and done.returncode == status, (done.returncode, text)
    return done.stdout, text


def unpack(image, *options):
    """A good image's stream."""
    out, text = onhost("--image", image, *options)
    found = read_stream(out)
    assert found.kinds.endswith("W") and not found.rest
    assert text.startswith("unpacked: ")
    return found


def check(found, image, want):
    """Exactly these blocks came, they make the image, and the sums are right."""
    size = len(image)
    assert list(found.blocks) == sorted(want)
    made = bytearray(size)
    for index, data in found.blocks.items():
        assert len(data) == min(BLOCK, size - index * BLOCK), index
        made[index * BLOCK:index * BLOCK + len(data)] = data
    assert made == image
    sent = sum(len(data) for data in found.blocks.values())
    assert found.first["total"] in (0, size)
    assert (found.last["image_size"], found.last["written"]) == (size, sent)
    assert found.last["skipped"] == size - sent


def all_of(size):
    return range(-(-size // BLOCK))


def blocks_of(pages):
    """The blocks that these pages of 4 KiB lie in."""
    return {page * PAGE // BLOCK for page in pages}


def pages_in(pieces):
    return {page for at, length in pieces if length for page in range(at // PAGE, -(-(at + length) // PAGE))}


def pages_of(size):
    return set(range(-(-size // PAGE)))


def not_zero(image):
    """The pages that hold anything but zeros."""
    return {page for page in pages_of(len(image)) if image[page * PAGE:(page + 1) * PAGE].strip(b"\0")}


# --- every format, every length ---------------------------------------------------------------------------------------------

def zstd(data):
    return subprocess.run(["zstd", "-q", "-c"], input=data, stdout=subprocess.PIPE, check=True).stdout


PACKERS = {"plain": bytes, "gzip": gzip.compress, "zstd": zstd, "xz": lambda data: lzma.compress(data, preset=1)}
SIZES = [512, 4096, BLOCK - 512, BLOCK, BLOCK + 512, MIB, MIB + BLOCK, 2 * MIB - 4096, 3 * MIB + 4096 + 512]


@pytest.mark.parametrize("size", SIZES)
def test_formats(tmp_path, size):
    """Nothing may be left out of any of them, and a tar says its size first."""
    image = tmp_path / "image"
    raw = disk_bytes(size + 512)[:size]
    for name, pack in PACKERS.items():
        for content, packed in (("raw", raw), ("tar", tar_of(("root.img", tarfile.REGTYPE, raw)))):
            image.write_bytes(pack(packed))
            for option in ((), ("--encrypted",)):
                found = unpack(image, *option)
                check(found, raw, all_of(size))
                assert found.last["format"] == (content if name == "plain" else f"{name} {content}")
                assert content == "raw" or found.first["total"] == size


def test_digest_and_json(tmp_path):
    """The last record has what standard error has with --json, and progress there is as ever."""
    image = tmp_path / "image"
    image.write_bytes(GOOD)
    out, text = onhost("--image", image, "--digest", "--json")
    found = read_stream(out)
    lines = [json.loads(line) for line in text.splitlines()]
    assert {"ok": "written"} | lines[-1] == found.last
    assert len(found.last["image_sha256"]) == 64
    assert lines[-2]["event"] == "progress"
    assert lines[-2]["written"] + lines[-2]["skipped"] == lines[-2]["total"] == len(DISK)


def test_to_a_file(tmp_path):
    """Standard output may be one."""
    with open(tmp_path / "stream", "wb") as out:
        subprocess.run([ONHOST, "unpack", "--blocks"], input=GOOD, stdout=out, stderr=subprocess.DEVNULL, check=True, timeout=60)
    check(read_stream((tmp_path / "stream").read_bytes()), DISK, all_of(len(DISK)))


# --- zeros ------------------------------------------------------------------------------------------------------------------

def mostly_zeros(size=6 * MIB + 512):
    """A boot sector, a byte here and there, and zeros."""
    data = bytearray(size)
    data[:512] = disk_bytes(512)
    for at in (BLOCK - 1, 3 * BLOCK, 5 * BLOCK + 4096, 5 * BLOCK + 8191, size - BLOCK):
        data[at] = 1
    return bytes(data)


@pytest.mark.parametrize("pack", PACKERS)
def test_zeros_are_sent_unless_skipped(tmp_path, pack):
    """In this image no file system calls them free."""
    image = tmp_path / "image"
    raw = mostly_zeros()
    image.write_bytes(PACKERS[pack](tar_of(("root.img", tarfile.REGTYPE, raw))))
    check(unpack(image), raw, all_of(len(raw)))
    check(unpack(image, "--encrypted"), raw, all_of(len(raw)))
    want = blocks_of(not_zero(raw))
    assert want == {0, 3, 5, 11}
    check(unpack(image, "--skip-zero-blocks"), raw, want)


def test_last_block_of_zeros(tmp_path):
    """Short or not, it is left out like any other."""
    image = tmp_path / "image"
    for size in (2 * MIB, 2 * MIB + 512):
        raw = disk_bytes(MIB + 512)[:MIB] + bytes(size - MIB)
        image.write_bytes(raw)
        want = blocks_of(not_zero(raw))
        assert max(want) == 1
        check(unpack(image, "--skip-zero-blocks"), raw, want)
        check(unpack(image), raw, all_of(size))


def test_no_blocks_at_all(tmp_path):
    """Where all may be left out, the first and the last record come all the same."""
    image = tmp_path / "image"
    for raw in (bytes(512), bytes(3 * MIB)):
        image.write_bytes(tar_of(("root.img", tarfile.REGTYPE, raw)))
        found = unpack(image, "--skip-zero-blocks")
        assert (found.kinds, found.first["total"]) == ("PW", len(raw))
        check(found, raw, [])


# --- holes ------------------------------------------------------------------------------------------------------------------

LAYOUTS = {
    "few": (6 * MIB + 512, [(0, 8192), (MIB, 8192), (2 * MIB + 512 * 9, 8192), (5 * MIB - 4096, 8192)]),
    "ends in a hole": (5 * MIB + 1536, [(0, 4096), (3 * MIB + 700 * 1024, 4096)]),
    "ends in a hole within its last block": (3 * MIB + 300 * 1024, [(0, 512), (3 * MIB + 4096, 100 * 1024)]),
    "nothing but a last sector": (4 * MIB + 512, [(4 * MIB, 512)]),
    "a hole within each block": (4 * MIB, [(at, 4096) for at in range(0, 4 * MIB, BLOCK // 2)]),
    "nothing": (3 * MIB + 512, []),
}
DIALECTS = {"gnu": ["--format=gnu"], "oldgnu": ["--format=oldgnu"], "posix 0.0": ["--format=posix", "--sparse-version=0.0"],
            "posix 0.1": ["--format=posix", "--sparse-version=0.1"], "posix 1.0": ["--format=posix", "--sparse-version=1.0"]}


def sparse_file(folder, size, pieces):
    with open(folder / "root.img", "wb") as f:
        f.truncate(size)
        for at, length in pieces:
            f.seek(at)
            data = bytearray(random.Random(at).randbytes(length).replace(b"\0", b"\1"))
            if at == 0:
                data[510:512] = b"\x55\xaa"
            f.write(data)
    return (folder / "root.img").read_bytes()


def sparse_tar(folder, dialect, *options):
    return subprocess.run(["tar", *DIALECTS[dialect], *options, "--sparse", "-cf", "-", "root.img"], cwd=folder,
                          stdout=subprocess.PIPE, check=True).stdout


def recorded_pages(tar):
    """The pages that the archive has data of, as Python reads its map."""
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        member = archive.getmembers()[0]
    assert member.sparse is not None and member.name == "root.img"
    return pages_in(member.sparse)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_holes(tmp_path, dialect, layout):
    """Left out, but in a block that has anything else they are zeros; encrypted, all of them are sent."""
    image = tmp_path / "image"
    size, pieces = LAYOUTS[layout]
    raw = sparse_file(tmp_path, size, pieces)
    for detection in ("seek", "raw"):
        tar = sparse_tar(tmp_path, dialect, f"--hole-detection={detection}")
        pages = recorded_pages(tar)
        known = pages_in(pieces)
        assert pages >= known and (detection == "seek" or pages == known)
        image.write_bytes(gzip.compress(tar))
        found = unpack(image)
        assert found.first["total"] == size
        check(found, raw, blocks_of(pages))
        check(unpack(image, "--skip-zero-blocks"), raw, blocks_of(known))
        check(unpack(image, "--encrypted"), raw, all_of(size))


def test_noise_does_not_shine_through(tmp_path):
    """Memory that held other data before is not sent where holes are: full windows first, then one piece in each window."""
    full = 16 * MIB
    pieces = [(0, full)] + [(full + n * MIB + n * 4096, 4096) for n in range(40)]
    raw = sparse_file(tmp_path, full + 40 * MIB + 512, pieces)
    image = tmp_path / "image"
    tar = sparse_tar(tmp_path, "posix 1.0")
    image.write_bytes(tar)
    check(unpack(image), raw, blocks_of(recorded_pages(tar)))


def largest(size):
    """An archive of an image with a sector at its beginning, one at its end, and a hole between."""
    sector = disk_bytes(512)
    body = f"2\n0\n512\n{size - 512}\n512\n".encode().ljust(512, b"\0") + 2 * sector
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        entry = tarfile.TarInfo("x")
        entry.size = len(body)
        entry.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "root.img",
                             "GNU.sparse.realsize": str(size)}
        archive.addfile(entry, io.BytesIO(body))
    return out.getvalue()


def test_the_largest_volume(tmp_path):
    """64 TiB, and not a sector more."""
    image = tmp_path / "image"
    image.write_bytes(largest(64 * TIB))
    found = unpack(image)
    assert list(found.blocks) == [0, 134217727]
    assert found.blocks[134217727] == bytes(BLOCK - 512) + disk_bytes(512)
    assert (found.first["total"], found.last["image_size"], found.last["written"]) == (64 * TIB, 64 * TIB, 2 * BLOCK)
    image.write_bytes(largest(64 * TIB + 512))
    out, text = onhost("--image", image, status=IMAGE)
    assert read_stream(out).kinds == "PE"
    assert "the largest EBS volume holds only 70368744177664" in text


# --- what an ext4 file system calls free --------------------------------------------------------------------------------------

@pytest.fixture(name="root", scope="module")
def make_root(tmp_path_factory):
    """A sparse root.img of odd size: an ext4 file system, mostly empty, behind sector 63."""
    folder = tmp_path_factory.mktemp("ext4")
    files, part = tree(folder / "tree"), folder / "part"
    mkfs(part, 32 * MIB, files, ("-b", "4096", "-g", "2048"))
    size = 63 * SECTOR + os.path.getsize(part) + 3 * SECTOR
    disk(folder / "root.img", size, mbr((0x83, 63, os.path.getsize(part) // SECTOR)), [(63 * SECTOR, part)])
    return folder / "root.img"


@pytest.mark.parametrize("pack", PACKERS)
def test_free_blocks(tmp_path, root, pack):
    """Zeros that are free need not be sent, encrypted or not; zeros in use are."""
    image, raw = tmp_path / "image", root.read_bytes()
    free = left_out(root, [63 * SECTOR])
    want = blocks_of(pages_of(len(raw)) - free)
    assert blocks_of(not_zero(raw)) < want < set(all_of(len(raw)))
    assert blocks_of(not_zero(raw)) & blocks_of(free)
    image.write_bytes(PACKERS[pack](raw))
    check(unpack(image), raw, want)
    check(unpack(image, "--encrypted"), raw, want)
    check(unpack(image, "--skip-zero-blocks"), raw, blocks_of(not_zero(raw)))
    image.write_bytes(PACKERS[pack](tar_of(("root.img", tarfile.REGTYPE, raw))))
    check(unpack(image), raw, want)


@pytest.mark.parametrize("dialect", ["gnu", "posix 1.0"])
def test_free_blocks_and_holes(tmp_path, root, dialect):
    """Both at once: encrypted, a hole is sent unless it is free."""
    image, raw = tmp_path / "image", root.read_bytes()
    free = left_out(root, [63 * SECTOR])
    tar = sparse_tar(root.parent, dialect)
    pages = recorded_pages(tar)
    assert pages < pages_of(len(raw))
    image.write_bytes(gzip.compress(tar))
    check(unpack(image), raw, blocks_of(pages - free))
    check(unpack(image, "--encrypted"), raw, blocks_of(pages_of(len(raw)) - free))


# --- what ends it early -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", BAD)
def test_bad_image(tmp_path, name):
    """Told in the last record as on standard error."""
    data, want = BAD[name]
    image = tmp_path / "image"
    image.write_bytes(data)
    out, text = onhost("--image", image, status=IMAGE)
    found = read_stream(out)
    assert found.kinds.endswith("E") and not found.rest
    assert found.last["error"]["type"] == "image" and want in found.last["error"]["message"]
    assert text.endswith(f"onhost unpack: {found.last['error']['message']}\n")
    if name.startswith("gzip cut"):
        for index, block in found.blocks.items():
            assert block == DISK[index * BLOCK:(index + 1) * BLOCK]
        assert found.first["total"] in (0, len(DISK))


def waiting(pipe):
    """Bytes that stand in it."""
    return struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)))[0]


def is_full(process):
    """The pipe of its standard output; a page of it may have one short record alone."""
    return waiting(process.stdout) > fcntl.fcntl(process.stdout, fcntl.F_GETPIPE_SZ) - os.sysconf("SC_PAGESIZE")


def test_slow_reader_of_a_bad_image():
    """The record that was begun when the image turned out to be bad is ended, however long that takes, and the error follows."""
    with subprocess.Popen([ONHOST, "unpack", "--blocks"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as process:
        process.stdin.write(GOOD[:len(GOOD) * 3 // 4])
        process.stdin.flush()
        wait_until(lambda: is_full(process), 60)
        process.stdin.write(changed(GOOD, -5)[len(GOOD) * 3 // 4:])
        process.stdin.close()
        time.sleep(1)  # by now the image is read to its end
        assert process.poll() is None
        data = b""
        while piece := process.stdout.read(5000):
            data += piece
        assert process.wait(60) == IMAGE
    found = read_stream(data)
    assert found.kinds.startswith("PB") and found.kinds.endswith("E") and not found.rest
    assert "incorrect" in found.last["error"]["message"]


def test_before_the_image_is_read(tmp_path):
    """What comes before the first block is told too; a wrong command line is not."""
    out, text = onhost("--image", tmp_path / "none", status=IO)
    found = read_stream(out)
    assert (found.kinds, found.first["total"], found.last["error"]["type"]) == ("PE", 0, "io")
    assert "No such file" in found.last["error"]["message"] and "No such file" in text
    for *options, word in (["--encrypted", "--skip-zero-blocks", "--skip-zero-blocks forbids --encrypted"],
                           ["--frob", "--frob"], ["--device", "/dev/x", "--device"]):
        out, text = onhost(*options, status=USAGE)
        assert out == b"" and word in text


def test_options_without_blocks():
    """They would say nothing there."""
    for option in ("--encrypted", "--skip-zero-blocks"):
        done = subprocess.run([ONHOST, "unpack", option], input=GOOD, capture_output=True, check=False, timeout=60)
        assert (done.returncode, done.stdout) == (USAGE, b"")
        assert f"{option} is only for --blocks" in done.stderr.decode()


def test_terminal():
    """Nothing is written to one."""
    leader, terminal = os.openpty()
    try:
        done = subprocess.run([ONHOST, "unpack", "--blocks"], input=GOOD, stdout=terminal, stderr=subprocess.PIPE, check=False,
                              timeout=60)
        assert done.returncode == USAGE and b"which is a terminal" in done.stderr
        os.set_blocking(leader, False)
        with pytest.raises(BlockingIOError):
            os.read(leader, 1)
    finally:
        os.close(leader)
        os.close(terminal)


@pytest.mark.parametrize("taken", [0, 100, BLOCK + 5000])
def test_reader_goes_away(taken):
    """An error of writing, and no signal kills it."""
    with subprocess.Popen([ONHOST, "unpack", "--blocks"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as process:
        process.stdin.write(GOOD)
        process.stdin.close()
        assert len(process.stdout.read(taken)) == taken
        process.stdout.close()
        text = process.stderr.read().decode()
        assert process.wait(60) == IO
    assert "cannot write the image's blocks to the output at offset" in text and "Broken pipe" in text


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_reader_stalls_and_a_signal(number):
    """It does not wait for the reader; in the middle of a record the stream just ends."""
    with subprocess.Popen([ONHOST, "unpack", "--blocks"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as process:
        process.stdin.write(GOOD)
        process.stdin.close()
        wait_until(lambda: is_full(process), 60)
        process.send_signal(number)
        assert process.wait(60) == 128 + number
        found = read_stream(process.stdout.read())
        text = process.stderr.read().decode()
    assert (found.kinds, found.first["total"]) == ("P", len(DISK))
    assert found.rest[:8] == struct.pack(">II", 0, BLOCK) and len(found.rest) < BLOCK
    assert f"stopped by signal {int(number)}" in text


def test_signal_between_two_records():
    """While the image itself is waited for, there is room to say it."""
    with subprocess.Popen([ONHOST, "unpack", "--blocks"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as process:
        # the window that was begun third does not get full
        process.stdin.write(tar_of(("root.img", tarfile.REGTYPE, disk_bytes(4 * MIB)))[:3 * MIB])
        process.stdin.flush()
        head = b""
        while read_stream(head).kinds != "PBBBB" and select.select([process.stdout], [], [], 60)[0]:
            head += process.stdout.read1(65536)
        process.send_signal(signal.SIGTERM)
        found = read_stream(head + process.stdout.read())
        assert process.wait(60) == 128 + signal.SIGTERM
        process.stderr.read()
        process.stdin.close()
    assert found.kinds == "PBBBBE" and not found.rest
    assert found.last["error"]["type"] == "cancelled" and "signal 15" in found.last["error"]["message"]


def test_output_is_left_as_it_was():
    """The open file behind it is shared with who started onhost, and is blocking again."""
    ours, theirs = os.pipe()
    for data, status in ((GOOD[:-1], IMAGE), (gzip.compress(tar_of(("root.img", tarfile.REGTYPE, DISK[:512]))), 0)):
        with subprocess.Popen([ONHOST, "unpack", "--blocks"], stdin=subprocess.PIPE, stdout=theirs,
                              stderr=subprocess.DEVNULL) as process, open(ours, "rb", closefd=False) as stream:
            process.stdin.write(data)
            process.stdin.close()
            while process.poll() is None:
                if waiting(stream):
                    stream.read1(65536)
                time.sleep(0.01)
            assert process.returncode == status
        assert os.get_blocking(theirs)
    os.close(ours)
    os.close(theirs)


# --- the sandbox ----------------------------------------------------------------------------------------------------------------

@needs_root
def test_by_an_ordinary_user(root):
    """As for unpack, no root is needed."""
    with tempfile.TemporaryDirectory(prefix="blocks-") as folder:
        os.chmod(folder, 0o755)
        shutil.copy(ONHOST, folder)
        image = os.path.join(folder, "image")
        shutil.copy(root, image)
        os.chmod(image, stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH)
        done = subprocess.run(["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", f"{folder}/onhost", "unpack",
                               "--blocks", "--image", image], capture_output=True, check=False, timeout=120, cwd="/")
    assert done.returncode == 0, done.stderr
    raw = root.read_bytes()
    check(read_stream(done.stdout), raw, blocks_of(pages_of(len(raw)) - left_out(root, [63 * SECTOR])))


def test_no_call_is_refused(tmp_path, root):
    """With good images of all formats, a bad one, and one that is not there."""
    image, log = tmp_path / "image", tmp_path / "trace"
    images = [*good_images(tmp_path), ("ext4", root.read_bytes()), ("bad", changed(GOOD, -5)), ("cut", GOOD[:-200])]
    for name, data in images:
        image.write_bytes(data)
        for options in ((), ("--encrypted", "--digest"), ("--skip-zero-blocks", "--json")):
            done, refused = trace([ONHOST, "unpack", "--blocks", *options, "--image", str(image)], log)
            bad = name in ("bad", "cut")
            assert done.returncode == (IMAGE if bad else 0), (name, done.stderr)
            assert read_stream(done.stdout).kinds[-1] == ("E" if bad else "W")
            assert refused <= KNOWN_REFUSALS, (name, options)


@needs_root
def test_no_sandbox_no_image(tmp_path):
    """Told in the stream as well, and not a byte of the image was read."""
    image = tmp_path / "image"
    image.write_bytes(GOOD)
    with open(image, "rb") as file:
        done = subprocess.run(["strace", "-f", "-o", "/dev/null", "-e", "trace=capset", "-e", "inject=capset:error=EINVAL", ONHOST,
                               "unpack", "--blocks"], stdin=file, capture_output=True, timeout=60, check=False,
                              env=os.environ | {"ASAN_OPTIONS": "detect_leaks=0"})
        assert os.lseek(file.fileno(), 0, os.SEEK_CUR) == 0
    assert done.returncode == SANDBOX, done.stderr
    found = read_stream(done.stdout)
    assert (found.kinds, found.last["error"]["type"]) == ("PE", "sandbox")


def test_all_kinds_of_pieces(tmp_path):
    """Images laid out at random: the bytes, and the blocks."""
    image, source = tmp_path / "image", random.Random(11)
    for _ in range(12):
        size = source.randrange(1, 12 * MIB // 512) * 512
        pieces = [(0, 512)]
        while pieces[-1][0] + pieces[-1][1] < size:
            at = pieces[-1][0] + pieces[-1][1] + source.choice((512, 4096, 100 * 512, BLOCK, 3 * MIB))
            length = min(source.choice((512, 4096, 9 * 512, BLOCK, MIB)), size - at)
            if length <= 0:
                break
            pieces.append((at, length))
        raw = sparse_file(tmp_path, size, pieces)
        tar = sparse_tar(tmp_path, source.choice(list(DIALECTS)))
        image.write_bytes(tar)
        if b"GNU.sparse" not in tar and tar[156:157] != b"S":
            continue  # tar found no hole
        check(unpack(image), raw, blocks_of(recorded_pages(tar)))
        check(unpack(image, "--skip-zero-blocks"), raw, blocks_of(not_zero(raw)))
