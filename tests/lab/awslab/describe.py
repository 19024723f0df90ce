# SPDX-License-Identifier: Apache-2.0
"""Pages of those describes that moto gives whole, their filters, instances' attributes, zones and regions."""
import copy

from moto.core.responses import ActionResult, EmptyResult
from moto.ec2 import utils
from moto.ec2.models import security_groups
from moto.ec2.models.availability_zones_and_regions import RegionsAndZonesBackend, Zone
from moto.ec2.models.instances import Instance
from moto.ec2.models.route_tables import RouteTable
from moto.ec2.responses.availability_zones_and_regions import AvailabilityZonesAndRegions
from moto.ec2.responses.instances import InstanceResponse
from moto.ec2.responses.route_tables import RouteTables
from moto.ec2.responses.security_groups import SecurityGroups
from moto.ec2.responses.subnets import Subnets

from . import common, interfaces
from .errors import invalid

PAGED = ((Subnets, "describe_subnets", "Subnets", "SubnetIds", {}),
         (SecurityGroups, "describe_security_groups", "SecurityGroups", "GroupIds", {}),
         (RouteTables, "describe_route_tables", "RouteTables", "RouteTableIds", {"most": 100}),
         (InstanceResponse, "describe_instance_types", "InstanceTypes", "InstanceTypes", {"most": 100, "usual": 100}))
# enabled for every account ("Enable or disable AWS Regions in your account")
ENABLED = ("ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1", "ap-southeast-1", "ap-southeast-2", "ca-central-1",
           "eu-central-1", "eu-north-1", "eu-west-1", "eu-west-2", "eu-west-3", "sa-east-1", "us-east-1", "us-east-2", "us-west-1",
           "us-west-2")


def install(lab):
    """Puts pages behind moto's lists and mends their filters."""
    for response, name, key, ids, limits in PAGED:
        setattr(response, name, _paged(lab, getattr(response, name), key, ids, limits))
    security_groups.aws_api_matches = lambda pattern, value: common.matches(value, [pattern])
    security_groups.tag_filter_matches = utils.tag_filter_matches
    _instances()
    _tables()
    _zones(lab)
    _regions()


def _paged(lab, describe, key, ids, limits):
    return lambda self: common.page(lab, self, describe(self), key, ids, **limits)


def _instances():
    utils.filter_dict_attribute_mapping |= {
        "network-interface.network-interface-id": "network_interfaces.id",
        "network-interface.addresses.private-ip-address": "network_interfaces.private_ip_address",
        "network-interface.subnet-id": "network_interfaces.subnet_id",
        "block-device-mapping.volume-id": "attached_volume_ids",
        "placement-group-name": "placement.group_name", "tenancy": "placement.tenancy",
        "instance-lifecycle": "lifecycle", "availability-zone": "availability_zone",
    }
    Instance.attached_volume_ids = property(lambda self: [d.volume_id for d in self.block_device_mapping.values()])
    modify = InstanceResponse.modify_instance_attribute

    def modify_instance_attribute(self):
        value = self._get_param("SourceDestCheck.Value")
        if value is None:
            return modify(self)
        instance = self.ec2_backend.get_instance(self._get_param("InstanceId"))
        self.error_on_dryrun()
        interfaces.source_dest_check(interfaces.only_one(instance), value)
        return EmptyResult()

    InstanceResponse.modify_instance_attribute = modify_instance_attribute


def _tables():
    value = RouteTable.get_filter_value

    def filter_value(self, name, method_name=None):
        known = {"route.instance-id": "instance_id", "route.state": "state",
                 "route.network-interface-id": "network_interface_id",
                 "route.destination-ipv6-cidr-block": "destination_ipv6_cidr_block"}
        if name in known:
            return [getattr(r, known[name]) for r in self.routes if getattr(r, known[name])]
        found = value(self, name, method_name)
        return list(found) if name == "association.subnet-id" else found

    RouteTable.get_filter_value = filter_value


def _zones(lab):
    describe = RegionsAndZonesBackend.describe_availability_zones

    def zones(self, filters=None, zone_names=None, zone_ids=None):
        """The option zones: {"us-east-1b": "impaired", "us-east-1-bos-1a": "local-zone"}: a zone's state, or a further
        zone of that type."""
        shown = [copy.copy(zone) for zone in describe(self)]
        for name, told in lab.options.get("zones", {}).items():
            known = [zone for zone in shown if zone.name == name]
            for zone in known:
                zone.state = told
            if not known:
                shown.append(Zone(name, self.region_name, f"{name}-id", told))
        for name in zone_names or []:
            if name not in [zone.name for zone in shown]:
                raise invalid(f"Invalid availability zone: [{name}]")
        for name, wanted in (filters or {}).items():
            shown = [z for z in shown if common.matches(
                getattr(z, {"zone-name": "name"}.get(name, name.replace("-", "_")), "opted-in"), wanted)]
        return [z for z in shown if (not zone_names or z.name in zone_names) and (not zone_ids or z.zone_id in zone_ids)]

    RegionsAndZonesBackend.describe_availability_zones = zones


def _regions():
    """Those that are not enabled for the account are shown by AllRegions alone, those of other partitions never; one that is not
    there is refused."""
    def describe(self):
        self.error_on_dryrun()
        names = self._get_param("RegionNames", [])
        regions = [copy.copy(r) for r in self.ec2_backend.describe_regions() if _partition(r.name) == _partition(self.region)]
        for region in regions:
            by_default = region.name in ENABLED or _partition(region.name) != "aws"
            region.opt_in_status = "opt-in-not-required" if by_default else "not-opted-in"
        unknown = [name for name in names if name not in [region.name for region in regions]]
        if unknown:
            raise invalid(f"Invalid region provided: {unknown[0]}")
        everything = str(self._get_param("AllRegions", "")).lower() == "true"
        return ActionResult({"Regions": [r for r in regions if (not names or r.name in names) and (
            everything or r.opt_in_status != "not-opted-in")]})

    AvailabilityZonesAndRegions.describe_regions = describe


def _partition(region):
    return {"cn": "aws-cn", "us-gov": "aws-us-gov"}.get(region.rsplit("-", 2)[0], "aws")
