# SPDX-License-Identifier: Apache-2.0
"""A server of the system's sshd on loopback, with keys and a configuration of its own, for as long as the bench needs it."""
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

CONFIG = """
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/key.pub
PidFile none
PermitRootLogin prohibit-password
PasswordAuthentication no
StrictModes no
UsePAM no
SetEnv HOME={folder}/home
"""


class Sshd:
    """One that lets root in by a key of its own. The home it gives is empty: what this machine's root has its shell do first
    is not measured."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="aws-cpi-bench-")
        for name in ("host_key", "key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", os.path.join(self.folder, name)], check=True)
        os.mkdir(os.path.join(self.folder, "home"))
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        with open(os.path.join(self.folder, "config"), "w", encoding="ascii") as file:
            file.write(CONFIG.format(port=self.port, folder=self.folder))
        with open(os.path.join(self.folder, "host_key.pub"), encoding="ascii") as key:
            with open(os.path.join(self.folder, "known_hosts"), "w", encoding="ascii") as file:
                file.write(f"[127.0.0.1]:{self.port} {key.read()}")
        os.makedirs("/run/sshd", exist_ok=True)  # sshd wants it, and where no service has made it, it is missing
        self._process = subprocess.Popen(["/usr/sbin/sshd", "-D", "-f", os.path.join(self.folder, "config")],
                                         stderr=subprocess.DEVNULL)
        self._await()

    def _await(self):
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.1)
        sys.exit("sshd does not answer")

    def command(self, command):
        """The command run through it, with the cipher that cpi prefers (cpi/builder/ssh_ciphers.c)."""
        return ["ssh", "-F", "none", "-T", "-p", str(self.port), "-i", os.path.join(self.folder, "key"), "-o", "BatchMode=yes",
                "-o", "Compression=no", "-o", "Ciphers=^aes128-gcm@openssh.com",
                "-o", f"UserKnownHostsFile={self.folder}/known_hosts", "root@127.0.0.1", " ".join(command)]

    def close(self):
        self._process.terminate()
        self._process.wait()
        shutil.rmtree(self.folder)
