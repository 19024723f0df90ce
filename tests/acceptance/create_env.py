#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`make acceptance`: the release, installed by the real bosh command line. `bosh create-env` with a manifest that was written for the
Ruby CPI compiles the package, renders the job and sets a VM up with a heavy stemcell and a persistent disk; a second one replaces the
VM by one of a light stemcell and keeps the disk; `bosh delete-env` takes everything away. AWS is a lab, the VM's agent a stand-in.
Everything is in a network namespace and below one folder; what was asked and answered stays there.
"""
import argparse
import contextlib
import glob
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.realpath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [os.path.join(ROOT, "tests", "integration"), os.path.join(ROOT, "tests", "lab"), HERE]

import agent as agent_kit  # noqa: E402
import manifest  # noqa: E402
import tls_front  # noqa: E402
import transcript  # noqa: E402
import yaml  # noqa: E402
from awslab import namespace  # noqa: E402
from conftest import Lab, account  # noqa: E402

ADDRESS = "10.0.0.6"
MAKE_STEMCELL = os.path.join(ROOT, "tests", "lab", "make-stemcell")
FIRST = ["info", "create_stemcell", "create_vm", "set_vm_metadata", "create_disk", "attach_disk", "set_disk_metadata"]
SECOND = ["info", "create_stemcell", "has_vm", "delete_vm", "create_vm", "set_vm_metadata", "attach_disk", "set_disk_metadata", "delete_stemcell"]
LAST = ["info", "has_vm", "delete_vm", "delete_disk", "delete_stemcell"]


def say(text):
    """A step, with the time."""
    print(f"[{time.strftime('%H:%M:%S')}] {text}", flush=True)


def check(holds, what):
    """One line for each thing that was to be shown; the first that does not hold is the end."""
    print(f"  {'ok   ' if holds else 'WRONG'} {what}", flush=True)
    if not holds:
        raise SystemExit(f"acceptance: WRONG: {what}")


class Run:
    """One acceptance run: its folder, the lab, the command line with a home of its own."""

    def __init__(self, options, lab, work, scratch):
        self.lab = lab
        self.work = work  # what is kept
        self.scratch = scratch  # what is not: it holds secrets
        self.bosh = options.bosh
        self.release = os.path.abspath(options.release)
        self.state = os.path.join(scratch, "state.json")
        self.store = os.path.join(scratch, "creds.yml")
        self.vars = os.path.join(scratch, "vars.yml")
        self.manifest = os.path.join(scratch, "bosh.yml")
        self.environment = {"PATH": os.environ["PATH"], "HOME": os.path.join(scratch, "home"), "LANG": "C.UTF-8", "TMPDIR": os.path.join(scratch, "tmp")}
        self.front = self.agent = None
        self.modes = set()
        self.calls = []
        for folder in ("home", "tmp"):
            os.mkdir(os.path.join(scratch, folder))
        with open(self.manifest, "w", encoding="utf-8") as file:
            file.write(manifest.MANIFEST)

    def write_vars(self, stemcell, endpoint=""):
        """What an operator gives by -v and --vars-file."""
        env = self.lab.env
        values = {"release": self.release, "release_digest": manifest.digest_of(self.release), "release_version": self.version(),
                  "stemcell": stemcell, "stemcell_digest": manifest.digest_of(stemcell), "az": env["AWS_REGION"] + "a",
                  "region": env["AWS_REGION"], "subnet_id": env["LAB_SUBNET"], "internal_ip": ADDRESS, "default_key_name": env["LAB_KEY_NAME"],
                  "default_security_group": env["LAB_SECURITY_GROUP_NAME"], "access_key_id": env["AWS_ACCESS_KEY_ID"],
                  "secret_access_key": env["AWS_SECRET_ACCESS_KEY"], "aws_endpoint": endpoint}
        with open(self.vars, "w", encoding="utf-8") as file:
            yaml.safe_dump(values, file)
        return values

    def version(self):
        """Of the release, by its own manifest."""
        text = subprocess.run(["tar", "-xzOf", self.release, "release.MF"], check=True, capture_output=True).stdout
        return yaml.safe_load(text)["version"]

    def command(self, *words, more=(), log=None):
        """The bosh command line."""
        environment = self.environment | ({"BOSH_LOG_LEVEL": "debug", "BOSH_LOG_PATH": log} if log else {})
        return subprocess.Popen([self.bosh, "--non-interactive", "--no-color", "--tty", *words, self.manifest, "--vars-file", self.vars, "--vars-store", self.store,
                                 *more], env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=self.scratch)

    def prepare(self, stemcell):
        """Certificates and passwords, made by the command line itself, then the endpoints that need them."""
        self.write_vars(stemcell)
        process = self.command("int")
        said = process.communicate()[0]
        check(process.returncode == 0, f"bosh int makes certificates and passwords{'' if process.returncode == 0 else ': ' + said}")
        with open(self.store, encoding="utf-8") as file:
            store = yaml.safe_load(file)
        for name in ("mbus_tls", "aws_tls"):
            with open(os.path.join(self.scratch, name), "w", encoding="utf-8") as file:
                file.write(store[name]["certificate"] + store[name]["private_key"])
        host, port = self.lab.endpoint.removeprefix("http://").split(":")
        self.front = tls_front.Front(os.path.join(self.scratch, "aws_tls"), (host, int(port)))
        self.agent = agent_kit.Agent(self.lab.ec2, ADDRESS, os.path.join(self.scratch, "mbus_tls"), self.look_at_modes)
        # a property of ours, which no manifest for the Ruby CPI has, by the environment that create-env hands on
        self.environment["AWS_ENDPOINT_URL_EBS"] = f"https://{self.front.address}"

    def secrets(self):
        """What must not be seen."""
        with open(self.store, encoding="utf-8") as file:
            return transcript.secrets_of(yaml.safe_load(file) | {"secret_access_key": self.lab.env["AWS_SECRET_ACCESS_KEY"]})

    def bosh_env(self, what, stemcell):
        """create-env or delete-env, its output shown as it comes, and the calls that it made."""
        values = self.write_vars(stemcell, self.front.address)
        log = os.path.join(self.scratch, "debug.log")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(log)
        start = time.monotonic()
        name = f"{len(os.listdir(self.work)):02d}-{what}"
        process = self.command(what, more=["--state", self.state], log=log)
        with open(os.path.join(self.work, name + ".out"), "w", encoding="utf-8") as out:
            for line in process.stdout:
                print("    " + line, end="", flush=True)
                out.write(transcript.without(line, self.secrets()))
        process.wait()
        with open(log, encoding="utf-8") as file:
            text = file.read()
        made = transcript.calls(text)
        self.calls += made
        for suffix, contents in ((".debug.log", transcript.without(text, self.secrets())), (".calls", transcript.written(made, self.secrets()))):
            with open(os.path.join(self.work, name + suffix), "w", encoding="utf-8") as file:
                file.write(contents)
        check(process.returncode == 0, f"bosh {what} succeeds, in {time.monotonic() - start:.0f} s (release {values['release_version']})")
        check(all(c.status == 0 and c.answer["error"] is None for c in made), f"each of its {len(made)} calls of the CPI is answered without an error")
        return made

    def look_at_modes(self):
        """Of the job's files with secrets, while they are there, once the CPI has been called."""
        for name in ("config/cpi.json", "bin/cpi"):
            for path in glob.glob(os.path.join(self.environment["HOME"], ".bosh", "installations", "*", "jobs", "aws_cpi", name)):
                with contextlib.suppress(FileNotFoundError):
                    self.modes.add((name, stat.S_IMODE(os.stat(path).st_mode)))


def by_method(calls, method):
    """The one call of it."""
    found = [c for c in calls if c.method == method]
    check(len(found) == 1, f"{method} is called once")
    return found[0]


def in_order(calls, methods):
    """Whether these methods come in this order, among others."""
    asked = iter([c.method for c in calls])
    return all(any(method == each for each in asked) for method in methods)


def contents(path, size):
    """The first bytes of a sparse file, or all of it."""
    with open(path, "rb") as file:
        return file.read(size)


def first_deployment(run, stemcell, disk):
    """A heavy stemcell, a VM of it, a persistent disk; what the agent saw."""
    say("bosh create-env: the package is compiled, a heavy stemcell, a VM, a disk")
    calls = run.bosh_env("create-env", stemcell)
    check(in_order(calls, FIRST), "in this order, " + ", ".join(FIRST))
    stemcell_call = by_method(calls, "create_stemcell")
    ami = stemcell_call.result
    check("building the stemcell without an instance" in stemcell_call.log, "this machine is no EC2 instance: the stemcell goes block by block")
    image = run.lab.ec2.describe_images(ImageIds=[ami])["Images"][0]
    snapshot = next(m["Ebs"]["SnapshotId"] for m in image["BlockDeviceMappings"] if "Ebs" in m)
    size = os.path.getsize(disk)
    check(contents(run.lab.snapshot_file(snapshot), size) == contents(disk, size), f"{snapshot} of {ami} holds root.img, byte for byte")
    vm, networks = by_method(calls, "create_vm").result
    check(networks["default"]["ip"] == ADDRESS, "create_vm's answer has the networks")
    machine = run.agent.machine
    check(machine.instance_id == vm and machine.started, f"{vm} runs at {ADDRESS}, and its agent has started the jobs")
    check(machine.settings["mbus"].endswith("@0.0.0.0:6868") and machine.settings["ntp"] == ["time1.google.com", "time2.google.com"],
          "its user data holds the manifest's message bus and time servers")
    tags = {t["Key"]: t["Value"] for t in run.lab.ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [vm]}])["Tags"]}
    check(tags.get("deployment") == "director" and tags.get("job") == "bosh", "set_vm_metadata has tagged it")
    volume = by_method(calls, "create_disk").result
    check(machine.mounted == [volume], f"{volume} is mounted where attach_disk said that it is ({machine.hints[volume]})")
    check(run.modes == {("config/cpi.json", 0o600), ("bin/cpi", 0o700)}, "cpi.json, which holds the keys, is for its owner alone")
    return vm, volume, ami


def the_vms_job(run):
    """The job on the VM, as the Director there would start it."""
    files = {name.split("/", maxsplit=1)[1]: data for name, data in run.agent.jobs.items() if name.startswith("aws_cpi/")}
    check({"bin/cpi", "bin/cpi_ctl", "config/cpi.json", "config/cacert.pem", "monit"} <= set(files), "the VM's own job has all its files")
    properties = json.loads(files["config/cpi.json"])["cloud"]["properties"]
    check(properties["agent"]["mbus"] == f"nats://{ADDRESS}:4222" and "stemcell" not in properties["aws"],
          "its cpi.json has the instance group's properties, and none of ours")


def second_deployment(run, stemcell, before):
    """A light stemcell: another VM, the same disk, and the heavy one's AMI is gone."""
    vm, volume, ami = before
    say("bosh create-env again, with a light stemcell: another VM, the same disk")
    calls = run.bosh_env("create-env", stemcell)
    check(in_order(calls, SECOND), "in this order, " + ", ".join(SECOND))
    light = by_method(calls, "create_stemcell").result
    check(light == run.lab.light_ami + " light", f"the light stemcell is {light}")
    new = by_method(calls, "create_vm").result[0]
    check(new != vm and by_method(calls, "delete_vm").arguments == [vm], f"{vm} gives way to {new}")
    check(run.agent.machine.instance_id == new and run.agent.machine.mounted == [volume], f"{volume} is mounted there")
    there = account(run.lab)
    check(vm not in there["instances"] and ami not in there["images"], f"{vm} and {ami} are gone")
    say("bosh create-env a third time, with nothing changed")
    check(not run.bosh_env("create-env", stemcell), "then the CPI is not asked at all")
    return new


def taken_down(run, stemcell, vm, volume, before):
    """Nothing is left."""
    say("bosh delete-env: everything goes")
    calls = run.bosh_env("delete-env", stemcell)
    check(in_order(calls, LAST), "in this order, " + ", ".join(LAST))
    check(by_method(calls, "delete_vm").arguments == [vm] and by_method(calls, "delete_disk").arguments == [volume], f"{vm} and {volume} are deleted")
    check(account(run.lab) == before, "the account is as it was before")
    check(not os.path.exists(run.state), "and so is the deployment's state")


def no_secrets(run):
    """Neither in what the CPI said nor in what is kept."""
    secrets = run.secrets()
    check(len(secrets) > 20, f"{len(secrets)} texts are secret")
    said = [c.method for c in run.calls if any(secret in c.log + c.answer.get("log", "") for secret in secrets)]
    check(not said, f"none is in the log of a call{': ' + ', '.join(said) if said else ''}")
    kept = "".join(open(path, encoding="utf-8").read() for path in glob.glob(os.path.join(run.work, "*")))
    check(not any(secret in kept for secret in secrets), "none is in what is kept")


def accept(run, before):
    """All of it."""
    heavy, disk = manifest.heavy_stemcell(MAKE_STEMCELL, os.path.join(run.scratch, "heavy"))
    light = manifest.light_stemcell(os.path.join(run.scratch, "light"), run.lab.env["AWS_REGION"], run.lab.light_ami)
    run.prepare(heavy)
    try:
        vm, volume, ami = first_deployment(run, heavy, disk)
        the_vms_job(run)
        vm = second_deployment(run, light, (vm, volume, ami))
        taken_down(run, light, vm, volume, before)
        check(run.front.connections > 0, f"{run.front.connections} connections by TLS, checked against the manifest's ca_cert")
        no_secrets(run)
    finally:
        run.agent.close()
        run.front.close()


def parse():
    """The command line, refused where something is missing."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--release", required=True, help="the release's tarball")
    parser.add_argument("--keep", default=os.path.join(ROOT, "build", "acceptance"), metavar="DIR", help="where requests, answers and logs go")
    options = parser.parse_args()
    options.bosh = shutil.which(os.environ.get("BOSH") or "bosh")
    if options.bosh is None:
        parser.exit(1, "acceptance: there is no bosh command line: put it into PATH, or name it by BOSH=\n")
    if os.geteuid() != 0:
        parser.exit(1, "acceptance: this takes root, for a network namespace in which the VM's address is this machine's\n")
    options.bosh = os.path.abspath(options.bosh)
    return options


def main():
    options = parse()
    start = time.monotonic()
    shutil.rmtree(options.keep, ignore_errors=True)
    os.makedirs(options.keep)
    # TMPDIR's files are read by the sandbox's user, who is nobody: by descriptor alone
    with tempfile.TemporaryDirectory(prefix="aws-cpi-acceptance-") as scratch, namespace.entered([ADDRESS]):
        say("a lab, in a network namespace of its own")
        lab = Lab(os.path.join(scratch, "lab"), "plain")
        try:
            run = Run(options, lab, options.keep, scratch)
            accept(run, account(lab))
        finally:
            lab.down()
    print(f"\nacceptance: {len(run.calls)} calls of the CPI, {len(run.agent.asked)} of the agent, in {time.monotonic() - start:.0f} s; "
          f"requests, answers and logs are in {options.keep}")


if __name__ == "__main__":
    main()
