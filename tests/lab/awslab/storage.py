# SPDX-License-Identifier: Apache-2.0
"""What moto's volumes and snapshots lack: contents, devices, states that take time, and EC2's refusals."""
import re
from types import SimpleNamespace

from moto.core.responses import ActionResult
from moto.ec2.exceptions import InvalidSnapshotInUse, InvalidVolumeIdError, VolumeInUseError
from moto.ec2.models.elastic_block_store import EBSBackend, Snapshot, Volume
from moto.ec2.models.instance_types import INSTANCE_TYPES
from moto.ec2.responses.elastic_block_store import ElasticBlockStore
from moto.ec2.utils import generic_filter, random_snapshot_id
from moto.kms import kms_backends

from . import volume_types
from .errors import incorrect_state, invalid, missing, refuse

DEVICE = re.compile(r"(/dev/)?(sd[a-z]([1-9]|1[0-5])?|xvd[a-z]|xvd[a-d][a-z]|hd[a-z])")


def snapshot_not_found(snapshot_id):
    return refuse("InvalidSnapshot.NotFound", f"The snapshot '{snapshot_id}' does not exist.")


def install(lab):
    """Puts the lab's volumes and snapshots in place of moto's."""
    _volumes(lab)
    _attachments(lab)
    _snapshots(lab)
    _answers(lab)


def _volumes(lab):
    create, delete = EBSBackend.create_volume, EBSBackend.delete_volume

    def create_volume(self, size, zone_name, snapshot_id=None, volume_type=None, iops=None, throughput=None,
                      kms_key_id=None, **more):
        if not zone_name:
            raise missing("availabilityZone")
        if self.get_zone_by_name(zone_name) is None:
            raise refuse("InvalidZone.NotFound", f"The zone '{zone_name}' does not exist.")
        size = sized(self, size, snapshot_id)
        volume_type = volume_type or "gp2"
        volume_types.check(volume_type, size, iops, throughput)
        if snapshot_id and self.get_snapshot(snapshot_id).encrypted:
            more["encrypted"], kms_key_id = True, kms_key_id or self.get_snapshot(snapshot_id).kms_key_id
        volume = create(self, size, zone_name, snapshot_id=snapshot_id, volume_type=volume_type, iops=iops,
                        throughput=throughput, kms_key_id=key_arn(self, kms_key_id), **more)
        volume.iops, volume.throughput = volume_types.usual(volume_type, size, iops, throughput)
        lab.disks.create_volume(volume.id, volume.size, snapshot_id)
        volume.lab_state = "creating"

        def finish(error):
            volume.lab_state = "error" if error else None
        lab.states.begin("volume", "available", volume.id, finish)
        return volume

    def status(self):
        return "in-use" if self.attachment else getattr(self, "lab_state", None) or "available"

    def delete_volume(self, volume_id):
        volume = self.get_volume(volume_id)
        if volume.status == "deleting":
            raise InvalidVolumeIdError(volume_id)
        if volume.status == "creating":
            raise incorrect_state(f"The volume '{volume_id}' is 'creating'")
        if volume.attachment:
            raise VolumeInUseError(volume_id, volume.attachment.instance.id)
        volume.lab_state = "deleting"

        def finish(_):
            delete(self, volume_id)
            self.tags.pop(volume_id, None)
            lab.disks.delete_volume(volume_id)
        lab.states.begin("volume", "deleted", volume_id, finish)
        return volume

    def describe_volumes(self, volume_ids=None, filters=None):
        volumes = [self.get_volume(i) for i in volume_ids] if volume_ids else list(self.volumes.values())
        return generic_filter(filters, volumes) if filters else volumes

    EBSBackend.create_volume, EBSBackend.delete_volume = create_volume, delete_volume
    EBSBackend.describe_volumes = describe_volumes
    Volume.status = property(status)


def sized(backend, size, snapshot_id, code="InvalidParameterValue"):
    """The size of a volume to be, from the request or from its snapshot; refused where it is too small for that."""
    if snapshot_id:
        snapshot = backend.get_snapshot(snapshot_id)
        if snapshot.status != "completed":
            raise incorrect_state(f"Snapshot is in invalid state - {snapshot.status}")
        if size and int(size) < snapshot.volume_size:
            raise refuse(code, f"Volume of size {size}GB is smaller than snapshot '{snapshot_id}', expect size >= "
                         f"{snapshot.volume_size}GB")
        size = size or snapshot.volume_size
    if size is None:
        raise refuse("MissingParameter", "The request must contain the parameter size or snapshotId")
    return int(size)


def key_arn(backend, key):
    """A key as DescribeVolumes shows it, which is always by its ARN."""
    if not key or key.startswith("arn:") and ":alias/" not in key:
        return key
    kms = kms_backends[backend.account_id][backend.region_name]
    alias = key.rpartition(":")[2]
    if alias.startswith("alias/"):
        return kms.describe_key(alias).arn if kms.alias_exists(alias) else key
    return f"arn:aws:kms:{backend.region_name}:{backend.account_id}:key/{key}"


def _attachments(lab):
    attach, detach = EBSBackend.attach_volume, EBSBackend.detach_volume

    def attach_volume(self, volume_id, instance_id, device_path, delete_on_termination=False):
        volume, instance = self.get_volume(volume_id), self.get_instance(instance_id)
        if volume.attachment:
            raise refuse("VolumeInUse", f"{volume_id} is already attached to an instance")
        if getattr(volume, "lab_state", None):
            raise incorrect_state(f"Volume '{volume_id}' is in the '{volume.lab_state}' state.")
        if instance.state not in ("running", "stopping", "stopped"):
            raise incorrect_state(f"Instance '{instance_id}' is not 'running'.")
        if volume.zone and volume.zone.name != instance._placement.zone:
            raise refuse("InvalidVolume.ZoneMismatch", f"The volume '{volume_id}' is not in the same availability zone "
                         f"as instance '{instance_id}'")
        if not DEVICE.fullmatch(device_path):
            raise invalid(f"Value ({device_path}) for parameter device is invalid. {device_path} is not a valid EBS "
                          "device name.")
        if device_path in instance.block_device_mapping:
            raise invalid(f"Invalid value '{device_path}' for unixDevice. Attachment point {device_path} is already in "
                          "use")
        if len(instance.block_device_mapping) >= room(instance):
            raise refuse("AttachmentLimitExceeded", f"Attachment count exceeded for instance {instance_id}.")
        attachment = attach(self, volume_id, instance_id, device_path, delete_on_termination)
        attachment.delete_on_termination = delete_on_termination
        attachment.status = "attaching"

        def finish(error):
            attachment.status = "busy" if error else "attached"
        lab.states.begin("volume", "attached", volume_id, finish)
        if instance_id == lab.builder_id:
            lab.disks.attach(volume_id)
        return attachment

    def detach_volume(self, volume_id, instance_id, device_path):
        volume = self.get_volume(volume_id)
        attachment = volume.attachment
        if attachment is None:
            raise incorrect_state(f"Volume '{volume_id}' is in the 'available' state.")
        instance_id = instance_id or attachment.instance.id
        if instance_id != attachment.instance.id:
            raise refuse("InvalidAttachment.NotFound", f"'{volume_id}' is not attached to '{instance_id}'")
        if attachment.device == attachment.instance.root_device_name and attachment.instance.state == "running":
            raise refuse("OperationNotPermitted", f"Unable to detach root volume '{volume_id}' from instance "
                         f"'{instance_id}'")
        if attachment.status == "detaching":
            return attachment
        attachment.status = "detaching"
        lab.disks.detach(volume_id)

        def finish(error):
            if error:
                attachment.status = "busy"
            else:
                detach(self, volume_id, instance_id, device_path)
        lab.states.begin("volume", "detached", volume_id, finish)
        return attachment

    EBSBackend.attach_volume, EBSBackend.detach_volume = attach_volume, detach_volume


def room(instance):
    """How many volumes the instance can have. Nitro types that share their slots are listed with one interface."""
    ebs = INSTANCE_TYPES.get(instance.instance_type, {}).get("EbsInfo", {})
    shared = ebs.get("AttachmentLimitType") == "shared" and ebs.get("NvmeSupport") == "required"
    return ebs.get("MaximumEbsAttachments", 26) - (max(0, len(instance.nics) - 1) if shared else 0)


def pending_snapshot(backend, volume, description, **more):
    """A snapshot whose size stays what the volume's was."""
    source = SimpleNamespace(id=volume.id, size=volume.size, encrypted=volume.encrypted)
    snapshot = Snapshot(backend, random_snapshot_id(), source, description, **more)
    snapshot.status, snapshot.status_message = "pending", None
    backend.snapshots[snapshot.id] = snapshot
    return snapshot


def complete(lab, snapshot, mistake=None):
    """The snapshot completes as the settings say, or fails with the mistake."""
    def finish(error):
        error = mistake or error
        snapshot.status = "error" if error else "completed"
        snapshot.status_message = error
    lab.states.begin("snapshot", "completed", snapshot.id, finish)


def new_snapshot(lab, backend, volume, description, **more):
    """A pending snapshot that completes as the settings say."""
    snapshot = pending_snapshot(backend, volume, description, **more)
    complete(lab, snapshot)
    return snapshot


def _snapshots(lab):
    def create_snapshot(self, volume_id, description, owner_id=None, from_ami=None):
        volume = self.get_volume(volume_id)
        if volume.status in ("creating", "error"):
            raise incorrect_state(f"The volume '{volume_id}' is '{volume.status}'")
        snapshot = new_snapshot(lab, self, volume, description, encrypted=volume.encrypted,
                                kms_key_id=volume.kms_key_id, owner_id=owner_id, from_ami=from_ami)
        lab.disks.take_snapshot(snapshot.id, volume_id)
        return snapshot

    def progress(self):
        change = lab.states.pending(self.id)
        upload = getattr(self, "direct", None)
        if upload is not None and self.status == "pending":
            return f"{upload.progress}%"
        return "100%" if change is None or self.status != "pending" else f"{change.progress()}%"

    def get_snapshot(self, snapshot_id):
        if snapshot_id not in self.snapshots:
            raise snapshot_not_found(snapshot_id)
        return self.snapshots[snapshot_id]

    def describe_snapshots(self, snapshot_ids=None, filters=None):
        snapshots = [self.get_snapshot(i) for i in snapshot_ids] if snapshot_ids else list(self.snapshots.values())
        return generic_filter(filters, snapshots) if filters else snapshots

    def delete_snapshot(self, snapshot_id):
        snapshot = self.get_snapshot(snapshot_id)
        for image in self.amis.values():
            if any(m.get("Ebs", {}).get("SnapshotId") == snapshot_id for m in image.block_device_mappings):
                raise InvalidSnapshotInUse(snapshot_id, image.id)
        del self.snapshots[snapshot_id]
        self.tags.pop(snapshot_id, None)
        lab.states.forget(snapshot_id)
        lab.disks.delete_snapshot(snapshot_id)
        return snapshot

    def copy_snapshot(self, source_snapshot_id, source_region, description, kms_key_id):
        from moto.ec2.models import ec2_backends
        source = ec2_backends[self.account_id][source_region].get_snapshot(source_snapshot_id)
        volume = SimpleNamespace(id="vol-ffffffffffffffff", size=source.volume_size, encrypted=source.encrypted)
        snapshot = new_snapshot(lab, self, volume, description, encrypted=source.encrypted, kms_key_id=kms_key_id)
        lab.disks.copy_snapshot(source_snapshot_id, snapshot.id)
        return snapshot

    EBSBackend.create_snapshot, EBSBackend.get_snapshot = create_snapshot, get_snapshot
    EBSBackend.describe_snapshots, EBSBackend.delete_snapshot = describe_snapshots, delete_snapshot
    EBSBackend.copy_snapshot = copy_snapshot
    Snapshot.progress = property(progress)


def _answers(lab):
    describe_volumes, create_snapshot = ElasticBlockStore.describe_volumes, ElasticBlockStore.create_snapshot
    describe_snapshots = ElasticBlockStore.describe_snapshots

    def volumes(self):
        answer = describe_volumes(self)
        return lab.shown(self, answer, "Volumes", "VolumeIds")

    def snapshots(self):
        owners = [self.current_account if o == "self" else o for o in self._get_param("OwnerIds", [])]
        answer = describe_snapshots(self)
        if owners:
            answer.result["Snapshots"] = [s for s in answer.result["Snapshots"] if s.owner_id in owners]
        return lab.shown(self, answer, "Snapshots", "SnapshotIds")

    def create(self):
        # EC2 always answers "pending" here, however soon the snapshot is complete.
        s = create_snapshot(self).result
        return ActionResult({"SnapshotId": s.id, "VolumeId": s.volume_id, "State": "pending", "Progress": "",
                             "VolumeSize": s.volume_size, "StartTime": s.start_time, "OwnerId": s.owner_id,
                             "Description": s.description, "Encrypted": s.encrypted, "Tags": s.tag_set})

    ElasticBlockStore.describe_volumes, ElasticBlockStore.describe_snapshots = volumes, snapshots
    ElasticBlockStore.create_snapshot = create
