# SPDX-License-Identifier: Apache-2.0
"""The BOSH job's sudoers entry: cpi_ctl as monit runs it, visudo's word on the file, and sudo as vcap, on a machine laid out as BOSH's
agent does, in a mount namespace of its own."""
import os
import shlex
import shutil
import stat
import subprocess

import pytest
import release_job_kit as kit
from conftest import CPI, ONHOST, in_namespaces

pytestmark = pytest.mark.once

# /var/vcap, the sudoers folder and the users are the test's own; $1 has them
ENTER = """
set -e
mount -t tmpfs -o mode=755 tmpfs /var
mkdir /var/vcap
mount --bind "$1/vcap" /var/vcap
mount --bind "$1/sudoers.d" /etc/sudoers.d
mount --bind "$1/passwd" /etc/passwd
mount --bind "$1/group" /etc/group
shift
exec "$@"
"""
UID = 4711
PROGRAM = "#!/bin/sh\necho \"uid $(id -u), $# arguments: $*\"\n"
CTL = "/var/vcap/jobs/aws_cpi/bin/cpi_ctl"
ONHOST_LINK = "/var/vcap/packages/aws_cpi/bin/onhost"
PATH = "/bin:/usr/bin:/sbin:/usr/sbin"  # monit's


class Machine:
    """A machine with the job, and a stand-in for onhost that says who it is."""

    def __init__(self, folder, properties=None):
        self.folder = folder
        self.prefix = [*in_namespaces(), "sh", "-c", ENTER, "sh", str(folder)]
        self.vcap = folder / "vcap"
        self.sudoers = folder / "sudoers.d"
        for each in (self.vcap, self.sudoers, self.vcap / "data", self.vcap / "packages", self.vcap / "jobs"):
            each.mkdir()
        for name, line in (("passwd", f"vcap:*:{UID}:{UID}::/home/vcap:/bin/sh"), ("group", f"vcap:*:{UID}:")):
            (folder / name).write_text((open(f"/etc/{name}", encoding="utf-8").read()) + line + "\n")
        self.apply_job(properties or kit.LEAST)
        self.apply_package("0123abcd")

    def own(self, path):
        """Owner and modes as the agent gives them."""
        for folder, folders, files in os.walk(path):
            for each in [folder] + [os.path.join(folder, name) for name in folders + files]:
                if os.path.islink(each):
                    continue
                os.chown(each, 0, UID)
                os.chmod(each, 0o750 if os.path.isdir(each) or os.path.basename(folder) == "bin" else 0o640)

    def apply_job(self, properties):
        """The job, rendered."""
        kit.render(properties, self.vcap / "data" / "jobs" / "aws_cpi" / "f00d")
        link = self.vcap / "jobs" / "aws_cpi"
        link.symlink_to("/var/vcap/data/jobs/aws_cpi/f00d")
        self.own(self.vcap)

    def apply_package(self, version, programs=None):
        """A version of the package, in place of the one before; its onhost, as the machine sees it."""
        place = self.vcap / "data" / "packages" / "aws_cpi" / version / "bin"
        place.mkdir(parents=True)
        for name in ("cpi", "onhost"):
            if programs:
                shutil.copy(programs[name], place / name)
            else:
                (place / name).write_text(PROGRAM)
        self.own(self.vcap)
        link = self.vcap / "packages" / "aws_cpi"
        link.unlink(missing_ok=True)
        link.symlink_to(f"/var/vcap/data/packages/aws_cpi/{version}")
        return f"/var/vcap/data/packages/aws_cpi/{version}/bin/onhost"

    def run(self, *command, as_vcap=False, env=None):
        """A command on the machine."""
        who = ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups"] if as_vcap else []
        return subprocess.run([*self.prefix, *who, *command], capture_output=True, text=True, check=False, timeout=120,
                              stdin=subprocess.DEVNULL, cwd="/", env={"PATH": PATH} if env is None else env)

    def ctl(self, what):
        """cpi_ctl, which never fails."""
        done = self.run(CTL, what)
        assert done.returncode == 0, done.stderr
        return done.stderr

    def sudo(self, *words):
        """sudo as vcap: what the program said, or None where sudo refused."""
        done = self.run("sudo", "-n", *words, as_vcap=True)
        if done.returncode == 0:
            return done.stdout.strip()
        # by its rules, not because the program could not be started
        assert "a password is required" in done.stderr or "not allowed to" in done.stderr or "may not be specified" in done.stderr, done
        assert "uid " not in done.stdout
        return None

    def entries(self):
        """What is in the sudoers folder."""
        return sorted(os.listdir(self.sudoers))


@pytest.fixture
def machine(tmp_path):
    """One without an entry."""
    return Machine(tmp_path)


def test_the_entry_is_there_between_start_and_stop(machine):
    """Written whole, for root alone, valid, with one line; and gone again, pid file included."""
    machine.ctl("start")
    assert machine.entries() == ["cpi"]
    entry = machine.sudoers / "cpi"
    assert entry.read_text() == "vcap ALL=(root) NOPASSWD: /var/vcap/data/packages/aws_cpi/0123abcd/bin/onhost serve\n"
    facts = entry.stat()
    assert (stat.S_IMODE(facts.st_mode), facts.st_uid, facts.st_gid) == (0o440, 0, 0)
    done = machine.run("visudo", "-c", "-s", "-f", "/etc/sudoers.d/cpi")
    assert done.returncode == 0, done
    pid_file = machine.vcap / "sys" / "run" / "aws_cpi" / "cpi.pid"
    assert pid_file.read_text() == "1\n"
    monit = (machine.vcap / "data" / "jobs" / "aws_cpi" / "f00d" / "monit").read_text()
    assert "pidfile /var/vcap/sys/run/aws_cpi/cpi.pid" in monit
    assert f'start program "{CTL} start"' in monit and f'stop program "{CTL} stop"' in monit

    machine.ctl("stop")
    assert not machine.entries() and not pid_file.exists()
    machine.ctl("stop")


def test_it_allows_onhost_serve_and_nothing_else(machine):
    """By the path that cpi sees and by the package's link; no other arguments, programs, users or variables."""
    onhost = "/var/vcap/data/packages/aws_cpi/0123abcd/bin/onhost"
    assert machine.sudo(onhost, "serve") is None
    machine.ctl("start")
    for path in (onhost, ONHOST_LINK):
        assert machine.sudo(path, "serve") == "uid 0, 1 arguments: serve"
    refused = [[onhost], [onhost, ""], [onhost, "serve", ""], [onhost, "serve", "--lab"], [onhost, "serve", "--lab-devices", "/dev"],
               [onhost, "serve", "/etc/shadow"], [onhost, "serve serve"], [onhost, "--help"], [onhost, "unpack", "--image", "/etc/shadow"],
               [onhost, "write", "--volume", "vol-1", "--image", "/etc/shadow"],
               ["/var/vcap/packages/aws_cpi/bin/cpi", "serve"], ["/bin/sh", "-c", "id"], ["-s"], ["-i"], ["-e", "/etc/shadow"],
               ["-u", "nobody", onhost, "serve"], ["-g", "root", onhost, "serve"], ["X=1", onhost, "serve"], ["-E", onhost, "serve"]]
    copy = machine.vcap / "data" / "tmp" / "onhost"
    copy.parent.mkdir()
    shutil.copy(machine.vcap / "data" / "packages" / "aws_cpi" / "0123abcd" / "bin" / "onhost", copy)
    copy.chmod(0o755)
    refused.append(["/var/vcap/data/tmp/onhost", "serve"])
    allowed = [shlex.join(words) for words in refused if machine.sudo(*words) is not None]
    assert not allowed, allowed
    machine.ctl("stop")
    assert machine.sudo(onhost, "serve") is None


def test_an_update_moves_it_to_the_new_program(machine):
    """The Director's agent puts the new package in place, then starts the job again, which may not have been stopped."""
    machine.ctl("start")
    new = machine.apply_package("4567cdef")
    machine.ctl("start")
    assert machine.entries() == ["cpi"]
    assert machine.sudo(new, "serve") == "uid 0, 1 arguments: serve"
    assert machine.sudo("/var/vcap/data/packages/aws_cpi/0123abcd/bin/onhost", "serve") is None


def test_it_takes_the_place_of_the_ruby_cpis(machine):
    """That one's file has the same name: what it may have left is gone, after start and after stop."""
    for end in ("start", "stop"):
        (machine.sudoers / "cpi").write_text("vcap ALL= NOPASSWD: /bin/sh\n")
        (machine.sudoers / "cpi").chmod(0o440)
        assert machine.sudo("/bin/sh", "-c", "echo uid $(id -u)") == "uid 0"
        machine.ctl(end)
        assert machine.sudo("/bin/sh", "-c", "id") is None
        assert machine.entries() == (["cpi"] if end == "start" else [])


def others_write(machine, place):
    place.chmod(0o757)


def group_writes(machine, place):
    place.chmod(0o770)


def vcap_owns(machine, place):
    os.chown(place, UID, UID)


@pytest.mark.parametrize("spoil", [others_write, group_writes, vcap_owns])
@pytest.mark.parametrize("place", ["data", "data/packages/aws_cpi/0123abcd/bin", "data/packages/aws_cpi/0123abcd/bin/onhost"])
def test_no_entry_for_a_program_that_others_could_change(machine, spoil, place):
    """Whoever could put another program there would be root. The job comes up all the same, and says why."""
    machine.ctl("start")
    spoil(machine, machine.vcap / place)
    said = machine.ctl("start")
    assert f"/var/vcap/{place} could be changed by others than root" in said
    assert not machine.entries()
    assert (machine.vcap / "sys" / "run" / "aws_cpi" / "cpi.pid").exists()


def test_roots_own_group_may_write(machine):
    """A package is compiled by root, whose umask may be 002."""
    place = machine.vcap / "data" / "packages" / "aws_cpi" / "0123abcd" / "bin"
    for each in (place, place / "onhost"):
        os.chown(each, 0, 0)
        each.chmod(0o775)
    machine.ctl("start")
    assert machine.sudo(ONHOST_LINK, "serve") == "uid 0, 1 arguments: serve"


def test_no_entry_where_visudo_does_not_take_it(machine):
    """visudo's word counts, and nothing is left of what it refused or of what was there before."""
    machine.ctl("start")
    tools = machine.vcap / "data" / "tools"
    tools.mkdir()
    (tools / "visudo").write_text("#!/bin/sh\nexit 1\n")
    (tools / "visudo").chmod(0o755)
    done = machine.run(CTL, "start", env={"PATH": "/var/vcap/data/tools:" + PATH})
    assert done.returncode == 0 and "visudo does not take the entry" in done.stderr
    assert not machine.entries()


@pytest.mark.parametrize("version, said", [("a b", "cannot stand in a sudoers file"), ("x,ALL", "cannot stand"), ("a*", "cannot stand")])
def test_no_entry_for_a_path_that_sudoers_would_read_otherwise(machine, version, said):
    """BOSH makes no such paths."""
    machine.apply_package(version)
    assert said in machine.ctl("start")
    assert not machine.entries()


def test_no_entry_without_a_program(machine):
    """A package that is not there yet."""
    (machine.vcap / "packages" / "aws_cpi").unlink()
    assert f"there is no {ONHOST_LINK}" in machine.ctl("start")
    assert not machine.entries()


def test_the_cpi_finds_and_starts_onhost_by_it(tmp_path):
    """The programs themselves, as vcap, by the Director's bin/cpi: sudo refuses before the job is started, onhost answers after that."""
    machine = Machine(tmp_path, {"aws": {"region": "us-east-1", "default_security_groups": ["bosh"], "access_key_id": "AKIA", "secret_access_key": "x",
                                         "ec2_endpoint": "http://127.0.0.1:1", "elb_endpoint": "http://127.0.0.1:1", "max_retries": 0,
                                         "metadata_endpoint": "http://127.0.0.1:1", "stemcell": {"builder": "local"}}})
    machine.apply_package("89ab", {"cpi": CPI, "onhost": ONHOST})
    tmp = machine.vcap / "data" / "director" / "tmp"
    tmp.mkdir(parents=True)
    os.chown(tmp, UID, UID)

    def check():
        done = machine.run("/var/vcap/jobs/aws_cpi/bin/cpi", "check", "/var/vcap/jobs/aws_cpi/config/cpi.json", as_vcap=True,
                           env={"PATH": PATH, "TMPDIR": "/var/vcap/data/director/tmp"})
        # vcap has no home here
        assert "state directory: /var/vcap/data/director/tmp/aws-cpi-" in done.stdout, done
        return done.stdout + done.stderr
    assert "a password is required" in check()
    machine.ctl("start")
    said = check()
    assert "a password is required" not in said
    assert "does not look like an EC2 instance" in said, said


def test_the_agents_modes_stay(machine):
    """Root by hand must not lock vcap out of what the agent gave to its group."""
    config = machine.vcap / "data" / "jobs" / "aws_cpi" / "f00d" / "config" / "cpi.json"
    for as_vcap in (False, True):
        assert machine.run("/var/vcap/jobs/aws_cpi/bin/cpi", as_vcap=as_vcap).stdout.endswith("/var/vcap/jobs/aws_cpi/config/cpi.json\n")
        assert stat.S_IMODE(config.stat().st_mode) == 0o640
