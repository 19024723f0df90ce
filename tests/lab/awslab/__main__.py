# SPDX-License-Identifier: Apache-2.0
"""The command line: lab up, lab down, lab status."""
import argparse
import fcntl
import json
import os
import subprocess
import sys
import time

from . import files, process

UP_SECONDS = 60


def say(text):
    print(text, flush=True)


def fail(text):
    print(f"lab: {text}", file=sys.stderr)
    return 1


def up(options):
    """Starts a lab in the background; returns when it is ready."""
    folder = os.path.realpath(options.dir)
    made = not os.path.isdir(folder)
    os.makedirs(folder, exist_ok=True)
    lock = os.open(folder, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)  # two that start at once must not both find it free
    state = files.read_state(folder)
    if files.running(state):
        return fail(f"a lab runs in {folder} already ({state['endpoint']}); `lab down --dir {folder}` ends it")
    if state or os.path.exists(os.path.join(folder, "started")):
        _clean(folder)
    log_path = os.path.join(folder, "log")
    settings = {"dir": folder, "devices": options.devices, "region": options.region, "port": options.port,
                "auth": not options.no_auth, "udev": not options.no_udev,
                "fixed_addresses": options.fixed_addresses}
    with open(log_path, "ab") as log:
        daemon = subprocess.Popen([sys.executable, "-m", "awslab.daemon", json.dumps(settings)],
                                  stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                                  close_fds=True)
    identity = process.identity(daemon.pid)
    with open(os.path.join(folder, "started"), "w", encoding="utf-8") as f:
        json.dump({"process": identity, "made_dir": made}, f)
    deadline = time.monotonic() + UP_SECONDS
    while daemon.poll() is None and time.monotonic() < deadline:
        state = files.read_state(folder)
        if state and state["process"] == identity:
            _report(folder, state)
            return 0
        time.sleep(0.02)
    with open(log_path, encoding="utf-8", errors="replace") as f:
        tail = f.read()[-3000:]
    process.stop(identity)
    _clean(folder)
    return fail(f"the lab did not start:\n{tail}")


def _report(folder, state):
    say(f"lab in {folder}: EC2, ELB, STS, EBS at {state['endpoint']}, instance metadata at {state['imds']}")
    if state["devices"] == "loop":
        links = "links by udev" if state["udev"] else "links by the lab, as no udevd runs"
        say(f"devices: loop devices ({links})")
    else:
        say(f"devices: plain files ({state['why']})")
    say(f"set -a; . {folder}/env; set +a   configuration: {folder}/cpi.json")


def _started(folder):
    try:
        with open(os.path.join(folder, "started"), encoding="utf-8") as f:
            return json.load(f)
    except (FileNotFoundError, ValueError):
        return {}


def _clean(folder):
    started = _started(folder)
    files.clean(folder, started.get("process"))
    if started:
        os.unlink(os.path.join(folder, "started"))
    if started.get("made_dir"):
        try:
            os.rmdir(folder)
        except OSError:
            say(f"lab: {folder} stays: others have put files there")


def down(options):
    """Ends a lab and removes all that it made; does nothing where there is none."""
    folder = os.path.realpath(options.dir)
    started = _started(folder)
    if started:
        process.stop(started["process"])
    if os.path.isdir(folder):
        _clean(folder)
    return 0


def status(options):
    """Says whether a lab runs; exit status 3 where none does."""
    folder = os.path.realpath(options.dir)
    state = files.read_state(folder)
    if not files.running(state):
        say(f"no lab runs in {folder}")
        return 3
    _report(folder, state)
    return 0


def main():
    """Parses the command line."""
    parser = argparse.ArgumentParser(prog="lab", description="A local EC2 whose volumes are real block devices.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, function, text in (("up", up, "start a lab"), ("down", down, "end a lab, leaving nothing"),
                                 ("status", status, "say whether a lab runs")):
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument("--dir", required=True, help="the lab's folder")
        command.set_defaults(function=function)
        if name == "up":
            command.add_argument("--devices", choices=("auto", "loop", "plain"), default="auto",
                                 help="loop devices, plain files, or whichever can be had (default)")
            command.add_argument("--region", default="us-east-1")
            command.add_argument("--port", type=int, default=0, help="of the EC2 endpoint; any free one by default")
            command.add_argument("--no-auth", action="store_true", help="do not check signatures and permissions")
            command.add_argument("--fixed-addresses", action="store_true", help="let instance metadata and the container's "
                                 "keys also listen where AWS has them; in a network namespace that has these addresses")
            command.add_argument("--no-udev", action="store_true", help="let the lab make the links itself")
    options = parser.parse_args()
    return options.function(options)


if __name__ == "__main__":
    sys.exit(main())
