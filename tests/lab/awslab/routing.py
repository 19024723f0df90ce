# SPDX-License-Identifier: Apache-2.0
"""Routes that lead to instances, and elastic addresses."""
import ipaddress

from moto.core.responses import ActionResult
from moto.ec2.exceptions import InvalidRouteTableIdError, ResourceAlreadyAssociatedError, RouteAlreadyExistsError
from moto.ec2.models.elastic_ip_addresses import ElasticAddressBackend
from moto.ec2.models.route_tables import Route
from moto.ec2.responses.elastic_ip_addresses import ElasticIPAddresses
from moto.ec2.responses.route_tables import RouteTables

from . import interfaces
from .errors import invalid, missing, refuse

TARGETS = ("GatewayId", "InstanceId", "NatGatewayId", "EgressOnlyInternetGatewayId", "TransitGatewayId",
           "NetworkInterfaceId", "VpcPeeringConnectionId", "CarrierGatewayId", "VpcEndpointId", "LocalTarget")
DESTINATIONS = {"DestinationCidrBlock": 4, "DestinationIpv6CidrBlock": 6}


def install(_):
    """Puts the lab's checks in front of moto's routes and addresses."""
    _routes()
    _elastic_addresses()


def _destination(params):
    """Checks the destination and brings it into the form that EC2 keeps: 10.0.0.9/24 is 10.0.0.0/24."""
    given = [name for name in (*DESTINATIONS, "DestinationPrefixListId") if params.get(name)]
    if len(given) != 1:
        raise missing("destinationCidrBlock, destinationIpv6CidrBlock or destinationPrefixListId")
    if given[0] in DESTINATIONS:
        try:
            network = ipaddress.ip_network(params[given[0]], strict=False)
        except ValueError:
            network = None
        if network is None or network.version != DESTINATIONS[given[0]]:
            raise invalid(f"Value ({params[given[0]]}) for parameter {given[0]} is invalid. This is not a valid CIDR "
                          "block.")
        params[given[0]] = str(network)
    return params[given[0]]


def _target(backend, table, params):
    """Checks the target. An instance stands for its interface, which is what EC2 keeps."""
    given = [name for name in TARGETS if params.get(name)]
    if len(given) != 1:
        raise missing("one target, as gatewayId or instanceId")
    if given[0] == "InstanceId":
        instance = backend.get_instance(params.pop("InstanceId"))
        if instance.state not in ("pending", "running", "stopping", "stopped"):
            raise refuse("IncorrectInstanceState", f"The instance '{instance.id}' is not in a valid state for this "
                         "operation.")
        params["NetworkInterfaceId"] = interfaces.only_one(instance).id
    if params.get("NetworkInterfaceId"):
        eni = backend.get_network_interface(params["NetworkInterfaceId"])
        if eni.vpc_id != table.vpc_id:
            raise invalid(f"route table {table.id} and interface {eni.id} belong to different networks")


def _routes():
    def table_of(self):
        table = self.ec2_backend.route_tables.get(self._get_param("RouteTableId"))
        if table is None:
            raise InvalidRouteTableIdError(self._get_param("RouteTableId"))
        return table

    def create_route(self):
        table, destination = table_of(self), _destination(self.params)
        _target(self.ec2_backend, table, self.params)
        if any(destination in (r.destination_cidr_block, r.destination_ipv6_cidr_block) for r in table.routes):
            raise RouteAlreadyExistsError(destination)
        self.error_on_dryrun()
        return create(self)

    def replace_route(self):
        table = table_of(self)
        _destination(self.params)
        _target(self.ec2_backend, table, self.params)
        return replace(self)

    def delete_route(self):
        table_of(self)
        _destination(self.params)
        return delete(self)

    def instance_of(route):
        """The instance that has the interface to which the route leads."""
        eni = route.interface
        return eni.instance if eni else None

    def state(route):
        if route.interface is None:
            return "active"
        instance = instance_of(route)
        return "active" if instance and instance.state in ("pending", "running") else "blackhole"

    create, replace, delete = RouteTables.create_route, RouteTables.replace_route, RouteTables.delete_route
    RouteTables.create_route, RouteTables.replace_route = create_route, replace_route
    RouteTables.delete_route = delete_route
    Route.state = property(state)
    Route.instance_id = property(lambda self: instance_of(self).id if instance_of(self) else None)
    Route.instance_owner_id = property(lambda self: instance_of(self).owner_id if instance_of(self) else None)


def _elastic_addresses():
    def associate_address(self):
        params, backend = self._get_params(), self.ec2_backend
        if params.get("InstanceId"):
            instance = backend.get_instance(params["InstanceId"])
            if instance.state not in ("running", "stopped"):
                raise refuse("InvalidInstanceID", f"The {instance.state} instance '{instance.id}' is not in a valid state "
                             "for this operation.")
            eni = interfaces.only_one(instance)
        elif params.get("NetworkInterfaceId"):
            eni = backend.get_network_interface(params["NetworkInterfaceId"])
        else:
            raise missing("InstanceId or NetworkInterfaceId")
        if params.get("AllocationId"):
            address = backend.address_by_allocation([params["AllocationId"]])[0]
        elif params.get("PublicIp"):
            address = backend.address_by_ip([params["PublicIp"]])[0]
        else:
            raise missing("AllocationId or PublicIp")
        others = [a for a in backend.addresses if a is not address and a.eni is eni]
        # "Reassociation is automatic, but you can specify false"
        if not params.get("AllowReassociation", True) and (others or address.eni not in (None, eni)):
            raise ResourceAlreadyAssociatedError(address.public_ip)
        self.error_on_dryrun()
        for each in others + ([address] if address.eni not in (None, eni) else []):
            backend.disassociate_address(association_id=each.association_id)
        backend.associate_address(eni=eni, allocation_id=address.allocation_id, reassociate=True)
        address.instance = eni.instance
        return ActionResult({"AssociationId": address.association_id})

    def describe_addresses(self, allocation_ids=None, public_ips=None, filters=None):
        for ident in allocation_ids or []:
            self.address_by_allocation([ident])
        for address in self.addresses:
            address.instance = address.eni.instance if address.eni else None
        return describe(self, allocation_ids, public_ips, filters)

    describe = ElasticAddressBackend.describe_addresses
    ElasticIPAddresses.associate_address = associate_address
    ElasticAddressBackend.describe_addresses = describe_addresses
