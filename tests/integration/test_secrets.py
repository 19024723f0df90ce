# SPDX-License-Identifier: Apache-2.0
"""Secrets: a wrong one gives AWS's code in the error, and none, right or wrong, is in any output at any log level."""
import base64
import copy
import json
import os
import re
import subprocess
import urllib.parse

import pytest
from conftest import CPI, director_context, director_env, run_cpi, start_cpi, wait_until
from scenarios import create_vm, dynamic, holdings, wipe

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
    return {secret, urllib.parse.quote(secret, safe=""), base64.b64encode(secret.encode()).decode(), json.dumps(secret)[1:-1], json.dumps(secret)[1:-1].replace("/", "\\/"),
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
    lab.faults({"action": "*", "kind": "hold"})
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
    lab.release()
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


# --- what a request brings ---

class Planted(dict):
    """A text for each place that is asked for, which is found again wherever it goes."""

    def __missing__(self, place):
        self[place] = f"planted in {place} " + "/+=\"\\ä"[len(self) % 6] + f"{len(self):04}"
        return self[place]


def vm_request(lab, planted):
    """A create_vm with a secret wherever one may be: by its name, or by its place alone."""
    networks = {"default": dynamic(lab, unlisted=planted["a network"], cloud_properties={
        "security_groups": ["bosh"], "password": planted["cloud properties of a network"]})}
    properties = {"tags": {"type": planted["tags"], "name": planted["tags again"], "n": 7},
                  "api_token": planted["cloud properties"]}
    env = {"bosh": {
        "password": planted["the password"], "type": planted["env under a key that may be shown elsewhere"],
        "mbus": {"cert": {"ca": planted["the ca"], "private_key": f"-----BEGIN\n{planted['the key']}\n-----END\n"}},
        "blobstores": [{"provider": "dav", "options": {"user": planted["the user"], "password": planted["the blobstore"]}}],
        "tags": {"owner": planted["env tags"]}, "groups": [planted["groups"]]},
        "own": [{"deep": [planted["a list"]]}]}
    return create_vm(lab, networks, properties, env=env)


def config_with(lab, planted):
    """The configuration likewise."""
    config = secretive(lab)
    config["cloud"]["properties"]["agent"] = {
        "mbus": f"nats://nats:{MBUS}@10.0.0.6:4222", "ntp": ["0.pool.ntp.org"],
        "blobstore": {"provider": "s3", "options": {
            "access_key_id": planted["the blobstore's id"], "secret_access_key": planted["the blobstore's key"],
            "json_key": planted["a key file"], "odd": planted["an option"]}},
        "more": {"deep": [planted["the agent's configuration"]]}}
    del config["cloud"]["properties"]["registry"]
    return config


@pytest.fixture
def vms(lab):
    """What a test makes, goes."""
    before = holdings(lab)
    yield
    lab.reset()
    wipe(lab, before)


def check_planted(planted, text):
    for place, secret in planted.items():
        for form in forms(secret):
            assert form not in text, place


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.usefixtures("vms")
def test_a_new_vm_is_silent(level, lab):
    """The answer repeats the networks, as it must; the log nothing."""
    planted = Planted()
    request, config = vm_request(lab, planted), config_with(lab, planted)
    result = run_cpi(lab, request, config, env=env_at(level))
    assert result.json["error"] is None, result.json["error"]["message"]
    check_planted(planted, result.stderr)
    check_silent(lab, result.stderr)
    # what may be shown is shown, to those who ask for it
    shown = '"instance_type":"m5.large"' in result.stderr and f'"subnet":"{lab.env["LAB_SUBNET"]}"' in result.stderr
    assert shown == (level == "debug")


def places():
    planted = Planted()
    with_anything = type("Lab", (), {"config": {"cloud": {"properties": {"aws": {}}}}, "light_ami": "ami-1", "env": {
        "LAB_SUBNET": "subnet-1"}})
    vm_request(with_anything, planted)
    config_with(with_anything, planted)
    # what a network says beyond what is known is not shown, but no secret by its place either
    return sorted(set(planted) - {"a network"})


@pytest.mark.parametrize("place", places())
def test_aws_repeats_what_it_was_sent(place, lab):
    """An error of AWS's may quote any of it: neither log nor answer does."""
    planted = Planted()
    request, config = vm_request(lab, planted), config_with(lab, planted)
    config["cloud"]["properties"]["aws"]["credentials_source"] = "static"
    lab.faults({"action": "*", "kind": "error", "status": 400, "code": "Oops", "message": f"you sent {planted[place]}!",
                "count": -1})
    result = run_cpi(lab, request, config, env=env_at("debug"))
    assert "Oops" in result.json["error"]["message"] and "<redacted>" in result.json["error"]["message"]
    check_planted(planted, result.stdout + result.stderr)


def test_half_of_a_key(lab):
    """A message may be cut within a secret."""
    lines = [f"MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us{i:04}" for i in range(50)]
    key = "\n".join(["-----BEGIN PRIVATE KEY-----", *lines, "-----END PRIVATE KEY-----", ""])
    request = create_vm(lab, {"default": dynamic(lab)}, env={"bosh": {"mbus": {"cert": {"private_key": key}}}})
    for quoted in (key, key[:1000], "\n".join(lines[3:5])):
        lab.clear()
        lab.faults({"action": "*", "kind": "error", "status": 400, "code": "Oops", "message": f"you sent {quoted}", "count": -1})
        result = run_cpi(lab, request, env=env_at("debug"))
        assert "you sent" in result.json["error"]["message"]
        for line in lines[:-1]:
            assert line not in result.stdout + result.stderr


@pytest.mark.parametrize("method, arguments, shown", [
    ("set_vm_metadata", ["i-00000000000000001", "METADATA"], '["i-00000000000000001","<redacted>"]'),
    ("set_disk_metadata", ["vol-00000000000000001", "METADATA"], '["vol-00000000000000001","<redacted>"]'),
    ("snapshot_disk", ["vol-00000000000000001", "METADATA"], '["vol-00000000000000001","<redacted>"]'),
    ("create_disk", [1024, {"type": "gp3", "tags": "METADATA"}, None], '[1024,{"type":"gp3","tags":"<redacted>"},null]'),
    ("create_stemcell", ["/nowhere", {"disk": 2048, "tags": "METADATA"}, {"tags": "METADATA"}],
     '["/nowhere",{"disk":2048,"tags":"<redacted>"},"<redacted>"]')], ids=str)
def test_tags_are_silent(lab, method, arguments, shown):
    """Tag values may be anything, in every method that has some."""
    planted = Planted()
    metadata = {"type": planted["metadata"], "name": planted["the name"], "password": planted["a password"],
                "deployment": planted["the deployment"], "job": planted["the job"], "index": 0, "instance_id": "1"}
    text = json.dumps(arguments).replace('"METADATA"', json.dumps(metadata))
    for secret in list(planted.values()):
        lab.clear()
        lab.faults({"action": "*", "kind": "error", "status": 400, "code": "Oops", "message": f"you sent {secret}!",
                    "count": -1})
        result = run_cpi(lab, {"method": method, "arguments": json.loads(text), "api_version": 3}, env=env_at("debug"))
        assert result.json["error"] is not None
        assert f"{method}'s arguments: {shown}" in result.stderr
        check_planted(planted, result.stdout + result.stderr)


def test_innocent_words_stay(lab):
    """Tags that say what the log says anyway: neither the region nor the zone, an id, a word go missing."""
    disk = "vol-00000000000000001"
    metadata = {"zone": "us-east-1a", "region": lab.config["cloud"]["properties"]["aws"]["region"], "disk": disk,
                "kind": "director", "word": "Describe", "short": "Oops"}
    lab.faults({"action": "*", "kind": "error", "status": 400, "code": "Oops", "message": "no director in us-east-1",
                "count": -1})
    result = run_cpi(lab, {"method": "set_disk_metadata", "arguments": [disk, metadata]}, env=env_at("debug"))
    message = result.json["error"]["message"]
    assert "Oops" in message and "no director in us-east-1" in message
    assert disk in result.stderr
