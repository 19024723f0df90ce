# SPDX-License-Identifier: Apache-2.0
"""Hosts of the shared library: a Python process with an environment of its own, and tests/tools/library_driver.c."""
import json
import os
import re
import subprocess
import sys

from conftest import ROOT

BUILD = os.environ.get("BUILD_DIR") or os.path.join(ROOT, "build")
SO = os.path.join(BUILD, "libcpi_aws.so")
DRIVER = os.path.join(BUILD, "tests", "library_driver")
CHILD = os.path.join(os.path.dirname(os.path.abspath(__file__)), "library_child.py")


def sanitizer():
    """The path of the sanitizer's library, which a host must have loaded before; None in an ordinary build."""
    told = subprocess.run(["ldd", SO], check=True, capture_output=True, text=True).stdout
    found = re.search(r"lib[at]san\S* => (\S+)", told)
    return found and found.group(1)


def sanitized(env):
    """For a host that is no sanitizer's build itself; Python leaves much to the process's end, so leaks are the driver's matter."""
    preloaded = sanitizer()
    return env | ({"LD_PRELOAD": preloaded, "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1"} if preloaded else {})


class Library:
    """A Python process that has loaded the library. end() fails where anything came on its standard streams."""

    def __init__(self, env, so=SO):
        answers, theirs = os.pipe()
        self.process = subprocess.Popen([sys.executable, CHILD, so, str(theirs)], stdin=subprocess.PIPE, text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=sanitized(env), pass_fds=[theirs])
        os.close(theirs)
        self.answers = os.fdopen(answers, encoding="utf-8")

    def send(self, *calls):
        """Calls that run at the same time: (function, text…)."""
        print(json.dumps([(f"cpi_aws_{name}", texts) for name, *texts in calls]), file=self.process.stdin, flush=True)

    def receive(self):
        """Their answers."""
        line = self.answers.readline()
        assert line, f"the host has ended: {self.process.communicate()[0]}"
        return json.loads(line)

    def call(self, name, *texts):
        """One call's text."""
        self.send((name, *texts))
        return self.receive()[0]

    def execute(self, action, settings=None, **parameters):
        """An action's answer."""
        return json.loads(self.call(*execution(action, settings, **parameters)))

    def end(self):
        """Ends it."""
        out, _ = self.process.communicate(timeout=60)
        self.answers.close()
        assert (out, self.process.returncode) == ("", 0), out


def execution(action, settings=None, **parameters):
    """A call of execute, for Library.send."""
    return ("execute", settings and json.dumps(settings), action, json.dumps(parameters))


def drive(env, *arguments, timeout=600):
    """Runs the driver, which must be content and silent; its standard output."""
    ran = subprocess.run([DRIVER, arguments[0], SO, *map(str, arguments[1:])], env=env, stdin=subprocess.DEVNULL,
                         capture_output=True, text=True, timeout=timeout, check=False)
    assert (ran.returncode, ran.stderr) == (0, ""), ran.stdout + ran.stderr
    return ran.stdout
