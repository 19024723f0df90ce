# SPDX-License-Identifier: Apache-2.0
"""The block devices of a new instance: the image's, each overlaid by the request's of the same name."""
import re

from . import volume_types
from .errors import invalid, missing, refuse
from .storage import DEVICE, sized


def _bad(message):
    return refuse("InvalidBlockDeviceMapping", message)


def _checked(mapping, seen):
    name, virtual = mapping.get("DeviceName"), mapping.get("VirtualName")
    if not name:
        raise missing("deviceName")
    if not DEVICE.fullmatch(name):
        raise invalid(f"Value ({name}) for parameter deviceName is invalid. {name} is not a valid device name.")
    if name in seen:
        raise _bad(f"The device '{name}' is used in more than one block-device mapping")
    if virtual is not None and not re.fullmatch(r"ephemeral([0-9]|1[0-9]|2[0-3])", virtual):
        raise invalid(f"Value ({virtual}) for parameter virtualName is invalid.")
    if sum(key in mapping for key in ("Ebs", "VirtualName", "NoDevice")) != 1:
        raise _bad(f"The device '{name}' needs one of ebs, virtualName and noDevice")


def planned(backend, image, given):
    """The volumes to be, checked: dicts of DeviceName, size, snapshot_id and so on. Instance storage makes none."""
    overlay = {}
    for mapping in given:
        _checked(mapping, overlay)
        overlay[mapping["DeviceName"]] = mapping
    plans = []
    for mapping in image.block_device_mappings if image else []:
        other = overlay.pop(mapping["DeviceName"], {"Ebs": {}})
        if "Ebs" in mapping and "Ebs" in other:
            plans.append(_plan(backend, mapping["DeviceName"], mapping["Ebs"], other["Ebs"] or {}))
        elif other.get("Ebs"):
            plans.append(_plan(backend, mapping["DeviceName"], {}, other["Ebs"]))
    return plans + [_plan(backend, name, {}, m["Ebs"] or {}) for name, m in overlay.items() if "Ebs" in m]


def _plan(backend, name, base, given):
    merged = {**base, **given}
    if given.get("VolumeType", base.get("VolumeType")) != base.get("VolumeType"):
        for key in ("Iops", "Throughput"):
            merged[key] = given.get(key)
    if base and base.get("Encrypted") and given.get("Encrypted") is False:
        raise _bad(f"The encrypted flag of {name} cannot be false, as its snapshot is encrypted")
    if merged.get("KmsKeyId") and not merged.get("Encrypted"):
        raise refuse("InvalidParameterDependency", "The parameter KmsKeyId requires the parameter Encrypted to be set.")
    size = sized(backend, merged.get("VolumeSize"), merged.get("SnapshotId"), "InvalidBlockDeviceMapping")
    kind = merged.get("VolumeType") or "gp2"
    volume_types.check(kind, size, merged.get("Iops"), merged.get("Throughput"))
    return {"DeviceName": name, "DeleteOnTermination": bool(merged.get("DeleteOnTermination")),
            "volume": {"size": size, "snapshot_id": merged.get("SnapshotId"), "volume_type": kind,
                       "iops": merged.get("Iops"), "throughput": merged.get("Throughput"),
                       "encrypted": bool(merged.get("Encrypted")), "kms_key_id": merged.get("KmsKeyId")}}


def make(lab, instance, plans, tag_map):
    """The volumes, made and attached."""
    backend = instance.ec2_backend
    for plan in plans:
        with lab.states.at_once("volume"):
            volume = backend.create_volume(zone_name=instance._placement.zone, **plan["volume"])
            volume.add_tags(tag_map)
            backend.attach_volume(volume.id, instance.id, plan["DeviceName"], plan["DeleteOnTermination"])
