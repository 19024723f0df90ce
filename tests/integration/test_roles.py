# SPDX-License-Identifier: Apache-2.0
"""aws.role_arn: the role is assumed with whatever credentials there are, as the incumbent does it. And denials: what AWS says of
them only in encoded form is decoded where that is allowed."""
import copy
import re

import pytest
from conftest import director_env, run_cpi

CREATE_DISK = {"method": "create_disk", "arguments": [1024, {"availability_zone": "us-east-1a"}]}


def run(lab, request, config=None):
    """With STS and instance metadata of the lab's."""
    names = ("AWS_ENDPOINT_URL", "AWS_EC2_METADATA_SERVICE_ENDPOINT")
    return run_cpi(lab, request, config, env=director_env() | {name: lab.env[name] for name in names})


def configured(lab, role, **aws):
    """The lab's configuration with that role on top."""
    config = copy.deepcopy(lab.config)
    config["cloud"]["properties"]["aws"].update(aws, role_arn=role and lab.identities["roles"][role])
    return config


def without_keys(config):
    """The machine's own credentials instead of the configuration's."""
    aws = config["cloud"]["properties"]["aws"]
    del aws["access_key_id"], aws["secret_access_key"]
    aws["credentials_source"] = "env_or_profile"
    return config


def by_whom(lab, calls):
    """The users and roles that signed them."""
    return [re.sub(r".*:(user|assumed-role)/([^/]*).*", r"\1/\2", lab.owner(c["access_key_id"])) for c in calls]


def message_of(result):
    assert result.json["error"], result.stdout
    return result.json["error"]["message"]


def test_role_on_static_keys(lab):
    result = run(lab, CREATE_DISK, configured(lab, "lab-role"))
    assert result.json["error"] is None, result.stdout
    lab.ec2.delete_volume(VolumeId=result.json["result"])
    assume, create = lab.calls("AssumeRole"), lab.calls("CreateVolume")
    assert by_whom(lab, assume) == ["user/lab"] and by_whom(lab, create) == ["assumed-role/lab-role"]
    assert re.fullmatch(r"rsn-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", assume[0]["params"]["RoleSessionName"])
    assert set(assume[0]["params"]) - {"Action", "Version"} == {"RoleArn", "RoleSessionName"}
    assert "action=AssumeRole " in result.stderr and f'for="role {lab.identities["roles"]["lab-role"]}"' in result.stderr


def test_role_on_the_instances(lab):
    config = without_keys(configured(lab, "lab-role"))
    result = run(lab, {"method": "has_disk", "arguments": ["vol-0123456789abcdef0"]}, config)
    assert result.json["result"] is False, result.stdout
    assert by_whom(lab, lab.calls("AssumeRole")) == ["assumed-role/lab-builder"]
    assert by_whom(lab, lab.calls("DescribeVolumes")) == ["assumed-role/lab-role"]


@pytest.mark.parametrize("role", [None, ""])
def test_no_role(lab, role):
    config = configured(lab, None)
    config["cloud"]["properties"]["aws"]["role_arn"] = role
    assert run(lab, {"method": "has_disk", "arguments": ["vol-0123456789abcdef0"]}, config).json["result"] is False
    assert not lab.calls("AssumeRole") and by_whom(lab, lab.calls("DescribeVolumes")) == ["user/lab"]


def test_role_that_is_not_given(lab):
    result = run(lab, CREATE_DISK, configured(lab, "lab-nobody"))
    message = message_of(result)
    assert lab.identities["roles"]["lab-nobody"] in message and "check the role's trust policy" in message
    assert "AWS code AccessDenied" in message and result.json["error"]["ok_to_retry"] is False
    assert [c["action"] for c in lab.calls()] == ["AssumeRole"]


def test_trouble_with_sts_has_one_layer_of_retries(lab):
    lab.faults({"action": "AssumeRole", "kind": "error", "status": 500, "code": "InternalFailure", "count": -1})
    result = run(lab, CREATE_DISK, configured(lab, "lab-role", max_retries=3))
    assert "InternalFailure" in message_of(result)
    assert [c["action"] for c in lab.calls()] == ["AssumeRole"] * 4


def test_session_that_ends_in_a_wait(lab):
    """EC2 says RequestExpired before its time: the role is assumed once more, and nothing is made twice."""
    lab.sessions(lasts=2, told=3600)
    lab.states(volume={"available": 5})
    result = run(lab, CREATE_DISK, configured(lab, "lab-role"))
    assert result.json["error"] is None, result.stdout + result.stderr
    lab.ec2.delete_volume(VolumeId=result.json["result"])
    assert len(lab.calls("AssumeRole")) >= 2 and len(lab.calls("CreateVolume")) == 1


# Denials

@pytest.mark.beyond_incumbent
def test_denial_decoded(lab):
    lab.faults({"action": "CreateVolume", "kind": "deny", "count": -1})
    result = run(lab, CREATE_DISK)
    message = message_of(result)
    assert re.search(r"\(AWS code UnauthorizedOperation, request id [^)]+\)\. No policy allows arn:aws:iam::\d{12}:user/lab "
                     r"ec2:CreateVolume on arn:aws:ec2:us-east-1:\d{12}:\*", message), message
    assert "Encoded authorization failure message" not in message
    assert [c["action"] for c in lab.calls() if c["action"] in ("CreateVolume", "DecodeAuthorizationMessage")] == [
        "CreateVolume", "DecodeAuthorizationMessage"]


@pytest.mark.parametrize("trouble", [{"kind": "deny"}, {"kind": "reset"}, {"kind": "error", "status": 500, "code": "InternalFailure"}])
def test_denial_that_cannot_be_decoded(lab, trouble):
    lab.faults({"action": "CreateVolume", "kind": "deny", "count": -1},
               {"action": "DecodeAuthorizationMessage", "count": -1, **trouble})
    result = run(lab, CREATE_DISK)
    message = message_of(result)
    assert re.search(r"You are not authorized to perform this operation.*\(AWS code UnauthorizedOperation, request id [^)]+\); "
                     r"ec2:CreateVolume is part of the feature disk: `cpi policy` prints the IAM policy that allows it\. "
                     r"Encoded authorization failure message: [-_=A-Za-z0-9]{300}", message), message
    assert len(lab.calls("DecodeAuthorizationMessage")) == 1 and len(lab.calls("CreateVolume")) == 1
