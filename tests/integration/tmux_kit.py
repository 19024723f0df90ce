# SPDX-License-Identifier: Apache-2.0
"""A terminal with somebody at it: a window of tmux, keys that are typed there, and what stands on the screen."""
import re
import shlex
import subprocess
import uuid

from conftest import wait_until

PROMPT = "ready> "
SGR = re.compile("\x1b\\[[0-9;]*m")


class Window:
    """A window of so many columns where the command runs (a shell that shows PROMPT), with that environment and nothing else."""

    def __init__(self, folder, columns, command, env, lines=50):
        self.tmux = ["tmux", "-S", str(folder / f"tmux-{uuid.uuid4().hex[:8]}"), "-f", "/dev/null"]
        line = shlex.join(["env", "-i", "TERM=screen", *(f"{name}={value}" for name, value in env.items() if name != "TERM"), *command])
        self.run("new-session", "-d", "-x", str(columns), "-y", str(lines), line)
        self.wait(PROMPT.strip())

    def run(self, *arguments):
        """One tmux command; what it prints."""
        return subprocess.run([*self.tmux, *arguments], check=True, capture_output=True, text=True, timeout=60).stdout

    def type(self, text, *keys):
        """Text as it is, then keys by tmux's names (Tab, Enter)."""
        self.run("send-keys", "-l", text)
        for key in keys:
            self.run("send-keys", key)

    def screen(self, colours=False):
        """What stands there."""
        return self.run("capture-pane", "-p", *(["-e"] if colours else [])).rstrip("\n")

    def wait(self, text):
        """The screen, once text stands on it."""
        return wait_until(lambda: (lambda screen: screen if text in screen else None)(self.screen()))

    def output(self, command):
        """What the command printed, as lines with their colours; the screen is empty before."""
        # an empty screen with a prompt may also be the one before: what is typed while clear still runs is not shown again
        cleared = f"cleared-{uuid.uuid4().hex[:8]}"
        self.type(f"clear; echo {cleared}", "Enter")
        wait_until(lambda: self.screen().split() == [cleared, PROMPT.strip()])
        self.type(command + "; echo status=$?", "Enter")
        wait_until(lambda: re.search(r"^status=\d+$", self.screen(), re.MULTILINE))
        lines = self.screen(colours=True).split("\n")
        start = next(i for i, line in enumerate(lines) if "echo status=" in line)
        end = next(i for i, line in enumerate(lines) if re.match(r"status=\d+", plain(line)))
        return lines[start + 1:end], int(plain(lines[end]).split("=")[1])

    def end(self):
        """Closes it."""
        subprocess.run([*self.tmux, "kill-server"], check=False, capture_output=True, timeout=60)


def plain(text):
    """Without colours."""
    return SGR.sub("", text)
