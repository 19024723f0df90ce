# SPDX-License-Identifier: Apache-2.0
"""Classic load balancers and target groups in the lab; and calls that overlap, with their times on record."""
import concurrent.futures
import uuid

import pytest
import test_lab_compute
from test_lab import refused

pytestmark = pytest.mark.once

make_vms = test_lab_compute.make_vms  # the fixture vms


@pytest.fixture(name="elb")
def classic(lab):
    return lab.client("elb")


@pytest.fixture(name="elbv2")
def modern(lab):
    return lab.client("elbv2")


def new_balancer(lab, elb):
    name = "b" + uuid.uuid4().hex[:12]
    elb.create_load_balancer(LoadBalancerName=name, Subnets=[lab.env["LAB_SUBNET"]], Listeners=[
        {"Protocol": "TCP", "LoadBalancerPort": 80, "InstancePort": 80}])
    return name


def new_group(lab, elbv2, vpc=None):
    return elbv2.create_target_group(Name="t" + uuid.uuid4().hex[:12], Protocol="TCP", Port=80,
                                     VpcId=vpc or lab.env["LAB_VPC"])["TargetGroups"][0]


def test_classic_balancers(lab, elb, vms):
    name, vm = new_balancer(lab, elb), vms()
    entry = [{"InstanceId": vm["InstanceId"]}]

    def entered():
        return elb.describe_load_balancers(LoadBalancerNames=[name])["LoadBalancerDescriptions"][0]["Instances"]
    for _ in range(2):
        assert elb.register_instances_with_load_balancer(LoadBalancerName=name, Instances=entry)["Instances"] == entry
    assert entered() == entry
    register = elb.register_instances_with_load_balancer
    refused("LoadBalancerNotFound", register, LoadBalancerName="nobody", Instances=entry)
    refused("LoadBalancerNotFound", elb.describe_load_balancers, LoadBalancerNames=[name, "nobody"])
    refused("InvalidInstance", register, LoadBalancerName=name, Instances=[{"InstanceId": "i-0123456789abcdef0"}])
    elsewhere = lab.ec2.describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]},
                                                  {"Name": "availability-zone", "Values": ["us-east-1a"]}])["Subnets"][0]
    other = vms(SubnetId=elsewhere["SubnetId"])
    refused("InvalidInstance", register, LoadBalancerName=name, Instances=[{"InstanceId": other["InstanceId"]}])
    lab.ec2.terminate_instances(InstanceIds=[vm["InstanceId"]])
    assert entered() == []
    elb.delete_load_balancer(LoadBalancerName=name)


def test_target_groups(lab, elbv2, vms):
    group, lonely = new_group(lab, elbv2), new_group(lab, elbv2, lab.ec2.describe_vpcs(
        Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"])
    lab.states(instance={"running": {"looks": 1}})
    vm, arn = vms(), group["TargetGroupArn"]
    target = [{"Id": vm["InstanceId"]}]

    def health():
        return [(t["Target"]["Id"], t["TargetHealth"]["State"])
                for t in elbv2.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]]
    register = elbv2.register_targets
    refused("InvalidTarget", register, TargetGroupArn=arn, Targets=target)
    for _ in range(2):
        lab.ec2.describe_instances(InstanceIds=[vm["InstanceId"]])
    for _ in range(2):
        register(TargetGroupArn=arn, Targets=target)
    assert health() == [(vm["InstanceId"], "healthy")]
    refused("InvalidTarget", register, TargetGroupArn=arn, Targets=[{"Id": "i-0123456789abcdef0"}])
    refused("InvalidTarget", register, TargetGroupArn=lonely["TargetGroupArn"], Targets=target)
    refused("TargetGroupNotFound", register, TargetGroupArn=arn.replace("/t", "/x"), Targets=target)
    refused("TargetGroupNotFound", elbv2.describe_target_groups, Names=[group["TargetGroupName"], "nobody"])
    assert elbv2.describe_target_groups(TargetGroupArns=[arn])["TargetGroups"][0]["TargetGroupName"] == \
        group["TargetGroupName"]
    lab.ec2.terminate_instances(InstanceIds=[vm["InstanceId"]])
    assert health() == []
    for each in (group, lonely):
        elbv2.delete_target_group(TargetGroupArn=each["TargetGroupArn"])


def test_pages_of_balancers_and_groups(lab, elb, elbv2):
    names, groups = [new_balancer(lab, elb) for _ in range(3)], [new_group(lab, elbv2) for _ in range(3)]
    lab.options(page_size=2)
    pages = list(elb.get_paginator("describe_load_balancers").paginate())
    assert [len(p["LoadBalancerDescriptions"]) for p in pages][0] == 2 and len(pages) > 1
    assert set(names) <= {b["LoadBalancerName"] for p in pages for b in p["LoadBalancerDescriptions"]}
    pages = list(elbv2.get_paginator("describe_target_groups").paginate())
    assert [len(p["TargetGroups"]) for p in pages][0] == 2 and len(pages) > 1
    for name in names:
        elb.delete_load_balancer(LoadBalancerName=name)
    for group in groups:
        elbv2.delete_target_group(TargetGroupArn=group["TargetGroupArn"])


def test_delayed_calls_overlap(lab):
    lab.faults({"action": "*", "kind": "delay", "seconds": 1, "count": -1})
    clients = [lab.client("ec2") for _ in range(4)]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda client: client.describe_volumes(), clients))
    calls = lab.calls("DescribeVolumes")
    assert len(calls) == 4 and all(c["end"] - c["start"] >= 1 for c in calls)
    assert all(abs(c["end"] - c["start"] - c["duration"]) < 1e-6 for c in calls)
    # one after another, the delays alone would take that long
    assert max(c["end"] for c in calls) - min(c["start"] for c in calls) < 4
