# SPDX-License-Identifier: Apache-2.0
"""The BOSH package as the agent builds it: a Debian root with what a stemcell has (a compiler, make, Perl, the two libraries that
are linked from it, no -dev packages of what the programs use), the release's files, the script run there without a network."""
import hashlib
import os
import shutil
import subprocess
from types import SimpleNamespace

from conftest import ROOT
from root_kit import inside, made_root

HERE = os.path.join(ROOT, "build", "release-root")
RELEASE = os.path.join(ROOT, "build", "bosh", "release-for-package")
PACKAGES = ("build-essential", "libudev1", "libblkid1")
COMPILE, INSTALL = "/var/vcap/data/compile/aws_cpi", "/var/vcap/data/packages/aws_cpi"
AGENT_ENV = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "BOSH_PACKAGE_NAME": "aws_cpi",
             "BOSH_PACKAGE_VERSION": "0"}


class Root:
    """Commands in the root directory, without a network if asked."""

    def __init__(self, folder):
        self.folder = folder

    def run(self, *command, alone=False, **more):
        """One command, with a clean environment unless env says otherwise."""
        more.setdefault("env", {"PATH": AGENT_ENV["PATH"]})
        return subprocess.run([*inside(self.folder, network=not alone), *command], capture_output=True, timeout=3600,
                              check=False, **more)

    def compile(self, compile_dir, install_dir):
        """The package's script as the agent runs it."""
        shutil.rmtree(self.folder + install_dir, ignore_errors=True)
        os.makedirs(self.folder + install_dir)
        env = {**AGENT_ENV, "BOSH_COMPILE_TARGET": compile_dir, "BOSH_INSTALL_TARGET": install_dir}
        return self.run("-C", compile_dir, "bash", "-x", "packaging", alone=True, env=env)


def lay_out(root, folder):
    """The package's files in the root, as the agent unpacks them."""
    shutil.rmtree(root.folder + folder, ignore_errors=True)
    os.makedirs(root.folder + folder)
    for name in ("aws_cpi", "third_party"):
        shutil.copytree(f"{RELEASE}/src/{name}", f"{root.folder}{folder}/{name}")
    shutil.copy(f"{RELEASE}/packages/aws_cpi/packaging", root.folder + folder)


def fingerprint():
    """Over all that the package is made from."""
    total = hashlib.sha256()
    for top in ("src", "packages"):
        for folder, folders, files in os.walk(os.path.join(RELEASE, top)):
            folders.sort()
            for name in sorted(files):
                path = os.path.join(folder, name)
                with open(path, "rb") as file:
                    total.update(os.path.relpath(path, RELEASE).encode() + b"\0" + hashlib.sha256(file.read()).digest())
    return total.hexdigest()


def prepared(folder):
    """The release directory, made anew."""
    done = subprocess.run([os.path.join(ROOT, "packaging", "bosh", "prepare"), folder], capture_output=True, text=True,
                          timeout=3600, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]


def built():
    """The package, built in the root unless that very one is there already: .root .cpi .onhost (their paths here) .output."""
    prepared(RELEASE)
    root = Root(made_root(HERE, "bookworm", PACKAGES))
    stamp, wanted = root.folder + "/built", fingerprint()
    if not os.path.exists(stamp) or open(stamp, encoding="ascii").read() != wanted:
        lay_out(root, COMPILE)
        done = root.compile(COMPILE, INSTALL)
        assert done.returncode == 0, done.stderr.decode(errors="replace")[-6000:]
        with open(stamp, "w", encoding="ascii") as file:
            file.write(wanted)
    programs = root.folder + INSTALL + "/bin/"
    return SimpleNamespace(root=root, cpi=programs + "cpi", onhost=programs + "onhost", compiled=root.folder + COMPILE,
                           installed=root.folder + INSTALL)
