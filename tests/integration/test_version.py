# SPDX-License-Identifier: Apache-2.0
"""One version for all parts: the Makefile's."""
import os
import re
import subprocess

import pytest
from conftest import CPI, ONHOST, ROOT
from library_kit import Library

PARTS = ["cpi", "onhost", "library", "header", "pkg-config", "Debian", "changelog", "man pages"]


def text_of(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as file:
        return file.read()


VERSION = re.search(r"^VERSION := (\S+)$", text_of("Makefile"), re.MULTILINE).group(1)


def says(program):
    return subprocess.run([program, "--version"], capture_output=True, text=True, check=True, timeout=60).stdout


def of_library():
    library = Library(os.environ.copy())
    version = library.call("version")
    library.end()
    return version


def of_header():
    header = text_of("cpi", "cpi_aws.h")
    numbers = [re.search(rf"#define CPI_AWS_VERSION_{part} (\d+)", header).group(1) for part in ("MAJOR", "MINOR", "PATCH")]
    whole = re.search(r'#define CPI_AWS_VERSION "(.*)"', header).group(1)
    assert whole == ".".join(numbers)
    return whole


def of_pkg_config(folder):
    words = [f"BUILD={os.path.dirname(CPI)}", f"DESTDIR={folder}", "PREFIX=/usr", "-o", "all"]
    env = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    subprocess.run(["make", "-s", "-C", ROOT, "install", *words], check=True, timeout=600, env=env, stdout=subprocess.DEVNULL)
    with open(folder / "usr/lib/pkgconfig/cpi_aws.pc", encoding="utf-8") as file:
        return re.search(r"^Version: (.*)$", file.read(), re.MULTILINE).group(1)


def of_changelog():
    """The newest entry's; and that it has a date."""
    return re.search(r"^## (\S+) \(\d{4}-\d\d-\d\d\)$", text_of("CHANGELOG.md"), re.MULTILINE).group(1)


def of_pages():
    """The footer, .Os, is empty: mandoc and man put the system's name there. A page that names a version names this one."""
    folder = os.path.join(ROOT, "packaging", "man")
    told = {word for page in os.listdir(folder) for word in re.findall(r"^\.Os (.*)$", text_of("packaging", "man", page), re.MULTILINE)}
    return (told or {VERSION}).pop() if len(told) < 2 else str(told)


@pytest.mark.parametrize("part", PARTS)
def test_part(part, tmp_path):
    found = {
        "cpi": lambda: says(CPI).split()[1],
        "onhost": lambda: says(ONHOST).split()[1],
        "library": of_library,
        "header": of_header,
        "pkg-config": lambda: of_pkg_config(tmp_path),
        "Debian": lambda: re.match(r"aws-cpi \((.*?)\) ", text_of("packaging", "debian", "changelog")).group(1),
        "changelog": of_changelog,
        "man pages": of_pages,
    }[part]()
    assert found == VERSION


def test_symbols_are_not_newer():
    """The symbols file says since when each is there: never a version that is not out yet."""
    since = re.findall(r"@LIBCPI_AWS_0 (\S+)$", text_of("packaging", "debian", "libcpi-aws0.symbols"), re.MULTILINE)
    assert since and all([int(n) for n in s.split(".")] <= [int(n) for n in VERSION.split(".")] for s in since)
