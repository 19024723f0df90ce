# SPDX-License-Identifier: Apache-2.0
"""The Debian packages installed by apt in fresh roots of Debian 12 and 13, and taken away again; built for arm64 and tried under
qemu-user; built twice and compared. Roots are made by debootstrap from the mirror that this machine's apt has."""
import json
import os
import re
import shutil
import subprocess

import pytest
from bad_images import DISK, GOOD
from conftest import ROOT, request_bytes
from deb_kit import NAMES, Root, debs, output, packages_for

pytestmark = [pytest.mark.once, pytest.mark.long, pytest.mark.xdist_group("debian_packages"),
              pytest.mark.skipif(os.geteuid() != 0, reason="a root directory of its own takes root")]
SUITES = ["bookworm", "trixie"]
CROSS = os.path.join(ROOT, "build", "deb-root-bookworm-arm64")
# what apt and dpkg keep for themselves, and what is made anew of what is installed
RECORDS = re.compile(r"/(var/lib/(dpkg|apt|ucf|pam)|var/cache/(apt|debconf|ldconfig|man)|var/log/(apt|dpkg\.log|alternatives\.log)|tmp|run)(/|$)|"
                     r"/etc/(ld\.so\.cache|resolv\.conf|\.pwd\.lock)$")
INFO = request_bytes({"method": "info"})
# as an interactive bash does when the key is pressed
COMPLETE = """
source /usr/share/bash-completion/bash_completion
_completion_loader cpi
complete -p cpi || exit
COMP_WORDS=(cpi list) COMP_CWORD=1
_cpi cpi list cpi 2>/dev/null
echo "offered: ${COMPREPLY[*]}"
"""


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    return packages_for("native", tmp_path_factory)[0]


@pytest.fixture(scope="module", params=SUITES)
def root(request, tmp_path_factory):
    place = tmp_path_factory.mktemp(request.param)
    yield Root(place / "root", request.param)
    shutil.rmtree(place, ignore_errors=True)


def test_install_run_remove(root, packages):
    """`apt install ./*.deb`; both programs do their work; after purge and autoremove the tree is what it was."""
    root.apt("update")
    # apt and the C library recommend the first two, so that they stay once they are there
    root.apt("install", "--no-install-recommends", "ca-certificates", "libidn2-0", "bash-completion")
    before = root.tree()
    os.mkdir(root.folder + "/tmp/debs")
    for deb in debs(packages).values():
        shutil.copy(deb, root.folder + "/tmp/debs/")
    root.output("sh", "-c", "cd /tmp/debs && apt install -y ./*.deb")
    try_programs(root)
    try_completion(root)
    root.apt("purge", *NAMES)
    root.apt("autoremove", "--purge")
    root.apt("clean")
    after = root.tree()
    changed = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path) and not RECORDS.match(path)}
    # a folder's own entry is the same by name, kind, permissions and owner; so this is all
    assert sorted(changed)[:50] == []


def try_programs(root):
    """By the libraries of that release, as root and, in root's sandbox, as nobody."""
    answer = json.loads(root.output("cpi", stdin=INFO))
    assert answer["error"] is None and answer["result"]["stemcell_formats"] == ["aws-raw", "aws-light"]
    assert root.output("onhost", "unpack", stdin=GOOD) == DISK
    cut = root.run("onhost", "unpack", stdin=GOOD[:-5])
    assert cut.returncode == 3 and b"cut short" in cut.stderr
    assert root.output("cpi", "--version").split()[1] == root.output("onhost", "--version").split()[1]
    assert b"not found" not in root.output("sh", "-c", "ldd /usr/bin/cpi /usr/bin/onhost /usr/lib/*/libcpi_aws.so.0")


def try_completion(root):
    told = root.output("bash", "-c", COMPLETE).decode()
    assert "-F _cpi cpi" in told and "offered: list_workers" in told


# --- arm64 ------------------------------------------------------------------------------------------------------------

# qemu-user has no seccomp, without which onhost reads no image. These take the place of loading the filter and of its proof.
NO_FILTER = """
#include <errno.h>
int seccomp_attr_set(void *filter, int attribute, unsigned value) { (void)filter; (void)attribute; (void)value; return 0; }
int seccomp_load(void *filter) { (void)filter; return 0; }
int chdir(const char *path) { (void)path; errno = EPERM; return -1; }
"""


@pytest.fixture(scope="module")
def arm(tmp_path_factory):
    """The packages for arm64, unpacked into the root in which they were built: its libraries are arm64's."""
    folder, printed = packages_for("arm64", tmp_path_factory)
    tree = CROSS + "/tried"
    shutil.rmtree(tree, ignore_errors=True)
    found = debs(folder)
    assert sorted(found) == NAMES and all(path.endswith("_arm64.deb") for path in found.values())
    assert not re.search("^[EW]: ", printed, re.MULTILINE)
    for deb in found.values():
        output("dpkg-deb", "-x", deb, tree)
    yield tree
    shutil.rmtree(tree, ignore_errors=True)


def emulated(*command, stdin=None, **env):
    return subprocess.run(["qemu-aarch64-static", "-L", CROSS, *command], input=stdin, capture_output=True, timeout=600, check=False,
                          env={"PATH": "/usr/bin:/bin"} | env)


def test_arm64_is_arm64(arm):
    for name in ("usr/bin/cpi", "usr/bin/onhost", "usr/lib/aarch64-linux-gnu/libcpi_aws.so.0"):
        told = output("readelf", "-hdW", f"{arm}/{name}")
        assert "AArch64" in told and "BIND_NOW" in told, name
    assert "[libisal.so.2]" in output("readelf", "-dW", f"{arm}/usr/bin/onhost")


def test_arm64_info(arm):
    ran = emulated(f"{arm}/usr/bin/cpi", stdin=INFO)
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["result"]["api_version"] == 3


def test_arm64_refuses_to_read_without_the_filter(arm):
    ran = emulated(f"{arm}/usr/bin/onhost", "unpack", stdin=GOOD)
    assert (ran.returncode, ran.stdout) == (9, b"") and b"system-call filter" in ran.stderr


def test_arm64_unpack(arm):
    """What is in the package, but for the filter: everything else of the sandbox, ISA-L, libarchive."""
    with open(CROSS + "/tmp/no_filter.c", "w", encoding="ascii") as file:
        file.write(NO_FILTER)
    output(os.path.join(ROOT, "packaging", "deb-root"), "--run", CROSS, "/tmp", "aarch64-linux-gnu-gcc", "-shared", "-fPIC", "-o", "no_filter.so",
           "no_filter.c")
    ran = emulated("-E", f"LD_PRELOAD={CROSS}/tmp/no_filter.so", f"{arm}/usr/bin/onhost", "unpack", stdin=GOOD)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == DISK
    ran = emulated("-E", f"LD_PRELOAD={CROSS}/tmp/no_filter.so", f"{arm}/usr/bin/onhost", "unpack", stdin=GOOD[:-5])
    assert ran.returncode == 3 and b"cut short" in ran.stderr


# --- twice ------------------------------------------------------------------------------------------------------------

def test_reproducible(packages, tmp_path):
    """Another place, another locale, time zone, umask and number of processors: the same bytes."""
    # of characters that dpkg lets gcc map: paths with others stay in what it notes for debuggers
    folder = tmp_path / "a_longer~path+than.the" / "other"
    script = 'umask 077; exec "$0" --uncommitted "$1"'
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "DEB_BUILD_OPTIONS": "nocheck parallel=1", "LC_ALL": "C", "TZ": "Pacific/Kiritimati"}
    os.chmod(tmp_path, 0o755)
    output("sh", "-c", script, os.path.join(ROOT, "packaging", "make-deb"), folder, env=env)
    for name, deb in debs(packages).items():
        with open(deb, "rb") as one, open(debs(folder)[name], "rb") as other:
            assert one.read() == other.read(), name
