# SPDX-License-Identifier: Apache-2.0
"""A builder that is reached by SSH: a real sshd on loopback with users, host keys and a sudo of its own, and a cpi whose user has a
home of its own. Both run in mount namespaces in which /etc/passwd and its like are the test's, so that the machine's accounts are
neither used nor changed. And a relay that counts what goes through and cuts it off."""
import contextlib
import copy
import os
import re
import shutil
import socket
import struct
import subprocess
import tempfile
import threading

from conftest import ONHOST, Working, director_env, in_namespaces, start_cpi, wait_until

USER = "builder"
UID = 7411
FILES = ("passwd", "shadow", "group", "sudoers")
# in the namespace: its own accounts, and then the command
ENTER = 'set -e; mkdir -p /run/sshd; for file in ' + " ".join(FILES) + '; do mount --bind "$0/etc/$file" "/etc/$file"; done; exec "$@"'
SSHD = """
ListenAddress 127.0.0.1
HostKey {folder}/host_key
PidFile none
UsePAM no
StrictModes no
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
AuthorizedKeysFile {folder}/authorized_keys.%u
AllowTcpForwarding yes
SetEnv PATH={folder}/bin:/usr/sbin:/usr/bin:/sbin:/bin
LogLevel VERBOSE
"""
SUDOERS = 'Defaults secure_path="{folder}/bin:/usr/sbin:/usr/bin:/sbin:/bin"\nroot ALL=(ALL) ALL\n'


def keygen(path, *options):
    """A new ed25519 key without a passphrase; the public half as text."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", path, *options], check=True)
    with open(path + ".pub", encoding="ascii") as f:
        return f.read().strip()


def read(*path):
    with open(os.path.join(*path), encoding="utf-8") as f:
        return f.read()


def write(*path_and_text, mode=0o644):
    path = os.path.join(*path_and_text[:-1])
    with open(path, "w", encoding="utf-8") as f:
        f.write(path_and_text[-1])
    os.chmod(path, mode)
    return path


class Builder:
    """The machine. It has root and a user named builder, who may run everything as root with sudo and without a password; both
    let the key .key in. home and host_key are what a test's cpi needs to know; changed says that a test did not leave it as it
    was."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="ssh-kit-", dir="/tmp")
        os.chmod(self.folder, 0o755)
        self.home = os.path.join(self.folder, "root")
        for name in ("etc", "bin", "root/.ssh", "home"):
            os.makedirs(os.path.join(self.folder, name))
        os.chmod(os.path.join(self.folder, "root", ".ssh"), 0o700)
        self.host_key = " ".join(keygen(os.path.join(self.folder, "host_key")).split()[:2])
        self.key = os.path.join(self.folder, "key")
        self.public = keygen(self.key)
        self.other_key = os.path.join(self.folder, "other_key")
        keygen(self.other_key)
        self._accounts()
        self.prefix = in_namespaces("sh", "-c", ENTER, self.folder, kinds=("mount",))
        self.process = self.port = None
        self.changed = False
        self.reset()

    def _accounts(self):
        passwd = re.sub(r"(?m)^root:.*$", f"root:x:0:0:root:{self.home}:/bin/bash", read("/etc/passwd"))
        write(self.folder, "etc/passwd", passwd + f"{USER}:x:{UID}:{UID}::{self.folder}/home:/bin/bash\n")
        write(self.folder, "etc/shadow", f"root:*:19000:0:99999:7:::\n{USER}:*:19000:0:99999:7:::\n", mode=0o640)
        write(self.folder, "etc/group", read("/etc/group") + f"{USER}:x:{UID}:\n")
        write(self.folder, "etc/sudoers", "", mode=0o440)

    def sudoers(self, line):
        """What sudo allows, besides root everything."""
        self.changed = True
        write(self.folder, "etc/sudoers", SUDOERS.format(folder=self.folder) + line + "\n", mode=0o440)

    def program(self, name, text):
        """A script that is found before the machine's own; text None takes it away."""
        self.changed = True
        path = os.path.join(self.folder, "bin", name)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        if text is not None:
            write(path, "#!/bin/sh\n" + text, mode=0o755)

    def reset(self, *lines):
        """All as at first, but for lines of sshd_config, which come before the usual ones (its first word on a thing counts)."""
        self.changed = bool(lines)
        if not lines:
            for name in os.listdir(os.path.join(self.folder, "bin")):
                os.unlink(os.path.join(self.folder, "bin", name))
            os.symlink(ONHOST, os.path.join(self.folder, "bin", "onhost"))
            for user in ("root", USER):
                write(self.folder, f"authorized_keys.{user}", self.public + "\n")
            for name in (".ssh/known_hosts", ".ssh/config", ".bashrc"):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(os.path.join(self.home, name))
            self.sudoers(f"{USER} ALL=(root) NOPASSWD: ALL")
            self.changed = False
        self._start(*lines)

    def _start(self, *lines):
        """sshd anew. Another one's port is not hurt: it is tried again with another."""
        self.stop()
        for _ in range(20):
            with socket.create_server(("127.0.0.1", 0)) as probe:
                self.port = probe.getsockname()[1]
            config = write(self.folder, "sshd_config", "\n".join((f"Port {self.port}", *lines)) + SSHD.format(folder=self.folder))
            self.log = os.path.join(self.folder, "sshd.log")
            with open(self.log, "wb") as log:
                self.process = subprocess.Popen([*self.prefix, "/usr/sbin/sshd", "-D", "-e", "-f", config], stdout=log, stderr=log)
            wait_until(lambda: "Server listening" in read(self.log) or self.process.poll() is not None, 30)
            if self.process.poll() is None:
                return
            assert "Address already in use" in read(self.log), read(self.log)
        raise AssertionError("no port for sshd")

    def children(self):
        """The processes that serve connections."""
        listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(self.process.pid)], capture_output=True, text=True, check=False)
        return [int(pid) for pid in listed.stdout.split()]

    def stop(self):
        """No sshd any more."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(20)
            self.process = None

    def close(self):
        """Ends it and takes everything away."""
        self.stop()
        shutil.rmtree(self.folder)

    # --- cpi's side ---

    def known_hosts(self, *lines):
        """The user's own file."""
        self.changed = True
        write(self.home, ".ssh/known_hosts", "".join(line + "\n" for line in lines), mode=0o600)

    def ssh_config(self, text):
        """The user's ~/.ssh/config."""
        self.changed = True
        write(self.home, ".ssh/config", text, mode=0o600)

    def stanza(self, **more):
        """aws.stemcell.ssh as it works; None takes a property away."""
        stanza = {"host": "127.0.0.1", "port": self.port, "user": USER, "private_key_file": self.key, "host_key": self.host_key, **more}
        return {k: v for k, v in stanza.items() if v is not None}

    @contextlib.contextmanager
    def entered(self):
        """A cpi that is started here has the test's accounts."""
        import shlex
        before = os.environ.get("CPI_WRAPPER")
        os.environ["CPI_WRAPPER"] = shlex.join(self.prefix) + (" " + before if before else "")
        try:
            yield
        finally:
            if before is None:
                del os.environ["CPI_WRAPPER"]
            else:
                os.environ["CPI_WRAPPER"] = before


def ssh_config_of(running, stanza, builder="ssh", **stemcell):
    """A lab's configuration with that builder; onhost_path is the local one's."""
    config = copy.deepcopy(running.config)
    aws = config["cloud"]["properties"]["aws"]
    aws["stemcell"].update(builder=builder, ssh=stanza, **stemcell)
    return config


class Running(Working):
    """A cpi at work through SSH, with a temporary folder of its own."""

    def __init__(self, lab, builder, config, folder, level="debug"):
        self.tmp = os.path.join(str(folder), "tmp")
        os.makedirs(self.tmp, exist_ok=True)
        env = director_env(self.tmp) | {"AWS_CPI_STATE_DIR": os.path.join(str(folder), "state"), "CPI_LOG_LEVEL": level}
        with builder.entered():
            super().__init__(start_cpi(lab, config, env))

    def sees(self, pattern, seconds=60):
        """Waits for a line of the log; fails when the process ends without it."""
        wait_until(lambda: re.search(pattern, self.log) or not self.reader.is_alive(), seconds)
        found = re.search(pattern, self.log)
        assert found, f"no {pattern} in:\n{self.log}"
        return found

    def end(self, seconds=120):
        """Its answer's text."""
        answer = self.process.stdout.read().decode(errors="replace")
        self.process.wait(seconds)
        self.reader.join(seconds)
        return answer


def descendants(pid):
    """All processes below one."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    parents = [tuple(map(int, line.split())) for line in listed.splitlines()]
    found, todo = [], [pid]
    while todo:
        below = [p for p, parent in parents if parent == todo[0]]
        todo = todo[1:] + below
        found += below
    return found


def serving(lab):
    """The onhost processes that serve this lab."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                arguments = f.read().split(b"\0")
            with open(f"/proc/{pid}/environ", "rb") as f:
                environ = f.read()
            if b"serve" in arguments and os.path.basename(arguments[0]) == b"onhost" and \
                    lab.env["AWS_EC2_METADATA_SERVICE_ENDPOINT"].encode() in environ:
                found.append(int(pid))
    return found


class Relay:
    """A port that leads to another one. up counts the bytes from the client on; at the first byte beyond cut_at both connections
    are reset, or (silent) kept and nothing goes through any more."""

    def __init__(self, port, cut_at=None, silent=False):
        self._to, self.cut_at, self._silent = port, cut_at, silent
        self.up = self.down = 0
        self._pairs = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self):
        """Now."""
        for each in self._pairs:
            for end in each:
                with contextlib.suppress(OSError):
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    end.shutdown(socket.SHUT_RDWR)
                end.close()
        self._pairs = []

    def close(self):
        """Ends it."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.cut_at == 0:
                client.close()
                continue
            server = socket.create_connection(("127.0.0.1", self._to), 30)
            server.settimeout(None)
            self._pairs.append((client, server))
            threading.Thread(target=self._pass, args=(client, server, True), daemon=True).start()
            threading.Thread(target=self._pass, args=(server, client, False), daemon=True).start()

    def _pass(self, source, target, is_up):
        with contextlib.suppress(OSError):
            while True:
                data = source.recv(65536)
                if is_up and self.cut_at is not None and self.up + len(data) > self.cut_at:
                    target.sendall(data[:self.cut_at - self.up])
                    if not self._silent:
                        self.cut()
                    return
                if is_up:
                    self.up += len(data)
                else:
                    self.down += len(data)
                if not data:
                    target.shutdown(socket.SHUT_WR)
                    return
                target.sendall(data)
