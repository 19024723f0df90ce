# SPDX-License-Identifier: Apache-2.0
"""cpi policy: what it prints, that each feature works with the lab enforcing its policy and no more, and that none of the actions
in it is superfluous: without it, a call of the feature fails, or goes on and says so."""
import copy
import itertools
import json
import os
import re
import subprocess
import sys

import pytest
from botocore.exceptions import ClientError
from conftest import CPI, ROOT, director_env, run_cpi
from incumbent_policy import INCUMBENT
from scenarios import (ACTIONS, SCENARIOS, create_vm, dynamic, holdings, make_address, make_load_balancer, make_target_group, make_vm, manual,
                       scene_env, wipe, VIP_NETWORK)
from test_create_vm import ipv6
from test_endpoints import PARTITIONS

pytestmark = [pytest.mark.beyond_incumbent, pytest.mark.once]

PAGE = os.path.join(ROOT, "docs", "policy.md")
WRONG_LINE = 2  # exit status


def policy(*arguments, env=None):
    """cpi policy, without anything in the environment that leads to AWS."""
    return subprocess.run([CPI, "policy", *arguments], env={"PATH": os.environ["PATH"], **(env or {})}, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=60, check=False)


def document(*arguments):
    """The policy, parsed."""
    answer = policy(*arguments)
    assert answer.returncode == 0 and answer.stderr == "", answer.stderr
    return json.loads(answer.stdout)


def allowed(parsed):
    """Its actions."""
    return {action for statement in parsed["Statement"] for action in statement["Action"]}


def features():
    """The table: name to what `--list --json` says of it."""
    return {f["name"]: f for f in json.loads(policy("--list", "--json").stdout)["features"]}


def config_file(tmp_path, **aws):
    """A configuration of nobody's."""
    path = tmp_path / "cpi.json"
    path.write_text(json.dumps({"cloud": {"properties": {"aws": {"region": "eu-central-1", **aws}}}}))
    return str(path)


# --- what is printed --------------------------------------------------------------------------------------------------

def test_a_policy_as_iam_takes_it(tmp_path):
    parsed = document(config_file(tmp_path), "--with", "worker,denial,instance-profile")
    assert list(parsed) == ["Version", "Statement"] and parsed["Version"] == "2012-10-17"
    sids = [s["Sid"] for s in parsed["Statement"]]
    assert sids == sorted(sids) and len(sids) == len(set(sids)) and all(re.fullmatch("[A-Za-z0-9]+", sid) for sid in sids)
    for statement in parsed["Statement"]:
        assert statement["Effect"] == "Allow" and statement["Action"] == sorted(statement["Action"])
        assert set(statement) <= {"Sid", "Effect", "Action", "Resource", "Condition"}
    actions = [a for s in parsed["Statement"] for a in s["Action"]]
    assert len(actions) == len(set(actions))
    assert len(re.sub(r"\s", "", json.dumps(parsed))) < 6144


@pytest.mark.parametrize("partition", PARTITIONS["partitions"], ids=lambda partition: partition["id"])
def test_partitions(partition):
    """ARNs are of the region's partition, as botocore has it."""
    region = next(name for name in partition["regions"] if not name.endswith("-global"))
    parsed = document("--only", "spot", "--region", region)
    assert [s["Resource"].split(":")[1] for s in parsed["Statement"] if s["Resource"] != "*"] == [partition["id"]]


def test_moto_takes_it(lab, tmp_path):
    """Someone else's idea of what a policy may be."""
    path = config_file(tmp_path, kms_key_arn=lab.env["LAB_KMS_KEY"], default_iam_instance_profile="vms",
                       role_arn=lab.identities["roles"]["lab-role"])
    text = policy(path, "--with", "worker,denial").stdout
    iam = lab.client("iam")
    iam.create_policy(PolicyName=f"lab-{os.getpid()}", PolicyDocument=text)
    with pytest.raises(ClientError):
        iam.create_policy(PolicyName=f"lab-{os.getpid()}-wrong", PolicyDocument=text.replace('"Vm"', '"Tag"'))


def test_nobody_is_asked(tmp_path):
    """No credentials, no network, no instance metadata: not one system call that opens a connection."""
    path = config_file(tmp_path)
    answer = subprocess.run(["strace", "-f", "-e", "trace=network", "-o", str(tmp_path / "trace"), CPI, "policy", path],
                            env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, timeout=60, check=False)
    assert answer.returncode == 0 and json.loads(answer.stdout)
    assert "socket(" not in (tmp_path / "trace").read_text()


@pytest.mark.parametrize("aws, statement, resource", [
    ({"kms_key_arn": "arn:aws:kms:eu-central-1:123456789012:key/1"}, "Encryption", "arn:aws:kms:eu-central-1:123456789012:key/1"),
    ({"default_iam_instance_profile": "vms"}, "InstanceProfile", "arn:aws:iam::*:role/*"),
    ({"role_arn": "arn:aws:iam::123456789012:role/bosh"}, "Role", "arn:aws:iam::123456789012:role/bosh"),
    ({"stemcell": {"builder": "direct"}}, "DirectStemcell", "*"),
])
def test_what_the_configuration_decides(tmp_path, aws, statement, resource):
    stemcell = aws.pop("stemcell", {})
    without = {s["Sid"]: s for s in document(config_file(tmp_path))["Statement"]}
    path = config_file(tmp_path, **aws)
    if stemcell:
        root = json.loads((tmp_path / "cpi.json").read_text())
        root["cloud"]["properties"]["aws"]["stemcell"] = stemcell
        (tmp_path / "cpi.json").write_text(json.dumps(root))
    found = {s["Sid"]: s for s in document(path)["Statement"]}
    assert found[statement]["Resource"] == resource
    assert statement not in without or stemcell
    for name in ("Vm", "Disk", "Tag"):
        assert found[name]["Condition"] == {"StringEquals": {"aws:RequestedRegion": "eu-central-1"}}
        assert "Condition" not in {s["Sid"]: s for s in document()["Statement"]}[name]


def test_without_what_is_not_used(tmp_path):
    path = config_file(tmp_path)
    less = allowed(document(path, "--without", "elb,target-group,elastic-ip"))
    assert allowed(document(path)) - less == {
        "elasticloadbalancing:DescribeLoadBalancers", "elasticloadbalancing:RegisterInstancesWithLoadBalancer",
        "elasticloadbalancing:DescribeTargetGroups", "elasticloadbalancing:RegisterTargets", "ec2:AssociateAddress",
        "ec2:DescribeAddresses"}
    # disks keep what they share with stemcells
    assert "ec2:CreateVolume" in allowed(document(path, "--without", "disk"))
    assert "ec2:CreateVolume" not in allowed(document(path, "--without", "disk,heavy-stemcell"))


@pytest.mark.parametrize("line, message", [
    (["--only", "vms"], "there is no feature 'vms'; did you mean vm?"),
    (["--kms-key", "alias/mine"], "the KMS key 'alias/mine' is not given as a policy needs it"),
    (["--only"], "--only needs a value"),
    (["--delete"], "--delete does not go with this command"),
    (["a.json", "b.json"], "b.json is one argument too many"),
])
def test_a_wrong_line(line, message):
    answer = policy(*line)
    assert answer.returncode == WRONG_LINE and answer.stdout == "" and message in answer.stderr


def test_a_configuration_that_is_none(tmp_path):
    answer = policy(str(tmp_path / "missing.json"))
    assert answer.returncode == 1 and answer.stdout == "" and "missing.json" in answer.stderr


def test_help_and_list():
    assert policy("--help").stdout.startswith("usage: cpi policy [CONFIG]")
    text = policy("--list").stdout
    assert [line.partition(" ")[0] for line in text.splitlines() if line and line[0] != " "] == list(features())


def test_the_page():
    """Its tables are the program's."""
    with open(PAGE, encoding="utf-8") as f:
        page = f.read()
    rows = re.findall(r"^\| `([a-z-]+)` \| (\w+) \| (.*?) \| (.*?) \| (.*) \|$", page, re.MULTILINE)
    known = features()
    assert [r[0] for r in rows] == list(known)
    for name, sid, used_by, decided_by, actions in rows:
        feature = known[name]
        assert (sid, used_by, decided_by) == (feature["sid"], feature["used_by"], feature["decided_by"])
        assert actions.split() == [f"`{a['action']}`" + ("" if a["called"] else "¹") + ("²" if a["can_do_without"] else "")
                                   for a in feature["actions"]]
        for action in feature["actions"]:
            if action["can_do_without"]:
                assert f"- `{action['action']}`: {action['can_do_without']}." in page
    help_text = policy("--help").stdout
    for option in re.findall(r"^\| `(--[a-z-]+)", page, re.MULTILINE):
        assert option in help_text


def test_the_incumbents_policy_lacks_what_the_page_says():
    """And nothing else that the Director may ask for."""
    with open(PAGE, encoding="utf-8") as f:
        part = f.read().partition("## With the Ruby CPI's policy")[2].partition("\n## ")[0]
    named = set(re.findall(r"`((?:ec2|ebs|sts):[A-Za-z0-9…]+)`", part))
    missing = {a["action"] for f in features().values() for a in f["actions"] if a["called"]} - INCUMBENT
    assert {a for a in missing if not a.startswith("ebs:")} == named - {"ebs:…"} and "ebs:…" in named


@pytest.mark.parametrize("change, status, message", [
    (lambda all_of_them: all_of_them, 0, "recorded actions: "),
    (lambda all_of_them: all_of_them | {"ec2:StopInstances"}, 1, "recorded, but in no policy: ec2:StopInstances"),
    (lambda all_of_them: all_of_them - {"ec2:CopyImage"}, 1, "in a policy, but no test has recorded it: ec2:CopyImage"),
])
def test_the_comparison_after_a_whole_run(tmp_path, change, status, message):
    recorded = sorted(change({a["action"] for f in features().values() for a in f["actions"] if a["called"]}))
    folder = tmp_path / "recorded"
    folder.mkdir()
    (folder / "1").write_text("\n".join(recorded[::2]) + "\n")
    (folder / "2").write_text("\n".join(recorded[1::2]) + "\n")
    answer = subprocess.run([sys.executable, os.path.join(ROOT, "tests", "tools", "recorded_actions.py"), CPI, str(folder)],
                            capture_output=True, text=True, check=False, timeout=60)
    assert (answer.returncode, message in answer.stdout) == (status, True), answer.stdout + answer.stderr


# --- under the incumbent's ------------------------------------------------------------------------------------------

def test_a_route_that_may_not_be_deleted(lab, tmp_path):
    """That policy has no DeleteRoute: the answer says that the route is left."""
    before = holdings(lab)
    env = director_env() | {"AWS_CPI_STATE_DIR": str(tmp_path / "state")}
    request = vm_with_route_that_fails(lab)
    lab.allow(INCUMBENT)
    answer = run_cpi(lab, request, env=env).json
    destination = request["arguments"][2]["advertised_routes"][0]["destination"]
    assert "ec2:DeleteRoute is part of the feature route: `cpi policy`" in answer["error"]["message"]
    assert re.search(rf"left behind: .*{re.escape(destination)}", answer["error"]["message"])
    lab.allow(None)
    wipe(lab, before)


def test_what_the_incumbent_cannot_do_either(lab):
    """Its code assigns prefixes, its policy does not allow that; what is said names what is missing."""
    before = holdings(lab)
    request = vm_with_prefix(lab, 4)
    lab.allow(INCUMBENT)
    message = run_cpi(lab, request).json["error"]["message"]
    lab.allow(None)
    assert "ec2:AssignPrivateIpAddresses is part of the feature prefix: `cpi policy`" in message
    assert holdings(lab)["interfaces"] == before["interfaces"]
    wipe(lab, before)


# --- each feature under its own policy, and without one of its actions ----------------------------------------------

NUMBERS = itertools.count(1)  # addresses and routes are each taken once


def address():
    """One that no other test takes."""
    return f"10.0.0.{70 + next(NUMBERS) % 50}"


def two_networks(lab):
    """The networks of a VM with two interfaces."""
    groups = {"security_groups": [lab.env["LAB_SECURITY_GROUP"]]}
    return {"one": manual(lab, address(), cloud_properties=groups), "two": manual(lab, address(), default=[], cloud_properties=groups)}


def one_network(lab):
    """One, and its security group by id."""
    return {"default": dynamic(lab, cloud_properties={"security_groups": [lab.env["LAB_SECURITY_GROUP"]]})}


def plain_vm(lab, **properties):
    """The request of a VM with those properties."""
    return create_vm(lab, one_network(lab), properties)


def vm_with_public_address(lab):
    """Two interfaces, and a public address for the first."""
    return create_vm(lab, two_networks(lab), {"auto_assign_public_ip": True})


def vm_that_fails(lab):
    """Its interfaces are made, and deleted again."""
    lab.faults({"action": "RunInstances", "kind": "error", "status": 400, "code": "InstanceLimitExceeded", "count": -1})
    return create_vm(lab, two_networks(lab))


def vm_with_prefix(lab, kind):
    """A network with a prefix."""
    number = next(NUMBERS)
    start = f"10.0.0.{144 + 16 * (number % 6)}" if kind == 4 else ipv6(lab, 0)[:-1].removesuffix(":") + f"{number:x}::"
    return create_vm(lab, {
        "address": manual(lab, address(), nic_group="0", cloud_properties={"security_groups": ["bosh"]}),
        "range": manual(lab, start, prefix="28" if kind == 4 else "80", nic_group="0", default=[])})


def vm_with_route(lab, destination=None):
    """A VM that a route leads to."""
    destination = destination or f"10.98.{next(NUMBERS)}.0/24"
    return plain_vm(lab, advertised_routes=[{"table_id": lab.env["LAB_ROUTE_TABLE"], "destination": destination}])


def vm_with_old_route(lab):
    """A route that leads elsewhere so far."""
    destination = f"10.97.{next(NUMBERS)}.0/24"
    lab.ec2.create_route(RouteTableId=lab.env["LAB_ROUTE_TABLE"], DestinationCidrBlock=destination, InstanceId=make_vm(lab))
    return vm_with_route(lab, destination)


def vm_with_route_that_fails(lab):
    """A route that is made, and taken back."""
    lab.faults({"action": "AssociateAddress", "kind": "error", "status": 400, "code": "InvalidParameterValue", "count": -1})
    request = vm_with_route(lab)
    request["arguments"][3][VIP_NETWORK] = {"type": "vip", "ip": make_address(lab), "cloud_properties": {}}
    return request


def encrypted_disk(lab):
    """A disk with a key."""
    return {"method": "create_disk", "arguments": [1024, {"encrypted": True, "kms_key_arn": lab.env["LAB_KMS_KEY"]}, make_vm(lab)]}


EXTRAS = {
    "vm with instance storage": lambda lab: plain_vm(lab, instance_type="m5d.large", raw_instance_storage=True),
    "vm with two interfaces": lambda lab: create_vm(lab, two_networks(lab)),
    "vm with a public address": vm_with_public_address, "vm that fails": vm_that_fails,
    "vm with an IPv4 prefix": lambda lab: vm_with_prefix(lab, 4), "vm with an IPv6 prefix": lambda lab: vm_with_prefix(lab, 6),
    "vm without check": lambda lab: plain_vm(lab, source_dest_check=False),
    "vm with a route": vm_with_route, "vm with an old route": vm_with_old_route, "vm and a route that fail": vm_with_route_that_fails,
    "vm behind a load balancer": lambda lab: plain_vm(lab, elbs=[make_load_balancer(lab)]),
    "vm in a target group": lambda lab: plain_vm(lab, lb_target_groups=[make_target_group(lab)[0]]),
    "vm with a profile": lambda lab: plain_vm(lab, iam_instance_profile=lab.env["LAB_INSTANCE_PROFILE"]),
    "encrypted disk": encrypted_disk,
}
FAILS = {"vm that fails", "vm and a route that fail"}  # also with all that it needs

# feature → the others whose policy it comes on top of, and what shows it
FEATURES = {
    "vm": ("", ["create_vm (groups by name)", "vm with instance storage", "delete_vm", "has_vm", "reboot_vm", "reboot_vm (stopped)",
                "get_disks"]),
    "network-interface": ("vm", ["vm with two interfaces", "vm with a public address", "vm that fails"]),
    "prefix": ("vm,network-interface", ["vm with an IPv4 prefix", "vm with an IPv6 prefix"]),
    "source-dest-check": ("vm", ["vm without check"]),
    "elastic-ip": ("vm", ["create_vm (vip)"]),
    "route": ("vm,elastic-ip", ["vm with a route", "vm with an old route", "vm and a route that fail"]),
    "elb": ("vm", ["vm behind a load balancer"]),
    "target-group": ("vm", ["vm in a target group"]),
    "instance-profile": ("vm", ["vm with a profile"]),
    "spot": ("vm", ["create_vm (spot)"]),
    "tag": ("", ["set_vm_metadata", "set_disk_metadata"]),
    "disk": ("", ["create_disk", "create_disk (for a VM)", "delete_disk", "has_disk", "attach_disk", "detach_disk"]),
    "disk-resize": ("", ["resize_disk", "update_disk"]),
    "encryption": ("disk", ["encrypted disk"]),
    "snapshot": ("", ["snapshot_disk", "delete_snapshot"]),
    "heavy-stemcell": ("", ["create_stemcell (heavy)", "delete_stemcell"]),
    "light-stemcell": ("", ["create_stemcell (light, encrypted copy)", "delete_stemcell"]),
    "direct-stemcell": ("", ["create_stemcell (direct, 4 blocks)", "delete_stemcell", "check"]),
    "worker": ("", list(ACTIONS)),
    "role": ("disk", ["has_disk as a role"]),
    "denial": ("disk", ["denied disk"]),
}

# What AWS's other services ask for, which the lab does not: kms:… when a volume is encrypted, and the account's first spot VM.
NOT_ASKED = {name for name in ("kms:CreateGrant", "kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*",
                               "kms:ReEncrypt*", "iam:CreateServiceLinkedRole")}


# What is done all the same, with a warning, where it is another feature's action that is denied.
GOES_ON = {("light-stemcell", "ec2:DescribeInstances"), ("direct-stemcell", "ec2:DescribeInstances")}


class Stage:
    """Runs scenarios under a policy."""

    def __init__(self, lab, stemcell, folder):
        self.lab, self.stemcell, self.folder = lab, stemcell, folder

    def run(self, name, actions):
        """All that is said, whether it failed, and the permissions that were asked for."""
        lab = self.lab
        lab.reset()
        lab.allow(None)
        config, env = None, director_env()
        if name == "check":
            return self.check(actions)
        if name == "has_disk as a role":
            config = self.configuration(role_arn=lab.identities["roles"]["lab-role"])
            env["AWS_ENDPOINT_URL_STS"] = lab.endpoint
            request = SCENARIOS["has_disk"](lab, None)
        elif name == "denied disk":
            lab.faults({"action": "CreateVolume", "kind": "deny", "count": -1})
            env["AWS_ENDPOINT_URL_STS"] = lab.endpoint
            request = SCENARIOS["create_disk"](lab, None)
        else:
            request = EXTRAS[name](lab) if name in EXTRAS else SCENARIOS[name](lab, self.stemcell)
        lab.forget_calls()
        lab.allow(actions)
        answer = run_cpi(lab, request, config, env=env | scene_env(lab, name) | {"AWS_CPI_STATE_DIR": str(self.folder / "state")})
        asked = {p for c in lab.calls() for p in c["permissions"]}
        lab.allow(None)
        assert answer.json, answer.stderr
        return answer.stdout + answer.stderr, answer.json["error"] is not None, asked

    def configuration(self, **aws):
        """The lab's, changed."""
        config = copy.deepcopy(self.lab.config)
        config["cloud"]["properties"]["aws"].update(aws)
        return config

    def check(self, actions):
        """cpi check's line about the EBS direct APIs."""
        path = self.folder / "direct.json"
        path.write_text(json.dumps(self.configuration(stemcell={"builder": "direct"})))
        self.lab.allow(actions)
        answer = subprocess.run([CPI, "check", str(path), "--json"], capture_output=True, text=True, check=False, timeout=60,
                                env=director_env() | {"AWS_ENDPOINT_URL": self.lab.endpoint})
        self.lab.allow(None)
        line, = (c for c in json.loads(answer.stdout)["checks"] if c["name"] == "EBS direct permissions")
        return json.dumps(line), line["state"] != "ok", {"ebs:ListSnapshotBlocks"}


@pytest.fixture
def stage(lab, stemcell, tmp_path):
    """The lab, tidied up afterwards."""
    before = holdings(lab)
    yield Stage(lab, stemcell, tmp_path)
    lab.reset()
    lab.allow(None)
    wipe(lab, before)


def allowed_by(names, lab):
    """What `cpi policy --only` prints for these features and the lab's configuration."""
    if not names:
        return set()
    path = os.path.join(lab.dir, "policy.json")
    config = copy.deepcopy(lab.config)
    config["cloud"]["properties"]["aws"].update(kms_key_arn=lab.env["LAB_KMS_KEY"], role_arn=lab.identities["roles"]["lab-role"])
    with open(path, "w", encoding="utf-8") as f:
        json.dump(config, f)
    return allowed(document(path, "--only", names))


def test_every_feature_is_shown():
    assert sorted(FEATURES) == sorted(features())


@pytest.mark.parametrize("feature", FEATURES)
def test_feature(stage, feature):
    """Its policy is enough, all of it is asked for, and nothing of it is superfluous."""
    base, scenes = FEATURES[feature]
    basis = allowed_by(base, stage.lab)
    policy_of_it = allowed_by(f"{base},{feature}".strip(","), stage.lab)
    asked = {}
    for name in scenes:
        said, failed, asked[name] = stage.run(name, policy_of_it)
        assert failed == (name in FAILS or name == "denied disk"), f"{name}: {said}"
        assert "is part of the feature" not in said or name == "denied disk", f"{name}: {said}"
    own = policy_of_it - basis - NOT_ASKED
    assert set().union(*asked.values()) - basis == own
    table = {a["action"]: a for f in features().values() for a in f["actions"]}
    for action in sorted(own):
        name = next(name for name, permissions in asked.items() if action in permissions)
        said, failed, _ = stage.run(name, policy_of_it - {action})
        assert action in said or name == "denied disk" and "Encoded authorization failure message" in said, f"{name} without {action}: {said}"
        if table[action]["can_do_without"] is None and (feature, action) not in GOES_ON:
            assert failed and f"{action} is part of the feature " in said and "`cpi policy`" in said, f"{name} without {action}: {said}"
