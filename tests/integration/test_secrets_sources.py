# SPDX-License-Identifier: Apache-2.0
"""Secrets, source by source: whatever a source of credentials has given, or was given to ask it, is in no output, no file, no
process's arguments, and in nobody else's environment; also where others repeat it, in errors of theirs. And no core dump.

The test learns those secrets by standing in between: everything that cpi asks for goes through it."""
import json
import os
import re
import resource
import shutil
import signal
import stat
import subprocess
import tempfile
import threading
import warnings
from urllib.parse import parse_qs

import pytest
from conftest import CPI, director_env, request_bytes, run_cpi, wait_until
from credentials_kit import Machine
from test_create_stemcell import heavy
from test_secrets import forms
from wire_kit import Front, Watched, answer_bytes

NOBODY = 65534
CREATE_DISK = {"method": "create_disk", "arguments": [2048, {}, None]}
HAS_VM = {"method": "has_vm", "arguments": ["i-0123456789abcdef0"]}
# in answers: JSON's names, and STS's
IN_ANSWERS = re.compile(r'"(?:SecretAccessKey|secretAccessKey|Token|sessionToken|accessToken|refreshToken|access_token|refresh_token)"'
                        r'\s*:\s*"([^"]+)"|<(?:SecretAccessKey|SessionToken)>([^<]+)<')
IN_HEADERS = ("authorization", "x-amz-security-token", "x-amz-sso_bearer_token", "x-aws-ec2-metadata-token")


class Listening(Front):
    """Hands on to an address, and tells of each secret in requests and answers. answering(request, head, body) may change
    an answer."""

    def __init__(self, lab, upstream, tell, answering):
        super().__init__(lab, upstream=upstream)
        self._tell, self._answering = tell, answering

    def ask(self, request):
        for secret in self._asked(request):
            self._tell(secret)
        self._tell(None)
        head, body = super().ask(request)
        text = body.decode("utf-8", "replace")
        for found in IN_ANSWERS.findall(text):
            self._tell(found[0] or found[1])
        if request.method == "PUT":  # the metadata service's token is all of the answer
            self._tell(text)
        return self._answering(request, head, body)

    @staticmethod
    def _asked(request):
        values = [request.header(name) for name in IN_HEADERS]
        yield from (value for value in values if value and not value.startswith("AWS4-"))
        try:
            asked = json.loads(request.body)
        except ValueError:
            asked = {k: v[0] for k, v in parse_qs(request.body.decode("latin-1")).items()}
        yield from (asked[k] for k in ("WebIdentityToken", "clientSecret", "refreshToken") if k in asked)


class Overheard(Machine):
    """A machine all of whose questions about credentials, and calls to AWS, go through this test."""

    def __init__(self, lab, home):
        super().__init__(lab, home, None)
        self.fetched = []  # what sources have given, and was used to ask them
        self.had = []      # of these, what cpi had when it last asked
        self.withheld = set()
        self.answering = lambda request, head, body: (head, body)
        self.fronts = [Listening(lab, upstream, self._hear, lambda *told: self.answering(*told)) for upstream in (
            lab.endpoint, lab.env["LAB_CONTAINER"], lab.config["cloud"]["properties"]["aws"]["metadata_endpoint"])]
        self.aws, self.agent, self.metadata = self.fronts
        self.env |= {"AWS_ENDPOINT_URL": self.aws.url, "AWS_EC2_METADATA_SERVICE_ENDPOINT": self.metadata.url,
                     "CPI_LOG_LEVEL": "debug", "TMPDIR": str(home / "tmp")}
        (home / "tmp").mkdir()

    def _hear(self, secret):
        if secret is None:
            self.had = [each for each in self.fetched if each not in self.withheld]
        elif secret not in self.fetched:
            self.fetched.append(secret)

    def written(self):
        """What the operator has in files and variables."""
        told, keys = self.told, {user["secret_access_key"] for user in self.told["users"].values()}
        return keys | {told["web_identity"]["token"], told["sso"]["access_token"], told["sso"]["refresh_token"],
                       told["sso"]["client_secret"], told["container"]["pod_token"], self.lab.env["AWS_SECRET_ACCESS_KEY"]}

    # sources that are not in Machine, or not at addresses of this test

    def static(self):
        """The configuration's own; see cpi_config."""

    def session(self):
        """Temporary keys in the environment."""
        role = self.lab.client("sts").assume_role(RoleArn=self.told["roles"]["lab-role"], RoleSessionName="tester")["Credentials"]
        self.env |= {"AWS_ACCESS_KEY_ID": role["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": role["SecretAccessKey"],
                     "AWS_SESSION_TOKEN": role["SessionToken"]}
        self.extra = {role["SecretAccessKey"], role["SessionToken"]}

    def sso_refreshed(self):
        """A login that has expired, and is refreshed."""
        self.sso()
        self.sso_token(seconds=-60, accessToken=self.told["sso"]["expired_access_token"])

    def pod(self, origin=None):
        super().pod(origin or self.agent.url)

    def pod_variable(self):
        """The token in a variable, in place of a file."""
        self.env |= {"AWS_CONTAINER_CREDENTIALS_FULL_URI": self.agent.url + self.told["container"]["pod"],
                     "AWS_CONTAINER_AUTHORIZATION_TOKEN": self.told["container"]["pod_token"]}

    def role_of_role(self):
        """A chain of two."""
        self.role()
        self.section("profile first").update({"role_arn": self.told["roles"]["lab-role"], "source_profile": "source"})
        self.profile().update({"role_arn": self.told["roles"]["lab-role-2"], "source_profile": "first"})

    def process_with_role(self):
        """A role by what a process gives."""
        super().process()
        command = self.profile().pop("credential_process")
        self.section("profile source")["credential_process"] = command
        self.profile().update({"role_arn": self.told["roles"]["lab-role"], "source_profile": "source"})

    extra = frozenset()

    def secrets(self):
        """All."""
        return set(self.fetched) | self.written() | set(self.extra)


WAYS = ["static", "session", "environment", "shared_file", "config_file", "process", "process_with_role", "role",
        "role_of_role", "web_environment", "web_profile", "sso", "sso_refreshed", "pod", "pod_variable", "instance"]
# what each must have let this test overhear: without it, the test would look for nothing
FETCHING = {"role": 2, "role_of_role": 4, "process_with_role": 2, "web_environment": 3, "web_profile": 3, "sso": 3,
            "sso_refreshed": 6, "pod": 3, "pod_variable": 3, "instance": 3}


@pytest.fixture
def heard(lab, tmp_path):
    """A machine without credentials, overheard."""
    before = {v["VolumeId"] for v in lab.ec2.describe_volumes()["Volumes"]}
    made = Overheard(lab, tmp_path)
    yield made
    lab.reset()
    for front in made.fronts:
        front.close()
    for volume in {v["VolumeId"] for v in lab.ec2.describe_volumes()["Volumes"]} - before:
        lab.ec2.delete_volume(VolumeId=volume)


def configured(heard, way, **aws):
    """The configuration for that way."""
    heard.write()
    config = heard.cpi_config(**aws)
    properties = config["cloud"]["properties"]["aws"]
    if way == "static":
        properties.update({"credentials_source": "static", "access_key_id": heard.lab.env["AWS_ACCESS_KEY_ID"],
                           "secret_access_key": heard.lab.env["AWS_SECRET_ACCESS_KEY"]})
    properties.update(ec2_endpoint=heard.aws.url, elb_endpoint=heard.aws.url)
    return config


def assert_silent(secrets, text, where):
    for secret in secrets:
        for form in forms(secret):
            assert form not in text, f"{form} in {where}:\n{text}"


def check_files(heard, secrets):
    """All that cpi has written but the SSO cache, which is the AWS CLI's own and has its mode."""
    for folder in ("state", "tmp"):
        for path, _, names in os.walk(heard.home / folder):
            for name in names:
                with open(os.path.join(path, name), "rb") as f:
                    assert_silent(secrets, f.read().decode("utf-8", "replace"), os.path.join(path, name))
    for path in (heard.home / ".aws").rglob("*"):
        assert path.is_dir() or path.parent.name == "cache" or path.name in ("config", "credentials"), path
        assert path.parent.name != "cache" or stat.S_IMODE(path.stat().st_mode) == 0o600


def check_process(pid, fetched, secrets):
    """Arguments, environment, and the limit on dumps of a process."""
    with open(f"/proc/{pid}/cmdline", "rb") as f:
        assert_silent(secrets, f.read().decode("utf-8", "replace"), "arguments")
    with open(f"/proc/{pid}/environ", "rb") as f:
        assert_silent(fetched, f.read().decode("utf-8", "replace"), "environment")
    with open(f"/proc/{pid}/limits", encoding="ascii") as f:
        assert re.search(r"Max core file size +0 +0 ", f.read())


# --- as it should be ---

@pytest.mark.parametrize("way", WAYS)
def test_silent(heard, way):
    """A call with a journal, looked at in the middle and at the end."""
    reached, go_on = threading.Event(), threading.Event()
    getattr(heard, way)()

    def held(request, head, body):
        if request.action == "DescribeVolumes":
            reached.set()
            go_on.wait(60)
        return head, body
    heard.answering = held
    running = Watched(heard.lab, heard.aws.url, CREATE_DISK, heard.env, configured(heard, way))
    assert reached.wait(60), running.log
    check_process(running.pid, set(heard.fetched) - set(heard.env.values()), heard.secrets())
    check_files(heard, heard.secrets())
    go_on.set()
    answer = running.end()
    assert '"error":null' in answer, answer + running.log
    assert len(heard.fetched) >= FETCHING.get(way, 0), heard.fetched
    assert_silent(heard.secrets(), answer + running.log, "the output")
    check_files(heard, heard.secrets())
    assert "from " in running.log and "AWS credentials: access key" in running.log  # it was the debug log


@pytest.mark.parametrize("options", [[], ["--json"]], ids=["text", "json"])
@pytest.mark.parametrize("way", WAYS)
def test_check_is_silent(heard, way, options):
    """It says whose credentials they are, and from where, but not what."""
    getattr(heard, way)()
    path = heard.home / "cpi.json"
    path.write_text(json.dumps(configured(heard, way)))
    result = subprocess.run([CPI, "check", *options, str(path)], env=heard.env, stdin=subprocess.DEVNULL, capture_output=True,
                            text=True, timeout=60, check=False)
    assert "access key" in result.stdout + result.stderr
    assert len(heard.fetched) >= FETCHING.get(way, 0), result.stdout + result.stderr
    assert_silent(heard.secrets(), result.stdout + result.stderr, "the output")


# --- as others would have it ---

def error_answer(status, message):
    """An error of EC2's, as head and body."""
    whole = answer_bytes(status, f"<Response><Errors><Error><Code>Oops</Code><Message>{message}</Message></Error></Errors>"
                         "<RequestID>r-1</RequestID></Response>")
    head, _, body = whole.partition(b"\r\n\r\n")
    return head + b"\r\n\r\n", body


def in_use(heard, way):
    """The secrets of a call by a way that fetches none."""
    users = {"shared_file": "shared-file", "config_file": "config-file", "environment": "environment", "process": "process"}
    if way == "session":
        return sorted(heard.extra)
    if way == "static":
        return [heard.lab.env["AWS_SECRET_ACCESS_KEY"]]
    return [heard.told["users"][users[way]]["secret_access_key"]]


@pytest.mark.parametrize("way", WAYS)
def test_aws_repeats_them(heard, way):
    """EC2 answers with an error that quotes a secret, whole, and in a message so long that it is cut within the secret."""
    getattr(heard, way)()
    config = configured(heard, way)
    own = [] if way in FETCHING else in_use(heard, way)
    for n in (-2, -1) if way in FETCHING else range(len(own)):  # what is fetched last is a key and its token
        for padding in (0, 1850, 1900, 1925):
            heard.fetched.clear()
            quoted = []

            def quoting(request, head, body, n=n, padding=padding, quoted=quoted):
                if request.action != "DescribeInstances":
                    return head, body
                quoted.append((own or heard.fetched)[n])
                return error_answer(400, "x" * padding + f" {quoted[0]} is yours")
            heard.answering = quoting
            result = run_cpi(heard.lab, HAS_VM, config, heard.env)
            assert padding or "Oops" in result.json["error"]["message"], result.stdout
            assert quoted, result.stdout
            assert_silent({*heard.fetched, quoted[0], quoted[0][:12]}, result.stdout + result.stderr, "the output")


GIVING = re.compile(r"/federation/credentials|/token$|/v1/credentials|/v2/credentials|/iam/security-credentials/.")


def refuses(heard, request, body):
    """Status and body: an error that quotes all that cpi has."""
    del body
    message = " ".join(heard.had)
    if request.action:
        return 403, f"<ErrorResponse><Error><Code>Oops</Code><Message>{message}</Message></Error></ErrorResponse>"
    return 400, json.dumps({"message": message, "error_description": message, "error": "invalid_grant", "code": message,
                            "__type": "OopsException:" + message, "Code": message})


def codes(heard, request, body):
    """An error whose code is the last thing that cpi was given, or has sent."""
    del request, body
    code = heard.had[-1] if heard.had else "Oops"
    return 400, json.dumps({"__type": code, "code": code, "error": code, "Code": code, "message": "no"})


def half(heard, request, body):
    """An answer that is cut."""
    del heard, request
    return 200, body[:len(body) * 2 // 3]


def undated(heard, request, body):
    """An answer without a time."""
    del heard, request
    for name in (b"Expiration", b"expiration", b"expiresIn"):
        body = body.replace(b'"' + name + b'"', b'"x"').replace(b"<" + name + b">", b"<x>").replace(b"</" + name, b"</x")
    return 200, body


def text(heard, request, body):
    """All that cpi has, in no form that there is."""
    del request, body
    return 200, "\n".join(heard.had)


def numbers(heard, request, body):
    """Its secrets, and a wrong type beside them."""
    del heard, request
    return 200, re.sub(rb'"(AccessKeyId|accessKeyId)"\s*:\s*"[^"]*"', rb'"\1": 4711', body.replace(b"AKI", b"A K\n").replace(
        b"ASI", b"A S\n"))


@pytest.mark.parametrize("what", [refuses, codes, half, undated, text, numbers], ids=lambda f: f.__name__)
@pytest.mark.parametrize("way, skipped", [(way, 0) for way in FETCHING] + [("role_of_role", 1), ("sso_refreshed", 1)])
def test_a_source_repeats_them(heard, way, skipped, what):
    """The one who is asked for credentials, or the one who is asked after that, answers with an error, or with something else,
    that holds them."""
    getattr(heard, way)()
    asked, changed = [], []

    def changing(request, head, body):
        if not request.action.startswith("Assume") and not GIVING.search(request.target):
            return head, body
        asked.append(request)
        if len(asked) <= skipped:
            return head, body
        heard.withheld |= set(heard.fetched) - set(heard.had)
        status, data = what(heard, request, body)
        changed.append(request)
        head, _, data = answer_bytes(status, data).partition(b"\r\n\r\n")
        return head + b"\r\n\r\n", data
    heard.answering = changing
    result = run_cpi(heard.lab, HAS_VM, configured(heard, way), heard.env)
    assert changed
    assert_silent(heard.secrets(), result.stdout + result.stderr, "the output")
    check_files(heard, heard.secrets())


@pytest.mark.parametrize("name", ["config", "credentials"])
def test_a_line_that_is_none(heard, name):
    """Files are quoted by file, section and key, not by line."""
    secret = heard.told["users"]["shared-file"]["secret_access_key"]
    for line in (f"aws_secret_access_key {secret}", secret, f"[{secret}", f"[profile {secret}", f"= {secret}", f"  {secret}"):
        heard.shared_file()
        config = configured(heard, "shared_file")
        with open(heard.home / ".aws" / name, "a", encoding="utf-8") as f:
            f.write(f"\n{line}\n")
        result = run_cpi(heard.lab, HAS_VM, config, heard.env)
        assert_silent([secret], result.stdout + result.stderr, line)


@pytest.mark.parametrize("head", ["", "cat <<'END' >&2\n{0}\nEND\nexit 3", "cat <<'END'\n{{\"Version\": 1, \"Secret\": \"{0}\nEND\nexit 0",
                                  "cat <<'END'\n{0}\nEND\nkill -9 $$", "cat <<'END'\n{0}"], ids=range(5))
def test_a_process_repeats_them(heard, head):
    """On either stream, whole, cut, and in its last words."""
    secret = heard.told["users"]["process"]["secret_access_key"]
    heard.process(head=head.format(secret))
    result = run_cpi(heard.lab, HAS_VM, configured(heard, "process"), heard.env)
    assert (result.json["error"] is None) == (head == ""), result.stdout
    assert_silent(heard.secrets(), result.stdout + result.stderr, "the output")


# --- children ---

WITNESS = """#!/bin/sh
cat /proc/self/environ >>'{0}/environ'
cat /proc/$$/cmdline >>'{0}/cmdline'
"""


def check_witness(heard):
    """A child had the operator's environment and nothing more."""
    told = dict(entry.split("=", 1) for entry in (heard.home / "environ").read_text().split("\0") if entry)
    assert told["PATH"] == heard.env["PATH"] and told["HOME"] == heard.env["HOME"]
    assert {k: v for k, v in told.items() if k not in ("PWD", "SHLVL", "OLDPWD", "_")}.items() <= heard.env.items()
    assert_silent(heard.secrets(), (heard.home / "cmdline").read_text(), "arguments")


def test_the_environment_of_a_process(heard):
    heard.process(head=WITNESS.format(heard.home))
    assert run_cpi(heard.lab, HAS_VM, configured(heard, "process"), heard.env).json["error"] is None
    check_witness(heard)


@pytest.mark.parametrize("way", ["role", "sso_refreshed", "pod_variable", "session"])
def test_the_environment_of_onhost(heard, stemcell, way):
    """It is started when everything has been fetched; and it asks AWS nothing, so that it gets nothing of the operator's."""
    getattr(heard, way)()
    witness = heard.home / "witness"
    config = configured(heard, way)
    properties = config["cloud"]["properties"]["aws"]
    witness.write_text(WITNESS.format(heard.home) + f"exec '{properties['stemcell']['onhost_path']}' \"$@\"\n")
    witness.chmod(0o700)
    properties["stemcell"]["onhost_path"] = str(witness)
    properties["metadata_endpoint"] = heard.metadata.url
    del heard.env["AWS_EC2_METADATA_DISABLED"]
    result = run_cpi(heard.lab, heavy(stemcell), config, heard.env)
    assert result.json["error"] is None, result.stdout + result.stderr
    assert len(heard.fetched) >= FETCHING.get(way, 0)
    check_witness(heard)
    assert_silent(heard.secrets(), (heard.home / "environ").read_text(), "onhost's environment")
    assert_silent(heard.secrets(), result.stdout + result.stderr, "the output")
    deleted = {"method": "delete_stemcell", "arguments": [result.json["result"]]}
    assert run_cpi(heard.lab, deleted, config, heard.env).json["error"] is None


# --- memory ---

def unlimited():
    """Dumps as large as they come."""
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))


def dumped(process):
    """Whether the process that ends now has left a core dump, by the kernel's own word."""
    _, status = os.waitpid(process.pid, 0)
    assert os.WIFSIGNALED(status)
    process.returncode = -os.WTERMSIG(status)
    return os.WCOREDUMP(status)


def test_others_dump(tmp_path):
    """So that the next test can fail; where machines dump nothing at all, it cannot."""
    with subprocess.Popen(["sleep", "100"], cwd=tmp_path, preexec_fn=unlimited) as other:
        os.kill(other.pid, signal.SIGSEGV)
        if not dumped(other):
            warnings.warn("this machine makes no core dumps")


@pytest.mark.parametrize("number", [signal.SIGABRT, signal.SIGQUIT, signal.SIGTRAP])
def test_no_core_dump(heard, number):
    """Nor would it where the limit that came along is none."""
    folder = heard.home / "cores"
    folder.mkdir()
    reached = threading.Event()

    def held(request, head, body):
        reached.set()
        threading.Event().wait(5)
        return head, body
    heard.answering = held
    heard.role()
    config = folder.parent / "cpi.json"
    config.write_text(json.dumps(configured(heard, "role")))
    with subprocess.Popen([CPI, str(config)], cwd=folder, env=heard.env, preexec_fn=unlimited, stdin=subprocess.PIPE,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        process.stdin.write(request_bytes(HAS_VM))
        process.stdin.close()
        assert reached.wait(60)
        os.kill(process.pid, number)
        assert not dumped(process)
    assert not list(folder.iterdir())


def test_nobody_reads_the_memory(lab):
    """Not even a program of the same user: neither a debugger, nor one that looks at the environment."""
    user = NOBODY if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        os.chmod(folder, 0o755)
        program, config = os.path.join(folder, "cpi"), os.path.join(folder, "cpi.json")
        shutil.copy(CPI, program)
        with open(config, "w", encoding="utf-8") as f:
            json.dump(lab.config, f)
        lab.faults({"action": "*", "kind": "hang", "seconds": 60, "count": -1})
        lab.forget_calls()
        with subprocess.Popen([program, config], user=user, env=director_env(folder), stdin=subprocess.PIPE,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process, \
                subprocess.Popen(["sleep", "100"], user=user) as other:
            process.stdin.write(request_bytes(HAS_VM))
            process.stdin.close()
            wait_until(lab.calls)
            readable = {pid: subprocess.run(["cat", f"/proc/{pid}/environ"], user=user, capture_output=True, check=False,
                                            timeout=60).returncode == 0 for pid in (process.pid, other.pid)}
            other.kill()
            process.terminate()
        assert readable == {process.pid: False, other.pid: True}


