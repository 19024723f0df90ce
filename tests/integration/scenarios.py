# SPDX-License-Identifier: Apache-2.0
"""Every method once or more, as a Director calls it, for tests that go through all of them: the fault walk, the table of
calls, the examples of the documentation.

A scenario's prepare(lab, stemcell) makes with boto3 what has to be there, and gives the request. holdings() is what the
account holds; wipe() takes away what it holds more than before.
"""
import contextlib
import os
import random
import time
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError
from conftest import account, director_context, wait_until

ZONE = "us-east-1a"
AGENT_ID = "4149ba0f-38d9-4485-476f-1581be36f290"
VIP_NETWORK = "public"


# --- the account ---

def _routes(lab):
    return sorted((t["RouteTableId"], r.get("DestinationCidrBlock") or r.get("DestinationIpv6CidrBlock") or "",
                   r.get("InstanceId") or r.get("NetworkInterfaceId") or r.get("GatewayId") or "")
                  for t in lab.ec2.describe_route_tables()["RouteTables"] for r in t["Routes"])


def _targets(lab):
    elbv2 = lab.client("elbv2")
    return sorted((g["TargetGroupName"], d["Target"]["Id"]) for g in elbv2.describe_target_groups()["TargetGroups"]
                  for d in elbv2.describe_target_health(TargetGroupArn=g["TargetGroupArn"])["TargetHealthDescriptions"])


def _balanced(lab):
    return sorted((b["LoadBalancerName"], i["InstanceId"])
                  for b in lab.client("elb").describe_load_balancers()["LoadBalancerDescriptions"] for i in b["Instances"])


def holdings(lab):
    """What the account holds, each kind as a dict from name to how it is."""
    held = account(lab)
    held["devices"] = dict.fromkeys(held["devices"], "there")
    held["interfaces"] = dict.fromkeys(held["interfaces"], "there")
    held["attachments"] = {f"{a['VolumeId']} {a['InstanceId']}": "attached" for v in lab.ec2.describe_volumes()["Volumes"]
                           for a in v["Attachments"]}
    held["addresses"] = {a["PublicIp"]: a.get("NetworkInterfaceId", "") for a in lab.ec2.describe_addresses()["Addresses"]}
    held["routes"] = {f"{t} {d}": target for t, d, target in _routes(lab)}
    held["targets"] = {f"{g} {i}": "there" for g, i in _targets(lab)}
    held["balanced"] = {f"{b} {i}": "there" for b, i in _balanced(lab)}
    return held


def more_than(before, after):
    """kind → what is new; of addresses and routes also what leads elsewhere than it did."""
    new = {kind: sorted(name for name, state in things.items() if name not in before[kind] or
                        (kind in ("addresses", "routes") and before[kind][name] != state))
           for kind, things in after.items()}
    return {kind: names for kind, names in new.items() if names}


def _gone(call, **arguments):
    with contextlib.suppress(ClientError):
        call(**arguments)


def wipe(lab, before):
    """Takes away what there is more than before."""
    after = holdings(lab)
    ec2 = lab.ec2
    for route in set(after["routes"]) - set(before["routes"]):
        table, cidr = route.split(" ")
        _gone(ec2.delete_route, RouteTableId=table, **{"DestinationIpv6CidrBlock" if ":" in cidr else
                                                       "DestinationCidrBlock": cidr})
    instances = sorted(set(after["instances"]) - set(before["instances"]))
    if instances:
        ec2.terminate_instances(InstanceIds=instances)
        wait_until(lambda: not set(instances) & set(account(lab)["instances"]), 20)
    for image in set(after["images"]) - set(before["images"]):
        _gone(ec2.deregister_image, ImageId=image)
    for volume in set(after["volumes"]) - set(before["volumes"]):
        _gone(ec2.detach_volume, VolumeId=volume)
    # volumes of instances that are gone, and interfaces, may take a moment
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        now = holdings(lab)
        for volume in set(now["volumes"]) - set(before["volumes"]):
            _gone(ec2.delete_volume, VolumeId=volume)
        for snapshot in set(now["snapshots"]) - set(before["snapshots"]):
            _gone(ec2.delete_snapshot, SnapshotId=snapshot)
        for interface in set(now["interfaces"]) - set(before["interfaces"]):
            _gone(ec2.delete_network_interface, NetworkInterfaceId=interface)
        if not any(set(now[k]) - set(before[k]) for k in ("volumes", "snapshots", "images", "instances", "interfaces")):
            return
        time.sleep(0.05)
    raise AssertionError(f"left in the account: {more_than(before, holdings(lab))}")


# --- what the scenarios need ---

def make_vm(lab, **more):
    """A running instance."""
    answer = lab.ec2.run_instances(ImageId=lab.light_ami, MinCount=1, MaxCount=1, InstanceType=more.pop("type", "m5.large"),
                                   SubnetId=lab.env["LAB_SUBNET"], **more)
    vm = answer["Instances"][0]["InstanceId"]
    wait_until(lambda: account(lab)["instances"].get(vm) == "running")
    return vm


def make_disk(lab, size=2, **more):
    """An available volume."""
    disk = lab.ec2.create_volume(AvailabilityZone=more.pop("zone", ZONE), Size=size, VolumeType="gp3", **more)["VolumeId"]
    wait_until(lambda: account(lab)["volumes"].get(disk) == "available")
    return disk


def attach(lab, vm, disk, device="/dev/sdf"):
    """Attached."""
    lab.ec2.attach_volume(InstanceId=vm, VolumeId=disk, Device=device)
    wait_until(lambda: [a["State"] for v in lab.ec2.describe_volumes(VolumeIds=[disk])["Volumes"]
                        for a in v["Attachments"]] == ["attached"])


def make_address(lab):
    """An elastic IP of the account; the same one every time."""
    addresses = lab.ec2.describe_addresses()["Addresses"]
    return addresses[0]["PublicIp"] if addresses else lab.ec2.allocate_address(Domain="vpc")["PublicIp"]


def make_load_balancer(lab, name="classic"):
    """A classic load balancer; made once."""
    elb = lab.client("elb")
    if name not in [b["LoadBalancerName"] for b in elb.describe_load_balancers()["LoadBalancerDescriptions"]]:
        elb.create_load_balancer(LoadBalancerName=name, Subnets=[lab.env["LAB_SUBNET"]], Listeners=[
            {"Protocol": "tcp", "LoadBalancerPort": 80, "InstancePort": 80}])
    return name


def make_target_group(lab, name="targets"):
    """A target group's (name, ARN); made once."""
    elbv2 = lab.client("elbv2")
    for group in elbv2.describe_target_groups()["TargetGroups"]:
        if group["TargetGroupName"] == name:
            return name, group["TargetGroupArn"]
    group = elbv2.create_target_group(Name=name, Protocol="TCP", Port=80, VpcId=lab.env["LAB_VPC"])["TargetGroups"][0]
    return name, group["TargetGroupArn"]


def dynamic(lab, **more):
    """A dynamic network as the Director sends it."""
    properties = {"subnet": lab.env["LAB_SUBNET"], **more.pop("cloud_properties", {})}
    return {"type": "dynamic", "default": ["dns", "gateway"], **more, "cloud_properties": properties}


def manual(lab, ip, **more):
    """A manual network as the Director sends it."""
    properties = {"subnet": lab.env["LAB_SUBNET"], **more.pop("cloud_properties", {})}
    return {"type": "manual", "ip": ip, "netmask": "255.255.255.0", "gateway": "10.0.0.1", "dns": ["10.0.0.2"],
            "default": ["dns", "gateway"], **more, "cloud_properties": properties}


def create_vm(lab, networks, properties=None, disks=(), env=None, stemcell=None):
    """The request of a create_vm."""
    properties = {"instance_type": "m5.large", "availability_zone": ZONE, **(properties or {})}
    return {"method": "create_vm", "arguments": [AGENT_ID, stemcell or lab.light_ami + " light", properties, networks,
                                                 list(disks), env or {"bosh": {"group": "dummy"}}]}


def _create_vm_plain(lab, _):
    return create_vm(lab, {"default": dynamic(lab, cloud_properties={"security_groups": [lab.env["LAB_SECURITY_GROUP"]]})})


def _create_vm_by_names(lab, _):
    return create_vm(lab, {"default": dynamic(lab, cloud_properties={"security_groups": ["bosh"]})})


def _create_vm_vip(lab, _):
    return create_vm(lab, {"default": dynamic(lab, cloud_properties={"security_groups": ["bosh"]}),
                           VIP_NETWORK: {"type": "vip", "ip": make_address(lab), "cloud_properties": {}}})


def _create_vm_full(lab, _):
    """Everything that makes a call of its own."""
    name, arn = make_target_group(lab)
    _, other = make_target_group(lab, "others")
    del arn
    properties = {
        "elbs": [make_load_balancer(lab)], "lb_target_groups": [name, other], "source_dest_check": False,
        "advertised_routes": [{"table_id": lab.env["LAB_ROUTE_TABLE"], "destination": "10.99.0.0/16"}],
        "raw_instance_storage": True, "instance_type": "m5d.large", "tags": {"cost": "42"}}
    networks = {"one": manual(lab, "10.0.0.50", cloud_properties={"security_groups": ["bosh"]}),
                "two": manual(lab, "10.0.0.51", default=[]),
                VIP_NETWORK: {"type": "vip", "ip": make_address(lab), "cloud_properties": {}}}
    return create_vm(lab, networks, properties, [make_disk(lab)])


def _create_vm_spot(lab, _):
    return create_vm(lab, {"default": dynamic(lab, cloud_properties={"security_groups": ["bosh"]})},
                     {"spot_bid_price": 0.07, "spot_ondemand_fallback": True})


def _delete_vm(lab, _):
    return {"method": "delete_vm", "arguments": [make_vm(lab)]}


def _has_vm(lab, _):
    return {"method": "has_vm", "arguments": [make_vm(lab)]}


def _reboot_vm(lab, _):
    return {"method": "reboot_vm", "arguments": [make_vm(lab)]}


def _reboot_stopped_vm(lab, _):
    vm = make_vm(lab)
    lab.ec2.stop_instances(InstanceIds=[vm])
    wait_until(lambda: account(lab)["instances"][vm] == "stopped")
    return {"method": "reboot_vm", "arguments": [vm]}


def _set_vm_metadata(lab, _):
    return {"method": "set_vm_metadata", "arguments": [make_vm(lab), {
        "director": "bosh", "deployment": "redis", "job": "redis", "index": "1", "id": "2e52d8ad",
        "name": "redis/2e52d8ad"}]}


def _get_disks(lab, _):
    return {"method": "get_disks", "arguments": [make_vm(lab)]}


def _create_disk(lab, _):  # pylint: disable=unused-argument
    return {"method": "create_disk", "arguments": [2048, {"type": "gp3", "tags": {"cost": "42"}}, None]}


def _create_disk_for_vm(lab, _):
    return {"method": "create_disk", "arguments": [2048, {}, make_vm(lab)]}


def _delete_disk(lab, _):
    return {"method": "delete_disk", "arguments": [make_disk(lab)]}


def _has_disk(lab, _):
    return {"method": "has_disk", "arguments": [make_disk(lab)]}


def _attach_disk(lab, _):
    return {"method": "attach_disk", "arguments": [make_vm(lab), make_disk(lab)]}


def _detach_disk(lab, _):
    vm, disk = make_vm(lab), make_disk(lab)
    attach(lab, vm, disk)
    return {"method": "detach_disk", "arguments": [vm, disk]}


def _resize_disk(lab, _):
    return {"method": "resize_disk", "arguments": [make_disk(lab), 4096]}


def _update_disk(lab, _):
    return {"method": "update_disk", "arguments": [make_disk(lab), 10240, {"type": "gp3", "iops": 4000}]}


def _set_disk_metadata(lab, _):
    return {"method": "set_disk_metadata", "arguments": [make_disk(lab), {
        "director": "bosh", "deployment": "redis", "instance_name": "redis/2e52d8ad", "attached_at": "2026-08-10T12:03:32Z"}]}


def _snapshot_disk(lab, _):
    return {"method": "snapshot_disk", "arguments": [make_disk(lab), {
        "deployment": "redis", "job": "redis", "index": 0, "instance_id": "2e52d8ad", "director_name": "bosh",
        "director_uuid": "2f3c4d5e", "agent_id": AGENT_ID}]}


def _delete_snapshot(lab, _):
    snapshot = lab.ec2.create_snapshot(VolumeId=make_disk(lab))["SnapshotId"]
    wait_until(lambda: account(lab)["snapshots"].get(snapshot) == "completed")
    return {"method": "delete_snapshot", "arguments": [snapshot]}


STEMCELL = {"name": "bosh-aws-xen-hvm-ubuntu-jammy-go_agent", "version": "1.18", "architecture": "x86_64",
            "root_device_name": "/dev/sda1", "virtualization_type": "hvm", "disk": 2048}


def _create_stemcell(lab, stemcell):  # pylint: disable=unused-argument
    return {"method": "create_stemcell", "arguments": [stemcell.image, STEMCELL, {"tags": {"cost": "42"}}],
            "api_version": 3}


def small_image(lab):
    """A raw disk of four blocks."""
    path = os.path.join(lab.dir, "small.img")
    if not os.path.exists(path):
        data = bytearray(random.Random(4).randbytes(4 * 524288))
        data[510:512] = b"\x55\xaa"
        with open(path, "wb") as f:
            f.write(data)
    return path


def _create_stemcell_direct(lab, _):
    return {"method": "create_stemcell", "arguments": [small_image(lab), STEMCELL, {"tags": {"cost": "42"}}], "api_version": 3,
            "context": director_context(stemcell={"builder": "direct"})}


def _create_light_stemcell(lab, _):
    return {"method": "create_stemcell", "arguments": ["/nowhere", {**STEMCELL, "ami": {"us-east-1": lab.light_ami}}]}


def _copy_light_stemcell(lab, _):
    return {"method": "create_stemcell", "arguments": ["/nowhere", {**STEMCELL, "encrypted": True,
                                                                    "ami": {"us-east-1": lab.light_ami}}]}


def _delete_stemcell(lab, _):
    disk = make_disk(lab)
    snapshot = lab.ec2.create_snapshot(VolumeId=disk)["SnapshotId"]
    wait_until(lambda: account(lab)["snapshots"].get(snapshot) == "completed")
    image = lab.ec2.register_image(Name=f"scenario {snapshot}", RootDeviceName="/dev/xvda", VirtualizationType="hvm",
                                   BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": snapshot}}])
    wait_until(lambda: account(lab)["images"].get(image["ImageId"]) == "available")
    lab.ec2.delete_volume(VolumeId=disk)
    return {"method": "delete_stemcell", "arguments": [image["ImageId"]]}


def _create_light_delete(lab, _):
    return {"method": "delete_stemcell", "arguments": [lab.light_ami + " light"]}


# --- worker actions ---

ELSEWHERE = "eu-west-3"  # a region with one worker and two volumes, which no other test touches


def action(name, **parameters):
    """The request of a worker action."""
    return {"method": name, "arguments": [parameters]}


def make_elsewhere(lab):
    """The worker in that region; made once."""
    ec2 = lab.client("ec2", region=ELSEWHERE)
    there = ec2.describe_instances()["Reservations"]
    if there:
        return there[0]["Instances"][0]["InstanceId"]
    volume = ec2.create_volume(AvailabilityZone=ELSEWHERE + "a", Size=2, VolumeType="gp3")["VolumeId"]
    snapshot = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
    wait_until(lambda: ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"][0]["State"] == "completed")
    image = ec2.register_image(Name="elsewhere", RootDeviceName="/dev/xvda", VirtualizationType="hvm", Architecture="x86_64",
                               BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": snapshot}}])["ImageId"]
    wait_until(lambda: ec2.describe_images(ImageIds=[image])["Images"][0]["State"] == "available")
    subnet = ec2.describe_subnets(Filters=[{"Name": "availability-zone", "Values": [ELSEWHERE + "a"]}])["Subnets"][0]
    vm = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, InstanceType="t3.small", SubnetId=subnet["SubnetId"],
                           PrivateIpAddress=subnet["CidrBlock"].rsplit(".", 1)[0] + ".20", TagSpecifications=[
                               {"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "web"}]}])
    vm = vm["Instances"][0]["InstanceId"]
    wait_until(lambda: ec2.describe_instances(InstanceIds=[vm])["Reservations"][0]["Instances"][0]["State"]["Name"] == "running")
    return vm


def make_snapshot(lab):
    """A completed snapshot."""
    snapshot = lab.ec2.create_snapshot(VolumeId=make_disk(lab))["SnapshotId"]
    wait_until(lambda: account(lab)["snapshots"].get(snapshot) == "completed")
    return snapshot


def _list_workers(lab, _):
    make_elsewhere(lab)
    return action("list_workers", region=ELSEWHERE)


def _get_volumes(lab, _):
    make_elsewhere(lab)
    return action("get_volumes", region=ELSEWHERE)


def _get_worker(lab, _):
    return action("get_worker", worker_id=make_vm(lab, PrivateIpAddress="10.0.0.60", TagSpecifications=[
        {"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "db"}]}]))


def _start_worker(lab, _):
    return action("start_worker", worker_id=_reboot_stopped_vm(lab, _)["arguments"][0])


def _attach_volume(lab, _):
    return action("attach_volume", worker_id=make_vm(lab), volume_id=make_disk(lab), device_name="/dev/sdf")


def _detach_volume(lab, _):
    return action("detach_volume", volume_id=_detach_disk(lab, _)["arguments"][1])


ACTIONS = {
    "test_install": lambda lab, _: action("test_install"),
    "list_workers": _list_workers,
    "create_worker": lambda lab, _: action("create_worker", worker_name="web", instance_type="t3.small", ami=lab.light_ami),
    "delete_worker": lambda lab, _: action("delete_worker", worker_id=make_vm(lab)),
    "get_worker": _get_worker,
    "has_worker": lambda lab, _: action("has_worker", worker_id=make_vm(lab)),
    "start_worker": _start_worker,
    "reboot_worker": lambda lab, _: action("reboot_worker", worker_id=make_vm(lab)),
    "get_volumes": _get_volumes,
    "has_volume": lambda lab, _: action("has_volume", volume_id=make_disk(lab)),
    "create_volume": lambda lab, _: action("create_volume", size_gb=2, availability_zone=ZONE, volume_type="gp3"),
    "delete_volume": lambda lab, _: action("delete_volume", volume_id=make_disk(lab)),
    "attach_volume": _attach_volume,
    "detach_volume": _detach_volume,
    "create_snapshot": lambda lab, _: action("create_snapshot", volume_id=make_disk(lab), snapshot_name="before the upgrade"),
    "snapshot_volume": lambda lab, _: action("snapshot_volume", source_volume_id=make_disk(lab),
                                             snapshot_name="before the upgrade"),
    "delete_snapshot (action)": lambda lab, _: action("delete_snapshot", snapshot_id=make_snapshot(lab)),
    "has_snapshot": lambda lab, _: action("has_snapshot", snapshot_id=make_snapshot(lab)),
    "set_worker_metadata": lambda lab, _: action("set_worker_metadata", worker_id=make_vm(lab), key="owner", value="me"),
}

METHODS = {
    "create_stemcell (heavy)": _create_stemcell,
    "create_stemcell (direct, 4 blocks)": _create_stemcell_direct,
    "create_stemcell (light)": _create_light_stemcell,
    "create_stemcell (light, encrypted copy)": _copy_light_stemcell,
    "delete_stemcell": _delete_stemcell,
    "delete_stemcell (light)": _create_light_delete,
    "create_vm (groups by id)": _create_vm_plain,
    "create_vm (groups by name)": _create_vm_by_names,
    "create_vm (vip)": _create_vm_vip,
    "create_vm (spot)": _create_vm_spot,
    "create_vm (two interfaces and all the rest)": _create_vm_full,
    "delete_vm": _delete_vm,
    "has_vm": _has_vm,
    "reboot_vm": _reboot_vm,
    "reboot_vm (stopped)": _reboot_stopped_vm,
    "set_vm_metadata": _set_vm_metadata,
    "get_disks": _get_disks,
    "create_disk": _create_disk,
    "create_disk (for a VM)": _create_disk_for_vm,
    "delete_disk": _delete_disk,
    "has_disk": _has_disk,
    "attach_disk": _attach_disk,
    "detach_disk": _detach_disk,
    "resize_disk": _resize_disk,
    "update_disk": _update_disk,
    "set_disk_metadata": _set_disk_metadata,
    "snapshot_disk": _snapshot_disk,
    "delete_snapshot": _delete_snapshot,
}
SCENARIOS = METHODS | ACTIONS
# The incumbent builds stemcells on an instance, reboots what runs, and has no worker actions.
BEYOND = {"create_stemcell (direct, 4 blocks)", "reboot_vm (stopped)", *ACTIONS}


def parameters(names=tuple(SCENARIOS)):
    """For parametrize: the scenarios, those that go beyond the incumbent marked."""
    return [pytest.param(name, marks=pytest.mark.beyond_incumbent if name in BEYOND else ()) for name in names]


def scene_env(lab, name):
    """What the scenario needs in the environment: where STS is, which no configuration says."""
    return {"AWS_ENDPOINT_URL_STS": lab.endpoint} if name == "test_install" else {}


def prepare(name, lab, stemcell):
    """The request, with all there that it needs; .before is what the account then holds, .env what its cpi gets besides."""
    request = SCENARIOS[name](lab, stemcell)
    before = holdings(lab)
    lab.forget_calls()
    return SimpleNamespace(name=name, request=request, before=before, env=scene_env(lab, name))
