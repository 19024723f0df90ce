# SPDX-License-Identifier: Apache-2.0
"""cpi check: all is well, or each thing that is not is named with what to do; for people, for scripts, for terminals."""
import copy
import json
import os
import pty
import subprocess

import pytest
from conftest import CPI, account, director_env

NAMES = ["configuration", "region", "credentials", "endpoint", "clock", "EC2", "builder"]


def run_check(path, *options, env=None, **more):
    """cpi check with pipes."""
    command = [CPI, "check", *([str(path)] if path else []), *options]
    return subprocess.run(command, env=director_env() | (env or {}), stdin=subprocess.DEVNULL, capture_output=True, timeout=60,
                          text=True, check=False, **more)


def findings(result):
    """What --json says: {name: (ok, text, advice)}."""
    answer = json.loads(result.stdout)
    assert result.returncode == (0 if answer["ok"] else 1)
    assert answer["ok"] == all(c["ok"] for c in answer["checks"])
    for check in answer["checks"]:
        assert bool(check["advice"]) != check["ok"], check
    return {c["name"]: (c["ok"], c["text"], c["advice"]) for c in answer["checks"]}


@pytest.fixture
def changed(lab, tmp_path):
    """changed(region="x", stemcell={…}): the path of the lab's configuration with that in aws."""
    def write(**aws):
        config = copy.deepcopy(lab.config)
        properties = config["cloud"]["properties"]["aws"]
        properties["stemcell"].update(aws.pop("stemcell", {}))
        properties.update(aws, max_retries=0)
        path = tmp_path / "cpi.json"
        path.write_text(json.dumps(config))
        return path
    return write


def test_all_is_well(lab):
    before = account(lab)
    result = run_check(lab.config_path)
    assert result.returncode == 0, result.stdout
    lines = result.stdout.splitlines()
    assert [line.split(":")[0] for line in lines] == [f"ok    {name}" for name in NAMES]
    assert "\x1b" not in result.stdout
    assert lab.builder in result.stdout and lab.env["AWS_REGION"] in result.stdout
    assert lab.env["AWS_SECRET_ACCESS_KEY"] not in result.stdout + result.stderr
    assert account(lab) == before


def test_json(lab):
    found = findings(run_check(lab.config_path, "--json"))
    assert list(found) == NAMES
    assert all(ok for ok, _, _ in found.values())


def test_terminal(lab):
    leader, follower = pty.openpty()
    process = subprocess.Popen([CPI, "check", lab.config_path], env=director_env(), stdin=subprocess.DEVNULL, stdout=follower,
                               stderr=subprocess.PIPE)
    os.close(follower)
    text = b""
    try:
        while chunk := os.read(leader, 65536):
            text += chunk
    except OSError:  # the other end is closed
        pass
    os.close(leader)
    process.stderr.close()
    assert process.wait(60) == 0
    assert text.count("\x1b[32m✔".encode()) == len(NAMES)


def test_no_configuration_file():
    found = findings(run_check("/nowhere/cpi.json", "--json"))
    assert list(found) == ["configuration"] and "/nowhere/cpi.json" in found["configuration"][1]


def test_wrong_property(changed):
    ok, text, _ = findings(run_check(changed(region=7), "--json"))["configuration"]
    assert not ok and "aws.region is a number" in text


def test_environment_alone(lab):
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_ENDPOINT_URL",
             "AWS_EC2_METADATA_SERVICE_ENDPOINT")
    found = findings(run_check(None, "--json", env={k: lab.env[k] for k in names}))
    assert found["EC2"][0] and found["credentials"][0]
    assert "environment" in found["credentials"][1]


def test_credentials_missing(lab, changed):
    path = changed(credentials_source="env_or_profile", access_key_id=None, secret_access_key=None,
                   metadata_endpoint=lab.endpoint)
    env = {"AWS_EC2_METADATA_DISABLED": "true"}
    found = findings(run_check(path, "--json", env=env))
    assert not found["credentials"][0] and "AWS_ACCESS_KEY_ID" in found["credentials"][2]
    assert found["endpoint"][0] and "EC2" not in found


@pytest.mark.parametrize("wrong", [{"secret_access_key": "not-the-secret-of-this-key"}, {"access_key_id": "AKIANOBODYKNOWSTHIS0"}])
def test_wrong_keys(wrong, changed):
    result = run_check(changed(**wrong), "--json")
    ok, text, advice = findings(result)["EC2"]
    assert not ok and ("AuthFailure" in text or "SignatureDoesNotMatch" in text)
    assert "secret" in advice
    assert "not-the-secret" not in result.stdout + result.stderr


def test_permission_missing(lab, changed):
    lab.faults({"action": "DescribeVolumes", "kind": "error", "status": 403, "code": "UnauthorizedOperation",
                "message": "You are not authorized to perform this operation.", "count": -1})
    ok, text, advice = findings(run_check(changed(), "--json"))["EC2"]
    assert not ok and "UnauthorizedOperation" in text and "ec2:DescribeVolumes" in advice


def test_endpoint_refuses(changed):
    found = findings(run_check(changed(ec2_endpoint="http://127.0.0.1:1"), "--json"))
    ok, text, advice = found["endpoint"]
    assert not ok and "http://127.0.0.1:1" in text and "proxy" in advice
    assert "EC2" not in found


def test_endpoint_is_no_url(changed):
    found = findings(run_check(changed(ec2_endpoint="http://"), "--json"))
    assert not found["endpoint"][0]


@pytest.mark.parametrize("offset,word", [(3600, "behind"), (-3600, "ahead of")])
def test_clock(offset, word, lab, changed):
    lab.options(clock_offset=offset)
    ok, text, advice = findings(run_check(changed(), "--json"))["clock"]
    assert not ok and word in text and "clock" in advice


def test_onhost_missing(changed):
    ok, text, advice = findings(run_check(changed(stemcell={"onhost_path": "/nowhere/onhost"}), "--json"))["builder"]
    assert not ok and "/nowhere/onhost" in text and "onhost" in advice


def test_not_on_ec2(changed):
    ok, text, _ = findings(run_check(changed(metadata_endpoint="http://127.0.0.1:1"), "--json",
                                     env={"AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:1"}))["builder"]
    assert not ok and "EC2 instance" in text


def test_wrong_lines_say_what_to_do(changed):
    result = run_check(changed(ec2_endpoint="http://127.0.0.1:1"))
    assert result.returncode == 1
    lines = result.stdout.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("WRONG endpoint: "))
    assert lines[at + 1].strip().startswith("to do: ")


def test_output_is_gone(lab):
    with open("/dev/full", "wb") as full:
        result = subprocess.run([CPI, "check", lab.config_path], env=director_env(), stdin=subprocess.DEVNULL, stdout=full,
                                stderr=subprocess.PIPE, timeout=60, check=False)
    assert result.returncode == 1 and b"No space left" in result.stderr
