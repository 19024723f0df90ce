# SPDX-License-Identifier: Apache-2.0
"""Root directories of Debian releases, made once below build/ with the Debian mirror that this machine's apt has, and commands
in them."""
import os
import shutil
import subprocess
import time

from conftest import in_namespaces


def mirror():
    """What apt takes Debian's packages from, if this is a Debian; else debootstrap knows one."""
    listed = subprocess.run(["apt-get", "indextargets", "--format", "$(ORIGIN) $(REPO_URI)"], capture_output=True, text=True,
                            check=False).stdout
    return [line.split()[1] for line in listed.split("\n") if line.startswith("Debian ")][:1]


def made_root(folder, suite, packages=()):
    """The smallest root of that release, and these packages; made unless it is there already."""
    stamp = os.path.join(folder, "made")
    if os.path.exists(stamp):
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(os.path.dirname(folder), exist_ok=True)
    include = [f"--include={','.join(packages)}"] if packages else []
    # a second try: a mirror can be in the middle of an update
    for last in (False, True):
        done = subprocess.run(["debootstrap", "--variant=minbase", *include, suite, folder, *mirror()], capture_output=True, text=True,
                              timeout=3600, check=False)
        if done.returncode == 0:
            break
        assert not last, done.stdout[-3000:] + done.stderr[-1000:]
        time.sleep(3)
    open(stamp, "w", encoding="ascii").close()
    return folder


def let_apt_fetch(folder):
    """Names are looked up and packages fetched there as they are here."""
    shutil.copy("/etc/resolv.conf", folder + "/etc/resolv.conf")
    for name in os.listdir("/etc/apt/apt.conf.d"):
        with open(f"/etc/apt/apt.conf.d/{name}", encoding="utf-8") as f:
            text = f.read()
        # how (a proxy), and not what else is
        if "Acquire::" in text and "IndexTargets" not in text:
            shutil.copy(f"/etc/apt/apt.conf.d/{name}", folder + "/etc/apt/apt.conf.d/")


def inside(folder, *env, network=True):
    """What to put before a command: it runs in the root, in a mount namespace with /proc and /dev, through env(1) with these words."""
    mounts = " && ".join((f"mount --rbind /dev {folder}/dev", f"mount --bind /sys {folder}/sys",
                          f"mount -t proc proc {folder}/proc", f"mount -t tmpfs run {folder}/run"))
    enter = f'mount --make-rprivate / && {mounts} && exec chroot {folder} env "$@"'
    return in_namespaces("sh", "-c", enter, "-", *env, kinds=("mount",) if network else ("mount", "net"))
