# SPDX-License-Identifier: Apache-2.0
"""The Debian packages as `make deb` makes them: what is in them, what they depend on, that their parts are whole and that lintian has
nothing to say. Built once for all tests of this file."""
import json
import os
import re
import shutil
import subprocess

import pytest
from conftest import ROOT, request_bytes
from deb_kit import NAMES, debs, files_of, one_per_line, output, packages_for

pytestmark = [pytest.mark.once, pytest.mark.xdist_group("debian_packages")]
MULTIARCH = subprocess.run(["gcc", "-dumpmachine"], capture_output=True, text=True, check=True).stdout.strip()
PAGES = sorted(os.listdir(os.path.join(ROOT, "packaging", "man")))


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    """Where they are, and what building them printed."""
    return packages_for("native", tmp_path_factory)


@pytest.fixture(scope="module")
def unpacked(packages, tmp_path_factory):
    """All of them in one tree."""
    tree = tmp_path_factory.mktemp("unpacked")
    for deb in debs(packages[0]).values():
        output("dpkg-deb", "-x", deb, tree)
    return tree


def page_paths(kept):
    """Where the man pages go whose section is one of these."""
    return {f"/usr/share/man/man{page[-1]}/{page}.gz" for page in PAGES if page[-1] in kept}


def test_files_of_the_build(packages):
    folder, _ = packages
    assert sorted(debs(folder)) == NAMES
    kinds = sorted(name.rsplit(".", 1)[1] for name in os.listdir(folder) if name.startswith("aws-cpi_0") and not name.endswith(".deb"))
    assert kinds == ["buildinfo", "changes", "dsc", "xz"]
    assert not os.path.exists(os.path.join(folder, "work")), "the tree that was built is gone"


def test_lintian(packages):
    """make-deb has run it, and fails on errors and warnings; nor has it lesser things to say."""
    said = [line for line in packages[1].splitlines() if re.match("[EWIPX]: ", line)]
    assert said == []


def test_contents(packages):
    """All that is not documentation, by name."""
    found = {name: {path for path in files_of(deb) if not path.startswith(f"/usr/share/doc/{name}/")} for name, deb in debs(packages[0]).items()}
    assert found == {
        "aws-cpi": {"/usr/bin/cpi", "/usr/share/bash-completion/completions/cpi", "/usr/share/zsh/vendor-completions/_cpi"} | page_paths("157"),
        "aws-cpi-onhost": {"/usr/bin/onhost"} | page_paths("8"),
        "libcpi-aws0": {f"/usr/lib/{MULTIARCH}/libcpi_aws.so.0"},
        "libcpi-aws-dev": {"/usr/include/cpi_aws.h", f"/usr/lib/{MULTIARCH}/libcpi_aws.so", f"/usr/lib/{MULTIARCH}/pkgconfig/cpi_aws.pc"},
    }
    assert sorted(page[-1] for page in PAGES if page[-1] not in "1578") == []


def test_documentation(packages):
    found = {name: {os.path.basename(path) for path in files_of(deb) if path.startswith(f"/usr/share/doc/{name}/")}
             for name, deb in debs(packages[0]).items()}
    for name, files in found.items():
        assert files >= {"changelog.gz", "copyright"}, name
    assert found["aws-cpi"] >= {*os.listdir(os.path.join(ROOT, "docs")), "CHANGELOG.md"} - {"timeline-example.log"}
    assert "sudoers" in found["aws-cpi-onhost"]
    assert found["libcpi-aws-dev"] >= {"library.md", "list_workers.c", "list_workers.py"}


def test_owners_and_permissions(packages):
    for deb in debs(packages[0]).values():
        for path, (mode, owner) in files_of(deb).items():
            assert owner == "root/root", path
            expected = "l" if path.endswith(".so") else "-rwxr-xr-x" if path.startswith("/usr/bin/") else "-rw-r--r--"
            assert mode.startswith(expected), path


def test_no_scripts(packages):
    """Nothing of ours is run as root when a package comes or goes, but what tells the linker of a library."""
    for name, deb in debs(packages[0]).items():
        members = set(output("sh", "-c", 'dpkg-deb --ctrl-tarfile "$1" | tar -t', "-", deb).split())
        allowed = {"./", "./control", "./md5sums"} | ({"./shlibs", "./symbols", "./triggers"} if name == "libcpi-aws0" else set())
        assert members == allowed, name


def test_relations(packages):
    told = {name: output("dpkg-deb", "-f", deb) for name, deb in debs(packages[0]).items()}
    with open(os.path.join(ROOT, "Makefile"), encoding="utf-8") as makefile:
        version = re.search(r"^VERSION := (.*)$", makefile.read(), re.MULTILINE).group(1)
    for name, control in told.items():
        assert f"Version: {version}\n" in control, name
    depends = {name: {word.split(" ")[0].removesuffix("t64") for word in one_per_line(control, "Depends")} for name, control in told.items()}
    assert depends["aws-cpi"] == depends["libcpi-aws0"] == {"libc6", "libcurl4", "libexpat1", "libssl3"}
    assert depends["aws-cpi-onhost"] == {"libarchive13", "libblkid1", "libc6", "libcurl4", "libisal2", "liblzma5", "libseccomp2", "libssl3", "libudev1",
                                         "libzstd1", "zlib1g"}
    assert one_per_line(told["libcpi-aws-dev"], "Depends") == [f"libcpi-aws0 (= {version})"]
    assert sorted(one_per_line(told["aws-cpi"], "Breaks")) == [f"aws-cpi-onhost (<< {version})", f"aws-cpi-onhost (>> {version})"]
    assert all("Multi-Arch: same" in told[name] for name in ("libcpi-aws0", "libcpi-aws-dev"))


def test_hardening(unpacked):
    """The distribution's flags and our own together."""
    for path in ("usr/bin/cpi", "usr/bin/onhost", f"usr/lib/{MULTIARCH}/libcpi_aws.so.0"):
        told = output("readelf", "-lhdW", unpacked / path)
        assert "GNU_RELRO" in told and "BIND_NOW" in told and "Type:                              DYN" in told, path
        symbols = output("readelf", "--dyn-syms", "-W", unpacked / path)
        assert "__stack_chk_fail" in symbols and re.search("__(memcpy|snprintf|vsnprintf|read)_chk", symbols), path


def test_no_paths_of_the_build(unpacked, packages):
    """Neither where it was built nor when."""
    folder = str(packages[0])
    for name in ("usr/bin/cpi", "usr/bin/onhost", f"usr/lib/{MULTIARCH}/libcpi_aws.so.0"):
        with open(unpacked / name, "rb") as file:
            assert folder.encode() not in file.read(), name
    assert output("find", unpacked, "-type", "f", "-newermt", "2026-12-31") == "", "times are the changelog's, at the latest"


def test_programs_run(unpacked):
    """Those in the packages, with the libraries here."""
    ran = subprocess.run([unpacked / "usr/bin/cpi"], input=request_bytes({"method": "info"}), env={}, capture_output=True, timeout=60, check=True)
    assert json.loads(ran.stdout)["result"]["api_version"] == 3
    assert output(unpacked / "usr/bin/onhost", "--version").startswith("onhost ")


def test_example_compiles(unpacked, tmp_path):
    """By what libcpi-aws-dev and libcpi-aws0 have, as its first lines say."""
    env = os.environ | {"PKG_CONFIG_LIBDIR": f"{unpacked}/usr/lib/{MULTIARCH}/pkgconfig", "PKG_CONFIG_SYSROOT_DIR": str(unpacked)}
    flags = output("pkg-config", "--cflags", "--libs", "cpi_aws", env=env).split()
    example = unpacked / "usr/share/doc/libcpi-aws-dev/examples/list_workers.c"
    output("gcc", "-o", tmp_path / "list_workers", example, f"-I{unpacked}/usr/include", *flags, "-Wl,--allow-shlib-undefined")
    ran = subprocess.run([tmp_path / "list_workers", "no region"], capture_output=True, text=True, check=False,
                         env={"LD_LIBRARY_PATH": f"{unpacked}/usr/lib/{MULTIARCH}"})
    assert ran.returncode == 2 and ran.stderr.startswith("usage: ")


def test_sudoers(unpacked, tmp_path):
    """A valid file, with one command."""
    example = unpacked / "usr/share/doc/aws-cpi-onhost/examples/sudoers"
    shutil.copy(example, tmp_path / "sudoers")
    os.chmod(tmp_path / "sudoers", 0o440)
    output("visudo", "-c", "-f", tmp_path / "sudoers")
    (line,) = [line for line in example.read_text().splitlines() if not line.startswith("#")]
    assert line == "vcap ALL=(root) NOPASSWD: /usr/bin/onhost serve"


def test_another_version_is_refused(tmp_path):
    """Before anything is built."""
    tree = tmp_path / "tree"
    for name in ("Makefile", "packaging/make-deb", "packaging/debian/changelog"):
        os.makedirs((tree / name).parent, exist_ok=True)
        shutil.copy(os.path.join(ROOT, name), tree / name)
    changelog = tree / "packaging/debian/changelog"
    changelog.write_text(changelog.read_text().replace("aws-cpi (", "aws-cpi (9.", 1))
    ran = subprocess.run([tree / "packaging/make-deb", tmp_path / "out"], capture_output=True, text=True, check=False)
    assert ran.returncode == 1 and "make them agree" in ran.stderr
    assert os.listdir(tmp_path / "out") == []
