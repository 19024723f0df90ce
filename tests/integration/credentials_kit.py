# SPDX-License-Identifier: Apache-2.0
"""The places where credentials can be, as files and variables that a program finds: each method of Machine puts something there.
"""
import configparser
import datetime
import hashlib
import json
import os
import stat
import subprocess
import sys

from conftest import CPI, director_env, run_cpi

HERE = os.path.dirname(os.path.abspath(__file__))
NOBODY = "i-0123456789abcdef0"


def iso(seconds):
    """A time that many seconds from now."""
    when = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


class Boto3:
    """whoami_boto3.py, kept running."""

    def __init__(self, home):
        self._process = subprocess.Popen([sys.executable, os.path.join(HERE, "whoami_boto3.py")], stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE, env={"PATH": os.environ["PATH"], "HOME": str(home)}, text=True)

    def who(self, env):
        """{"arn", "access_key_id"} or {"error"} of that environment."""
        print(json.dumps(env), file=self._process.stdin, flush=True)
        return json.loads(self._process.stdout.readline())

    def end(self):
        """Ends the program."""
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(10)


class Machine:
    """A home directory, an environment, and a lab that plays AWS. Nothing is there at first but instance metadata, switched
    off."""

    def __init__(self, lab, home, boto3):
        self.lab, self.home, self.boto3 = lab, home, boto3
        self.told = lab.identities
        self.env = director_env(home) | {
            "HOME": str(home), "AWS_ENDPOINT_URL": lab.endpoint, "AWS_DEFAULT_REGION": lab.env["AWS_REGION"],
            "AWS_EC2_METADATA_DISABLED": "true", "AWS_CPI_STATE_DIR": str(home / "state")}
        self.config, self.credentials = configparser.RawConfigParser(), configparser.RawConfigParser()
        self.name = "default"

    # what is asked

    def write(self):
        """The files, as they have been put together."""
        (self.home / ".aws").mkdir(exist_ok=True)
        for name, parser in (("config", self.config), ("credentials", self.credentials)):
            with open(self.home / ".aws" / name, "w", encoding="utf-8") as f:
                parser.write(f)

    def by_boto3(self):
        """The ARN of whom boto3 is here, None where it is nobody; and its error."""
        self.write()
        told = self.boto3.who(self.env)
        return told.get("arn"), told.get("error")

    def cpi_config(self, **aws):
        """cpi.json without keys."""
        config = json.loads(json.dumps(self.lab.config))
        properties = config["cloud"]["properties"]["aws"]
        for name in ("access_key_id", "secret_access_key", "metadata_endpoint", "ec2_endpoint", "elb_endpoint", "ebs_endpoint"):
            del properties[name]
        properties.update({"credentials_source": "env_or_profile", "max_retries": 1}, **aws)
        return config

    def ask(self, **aws):
        """One has_vm of cpi."""
        self.write()
        return run_cpi(self.lab, {"method": "has_vm", "arguments": [NOBODY]}, self.cpi_config(**aws), env=self.env)

    def by_cpi(self, **aws):
        """The ARN of the key that signed cpi's call, None where it makes none, and cpi's result."""
        self.lab.forget_calls()
        result = self.ask(**aws)
        keys = {c["access_key_id"] for c in self.lab.calls("DescribeInstances")}
        assert len(keys) <= 1
        return (self.lab.owner(keys.pop()) if keys else None), result

    def check(self, *options):
        """cpi check."""
        self.write()
        path = self.home / "cpi.json"
        path.write_text(json.dumps(self.cpi_config()))
        return subprocess.run([CPI, "check", str(path), *options], env=self.env, stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=60, check=False)

    # where things are

    def profile(self):
        """The section of the active profile in the config file."""
        return self.section("profile " + self.name if self.name != "default" else "default")

    def section(self, name, parser=None):
        """A section of a file, made if need be."""
        parser = parser or self.config
        if not parser.has_section(name) and name != "default":
            parser.add_section(name)
        if name == "default" and not parser.has_section("default"):
            parser.read_string("[default]\n")
        return parser[name]

    def file(self, name, text, mode=0o600):
        """A file in the home directory; its path."""
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        return str(path)

    def keys_of(self, user):
        """A user's keys in the words of the shared files."""
        told = self.told["users"][user]
        return {"aws_access_key_id": told["access_key_id"], "aws_secret_access_key": told["secret_access_key"]}

    # the sources, in the order in which they are looked at

    def environment(self):
        self.env |= {name.upper(): value for name, value in self.keys_of("environment").items()}

    def role(self):
        self.profile().update({"role_arn": self.told["roles"]["lab-role"], "source_profile": "source",
                               "role_session_name": "tester"})
        self.section("source", self.credentials).update(self.keys_of("source"))

    def web_environment(self):
        self.env |= {"AWS_WEB_IDENTITY_TOKEN_FILE": self.file("token", self.told["web_identity"]["token"]),
                     "AWS_ROLE_ARN": self.told["roles"]["lab-web"], "AWS_ROLE_SESSION_NAME": "pod-tester"}

    def web_profile(self):
        self.profile().update({"role_arn": self.told["roles"]["lab-web"], "role_session_name": "file-tester",
                               "web_identity_token_file": self.file("token", self.told["web_identity"]["token"])})

    def sso(self, session="lab"):
        told = self.told["sso"]
        where = self.section(f"sso-session {session}") if session else self.profile()
        where.update({"sso_start_url": told["start_url"], "sso_region": told["region"]})
        self.profile().update({"sso_account_id": told["account_id"], "sso_role_name": told["role_name"]})
        if session:
            self.profile()["sso_session"] = session
        self.sso_token(session)

    def sso_path(self, session="lab"):
        """The cached token's path."""
        name = hashlib.sha1((session or self.told["sso"]["start_url"]).encode()).hexdigest()
        return self.home / ".aws" / "sso" / "cache" / f"{name}.json"

    def sso_token(self, session="lab", seconds=8 * 3600, **more):
        """The cached token as `aws sso login` leaves it."""
        told = self.told["sso"]
        token = {"startUrl": told["start_url"], "region": told["region"], "accessToken": told["access_token"],
                 "expiresAt": iso(seconds), "clientId": told["client_id"], "clientSecret": told["client_secret"],
                 "registrationExpiresAt": iso(30 * 86400), "refreshToken": told["refresh_token"], **more}
        token = {k: v for k, v in token.items() if v is not None}
        self.file(self.sso_path(session).relative_to(self.home), json.dumps(token))

    def shared_file(self):
        self.section(self.name, self.credentials).update(self.keys_of("shared-file"))

    def process(self, text=None, head=""):
        told = self.told["users"]["process"]
        text = text or json.dumps({"Version": 1, "AccessKeyId": told["access_key_id"],
                                   "SecretAccessKey": told["secret_access_key"]})
        script = self.file("a process", f"#!/bin/sh\n{head}\ncat <<'END'\n{text}\nEND\n", stat.S_IRWXU)
        self.profile()["credential_process"] = f'"{script}" --for "the lab"'

    def config_file(self):
        self.profile().update(self.keys_of("config-file"))

    def task(self):
        self.env["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] = self.told["container"]["task"]

    def pod(self, origin="http://169.254.170.23"):
        self.env |= {"AWS_CONTAINER_CREDENTIALS_FULL_URI": origin + self.told["container"]["pod"],
                     "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": self.file("pod-token", self.told["container"]["pod_token"])}

    def instance(self):
        del self.env["AWS_EC2_METADATA_DISABLED"]


# Each with the end of the ARN that it leads to.
SOURCES = {"environment": "user/lab-environment", "role": "assumed-role/lab-role/tester",
           "web_environment": "assumed-role/lab-web/pod-tester", "web_profile": "assumed-role/lab-web/file-tester",
           "sso": "assumed-role/AWSReservedSSO_LabAccess_0123456789abcdef/alice", "shared_file": "user/lab-shared-file",
           "process": "user/lab-process", "config_file": "user/lab-config-file", "task": "assumed-role/lab-task/lab-container",
           "pod": "assumed-role/lab-pod/lab-container", "instance": "assumed-role/lab-builder/i-lab"}
