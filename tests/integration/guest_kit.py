# SPDX-License-Identifier: Apache-2.0
"""A small machine in QEMU, under software emulation: Debian's cloud kernel (`make guest` fetches it), busybox, onhost and
what it is linked with. Disks are plugged and unplugged while it runs, and each is a file here whose bytes can be looked at.

A guest has a shell, to which `sh` speaks, and ports that are onhost's standard input and output: `Session` is cpi's half of
it, by hand.
"""
import contextlib
import hashlib
import json
import os
import platform
import re
import shutil
import socket
import stat
import struct
import subprocess
import time
from types import SimpleNamespace

from conftest import ONHOST, ROOT

MIB = 1 << 20
KERNEL = os.path.join(ROOT, "build", "guest")
SHIM = os.path.join(os.environ.get("BUILD_DIR", os.path.join(ROOT, "build")), "tests", "identify_shim.so")
QEMU = "qemu-system-x86_64"
UDEVD = "/lib/systemd/systemd-udevd"
UDEV_RULES = "/lib/udev/rules.d"
SESSIONS = 16
PATIENCE = 120  # seconds until something that must come is given up; the machine may be busy


def why_not():
    """Why no guest can be had here, or None."""
    if platform.machine() != "x86_64":
        return f"the guest is an x86-64 machine, and this is {platform.machine()}"
    for tool in (QEMU, "busybox"):
        if shutil.which(tool) is None:
            return f"there is no {tool} here; tests/setup test installs it"
    if not os.path.exists(os.path.join(KERNEL, "vmlinuz")):
        return "there is no kernel for it; `make guest` fetches one, and says why where it cannot"
    return None


# --- the guest's files

def libraries(program):
    """What it is linked with, the loader too."""
    # a static one has none, and ldd calls that an error
    out = subprocess.run(["ldd", program], check=False, capture_output=True, text=True).stdout
    return sorted(set(re.findall(r"(/\S+) \(0x", out)))


class Archive:
    """An initramfs: a cpio archive of the form newc, as the kernel's documentation (early-userspace/buffer-format) has it."""

    def __init__(self):
        self.data = bytearray()
        self.folders = {""}
        self.names = set()
        self.number = 0

    def _entry(self, name, mode, content=b"", device=(0, 0)):
        self.number += 1
        fields = (self.number, mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(name) + 1, 0)
        self.data += b"070701" + "".join(f"{field:08X}" for field in fields).encode() + name.encode() + b"\0"
        self.data += bytes(-len(self.data) % 4) + content
        self.data += bytes(-len(self.data) % 4)

    def folder(self, name):
        """With those above it, once."""
        if name not in self.folders:
            self.folder(os.path.dirname(name))
            self.folders.add(name)
            self._entry(name, stat.S_IFDIR | 0o755)

    def add(self, name, content, mode=0o755, kind=stat.S_IFREG, device=(0, 0)):
        """A file by its path without the first slash."""
        if name not in self.names:
            self.names.add(name)
            self.folder(os.path.dirname(name))
            self._entry(name, kind | mode, content, device)

    def program(self, path, name=None):
        """A file of this machine and all that it is linked with."""
        with open(path, "rb") as f:
            self.add(name or path[1:], f.read())
        for library in libraries(path):
            with open(library, "rb") as f:
                self.add(library[1:], f.read())

    def finish(self, path):
        """Writes it."""
        self._entry("TRAILER!!!", 0)
        with open(path, "wb") as f:
            f.write(self.data)


def make_initramfs(path, udevd):
    """With udevd and its rules, or without."""
    archive = Archive()
    archive.add("dev/console", b"", 0o600, stat.S_IFCHR, (5, 1))
    with open(os.path.join(ROOT, "tests", "guest", "init"), "rb") as f:
        archive.add("init", f.read())
    archive.program(shutil.which("busybox"), "bin/busybox")
    for name in sorted(os.listdir(os.path.join(KERNEL, "modules"))):
        with open(os.path.join(KERNEL, "modules", name), "rb") as f:
            archive.add(f"modules/{name}", f.read())
    archive.program(ONHOST, "usr/bin/onhost")
    archive.program(SHIM, "shim.so")
    archive.add("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n", 0o644)
    archive.add("etc/group", b"root:x:0:\nnogroup:x:65534:\n", 0o644)
    if udevd:
        archive.program(UDEVD)
        archive.program(shutil.which("udevadm"), "usr/bin/udevadm")
        for name in sorted(os.listdir(UDEV_RULES)):
            with open(os.path.join(UDEV_RULES, name), "rb") as f:
                archive.add(f"{UDEV_RULES[1:]}/{name}", f.read(), 0o644)
    archive.finish(path)


# --- the machine

class Wire:
    """One stream, with what has come on it and has not been taken."""

    def __init__(self, listener, process):
        listener.settimeout(1)
        self.socket = None
        while self.socket is None:
            with contextlib.suppress(TimeoutError):
                self.socket, _ = listener.accept()
            if self.socket is None and process.poll() is not None:
                raise RuntimeError(f"{QEMU} ended with {process.returncode}")
        listener.close()
        self.socket.settimeout(PATIENCE)
        self.buffer = b""

    def line(self):
        """The next, without its break; None at the end."""
        while b"\n" not in self.buffer:
            piece = self.socket.recv(65536)
            if not piece:
                return None
            self.buffer += piece
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line.rstrip(b"\r")


class Guest:
    """Boots; `end` takes it away. `drives` are qemu's own arguments for what is there from the beginning."""

    def __init__(self, folder, udevd, drives=()):
        self.folder = str(folder)
        self.sessions = 0
        self.plugged = {}  # what is there by the machine's ids, true until the guest has let go of it
        self.files = {}    # the file behind each disk, by name
        self.fabrics = []
        initramfs = os.path.join(self.folder, "initramfs")
        make_initramfs(initramfs, udevd)
        names = ["qmp", "control", *(f"session{i}" for i in range(SESSIONS))]
        listeners = {name: self._listen(name) for name in names}
        command = [QEMU, "-machine", "pc", "-accel", "tcg", "-m", "768", "-smp", "1", "-nodefaults", "-no-user-config",
                   "-display", "none", "-no-reboot", "-kernel", os.path.join(KERNEL, "vmlinuz"), "-initrd", initramfs,
                   "-append", "console=ttyS0 quiet panic=-1" + (" udevd" if udevd else ""),
                   "-serial", f"file:{self.folder}/console", "-qmp", f"unix:{self.folder}/qmp",
                   "-device", f"virtio-serial-pci,max_ports={SESSIONS + 2}"]
        for number, name in enumerate(names[1:], 1):
            command += ["-chardev", f"socket,id={name},path={self.folder}/{name}",
                        "-device", f"virtserialport,chardev={name},name={name},nr={number}"]
        with open(os.path.join(self.folder, "qemu"), "wb") as log:
            self.process = subprocess.Popen([*command, *drives], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            self.wires = {name: Wire(listener, self.process) for name, listener in listeners.items()}
            self._greet()
            self.ports = {}
            for line in self.sh("cd /sys/class/virtio-ports; grep . */name").output.splitlines():
                port, _, name = line.partition("/name:")
                self.ports[name] = port
        except BaseException:
            self.end()
            raise

    def _listen(self, name):
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(os.path.join(self.folder, name))
        listener.listen(1)
        return listener

    def _greet(self):
        self.wires["qmp"].line()
        self.qmp("qmp_capabilities")
        self.sh("true")

    def end(self):
        """The power goes off."""
        self.process.kill()
        self.process.wait()
        for wire in getattr(self, "wires", {}).values():
            wire.socket.close()

    def console(self):
        """What the guest's kernel and programs said, for messages."""
        with open(os.path.join(self.folder, "console"), encoding="utf-8", errors="replace") as f:
            return f.read()[-3000:]

    def qmp(self, execute, **arguments):
        """A command to the machine itself."""
        message = {"execute": execute, "arguments": {k.replace("_", "-"): v for k, v in arguments.items()}}
        self.wires["qmp"].socket.sendall(json.dumps(message).encode() + b"\n")
        while True:
            answer = json.loads(self.wires["qmp"].line())
            if "event" in answer:
                self.seen(answer)
            elif "error" in answer:
                raise RuntimeError(f"{execute}: {answer['error']['desc']}")
            else:
                return answer["return"]

    def seen(self, event):
        """An event of the machine's."""
        if event["event"] == "DEVICE_DELETED" and event["data"].get("device") in self.plugged:
            self.plugged[event["data"]["device"]] = False

    def sh(self, command, check=True):
        """One command line in the guest; its output (both streams) and status. A failure is an error unless told not to."""
        wire = self.wires["control"]
        wire.socket.sendall(f"( {command}\n) </dev/null 2>&1; s=$?; echo; echo \"==done== $s\"\n".encode())
        lines = []
        while True:
            try:
                line = wire.line()
            except TimeoutError:
                line = None
            if line is None:
                self.process.kill()  # so that nobody else waits for it
                raise RuntimeError(f"the guest does not answer to `{command}`; its console: {self.console()}")
            if line.startswith(b"==done== "):
                break
            lines.append(line.decode(errors="replace"))
        status = int(line.split()[1])
        output = "\n".join(lines).strip("\n")
        if check and status != 0:
            raise RuntimeError(f"`{command}` ended with {status}: {output}; console: {self.console()}")
        return SimpleNamespace(status=status, output=output)

    def until(self, command):
        """Repeats it until it succeeds; its output."""
        deadline = time.monotonic() + PATIENCE
        while True:
            result = self.sh(command, check=False)
            if result.status == 0:
                return result.output
            if time.monotonic() > deadline:
                raise RuntimeError(f"`{command}` never succeeded: {result.output}; console: {self.console()}")
            time.sleep(0.1)

    # --- disks

    def backing(self, name):
        """What lies in the file behind a disk."""
        with open(self.files[name], "rb") as f:
            return f.read()

    def plug(self, name, serial, size, bytes_per_second=0):
        """A new NVMe disk of zeros arrives. A limit makes writing slow enough for there to be a half-way."""
        node = f"{name}-{len(self.plugged)}"
        self.files[name] = os.path.join(self.folder, f"{node}.img")
        with open(self.files[name], "wb") as f:
            f.truncate(size)
        self.qmp("blockdev-add", driver="raw", node_name=node, file={"driver": "file", "filename": self.files[name]})
        drive = node
        if bytes_per_second:
            self.qmp("object-add", qom_type="throttle-group", id=f"limit-{node}", limits={"bps-write": bytes_per_second})
            drive = f"slow-{node}"
            self.qmp("blockdev-add", driver="throttle", node_name=drive, throttle_group=f"limit-{node}", file=node)
        self.qmp("device_add", driver="nvme", id=node, serial=serial, drive=drive)
        self.plugged[node] = True

    def unplug(self):
        """The guest lets go of all that was plugged in and made meanwhile, as at a detach; returns when it has."""
        for node in [node for node, there in self.plugged.items() if there]:
            self.qmp("device_del", id=node)
        deadline = time.monotonic() + PATIENCE
        while any(self.plugged.values()):
            if time.monotonic() > deadline:
                raise RuntimeError(f"the guest keeps a disk: {self.plugged}; console: {self.console()}")
            self.qmp("query-status")
            time.sleep(0.05)
        for nqn in self.fabrics:
            self.sh(f"cd /sys/kernel/config/nvmet; rm ports/1/subsystems/{nqn}; echo 0 >subsystems/{nqn}/namespaces/1/enable; "
                    f"rmdir subsystems/{nqn}/namespaces/1 subsystems/{nqn}")
            self.sh(f"for f in $(grep -lx {nqn} /sys/class/nvme/*/subsysnqn); do echo 1 >$(dirname $f)/delete_controller; done")
        self.fabrics = []

    def fabric(self, name, serial, model, path):
        """An NVMe controller made by the guest's own kernel, with that model in sysfs too, over a block device or a file
        in the guest. Returns its disk's name in the guest."""
        nqn = f"nqn.2024-01.test:{name}"
        self.fabrics.append(nqn)
        self.sh(f"""
            set -e
            root=/sys/kernel/config/nvmet
            mkdir $root/subsystems/{nqn}
            cd $root/subsystems/{nqn}
            echo 1 >attr_allow_any_host
            printf %s '{serial}' >attr_serial
            printf %s '{model}' >attr_model
            mkdir namespaces/1
            printf %s {path} >namespaces/1/device_path
            [ -b {path} ] || echo 1 >namespaces/1/buffered_io
            echo 1 >namespaces/1/enable
            port=$root/ports/1
            [ -d $port ] || {{ mkdir $port; cd $port; echo ipv4 >addr_adrfam; echo tcp >addr_trtype
                echo 127.0.0.1 >addr_traddr; echo 4420 >addr_trsvcid; }}
            ln -s $root/subsystems/{nqn} $port/subsystems/
            printf %s 'transport=tcp,traddr=127.0.0.1,trsvcid=4420,nqn={nqn},hostnqn=nqn.2024-01.test:host' >/dev/nvme-fabrics
        """)
        # nvme0c0n1 is a path, not the disk
        return self.until(f"ls /sys/class/nvme-subsystem/*/subsysnqn | while read f; do if grep -qx {nqn} $f; then "
                          "ls $(dirname $f) | grep -x 'nvme[0-9]*n[0-9]*'; fi; done | grep .")

    # --- onhost

    def serve(self, prefix=""):
        """Starts `onhost serve` on a port that is free; prefix goes before it: variables, `unshare -m` …"""
        name = f"session{self.sessions}"
        self.sessions += 1
        return Session(self, name, prefix)


class Session:
    """cpi's half of a session with the guest's onhost."""

    def __init__(self, guest, name, prefix):
        self.guest, self.name = guest, name
        self.wire = guest.wires[name]
        command = prefix if "onhost" in prefix else f"{prefix} onhost serve --verbose"
        # pipes, as cpi has them: a port does not tell its end as they do
        guest.sh(f"{{ cat <&3 | {{ AWS_EC2_METADATA_DISABLED=true {command} 2>/tmp/{name}.log; echo $? >/tmp/{name}.status; }} | "
                 f"cat >&3; }} 3<>/dev/{guest.ports[name]} >/dev/null 2>&1 &")
        assert self.ask({"op": "hello", "version": 1})["ok"] == "hello"

    def send(self, message):
        """One line."""
        self.wire.socket.sendall(json.dumps(message).encode() + b"\n")

    def answer(self, progress=False):
        """The next message; without progress unless it is wanted."""
        while True:
            try:
                line = self.wire.line()
            except TimeoutError:
                line = None
            if line is None:
                raise RuntimeError(f"no answer in the session; log: {self.log()}; console: {self.guest.console()}")
            message = json.loads(line)
            if progress or message.get("event") != "progress":
                return message

    def ask(self, message):
        """A line and its answer."""
        self.send(message)
        return self.answer()

    def want(self, volume, size, device_name="/dev/sdf", timeout_ms=PATIENCE * 1000):
        """The write message; its answer comes when the device has."""
        self.send({"op": "write", "volume_id": volume, "device_name": device_name, "size_mib": size // MIB, "fresh": True,
                   "encrypted": False, "device_timeout_ms": timeout_ms, "image": {"source": "stream"}})

    def is_waiting(self):
        """It has begun to look for the device: what arrives from now on arrives while it waits."""
        self.guest.until(f"grep -q 'watching for block devices' /tmp/{self.name}.log")

    def stream(self, data, chunk=256 * 1024):
        """The image and its end. An onhost that has given up reads no more, and that is found in its answer."""
        with contextlib.suppress(OSError):
            for at in range(0, len(data), chunk):
                piece = data[at:at + chunk]
                self.wire.socket.sendall(struct.pack(">I", len(piece)) + piece)
            self.wire.socket.sendall(bytes(4))
            self.send({"op": "end", "sha256": hashlib.sha256(data).hexdigest()})

    def log(self):
        """What it logged."""
        return self.guest.sh(f"cat /tmp/{self.name}.log").output

    def end(self):
        """Our side is closed; its exit status."""
        with contextlib.suppress(OSError):
            self.wire.socket.shutdown(socket.SHUT_RDWR)
        self.wire.socket.close()
        return int(self.guest.until(f"test -s /tmp/{self.name}.status && cat /tmp/{self.name}.status"))
