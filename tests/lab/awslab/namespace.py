# SPDX-License-Identifier: Apache-2.0
"""A network namespace in which the addresses exist at which AWS's instances and containers ask for credentials, all on the
loopback interface. By system calls: no tool needs to be installed for it.
"""
import contextlib
import ctypes
import fcntl
import os
import socket
import struct

METADATA = ("169.254.169.254", "fd00:ec2::254")
CONTAINER = ("169.254.170.2", "169.254.170.23", "fd00:ec2::23")

CLONE_NEWNET = 0x40000000
SIOCGIFFLAGS, SIOCSIFFLAGS, SIOCSIFADDR, SIOCGIFINDEX = 0x8913, 0x8914, 0x8916, 0x8933
IFF_UP = 1
OWN = "/proc/thread-self/ns/net"


def _check(result):
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _libc():
    return ctypes.CDLL(None, use_errno=True)


def _up(family, name=b"lo"):
    """Raises the interface; a control socket for it."""
    control = socket.socket(family, socket.SOCK_DGRAM)
    request = fcntl.ioctl(control, SIOCGIFFLAGS, struct.pack("16sH14x", name, 0))
    flags = struct.unpack_from("16sH", request)[1]
    fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sH14x", name, flags | IFF_UP))
    return control


def loopback_up():
    """Raises this namespace's loopback interface."""
    _up(socket.AF_INET).close()


def _add_addresses(more):
    with _up(socket.AF_INET) as control:
        for number, address in enumerate([a for a in METADATA + CONTAINER if ":" not in a] + list(more)):
            # a further IPv4 address of an interface has a name of its own; the mask is that of the class, which does no harm
            told = struct.pack("=16sHH4s8x", b"lo:%d" % number, socket.AF_INET, 0, socket.inet_aton(address))
            fcntl.ioctl(control, SIOCSIFADDR, told)
        index = struct.unpack_from("16si", fcntl.ioctl(control, SIOCGIFINDEX, struct.pack("16si12x", b"lo", 0)))[1]
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as control:
        for address in (a for a in METADATA + CONTAINER if ":" in a):
            fcntl.ioctl(control, SIOCSIFADDR, struct.pack("=16sIi", socket.inet_pton(socket.AF_INET6, address), 128, index))


@contextlib.contextmanager
def entered(more=()):
    """This thread, and what it starts, is in a new namespace with these addresses and with more, of IPv4. OSError where that is
    not allowed."""
    before = os.open(OWN, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _check(_libc().unshare(CLONE_NEWNET))
        try:
            _add_addresses(more)
            yield
        finally:
            _check(_libc().setns(before, CLONE_NEWNET))
    finally:
        os.close(before)
