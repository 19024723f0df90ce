# SPDX-License-Identifier: Apache-2.0
"""What EBS volume types can be: size in GiB, IOPS, throughput in MiB/s; as CreateVolume's documentation has it."""
from types import SimpleNamespace

from .errors import combination, invalid, refuse


def _type(sizes, iops=None, ratio=None, throughput=None):
    return SimpleNamespace(sizes=sizes, iops=iops, ratio=ratio, throughput=throughput)


TYPES = {
    "gp2": _type((1, 16384)), "gp3": _type((1, 65536), (3000, 80000), 500, (125, 2000)),
    "io1": _type((4, 16384), (100, 64000), 50), "io2": _type((4, 65536), (100, 256000), 1000),
    "st1": _type((125, 16384)), "sc1": _type((125, 16384)), "standard": _type((1, 1024)),
}


def _within(what, value, limits):
    if value < limits[0]:
        raise invalid(f"Volume {what} of {value} is too low; minimum is {limits[0]}.")
    if value > limits[1]:
        raise invalid(f"Volume {what} of {value} is too high; maximum is {limits[1]}.")


def check(name, size, iops, throughput):
    """Refuses what a volume of that type cannot be; what was not said is None."""
    kind = TYPES.get(name)
    if kind is None:
        raise refuse("UnknownVolumeType", f"Unsupported volume type '{name}' for volume creation.")
    if not kind.sizes[0] <= size <= kind.sizes[1]:
        small = size < kind.sizes[0]
        raise invalid(f"Volume of {size}GiB is too {'small' if small else 'large'} for volume type {name}; "
                      f"{'minimum' if small else 'maximum'} is {kind.sizes[0] if small else kind.sizes[1]}GiB.")
    if iops is None and name in ("io1", "io2"):
        raise refuse("MissingParameter", f"The parameter iops must be specified for {name} volumes.")
    if iops is not None:
        if kind.iops is None:
            raise combination(f"The parameter iops is not supported for {name} volumes.")
        _within("iops", iops, kind.iops)
        if iops > max(kind.iops[0], kind.ratio * size):
            raise invalid(f"Iops to volume size ratio of {iops / size:f} is too high; maximum is {kind.ratio} iops per "
                          "GiB")
    if throughput is not None:
        if kind.throughput is None:
            raise combination(f"The parameter throughput is not supported for {name} volumes.")
        _within("throughput", throughput, kind.throughput)
        if throughput > (iops or kind.iops[0]) / 4:
            raise invalid(f"Throughput (MiBps) to iops ratio of {throughput / (iops or kind.iops[0]):f} is too high; "
                          "maximum is 0.250000 MiBps per iops.")


def usual(name, size, iops, throughput):
    """(iops, throughput) as DescribeVolumes shows them; None where the type has none."""
    if name == "gp3":
        return iops or 3000, throughput or 125
    if name == "gp2":
        return min(max(100, 3 * size), 16000), None
    return iops, None
