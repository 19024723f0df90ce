# SPDX-License-Identifier: Apache-2.0
"""The configuration: what is wrong with it reaches the Director as an answer, and the context (Multi-CPI) overrides it."""
import copy
import json
import os
import subprocess

import pytest
from conftest import CPI, director_context, director_env, request_bytes, run_cpi

# A region that nobody has configured is asked of the metadata service: not of the one where the tests run.
NO_METADATA = {"AWS_EC2_METADATA_DISABLED": "true"}
# Deleting an AMI that is not there is a success that needs a working call, and changes nothing.
CALL = {"method": "delete_stemcell", "arguments": ["ami-00000000000000000"]}


def failure(config, request=None, env=None):
    """The error of a call with that configuration, as the Director sees it."""
    result = run_cpi(None, request or CALL, config, env=env or director_env() | NO_METADATA)
    assert result.returncode == 0, result.stderr
    error = result.json["error"]
    assert error["type"] == "Bosh::Clouds::CloudError" and error["ok_to_retry"] is False
    return error["message"]


def write_aws(folder, **aws):
    """The path of a configuration with that in aws."""
    path = folder / "cpi.json"
    path.write_text(json.dumps({"cloud": {"properties": {"aws": aws}}}))
    return str(path)


@pytest.mark.parametrize("content,says", [
    (None, "No such file"), ("", "is not valid JSON"), ("{", "is not valid JSON"), ("[]", "cloud properties"),
    ("{}", "Could not find cloud properties in the configuration"),
    ('{"cloud":{"properties":[]}}', "Could not find cloud properties in the configuration"),
    ("\xff\xfe", "is not valid JSON")])
@pytest.mark.parametrize("method", ["info", "delete_stemcell"])
def test_unreadable(content, says, method, tmp_path):
    path = tmp_path / "cpi.json"
    if content is not None:
        path.write_bytes(content.encode("latin-1"))
    arguments = [] if method == "info" else ["ami-1"]
    message = failure(str(path), {"method": method, "arguments": arguments})
    assert says in message and (str(path) in message or "cloud properties" in message)


def test_directory(tmp_path):
    assert str(tmp_path) in failure(str(tmp_path))


def test_too_large(tmp_path):
    path = tmp_path / "cpi.json"
    path.write_bytes(b" " * (9 * 1024 * 1024))
    assert str(path) in failure(str(path))


def test_from_a_pipe(lab):
    """As a shell's <(…) gives it: secrets need not be in a file."""
    read_end, write_end = os.pipe()
    os.write(write_end, json.dumps(lab.config).encode())
    os.close(write_end)
    result = subprocess.run([CPI, f"/dev/fd/{read_end}"], input=request_bytes(CALL), env=director_env(), pass_fds=[read_end],
                            capture_output=True, timeout=60, check=False)
    os.close(read_end)
    assert json.loads(result.stdout)["error"] is None


@pytest.mark.parametrize("aws,says", [
    ({}, "missing configuration parameters > aws:region, or aws:ec2_endpoint and aws:elb_endpoint"),
    ({"ec2_endpoint": "x"}, "missing configuration parameters > aws:region, or aws:ec2_endpoint and aws:elb_endpoint"),
    ({"region": "r"}, "Must use access_key_id and secret_access_key with static credentials_source"),
    ({"region": "r", "access_key_id": "a"}, "Must use access_key_id and secret_access_key with static credentials_source"),
    ({"region": "r", "credentials_source": "env_or_profile", "access_key_id": "a"},
     "Can't use access_key_id and secret_access_key with env_or_profile credentials_source"),
    ({"region": "r", "credentials_source": "guess"}, "Unknown credentials_source guess"),
    ({"region": 5}, "aws.region is a number, but should be a string"),
    ({"region": "r", "max_retries": "many"}, "aws.max_retries is a string, but should be an integer"),
    ({"region": "r", "encrypted": "yes"}, "aws.encrypted is a string, but should be true or false"),
    ({"region": "r", "stemcell": {"builder": "magic"}}, "aws.stemcell.builder is magic")])
def test_wrong(aws, says, tmp_path):
    assert says in failure(write_aws(tmp_path, **aws))


def test_keys_of_an_unusable_type_are_not_repeated(tmp_path):
    config = write_aws(tmp_path, region="r", access_key_id="a", secret_access_key=["do-not-repeat-me"])
    result = run_cpi(None, CALL, config)
    assert "aws.secret_access_key is an array" in result.json["error"]["message"]
    assert "do-not-repeat-me" not in result.stdout + result.stderr


# --- the context ---


def test_lab_configuration(lab):
    assert run_cpi(lab, CALL).json == {"result": None, "error": None, "log": ""}


def call_with_context(lab, config, **context):
    """The answer of a call whose context has these aws properties too."""
    return run_cpi(lab, {**CALL, "context": director_context(**context)}, config).json


def test_context_overrides(lab):
    """Keys, endpoint and region come from the context, the rest from the file."""
    config = copy.deepcopy(lab.config)
    aws = config["cloud"]["properties"]["aws"]
    right = {k: aws[k] for k in ("access_key_id", "secret_access_key", "ec2_endpoint", "region")}
    aws.update(access_key_id="AKIAWRONG", secret_access_key="wrong-secret", ec2_endpoint="http://127.0.0.1:1", region="eu-west-9",
               max_retries=0)
    assert call_with_context(lab, config)["error"] is not None
    lab.forget_calls()
    assert call_with_context(lab, config, **right)["error"] is None
    assert {c["region"] for c in lab.calls()} == {right["region"]}
    assert {c["access_key_id"] for c in lab.calls()} == {right["access_key_id"]}


def test_context_alone(lab):
    """A file with an empty aws, as Multi-CPI has it."""
    aws = lab.config["cloud"]["properties"]["aws"]
    empty = {"cloud": {"properties": {"aws": {}, "debug": {"cpi": {"time_scale": 0.05}}}}}
    assert call_with_context(lab, empty, **aws)["error"] is None


def test_context_of_a_wrong_type(lab):
    error = call_with_context(lab, lab.config, region=7)["error"]
    assert "aws.region is a number" in error["message"]


def test_context_secrets_are_hidden(lab):
    """They come by another way than the file's, and are as secret."""
    wrong = "context-secret-0123456789"
    result = run_cpi(lab, {**CALL, "context": director_context(secret_access_key=wrong, max_retries=0)},
                     env=director_env() | {"CPI_LOG_LEVEL": "debug"})
    assert result.json["error"] is not None
    assert wrong not in result.stdout + result.stderr


# --- the environment ---


def without_file(lab, env):
    """A call without CONFIG."""
    result = subprocess.run([CPI], input=request_bytes(CALL), env=director_env() | NO_METADATA | env, capture_output=True,
                            timeout=60, check=False)
    assert result.returncode == 0
    return json.loads(result.stdout), lab.calls()


def test_environment_alone(lab):
    lab.forget_calls()
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_ENDPOINT_URL")
    answer, calls = without_file(lab, {k: lab.env[k] for k in names})
    assert answer["error"] is None, answer
    assert {c["access_key_id"] for c in calls} == {lab.env["AWS_ACCESS_KEY_ID"]}


def test_nothing_at_all(lab):
    answer, _ = without_file(lab, {})
    assert "missing configuration parameters > aws:region" in answer["error"]["message"]


def test_region_of_the_environment(lab):
    """It serves where the configuration has none, and only there."""
    config = copy.deepcopy(lab.config)
    env = director_env() | {"AWS_REGION": "ap-south-1"}
    lab.forget_calls()
    assert run_cpi(lab, CALL, config, env=env).json["error"] is None
    assert {c["region"] for c in lab.calls()} == {"us-east-1"}
    del config["cloud"]["properties"]["aws"]["region"]
    lab.forget_calls()
    assert run_cpi(lab, CALL, config, env=env).json["error"] is None
    assert {c["region"] for c in lab.calls()} == {"ap-south-1"}


def test_debug_lowers_the_version(lab):
    config = copy.deepcopy(lab.config)
    config["cloud"]["properties"]["debug"]["cpi"]["api_version"] = 1
    error = run_cpi(lab, {**CALL, "api_version": 2}, config).json["error"]
    assert error["type"] == "Bosh::Clouds::CPIAPIVersionNotSupported"
    assert run_cpi(lab, {**CALL, "api_version": 1}, config).json["error"] is None
