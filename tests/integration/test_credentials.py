# SPDX-License-Identifier: Apache-2.0
"""Whose credentials cpi works with: the order of the sources, and the ways to describe them, both of which must be boto3's. In a
namespace where AWS's fixed addresses exist. Sources that are broken are in test_credentials_trouble.py."""
import itertools
import json
import random

import pytest
from credentials_kit import SOURCES

COMBINATIONS = [list(pair) for pair in itertools.combinations(SOURCES, 2)]
RANDOM = random.Random(5)
COMBINATIONS += [sorted(RANDOM.sample(list(SOURCES), size), key=list(SOURCES).index)
                 for size in (3, 4, 5, 6, 7) for _ in range(5)]


def same_as_boto3(machine):
    """cpi signs as whom boto3 is; that ARN."""
    wanted, why = machine.by_boto3()
    got, result = machine.by_cpi()
    assert got == wanted, f"{result.stdout}{result.stderr}boto3: {why}"
    assert (result.json["error"] is None) == (wanted is not None), result.stdout
    return wanted


# The order

def test_nobody(machine):
    assert same_as_boto3(machine) is None


@pytest.mark.parametrize("source", SOURCES)
def test_one_source(machine, source):
    getattr(machine, source)()
    assert same_as_boto3(machine).endswith(":" + SOURCES[source])


@pytest.mark.parametrize("source", SOURCES)
def test_one_source_of_a_named_profile(machine, source):
    """The default profile has other keys, which must not be taken."""
    machine.section("default", machine.credentials).update(machine.keys_of("source"))
    machine.name = machine.env["AWS_PROFILE"] = "lab"
    machine.profile()["region"] = "us-east-1"
    getattr(machine, source)()
    assert same_as_boto3(machine).endswith(":" + SOURCES[source])


@pytest.mark.parametrize("sources", COMBINATIONS, ids="+".join)
def test_order(machine, sources):
    for source in sources:
        getattr(machine, source)()
    assert same_as_boto3(machine) is not None


# Other ways to say it: what boto3 makes of each, cpi must too

def legacy_sso(machine):
    machine.sso(session=None)
    return SOURCES["sso"]


def sso_refreshed(machine):
    machine.sso()
    machine.sso_token(seconds=-60, accessToken=machine.told["sso"]["expired_access_token"])
    return SOURCES["sso"]


def role_by_environment(machine):
    """The variables win over the profile's role, even where that has them for its source."""
    machine.environment()
    machine.profile().update({"role_arn": machine.told["roles"]["lab-role"], "credential_source": "Environment"})
    return SOURCES["environment"]


def role_by_container(machine):
    machine.task()
    machine.profile().update({"role_arn": machine.told["roles"]["lab-role"], "credential_source": "EcsContainer",
                              "role_session_name": "tester"})
    return SOURCES["role"]


def role_by_instance(machine):
    machine.instance()
    machine.profile().update({"role_arn": machine.told["roles"]["lab-role"], "credential_source": "Ec2InstanceMetadata",
                              "role_session_name": "tester"})
    return SOURCES["role"]


def role_with_external_id(machine):
    machine.role()
    machine.profile().update({"role_arn": machine.told["roles"]["lab-external"], "external_id": machine.told["external_id"]})
    return "assumed-role/lab-external/tester"


def role_of_a_role(machine):
    """lab-role-2 trusts lab-role alone."""
    machine.role()
    machine.section("profile first").update(dict(machine.profile()))
    machine.profile().update({"role_arn": machine.told["roles"]["lab-role-2"], "source_profile": "first"})
    return "assumed-role/lab-role-2/tester"


def role_of_itself(machine):
    """A profile that is its own source: by its keys."""
    machine.shared_file()
    machine.profile().update({"role_arn": machine.told["roles"]["lab-role"], "source_profile": "default",
                              "role_session_name": "tester"})
    return SOURCES["role"]


def role_by_process(machine):
    machine.process()
    machine.section("profile source").update(dict(machine.profile()))
    machine.profile().clear()
    machine.profile().update({"role_arn": machine.told["roles"]["lab-role"], "source_profile": "source",
                              "role_session_name": "tester"})
    return SOURCES["role"]


def role_by_sso(machine):
    machine.sso()
    machine.section("profile source").update(dict(machine.profile()))
    machine.profile().clear()
    machine.profile().update({"role_arn": machine.told["roles"]["lab-role"], "source_profile": "source",
                              "role_session_name": "tester"})
    return SOURCES["role"]


def role_by_web_identity(machine):
    machine.web_profile()
    machine.section("profile source").update(dict(machine.profile()))
    machine.profile().clear()
    machine.profile().update({"role_arn": machine.told["roles"]["lab-role"], "source_profile": "source",
                              "role_session_name": "tester"})
    return SOURCES["role"]


def role_without_source(machine):
    machine.instance()
    machine.profile()["role_arn"] = machine.told["roles"]["lab-role"]


def roles_in_a_circle(machine):
    machine.instance()
    for name, other in (("default", "profile b"), ("profile b", "default")):
        machine.section(name).update({"role_arn": machine.told["roles"]["lab-role"],
                                      "source_profile": other.removeprefix("profile ")})


def files_elsewhere(machine):
    machine.config_file()
    machine.shared_file()
    machine.write()
    for name, variable in (("config", "AWS_CONFIG_FILE"), ("credentials", "AWS_SHARED_CREDENTIALS_FILE")):
        text = (machine.home / ".aws" / name).read_text()
        machine.env[variable] = machine.file(f"elsewhere/{name}", text)
    machine.config.clear()
    machine.credentials.clear()
    return SOURCES["shared_file"]


def files_that_are_folders(machine):
    """To boto3 these are not there."""
    (machine.home / "folder").mkdir()
    machine.env |= {"AWS_SHARED_CREDENTIALS_FILE": str(machine.home / "folder"), "AWS_CONFIG_FILE": str(machine.home / "folder")}
    machine.task()
    return SOURCES["task"]


def default_profile_variable(machine):
    machine.name = machine.env["AWS_DEFAULT_PROFILE"] = "lab"
    machine.config_file()
    return SOURCES["config_file"]


def both_profile_variables(machine):
    """Keys of both, under the one that counts."""
    machine.env |= {"AWS_DEFAULT_PROFILE": "one", "AWS_PROFILE": "two"}
    machine.section("one", machine.credentials).update(machine.keys_of("process"))
    machine.section("two", machine.credentials).update(machine.keys_of("shared-file"))


def profile_in_the_credentials_file_alone(machine):
    machine.name = machine.env["AWS_PROFILE"] = "lab"
    machine.shared_file()
    return SOURCES["shared_file"]


def profile_that_is_not_there(machine):
    machine.env["AWS_PROFILE"] = "nowhere"
    machine.task()


def empty_variables(machine):
    machine.env |= {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_ROLE_ARN": "",
                    "AWS_WEB_IDENTITY_TOKEN_FILE": ""}
    machine.shared_file()
    return SOURCES["shared_file"]


def profile_without_keys(machine):
    machine.profile().update({"output": "json", "region": "us-east-1"})
    machine.task()
    return SOURCES["task"]


def session_keys(machine, into):
    """Puts keys with a session token where `into` says."""
    sts = machine.lab.client("sts")
    made = sts.assume_role(RoleArn=machine.told["roles"]["lab-role"], RoleSessionName="tester")["Credentials"]
    into.update({"aws_access_key_id": made["AccessKeyId"], "aws_secret_access_key": made["SecretAccessKey"],
                 "aws_session_token": made["SessionToken"]})
    return SOURCES["role"]


def session_token_in_the_environment(machine):
    keys = {}
    end = session_keys(machine, keys)
    machine.env |= {name.upper(): value for name, value in keys.items()}
    return end


def session_token_in_a_file(machine):
    return session_keys(machine, machine.section("default", machine.credentials))


def container_at_the_loopback(machine):
    machine.pod(machine.lab.env["LAB_CONTAINER"])
    return SOURCES["pod"]


def container_at_an_ipv6_address(machine):
    machine.pod("http://[fd00:ec2::23]")
    return SOURCES["pod"]


def container_with_a_token_variable(machine):
    machine.pod()
    machine.env["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = machine.told["container"]["pod_token"]
    del machine.env["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"]
    return SOURCES["pod"]


def instance_at_its_ipv6_address(machine):
    machine.instance()
    machine.env["AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"] = "IPv6"
    return SOURCES["instance"]


def instance_elsewhere(machine):
    machine.instance()
    machine.env["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = machine.lab.env["AWS_EC2_METADATA_SERVICE_ENDPOINT"]
    return SOURCES["instance"]


def instance_of_version_1(machine):
    machine.instance()
    machine.lab.imds(mode="v1")
    return SOURCES["instance"]


def instance_behind_a_hop(machine):
    """A container of the instance's, which the token does not reach: version 1 answers."""
    machine.instance()
    machine.lab.imds(mode="hop-limit")
    return SOURCES["instance"]


def instance_of_version_1_not_wanted(machine):
    machine.instance()
    machine.env["AWS_EC2_METADATA_V1_DISABLED"] = "true"
    machine.lab.imds(mode="v1")


def instance_without_a_role(machine):
    machine.instance()
    machine.lab.imds(credentials=False)


def web_identity_of_a_profile_and_a_variable(machine):
    """The variables win, one by one."""
    machine.web_profile()
    machine.env["AWS_ROLE_SESSION_NAME"] = "pod-tester"


OTHER_WAYS = (legacy_sso, sso_refreshed, role_by_environment, role_by_container, role_by_instance, role_with_external_id,
              role_of_a_role, role_of_itself, role_by_process, role_by_sso, role_by_web_identity, role_without_source,
              roles_in_a_circle, files_elsewhere, files_that_are_folders, default_profile_variable, both_profile_variables,
              profile_in_the_credentials_file_alone, profile_that_is_not_there, empty_variables, profile_without_keys,
              session_token_in_the_environment, session_token_in_a_file, container_at_the_loopback,
              container_at_an_ipv6_address, container_with_a_token_variable, instance_at_its_ipv6_address,
              instance_elsewhere, instance_of_version_1, instance_behind_a_hop, instance_of_version_1_not_wanted,
              instance_without_a_role,
              web_identity_of_a_profile_and_a_variable)


@pytest.mark.parametrize("way", OTHER_WAYS, ids=lambda way: way.__name__)
def test_other_ways(machine, way):
    """What the case returns is the end of the ARN that it must be: a second opinion where one is known."""
    end = way(machine)
    got = same_as_boto3(machine)
    hosts = {r["host"] for kind in ("imds", "container") for r in machine.lab.control(f"{kind}/requests")}
    assert not way.__name__.endswith("ipv6_address") or hosts and all(h.startswith("[fd00:ec2::") for h in hosts), hosts
    assert end is None or got.endswith(":" + end)


def test_an_empty_profile_variable_is_none(machine):
    """boto3 looks for a profile of that name."""
    machine.env["AWS_PROFILE"] = ""
    machine.shared_file()
    assert machine.by_cpi()[0].endswith(":" + SOURCES["shared_file"])


@pytest.mark.parametrize("source", SOURCES)
def test_check_says_whose_they_are(machine, source):
    getattr(machine, source)()
    result = machine.check("--json")
    checks = {c["name"]: c for c in json.loads(result.stdout)["checks"]}
    assert checks["credentials"]["ok"] and checks["identity"]["ok"], result.stdout
    assert f":{SOURCES[source]}" in checks["identity"]["text"]
    word = {"environment": "environment", "role": "lab-role", "web_environment": "web identity", "web_profile": "web identity",
            "sso": "SSO", "shared_file": "shared credentials file", "process": "credential_process", "config_file": "config file",
            "task": "container", "pod": "container", "instance": "instance metadata"}[source]
    assert word in checks["credentials"]["text"]


# The configuration's own

def test_static_looks_at_nothing_else(machine):
    for source in SOURCES:
        getattr(machine, source)()
    keys = {"credentials_source": "static", "access_key_id": machine.lab.env["AWS_ACCESS_KEY_ID"],
            "secret_access_key": machine.lab.env["AWS_SECRET_ACCESS_KEY"]}
    assert machine.by_cpi(**keys)[0].endswith(":user/lab")
    got, _ = machine.by_cpi(**keys, role_arn=machine.told["roles"]["lab-role"])
    assert ":assumed-role/lab-role/" in got
    got, result = machine.by_cpi(**keys, role_arn=machine.told["roles"]["lab-nobody"])
    assert got is None and "lab-nobody" in result.json["error"]["message"]
    session = {}
    session_keys(machine, session)
    got, _ = machine.by_cpi(credentials_source="static", access_key_id=session["aws_access_key_id"],
                            secret_access_key=session["aws_secret_access_key"], session_token=session["aws_session_token"])
    assert got.endswith(SOURCES["role"])
    got, result = machine.by_cpi(credentials_source="static")
    assert got is None and "access_key_id" in result.json["error"]["message"]
