# SPDX-License-Identifier: Apache-2.0
"""Secrets: a wrong one gives AWS's code in the error, and none, right or wrong, is in any output at any log level."""
import copy
import json
import os
import re
import subprocess
import urllib.parse

import pytest
from conftest import CPI, director_context, director_env, run_cpi, start_cpi, wait_until

LEVELS = ["debug", "info", "warn", "error"]
# With characters that a request's body and JSON write otherwise.
WRONG = "wrong/secret+with=signs\"and\\more0123456789"
REGISTRY = "registry-pass:word@0123"
MBUS = "mbus-pass-0123456789"
BLOBSTORE = "blobstore-pass-0123456789"


def secretive(lab, **aws):
    """The lab's configuration with secrets of every kind in it."""
    config = copy.deepcopy(lab.config)
    properties = config["cloud"]["properties"]
    properties["aws"].update(aws, max_retries=1)
    properties["registry"] = {"endpoint": f"http://admin:{urllib.parse.quote(REGISTRY, safe='')}@127.0.0.1:1", "user": "admin",
                              "password": REGISTRY}
    properties["agent"] = {"mbus": f"nats://nats:{MBUS}@10.0.0.6:4222",
                           "blobstore": {"provider": "dav", "options": {"password": BLOBSTORE}}}
    return config


def forms(secret):
    """How a secret may be written."""
    return {secret, urllib.parse.quote(secret, safe=""), json.dumps(secret)[1:-1], json.dumps(secret)[1:-1].replace("/", "\\/"),
            secret.encode().hex()}


def check_silent(lab, text, *more):
    for secret in (lab.env["AWS_SECRET_ACCESS_KEY"], WRONG, REGISTRY, MBUS, BLOBSTORE, *more):
        for form in forms(secret):
            assert form not in text


def env_at(level, **more):
    """The Director's environment at a log level."""
    return director_env() | {"CPI_LOG_LEVEL": level} | more


@pytest.mark.parametrize("level", LEVELS)
def test_wrong_secret(level, lab):
    """The error has AWS's code; so has the log."""
    result = run_cpi(lab, {"method": "delete_stemcell", "arguments": ["ami-00000000000000000"]},
                     secretive(lab, secret_access_key=WRONG), env=env_at(level))
    error = result.json["error"]
    assert error["type"] == "Bosh::Clouds::CloudError"
    assert re.search("AuthFailure|SignatureDoesNotMatch", error["message"]), error
    assert re.search("AuthFailure|SignatureDoesNotMatch", result.stderr)
    check_silent(lab, result.stdout + result.stderr)


def test_unknown_key(lab):
    result = run_cpi(lab, {"method": "delete_stemcell", "arguments": ["ami-00000000000000000"]},
                     secretive(lab, access_key_id="AKIANOBODYKNOWSTHIS0"), env=env_at("debug"))
    assert re.search("AuthFailure|InvalidClientTokenId|SignatureDoesNotMatch", result.json["error"]["message"])
    check_silent(lab, result.stdout + result.stderr)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("request_", [
    {"method": "info"}, {"method": "ping"}, {"method": "current_vm_id"},
    {"method": "delete_stemcell", "arguments": ["ami-00000000000000000"]},
    {"method": "create_stemcell", "arguments": ["/nowhere", {"ami": {"us-east-1": "ami-00000000000000000"}}]},
    {"method": "create_stemcell", "arguments": ["/nowhere", {"disk": 2048}]},
    {"method": "create_vm", "arguments": []}], ids=lambda r: r["method"])
def test_silent(request_, level, lab):
    result = run_cpi(lab, request_, secretive(lab), env=env_at(level))
    assert result.json is not None
    check_silent(lab, result.stdout + result.stderr)


@pytest.mark.parametrize("fault", [
    {"kind": "error", "status": 500, "code": "InternalError", "message": "no"}, {"kind": "garbage", "body": "<x", "status": 200},
    {"kind": "truncate"}, {"kind": "reset"}, {"kind": "drop"}], ids=lambda f: f["kind"])
def test_silent_in_trouble(fault, lab):
    lab.faults({"action": "*", "count": -1, **fault})
    result = run_cpi(lab, {"method": "delete_stemcell", "arguments": ["ami-00000000000000000"]}, secretive(lab),
                     env=env_at("debug"))
    assert result.json["error"] is not None
    check_silent(lab, result.stdout + result.stderr)


def test_aws_repeats_the_secret(lab):
    """Whatever the other side says goes through the same filter."""
    for secret in (lab.env["AWS_SECRET_ACCESS_KEY"], MBUS):
        lab.faults({"action": "*", "kind": "error", "status": 400, "code": "Oops", "message": f"you sent {secret}!", "count": -1})
        result = run_cpi(lab, {"method": "delete_stemcell", "arguments": ["ami-00000000000000000"]}, secretive(lab),
                         env=env_at("debug"))
        assert "Oops" in result.json["error"]["message"]
        check_silent(lab, result.stdout + result.stderr)
        lab.clear()


def test_session_token(lab):
    """Temporary keys: the token is signed, and as secret as the key."""
    lab.client("iam").create_role(RoleName="temporary", AssumeRolePolicyDocument=json.dumps({"Statement": [
        {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}]}))
    keys = lab.client("sts").assume_role(RoleArn="arn:aws:iam::123456789012:role/temporary", RoleSessionName="test")["Credentials"]
    config = secretive(lab, access_key_id=keys["AccessKeyId"], secret_access_key=keys["SecretAccessKey"],
                       session_token=keys["SessionToken"])
    result = run_cpi(lab, {"method": "delete_stemcell", "arguments": ["ami-00000000000000000"]}, config, env=env_at("debug"))
    assert result.json is not None
    check_silent(lab, result.stdout + result.stderr, keys["SecretAccessKey"], keys["SessionToken"])


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("command", [["check"], ["check", "--json"], ["sweep"]], ids=" ".join)
def test_commands_are_silent(command, level, lab, tmp_path):
    path = tmp_path / "cpi.json"
    for secret in (lab.env["AWS_SECRET_ACCESS_KEY"], WRONG):
        path.write_text(json.dumps(secretive(lab, secret_access_key=secret)))
        result = subprocess.run([CPI, command[0], str(path), *command[1:]], env=env_at(level), capture_output=True, text=True,
                                stdin=subprocess.DEVNULL, timeout=60, check=False)
        check_silent(lab, result.stdout + result.stderr)


def test_no_core_no_arguments(lab):
    """While a call runs: no secret in the arguments, and no core file may be written."""
    lab.faults({"action": "*", "kind": "delay", "seconds": 3, "count": 1})
    lab.forget_calls()
    process = start_cpi(lab, secretive(lab), env=env_at("debug"))
    process.stdin.write(json.dumps({"method": "delete_stemcell", "arguments": ["ami-00000000000000000"],
                                    "context": director_context()}).encode())
    process.stdin.close()
    wait_until(lab.calls)
    with open(f"/proc/{process.pid}/limits", encoding="ascii") as f:
        limits = f.read()
    with open(f"/proc/{process.pid}/cmdline", "rb") as f:
        check_silent(lab, f.read().decode())
    assert re.search(r"Max core file size +0 +0 ", limits)
    out, err = process.stdout.read(), process.stderr.read()
    process.wait(60)
    check_silent(lab, (out + err).decode())


def test_environments_secret(lab):
    """Where the keys are in the environment, as create-env hands them on."""
    config = secretive(lab, credentials_source="env_or_profile", access_key_id=None, secret_access_key=None)
    env = dict(os.environ) | env_at("debug", AWS_ACCESS_KEY_ID=lab.env["AWS_ACCESS_KEY_ID"], AWS_SECRET_ACCESS_KEY=WRONG)
    result = run_cpi(lab, {"method": "delete_stemcell", "arguments": ["ami-00000000000000000"]}, config, env=env)
    assert re.search("AuthFailure|SignatureDoesNotMatch", result.json["error"]["message"])
    check_silent(lab, result.stdout + result.stderr)
