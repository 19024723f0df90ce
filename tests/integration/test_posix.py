# SPDX-License-Identifier: Apache-2.0
"""cpi/ and common/ keep to POSIX but for the places that docs/architecture.md lists: compiled against POSIX.1-2008 alone, nothing
else is missing, and no header of Linux's is included outside those places."""
import glob
import os
import re
import subprocess

import pytest
from conftest import ROOT

# what a Mac and the BSDs have too
ELSEWHERE_TOO = {"getentropy", "mkostemp", "mkstemps", "memmem", "strcasestr", "strsep", "POSIX_SPAWN_SETSID"}
# what stands behind a condition, with something else where it is not there
GUARDED = {("common/process.c", "pipe2"), ("common/process.c", "posix_spawn_file_actions_addclosefrom_np")}
HEADERS = {("cpi/main.c", "sys/prctl.h")}
# in glibc's headers whatever is asked for, or POSIX and yet not a Mac's
NOT_ON_A_MAC = {
    "SOCK_CLOEXEC": {"common/http.c"}, "SOCK_NONBLOCK": set(), "st_mtim": set(), "clock_nanosleep": set(),
    "pthread_condattr_setclock": {"cpi/upload/crew.c"}, "sigtimedwait": {"cpi/library_host.c"}, "sem_timedwait": set(),
    "F_SETPIPE_SZ": {"cpi/builder/session.c", "cpi/upload/image_blocks.c"}, "/proc/self": {"cpi/builder/local.c"},
    "PR_SET_DUMPABLE": {"cpi/main.c"}, "memrchr": set(), "MSG_NOSIGNAL": set(), "fdatasync": set()}

pytestmark = pytest.mark.once


def sources(*endings):
    """The files of both folders, from the top."""
    return sorted(os.path.relpath(path, ROOT) for top in ("common", "cpi") for ending in endings
                  for path in glob.glob(f"{ROOT}/{top}/**/*{ending}", recursive=True))


def test_compiled_against_posix_alone():
    done = subprocess.run(["gcc", "-std=c17", "-D_POSIX_C_SOURCE=200809L", "-D_FILE_OFFSET_BITS=64", '-DCPI_VERSION="0"', "-I.",
                           "-include", "common/banned.h", "-fsyntax-only", "-Werror=implicit-function-declaration",
                           *sources(".c")], cwd=ROOT, capture_output=True, text=True, check=False, timeout=600,
                          env={**os.environ, "LC_ALL": "C"})
    found = re.findall(r"^(\S+?):\d+:\d+: error: implicit declaration of function '(\w+)'", done.stderr, re.M)
    found += re.findall(r"^(\S+?):\d+:\d+: error: '(\w+)' undeclared", done.stderr, re.M)
    assert len(found) == len(re.findall(": error: ", done.stderr)), done.stderr[-3000:]
    missing = {(path, name) for path, name in found if name not in ELSEWHERE_TOO}
    assert missing == GUARDED


def test_no_header_of_linux():
    found = set()
    for path in sources(".c", ".h"):
        with open(os.path.join(ROOT, path), encoding="utf-8") as file:
            for name in re.findall(r"^\s*#\s*include <((?:linux|asm)/.*|sys/(?:epoll|prctl|sysmacros|signalfd|eventfd|timerfd|"
                                   r"inotify|syscall|sysinfo|vfs|sendfile|xattr)\.h|features\.h|malloc\.h|endian\.h)>",
                                   file.read(), re.M):
                found.add((path, name))
    assert found == HEADERS


@pytest.mark.parametrize("name", NOT_ON_A_MAC)
def test_what_a_mac_lacks(name):
    """Only where there is something else in its place."""
    found = set()
    for path in sources(".c", ".h"):
        with open(os.path.join(ROOT, path), encoding="utf-8") as file:
            code = re.sub(r"/\*.*?\*/", "", file.read(), flags=re.S)
        if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", code):
            found.add(path)
    assert found == NOT_ON_A_MAC[name]


def test_the_docs_list_them():
    with open(os.path.join(ROOT, "docs", "architecture.md"), encoding="utf-8") as file:
        text = file.read()
    places = {path for path, _ in GUARDED | HEADERS}.union(*NOT_ON_A_MAC.values())
    for each in sorted(ELSEWHERE_TOO | places | {name for _, name in GUARDED}):
        assert f"`{each}`" in text, each
