# SPDX-License-Identifier: Apache-2.0
"""cpi sweep: what it lists, what it removes, and what it leaves alone."""
import json
import os
import re
import signal
import subprocess
from types import SimpleNamespace

import pytest
from conftest import CPI, account, director_context, run_cpi
from test_create_stemcell import REQUEST_TAG, config_with, created, heavy, journals, state_env
from test_kill import Running, sweep

pytestmark = pytest.mark.beyond_incumbent

DIRECTOR = director_context()["director_uuid"]


def broken_off(lab, stemcell, folder, action="RegisterImage", when="after"):
    """A create_stemcell that was killed at a call; its journal's path."""
    known = journals(folder)
    running = Running(lab, folder)
    lab.faults({"action": action, "kind": "signal", "signal": "KILL", "when": when, "pid": running.pid})
    running.send(heavy(stemcell))
    running.end()
    assert running.process.returncode == -signal.SIGKILL
    lab.clear()
    (journal,) = set(journals(folder)) - set(known)
    return journal


KINDS = "volume|snapshot|image|instance|network interface|attachment|route"


def rows(swept):
    """(kind, id, rest) of the table."""
    return re.findall(rf"^({KINDS}) {{2,}}(\S+(?: \S+)*) {{2,}}(.*)$", swept.stdout, re.MULTILINE)


def sweep_ids(lab, folder, *words):
    """cpi sweep CONFIG --delete with ids."""
    return subprocess.run([CPI, "sweep", lab.config_path, "--delete", *words], env=state_env(folder), capture_output=True,
                          text=True, timeout=120, check=False)


def test_nothing(lab, tmp_path):
    swept = sweep(lab, tmp_path)
    assert swept.returncode == 0
    assert "0 found" in swept.stdout and str(tmp_path) in swept.stdout


def test_list_then_delete(lab, stemcell, tmp_path):
    before = account(lab)
    journal = broken_off(lab, stemcell, tmp_path)
    listed = sweep(lab, tmp_path)
    assert listed.returncode == 0
    found = rows(listed)
    assert [kind for kind, _, _ in found] == ["image", "snapshot"], listed.stdout
    assert all("left behind" in rest and DIRECTOR in rest and "create_stemcell" in rest for _, _, rest in found)
    assert journals(tmp_path) == [journal]
    assert account(lab) != before
    removed = sweep(lab, tmp_path, "--delete")
    assert removed.returncode == 0, removed.stdout + removed.stderr
    assert all("removed" in rest for _, _, rest in rows(removed)) and "removed" in removed.stdout
    assert account(lab) == before
    assert journals(tmp_path) == []
    assert "0 found" in sweep(lab, tmp_path).stdout


def test_an_answer_on_its_way_is_removed_by_id_alone(lab, stemcell, tmp_path):
    """The Director may have it."""
    before = account(lab)
    journal = broken_off(lab, stemcell, tmp_path)
    with open(journal, "a", encoding="ascii") as f:
        f.write('{"answering":0}\n')
    swept = sweep(lab, tmp_path, "--delete")
    assert swept.returncode == 0
    assert "0 removed" in swept.stdout and "may be in use" in swept.stdout
    ami = next(i for kind, i, _ in rows(swept) if kind == "image")
    assert ami in account(lab)["images"]
    assert journals(tmp_path) == [journal]
    # options and CONFIG may come in any order; ids stand behind CONFIG
    swept = sweep_ids(lab, tmp_path, ami)
    assert swept.returncode == 0, swept.stdout + swept.stderr
    # its snapshot went along
    assert account(lab) == before
    assert sweep(lab, tmp_path, "--delete").returncode == 0
    assert journals(tmp_path) == []


def test_a_live_one_is_left_alone(lab, stemcell, tmp_path):
    before = account(lab)
    lab.states(snapshot={"completed": 3})
    running = Running(lab, tmp_path)
    running.send(heavy(stemcell))
    running.sees("taking snapshot")
    swept = sweep(lab, tmp_path, "--delete")
    assert swept.returncode == 0
    assert "0 found" in swept.stdout and "1 of live ones skipped" in swept.stdout
    ami = json.loads(running.end())["result"]
    assert ami
    created(run_cpi(lab, {"method": "delete_stemcell", "arguments": [ami]}, env=state_env(tmp_path)))
    assert account(lab) == before


@pytest.mark.parametrize("field, value", [("endpoint", "https://ec2.eu-west-1.amazonaws.com/"), ("access_key_id", "AKIAOTHER")])
def test_other_accounts_are_left_alone(lab, stemcell, tmp_path, field, value):
    before = account(lab)
    journal = broken_off(lab, stemcell, tmp_path)
    with open(journal, encoding="utf-8") as f:
        text = f.read()
    header = json.loads(text.splitlines()[0])
    with open(journal, "w", encoding="utf-8") as f:
        f.write(json.dumps(header | {field: value}) + "\n" + text.partition("\n")[2])
    swept = sweep(lab, tmp_path, "--delete")
    assert swept.returncode == 0
    assert "0 found" in swept.stdout and "1 for another endpoint or access key left alone" in swept.stdout
    assert journals(tmp_path) == [journal]
    with open(journal, "w", encoding="utf-8") as f:
        f.write(text)
    assert sweep(lab, tmp_path, "--delete").returncode == 0
    assert account(lab) == before


def test_a_broken_journal_does_not_stop_the_others(lab, stemcell, tmp_path):
    before = account(lab)
    broken_off(lab, stemcell, tmp_path, "CreateVolume")
    directory = os.path.dirname(journals(tmp_path)[0])
    broken = os.path.join(directory, "0000000000000-broken.jsonl")
    with open(broken, "w", encoding="ascii") as f:
        f.write("rubbish\n")
    swept = sweep(lab, tmp_path, "--delete")
    assert swept.returncode == 1
    assert broken in swept.stderr
    assert account(lab) == before
    assert journals(tmp_path) == [broken]


def test_what_cannot_be_removed(lab, stemcell, tmp_path):
    before = account(lab)
    journal = broken_off(lab, stemcell, tmp_path, "CreateVolume")
    lab.faults({"action": "DeleteVolume", "kind": "error", "status": 403, "code": "UnauthorizedOperation", "count": -1})
    swept = sweep(lab, tmp_path, "--delete")
    assert swept.returncode == 1
    assert re.search(r"not removed: .*UnauthorizedOperation", swept.stdout)
    assert journals(tmp_path) == [journal]
    lab.reset()
    assert sweep(lab, tmp_path, "--delete").returncode == 0
    assert account(lab) == before


# --- by tag ---

def test_by_tag(lab, stemcell, tmp_path):
    """Another machine's: its journals are not here."""
    before = account(lab)
    broken_off(lab, stemcell, tmp_path / "other", "CreateSnapshot")
    assert rows(sweep(lab, tmp_path)) == []
    listed = sweep(lab, tmp_path, "--by-tag", "--director", DIRECTOR)
    assert listed.returncode == 0
    mine = [(kind, i) for kind, i, _ in rows(listed)]
    assert {kind for kind, _ in mine} >= {"volume", "snapshot"}
    left = set(account(lab)["volumes"]) - set(before["volumes"]) | set(account(lab)["snapshots"]) - set(before["snapshots"])
    assert left <= {i for _, i in mine}
    assert sweep(lab, tmp_path, "--by-tag", "--director", DIRECTOR, "--delete").returncode != 0
    command = [CPI, "sweep", "--by-tag", "--director", DIRECTOR, "--delete", lab.config_path]
    refused = subprocess.run(command + ["vol-00000000000000001"], env=state_env(tmp_path), capture_output=True, text=True,
                             timeout=120, check=False)
    assert refused.returncode == 1 and "not among what was found" in refused.stderr
    removed = subprocess.run(command + sorted(left), env=state_env(tmp_path), capture_output=True, text=True, timeout=120,
                             check=False)
    assert removed.returncode == 0, removed.stdout + removed.stderr
    assert account(lab) == before


def test_by_tag_needs_a_director(lab, tmp_path):
    for arguments in (["--by-tag"], ["--by-tag", "--director", "*"]):
        swept = sweep(lab, tmp_path, *arguments)
        assert swept.returncode != 0
        assert "director" in swept.stderr


def test_another_directors_things_are_not_listed(lab, tmp_path):
    volume = lab.ec2.create_volume(Size=1, AvailabilityZone="us-east-1a", TagSpecifications=[
        {"ResourceType": "volume", "Tags": [{"Key": REQUEST_TAG, "Value": f"x{DIRECTOR}/r/1-00000000"}]}])["VolumeId"]
    assert volume not in sweep(lab, tmp_path, "--by-tag", "--director", DIRECTOR).stdout
    lab.ec2.delete_volume(VolumeId=volume)


def test_wrong_credentials(lab, stemcell, tmp_path):
    before = account(lab)
    broken_off(lab, stemcell, tmp_path, "CreateVolume")
    wrong = tmp_path / "wrong.json"
    wrong.write_text(json.dumps(config_with(lab, secret_access_key="wrong" * 8)), encoding="ascii")
    swept = subprocess.run([CPI, "sweep", str(wrong), "--delete"], env=state_env(tmp_path), capture_output=True, text=True,
                           timeout=120, check=False)
    assert swept.returncode == 1 and "wrongwrong" not in swept.stdout + swept.stderr
    assert len(journals(tmp_path)) == 1
    assert sweep(lab, tmp_path, "--delete").returncode == 0
    assert account(lab) == before


# --- VMs: what create_vm and attach_disk leave when they are killed ---

def tag_of(step):
    return f"{DIRECTOR}/cpi-1/{step}-00000000"


def tagged(kind, step):
    return {"TagSpecifications": [{"ResourceType": kind, "Tags": [{"Key": REQUEST_TAG, "Value": tag_of(step)}]}]}


def write_journal(folder, method, entries, answering=False):
    """The journal of a process that is dead: entries are (kind, id when it was intended, id when it was created)."""
    lines = [{"journal": 1, "pid": 1, "started": 1767225600, "method": method, "director": DIRECTOR, "request": "cpi-1"}]
    for number, (kind, known, made) in enumerate(entries, 1):
        known = {"id": known} if known else {}
        lines.append({"intend": number, "kind": kind, "token": f"cpi-1-{number}", "tag": tag_of(number)} | known)
        if made:
            lines.append({"created": number, "id": made})
    if answering:
        lines.append({"answering": 0})
    directory = os.path.join(state_env(folder)["AWS_CPI_STATE_DIR"], "journal")
    os.makedirs(directory, mode=0o700, exist_ok=True)
    path = os.path.join(directory, f"{len(os.listdir(directory)):013}-test.jsonl")
    with open(path, "w", encoding="ascii") as f:
        f.writelines(json.dumps(line) + "\n" for line in lines)
    assert path in journals(folder)
    return path


@pytest.fixture
def network(lab):
    """A subnet, and a route table with one route that leads to a gateway."""
    (subnet,) = lab.ec2.describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]},
                                                  {"Name": "availability-zone", "Values": ["us-east-1a"]}])["Subnets"]
    table = lab.ec2.create_route_table(VpcId=subnet["VpcId"])["RouteTable"]["RouteTableId"]
    gateway = lab.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    lab.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=subnet["VpcId"])
    lab.ec2.create_route(RouteTableId=table, DestinationCidrBlock="10.66.0.0/16", GatewayId=gateway)
    yield SimpleNamespace(subnet=subnet["SubnetId"], table=table, gateway=gateway)
    lab.ec2.delete_route_table(RouteTableId=table)
    lab.ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=subnet["VpcId"])
    lab.ec2.delete_internet_gateway(InternetGatewayId=gateway)


def targets(lab, table):
    """destination → target of a table's routes, the local one aside."""
    (found,) = lab.ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"]
    return {r["DestinationCidrBlock"]: r.get("InstanceId") or r.get("GatewayId") for r in found["Routes"]
            if r.get("GatewayId") != "local"}


def make_vm(lab, network):
    """A VM with an interface of its own and one made beside it, and two routes; the ids, newest last."""
    first, second = (lab.ec2.create_network_interface(SubnetId=network.subnet, **tagged("network-interface", step))[
        "NetworkInterface"]["NetworkInterfaceId"] for step in (1, 2))
    vm = lab.ec2.run_instances(ImageId=lab.light_ami, MinCount=1, MaxCount=1, InstanceType="m5.large", NetworkInterfaces=[
        {"DeviceIndex": 0, "NetworkInterfaceId": first}], **tagged("instance", 3))["Instances"][0]["InstanceId"]
    lab.ec2.create_route(RouteTableId=network.table, DestinationCidrBlock="10.77.0.0/16", InstanceId=vm)
    lab.ec2.replace_route(RouteTableId=network.table, DestinationCidrBlock="10.66.0.0/16", InstanceId=vm)
    return [first, second, vm, f"{network.table} 10.77.1.2/16 {vm}",
            f"{network.table} 10.66.0.0/16 {vm} GatewayId {network.gateway}"]


VM_KINDS = ["network interface", "network interface", "instance", "route", "route"]


@pytest.mark.parametrize("ids_came", [True, False])
def test_a_vm(lab, tmp_path, network, ids_came):
    before = account(lab)
    ids = make_vm(lab, network)
    known = [None, None, None, *ids[3:]]
    made = [*ids[:3], None, None] if ids_came else [None] * 5
    journal = write_journal(tmp_path, "create_vm", list(zip(VM_KINDS, known, made)))
    listed = sweep(lab, tmp_path)
    assert listed.returncode == 0, listed.stderr
    assert [(kind, i) for kind, i, _ in rows(listed)] == list(zip(VM_KINDS, ids))[::-1], listed.stdout
    assert all("create_vm" in rest and "left behind" in rest for _, _, rest in rows(listed))
    assert ids[2] in account(lab)["instances"] and journals(tmp_path) == [journal]
    removed = sweep(lab, tmp_path, "--delete")
    assert removed.returncode == 0, removed.stdout + removed.stderr
    assert "5 found, 5 removed" in removed.stdout
    assert account(lab) == before
    assert targets(lab, network.table) == {"10.66.0.0/16": network.gateway}
    assert journals(tmp_path) == []


def test_a_vm_that_was_never_made(lab, tmp_path, network):
    """Killed before the first call took effect."""
    before = account(lab)
    write_journal(tmp_path, "create_vm", [
        ("network interface", None, None), ("instance", None, None),
        ("route", f"{network.table} 10.66.0.0/16 i-0123456789abcdef0 GatewayId {network.gateway}", None)])
    removed = sweep(lab, tmp_path, "--delete")
    assert removed.returncode == 0 and "0 found" in removed.stdout
    assert journals(tmp_path) == [] and account(lab) == before
    assert targets(lab, network.table) == {"10.66.0.0/16": network.gateway}


def test_a_route_that_leads_elsewhere_by_now(lab, tmp_path, network):
    before = account(lab)
    first, second, vm, added, _ = make_vm(lab, network)
    lab.ec2.replace_route(RouteTableId=network.table, DestinationCidrBlock="10.77.0.0/16", GatewayId=network.gateway)
    lab.ec2.replace_route(RouteTableId=network.table, DestinationCidrBlock="10.66.0.0/16", GatewayId=network.gateway)
    write_journal(tmp_path, "create_vm", [("network interface", None, first), ("network interface", None, second),
                                          ("instance", None, vm), ("route", added, None)])
    removed = sweep(lab, tmp_path, "--delete")
    assert removed.returncode == 0 and "3 found, 3 removed" in removed.stdout
    assert account(lab) == before
    assert targets(lab, network.table) == {"10.77.0.0/16": network.gateway, "10.66.0.0/16": network.gateway}


def test_a_vm_that_the_director_may_know(lab, tmp_path, network):
    before = account(lab)
    ids = make_vm(lab, network)
    entries = list(zip(VM_KINDS, [None, None, None, *ids[3:]], [*ids[:3], None, None]))
    journal = write_journal(tmp_path, "create_vm", entries, answering=True)
    swept = sweep(lab, tmp_path, "--delete")
    assert swept.returncode == 0 and "5 found, 0 removed" in swept.stdout
    assert all("may be in use" in rest for _, _, rest in rows(swept))
    assert ids[2] in account(lab)["instances"] and journals(tmp_path) == [journal]
    # a route's text goes as one word
    removed = sweep_ids(lab, tmp_path, *ids)
    assert removed.returncode == 0, removed.stdout + removed.stderr
    assert account(lab) == before and journals(tmp_path) == []
    assert targets(lab, network.table) == {"10.66.0.0/16": network.gateway}


def attachments(lab, disk):
    (volume,) = lab.ec2.describe_volumes(VolumeIds=[disk])["Volumes"]
    return [a["InstanceId"] for a in volume["Attachments"]]


def test_an_attachment_goes_by_its_name_alone(lab, tmp_path, network):
    """The Director repeats an attach_disk that failed; a disk that is in use must stay where it is."""
    vm = lab.ec2.run_instances(ImageId=lab.light_ami, MinCount=1, MaxCount=1, InstanceType="m5.large",
                               SubnetId=network.subnet)["Instances"][0]["InstanceId"]
    disk = lab.ec2.create_volume(Size=1, AvailabilityZone="us-east-1a")["VolumeId"]
    lab.ec2.attach_volume(VolumeId=disk, InstanceId=vm, Device="/dev/sdf")
    journal = write_journal(tmp_path, "attach_disk", [("attachment", f"{disk} {vm}", None)])
    swept = sweep(lab, tmp_path, "--delete")
    assert swept.returncode == 0 and "1 found, 0 removed" in swept.stdout
    ((kind, name, rest),) = rows(swept)
    assert (kind, name) == ("attachment", f"{disk} {vm}") and "may be in use" in rest
    assert attachments(lab, disk) == [vm] and journals(tmp_path) == [journal]
    removed = sweep_ids(lab, tmp_path, f"{disk} {vm}")
    assert removed.returncode == 0, removed.stdout + removed.stderr
    assert attachments(lab, disk) == [] and journals(tmp_path) == []
    lab.ec2.delete_volume(VolumeId=disk)
    lab.ec2.terminate_instances(InstanceIds=[vm])


def test_an_instance_that_cannot_be_terminated(lab, tmp_path, network):
    before = account(lab)
    ids = make_vm(lab, network)
    journal = write_journal(tmp_path, "create_vm", [("instance", None, ids[2])])
    lab.faults({"action": "TerminateInstances", "kind": "error", "status": 403, "code": "UnauthorizedOperation", "count": -1})
    swept = sweep(lab, tmp_path, "--delete")
    assert swept.returncode == 1
    assert re.search(rf"^instance +{ids[2]} .*not removed: .*UnauthorizedOperation", swept.stdout, re.MULTILINE)
    assert journals(tmp_path) == [journal]
    lab.reset()
    write_journal(tmp_path, "create_vm", list(zip(VM_KINDS, [None, None, None, *ids[3:]], [*ids[:3], None, None])))
    assert sweep(lab, tmp_path, "--delete").returncode == 0
    assert account(lab) == before and journals(tmp_path) == []


def test_a_vm_by_tag(lab, tmp_path, network):
    before = account(lab)
    first, second, vm, *_ = make_vm(lab, network)
    listed = sweep(lab, tmp_path, "--by-tag", "--director", DIRECTOR)
    assert listed.returncode == 0, listed.stderr
    mine = [(kind, i) for kind, i, _ in rows(listed)]
    assert ("instance", vm) in mine
    assert {("network interface", first), ("network interface", second)} <= set(mine)
    # each after what holds it
    assert mine.index(("instance", vm)) < mine.index(("network interface", first))
    removed = sweep_ids(lab, tmp_path, "--by-tag", "--director", DIRECTOR, second, first, vm)
    assert removed.returncode == 0, removed.stdout + removed.stderr
    assert account(lab) == before
    assert vm not in sweep(lab, tmp_path, "--by-tag", "--director", DIRECTOR).stdout  # although EC2 still shows it
    for destination in targets(lab, network.table):
        lab.ec2.delete_route(RouteTableId=network.table, DestinationCidrBlock=destination)
