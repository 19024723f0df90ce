# SPDX-License-Identifier: Apache-2.0
"""Bad images through cpi: each refused with its own message, and nothing stays. (All of them, through onhost alone, are
another file's.)"""
import gzip
import io
import os
import tarfile

import pytest
from conftest import account, run_cpi
from test_create_stemcell import actions, heavy, refused, state_env


def tar_of(*members):
    """A tar of (name, content or type) pairs."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            if isinstance(content, bytes):
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
            else:
                info.type, info.linkname = content, "elsewhere"
                tar.addfile(info)
    return out.getvalue()


def bad_image(name, stemcell):
    """The bytes of that bad image."""
    with open(stemcell.image, "rb") as f:
        good = f.read()
    if name == "cut":
        return good[:len(good) // 2]
    if name == "checksum":
        return good[:-8] + bytes([good[-8] ^ 1]) + good[-7:]
    if name == "flipped":
        middle = len(good) // 2
        return good[:middle] + bytes([good[middle] ^ 0x10]) + good[middle + 1:]
    if name == "trailing":
        return good + b"garbage"
    if name == "nonsense":
        return b"this is no image" * 1000
    content = bytes(range(256)) * 8192
    members = {
        "none": [("other.img", content)],
        "two": [("root.img", content), ("root.img", content)],
        "link": [("root.img", tarfile.SYMTYPE)],
        "folder": [("root.img", tarfile.DIRTYPE)],
    }[name]
    return gzip.compress(tar_of(*members), 1)


@pytest.mark.parametrize("name", ["cut", "checksum", "flipped", "trailing", "nonsense", "none", "two", "link", "folder"])
def test_bad_image(lab, stemcell, tmp_path, name):
    before = account(lab)
    path = tmp_path / "image"
    path.write_bytes(bad_image(name, stemcell))
    answer = run_cpi(lab, heavy(str(path)), env=state_env(tmp_path))
    message = refused(answer, "cannot write the stemcell .*/image to volume vol-.*: onhost: ")
    assert "left behind" not in message
    assert "CreateSnapshot" not in actions(lab) and "RegisterImage" not in actions(lab)
    assert account(lab) == before


def test_larger_than_the_volume(lab, tmp_path):
    """The size that the archive declares is checked before anything is written."""
    before = account(lab)
    path = tmp_path / "image"
    header = tarfile.TarInfo("root.img")
    header.size = (1024 << 20) + 512
    with gzip.open(path, "wb", 1) as out:
        out.write(header.tobuf(tarfile.GNU_FORMAT))
        out.write(bytes(1 << 20))
    refused(run_cpi(lab, heavy(str(path), disk=1024), env=state_env(tmp_path)), "onhost: .*(larger|bytes)")
    assert account(lab) == before


def test_messages_differ(lab, stemcell, tmp_path):
    """Each says what is wrong with this one."""
    path = tmp_path / "image"
    messages = set()
    names = ("cut", "checksum", "trailing", "nonsense", "none", "two", "link")
    for name in names:
        path.write_bytes(bad_image(name, stemcell))
        answer = run_cpi(lab, heavy(str(path)), env=state_env(tmp_path))
        messages.add(answer.json["error"]["message"].partition("onhost: ")[2])
    assert len(messages) == len(names), messages
    assert not os.path.isdir(tmp_path / "state" / "journal") or not os.listdir(tmp_path / "state" / "journal")
