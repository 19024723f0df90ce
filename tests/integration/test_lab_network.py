# SPDX-License-Identifier: Apache-2.0
"""Interfaces, prefixes, elastic addresses, routes, tags and lists in the lab, asked by boto3: as EC2 has them."""
import ipaddress

import pytest
import test_lab_compute
from test_lab import new_volume, refused
from test_lab_compute import interface, new_interface, shown

pytestmark = pytest.mark.once

make_vms = test_lab_compute.make_vms  # the fixture vms
NOBODY = {"volume": "vol-0123456789abcdef0", "instance": "i-0123456789abcdef0", "interface": "eni-0123456789abcdef0"}


@pytest.fixture(name="nics")
def make_nics(lab):
    """nics(**arguments) makes an interface in LAB_SUBNET and answers its id; they end with the test."""
    made = []

    def make(**more):
        made.append(new_interface(lab, **more)["NetworkInterfaceId"])
        return made[-1]
    yield make
    lab.reset()
    left = [n["NetworkInterfaceId"] for n in lab.ec2.describe_network_interfaces()["NetworkInterfaces"]]
    for each in set(made) & set(left):
        lab.ec2.delete_network_interface(NetworkInterfaceId=each)


def found(lab, **filters):
    """The interfaces that these filters give, with - for _ and . for __ in their names."""
    named = [{"Name": n.replace("__", ".").replace("_", "-"), "Values": [v]} for n, v in filters.items()]
    return [n["NetworkInterfaceId"] for n in lab.ec2.describe_network_interfaces(Filters=named)["NetworkInterfaces"]]


# Interfaces

def test_interfaces_are_pending_first(lab, nics, vms):
    lab.states(interface={"available": {"looks": 1}})
    nic = nics()
    assert interface(lab, nic)["Status"] == "pending"
    assert interface(lab, nic)["Status"] == "available"
    lab.states(interface={"available": {"looks": 5}})
    early = nics()
    refused("IncorrectState", vms, NetworkInterfaces=[{"DeviceIndex": 0, "NetworkInterfaceId": early}])


def test_interfaces_keep_what_they_are_given(lab, nics):
    six = lab.env["LAB_SUBNET_IPV6"].replace("::/64", "::99")
    nic = nics(PrivateIpAddress="10.0.0.50", Ipv6Addresses=[{"Ipv6Address": six}], Description="one",
               Groups=[lab.env["LAB_SECURITY_GROUP"]], ClientToken="a nic", TagSpecifications=[
                   {"ResourceType": "network-interface", "Tags": [{"Key": "a", "Value": "b"}]}])
    now = interface(lab, nic)
    assert (now["PrivateIpAddress"], now["Ipv6Addresses"], now["TagSet"], now["Description"]) == (
        "10.0.0.50", [{"Ipv6Address": six}], [{"Key": "a", "Value": "b"}], "one")
    assert [g["GroupName"] for g in now["Groups"]] == ["bosh"] and now["MacAddress"]
    assert (now["SubnetId"], now["VpcId"], now["AvailabilityZone"]) == (
        lab.env["LAB_SUBNET"], lab.env["LAB_VPC"], "us-east-1a")
    assert found(lab, private_ip_address="10.0.0.50", subnet_id=lab.env["LAB_SUBNET"]) == [nic]
    assert found(lab, ipv6_addresses__ipv6_address=six) == [nic]
    assert not found(lab, private_ip_address="10.0.0.50", subnet_id=lab.env["LAB_SUBNET_B"])
    refused("IdempotentParameterMismatch", nics, ClientToken="a nic")


def test_interfaces_that_cannot_be(lab, nics):
    nics(PrivateIpAddress="10.0.0.51")
    six = lab.env["LAB_SUBNET_IPV6"].replace("::/64", "::51")
    nics(Ipv6Addresses=[{"Ipv6Address": six}])
    other = next(g["GroupId"] for g in lab.ec2.describe_security_groups()["SecurityGroups"]
                 if g["VpcId"] != lab.env["LAB_VPC"])
    before = found(lab)
    for code, arguments in (("InvalidIPAddress.InUse", {"PrivateIpAddress": "10.0.0.51"}),
                            ("InvalidIPAddress.InUse", {"Ipv6Addresses": [{"Ipv6Address": six}]}),
                            ("InvalidParameterValue", {"PrivateIpAddress": "192.168.0.9"}),
                            ("InvalidParameterValue", {"PrivateIpAddress": "10.0.0.1"}),
                            ("InvalidParameterValue", {"Ipv6Addresses": [{"Ipv6Address": "10.0.0.9"}]}),
                            ("InvalidSecurityGroupID.NotFound", {"Groups": ["sg-0123456789abcdef0"]}),
                            ("InvalidParameter", {"Groups": [other]})):
        refused(code, nics, **arguments)
    refused("InvalidSubnetID.NotFound", lab.ec2.create_network_interface, SubnetId="subnet-0123456789abcdef0")
    assert found(lab) == before


def test_picked_addresses_are_free_and_in_the_subnet(lab, nics):
    picked = {interface(lab, nics())["PrivateIpAddress"] for _ in range(20)}
    assert len(picked) == 20
    # the lower half is left to those who ask for an address
    assert all(ipaddress.ip_address(p) in ipaddress.ip_network("10.0.0.128/25") for p in picked)


def test_prefixes(lab, nics):
    nic, six = nics(), lab.env["LAB_SUBNET_IPV6"].replace("::/64", ":1::/80")
    answer = lab.ec2.assign_private_ip_addresses(NetworkInterfaceId=nic, Ipv4Prefixes=["10.0.0.64/28"])
    assert answer["AssignedIpv4Prefixes"] == [{"Ipv4Prefix": "10.0.0.64/28"}]
    assert lab.ec2.assign_ipv6_addresses(NetworkInterfaceId=nic, Ipv6Prefixes=[six])["AssignedIpv6Prefixes"] == [six]
    now = interface(lab, nic)
    assert (now["Ipv4Prefixes"], now["Ipv6Prefixes"]) == ([{"Ipv4Prefix": "10.0.0.64/28"}], [{"Ipv6Prefix": six}])
    refused("InvalidIPAddress.InUse", nics, PrivateIpAddress="10.0.0.70")
    assign = lab.ec2.assign_private_ip_addresses
    refused("InvalidIPAddress.InUse", assign, NetworkInterfaceId=nic, Ipv4Prefixes=["10.0.0.64/28"])
    for wrong in ("10.0.1.64/28", "10.0.0.80/27", "10.0.0.81/28"):
        refused("InvalidParameterValue", assign, NetworkInterfaceId=nic, Ipv4Prefixes=[wrong])
    refused("InvalidNetworkInterfaceID.NotFound", assign, NetworkInterfaceId=NOBODY["interface"],
            Ipv4Prefixes=["10.0.0.80/28"])
    refused("InvalidParameterValue", lab.ec2.assign_ipv6_addresses, NetworkInterfaceId=nic, Ipv6Prefixes=["2001:db8::/80"])


def test_changes_of_interfaces(lab, nics, vms):
    nic = nics()
    change = lab.ec2.modify_network_interface_attribute
    refused("InvalidAttachmentID.NotFound", change, NetworkInterfaceId=nic, Attachment={
        "AttachmentId": "eni-attach-0123456789abcdef0", "DeleteOnTermination": True})
    refused("InvalidParameterCombination", change, NetworkInterfaceId=nic, Description={"Value": "a"},
            SourceDestCheck={"Value": False})
    change(NetworkInterfaceId=nic, AssociatePublicIpAddress=True)
    assert "Association" not in interface(lab, nic)
    vm = vms(NetworkInterfaces=[{"DeviceIndex": 0, "NetworkInterfaceId": nic}])
    assert shown(lab, vm)["PublicIpAddress"] == interface(lab, nic)["Association"]["PublicIp"]
    attachment = interface(lab, nic)["Attachment"]
    assert found(lab, attachment__instance_id=vm["InstanceId"], attachment__status="attached") == [nic]
    change(NetworkInterfaceId=nic, Attachment={"AttachmentId": attachment["AttachmentId"], "DeleteOnTermination": True})
    lab.options(interface_in_use="InvalidNetworkInterface.InUse")
    refused("InvalidNetworkInterface.InUse", lab.ec2.delete_network_interface, NetworkInterfaceId=nic)
    lab.ec2.terminate_instances(InstanceIds=[vm["InstanceId"]])
    refused("InvalidNetworkInterfaceID.NotFound", lab.ec2.delete_network_interface, NetworkInterfaceId=nic)


# Elastic addresses

def test_elastic_addresses(lab, nics, vms):
    vip = lab.ec2.allocate_address(Domain="vpc")
    own = {"AllocationId": vip["AllocationId"]}

    def address():
        return lab.ec2.describe_addresses(Filters=[{"Name": "public-ip", "Values": [vip["PublicIp"]]}])["Addresses"][0]
    first, second = nics(), nics()
    lab.ec2.associate_address(NetworkInterfaceId=first, **own)
    assert address()["NetworkInterfaceId"] == first and not address().get("InstanceId")
    refused("Resource.AlreadyAssociated", lab.ec2.associate_address, NetworkInterfaceId=second, AllowReassociation=False,
            **own)
    # it moves unless that is forbidden
    lab.ec2.associate_address(NetworkInterfaceId=second, **own)
    assert "Association" not in interface(lab, first)
    assert interface(lab, second)["Association"]["PublicIp"] == vip["PublicIp"]
    lab.states(instance={"running": {"looks": 1}})
    vm = vms(NetworkInterfaces=[{"DeviceIndex": 0, "NetworkInterfaceId": second}])
    refused("InvalidInstanceID", lab.ec2.associate_address, InstanceId=vm["InstanceId"], **own)
    assert address()["InstanceId"] == vm["InstanceId"] and shown(lab, vm)["PublicIpAddress"] == vip["PublicIp"]
    lab.ec2.terminate_instances(InstanceIds=[vm["InstanceId"]])
    assert "AssociationId" not in address() and "Association" not in interface(lab, second)
    refused("InvalidAllocationID.NotFound", lab.ec2.associate_address, NetworkInterfaceId=first,
            AllocationId="eipalloc-0123456789abcdef0")
    lab.ec2.release_address(**own)


# Routes

def routes(lab):
    """The routes of LAB_ROUTE_TABLE but its local ones, by destination."""
    table = lab.ec2.describe_route_tables(RouteTableIds=[lab.env["LAB_ROUTE_TABLE"]])["RouteTables"][0]
    return {r.get("DestinationCidrBlock") or r["DestinationIpv6CidrBlock"]: r for r in table["Routes"]
            if r.get("GatewayId") != "local"}


def test_routes_to_instances(lab, vms):
    table, one, other = {"RouteTableId": lab.env["LAB_ROUTE_TABLE"]}, vms(), vms()
    four, six = {"DestinationCidrBlock": "10.77.0.9/16"}, {"DestinationIpv6CidrBlock": "2001:db8::/32"}
    for destination in (four, six):
        lab.ec2.create_route(InstanceId=one["InstanceId"], **table, **destination)
        refused("RouteAlreadyExists", lab.ec2.create_route, InstanceId=one["InstanceId"], **table, **destination)
    assert routes(lab).keys() == {"10.77.0.0/16", "2001:db8::/32"}
    for route in routes(lab).values():
        assert (route["InstanceId"], route["NetworkInterfaceId"], route["State"]) == (
            one["InstanceId"], one["NetworkInterfaces"][0]["NetworkInterfaceId"], "active")
    lab.ec2.replace_route(InstanceId=other["InstanceId"], **table, **six)
    assert routes(lab)["2001:db8::/32"]["InstanceId"] == other["InstanceId"]
    lab.ec2.terminate_instances(InstanceIds=[other["InstanceId"]])
    assert routes(lab)["2001:db8::/32"]["State"] == "blackhole" and "InstanceId" not in routes(lab)["2001:db8::/32"]
    refused("IncorrectInstanceState", lab.ec2.replace_route, InstanceId=other["InstanceId"], **table, **six)
    refused("InvalidParameterValue", lab.ec2.replace_route, InstanceId=one["InstanceId"],
            DestinationCidrBlock="10.78.0.0/16", **table)
    refused("InvalidParameterValue", lab.ec2.create_route, InstanceId=one["InstanceId"], DestinationCidrBlock="10.78",
            **table)
    refused("InvalidRouteTableID.NotFound", lab.ec2.create_route, InstanceId=one["InstanceId"],
            RouteTableId="rtb-0123456789abcdef0", **four)
    default = lab.ec2.describe_route_tables(Filters=[{"Name": "association.main", "Values": ["true"]}])["RouteTables"]
    foreign = next(t["RouteTableId"] for t in default if t["VpcId"] != lab.env["LAB_VPC"])
    refused("InvalidParameterValue", lab.ec2.create_route, InstanceId=one["InstanceId"], RouteTableId=foreign, **four)
    two = vms(NetworkInterfaces=[{"DeviceIndex": n, "SubnetId": lab.env["LAB_SUBNET"]} for n in range(2)])
    refused("InvalidInstanceID", lab.ec2.replace_route, InstanceId=two["InstanceId"], **table, **four)
    lab.ec2.replace_route(NetworkInterfaceId=two["NetworkInterfaces"][0]["NetworkInterfaceId"], **table, **four)
    assert routes(lab)["10.77.0.0/16"]["InstanceId"] == two["InstanceId"]
    for destination in (four, six):
        lab.ec2.delete_route(**table, **destination)
        refused("InvalidRoute.NotFound", lab.ec2.delete_route, **table, **destination)
    assert not routes(lab)


# Tags

def test_tags_that_cannot_be(lab):
    mine = new_volume(lab)

    def tag(*pairs, resources=(mine,)):
        lab.ec2.create_tags(Resources=list(resources), Tags=[{"Key": k, "Value": v} for k, v in pairs])
    tag(*((f"k{n}", "v") for n in range(50)))
    tag(("k0", "other"))
    for code, pairs in (("TagLimitExceeded", [("one more", "")]), ("InvalidParameterValue", [("aws:x", "")]),
                        ("InvalidParameterValue", [("k" * 128, "")]), ("InvalidParameterValue", [("k0", "v" * 257)])):
        with pytest.raises(lab.ec2.exceptions.ClientError, match=code):
            tag(*pairs)
    for each in NOBODY.values():
        with pytest.raises(lab.ec2.exceptions.ClientError, match=r"Invalid\w+\.NotFound"):
            tag(("a", "b"), resources=[mine, each])
    spec = [{"ResourceType": "volume", "Tags": [{"Key": f"k{n}", "Value": ""} for n in range(51)]}]
    refused("TagLimitExceeded", new_volume, lab=lab, TagSpecifications=spec)
    spec = [{"ResourceType": "volume", "Tags": [{"Key": "aws:x", "Value": ""}]}]
    refused("InvalidParameterValue", new_volume, lab=lab, TagSpecifications=spec)
    refused("InvalidParameterValue", lab.ec2.create_network_interface, SubnetId=lab.env["LAB_SUBNET"],
            TagSpecifications=[{"ResourceType": "network-interface", "Tags": spec[0]["Tags"]}])
    lab.ec2.delete_volume(VolumeId=mine)


def test_tags_are_found_by_key_and_value(lab):
    one, other = (new_volume(lab, TagSpecifications=[{"ResourceType": "volume", "Tags": [
        {"Key": "stage", "Value": value}, {"Key": "else", "Value": "x"}]}]) for value in ("test/1", "live/1"))

    def tags(name, *values):
        return [(t["ResourceId"], t["Key"]) for t in lab.ec2.describe_tags(
            Filters=[{"Name": name, "Values": list(values)}])["Tags"]]
    assert tags("tag:stage", "test/*") == [(one, "stage")]
    assert tags("tag:stage", "test/1", "live/1") == [(one, "stage"), (other, "stage")]
    assert tags("resource-id", other) == [(other, "stage"), (other, "else")]
    for each in (one, other):
        lab.ec2.delete_volume(VolumeId=each)
    assert not tags("tag:stage", "*")


# Lists

def test_pages(lab, vms):
    lab.options(page_size=1)
    vms(), vms()
    for name, key, ident, own in (
            ("describe_subnets", "Subnets", "SubnetId", lab.env["LAB_SUBNET"]),
            ("describe_security_groups", "SecurityGroups", "GroupId", lab.env["LAB_SECURITY_GROUP"]),
            ("describe_route_tables", "RouteTables", "RouteTableId", lab.env["LAB_ROUTE_TABLE"]),
            ("describe_network_interfaces", "NetworkInterfaces", "NetworkInterfaceId", None)):
        pages = list(lab.ec2.get_paginator(name).paginate())
        assert len(pages) > 1 and all(len(p[key]) == 1 for p in pages), name
        if own:
            assert own in [p[key][0][ident] for p in pages]
            ids = {"GroupIds" if key == "SecurityGroups" else f"{ident}s": [own]}
            assert len(getattr(lab.ec2, name)(**ids)[key]) == 1
            refused("InvalidParameterCombination", getattr(lab.ec2, name), MaxResults=5, **ids)
        refused("InvalidParameterValue", getattr(lab.ec2, name), MaxResults=1001)
    assert len(list(lab.ec2.get_paginator("describe_instances").paginate())) >= 3
    refused("InvalidParameterValue", lab.ec2.describe_instances, MaxResults=1001)


def test_groups_by_name(lab):
    name = "bosh.internal (1)"
    group = lab.ec2.create_security_group(GroupName=name, Description="d", VpcId=lab.env["LAB_VPC"])["GroupId"]

    def names(*values, vpc=lab.env["LAB_VPC"]):
        filters = [{"Name": "group-name", "Values": list(values)}, {"Name": "vpc-id", "Values": [vpc]}]
        return {g["GroupName"] for g in lab.ec2.describe_security_groups(Filters=filters)["SecurityGroups"]}
    assert names(name) == {name} and names("bosh") == {"bosh"} and names("bosh*", "none") == {"bosh", name}
    assert not names("bosh", vpc=lab.ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"])
    refused("InvalidGroup.NotFound", lab.ec2.describe_security_groups, GroupIds=["sg-0123456789abcdef0"])
    lab.ec2.delete_security_group(GroupId=group)


def test_zones(lab):
    def zones(**more):
        return {z["ZoneName"]: z["State"] for z in lab.ec2.describe_availability_zones(**more)["AvailabilityZones"]}
    plain = zones()
    assert plain["us-east-1a"] == "available"
    lab.options(zones={"us-east-1b": "impaired", "us-east-1-bos-1a": "local-zone"})
    assert zones() == {**plain, "us-east-1b": "impaired", "us-east-1-bos-1a": "available"}
    assert "us-east-1b" not in zones(Filters=[{"Name": "state", "Values": ["available"]}])
    assert "us-east-1-bos-1a" not in zones(Filters=[{"Name": "zone-type", "Values": ["availability-zone"]}])
    refused("InvalidParameterValue", lab.ec2.describe_availability_zones, ZoneNames=["us-east-1q"])
