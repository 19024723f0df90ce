# SPDX-License-Identifier: Apache-2.0
"""Each source of credentials when it is malformed, incomplete, expired, slow, or refuses: the error names it and says what to do,
nothing is signed by the next source, which is there, and no secret is shown. In a namespace where AWS's fixed addresses exist."""
import json
import re
import stat

import pytest
from conftest import request_bytes, run_cpi, start_cpi, wait_until
from credentials_kit import SOURCES, iso

pytestmark = pytest.mark.waits


def secrets(machine):
    """All that must not be shown."""
    told = machine.told
    yield from (user["secret_access_key"] for user in told["users"].values())
    yield from (told["web_identity"]["token"], told["sso"]["access_token"], told["sso"]["refresh_token"],
                told["sso"]["client_secret"], told["container"]["pod_token"], machine.lab.env["AWS_SECRET_ACCESS_KEY"])


def text_of(result):
    """Error message and log."""
    return result.json["error"]["message"] if result.json["error"] else ""


def refused(machine, pattern, **aws):
    """cpi fails with that message, having signed nothing for EC2."""
    got, result = machine.by_cpi(**aws)
    assert got is None, f"signed by {got}"
    assert result.json["error"] is not None, result.stdout + result.stderr
    assert re.search(pattern, text_of(result), re.DOTALL), text_of(result)
    shown = result.stdout + result.stderr
    for secret in secrets(machine):
        assert secret not in shown
    return result


def error(status, code, action, **more):
    return {"action": action, "kind": "error", "status": status, "code": code, "message": "no", "count": -1, **more}


# What is done to the machine, and what the message must say. The container's role stands behind all but itself.

def env_half(machine):
    machine.environment()
    del machine.env["AWS_SECRET_ACCESS_KEY"]
    return "AWS_SECRET_ACCESS_KEY"


def env_malformed(machine):
    machine.environment()
    machine.env["AWS_ACCESS_KEY_ID"] += "\nX"
    return "environment|AWS_ACCESS_KEY_ID"


def file_half(machine):
    machine.shared_file()
    del machine.section("default", machine.credentials)["aws_secret_access_key"]
    return r"\.aws/credentials.*default.*aws_secret_access_key"


def file_malformed(machine):
    machine.shared_file()
    machine.write()
    text = (machine.home / ".aws" / "credentials").read_text() + "a line that means nothing\n"
    machine.env["AWS_SHARED_CREDENTIALS_FILE"] = machine.file("broken", text)
    return r"/broken.*4|/broken.*line"


def file_with_blanks(machine):
    machine.shared_file()
    section = machine.section("default", machine.credentials)
    section["aws_secret_access_key"] = section["aws_secret_access_key"][:20] + " " + section["aws_secret_access_key"][20:]
    return r"\.aws/credentials"


def config_half(machine):
    machine.config_file()
    del machine.profile()["aws_secret_access_key"]
    return r"\.aws/config.*aws_secret_access_key"


def profile_missing(machine):
    machine.env["AWS_PROFILE"] = "nowhere"
    return "nowhere"


def process_missing(machine):
    machine.process()
    machine.profile()["credential_process"] = "/nowhere/program --login"
    return "credential_process.*/nowhere/program"


def process_fails(machine):
    machine.process(head=f"echo {machine.told['users']['process']['secret_access_key']} >&2; exit 3")
    return "credential_process.*3"


def process_malformed(machine):
    machine.process(text=f"keys: {machine.told['users']['process']['secret_access_key']}")
    return "credential_process.*JSON"


def process_of_another_version(machine):
    told = machine.told["users"]["process"]
    machine.process(text=json.dumps({"Version": 2, "AccessKeyId": told["access_key_id"], "SecretAccessKey": "x"}))
    return "credential_process.*Version"


def process_incomplete(machine):
    machine.process(text=json.dumps({"Version": 1, "AccessKeyId": machine.told["users"]["process"]["access_key_id"]}))
    return "credential_process.*SecretAccessKey"


def process_expired(machine):
    told = machine.told["users"]["process"]
    machine.process(text=json.dumps({"Version": 1, "AccessKeyId": told["access_key_id"], "Expiration": iso(-60),
                                     "SecretAccessKey": told["secret_access_key"], "SessionToken": "x"}))
    return "credential_process.*expired"


def role_refused(machine):
    machine.role()
    machine.profile()["role_arn"] = machine.told["roles"]["lab-nobody"]
    return "lab-nobody.*AccessDenied|AccessDenied.*lab-nobody"


def role_missing(machine):
    machine.role()
    machine.profile()["role_arn"] += "-that-is-not-there"
    return "lab-role-that-is-not-there"


def role_without_its_external_id(machine):
    machine.role()
    machine.profile()["role_arn"] = machine.told["roles"]["lab-external"]
    return "lab-external"


def role_with_mfa(machine):
    machine.role()
    machine.profile()["mfa_serial"] = "arn:aws:iam::123456789012:mfa/me"
    return "mfa_serial"


def role_without_source(machine):
    machine.profile()["role_arn"] = machine.told["roles"]["lab-role"]
    return "source_profile"


def role_of_a_missing_profile(machine):
    machine.role()
    machine.profile()["source_profile"] = "nowhere"
    return "nowhere"


def role_in_a_circle(machine):
    for name, other in (("default", "b"), ("profile b", "default")):
        machine.section(name).update({"role_arn": machine.told["roles"]["lab-role"], "source_profile": other})
    return "default.*b|b.*default"


def role_malformed(machine):
    machine.role()
    machine.lab.faults({"action": "AssumeRole", "kind": "garbage", "count": -1})
    return "AssumeRole"


def role_service_ill(machine):
    machine.role()
    machine.lab.faults(error(500, "InternalFailure", "AssumeRole"))
    return "InternalFailure"


def web_missing(machine):
    machine.web_environment()
    machine.env["AWS_WEB_IDENTITY_TOKEN_FILE"] = "/nowhere/token"
    return "/nowhere/token"


def web_empty(machine):
    machine.web_environment()
    machine.file("token", "")
    return "/token"


def web_without_role(machine):
    machine.web_environment()
    del machine.env["AWS_ROLE_ARN"]
    return "AWS_ROLE_ARN"


def web_malformed(machine):
    machine.web_environment()
    machine.file("token", "no.token.this")
    return "InvalidIdentityToken"


def web_expired(machine):
    machine.web_environment()
    machine.file("token", machine.told["web_identity"]["expired"])
    return "ExpiredTokenException"


def web_refused(machine):
    machine.web_environment()
    machine.env["AWS_ROLE_ARN"] = machine.told["roles"]["lab-role"]
    return "lab-role.*AccessDenied|AccessDenied.*lab-role"


def web_provider_ill(machine):
    machine.web_environment()
    machine.lab.faults(error(400, "IDPCommunicationError", "AssumeRoleWithWebIdentity"))
    return "IDPCommunicationError"


def sso_not_logged_in(machine):
    machine.sso()
    machine.sso_path().unlink()
    return "aws sso login"


def sso_malformed(machine):
    machine.sso()
    machine.file(machine.sso_path().relative_to(machine.home), "{")
    return "aws sso login"


def sso_expired(machine):
    machine.sso()
    machine.sso_token(seconds=-60, refreshToken=None)
    return "expired.*aws sso login"


def sso_refresh_refused(machine):
    machine.sso()
    machine.sso_token(seconds=-60, refreshToken="another")
    return "expired.*InvalidGrantException.*aws sso login"


def sso_legacy_expired(machine):
    machine.sso(session=None)
    machine.sso_token(session=None, seconds=-60)
    return "expired.*aws sso login"


def sso_token_refused(machine):
    machine.sso()
    machine.sso_token(accessToken="another")
    return "aws sso login"


def sso_role_refused(machine):
    machine.sso()
    machine.profile()["sso_role_name"] = "Admin"
    return "Admin"


def sso_half(machine):
    machine.sso()
    del machine.profile()["sso_account_id"]
    return "sso_account_id"


def sso_session_missing(machine):
    machine.sso()
    machine.profile()["sso_session"] = "nowhere"
    return "nowhere"


def sso_answer_malformed(machine):
    machine.sso()
    machine.lab.faults({"action": "GetRoleCredentials", "kind": "garbage", "count": -1})
    return "GetRoleCredentials"


def sso_service_ill(machine):
    machine.sso()
    machine.lab.faults(error(503, "ServiceUnavailable", "GetRoleCredentials"))
    return "GetRoleCredentials"


def login_session(machine):
    machine.profile()["login_session"] = "arn:aws:iam::123456789012:user/me"
    return "login_session"


def pod_token_wrong(machine):
    machine.pod()
    machine.file("pod-token", "another")
    return "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"


def pod_token_missing(machine):
    machine.pod()
    machine.env["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] = "/nowhere/token"
    return "/nowhere/token"


def pod_token_with_a_line(machine):
    machine.pod()
    machine.file("pod-token", machine.told["container"]["pod_token"] + "\n")
    return "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE.*line break"


def pod_in_the_clear(machine):
    machine.pod("http://192.0.2.1")
    return "AWS_CONTAINER_CREDENTIALS_FULL_URI.*192.0.2.1"


def task_missing(machine):
    machine.task()
    machine.env["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] = "/v2/credentials/other"
    return "container"


def task_malformed(machine):
    machine.task()
    machine.lab.container(body="<html>")
    return "container"


def task_incomplete(machine):
    machine.task()
    machine.lab.container(drop=["SecretAccessKey"])
    return "container.*SecretAccessKey"


def task_expired(machine):
    machine.task()
    machine.lab.sessions(lasts=-60)
    return "container.*expired"


def task_ill(machine):
    machine.task()
    machine.lab.container(status=500, body="")
    return "container.*500"


def task_off(machine):
    machine.task()
    machine.lab.container(mode="off")
    return "container"


def task_hangs(machine):
    machine.task()
    machine.lab.container(mode="hang")
    return "container"


def instance_malformed(machine):
    machine.lab.imds(paths={"iam/security-credentials/lab-builder": "{"})
    return "lab-builder"


def instance_incomplete(machine):
    machine.lab.imds(paths={"iam/security-credentials/lab-builder": json.dumps({"Code": "Success", "AccessKeyId": "ASIA1"})})
    return "lab-builder.*SecretAccessKey"


def instance_refused(machine):
    machine.lab.imds(paths={"iam/security-credentials/lab-builder": json.dumps(
        {"Code": "AssumeRoleUnauthorizedAccess", "Message": "EC2 cannot assume the role"})})
    return "lab-builder.*AssumeRoleUnauthorizedAccess"


def instance_ill(machine):
    machine.lab.imds(paths={"iam/security-credentials/lab-builder": 500})
    return "500"


def instance_role_gone(machine):
    machine.lab.imds(credentials=False)
    return "AWS_ACCESS_KEY_ID"


def instance_off(machine):
    machine.lab.imds(mode="off")
    return "AWS_ACCESS_KEY_ID"


def instance_hangs(machine):
    machine.lab.imds(mode="hang")
    return "AWS_ACCESS_KEY_ID"


BEFORE_THE_CONTAINER = (
    env_half, env_malformed, file_half, file_malformed, file_with_blanks, config_half, profile_missing,
    process_missing, process_fails, process_malformed, process_of_another_version, process_incomplete, process_expired,
    role_refused, role_missing, role_without_its_external_id, role_with_mfa, role_without_source, role_of_a_missing_profile,
    role_in_a_circle, role_malformed, role_service_ill, web_missing, web_empty, web_without_role, web_malformed, web_expired,
    web_refused, web_provider_ill, sso_not_logged_in, sso_malformed, sso_expired, sso_refresh_refused, sso_legacy_expired,
    sso_token_refused, sso_role_refused, sso_half, sso_session_missing, sso_answer_malformed, sso_service_ill, login_session)
CONTAINERS = (pod_token_wrong, pod_token_missing, pod_token_with_a_line, pod_in_the_clear, task_missing, task_malformed,
              task_incomplete, task_expired, task_ill, task_off, task_hangs)
INSTANCES = (instance_malformed, instance_incomplete, instance_refused, instance_ill, instance_role_gone, instance_off,
             instance_hangs)


def named(cases):
    return pytest.mark.parametrize("case", cases, ids=lambda case: case.__name__)


@named(BEFORE_THE_CONTAINER)
def test_broken_before_the_container(machine, case):
    machine.task()
    refused(machine, case(machine))


@named(CONTAINERS)
def test_broken_container(machine, case):
    machine.instance()
    refused(machine, case(machine))


@named(INSTANCES)
def test_broken_instance(machine, case):
    machine.instance()
    refused(machine, case(machine))


@pytest.mark.parametrize("source", ["environment", "shared_file", "config_file"])
def test_keys_that_aws_does_not_know(machine, source):
    """AWS's answer is the first to show it; it is not said of the next source, which is not asked."""
    machine.task()
    getattr(machine, source)()
    place = {"environment": machine.env, "shared_file": machine.section("default", machine.credentials),
             "config_file": machine.profile()}[source]
    place["AWS_SECRET_ACCESS_KEY" if source == "environment" else "aws_secret_access_key"] = "x" * 40
    got, result = machine.by_cpi()
    assert got.endswith(SOURCES[source]) and "AuthFailure" in text_of(result), result.stdout


# Trouble that passes, and slowness

@pytest.mark.parametrize("source", ["role", "web_environment", "sso", "process", "task", "pod", "instance"])
def test_slow(machine, source):
    lab = machine.lab
    getattr(machine, source)()
    if source == "process":
        machine.process(head="sleep 0.5")
    lab.container(delay=0.5)
    lab.imds(delay=0.3)
    lab.faults(*({"action": a, "kind": "delay", "seconds": 0.5} for a in ("AssumeRole", "AssumeRoleWithWebIdentity",
                                                                            "GetRoleCredentials")))
    got, result = machine.by_cpi()
    assert got and got.endswith(":" + SOURCES[source]), result.stdout + result.stderr


@pytest.mark.parametrize("kind", ["throttle", "error", "reset", "truncate", "drop"])
@pytest.mark.parametrize("source,action", [("role", "AssumeRole"), ("web_environment", "AssumeRoleWithWebIdentity"),
                                           ("sso", "GetRoleCredentials")])
def test_trouble_that_passes(machine, source, action, kind):
    getattr(machine, source)()
    rule = {"action": action, "kind": kind}
    if source == "sso" and kind == "throttle":
        rule = error(429, "TooManyRequestsException", action, count=1)
    machine.lab.faults(rule)
    got, result = machine.by_cpi(max_retries=3)
    assert got and got.endswith(":" + SOURCES[source]), result.stdout + result.stderr
    assert [c["faults"] for c in machine.lab.calls(action)] == [[rule["kind"]], []]


def test_a_refreshed_login_is_kept_for_the_others(machine):
    """As the AWS CLI saves it, so that boto3 goes on with it and nobody has to log in."""
    machine.sso()
    machine.sso_token(seconds=-60, accessToken=machine.told["sso"]["expired_access_token"])
    got, _ = machine.by_cpi()
    assert got.endswith(SOURCES["sso"]) and len(machine.lab.calls("CreateToken")) == 1
    saved = json.loads(machine.sso_path().read_text())
    assert saved["accessToken"] != machine.told["sso"]["expired_access_token"]
    assert saved["refreshToken"] != machine.told["sso"]["refresh_token"]
    assert saved["clientSecret"] == machine.told["sso"]["client_secret"] and saved["expiresAt"] > iso(7 * 3600)
    assert stat.S_IMODE(machine.sso_path().stat().st_mode) == 0o600
    assert machine.by_boto3()[0] == got
    assert len(machine.lab.calls("CreateToken")) == 1
    assert machine.by_cpi()[0] == got and not machine.lab.calls("CreateToken")


def test_expired_credentials_of_the_instance_stay_in_use(machine):
    """The metadata service is late to renew them, and EC2 takes them all the same."""
    machine.instance()
    machine.lab.sessions(lasts=3600, told=-60)
    got, result = machine.by_cpi()
    assert got.endswith(SOURCES["instance"]) and result.json["error"] is None
    assert re.search(r"WARN.*lab-builder expired", result.stderr), result.stderr


@pytest.mark.parametrize("source", ["role", "web_environment", "sso", "task", "pod", "instance"])
@pytest.mark.parametrize("told", [None, 3600])
def test_credentials_are_renewed_in_a_long_wait(machine, source, told):
    """Sessions of two seconds, in a wait of five: said to be so short, or ended before their time."""
    getattr(machine, source)()
    machine.write()
    lab = machine.lab
    lab.sessions(lasts=2, **({} if told is None else {"told": told}))
    lab.states(volume={"available": 5})
    lab.forget_calls()
    result = run_cpi(lab, {"method": "create_disk", "arguments": [1024, {"availability_zone": "us-east-1a"}]},
                     machine.cpi_config(max_retries=4), env=machine.env)
    lab.sessions()
    assert result.json and result.json["error"] is None, result.stdout + result.stderr
    lab.ec2.delete_volume(VolumeId=result.json["result"])
    calls = [c for c in lab.calls() if c["service"] == "ec2" and c["access_key_id"] != lab.env["AWS_ACCESS_KEY_ID"]]
    assert len({c["access_key_id"] for c in calls}) >= 2
    assert len([c for c in calls if c["action"] == "CreateVolume"]) == 1
    assert {lab.owner(c["access_key_id"]).partition("assumed-role")[2] for c in calls} == {
        SOURCES[source].removeprefix("assumed-role")}


@pytest.mark.parametrize("source,action", [("sso", "GetRoleCredentials"), ("role", "AssumeRole")])
def test_a_source_that_breaks_in_a_long_wait(machine, source, action):
    """Nothing can be undone then: the error says why, and the log what is left."""
    getattr(machine, source)()
    machine.write()
    lab = machine.lab
    lab.states(volume={"available": {"never": True}})
    lab.faults(error(500, "InternalFailure", action, skip=1))
    lab.forget_calls()
    process = start_cpi(lab, machine.cpi_config(max_retries=1), machine.env)
    process.stdin.write(request_bytes({"method": "create_disk", "arguments": [1024, {"availability_zone": "us-east-1a"}]}))
    process.stdin.close()
    wait_until(lambda: lab.calls("DescribeVolumes"), 60)
    lab.control("sessions/expire", "POST", {})
    out, err = process.stdout.read().decode(), process.stderr.read().decode()
    process.wait(60)
    message = json.loads(out)["error"]["message"]
    volume = re.search(r"left behind: volume (vol-[0-9a-f]+)", err)
    assert volume, out + err
    lab.reset()
    lab.ec2.delete_volume(VolumeId=volume[1])
    assert action in message and volume[1] in message, message
