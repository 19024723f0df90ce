# SPDX-License-Identifier: Apache-2.0
"""create_vm: what the account holds afterwards, by another client's eyes, for each cloud property, and what is refused
before anything is made."""
import base64
import copy
import json

import pytest
from conftest import run_cpi, wait_until
from scenarios import (ZONE, create_vm, dynamic, holdings, make_address, make_disk, make_load_balancer, make_target_group,
                       make_vm, manual, more_than, wipe)
from test_create_stemcell import config_with, created, journals, refused, state_env, tags

RETRIABLE = "Bosh::Clouds::VMCreationFailed"


@pytest.fixture
def vm(lab, tmp_path):
    """vm(networks, properties, …): creates one and gives what EC2 then shows of it. All of it goes at the end."""
    before = holdings(lab)

    def create(networks=None, properties=None, config=None, **more):
        lab.forget_calls()
        answer = run_cpi(lab, create_vm(lab, networks or net(lab), properties, **more), config=config,
                         env=state_env(tmp_path))
        vm_cid, _ = created(answer)
        assert journals(tmp_path) == []
        return described(lab, vm_cid)
    yield create
    lab.reset()
    wipe(lab, before)


@pytest.fixture
def refuse(lab, tmp_path):
    """refuse(text, networks, properties, …): nothing is made, the message has that text."""
    before = holdings(lab)

    def create(text, networks=None, properties=None, config=None, kind="Bosh::Clouds::CloudError", calls=(), **more):
        held = holdings(lab)
        lab.forget_calls()
        answer = run_cpi(lab, create_vm(lab, networks or net(lab), properties, **more), config=config,
                         env=state_env(tmp_path))
        made = [c["action"] for c in lab.calls() if not c["action"].startswith("Describe")]
        message = refused(answer, text, kind)
        assert made == list(calls), made
        assert more_than(held, holdings(lab)) == {}
        assert journals(tmp_path) == []
        return answer.json["error"] | {"message": message}
    yield create
    lab.reset()
    wipe(lab, before)


def net(lab, **more):
    return {"default": dynamic(lab, cloud_properties={"security_groups": ["bosh"]}, **more)}


def described(lab, vm_cid):
    return lab.ec2.describe_instances(InstanceIds=[vm_cid])["Reservations"][0]["Instances"][0]


def attribute(lab, vm_cid, name):
    return lab.ec2.describe_instance_attribute(InstanceId=vm_cid, Attribute=name)


def user_data(lab, instance):
    text = attribute(lab, instance["InstanceId"], "userData")["UserData"]["Value"]
    return json.loads(base64.b64decode(text))


def volume(lab, instance, device):
    """The volume behind one of its device names."""
    found = [m["Ebs"]["VolumeId"] for m in instance["BlockDeviceMappings"] if m["DeviceName"] == device]
    assert len(found) == 1, instance["BlockDeviceMappings"]
    return lab.ec2.describe_volumes(VolumeIds=found)["Volumes"][0]


def ephemeral(lab, instance):
    return volume(lab, instance, "/dev/sdb")


def root(lab, instance):
    image = lab.ec2.describe_images(ImageIds=[instance["ImageId"]])["Images"][0]
    return volume(lab, instance, image["BlockDeviceMappings"][0]["DeviceName"])


def interface(lab, interface_id):
    return lab.ec2.describe_network_interfaces(NetworkInterfaceIds=[interface_id])["NetworkInterfaces"][0]


def actions(lab):
    return [c["action"] for c in lab.calls()]


# --- the answer, the plain VM ---

def test_the_answer_by_version(lab, tmp_path):
    before = holdings(lab)
    networks = net(lab)
    request = create_vm(lab, networks)
    assert created(run_cpi(lab, request, env=state_env(tmp_path)))[1] == networks
    answer = run_cpi(lab, {**request, "api_version": 3}, env=state_env(tmp_path))
    assert created(answer)[1] == networks
    wipe(lab, before)


def test_a_plain_vm(lab, vm):
    instance = vm()
    assert instance["State"]["Name"] == "running"
    assert instance["InstanceType"] == "m5.large"
    assert instance["ImageId"] == lab.light_ami
    assert instance["Placement"]["AvailabilityZone"] == ZONE
    assert instance["Placement"].get("Tenancy", "default") == "default"
    nic, = instance["NetworkInterfaces"]
    assert nic["SubnetId"] == lab.env["LAB_SUBNET"]
    assert [g["GroupId"] for g in nic["Groups"]] == [lab.env["LAB_SECURITY_GROUP"]]
    assert nic["Attachment"]["DeleteOnTermination"] is True
    assert "CreateNetworkInterface" not in actions(lab)
    run, = lab.calls("RunInstances")
    assert run["params"]["NetworkInterface.1.AssociatePublicIpAddress"] == "false"


def test_the_subnets_public_addresses_do_not_win(lab, vm):
    subnet = lab.env["LAB_SUBNET"]
    lab.ec2.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": True})
    try:
        assert "PublicIpAddress" not in vm()
        assert vm(properties={"auto_assign_public_ip": True})["PublicIpAddress"]
    finally:
        lab.ec2.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": False})


def test_the_agents_settings(lab, vm):
    config = copy.deepcopy(lab.config)
    config["cloud"]["properties"]["agent"] = {
        "ntp": ["0.pool.ntp.org"], "mbus": "nats://nats:nats-password@10.0.0.6:4222",
        "blobstore": {"provider": "dav", "options": {"endpoint": "http://10.0.0.6:25250", "user": "agent"}}}
    networks = {"default": manual(lab, "10.0.0.61", cloud_properties={"security_groups": ["bosh"]})}
    env = {"bosh": {"group": "dummy", "password": "$6$foo"}, "own": [1, 2]}
    settings = user_data(lab, vm(networks, config=config, env=env))
    assert settings["agent_id"] == "4149ba0f-38d9-4485-476f-1581be36f290"
    assert settings["vm"]["name"].startswith("vm-")
    assert settings["networks"] == {"default": {**networks["default"], "use_dhcp": True}}
    assert settings["disks"] == {"system": "/dev/sda1", "ephemeral": "/dev/sdb", "persistent": {}} | {
        "system": settings["disks"]["system"]}
    assert settings["env"] == env
    assert settings["dns"] == {"nameserver": ["10.0.0.2"]}
    for key, value in config["cloud"]["properties"]["agent"].items():
        assert settings[key] == value
    assert "registry" not in settings
    image = lab.ec2.describe_images(ImageIds=[lab.light_ami])["Images"][0]
    assert settings["disks"]["system"] == image["RootDeviceName"]


def test_user_data_over_the_limit(refuse):
    error = refuse("16 KiB|16384", env={"bosh": {"blob": "x" * 17000}})
    assert "env" in error["message"]


# --- networks ---

def test_a_manual_network(lab, vm):
    instance = vm({"a": manual(lab, "10.0.0.62", cloud_properties={"security_groups": ["bosh"]})})
    assert instance["PrivateIpAddress"] == "10.0.0.62"
    assert "CreateNetworkInterface" not in actions(lab)
    assert user_data(lab, instance)["networks"]["a"].get("mac") is None


def test_several_interfaces(lab, vm):
    networks = {"one": manual(lab, "10.0.0.63", cloud_properties={"security_groups": ["bosh"]}),
                "two": manual(lab, "10.0.0.64", default=[])}
    instance = vm(networks, {"tags": {"cost": "42"}})
    nics = sorted(instance["NetworkInterfaces"], key=lambda n: n["Attachment"]["DeviceIndex"])
    assert [n["PrivateIpAddress"] for n in nics] == ["10.0.0.63", "10.0.0.64"]
    assert all(n["Attachment"]["DeleteOnTermination"] for n in nics)
    settings = user_data(lab, instance)["networks"]
    assert [settings[name]["mac"] for name in ("one", "two")] == [n["MacAddress"] for n in nics]
    for nic in nics:
        shown = interface(lab, nic["NetworkInterfaceId"])
        assert {t["Key"]: t["Value"] for t in shown["TagSet"]}["cost"] == "42"
        assert [g["GroupId"] for g in shown["Groups"]] == [lab.env["LAB_SECURITY_GROUP"]]


def test_two_stacks_in_one_group(lab, vm):
    six = manual(lab, ipv6(lab, 0x65), netmask="ffff:ffff:ffff:ffff::", nic_group="0", default=[])
    four = manual(lab, "10.0.0.65", nic_group="0", cloud_properties={"security_groups": ["bosh"]})
    instance = vm({"four": four, "six": six})
    nic, = instance["NetworkInterfaces"]
    assert nic["PrivateIpAddress"] == "10.0.0.65"
    assert [a["Ipv6Address"] for a in nic["Ipv6Addresses"]] == [ipv6(lab, 0x65)]
    settings = user_data(lab, instance)["networks"]
    assert settings["four"]["mac"] == settings["six"]["mac"] == nic["MacAddress"]


def ipv6(lab, last):
    """An address of the lab's subnet."""
    subnet = lab.ec2.describe_subnets(SubnetIds=[lab.env["LAB_SUBNET"]])["Subnets"][0]
    return subnet["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"].split("::")[0] + f"::{last:x}"


def test_one_ipv6_network(lab, vm):
    instance = vm({"six": manual(lab, ipv6(lab, 0x66), cloud_properties={"security_groups": ["bosh"]})})
    nic, = instance["NetworkInterfaces"]
    assert [a["Ipv6Address"] for a in nic["Ipv6Addresses"]] == [ipv6(lab, 0x66)]


@pytest.mark.beyond_incumbent  # whose code assigns prefixes, and whose policy does not allow it
def test_prefixes(lab, vm):
    networks = {"four": manual(lab, "10.0.0.67", nic_group="0", cloud_properties={"security_groups": ["bosh"]}),
                "range": manual(lab, "10.0.0.128", prefix="28", nic_group="0", default=[])}
    instance = vm(networks)
    nic = interface(lab, instance["NetworkInterfaces"][0]["NetworkInterfaceId"])
    assigned = [c["params"] for c in lab.calls("AssignPrivateIpAddresses")]
    assert [p["Ipv4Prefix.1"] for p in assigned] == ["10.0.0.128/28"]
    assert assigned[0]["NetworkInterfaceId"] == nic["NetworkInterfaceId"]


def test_a_dynamic_and_a_manual_network(lab, vm):
    networks = {"a": manual(lab, "10.0.0.68", cloud_properties={"security_groups": ["bosh"]}),
                "b": dynamic(lab, default=[])}
    instance = vm(networks)
    nics = sorted(instance["NetworkInterfaces"], key=lambda n: n["Attachment"]["DeviceIndex"])
    assert len(nics) == 2 and nics[0]["PrivateIpAddress"] == "10.0.0.68"


def test_public_addresses_of_own_interfaces(lab, vm):
    networks = {"one": manual(lab, "10.0.0.69", cloud_properties={"security_groups": ["bosh"]}),
                "two": manual(lab, "10.0.0.70", default=[])}
    vm(networks, {"auto_assign_public_ip": True})
    asked = [c["params"] for c in lab.calls("ModifyNetworkInterfaceAttribute") if "AssociatePublicIpAddress" in c["params"]]
    assert asked and all(p["AssociatePublicIpAddress"] == "true" for p in asked)


@pytest.mark.parametrize("networks, text", [
    (lambda lab: {"a": {"type": "vip", "ip": "203.0.113.1", "cloud_properties": {}}}, "network|subnet"),
    (lambda lab: {**net(lab), "v": {"type": "vip", "cloud_properties": {}}}, "No IP provided for vip network 'v'"),
    (lambda lab: {**net(lab), "v": {"type": "vip", "ip": "203.0.113.1"}, "w": {"type": "vip", "ip": "203.0.113.2"}},
     "More than one vip network"),
    (lambda lab: {**net(lab), "v": {"type": "vip", "ip": "203.0.113.1"}}, "Elastic IP.*203.0.113.1"),
    (lambda lab: {"a": {"type": "odd", "cloud_properties": {"subnet": lab.env["LAB_SUBNET"]}}}, "Invalid network type 'odd'"),
    (lambda lab: {"a": {"type": "dynamic", "cloud_properties": {"security_groups": ["bosh"]}}}, "subnet"),
    (lambda lab: {"a": dynamic(lab, cloud_properties={"security_groups": ["nowhere"]})},
     "Security group not found with name 'nowhere'"),
])
def test_networks_that_are_refused(lab, refuse, networks, text):
    refuse(text, networks(lab))


def test_a_subnet_that_does_not_exist(lab, refuse):
    networks = {"a": dynamic(lab, cloud_properties={"subnet": "subnet-0123456789abcdef0", "security_groups": ["bosh"]})}
    refuse("subnet-0123456789abcdef0", networks, kind="Bosh::Clouds::NetworkNotFound")


def test_subnets_in_two_zones(lab, refuse):
    networks = {"a": manual(lab, "10.0.0.71", cloud_properties={"security_groups": ["bosh"]}),
                "b": manual(lab, "10.0.1.71", cloud_properties={"subnet": lab.env["LAB_SUBNET_B"]})}
    refuse("All nic groups must be in the same availability zone", networks)


# --- security groups ---

@pytest.fixture
def group(lab):
    made = lab.ec2.create_security_group(GroupName="other", Description="other", VpcId=lab.env["LAB_VPC"])["GroupId"]
    yield made
    lab.ec2.delete_security_group(GroupId=made)


def groups_of(instance):
    return sorted(g["GroupId"] for g in instance["NetworkInterfaces"][0]["Groups"])


def test_the_vms_groups_win(lab, vm, group):
    assert groups_of(vm(properties={"security_groups": ["other"]})) == [group]


def test_all_networks_groups_together(lab, vm, group):
    networks = {"one": manual(lab, "10.0.0.72", cloud_properties={"security_groups": ["bosh"]}),
                "two": manual(lab, "10.0.0.73", default=[], cloud_properties={"security_groups": [group]})}
    assert groups_of(vm(networks)) == sorted([group, lab.env["LAB_SECURITY_GROUP"]])


def test_default_groups(lab, vm, group):
    config = config_with(lab, default_security_groups=["other"])
    assert groups_of(vm({"default": dynamic(lab)}, config=config)) == [group]


def test_no_groups_at_all(lab, refuse):
    refuse("Missing security groups", {"default": dynamic(lab)}, config=config_with(lab, default_security_groups=[]))


# --- zones ---

def test_the_vms_zone_and_the_subnets(lab, refuse):
    refuse(f"can't use multiple availability zones: subnet in {ZONE}, VM in us-east-1b",
           properties={"availability_zone": "us-east-1b"})


def test_a_disk_in_another_zone(lab, refuse):
    disk = make_disk(lab, zone="us-east-1b")
    refuse(f"multiple availability zones.*volume in us-east-1b.*{disk}", disks=[disk])


def test_a_disk_in_the_same_zone(lab, vm):
    assert vm(disks=[make_disk(lab)])["Placement"]["AvailabilityZone"] == ZONE


def test_a_disk_that_does_not_exist(refuse):
    refuse("vol-0123456789abcdef0", disks=["vol-0123456789abcdef0"], kind="Bosh::Clouds::DiskNotFound")


# --- disks ---

def test_disks_by_default(lab, vm):
    instance = vm()
    assert (ephemeral(lab, instance)["Size"], ephemeral(lab, instance)["VolumeType"]) == (10, "gp3")
    assert root(lab, instance)["VolumeType"] == "gp3"
    assert all(m["Ebs"]["DeleteOnTermination"] for m in instance["BlockDeviceMappings"])
    assert not ephemeral(lab, instance)["Encrypted"]


@pytest.mark.parametrize("disk, shown", [
    ({"size": 20480}, {"Size": 20, "VolumeType": "gp3"}),
    ({"size": 20481}, {"Size": 21}),
    ({"size": 20480, "type": "gp2"}, {"VolumeType": "gp2"}),
    ({"size": 20480, "type": "io1", "iops": 1000}, {"VolumeType": "io1", "Iops": 1000}),
    ({"size": 20480, "type": "gp3", "iops": 4000, "throughput": 200}, {"Iops": 4000, "Throughput": 200}),
    ({"size": 20480, "type": "standard"}, {"VolumeType": "standard"}),
])
def test_the_root_disk(lab, vm, disk, shown):
    found = root(lab, vm(properties={"root_disk": disk}))
    assert {k: found[k] for k in shown} == shown


@pytest.mark.parametrize("disk, shown", [
    ({"size": 20480}, {"Size": 20, "VolumeType": "gp3"}),
    ({"size": 25000, "type": "io2", "iops": 1000}, {"Size": 25, "VolumeType": "io2", "Iops": 1000}),
    ({"size": 20480, "iops": 4000, "throughput": 200}, {"Iops": 4000, "Throughput": 200}),
    ({"size": 512000, "type": "st1"}, {"Size": 500, "VolumeType": "st1"}),
    ({"size": 512000, "type": "sc1"}, {"Size": 500, "VolumeType": "sc1"}),
    ({"encrypted": True}, {"Encrypted": True}),
])
def test_the_ephemeral_disk(lab, vm, disk, shown):
    found = ephemeral(lab, vm(properties={"ephemeral_disk": disk}))
    assert {k: found[k] for k in shown} == shown


def test_encryption_of_the_configuration(lab, vm):
    key = lab.client("kms").create_key()["KeyMetadata"]["Arn"]
    config = config_with(lab, encrypted=True, kms_key_arn=key)
    instance = vm(config=config)
    assert (ephemeral(lab, instance)["Encrypted"], ephemeral(lab, instance)["KmsKeyId"]) == (True, key)
    assert not root(lab, instance)["Encrypted"]
    off = vm(config=config, properties={"ephemeral_disk": {"encrypted": False, "kms_key_arn": None}})
    assert not ephemeral(lab, off)["Encrypted"]


def test_as_large_as_the_types_instance_storage(lab, vm):
    assert ephemeral(lab, vm(properties={"instance_type": "m3.xlarge"}))["Size"] == 40


def test_the_root_disk_as_ephemeral_disk(lab, vm):
    instance = vm(properties={"ephemeral_disk": {"use_root_disk": True}})
    assert [m["DeviceName"] for m in instance["BlockDeviceMappings"]] == [root(lab, instance)["Attachments"][0]["Device"]]
    assert "ephemeral" not in user_data(lab, instance)["disks"]


def test_instance_storage_as_ephemeral_disk(lab, vm):
    instance = vm(properties={"instance_type": "m3.xlarge", "ephemeral_disk": {"use_instance_storage": True}})
    assert user_data(lab, instance)["disks"]["ephemeral"] == "/dev/sdb"
    run = lab.calls("RunInstances")[0]["params"]
    assert "ephemeral0" in run.values()


def test_raw_instance_storage(lab, vm):
    instance = vm(properties={"instance_type": "m3.xlarge", "raw_instance_storage": True})
    disks = user_data(lab, instance)["disks"]
    assert disks["raw_ephemeral"] == [{"path": "/dev/xvdba"}, {"path": "/dev/xvdbb"}]
    assert disks["ephemeral"] == "/dev/sdb"
    sent = lab.calls("RunInstances")[0]["params"]
    assert {"ephemeral0", "ephemeral1", "/dev/xvdba", "/dev/xvdbb"} <= set(sent.values())


def test_raw_instance_storage_on_nvme(lab, vm):
    instance = vm(properties={"instance_type": "i3.4xlarge", "raw_instance_storage": True})
    assert user_data(lab, instance)["disks"]["raw_ephemeral"] == [{"path": "/dev/nvme0n1"}, {"path": "/dev/nvme1n1"}]
    sent = lab.calls("RunInstances")[0]["params"]
    assert not any(v.startswith("ephemeral") for v in sent.values())


@pytest.mark.parametrize("properties, text", [
    ({"raw_instance_storage": True}, "raw_instance_storage requested for instance type 'm5.large'"),
    ({"ephemeral_disk": {"use_instance_storage": True}}, "use_instance_storage requested for instance type 'm5.large'"),
    ({"instance_type": "m3.xlarge", "raw_instance_storage": True, "ephemeral_disk": {"use_instance_storage": True}},
     "cannot both be true"),
    ({"instance_type": "m3.xlarge", "ephemeral_disk": {"use_instance_storage": True, "size": 2048}}, "cannot be combined"),
    ({"instance_type": None}, "instance_type"),
])
def test_properties_that_are_refused(refuse, properties, text):
    refuse(text, properties=properties)


# --- the instance ---

def test_keys_profiles_placement(lab, vm):
    lab.ec2.create_placement_group(GroupName="close", Strategy="cluster")
    instance = vm(properties={"key_name": lab.env["LAB_KEY_NAME"], "iam_instance_profile": lab.env["LAB_INSTANCE_PROFILE"],
                              "placement_group": "close", "tenancy": "dedicated"})
    assert instance["KeyName"] == lab.env["LAB_KEY_NAME"]
    assert instance["IamInstanceProfile"]["Arn"].endswith("/" + lab.env["LAB_INSTANCE_PROFILE"])
    assert instance["Placement"]["GroupName"] == "close"
    assert instance["Placement"]["Tenancy"] == "dedicated"


def test_the_configurations_defaults(lab, vm):
    config = config_with(lab, default_key_name=lab.env["LAB_KEY_NAME"],
                         default_iam_instance_profile=lab.env["LAB_INSTANCE_PROFILE"],
                         metadata_options={"http_tokens": "required", "http_put_response_hop_limit": 2})
    instance = vm(config=config, properties={"metadata_options": {"http_put_response_hop_limit": 3}})
    assert instance["KeyName"] == lab.env["LAB_KEY_NAME"]
    assert instance["IamInstanceProfile"]["Arn"].endswith("/" + lab.env["LAB_INSTANCE_PROFILE"])
    shown = instance["MetadataOptions"]
    assert (shown["HttpTokens"], shown["HttpPutResponseHopLimit"]) == ("required", 3)


@pytest.mark.parametrize("tenancy", ["default", "dedicated", "host", "shared"])
def test_tenancy(lab, vm, tenancy):
    """Any other word means default."""
    shown = vm(properties={"tenancy": tenancy})["Placement"].get("Tenancy", "default")
    assert shown == ("default" if tenancy == "shared" else tenancy)


def test_an_unknown_key_is_ec2s_error(refuse):
    refuse("InvalidKeyPair.NotFound", properties={"key_name": "nowhere"}, calls=["RunInstances"])


@pytest.mark.parametrize("value, shown", [(False, False), (True, True), (None, True)])
def test_source_dest_check(lab, vm, value, shown):
    instance = vm(properties={"source_dest_check": value})
    assert attribute(lab, instance["InstanceId"], "sourceDestCheck")["SourceDestCheck"]["Value"] is shown
    assert ("ModifyInstanceAttribute" in actions(lab)) is not shown


def test_tags(lab, vm):
    instance = vm(properties={"tags": {"cost": "42", "both": "vm"}}, env={"bosh": {"tags": {"both": "env", "team": "a"}}})
    things = [instance] + [lab.ec2.describe_volumes(VolumeIds=[m["Ebs"]["VolumeId"]])["Volumes"][0]
                           for m in instance["BlockDeviceMappings"]]
    nic = interface(lab, instance["NetworkInterfaces"][0]["NetworkInterfaceId"])
    for thing in things + [{"Tags": nic["TagSet"]}]:
        found = tags(thing)
        assert {k: found[k] for k in ("cost", "both", "team")} == {"cost": "42", "both": "vm", "team": "a"}
        assert found["aws-cpi-request"].startswith("2f3c4d5e-0000-4000-8000-0123456789ab/cpi-123456/")
    assert "CreateTags" not in actions(lab)


def test_a_light_stemcell(lab, vm):
    assert vm(stemcell=lab.light_ami + " light")["ImageId"] == vm(stemcell=lab.light_ami)["ImageId"] == lab.light_ami


def test_no_such_stemcell(refuse):
    refuse("could not find AMI 'ami-0123456789abcdef0'", stemcell="ami-0123456789abcdef0")


# --- spot ---

def test_a_spot_instance(lab, vm):
    instance = vm(properties={"spot_bid_price": 0.03})
    assert instance["InstanceLifecycle"] == "spot"
    sent = lab.calls("RunInstances")[0]["params"]
    assert sent["InstanceMarketOptions.SpotOptions.MaxPrice"] == "0.03"
    assert sent["InstanceMarketOptions.SpotOptions.SpotInstanceType"] == "one-time"


@pytest.mark.parametrize("code", ["SpotMaxPriceTooLow", "InsufficientInstanceCapacity", "UnauthorizedOperation"])
def test_no_spot_instance(lab, refuse, code):
    lab.faults({"action": "RunInstances", "kind": "error", "status": 400, "code": code, "count": -1})
    error = refuse(f"Spot instance creation failed.*{code}", properties={"spot_bid_price": "0.03"}, kind=RETRIABLE,
                   calls=["RunInstances"])
    assert error["ok_to_retry"] is False


def test_on_demand_in_place_of_spot(lab, vm):
    lab.faults({"action": "RunInstances", "kind": "error", "status": 400, "code": "SpotMaxPriceTooLow", "count": 1})
    instance = vm(properties={"spot_bid_price": "0.03", "spot_ondemand_fallback": True})
    assert "InstanceLifecycle" not in instance
    first, second = [c["params"]["ClientToken"] for c in lab.calls("RunInstances")]
    assert first != second


# --- no capacity ---

def test_no_capacity(lab, refuse):
    lab.faults({"action": "RunInstances", "kind": "error", "status": 500, "code": "InsufficientInstanceCapacity", "count": -1})
    error = refuse(f"no capacity for m5.large in {ZONE}", kind=RETRIABLE, calls=["RunInstances"])
    assert error["ok_to_retry"] is False


@pytest.mark.parametrize("where", ["vm", "list", "map"])
def test_further_types(lab, vm, where):
    lab.faults({"action": "RunInstances", "kind": "error", "status": 500, "code": "InsufficientInstanceCapacity", "count": -1,
                "match": {"InstanceType": "m5.*"}})
    further = ["m5.xlarge", "m6i.large"]
    config = {"vm": None, "list": config_with(lab, instance_types_fallback=further),
              "map": config_with(lab, instance_types_fallback={"m5.large": further, "c5.large": ["t3.nano"]})}[where]
    instance = vm(properties={"instance_types_fallback": further} if where == "vm" else None, config=config)
    assert instance["InstanceType"] == "m6i.large"
    assert [c["params"]["InstanceType"] for c in lab.calls("RunInstances")] == ["m5.large", "m5.xlarge", "m6i.large"]


# --- an instance that dies at birth ---

def test_it_dies_and_is_made_again(lab, vm):
    lab.states(instance={"running": {"error": "Server.InternalError: Internal error on launch", "count": 2}})
    instance = vm()
    assert instance["State"]["Name"] == "running"
    assert len(lab.calls("RunInstances")) == 3


def test_it_dies_too_often(lab, refuse):
    lab.states(instance={"running": {"error": "Server.InternalError: Internal error on launch", "count": 3}})
    refuse("Server.InternalError", kind=RETRIABLE, calls=["RunInstances"] * 3)


def test_interfaces_outlive_it(lab, vm):
    lab.states(instance={"running": {"error": "Server.InternalError: Internal error on launch", "count": 1}})
    networks = {"one": manual(lab, "10.0.0.74", cloud_properties={"security_groups": ["bosh"]}),
                "two": manual(lab, "10.0.0.75", default=[])}
    instance = vm(networks)
    assert instance["PrivateIpAddress"] == "10.0.0.74"
    assert len(lab.calls("CreateNetworkInterface")) == 2
    settings = user_data(lab, instance)["networks"]
    assert sorted(settings[n]["mac"] for n in settings) == sorted(n["MacAddress"] for n in instance["NetworkInterfaces"])


@pytest.mark.waits
def test_it_never_runs(lab, refuse):
    lab.states(instance={"running": {"never": True}})
    error = refuse("running", kind=RETRIABLE, calls=["RunInstances", "TerminateInstances"])
    assert error["ok_to_retry"] is True


# --- a taken address ---

def test_an_address_that_a_running_vm_holds(lab, refuse):
    holder = make_vm(lab, PrivateIpAddress="10.0.0.76")
    message = refuse(f"10.0.0.76.*{holder}.*InvalidIPAddress.InUse|InvalidIPAddress.InUse.*{holder}",
                     {"a": manual(lab, "10.0.0.76", cloud_properties={"security_groups": ["bosh"]})},
                     calls=["RunInstances"])["message"]
    assert "running" in message


def test_an_address_whose_holder_is_going(lab, vm):
    holder = make_vm(lab, PrivateIpAddress="10.0.0.77")
    lab.states(instance={"terminated": 1.0})
    lab.ec2.terminate_instances(InstanceIds=[holder])
    instance = vm({"a": manual(lab, "10.0.0.77", cloud_properties={"security_groups": ["bosh"]})})
    assert instance["PrivateIpAddress"] == "10.0.0.77"


def test_an_interface_without_an_instance_holds_it(lab, vm):
    """It is waited for, and here it goes."""
    spare = lab.ec2.create_network_interface(SubnetId=lab.env["LAB_SUBNET"], PrivateIpAddress="10.0.0.78")
    spare = spare["NetworkInterface"]["NetworkInterfaceId"]
    lab.faults({"action": "DescribeNetworkInterfaces", "kind": "delay", "seconds": 0.2})
    networks = {"one": manual(lab, "10.0.0.78", cloud_properties={"security_groups": ["bosh"]}),
                "two": manual(lab, "10.0.0.79", default=[])}
    import threading
    timer = threading.Timer(0.6, lambda: lab.ec2.delete_network_interface(NetworkInterfaceId=spare))
    timer.start()
    try:
        assert vm(networks)["PrivateIpAddress"] == "10.0.0.78"
    finally:
        timer.join()


# --- elastic addresses, load balancers, routes ---

def association(lab, ip):
    return lab.ec2.describe_addresses(PublicIps=[ip])["Addresses"][0].get("NetworkInterfaceId")


def vip(ip, **more):
    return {"type": "vip", "ip": ip, "cloud_properties": {}, **more}


def test_an_elastic_address(lab, vm):
    ip = make_address(lab)
    instance = vm({**net(lab), "public": vip(ip)})
    assert association(lab, ip) == instance["NetworkInterfaces"][0]["NetworkInterfaceId"]


def test_an_elastic_address_for_a_group(lab, vm):
    ip = make_address(lab)
    instance = vm({"one": manual(lab, "10.0.0.80", nic_group="a", cloud_properties={"security_groups": ["bosh"]}),
                   "two": manual(lab, "10.0.0.81", nic_group="b", default=[]), "public": vip(ip, nic_group="b")})
    second, = [n for n in instance["NetworkInterfaces"] if n["Attachment"]["DeviceIndex"] == 1]
    assert association(lab, ip) == second["NetworkInterfaceId"]


def test_load_balancers(lab, vm):
    balancer, (name, _), (_, arn) = make_load_balancer(lab), make_target_group(lab), make_target_group(lab, "by-arn")
    instance = vm(properties={"elbs": [balancer], "lb_target_groups": [name, arn]})
    held = holdings(lab)
    assert f"{balancer} {instance['InstanceId']}" in held["balanced"]
    assert {f"targets {instance['InstanceId']}", f"by-arn {instance['InstanceId']}"} <= set(held["targets"])


@pytest.mark.parametrize("properties, text", [
    ({"elbs": ["nowhere"]}, "nowhere"), ({"lb_target_groups": ["nowhere"]}, "nowhere"),
    ({"advertised_routes": [{"table_id": "rtb-0123456789abcdef0", "destination": "10.99.0.0/16"}]}, "rtb-0123456789abcdef0"),
])
def test_what_does_not_exist_is_refused_first(refuse, properties, text):
    refuse(text, properties=properties)


def route(lab, destination):
    table = lab.ec2.describe_route_tables(RouteTableIds=[lab.env["LAB_ROUTE_TABLE"]])["RouteTables"][0]
    found = [r for r in table["Routes"] if r.get("DestinationCidrBlock") == destination]
    return found[0] if found else None


def test_advertised_routes(lab, vm):
    table, cidr = lab.env["LAB_ROUTE_TABLE"], "10.98.0.0/16"
    properties = {"advertised_routes": [{"table_id": table, "destination": cidr}]}
    first = vm(properties=properties)
    assert route(lab, cidr)["InstanceId"] == first["InstanceId"]
    second = vm(properties=properties)
    assert route(lab, cidr)["InstanceId"] == second["InstanceId"]
    assert [c["action"] for c in lab.calls() if c["action"].endswith("Route")] == ["ReplaceRoute"]


def test_routes_lead_where_they_did_when_it_fails(lab, vm, tmp_path):
    table, cidr = lab.env["LAB_ROUTE_TABLE"], "10.97.0.0/16"
    properties = {"advertised_routes": [{"table_id": table, "destination": cidr}], "source_dest_check": False}
    first = vm(properties=properties)
    before = holdings(lab)
    lab.faults({"action": "ModifyInstanceAttribute", "kind": "error", "status": 403, "code": "UnauthorizedOperation"})
    refused(run_cpi(lab, create_vm(lab, net(lab), properties), env=state_env(tmp_path)), "UnauthorizedOperation")
    assert route(lab, cidr)["InstanceId"] == first["InstanceId"]
    assert more_than(before, holdings(lab)) == {}


# --- delete_vm takes it all ---

def test_nothing_is_left_of_a_deleted_vm(lab, vm, tmp_path):
    before = holdings(lab)
    networks = {"one": manual(lab, "10.0.0.82", cloud_properties={"security_groups": ["bosh"]}),
                "two": manual(lab, "10.0.0.83", default=[])}
    instance = vm(networks)
    created(run_cpi(lab, {"method": "delete_vm", "arguments": [instance["InstanceId"]]}, env=state_env(tmp_path)))
    wait_until(lambda: more_than(before, holdings(lab)) == {})
