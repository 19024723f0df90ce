# SPDX-License-Identifier: Apache-2.0
"""Bad images through cpi: each refused with its own message, the device's first MiB still blank, and nothing stays in the
account. (The same images through onhost alone are test_images.py's.)"""
import contextlib
import gzip
import os
import tarfile
import threading

import pytest
from bad_images import BAD, DISK, GOOD, MIB
from conftest import account, run_cpi
from test_create_stemcell import actions, created, heavy, journals, refused, state_env


@contextlib.contextmanager
def kept_volumes(lab):
    """The contents of each volume that comes while this lasts, also after it was deleted: id to open file."""
    folder = os.path.join(lab.dir, "volumes")
    old, files, over = set(os.listdir(folder)), {}, threading.Event()

    def watch():
        while not over.wait(0.005):
            for name in set(os.listdir(folder)) - old - set(files):
                with contextlib.suppress(FileNotFoundError):
                    files[name] = open(os.path.join(folder, name), "rb")  # pylint: disable=consider-using-with

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield files
    finally:
        over.set()
        thread.join()
        for file in files.values():
            file.close()


def create(lab, tmp_path, path, **more):
    return run_cpi(lab, heavy(str(path), **more), env=state_env(tmp_path))


@pytest.mark.parametrize("name", BAD)
def test_bad_image(lab, tmp_path, name):
    data, want = BAD[name]
    before = account(lab)
    lab.forget_calls()
    path = tmp_path / "image"
    path.write_bytes(data)
    with kept_volumes(lab) as volumes:
        message = refused(create(lab, tmp_path, path), "image")
        # an empty file is seen before anything is made
        assert (want if data else "is empty") in message and "left behind" not in message
        assert len(volumes) == (1 if data else 0)
        for file in volumes.values():
            assert not any(file.read(MIB)), "the device's first MiB is not blank"
    assert "CreateSnapshot" not in actions(lab) and "RegisterImage" not in actions(lab)
    assert account(lab) == before
    assert journals(tmp_path) == []


def test_a_good_one_is_taken(lab, tmp_path):
    """What the bad ones are made of is good: it is not something else that is refused."""
    path = tmp_path / "image"
    path.write_bytes(GOOD)
    with kept_volumes(lab) as volumes:
        created(create(lab, tmp_path, path))
        assert [file.read(len(DISK)) for file in volumes.values()] == [DISK]


def test_larger_than_the_volume(lab, tmp_path):
    """The size that the archive declares is checked before anything is written."""
    before = account(lab)
    path = tmp_path / "image"
    header = tarfile.TarInfo("root.img")
    header.size = (1024 << 20) + 512
    with gzip.open(path, "wb", 1) as out:
        out.write(header.tobuf(tarfile.GNU_FORMAT))
        out.write(bytes(MIB))
    with kept_volumes(lab) as volumes:
        refused(create(lab, tmp_path, path, disk=1024), "onhost: .*(larger|bytes)")
        assert [any(file.read(MIB)) for file in volumes.values()] == [False]
    assert account(lab) == before
