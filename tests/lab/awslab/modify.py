# SPDX-License-Identifier: Apache-2.0
"""ModifyVolume: modifying, optimizing, completed, one after another; EC2's refusals. The volume is as it is to be from
"optimizing" on. The option modification_cooldown is how many seconds after one modification the next may begin."""
import time

from moto.core.utils import utcnow
from moto.ec2.models.elastic_block_store import EBSBackend, VolumeModification
from moto.ec2.responses.elastic_block_store import ElasticBlockStore

from . import volume_types
from .errors import incorrect_state, invalid, refuse

PARTS = ("size", "volume_type", "iops", "throughput")


class Modification(VolumeModification):
    """One modification. Its changes have an id of their own, as the volume has changes too."""

    # pylint: disable=super-init-not-called; moto's changes the volume at once
    def __init__(self, volume, target):
        self.volume, self.id = volume, f"{volume.id} modification"
        for part in PARTS:
            setattr(self, f"original_{part}", getattr(volume, part))
            setattr(self, f"target_{part}", target[part])
        self.start_time, self.end_time, self.began = utcnow(), None, time.monotonic()
        self.state, self.status_message = "modifying", None

    modification_state = property(lambda self: self.state)
    progress = property(lambda self: {"modifying": 0, "optimizing": 50, "completed": 100, "failed": 0}[self.state])

    def get_filter_value(self, filter_name):
        if filter_name == "modification-state":
            return self.state
        return super().get_filter_value(filter_name)


def _target(volume, size, volume_type, iops, throughput):
    """What the volume is to be, or EC2's refusal."""
    if not (size or volume_type or iops or throughput):
        raise invalid("At least one of size, volume type, iops and throughput must be given")
    kind = volume_type or volume.volume_type
    if "standard" in (volume.volume_type, kind):
        raise invalid("Volume type EBS Magnetic is not supported.")
    if size and size < volume.size:
        raise invalid("New size cannot be smaller than existing size")
    kept = kind == volume.volume_type and kind != "gp2"
    # Where the type changes, io1, io2 and gp3 begin with 3000 IOPS.
    wanted = iops or (volume.iops if kept else 3000 if kind in ("io1", "io2", "gp3") else None)
    flow = throughput or (volume.throughput if kept else None)
    volume_types.check(kind, size or volume.size, wanted, flow)
    wanted, flow = volume_types.usual(kind, size or volume.size, wanted, flow)
    return {"size": size or volume.size, "volume_type": kind, "iops": wanted, "throughput": flow}


def install(lab):
    """Puts the lab's modifications in place of moto's."""
    def modify_volume(self, volume_id, target_size=None, target_volume_type=None, target_iops=None,
                      target_throughput=None, target_multi_attach_enabled=None):
        volume = self.get_volume(volume_id)
        if volume.status not in ("available", "in-use"):
            raise incorrect_state(f"Volume '{volume_id}' is in the '{volume.status}' state.")
        last = volume.modifications[-1] if volume.modifications else None
        if last and last.state in ("modifying", "optimizing"):
            raise refuse("IncorrectModificationState", f"Cannot modify volume {volume_id}, currently in modification "
                         f"state {last.state.upper()}.")
        if last and time.monotonic() - last.began < float(lab.options.get("modification_cooldown", 0)):
            raise refuse("VolumeModificationRateExceeded", "You've reached the maximum modification rate per volume "
                         "limit. Wait at least 6 hours between modifications per EBS volume.")
        made = Modification(volume, _target(volume, target_size, target_volume_type, target_iops, target_throughput))
        volume.modifications = [made]
        _begin(lab, volume, made)
        return volume

    def describe_volumes_modifications(self):
        backend = self.ec2_backend
        for volume_id in self._get_param("VolumeIds", []):
            if not backend.get_volume(volume_id).modifications:
                raise refuse("InvalidVolumeModification.NotFound",
                             f"Modification for volume '{volume_id}' does not exist.")
        return lab.shown(self, describe(self), "VolumesModifications", "VolumeIds", most=500)

    describe = ElasticBlockStore.describe_volumes_modifications
    EBSBackend.modify_volume = modify_volume
    ElasticBlockStore.describe_volumes_modifications = describe_volumes_modifications


def _begin(lab, volume, made):
    def ended(state, error):
        made.state, made.status_message, made.end_time = state, error, utcnow()

    def optimizing(error):
        if error:
            ended("failed", error)
            return
        for part in PARTS:
            setattr(volume, part, getattr(made, f"target_{part}"))
        lab.disks.resize_volume(volume.id, volume.size)
        made.state = "optimizing"
        lab.states.begin("modification", "completed", made.id, lambda e: ended("failed" if e else "completed", e))
    lab.states.begin("modification", "optimizing", made.id, optimizing)
