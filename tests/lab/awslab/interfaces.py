# SPDX-License-Identifier: Apache-2.0
"""Network interfaces: taken addresses, prefixes, groups of other VPCs, states that take time, what is in use."""
import copy

from moto.core.responses import ActionResult, EmptyResult
from moto.ec2.exceptions import InvalidNetworkAttachmentIdError
from moto.ec2.models.elastic_network_interfaces import Attachment, NetworkInterface, NetworkInterfaceBackend
from moto.ec2.responses.elastic_network_interfaces import ElasticNetworkInterfaces

from . import addresses, tags
from .errors import combination, incorrect_state, missing, refuse

CHANGEABLE = ("Attachment", "Groups", "SourceDestCheck", "Description", "AssociatePublicIpAddress")


def groups(backend, ids, vpc_id, unknown):
    """Refuses security groups that do not exist, or not in the VPC. unknown: the code for those."""
    for group_id in ids:
        if not group_id.startswith("sg-"):
            raise refuse("InvalidGroupId.Malformed", f'Invalid id: "{group_id}" (expecting "sg-...")')
        group = backend.get_security_group_from_id(group_id)
        if group is None:
            raise refuse(unknown, f"The security group '{group_id}' does not exist")
        if group.vpc_id != vpc_id:
            raise refuse("InvalidParameter", f"Security group {group_id} and the subnet belong to different networks.")


def planned(backend, spec):
    """The addresses of a new interface as CreateNetworkInterface and RunInstances describe one (the parameters have the
    same names): (IPv4, first one is primary; IPv6). Refuses what it cannot have."""
    subnet = backend.get_subnet(spec["SubnetId"])
    wanted = [a["PrivateIpAddress"] for a in sorted(spec.get("PrivateIpAddresses") or [],
                                                    key=lambda a: not a.get("Primary"))]
    if spec.get("PrivateIpAddress"):
        wanted.insert(0, spec["PrivateIpAddress"])
    four, six = [], []
    for text in wanted:
        four.append(addresses.check(backend, subnet, text, 4, four))
    if not four and subnet.cidr_block:
        four.append(addresses.pick(backend, subnet, 4))
    for _ in range(int(spec.get("SecondaryPrivateIpAddressCount") or 0)):
        four.append(addresses.pick(backend, subnet, 4, four))
    for each in spec.get("Ipv6Addresses") or []:
        six.append(addresses.check(backend, subnet, each["Ipv6Address"], 6, six))
    count = int(spec.get("Ipv6AddressCount") or (subnet.assign_ipv6_address_on_creation and not six))
    for _ in range(count):
        six.append(addresses.pick(backend, subnet, 6, six))
    return four, six


def create(lab, backend, spec, tag_map):
    """The interface, made, with nothing checked but its addresses."""
    four, six = planned(backend, spec)
    eni = backend.create_network_interface(
        backend.get_subnet(spec["SubnetId"]), four[0] if four else None,
        [{"Primary": n == 0, "PrivateIpAddress": a} for n, a in enumerate(four)],
        spec.get("Groups") or [], spec.get("Description"), tag_map, ipv6_addresses=six)
    eni.status = "pending"

    def finish(_):
        if eni.status == "pending":
            eni.status = "available"
    lab.states.begin("interface", "available", eni.id, finish)
    for name, version in (("Ipv4Prefixes", 4), ("Ipv6Prefixes", 6)):
        for each in spec.get(name) or []:
            assign_prefix(backend, eni, each[name[:-2]], version)
    return eni


def assign_prefix(backend, eni, text, version):
    prefix = addresses.check_prefix(backend, eni.subnet, text, version)
    kept = eni.ipv4_prefixes if version == 4 else eni.ipv6_prefixes
    kept.append({f"Ipv{version}Prefix": prefix})
    return prefix


def remove(lab, backend, eni):
    """Takes it away, with the elastic address that it had."""
    for address in backend.addresses:
        if address.eni is eni:
            backend.disassociate_address(association_id=address.association_id)
    backend.enis.pop(eni.id, None)
    backend.tags.pop(eni.id, None)
    lab.states.forget(eni.id)


def let_go(lab, backend, eni):
    """The instance is gone: the interface is detached, and goes too if it was told to."""
    eni.attachment_status = "detaching"

    def finish(_):
        eni.instance = eni.attachment_id = eni.attach_time = eni.device_index = None
        eni.status = "available"
        if eni.delete_on_termination:
            remove(lab, backend, eni)
    lab.states.begin("interface", "detached", eni.id, finish)


def install(lab):
    """Puts the lab's interfaces in place of moto's."""
    _models(lab)
    _creation(lab)
    _assignments()
    _changes()
    describe = ElasticNetworkInterfaces.describe_network_interfaces
    ElasticNetworkInterfaces.describe_network_interfaces = lambda self: lab.shown(
        self, describe(self), "NetworkInterfaces", "NetworkInterfaceIds")


def _models(lab):
    init, attachment, value = NetworkInterface.__init__, Attachment.__init__, NetworkInterface.get_filter_value

    def new(self, *args, **named):
        self.ipv4_prefixes, self.ipv6_prefixes, self.attachment_status = [], [], "attached"
        init(self, *args, **named)

    def attached(self, eni):
        attachment(self, eni)
        self.status = eni.attachment_status

    def filter_value(self, name, method_name=None):
        known = {
            "private-ip-address": lambda: self.private_ip_address,
            "addresses.private-ip-address": lambda: [a["PrivateIpAddress"] for a in self.private_ip_addresses],
            "ipv6-addresses.ipv6-address": lambda: self.ipv6_addresses,
            "addresses.association.public-ip": lambda: self.public_ip,
            "association.public-ip": lambda: self.public_ip,
            "group-name": lambda: [g.name for g in self._group_set],
            "attachment.status": lambda: self.attachment.status if self.attachment else None,
            "attachment.device-index": lambda: self.attachment.device_index if self.attachment else None,
            "attachment.delete-on-termination": lambda: self.delete_on_termination if self.attachment else None,
        }
        return known[name]() if name in known else value(self, name, method_name)

    def delete_network_interface(self, eni_id):
        eni = self.get_network_interface(eni_id)
        if eni.status == "in-use":
            # The documentation has InvalidNetworkInterface.InUse for this; EC2 answers otherwise.
            raise refuse(lab.options.get("interface_in_use", "InvalidParameterValue"),
                         f"Network interface '{eni_id}' is currently in use.")
        remove(lab, self, eni)

    NetworkInterface.__init__, Attachment.__init__ = new, attached
    NetworkInterface.get_filter_value = filter_value
    NetworkInterface.group_set = property(lambda self: self._group_set)
    NetworkInterfaceBackend.delete_network_interface = delete_network_interface


def _creation(lab):
    def create_network_interface(self):
        params, backend = self._get_params(), self.ec2_backend
        if not params.get("SubnetId"):
            raise missing("subnetId")
        subnet = backend.get_subnet(params["SubnetId"])
        groups(backend, params.get("Groups") or [], subnet.vpc_id, "InvalidSecurityGroupID.NotFound")
        planned(backend, params)
        tag_map = tags.given(self, "network-interface").get("network-interface", {})
        self.error_on_dryrun()
        shown = copy.copy(create(lab, backend, params, tag_map))
        shown.status = "pending"
        return ActionResult({"NetworkInterface": shown})

    ElasticNetworkInterfaces.create_network_interface = create_network_interface


def _assignments():
    def assign_private_ip_addresses(self):
        params, backend = self._get_params(), self.ec2_backend
        eni = backend.get_network_interface(params.get("NetworkInterfaceId"))
        wanted, prefixes = params.get("PrivateIpAddresses") or [], params.get("Ipv4Prefixes") or []
        count = int(params.get("SecondaryPrivateIpAddressCount") or 0)
        if not (wanted or prefixes or count):
            raise missing("privateIpAddresses, secondaryPrivateIpAddressCount or ipv4Prefixes")
        made = [addresses.check(backend, eni.subnet, text, 4) for text in wanted]
        for _ in range(count):
            made.append(addresses.pick(backend, eni.subnet, 4, made))
        eni.private_ip_addresses += [{"Primary": False, "PrivateIpAddress": text} for text in made]
        given = [assign_prefix(backend, eni, text, 4) for text in prefixes]
        return ActionResult({"NetworkInterfaceId": eni.id,
                             "AssignedPrivateIpAddresses": [{"PrivateIpAddress": text} for text in made],
                             "AssignedIpv4Prefixes": [{"Ipv4Prefix": text} for text in given]})

    def assign_ipv6_addresses(self):
        params, backend = self._get_params(), self.ec2_backend
        eni = backend.get_network_interface(params.get("NetworkInterfaceId"))
        wanted, prefixes = params.get("Ipv6Addresses") or [], params.get("Ipv6Prefixes") or []
        count = int(params.get("Ipv6AddressCount") or 0)
        if not (wanted or prefixes or count):
            raise missing("ipv6Addresses, ipv6AddressCount or ipv6Prefixes")
        made = [addresses.check(backend, eni.subnet, text, 6) for text in wanted]
        for _ in range(count):
            made.append(addresses.pick(backend, eni.subnet, 6, made))
        eni.ipv6_addresses += made
        given = [assign_prefix(backend, eni, text, 6) for text in prefixes]
        return ActionResult({"NetworkInterfaceId": eni.id, "AssignedIpv6Addresses": made,
                             "AssignedIpv6Prefixes": given})

    ElasticNetworkInterfaces.assign_private_ip_addresses = assign_private_ip_addresses
    ElasticNetworkInterfaces.assign_ipv6_addresses = assign_ipv6_addresses


def _changes():
    def modify_network_interface_attribute(self):
        params, backend = self._get_params(), self.ec2_backend
        eni = backend.get_network_interface(params.get("NetworkInterfaceId"))
        named = [name for name in CHANGEABLE if name in params]
        if len(named) != 1:
            raise combination("Exactly one attribute of the network interface must be specified")
        self.error_on_dryrun()
        value = params[named[0]]
        if named[0] == "Attachment":
            if not eni.attachment_id or value.get("AttachmentId") != eni.attachment_id:
                raise InvalidNetworkAttachmentIdError(value.get("AttachmentId"))
            eni.delete_on_termination = value.get("DeleteOnTermination", eni.delete_on_termination)
        elif named[0] == "Groups":
            groups(backend, value, eni.vpc_id, "InvalidSecurityGroupID.NotFound")
            eni._group_set = [backend.get_security_group_from_id(g) for g in value]
        elif named[0] == "SourceDestCheck":
            source_dest_check(eni, value["Value"])
        elif named[0] == "Description":
            eni.description = value["Value"]
        else:
            eni.public_ip_auto_assign = value  # from the next time on that it becomes an instance's first
        return EmptyResult()

    ElasticNetworkInterfaces.modify_network_interface_attribute = modify_network_interface_attribute


def source_dest_check(eni, value):
    eni.source_dest_check = value
    if eni.instance and eni.device_index == 0:
        eni.instance.source_dest_check = value


def only_one(instance):
    """The interface of an instance that has one; what is meant with several, EC2 does not guess."""
    if len(instance.nics) != 1:
        raise refuse("InvalidInstanceID", f"There are multiple interfaces attached to instance '{instance.id}'. Please "
                     "specify an interface ID for the operation instead.")
    return next(iter(instance.nics.values()))


def attachable(eni):
    """Refuses an interface that an instance cannot have now."""
    if eni.status == "in-use":
        raise refuse("InvalidNetworkInterface.InUse", f"Interface: [{eni.id}] in use.")
    if eni.status != "available":
        raise incorrect_state(f"Network interface '{eni.id}' is '{eni.status}'")
