# SPDX-License-Identifier: Apache-2.0
"""RunInstances: everything that EC2 refuses is refused before anything is made. moto makes the instance; its interfaces,
volumes and states are the lab's (interfaces.py, mappings.py, lifecycle.py)."""
import base64
import binascii

from moto.core.responses import ActionResult
from moto.core.types import Base64EncodedString
from moto.ec2.exceptions import InvalidAMIIdError
from moto.ec2.models.instance_types import INSTANCE_TYPE_OFFERINGS, INSTANCE_TYPES
from moto.ec2.models.instances import Instance, InstanceBackend
from moto.ec2.responses.instances import InstanceResponse
from moto.ec2.utils import random_spot_request_id
from moto.iam.models import iam_backends

from . import interfaces, lifecycle, mappings, placement, tags
from .errors import combination, invalid, missing, refuse
from .images import unavailable

USER_DATA = 16384
METADATA = {"HttpTokens": ("optional", "required"), "HttpEndpoint": ("enabled", "disabled"),
            "HttpProtocolIpv6": ("enabled", "disabled"), "InstanceMetadataTags": ("enabled", "disabled"),
            "HttpPutResponseHopLimit": range(1, 65)}
NOT_WITH_INTERFACES = {"SubnetId": "subnet ID", "SecurityGroupIds": "security groups", "SecurityGroups": "security groups",
                       "PrivateIpAddress": "private address", "Ipv6Addresses": "IPv6 addresses",
                       "Ipv6AddressCount": "IPv6 addresses"}


def install(lab):
    """Puts the lab's RunInstances in place of moto's."""
    run = InstanceBackend.run_instances

    def backend_run(self, *args, **named):
        # also the lab's own way to make the builder
        reservation = run(self, *args, **named)
        for instance in reservation.instances:
            for made in lab.about_to_run:
                made(instance)
            lifecycle.begin(lab, instance)
        return reservation

    def prep_nics(self, nic_spec, **_):
        self.nics = {}
        for spec in nic_spec or [{"DeviceIndex": 0, "SubnetId": self._subnet_id, "AssociatePublicIpAddress": True}]:
            _attach(lab, self, spec)
        self.security_groups = list(self.nics[0].group_set)

    InstanceBackend.run_instances, Instance.prep_nics = backend_run, prep_nics
    InstanceResponse.run_instances = lambda self: _run(lab, self)


def _attach(lab, instance, spec):
    backend, index = instance.ec2_backend, int(spec["DeviceIndex"])
    if spec.get("NetworkInterfaceId"):
        eni = backend.get_network_interface(spec["NetworkInterfaceId"])
    else:
        with lab.states.at_once("interface"):
            eni = interfaces.create(lab, backend, spec, spec.get("tags", {}))
        eni.delete_on_termination = spec.get("DeleteOnTermination", True)
        eni.public_ip_auto_assign = bool(spec.get("AssociatePublicIpAddress"))
    instance.attach_eni(eni, index)
    eni.attachment_status = "attached"
    if index == 0:
        eni.start()


def _run(lab, response):
    params, backend = response._get_params(), response.ec2_backend
    image = _image(backend, params)
    kind = _type(image, params)
    specs = _interfaces(backend, params, kind)
    subnet = backend.get_subnet(specs[0]["SubnetId"])
    _place(backend, params, kind, subnet)
    tag_maps = tags.given(response, "instance", "volume", "network-interface", "spot-instances-request")
    for spec in specs:
        spec["tags"] = tag_maps.get("network-interface", {})
    volumes = mappings.planned(backend, image, params.get("BlockDeviceMappings") or [])
    key, profile, user_data = _key(backend, params), _profile(backend, params), _user_data(params)
    _metadata(params)
    spot = _spot(params)
    response.error_on_dryrun()

    def finish(instance):
        place = params.get("Placement") or {}
        instance._placement.group_name = place.get("GroupName") or ""
        instance._placement.tenancy = place.get("Tenancy") or "default"
        if profile:
            instance.iam_instance_profile = {"Arn": profile.arn, "Id": profile.id}
        if spot:
            instance.lifecycle, instance.spot_instance_request_id = "spot", random_spot_request_id()
            backend.tags[instance.spot_instance_request_id].update(tag_maps.get("spot-instances-request", {}))
        mappings.make(lab, instance, volumes, tag_maps.get("volume", {}))
    lab.about_to_run.append(finish)
    try:
        return ActionResult(backend.run_instances(
            image.id, int(params["MaxCount"]), user_data, [], instance_type=kind, is_instance_type_default=True,
            region_name=response.region, nics=specs, placement=None, key_name=key,
            placement_hostid=(params.get("Placement") or {}).get("HostId"),
            tags={"instance": tag_maps.get("instance", {})}, launch_template={}, block_device_mappings=[],
            ebs_optimized=params.get("EbsOptimized") or False,
            disable_api_termination=params.get("DisableApiTermination") or False,
            instance_initiated_shutdown_behavior=params.get("InstanceInitiatedShutdownBehavior"),
            monitoring_state="enabled" if (params.get("Monitoring") or {}).get("Enabled") else "disabled",
            metadata_options=params.get("MetadataOptions") or {}, client_token=params.get("ClientToken")))
    finally:
        lab.about_to_run.clear()


def _image(backend, params):
    if not params.get("ImageId"):
        raise missing("ImageId")
    image = backend.amis.get(params["ImageId"])
    if image is None:
        raise InvalidAMIIdError(params["ImageId"])
    if image.state != "available":
        raise unavailable(image.id)
    if not 1 <= int(params["MinCount"]) <= int(params["MaxCount"]):
        raise invalid(f"Value ({params['MinCount']}) for parameter minCount is invalid.")
    return image


def _type(image, params):
    name = params.get("InstanceType") or "m1.small"
    facts = INSTANCE_TYPES.get(name)
    if facts is None:
        raise invalid(f"Invalid value '{name}' for InstanceType.")
    able = facts["ProcessorInfo"]["SupportedArchitectures"]
    if image.architecture not in able:
        raise invalid(f"The architecture '{','.join(able)}' of the specified instance type does not match the "
                      f"architecture '{image.architecture}' of the specified AMI. Specify an instance type and an AMI "
                      "that have matching architectures, and try again.")
    if image.virtualization_type not in facts["SupportedVirtualizationTypes"]:
        raise combination(f"Non-Windows instances with a virtualization type of '{image.virtualization_type}' are "
                          f"currently not supported for this instance type : {name}.")
    return name


def _interfaces(backend, params, kind):
    """What interfaces the instance is to have, each with its subnet, the first one first."""
    given = params.get("NetworkInterfaces") or []
    if not given:
        return [_single(backend, params)]
    for name, text in NOT_WITH_INTERFACES.items():
        if params.get(name):
            raise combination(f"Network interfaces and an instance-level {text} may not be specified on the same request")
    indexes = [spec.get("DeviceIndex") for spec in given]
    if None in indexes or len(set(indexes)) < len(indexes) or 0 not in indexes:
        raise invalid("Each network interface requires a device index of its own, and one of them is 0.")
    most = INSTANCE_TYPES[kind]["NetworkInfo"]["MaximumNetworkInterfaces"]
    if len(given) > most:
        raise refuse("AttachmentLimitExceeded", f"Interface count {len(given)} exceeds the limit for {kind}")
    if len(given) > 1 and any("AssociatePublicIpAddress" in spec for spec in given):
        raise combination("The associatePublicIPAddress parameter cannot be specified when launching with multiple "
                          "network interfaces.")
    specs = sorted((_spec(backend, dict(spec)) for spec in given), key=lambda s: s["DeviceIndex"])
    ids = [s["NetworkInterfaceId"] for s in specs if s.get("NetworkInterfaceId")]
    if len(set(ids)) < len(ids):
        raise invalid("Duplicate network interface IDs specified")
    subnets = [backend.get_subnet(s["SubnetId"]) for s in specs]
    if len({s.availability_zone for s in subnets}) > 1 or len({s.vpc_id for s in subnets}) > 1:
        raise combination("You may not specify network interfaces in different Availability Zones or VPCs")
    return specs


def _spec(backend, spec):
    """One interface of the request, checked."""
    ident = spec.get("NetworkInterfaceId")
    if ident:
        for name in ("SubnetId", "Groups", "PrivateIpAddress", "PrivateIpAddresses", "Description", "Ipv6Addresses",
                     "AssociatePublicIpAddress"):
            if name in spec:
                raise combination(f"A network interface may not specify both a network interface ID and {name}")
        if spec.get("DeleteOnTermination"):
            raise combination("A network interface ID may not be specified together with deleteOnTermination")
        eni = backend.get_network_interface(ident)
        interfaces.attachable(eni)
        return {**spec, "SubnetId": eni.subnet.id}
    if not spec.get("SubnetId"):
        spec["SubnetId"] = _default_subnet(backend, None).id
    subnet = backend.get_subnet(spec["SubnetId"])
    interfaces.groups(backend, spec.get("Groups") or [], subnet.vpc_id, "InvalidGroup.NotFound")
    interfaces.planned(backend, spec)
    if spec["DeviceIndex"] == 0:
        spec.setdefault("AssociatePublicIpAddress", subnet.map_public_ip_on_launch)
    return spec


def _single(backend, params):
    """The interface of a request that names none."""
    zone = (params.get("Placement") or {}).get("AvailabilityZone")
    subnet = backend.get_subnet(params["SubnetId"]) if params.get("SubnetId") else _default_subnet(backend, zone)
    if params.get("SecurityGroups") and params.get("SubnetId"):
        raise combination("The parameter groupName cannot be used with the parameter subnet")
    groups = list(params.get("SecurityGroupIds") or [])
    for name in params.get("SecurityGroups") or []:
        group = backend.get_security_group_from_name(name, subnet.vpc_id)
        if group is None:
            raise refuse("InvalidGroup.NotFound", f"The security group '{name}' does not exist in default VPC "
                         f"'{subnet.vpc_id}'")
        groups.append(group.id)
    spec = {name: params[name] for name in ("PrivateIpAddress", "Ipv6Addresses", "Ipv6AddressCount") if params.get(name)}
    return _spec(backend, {**spec, "DeviceIndex": 0, "SubnetId": subnet.id, "Groups": groups})


def _default_subnet(backend, zone):
    subnets = backend.get_default_subnets()
    subnet = subnets.get(zone or backend.region_name + "a")
    if subnet is None:
        raise invalid(f"Invalid availability zone: [{zone}]")
    return subnet


def _place(backend, params, kind, subnet):
    place = params.get("Placement") or {}
    zone = place.get("AvailabilityZone")
    if zone and backend.get_zone_by_name(zone) is None:
        raise invalid(f"Invalid availability zone: [{zone}]")
    if zone and zone != subnet.availability_zone:
        raise invalid(f"Value ({zone}) for parameter availabilityZone is invalid. Subnet '{subnet.id}' is in the "
                      f"availability zone {subnet.availability_zone}")
    offered = [o["Location"] for o in INSTANCE_TYPE_OFFERINGS["availability-zone"].get(backend.region_name, [])
               if o["InstanceType"] == kind]
    if offered and subnet.availability_zone not in offered:
        raise refuse("Unsupported", f"Your requested instance type ({kind}) is not supported in your requested "
                     f"Availability Zone ({subnet.availability_zone}). Please retry your request by not specifying an "
                     f"Availability Zone or choosing {', '.join(sorted(offered))}.")
    if place.get("GroupName") and place["GroupName"] not in backend.placement_groups:
        raise placement.unknown(place["GroupName"])
    if place.get("Tenancy", "default") not in ("default", "dedicated", "host"):
        raise invalid(f"Value ({place['Tenancy']}) for parameter tenancy is invalid.")


def _key(backend, params):
    name = params.get("KeyName")
    if name and name not in backend.key_pairs:
        raise refuse("InvalidKeyPair.NotFound", f"The key pair '{name}' does not exist")
    return name


def _profile(backend, params):
    given = params.get("IamInstanceProfile") or {}
    if len(given) > 1:
        raise combination("The parameter iamInstanceProfile.name may not be used in combination with "
                          "iamInstanceProfile.arn")
    for what, value in given.items():
        for profile in iam_backends[backend.account_id][backend.partition].instance_profiles.values():
            if value == (profile.arn if what == "Arn" else profile.name):
                return profile
        raise invalid(f"Value ({value}) for parameter iamInstanceProfile.{what.lower()} is invalid. Invalid IAM Instance "
                      f"Profile {'ARN' if what == 'Arn' else 'name'}")
    return None


def _user_data(params):
    """The user data in base64 without line breaks, which moto does not take."""
    given = params.get("UserData")
    if given is None:
        return None
    text = "".join((given.decode("ascii", "replace") if isinstance(given, bytes) else str(given)).split())
    try:
        decoded = base64.b64decode(text, validate=True)
    except binascii.Error:
        raise invalid("Invalid BASE64 encoding of user data.") from None
    if len(decoded) > USER_DATA:
        raise invalid(f"User data is limited to {USER_DATA} bytes")
    return Base64EncodedString(text)


def _metadata(params):
    for name, value in (params.get("MetadataOptions") or {}).items():
        if name in METADATA and (int(value) if name == "HttpPutResponseHopLimit" else value) not in METADATA[name]:
            raise invalid(f"Value ({value}) for parameter {name} is invalid.")


def _spot(params):
    options = params.get("InstanceMarketOptions") or {}
    market, spot = options.get("MarketType"), options.get("SpotOptions") or {}
    if market not in (None, "spot"):
        raise invalid(f"Value ({market}) for parameter marketType is invalid.")
    if spot and not market:
        raise missing("MarketType")
    if "MaxPrice" in spot:
        try:
            ok = float(spot["MaxPrice"]) > 0
        except ValueError:
            ok = False
        if not ok:
            raise invalid(f"Value ({spot['MaxPrice']}) for parameter price is invalid. \"{spot['MaxPrice']}\" is not a "
                          "valid price.")
    if spot.get("SpotInstanceType", "one-time") == "one-time" and \
            spot.get("InstanceInterruptionBehavior", "terminate") != "terminate":
        raise combination("A one-time Spot Instance request can only be interrupted by termination")
    return market == "spot"
