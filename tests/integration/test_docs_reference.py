# SPDX-License-Identifier: Apache-2.0
"""docs/configuration.md, cpi.json(5) and docs/cloud-properties.md against the code: the properties there are those that cpi reads, and no
others (tests/tools/properties_driver.c tells each look-up), with the defaults that it has; and the job's spec gives what the page says."""
import copy
import json
import os
import re
import subprocess
import sys

import pytest
import yaml
from command_kit import lab_env, run
from conftest import ROOT, run_cpi
from scenarios import ZONE, create_vm, dynamic, holdings, wipe

sys.path.insert(0, os.path.join(ROOT, "tests", "tools"))
import configuration_page  # noqa: E402  pylint: disable=wrong-import-position

pytestmark = pytest.mark.once

BUILD = os.environ.get("BUILD_DIR") or os.path.join(ROOT, "build")
CONFIGURATION = os.path.join(ROOT, "docs", "configuration.md")
CLOUD = os.path.join(ROOT, "docs", "cloud-properties.md")
MAN_PAGE = os.path.join(ROOT, "packaging", "man", "cpi.json.5")
SPEC = os.path.join(ROOT, "packaging", "bosh", "jobs", "aws_cpi", "spec")

# every object has its name in it, by which the driver tells what was looked up there
INPUT = {
    "config": {"_at": "file", "cloud": {"_at": "cloud", "properties": {
        "_at": "properties", "agent": {"_at": "agent"}, "stemcell": {"_at": "aws.stemcell"},
        "registry": {"_at": "registry", "endpoint": "http://registry:25777"},
        "debug": {"_at": "debug", "cpi": {"_at": "debug.cpi"}},
        "aws": {"_at": "aws", "stemcell": {"_at": "aws.stemcell", "ssh": {"_at": "aws.stemcell.ssh"}}}}}},
    "create_stemcell": ["/image", {"_at": "Stemcells"}, {}],
    "create_vm": ["agent", "ami-1", {
        "_at": "VMs", "instance_type": "m5.large", "availability_zone": ZONE, "spot_bid_price": 0.1,
        "root_disk": {"_at": "`root_disk`"}, "ephemeral_disk": {"_at": "`ephemeral_disk`"},
        "advertised_routes": [{"_at": "`advertised_routes`", "table_id": "rtb-1", "destination": "10.0.0.0/8"}]},
        {"n": {"_at": "Networks", "cloud_properties": {"_at": "Networks"}}}, [], {}],
    "create_disk": [2048, {"_at": "Persistent disks"}, None],
}
GROUPS = {"aws.stemcell", "aws.stemcell.ssh", "debug.cpi"}  # objects of properties that the page has one by one


@pytest.fixture(scope="module", name="told")
def _told():
    """What the driver tells: place → the names that were looked up there, and value name → what it was."""
    driver = os.path.join(BUILD, "tests", "properties_driver")
    lines = subprocess.run([driver], input=json.dumps(INPUT), check=True, capture_output=True, text=True, timeout=30).stdout
    reads, values = {}, {}
    for line in lines.splitlines():
        kind, rest = line.split(" ", 1)
        if kind == "read":
            place, key = rest.rsplit(" ", 1)
            reads.setdefault(place, set()).add(key)
        else:
            name, value = rest.split(" ", 1)
            values[name] = json.loads(value)
    return reads, values


def text_of(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def properties():
    """The rows of the configuration's page, by property."""
    found = [row for _, part in configuration_page.rows(text_of(CONFIGURATION)) for row in part]
    by_name = {row["property"].strip("`"): row for row in found}
    assert len(by_name) == len(found)
    return by_name


def first_code(text):
    """What stands first in such marks, as JSON where it is that."""
    code = re.match(r"`([^`]*)`", text)
    try:
        return json.loads(code.group(1)) if code else None
    except ValueError:
        return code.group(1)


# --- the configuration ---

def test_the_page_has_what_is_read(told):
    """No property more, and none less."""
    reads, _ = told
    assert reads["file"] == {"cloud"} and reads["cloud"] == {"properties"} and reads["debug"] == {"cpi"}
    assert reads["properties"] == {"aws", "agent", "registry", "debug", "stemcell"}
    code = {f"{place}.{key}" for place in ("aws", "aws.stemcell", "aws.stemcell.ssh", "registry", "debug.cpi") for key in reads[place]}
    assert set(properties()) == (code - GROUPS) | {"agent"}


def test_all_reads_pass_through_what_the_driver_calls(told):
    """Properties are read by these files; another one would not be seen."""
    readers = set()
    for folder, _, names in os.walk(os.path.join(ROOT, "cpi")):
        for name in names:
            text = text_of(os.path.join(folder, name)) if name.endswith(".c") else ""
            if re.search(r"aws_properties|stemcell\.properties|stemcell->properties", text):
                readers.add(os.path.relpath(os.path.join(folder, name), ROOT))
    # who only asks whether something is set that the others read
    asking = {path for path in readers if path.startswith(("cpi/check/", "cpi/policy/"))}
    for path in asking:
        names = set(re.findall(r'"(default_\w+)"', text_of(os.path.join(ROOT, path))))
        assert names and names <= told[0]["aws"], (path, names)
    assert readers - asking == {"cpi/config.c", "cpi/rpc/vm_args.c", "cpi/rpc/disk_args.c", "cpi/rpc/stemcell_args.c"}


def test_defaults(told):
    _, values = told
    rows = properties()
    named = {name: value for name, value in values.items() if not name.startswith("vm.")}
    assert named == {name: first_code(rows[name]["default"]) for name in named}
    # and each default that the page gives as a value is one of those, or of the environment's
    others = {"aws.metadata_endpoint", "aws.stemcell.lab", "aws.stemcell.lab_devices"}
    assert {name for name, row in rows.items() if row["default"].startswith("`")} == set(named) | others


def value_for(row):
    """One that the type takes, and one that it does not."""
    kind = row["type"]
    if "object from type" in kind:
        return ["m5.large"], 7
    if kind.startswith("list"):
        return ["bosh"], 7
    if kind.startswith("object"):
        return {"us-east-1": "ami-0123456789abcdef0"}, "text"
    if kind == "true or false":
        return True, None
    if re.match(r"\d|over|MiB", kind):
        return 3, "many"
    return first_code(kind) or "/some/text", {"an": "object"}


# read when a VM or a stemcell is made, not before
LATE = re.compile(r"aws\.(default_|metadata_options|instance_types_fallback|availability_zone)|"
                  r"aws\.stemcell\.(kernel_id|ami|name|version|architecture|virtualization_type|root_device_name|boot_mode|disk|"
                  r"encrypted|kms_key_arn|tags)$")
SPECIAL = {"aws.stemcell.ssh.private_key": "-----BEGIN OPENSSH PRIVATE KEY-----\nA\n-----END OPENSSH PRIVATE KEY-----\n",
           "aws.stemcell.ssh.host": "builder", "aws.stemcell.ssh.user": "stemcells"}


def with_property(lab, name, value):
    """The lab's configuration with that property set."""
    config = copy.deepcopy(lab.config)
    place = config["cloud"]["properties"]
    *path, last = name.split(".")
    for part in path:
        place = place.setdefault(part, {})
    place[last] = value
    if name.startswith("registry.") and name != "registry.endpoint":
        place["endpoint"] = "http://127.0.0.1:1"
    return config


@pytest.mark.parametrize("name", sorted(properties()))
def test_types(lab, name):
    """A value of the page's type is taken, and one of another type refused by the property's name."""
    right, wrong = value_for(properties()[name])
    answer = run_cpi(lab, {"method": "ping"}, with_property(lab, name, SPECIAL.get(name, right)))
    assert answer.json["result"] == "pong", answer.json
    if wrong is not None and not LATE.match(name):
        answer = run_cpi(lab, {"method": "ping"}, with_property(lab, name, wrong))
        assert name.rsplit(".", 1)[-1] in answer.json["error"]["message"], answer.json


def test_the_whole_file_of_the_page(lab, tmp_path):
    """cpi takes it: what it says is right, check says as well."""
    path = tmp_path / "cpi.json"
    path.write_text(configuration_page.example(text_of(CONFIGURATION)))
    env = lab_env(lab, tmp_path, AWS_ACCESS_KEY_ID=None, AWS_SECRET_ACCESS_KEY=None)
    report = json.loads(run(env, "check", str(path), "--json").stdout)
    by_name = {each["name"]: each for each in report["checks"]}
    assert by_name["configuration"]["ok"] and "us-east-1" in by_name["region"]["text"]


def test_the_man_page_is_the_page():
    """`make man` writes it."""
    assert text_of(MAN_PAGE) == configuration_page.page(text_of(CONFIGURATION))


def test_the_man_page_is_installed(tmp_path):
    done = subprocess.run(["make", "-C", ROOT, "-n", "install", f"DESTDIR={tmp_path}", "PREFIX=/usr"], check=True, text=True,
                          capture_output=True, timeout=60)
    assert f"packaging/man/cpi.json.5 {tmp_path}/usr/share/man/man5/cpi.json.5" in done.stdout


def test_the_job_gives_what_the_page_says():
    """Each property of the job's spec is in the page, each of the page's in the spec."""
    page = text_of(CONFIGURATION)
    spec = yaml.safe_load(text_of(SPEC))["properties"]
    told_of = {name for row in properties().values() for name in re.findall(r"`([^`]+)`", row["job property"])}
    told_of |= set(re.findall(r"`([\w.]+)`", page.partition("## From the environment")[2])) & set(spec)
    assert told_of == set(spec)
    assert f"the job writes {spec['aws.max_retries']['default']})" in properties()["aws.max_retries"]["default"]


# --- cloud properties ---

def cloud_properties():
    """Heading → rows."""
    return dict(configuration_page.rows(text_of(CLOUD)))


def test_the_page_has_the_cloud_properties_that_are_read(told):
    reads, values = told
    page = cloud_properties()
    assert set(page) == {place for place in reads if place[0].isupper() or place[0] == "`"}
    for heading, rows in page.items():
        names = [row["property"].strip("`") for row in rows]
        # spot_bid_price, the root disk and so on are objects of the page, too
        assert sorted(names) == sorted(reads[heading]), heading
        for row in rows:
            name = row["property"].strip("`")
            place = {"VMs": "vm.", "`ephemeral_disk`": "vm.ephemeral_disk."}.get(heading, "-") + name
            if place in values:
                assert first_code(row["default"]) == values[place], place


@pytest.mark.parametrize("heading", sorted(cloud_properties()))
def test_each_cloud_property_has_an_example(heading):
    for row in cloud_properties()[heading]:
        value = yaml.safe_load(row["example"].strip("`"))
        kind = row["type"]
        wanted = list if kind.startswith("list") else dict if kind.startswith("object") else bool if kind == "true or false" else \
            (int, float) if re.match("MiB|number|length", kind) else str
        assert isinstance(value, wanted), row


def blocks():
    """The page's YAML, by the key that it begins with."""
    found = {}
    for block in re.findall(r"^```yaml\n(.*?)^```", text_of(CLOUD), re.MULTILINE | re.DOTALL):
        found |= yaml.safe_load(block)
    return found


def test_the_examples_use_what_the_tables_have():
    page = {heading: {row["property"].strip("`") for row in rows} for heading, rows in cloud_properties().items()}
    found = blocks()
    for kind, heading in (("azs", "VMs"), ("vm_types", "VMs"), ("vm_extensions", "VMs"), ("disk_types", "Persistent disks")):
        for each in found[kind]:
            assert set(each["cloud_properties"]) <= page[heading], each
    assert set(found["cloud_properties"]) <= page["Stemcells"] | {"infrastructure"}
    for network in found["networks"]:
        for subnet in network.get("subnets", []):
            assert set(subnet["cloud_properties"]) <= page["Networks"]


@pytest.fixture(name="tidy")
def _tidy(lab):
    before = holdings(lab)
    yield
    lab.reset()
    wipe(lab, before)


def created(answer):
    assert answer.json["error"] is None, answer.json
    return answer.json["result"]


@pytest.mark.usefixtures("tidy")
@pytest.mark.parametrize("which", ["vm_types", "vm_extensions"])
def test_the_examples_make_a_vm(lab, which):
    """As they stand, with the lab's things where they name some."""
    given = {}
    for each in blocks()[which]:
        given |= each["cloud_properties"]
    for name in ("elbs", "lb_target_groups"):  # the lab's own are tested with create_vm
        given.pop(name, None)
    for route in given.get("advertised_routes", []):
        route["table_id"] = lab.env["LAB_ROUTE_TABLE"]
    vm, _ = created(run_cpi(lab, create_vm(lab, {"default": dynamic(lab, cloud_properties={"security_groups": ["bosh"]})}, given)))
    made = lab.ec2.describe_instances(InstanceIds=[vm])["Reservations"][0]["Instances"][0]
    sizes = {v["VolumeType"]: v["Size"] for v in lab.ec2.describe_volumes(
        Filters=[{"Name": "attachment.instance-id", "Values": [vm]}, {"Name": "attachment.device", "Values": ["/dev/sdb"]}])["Volumes"]}
    assert sizes == {"gp3": 25 if which == "vm_types" else 10}  # the example's, the default
    assert made["SourceDestCheck"] == given.get("source_dest_check", True)


@pytest.mark.usefixtures("tidy")
def test_the_examples_make_disks(lab):
    disk = blocks()["disk_types"][0]
    plain = created(run_cpi(lab, {"method": "create_disk", "arguments": [2048, {}, None]}))
    fast = created(run_cpi(lab, {"method": "create_disk", "arguments": [disk["disk_size"], disk["cloud_properties"], None]}))
    shown = {v["VolumeId"]: v for v in lab.ec2.describe_volumes(VolumeIds=[plain, fast])["Volumes"]}
    assert (shown[plain]["VolumeType"], shown[plain]["Encrypted"]) == ("gp3", False)
    assert (shown[fast]["Iops"], shown[fast]["Encrypted"], shown[fast]["Size"]) == (6000, True, 100)


@pytest.mark.usefixtures("tidy")
def test_the_example_makes_a_stemcell(lab):
    """A light one, which needs no image."""
    given = blocks()["cloud_properties"] | {"ami": {"us-east-1": lab.light_ami}}
    assert created(run_cpi(lab, {"method": "create_stemcell", "arguments": ["/nowhere", given]})) == lab.light_ami + " light"
