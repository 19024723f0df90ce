# SPDX-License-Identifier: Apache-2.0
"""The Debian packages for tests: built from the tree as it is here, looked into, and root directories to install them in.
DEB_PACKAGES and DEB_PACKAGES_ARM64 are folders of packages that have been built already, to be tested in place of those."""
import os
import re
import subprocess

from conftest import ROOT
from root_kit import inside, let_apt_fetch, made_root

NAMES = ["aws-cpi", "aws-cpi-onhost", "libcpi-aws-dev", "libcpi-aws0"]
ROOTS = os.path.join(ROOT, "build", "roots")


def output(*command, **more):
    """What a command that succeeds prints."""
    ran = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=3000, check=False, **more)
    assert ran.returncode == 0, f"{command}: {ran.stdout[-3000:]}{ran.stderr[-3000:]}"
    return ran.stdout


def built(folder, *options, check=False, **env):
    """make-deb into that folder; what it printed. The unit tests have been run by who runs these, unless check."""
    env = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "DEB_BUILD_OPTIONS": "" if check else "nocheck"} | env
    return output(os.path.join(ROOT, "packaging", "make-deb"), "--uncommitted", *options, folder, env=env)


MADE = {}


def packages_for(arch, factory):
    """(the folder of the packages, what building them printed) for "native" or "arm64"; once for all tests of this process."""
    given = os.environ.get("DEB_PACKAGES" if arch == "native" else "DEB_PACKAGES_ARM64")
    if given:
        return given, ""
    if arch not in MADE:
        folder = str(factory.mktemp("deb-" + arch))
        MADE[arch] = folder, built(folder, *([] if arch == "native" else ["--arch", arch, "--suite", "bookworm"]))
    return MADE[arch]


def debs(folder):
    """Package name to file, without those of debug symbols."""
    files = {name.split("_")[0]: os.path.join(folder, name) for name in os.listdir(folder) if name.endswith(".deb")}
    return {name: path for name, path in files.items() if not name.endswith("-dbgsym")}


def files_of(deb):
    """Path to (permissions, owner) of what is no folder."""
    lines = [line.split(None, 5) for line in output("dpkg-deb", "-c", deb, env=os.environ | {"LC_ALL": "C"}).splitlines()]
    return {line[5].split(" -> ")[0][1:]: (line[0], line[1]) for line in lines if not line[0].startswith("d")}


class Root:
    """A fresh root directory of a Debian release. The release's own is made once below build/, and copied."""

    def __init__(self, folder, suite):
        self.folder = str(folder)
        output("cp", "-a", made_root(os.path.join(ROOTS, suite), suite), self.folder)
        let_apt_fetch(self.folder)
        self.prefix = inside(self.folder, "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/tmp", "LC_ALL=C.UTF-8",
                             "DEBIAN_FRONTEND=noninteractive")

    def run(self, *command, stdin=None):
        return subprocess.run([*self.prefix, *command], input=stdin, capture_output=True, timeout=1800, check=False)

    def output(self, *command, stdin=None):
        """The bytes that a command that succeeds prints."""
        ran = self.run(*command, stdin=stdin)
        assert ran.returncode == 0, (command, ran.stdout[-3000:], ran.stderr[-3000:])
        return ran.stdout

    def apt(self, *words):
        return self.output("apt-get", "-y", *words).decode()

    def tree(self):
        """Every path with what it is; a file by size and contents' sum, too."""
        lines = output("find", ".", "-xdev", "-printf", r"%p\t%y\t%m\t%U:%G\t%l\n", cwd=self.folder).splitlines()
        sums = output("sh", "-c", "find . -xdev -type f -exec sha256sum {} +", cwd=self.folder).splitlines()
        found = {line.split("\t")[0][1:]: line.split("\t")[1:] for line in lines}
        for line in sums:
            found[line[67:]].append(line[:64])
        return found


def one_per_line(text, field):
    """The relations of a control field."""
    match = re.search(rf"^{field}: (.*)$", text, re.MULTILINE)
    return match.group(1).split(", ") if match else []
