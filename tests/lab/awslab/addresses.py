# SPDX-License-Identifier: Apache-2.0
"""Which addresses of a subnet are taken. moto hands out what it likes and takes what it is told.

Addresses that nobody asked for come out of the upper half of the subnet, so that those in tests meet none of them.
"""
import ipaddress
import random

from .errors import invalid, refuse

RESERVED = 4  # at the beginning of a subnet, and the last one


def blocks(subnet, version):
    """The subnet's networks of that IP version."""
    if version == 4:
        return [ipaddress.ip_network(subnet.cidr_block)] if subnet.cidr_block else []
    return [ipaddress.ip_network(a["ipv6CidrBlock"]) for a in subnet.ipv6_cidr_block_associations.values()
            if a["ipv6CidrBlockState"]["State"] == "associated"]


def taken(backend, subnet):
    """All that interfaces in the subnet have, as networks."""
    found = []
    for eni in backend.enis.values():
        if eni.subnet.id == subnet.id:
            found += [a["PrivateIpAddress"] for a in eni.private_ip_addresses] + eni.ipv6_addresses
            found += [p["Ipv4Prefix"] for p in eni.ipv4_prefixes] + [p["Ipv6Prefix"] for p in eni.ipv6_prefixes]
    return [ipaddress.ip_network(text) for text in found if text]


def _parsed(text, version):
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        address = None
    if address is None or address.version != version:
        raise invalid(f"Value ({text}) for parameter address is invalid. Invalid IPv{version} address")
    return address


def check(backend, subnet, text, version, others=()):
    """The address in its usual form, if an interface in that subnet may have it. others: what the same request takes."""
    address = _parsed(text, version)
    block = next((b for b in blocks(subnet, version) if address in b), None)
    if block is None:
        raise invalid(f"Address {text} does not fall within the subnet's address range")
    if int(address) - int(block.network_address) < RESERVED or version == 4 and address == block.broadcast_address:
        raise invalid(f"Address {text} is in subnet's reserved address range")
    if any(address in network for network in taken(backend, subnet) if network.version == version) or \
            str(address) in others:
        raise refuse("InvalidIPAddress.InUse", f"Address {text} is in use.")
    return str(address)


def pick(backend, subnet, version, others=()):
    """An address that is free."""
    used = [n for n in taken(backend, subnet) if n.version == version]
    for block in blocks(subnet, version):
        half = block.num_addresses // 2
        for _ in range(10 * half if version == 4 else 10):
            address = block[half + random.randrange(half - 1)]
            if str(address) not in others and not any(address in network for network in used):
                return str(address)
    raise refuse("InsufficientFreeAddressesInSubnet", f"The specified subnet {subnet.id} does not have enough free "
                 "addresses to satisfy the request.")


def check_prefix(backend, subnet, text, version):
    """The prefix in its usual form, if an interface in that subnet may have it."""
    length = 28 if version == 4 else 80
    try:
        prefix = ipaddress.ip_network(text)
    except ValueError:
        prefix = None
    if prefix is None or prefix.version != version or prefix.prefixlen != length:
        raise invalid(f"Value ({text}) for parameter prefix is invalid. An IPv{version} prefix ends with /{length}")
    if not any(prefix.subnet_of(block) for block in blocks(subnet, version)):
        raise invalid(f"Prefix {text} does not fall within the subnet's address range")
    if any(prefix.overlaps(network) for network in taken(backend, subnet) if network.version == version):
        raise refuse("InvalidIPAddress.InUse", f"Prefix {text} is in use.")
    return str(prefix)
