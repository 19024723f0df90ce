# SPDX-License-Identifier: Apache-2.0
"""onhost as people and their scripts meet it: the bar on terminals of all kinds, JSON, exit statuses by cause, help."""
import fcntl
import io
import json
import os
import pty
import re
import resource
import select
import signal
import struct
import subprocess
import tarfile
import termios
import time

import fault_kit
import pytest
from conftest import ONHOST, ROOT, wait_until
from fault_kit import MIB, raw_image

# fixtures of another file
make_fault_disk = fault_kit.make_fault_disk

MAN = os.path.join(ROOT, "packaging", "man", "onhost.8")
COMMANDS = ["serve", "metadata", "wait-device", "write", "verify", "unpack"]
VOLUME = "vol-0123456789abcdef0"
SIZE = 32 * MIB
DONE, OTHER, USAGE, IMAGE, REFUSED, NO_DEVICE, IO, METADATA, PROTOCOL, SANDBOX, NOMEM = range(11)
NO_METADATA = os.environ | {"AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:1"}


def onhost(*arguments, stdin=subprocess.DEVNULL, **more):
    """One run to its end."""
    return subprocess.run([ONHOST, *map(str, arguments)], stdin=stdin, capture_output=True, text=True, timeout=60,
                          check=False, **more)


@pytest.fixture(name="root")
def make_root(tmp_path):
    """A raw disk image of 8 MiB."""
    path = tmp_path / "root.img"
    path.write_bytes(raw_image(8 * MIB))
    return path


def packed(root):
    """The same as a tar archive, which says at its beginning how large it is."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        tar.add(root, arcname="root.img")
    return out.getvalue()


# --- a terminal -------------------------------------------------------------------------------------------------------

class OnTerminal:
    """`onhost write --device …` with its standard error on a terminal, fed by hand."""

    def __init__(self, device, columns=100, env=None, arguments=(), result_too=False):
        self.leader, follower = pty.openpty()
        self.text = b""
        self.resize(columns)
        environ = {k: v for k, v in os.environ.items() if k not in ("TERM", "NO_COLOR")} | (
            {"TERM": "xterm"} if env is None else env)
        self.process = subprocess.Popen([ONHOST, "write", "--device", device, *arguments], stdin=subprocess.PIPE,
                                        stdout=follower if result_too else subprocess.PIPE, stderr=follower, env=environ)
        os.close(follower)

    def resize(self, columns):
        """The window has another width."""
        fcntl.ioctl(self.leader, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    def give(self, data):
        """A part of the image."""
        try:
            self.process.stdin.write(data)
            self.process.stdin.flush()
        except BrokenPipeError:
            pass

    def read(self, seconds):
        """What has come meanwhile; False at the end."""
        if not select.select([self.leader], [], [], seconds)[0]:
            return True
        try:
            more = os.read(self.leader, 65536)
        except OSError:  # the other end is closed
            more = b""
        self.text += more
        return bool(more)

    def wait_for_bars(self, count):
        """Until the bar was drawn so many more times."""
        count += len(self.bars())
        deadline = time.monotonic() + 60
        while len(self.bars()) < count:
            assert self.read(1) and time.monotonic() < deadline, self.text

    def end(self):
        """Exit status; all of the text is there then."""
        self.process.stdin.close()
        while self.read(60):
            pass
        os.close(self.leader)
        if self.process.stdout:
            self.process.stdout.read()
        return self.process.wait(60)

    def bars(self):
        """The bars as they were drawn, each over the one before."""
        return [bar.decode() for bar in re.findall(rb"\r([^\r\n]*)\x1b\[K", self.text)]


def percent_of(bar):
    """As a number."""
    return int(re.search(r"(\d+) %", bar).group(1))


def test_bar(make_loop, root):
    """It grows, ends at 100 %, and stays as the last thing; nothing but the cursor's return and the line's end is sent."""
    data = packed(root)
    run = OnTerminal(make_loop(SIZE), 100)
    run.give(data[:4 * MIB])
    run.wait_for_bars(2)
    run.give(data[4 * MIB:])
    assert run.end() == 0
    bars = run.bars()
    assert [percent_of(bar) for bar in bars] == sorted(percent_of(bar) for bar in bars)
    assert any(re.fullmatch(r"\[=+> +\]  \d\d %  \d\.\d of 8\.0 MiB +\d+(\.\d)? MiB/s +\d+:\d\d left", b) for b in bars), bars
    assert re.fullmatch(r"\[=+\] 100 %  8\.0 of 8\.0 MiB +\d+(\.\d)? MiB/s +in 0:\d\d", bars[-1]), bars[-1]
    assert run.text.endswith(f"\r{bars[-1]}\x1b[K\r\n".encode())
    assert set(re.findall(rb"[^ -~]+", run.text)) <= {b"\r", b"\x1b", b"\r\n"}
    # the same width all the time
    assert len({len(bar) for bar in bars}) == 1 and len(bars[0]) < 100


@pytest.mark.parametrize("columns", [200, 80, 10, 0])
def test_width(columns, make_loop, root):
    """Never wider than the window (0: not told, so 80); resized in the middle, it follows."""
    data = packed(root)
    run = OnTerminal(make_loop(SIZE), columns)
    run.give(data[:4 * MIB])
    run.wait_for_bars(1)
    assert all(len(bar) < (columns or 80) for bar in run.bars())
    before = len(run.bars())
    run.resize(30)
    run.wait_for_bars(2)
    # one may have been under way
    assert all(len(bar) < 30 for bar in run.bars()[before + 1:])
    run.resize(120)
    run.wait_for_bars(2)
    run.give(data[4 * MIB:])
    assert run.end() == 0
    assert len(run.bars()[-1]) > 80 and percent_of(run.bars()[-1]) == 100


@pytest.mark.parametrize("env", [{"TERM": "dumb"}, {}])
def test_dumb_terminal(env, make_loop, root):
    """Lines, and not one escape."""
    data = packed(root)
    run = OnTerminal(make_loop(SIZE), env=env)
    run.give(data[:4 * MIB])
    while b"left" not in run.text:
        assert run.read(60)
    run.give(data[4 * MIB:])
    assert run.end() == 0
    assert re.fullmatch(rb"(\d\.\d of 8\.0 MiB \(\d+ %\), \d\.\d MiB/s, \d+:\d\d left\r\n)+", run.text), run.text


def test_no_color(make_loop, root):
    """There is no colour to leave out; the bar is there all the same."""
    run = OnTerminal(make_loop(SIZE), env={"TERM": "xterm", "NO_COLOR": "1"})
    data = packed(root)
    run.give(data[:MIB])
    run.wait_for_bars(1)
    run.give(data[MIB:])
    assert run.end() == 0
    assert not re.search(rb"\x1b\[[0-9;]*m", run.text)


def test_short_run_shows_nothing(make_loop, root):
    """Nothing but the result, where it is piped and over before the first line is due."""
    result = onhost("write", "--device", make_loop(SIZE), "--image", root)
    assert result.returncode == 0
    seconds = re.match(r"written: 8388608 of 8388608 bytes, 0 left out, in (\d+\.\d) s ", result.stdout).group(1)
    assert result.stderr == "" or float(seconds) >= 4


def test_size_not_known_yet(make_loop, root):
    """A raw image has no size that could be known."""
    data = root.read_bytes()
    run = OnTerminal(make_loop(SIZE))
    run.give(data[:4 * MIB])
    run.wait_for_bars(2)
    assert re.fullmatch(r"\d\.\d MiB read, \d+(\.\d)? MiB/s", run.bars()[0]), run.bars()
    run.give(data[4 * MIB:])
    assert run.end() == 0
    assert "100 %  8.0 of 8.0 MiB" in run.bars()[-1]


def test_result_after_the_bar(make_loop, root):
    """On a line of its own, where both are shown on one terminal."""
    run = OnTerminal(make_loop(SIZE), result_too=True)
    data = packed(root)
    run.give(data[:4 * MIB])
    run.wait_for_bars(1)
    run.give(data[4 * MIB:])
    assert run.end() == 0
    assert re.search(rb"\x1b\[K\r\nwritten: 8388608 of [^\r\n]*\r\nSHA-256 [^\r\n]*\r\n$", run.text), run.text


def test_error_after_the_bar(fault_disk, root):
    """The bar's line ends, and the message has one of its own."""
    disk = fault_disk(SIZE)
    disk.attach()
    disk.order(f"write EIO {6 * MIB} -")
    run = OnTerminal(disk.device)
    data = packed(root)
    run.give(data[:4 * MIB])
    run.wait_for_bars(1)
    run.give(data[4 * MIB:])
    assert run.end() == IO
    last = run.text.decode().split("\r\n")
    assert last[-1] == "" and last[-2].startswith("onhost write: cannot write to ") and "\r" in last[-3]


# --- signals ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP"])
def test_signal(name, make_loop, root):
    """In the middle of writing: 128 and its number, the message behind the bar, a blank head."""
    device = make_loop(SIZE)
    run = OnTerminal(device)
    run.give(packed(root)[:4 * MIB])
    run.wait_for_bars(1)
    number = getattr(signal, name)
    run.process.send_signal(number)
    assert run.process.wait(60) == 128 + number
    assert run.end() == 128 + number
    assert f"\x1b[K\r\nonhost write: stopped by signal {number}" in run.text.decode()
    with open(make_loop.backing[device], "rb") as f:
        assert f.read(MIB) == bytes(MIB)


def test_ignored_signal(make_loop, root):
    """Under nohup a hang-up is none."""
    device = make_loop(SIZE)
    with subprocess.Popen(["nohup", ONHOST, "write", "--device", device], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL) as process:
        data = root.read_bytes()
        process.stdin.write(data[:4 * MIB])
        process.stdin.flush()
        wait_until(lambda: os.path.realpath(f"/proc/{process.pid}/exe") == os.path.realpath(ONHOST))
        process.send_signal(signal.SIGHUP)
        process.stdin.write(data[4 * MIB:])
        process.stdin.close()
        assert process.wait(60) == 0


# --- exit statuses ----------------------------------------------------------------------------------------------------

def listed(text):
    """Statuses of a help text: {"0": "Done", …}."""
    return dict(re.findall(r"^ +(\d+(?: and more)?)  (\S.*)$", text.partition("Exit status:")[2], re.MULTILINE))


def test_statuses_are_listed():
    """The same everywhere: in all help texts, and on the man page."""
    general = listed(onhost("--help").stdout)
    assert [*general] == [*map(str, range(11)), "128 and more"]
    for command in COMMANDS:
        assert listed(onhost(command, "--help").stdout) == general
    with open(MAN, encoding="utf-8") as f:
        section = re.search(r"^\.Sh EXIT STATUS\n(.*?)^\.El", f.read(), re.MULTILINE | re.DOTALL).group(1)
    page = re.findall(r"^\.It (\d+(?: and more)?)\n(.*?)\.$", section, re.MULTILINE | re.DOTALL)
    assert {name: text.replace("\n", " ") for name, text in page} == general


def limited(limit):
    """So much address space, for what runs in the child."""
    return lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def out_of_memory(root):
    """A run with too little memory for the image's slots, but enough to say so."""
    for mib in range(8, 400, 2):
        result = subprocess.run([ONHOST, "unpack", "--image", root], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                preexec_fn=limited(mib * MIB), text=True, timeout=60, check=False)
        if result.returncode in (DONE, NOMEM):
            return result
    raise AssertionError("no limit was enough")


def run_for(status, root, device):
    """A run that ends with it, and a word of what it says."""
    if status == DONE:
        return onhost("write", "--device", device, "--image", root), ""
    if status == OTHER:
        return subprocess.run(["strace", "-f", "-qq", "-o", "/dev/null", "-e", "inject=eventfd2:error=EMFILE", ONHOST,
                               "unpack", "--image", root], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                              timeout=60, check=False, env=os.environ | {"ASAN_OPTIONS": "detect_leaks=0"}), "Too many"
    if status == USAGE:
        return onhost("write", "--device", device, "--volume", VOLUME), "--help"
    if status == IMAGE:
        return onhost("write", "--device", device, "--image", MAN), "neither a tar archive nor a disk image"
    if status == REFUSED:
        return onhost("write", "--device", root, "--image", root), "regular file"
    if status == NO_DEVICE:
        return onhost("wait-device", "--volume", VOLUME, "--timeout", 1), "did not appear within 1 s"
    if status == IO:
        return onhost("unpack", "--image", root.parent / "none"), "No such file"
    if status == METADATA:
        return onhost("metadata", env=NO_METADATA), "metadata"
    if status == PROTOCOL:
        with open(MAN, "rb") as f:
            return onhost("serve", stdin=f), "not"
    return out_of_memory(root), "out of memory"


@pytest.mark.parametrize("status", [s for s in range(11) if s != SANDBOX])
def test_status(status, root, make_loop):
    """Each of them, for a real cause. (Privileges that cannot be dropped are the sandbox's tests.)"""
    with open(ONHOST, "rb") as f:
        if status == NOMEM and b"__asan_init" in f.read():
            pytest.skip("the address sanitizer needs more address space than a limit could leave it")
    result, text = run_for(status, root, make_loop(SIZE))
    assert result.returncode == status, result.stderr
    assert text in result.stderr


def test_output_is_gone():
    """What could not be told has not been done."""
    with open("/dev/full", "wb") as full:
        for arguments in (["--help"], ["write", "--help"], ["--version"]):
            result = subprocess.run([ONHOST, *arguments], stdout=full, stderr=subprocess.PIPE, timeout=60, check=False)
            assert result.returncode == OTHER and b"No space left" in result.stderr


# --- JSON -------------------------------------------------------------------------------------------------------------

def events(text):
    """Standard error's lines, each of which must be JSON."""
    return [json.loads(line) for line in text.splitlines()]


def test_json_of_write_and_verify(make_loop, root):
    """The result on standard output, progress on standard error, each a line."""
    device = make_loop(SIZE)
    for command in ("write", "verify"):
        result = onhost(command, "--device", device, "--image", root, "--json", "--digest")
        assert result.returncode == 0
        assert result.stdout.count("\n") == 1
        told = json.loads(result.stdout)
        assert told["device"] == device and told["written"] == told["image_size"] == told["read"] == 8 * MIB
        assert told["skipped"] == 0 and told["format"] == "raw" and told["seconds"] >= 0
        assert told["input_sha256"] == told["image_sha256"]
        last = events(result.stderr)[-1]
        assert last == {"event": "progress", "read": 8 * MIB, "written": 8 * MIB, "skipped": 0, "total": 8 * MIB,
                        "seconds": last["seconds"]}


def test_json_of_unpack(root):
    """Both on standard error: the result is the line that is no event."""
    with subprocess.Popen([ONHOST, "unpack", "--image", root, "--json"], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as process:
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0 and out == root.read_bytes()
    lines = events(err.decode())
    assert [line for line in lines if "event" not in line] == lines[-1:]
    assert lines[-1]["written"] == 8 * MIB and "device" not in lines[-1]


def test_json_progress_is_as_in_a_session(make_loop, root):
    """About once a second, on a terminal too."""
    data = packed(root)
    run = OnTerminal(make_loop(SIZE), arguments=["--json"])
    run.give(data[:4 * MIB])
    while run.text.count(b"\n") < 2:
        assert run.read(60)
    run.give(data[4 * MIB:])
    assert run.end() == 0
    told = events(run.text.decode())
    assert len(told) >= 3 and all(each["event"] == "progress" and each["total"] == 8 * MIB for each in told)
    assert 0 < told[0]["written"] < 8 * MIB and told[-1]["written"] == 8 * MIB


def failed_as_json(result):
    """The error's one line, the only one that is no progress."""
    assert result.stdout in ("", None)
    lines = [line for line in events(result.stderr) if line.get("event") != "progress"]
    assert len(lines) == 1 and [*lines[0]] == ["error"] and [*lines[0]["error"]] == ["type", "message"]
    return lines[0]["error"]


def types_of_the_man_page():
    """{type: exit status}, of those that have one."""
    with open(MAN, encoding="utf-8") as f:
        text = re.search(r"^\.Va type\nis one of\n(.*?)^\.Ss", f.read(), re.MULTILINE | re.DOTALL).group(1)
    return {kind: int(status) for kind, status in re.findall(r"^\.Sq (\w+)\n\((?:exit status )?(\d+)\)", text, re.MULTILINE)}


def test_types_are_listed():
    assert types_of_the_man_page() == {
        "invalid_call": USAGE, "image": IMAGE, "device_refused": REFUSED, "no_device": NO_DEVICE, "io": IO,
        "metadata": METADATA, "protocol": PROTOCOL, "sandbox": SANDBOX, "nomem": NOMEM}


@pytest.mark.parametrize("kind, text, arguments", [
    ("invalid_call", "needs either", ["write"]),
    ("invalid_call", "no option --frob", ["write", "--frob"]),
    ("invalid_call", "did you mean --digest", ["verify", "--digets"]),
    ("invalid_call", "needs a value", ["unpack", "--image"]),
    ("invalid_call", "needs --volume", ["wait-device"]),
    ("no_device", "did not appear", ["wait-device", "--volume", VOLUME, "--timeout", "1"]),
    ("metadata", "metadata", ["metadata"]),
    ("device_refused", "character device", ["write", "--device", "/dev/null", "--image", "/dev/null"]),
    ("no_device", "cannot be opened", ["verify", "--device", "/dev/none", "--image", "/dev/null"]),
    ("io", "No such file", ["unpack", "--image", "/none"]),
    ("image", "is empty", ["unpack", "--image", "/dev/null"]),
])
def test_json_of_errors(kind, text, arguments):
    """One line, of the session's form; the exit status as ever."""
    for words in ([*arguments[:1], "--json", *arguments[1:]], [*arguments, "--json"] if arguments[-1] != "--image" else arguments):
        if "--json" not in words:
            continue
        result = onhost(*words, env=NO_METADATA)
        error = failed_as_json(result)
        assert error["type"] == kind and text in error["message"][0].lower() + error["message"] + error["message"].lower()
        assert result.returncode == types_of_the_man_page()[kind]
        plain = onhost(*arguments, env=NO_METADATA)
        # further on there may be times, and what devices there are just now
        assert plain.returncode == result.returncode and error["message"][:30] in plain.stderr


def test_json_of_a_device_that_fails(fault_disk, root):
    disk = fault_disk(SIZE)
    disk.attach()
    disk.order(f"write EIO {6 * MIB} -")
    result = onhost("write", "--device", disk.device, "--image", root, "--json")
    assert result.returncode == IO
    error = failed_as_json(result)
    assert error["type"] == "io" and f"{disk.device} at offset" in error["message"]


def test_json_of_a_signal(make_loop):
    with subprocess.Popen([ONHOST, "write", "--device", make_loop(SIZE), "--json"], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert "progress" in process.stderr.readline()
        process.terminate()
        out, err = process.communicate(timeout=60)
    result = subprocess.CompletedProcess([], process.returncode, out, err)
    assert result.returncode == 128 + signal.SIGTERM and failed_as_json(result)["type"] == "cancelled"


# --- the man page's examples ------------------------------------------------------------------------------------------

def man_examples():
    """The JSON texts that the page shows, whole again."""
    with open(MAN, encoding="utf-8") as f:
        blocks = re.findall(r"^\.Bd -literal.*?\n(.*?)^\.Ed", f.read(), re.MULTILINE | re.DOTALL)
    return [json.loads(block) for block in blocks if block.startswith("{")]


def test_examples_are_as_they_come(make_loop, root):
    """Each example has the members that the real output has, in that order."""
    progress, error, written, device = man_examples()
    told = onhost("write", "--device", make_loop(SIZE), "--image", root, "--json")
    assert [*json.loads(told.stdout)] == [*written] and [*events(told.stderr)[-1]] == [*progress]
    failed = onhost("write", "--json")
    assert [*json.loads(failed.stderr)["error"]] == [*error["error"]]
    assert [*device] == ["device", "recognised_by"]


@pytest.mark.parametrize("command", COMMANDS)
def test_help(command):
    """Usage, what it does, an example that is one of its command lines, defaults; `onhost help` is the same."""
    text = onhost(command, "--help").stdout
    assert text.startswith(f"Usage: onhost {command}")
    example = re.search(r"^Example: (.*)$", text, re.MULTILINE).group(1)
    assert f"onhost {command}" in example
    # every option of the example, and of the usage line, is listed
    for option in re.findall(r"(--[a-z-]+)", example + text.splitlines()[0]):
        assert re.search(rf"^  {option}\b", text, re.MULTILINE), option
    if "--timeout" in text:
        assert "(60)" in text
    assert onhost("help", command).stdout == text
    with open(MAN, encoding="utf-8") as f:
        synopsis = re.search(rf"^\.Cm {command}\n(.*?)^\.Nm", f.read(), re.MULTILINE | re.DOTALL).group(1)
    shown = set(re.findall(r"^  --([a-z-]+)", text, re.MULTILINE)) - {"help", "verbose", "lab", "lab-devices"}
    assert shown == set(re.findall(r"Fl -([a-z-]+)", synopsis)) - {"help", "version", "verbose", "lab", "lab-devices"}


@pytest.mark.parametrize("arguments, text", [
    ([], "Usage: onhost COMMAND"),
    (["wirte"], "there is no command wirte. Did you mean write?"),
    (["frob"], "there is no command frob.\n"),
    (["help", "verfy"], "Did you mean verify?"),
    (["write", "--imgae", "x"], "there is no option --imgae. Did you mean --image?"),
    (["write", "--imgae=x"], "Did you mean --image?"),
    (["verify", "--force"], "the option --force is not one of this command's"),
    (["write", "--image"], "--image needs a value: --image FILE"),
    (["write", "--force=yes"], "--force takes no value"),
    (["write", "--f"], "short for several"),
    (["write", "-x"], "there is no option -x"),
    (["write", "image"], "unexpected argument: image"),
])
def test_mistakes(arguments, text):
    """Each says what is wrong, and where help is."""
    result = onhost(*arguments)
    assert result.returncode == USAGE and result.stdout == ""
    assert text in result.stderr and "--help" in result.stderr
