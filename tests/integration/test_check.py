# SPDX-License-Identifier: Apache-2.0
"""cpi check: all is well, or each thing that is not is named with what to do; for people, for scripts, for terminals."""
import copy
import glob
import json
import os
import pty
import re
import signal
import subprocess

import botocore.session
import pytest
from conftest import CPI, ROOT, account, director_env, wait_until
from registry import PASSWORD, Registry, certificate

pytestmark = pytest.mark.beyond_incumbent

PERMISSIONS = ["VM permissions", "network interface permissions", "disk permissions", "disk resize permissions",
               "snapshot permissions", "tag permissions", "heavy stemcell permissions", "light stemcell permissions",
               "source/destination check permissions", "elastic IP permissions", "route permissions", "spot permissions"]
WORKERS = "worker action permissions"  # never wrong
# those that are there only where the configuration asks for them, and behind which line
CONFIGURED = {"instance profile permissions": "VM permissions", "encryption permissions": "disk resize permissions"}
NAMES = ["configuration", "state directory", "region", "credentials", "EC2 endpoint", "load balancer endpoint", "STS endpoint",
         "clock", "identity", "EC2", *PERMISSIONS, WORKERS, "classic load balancer permissions", "target group permissions", "builder"]
STATES = {"ok": "ok", "WRONG": "failed", "?": "unknown"}


def run_check(path, *options, env=None, **more):
    """cpi check with pipes."""
    command = [CPI, "check", *([str(path)] if path else []), *options]
    return subprocess.run(command, env=director_env() | (env or {}), stdin=subprocess.DEVNULL, capture_output=True, timeout=60,
                          text=True, check=False, **more)


def findings(result):
    """What --json says: {name: {ok, state, text, advice}}, checked for form."""
    answer = json.loads(result.stdout)
    assert list(answer) == ["ok", "checks"]
    assert result.returncode == (0 if answer["ok"] else 1), result.stderr
    assert answer["ok"] == all(c["ok"] for c in answer["checks"])
    for check in answer["checks"]:
        assert list(check) == ["name", "ok", "state", "text", "advice"]
        assert check["state"] in ("ok", "failed", "unknown")
        assert check["ok"] == (check["state"] != "failed"), check
        assert bool(check["advice"]) == (check["state"] != "ok"), check
    names = [c["name"] for c in answer["checks"]]
    assert len(set(names)) == len(names)
    return {c["name"]: c for c in answer["checks"]}


def failed(found):
    """The names of what is wrong."""
    return [name for name, finding in found.items() if finding["state"] == "failed"]


@pytest.fixture
def changed(lab, tmp_path):
    """changed(region="x", stemcell={…}, registry={…}): the path of the lab's configuration with that in aws."""
    def write(registry=None, **aws):
        config = copy.deepcopy(lab.config)
        properties = config["cloud"]["properties"]
        if registry:
            properties["registry"] = registry
        properties["aws"]["stemcell"].update(aws.pop("stemcell", {}))
        properties["aws"].update({"max_retries": 0, **aws})
        path = tmp_path / "cpi.json"
        path.write_text(json.dumps(config))
        return path
    return write


@pytest.fixture
def found(lab, changed):
    """found(region="x", …, env={…}): the findings with that configuration; STS is the lab's, too."""
    def check(env=None, **aws):
        return findings(run_check(changed(**aws), "--json", env={"AWS_ENDPOINT_URL": lab.endpoint} | (env or {})))
    return check


def dry_runs(lab):
    """The actions that came as dry runs."""
    return {c["action"] for c in lab.calls() if c["params"].get("DryRun") == "true"}


# --- all is well ------------------------------------------------------------------------------------------------------

def test_all_is_well(lab):
    before = account(lab)
    result = run_check(lab.config_path, env={"AWS_ENDPOINT_URL": lab.endpoint})
    assert result.returncode == 0, result.stdout
    lines = [line for line in result.stdout.splitlines() if not line.startswith("      to do: ")]
    assert [line[6:].split(":")[0] for line in lines] == NAMES
    assert {line[:6].strip() for line in lines} <= {"ok", "?"}
    assert "\x1b" not in result.stdout
    assert lab.builder in result.stdout and "of the same account" in result.stdout
    assert lab.env["AWS_SECRET_ACCESS_KEY"] not in result.stdout + result.stderr
    assert account(lab) == before


def test_json(lab, found):
    answer = found()
    assert list(answer) == NAMES
    assert not failed(answer)
    certain = [name for name in NAMES if name not in PERMISSIONS]
    assert {answer[name]["state"] for name in certain} == {"ok"}
    assert answer["region"]["text"].startswith(lab.env["AWS_REGION"])


# --- configuration, region, credentials -------------------------------------------------------------------------------

def test_no_configuration_file():
    answer = findings(run_check("/nowhere/cpi.json", "--json"))
    assert list(answer) == ["configuration"] and "/nowhere/cpi.json" in answer["configuration"]["text"]


def test_wrong_property(found):
    finding = found(region=7)["configuration"]
    assert finding["state"] == "failed" and "aws.region is a number" in finding["text"]


def test_environment_alone(lab):
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_ENDPOINT_URL",
             "AWS_EC2_METADATA_SERVICE_ENDPOINT")
    answer = findings(run_check(None, "--json", env={k: lab.env[k] for k in names}))
    assert answer["EC2"]["ok"] and "environment" in answer["credentials"]["text"]
    assert answer["region"]["text"] == f"{lab.env['AWS_REGION']}, from AWS_REGION"
    assert "AWS_ENDPOINT_URL" in answer["EC2 endpoint"]["text"]


def test_region_of_a_profile(lab, tmp_path, found):
    (tmp_path / "config").write_text(f"[profile dev]\nregion = {lab.env['AWS_REGION']}\n")
    finding = found(region=None, env={"AWS_PROFILE": "dev", "AWS_CONFIG_FILE": str(tmp_path / "config")})["region"]
    assert finding["text"].startswith(f"{lab.env['AWS_REGION']}, from ") and "dev" in finding["text"]


def test_credentials_missing(lab, found):
    answer = found(credentials_source="env_or_profile", access_key_id=None, secret_access_key=None,
                   metadata_endpoint=lab.endpoint, env={"AWS_EC2_METADATA_DISABLED": "true"})
    assert answer["credentials"]["state"] == "failed" and "AWS_ACCESS_KEY_ID" in answer["credentials"]["advice"]
    assert answer["EC2 endpoint"]["ok"] and "EC2" not in answer and "identity" not in answer


@pytest.mark.parametrize("wrong", [{"secret_access_key": "not-the-secret-of-this-key"}, {"access_key_id": "AKIANOBODYKNOWSTHIS0"}])
def test_wrong_keys(wrong, lab, changed):
    result = run_check(changed(**wrong), "--json", env={"AWS_ENDPOINT_URL": lab.endpoint})
    answer = findings(result)
    for name in ("identity", "EC2"):
        assert answer[name]["state"] == "failed" and re.search("access key|secret", answer[name]["advice"])
    assert not set(PERMISSIONS) & set(answer)
    assert "not-the-secret" not in result.stdout + result.stderr


def test_identity(lab, found):
    who = lab.client("sts").get_caller_identity()
    text = found()["identity"]["text"]
    assert who["Arn"] in text and who["Account"] in text


def test_identity_of_a_role(lab, found):
    arn = lab.identities["roles"]["lab-role"]
    answer = found(role_arn=arn)
    assert arn in answer["credentials"]["text"]
    assert ":assumed-role/lab-role/" in answer["identity"]["text"]


def test_role_that_may_not_be_assumed(lab, found):
    answer = found(role_arn=lab.identities["roles"]["lab-nobody"])
    assert failed(answer) == ["credentials"]
    assert "lab-nobody" in answer["credentials"]["text"] and "trust policy" in answer["credentials"]["advice"]


def test_role_without_sts(lab, found):
    answer = found(role_arn=lab.identities["roles"]["lab-role"], env={"AWS_ENDPOINT_URL_STS": "http://127.0.0.1:1"})
    assert failed(answer) == ["credentials", "STS endpoint"]
    assert "reached" in answer["credentials"]["advice"]


def test_session_expired(lab, found):
    lab.faults({"action": "GetCallerIdentity", "kind": "error", "status": 403, "code": "ExpiredToken",
                "message": "The security token included in the request is expired", "count": -1})
    finding = found()["identity"]
    assert finding["state"] == "failed" and "renew" in finding["advice"]


# --- endpoints and clock ----------------------------------------------------------------------------------------------

def test_endpoint_refuses(found):
    answer = found(ec2_endpoint="http://127.0.0.1:1")
    finding = answer["EC2 endpoint"]
    assert finding["state"] == "failed" and "http://127.0.0.1:1/, aws.ec2_endpoint," in finding["text"]
    assert "proxy" in finding["advice"]
    assert "EC2" not in answer and answer["clock"]["state"] == "unknown"


def test_endpoint_is_no_url(found):
    assert "EC2 endpoint" in failed(found(ec2_endpoint="http://"))


def test_sts_is_not_reached(found):
    """That is no failure without a role: STS is needed for nothing else."""
    answer = found(env={"AWS_ENDPOINT_URL_STS": "http://127.0.0.1:1"})
    assert not failed(answer)
    assert answer["STS endpoint"]["state"] == "unknown" and "AWS_ENDPOINT_URL_STS" in answer["STS endpoint"]["text"]
    assert answer["identity"]["state"] == "unknown" and answer["EC2"]["state"] == "ok"
    assert answer["identity"]["text"] == "not known: the STS endpoint does not answer"  # it is not asked again


def test_load_balancers_are_not_reached(found):
    answer = found(elb_endpoint="http://127.0.0.1:1")
    assert not failed(answer)
    assert answer["load balancer endpoint"]["state"] == "unknown"
    assert "target group permissions" not in answer and "classic load balancer permissions" not in answer


def test_target_groups_elsewhere(found):
    answer = found(elb_endpoint=None, env={"AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2": "http://127.0.0.1:1"})
    assert answer["load balancer endpoint"]["state"] == "ok"
    assert answer["target group endpoint"]["state"] == "unknown"
    assert "target group permissions" not in answer and answer["classic load balancer permissions"]["state"] == "ok"


def test_without_tls_is_said(found):
    assert "without TLS" in found()["EC2 endpoint"]["text"]


def test_certificate(tmp_path, found):
    """One that nobody vouches for is refused; the CA file makes it good. What answers need not be EC2 for that."""
    context, ca_file = certificate(tmp_path)
    server = Registry(context)
    try:
        finding = found(ec2_endpoint=server.url)["EC2 endpoint"]
        assert finding["state"] == "failed" and "certificate" in finding["text"] and "AWS_CA_BUNDLE" in finding["advice"]
        finding = found(ec2_endpoint=server.url, env={"AWS_CA_BUNDLE": ca_file})["EC2 endpoint"]
        assert finding["state"] == "ok" and "its certificate is verified" in finding["text"]
    finally:
        server.close()


@pytest.mark.parametrize("offset,word", [(3600, "behind"), (-3600, "ahead of")])
def test_clock(offset, word, lab, found):
    lab.options(clock_offset=offset)
    finding = found()["clock"]
    assert finding["state"] == "failed" and word in finding["text"] and "clock" in finding["advice"]
    assert 3500 < int(finding["text"].split()[0]) < 3700


# --- permissions ------------------------------------------------------------------------------------------------------

def actions_in_the_code(service):
    """The service's actions that stand in cpi/ec2, by botocore's list of what there is."""
    text = ""
    for path in glob.glob(os.path.join(ROOT, "cpi", "ec2", "*.c")):
        with open(path, encoding="utf-8") as f:
            text += f.read()
    model = botocore.session.get_session().get_service_model(service)
    return {name: model.operation_model(name) for name in re.findall(r'"([A-Z]\w+)"', text) if name in model.operation_names}


def test_no_action_is_forgotten(lab, found):
    answer = found(encrypted=True, kms_key_arn=lab.env["LAB_KMS_KEY"], default_iam_instance_profile=lab.env["LAB_INSTANCE_PROFILE"])
    untried = set(re.findall(r"ec2:(\w+)", " ".join(f["text"].partition("not tried: ")[2] for f in answer.values())))
    actions = actions_in_the_code("ec2")
    assert len(actions) > 30
    assert dry_runs(lab) | untried == set(actions)
    assert untried == {name for name, model in actions.items() if "DryRun" not in model.input_shape.members}
    assert not dry_runs(lab) & untried
    balanced = set(actions_in_the_code("elb")) | set(actions_in_the_code("elbv2"))
    named = " ".join(answer[n]["text"] for n in ("classic load balancer permissions", "target group permissions"))
    assert set(re.findall(r"elasticloadbalancing:(\w+)", named)) == balanced


def test_dry_runs_make_sense(lab, found):
    """No parameter is unknown, missing or malformed; ids that are made up may be looked for."""
    before = account(lab)
    found(encrypted=True, kms_key_arn=lab.env["LAB_KMS_KEY"], default_iam_instance_profile=lab.env["LAB_INSTANCE_PROFILE"])
    errors = {c["action"]: c["error"] for c in lab.calls() if c["params"].get("DryRun") == "true"}
    assert {e for e in errors.values() if not e.endswith(".NotFound")} == {"DryRunOperation"}
    assert errors["CreateVolume"] == "DryRunOperation"
    assert account(lab) == before


def test_configured_features(lab, found):
    assert not set(CONFIGURED) & set(found())
    answer = found(encrypted=True, kms_key_arn=lab.env["LAB_KMS_KEY"], default_iam_instance_profile=lab.env["LAB_INSTANCE_PROFILE"])
    names = list(answer)
    for name, behind in CONFIGURED.items():
        assert names.index(name) == names.index(behind) + 1
    assert any(c["params"].get("KmsKeyId") == lab.env["LAB_KMS_KEY"] for c in lab.calls("CreateVolume"))
    assert "kms:CreateGrant" in answer["encryption permissions"]["text"].partition("not tried: ")[2]


def test_one_permission_is_missing(lab, found):
    lab.faults({"action": "ModifyVolume", "kind": "deny", "count": -1})
    answer = found()
    assert failed(answer) == ["disk resize permissions"]
    line = answer["disk resize permissions"]
    assert line["text"] == "denied: ec2:ModifyVolume; 1 of 2 permitted"
    assert line["advice"].startswith("allow ec2:ModifyVolume on *") and "`cpi policy`" in line["advice"]


def test_reading_only(lab, found):
    """Every changing action is denied, and is named."""
    changing = {a for a in actions_in_the_code("ec2") if not a.startswith("Describe")}
    lab.faults(*({"action": action, "kind": "deny", "count": -1} for action in changing))
    answer = found()
    assert failed(answer) == PERMISSIONS
    denied = " ".join(answer[name]["text"].partition("not tried: ")[0] for name in PERMISSIONS)
    untried = {a for a in changing if a.startswith("Assign")}
    assert set(re.findall(r"ec2:(\w+)", denied)) == changing - untried
    for name in PERMISSIONS:
        for action in re.search(r"denied: ([^;]*);", answer[name]["text"]).group(1).split(", "):
            assert action in answer[name]["advice"].partition(" on *")[0]
    assert "vip" in answer["elastic IP permissions"]["advice"]


def test_nothing_is_permitted(lab, found):
    """Without one dry run that AWS has confirmed, no changing call is sent."""
    lab.faults({"action": "*", "kind": "deny", "count": -1})
    answer = found()
    assert set(failed(answer)) >= {"EC2", "VM permissions", "disk permissions", "route permissions"}
    assert "ec2:DescribeVolumes" in answer["EC2"]["advice"]
    assert all(a.startswith("Describe") for a in dry_runs(lab))
    assert answer["tag permissions"]["state"] == "unknown" and "ec2:CreateTags (not tried)" in answer["tag permissions"]["text"]


def test_instance_types_are_not_described(lab, found):
    lab.faults({"action": "DescribeInstanceTypes", "kind": "deny", "count": -1})
    finding = found()["VM permissions"]
    assert finding["state"] != "failed"
    assert "ec2:DescribeInstanceTypes is denied: a built-in list" in finding["text"]
    lab.forget_calls()
    assert "DescribeInstanceTypes" not in found(enable_describe_instance_types=False)["VM permissions"]["text"]
    assert "DescribeInstanceTypes" not in dry_runs(lab)


def test_dry_run_is_not_known(lab, found):
    """An endpoint that carries out a reading dry run is sent no changing one."""
    body = "<DescribeRouteTablesResponse><routeTableSet/></DescribeRouteTablesResponse>"
    lab.faults({"action": "DescribeRouteTables", "kind": "garbage", "body": body, "count": -1})
    answer = found()
    assert not set(PERMISSIONS) & set(answer)
    assert answer["permissions"]["state"] == "unknown" and "DescribeRouteTables" in answer["permissions"]["text"]
    assert all(a.startswith("Describe") for a in dry_runs(lab))


def test_changing_dry_run_is_carried_out(lab, found):
    lab.faults({"action": "DeleteVolume", "kind": "garbage", "body": "<DeleteVolumeResponse/>", "count": -1})
    finding = found()["permissions"]
    assert finding["state"] == "failed" and "DeleteVolume" in finding["text"]


def refusal(action, message, **more):
    """A rule that denies dry runs of the action with EC2's words."""
    return {"action": action, "kind": "error", "status": 403, "code": "UnauthorizedOperation", "message": message, "count": -1, **more}


def test_profile_may_not_be_passed(lab, found):
    lab.faults(refusal("RunInstances", "You are not authorized to perform this operation. User: arn:aws:iam::123456789012:user/lab "
                       "is not authorized to perform: iam:PassRole on resource: arn:aws:iam::123456789012:role/lab-builder",
                       match={"IamInstanceProfile.Name": "*"}))
    answer = found(default_iam_instance_profile=lab.env["LAB_INSTANCE_PROFILE"])
    assert failed(answer) == ["instance profile permissions"]
    assert answer["instance profile permissions"]["advice"].startswith("allow iam:PassRole on * (needed for aws.default_iam_")


def test_profile_without_words(lab, found):
    """AWS does not always say what it is that is missing."""
    lab.faults(refusal("RunInstances", "You are not authorized to perform this operation.", match={"IamInstanceProfile.Name": "*"}))
    finding = found(default_iam_instance_profile=lab.env["LAB_INSTANCE_PROFILE"])["instance profile permissions"]
    assert finding["advice"].startswith("allow ec2:RunInstances on *, and iam:PassRole on its role")


def test_profile_by_its_arn(lab, found):
    found(default_iam_instance_profile=lab.env["LAB_INSTANCE_PROFILE_ARN"])
    assert any("IamInstanceProfile.Arn" in c["params"] for c in lab.calls("RunInstances"))


def test_profile_does_not_exist(lab, found):
    lab.faults(refusal("RunInstances", "Value (nobody-made-this) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance "
                       "Profile name", match={"IamInstanceProfile.Name": "*"}) | {"status": 400, "code": "InvalidParameterValue"})
    finding = found(default_iam_instance_profile="nobody-made-this")["instance profile permissions"]
    assert finding["state"] == "failed" and "nobody-made-this" in finding["text"]
    assert "aws.default_iam_instance_profile" in finding["advice"]


def test_explicit_deny(lab, found):
    lab.faults(refusal("CreateTags", "You are not authorized to perform this operation. User: u is not authorized to perform: "
                       "ec2:CreateTags on resource: r with an explicit deny in a service control policy"))
    answer = found()
    assert failed(answer) == ["tag permissions"]
    assert "explicit deny" in answer["tag permissions"]["advice"]


@pytest.mark.parametrize("rule,shown,advice", [
    ({"kind": "error", "status": 400, "code": "InvalidParameterCombination", "message": "These do not go together"},
     "InvalidParameterCombination", "see AWS's code"),
    ({"kind": "not_found"}, "InvalidVolume.NotFound", "nothing, unless"),
    ({"kind": "error", "status": 400, "code": "InvalidVolumeID.Malformed", "message": "Invalid id"},
     "InvalidVolumeID.Malformed", "nothing, unless"),
    ({"kind": "reset"}, "network", "see AWS's code")])
def test_cannot_tell(rule, shown, advice, lab, found):
    """Neither permitted nor denied: shown as such, and no failure."""
    lab.faults({"action": "DetachVolume", "count": -1, **rule})
    answer = found()
    assert not failed(answer)
    finding = answer["disk permissions"]
    assert finding["state"] == "unknown" and finding["advice"].startswith(advice)
    assert finding["text"] == f"5 of 6 permitted, none denied; not certain: ec2:DetachVolume ({shown})"


def test_who_only_runs_bosh(lab, found):
    """Needs no DescribeRegions: nothing is wrong, and nothing unknown."""
    lab.faults({"action": "DescribeRegions", "kind": "deny", "count": -1})
    answer = found()
    assert not failed(answer)
    finding = answer[WORKERS]
    assert (finding["state"], finding["advice"]) == ("ok", None)
    assert finding["text"] == ("0 of 1 permitted; ec2:DescribeRegions is denied: the action test_install needs it, and nothing "
                               "else does")


def test_throttled_dry_runs_are_repeated(lab, found):
    lab.faults({"action": "DeleteSnapshot", "kind": "throttle", "count": 2})
    assert found()["snapshot permissions"]["text"] == "all 3 permitted"


@pytest.mark.parametrize("action,name,other", [
    ("DescribeLoadBalancers", "classic load balancer permissions", "RegisterInstancesWithLoadBalancer"),
    ("DescribeTargetGroups", "target group permissions", "RegisterTargets")])
def test_load_balancers_are_denied(action, name, other, lab, found):
    assert f"not tried: elasticloadbalancing:{other}" in found()[name]["text"]
    lab.faults({"action": action, "kind": "deny", "count": -1})
    answer = found()
    assert failed(answer) == [name]
    assert f"elasticloadbalancing:{action} and elasticloadbalancing:{other}" in answer[name]["advice"]


def test_ebs_direct(lab, found):
    assert "EBS direct permissions" not in found()
    answer = found(stemcell={"builder": "direct"})
    finding = answer["EBS direct permissions"]
    assert finding["state"] == "ok" and "ebs:PutSnapshotBlock" in finding["text"].partition("not tried: ")[2]
    assert failed(answer) == [] and "aws.ebs_endpoint" in answer["EBS direct endpoint"]["text"]
    assert [c["status"] for c in lab.calls("ListSnapshotBlocks")] == [404]
    lab.faults({"action": "ListSnapshotBlocks", "kind": "deny", "count": -1})
    finding = found(stemcell={"builder": "direct"})["EBS direct permissions"]
    assert finding["state"] == "failed" and "allow ebs:ListSnapshotBlocks" in finding["advice"]


def test_ebs_direct_where_auto_takes_it(lab, found):
    """Only then: who builds on an instance needs no permission for it."""
    assert "EBS direct permissions" not in found(stemcell={"builder": "auto"})
    lab.imds(mode="off")
    answer = found(stemcell={"builder": "auto"})
    assert answer["EBS direct permissions"]["state"] == "ok"
    assert re.match(r"direct, as aws.stemcell.builder is auto, this machine cannot build \(.*EC2 instance", answer["builder"]["text"])


# --- this machine -----------------------------------------------------------------------------------------------------

def test_state_directory(tmp_path, found):
    assert found(env={"AWS_CPI_STATE_DIR": str(tmp_path / "new")})["state directory"]["text"] == f"{tmp_path}/new can be written"
    assert not os.listdir(tmp_path / "new")
    (tmp_path / "file").write_text("")
    finding = found(env={"AWS_CPI_STATE_DIR": str(tmp_path / "file")})["state directory"]
    assert finding["state"] == "failed" and str(tmp_path / "file") in finding["text"]
    assert "AWS_CPI_STATE_DIR" in finding["advice"]


def test_onhost_missing(found):
    finding = found(stemcell={"onhost_path": "/nowhere/onhost"})["builder"]
    assert finding["state"] == "failed" and "/nowhere/onhost" in finding["text"] and "onhost" in finding["advice"]


def test_onhost_is_something_else(found):
    finding = found(stemcell={"onhost_path": "/bin/true"})["builder"]
    assert finding["state"] == "failed" and "/bin/true serve" in finding["text"]


def test_no_instance_to_build_on(found, tmp_path):
    """By SSH: test_ssh.py."""
    finding = found(stemcell={"builder": "direct"})["builder"]
    assert finding["state"] == "ok" and re.match(r"direct: through the EBS direct APIs, unpacked by \S+onhost, which is onhost \d", finding["text"])
    other = tmp_path / "onhost"
    other.write_text("#!/bin/sh\necho onhost 0.0.1\n")
    other.chmod(0o755)
    finding = found(stemcell={"builder": "direct", "onhost_path": str(other)})["builder"]
    assert finding["state"] == "failed" and "is version 0.0.1 and cpi is version" in finding["text"] and "onhost" in finding["advice"]


def test_not_on_ec2(found):
    finding = found(metadata_endpoint="http://127.0.0.1:1", env={"AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:1"})["builder"]
    assert finding["state"] == "failed" and "EC2 instance" in finding["text"]


def test_instance_of_another_account(lab, found):
    document = {"accountId": "999999999999", "instanceId": lab.builder, "region": lab.env["AWS_REGION"],
                "availabilityZone": lab.env["AWS_REGION"] + "a", "architecture": "x86_64", "instanceType": "m5.large"}
    lab.imds(paths={"dynamic/instance-identity/document": json.dumps(document)})
    finding = found()["builder"]
    assert finding["state"] == "failed" and "999999999999" in finding["text"] and "123456789012" in finding["text"]
    assert "account" in finding["advice"]


@pytest.fixture
def registry():
    """A registry of the test's own."""
    running = Registry()
    yield running
    running.close()


def test_registry(registry, found):  # pylint: disable=redefined-outer-name
    answer = found(registry=registry.config())
    assert answer["registry"]["state"] == "ok" and answer["registry"]["text"] == f"{registry.url} answers"
    assert registry.methods() == ["GET"]


def test_registry_with_a_wrong_password(lab, registry, changed):  # pylint: disable=redefined-outer-name
    result = run_check(changed(registry=registry.config(password="not-the-password")), "--json", env={"AWS_ENDPOINT_URL": lab.endpoint})
    finding = findings(result)["registry"]
    assert finding["state"] == "failed" and "401" in finding["text"] and "registry.password" in finding["advice"]
    assert "not-the-password" not in result.stdout + result.stderr and PASSWORD not in result.stdout + result.stderr


def test_registry_is_down(found):
    finding = found(registry={"endpoint": "http://127.0.0.1:1", "user": "a", "password": "b"})["registry"]
    assert finding["state"] == "failed" and "registry.endpoint" in finding["advice"]


# --- what it looks like -----------------------------------------------------------------------------------------------

def on_a_terminal(lab, **env):
    """What it prints on one, as text."""
    leader, follower = pty.openpty()
    with subprocess.Popen([CPI, "check", lab.config_path], env=director_env() | {"AWS_ENDPOINT_URL": lab.endpoint} | env,
                          stdin=subprocess.DEVNULL, stdout=follower) as process:
        os.close(follower)
        text = b""
        try:
            while chunk := os.read(leader, 65536):
                text += chunk
        except OSError:  # the other end is closed
            pass
        os.close(leader)
        assert process.wait(60) == 0
    return text.decode()


def test_terminal(lab):
    lab.faults({"action": "DetachVolume", "kind": "not_found", "count": -1})
    text = on_a_terminal(lab, TERM="xterm")
    marks = re.findall("^\x1b\\[(3[23])m(.)\x1b\\[0m ", text, re.MULTILINE)
    assert len(marks) == len(NAMES) and set(marks) == {("32", "✔"), ("33", "?")}


def test_terminal_without_colour(lab):
    text = on_a_terminal(lab, TERM="xterm", NO_COLOR="1")
    assert "\x1b" not in text and len(re.findall("^[✔?] ", text, re.MULTILINE)) == len(NAMES)
    assert "\x1b" in on_a_terminal(lab, TERM="xterm", NO_COLOR="")


@pytest.mark.parametrize("env", [{"TERM": "dumb"}, {}])
def test_dumb_terminal(env, lab):
    text = on_a_terminal(lab, **env)
    assert "\x1b" not in text and "✔" not in text and "ok    configuration: " in text


def test_wrong_lines_say_what_to_do(changed):
    result = run_check(changed(ec2_endpoint="http://127.0.0.1:1"))
    assert result.returncode == 1
    lines = result.stdout.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("WRONG EC2 endpoint: "))
    assert lines[at + 1].strip().startswith("to do: ")


def test_output_is_gone(lab):
    with open("/dev/full", "wb") as full:
        result = subprocess.run([CPI, "check", lab.config_path], env=director_env(), stdin=subprocess.DEVNULL, stdout=full,
                                stderr=subprocess.PIPE, timeout=60, check=False)
    assert result.returncode == 1 and b"No space left" in result.stderr


def test_signal_ends_it(lab):
    lab.faults({"action": "DescribeSnapshots", "kind": "hang", "seconds": 50, "match": {"DryRun": "true"}})
    with subprocess.Popen([CPI, "check", lab.config_path], env=director_env() | {"AWS_ENDPOINT_URL": lab.endpoint},
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        wait_until(lambda: lab.calls("DescribeSnapshots"))
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert process.returncode == 1 and out == b"" and b"cpi: " in err


# --- docs/check.md ----------------------------------------------------------------------------------------------------

def as_on_the_page(lab, path, text):
    """The lab's names as an operator's."""
    key = lab.env["AWS_ACCESS_KEY_ID"]
    for ours, theirs in ((str(path), "cpi.json"), (lab.builder, "i-0123456789abcdef0"), (":user/lab", ":user/bosh"),
                         (key[-4:], "MPLE"), (os.path.realpath(lab.config["cloud"]["properties"]["aws"]["stemcell"]["onhost_path"]),
                                              "/var/vcap/packages/aws_cpi/bin/onhost")):
        text = text.replace(ours, theirs)
    text = re.sub(r"^(.*endpoint: ).*$", r"\1…", text, flags=re.MULTILINE)
    text = re.sub(r"onhost \d+\.\d+\.\d+ answers", "onhost … answers", text)
    return re.sub(r"^(.*state directory: )\S+", r"\1…", text, flags=re.MULTILINE)


def test_the_page(lab, changed):
    """Its example is what cpi prints, but for the endpoints' own lines: the lab has no certificate."""
    lab.faults({"action": "ModifyVolume", "kind": "deny", "count": -1})
    path = changed()
    result = run_check(path, env={"AWS_ENDPOINT_URL": lab.endpoint})
    with open(os.path.join(ROOT, "docs", "check.md"), encoding="utf-8") as f:
        page = f.read()
    example = re.search(r"^    \$ cpi check cpi\.json\n((?:    .*\n)+)", page, re.MULTILINE).group(1)
    example = re.sub("^    ", "", example, flags=re.MULTILINE)
    assert as_on_the_page(lab, path, example) == as_on_the_page(lab, path, result.stdout)
    assert len(re.findall("endpoint: https://.*, the region's endpoint, answers; its certificate is verified$", example, re.MULTILINE)) == 3
    for name in [*NAMES, *CONFIGURED, "EBS direct permissions", "registry"]:
        assert f"`{name}`" in page, name
