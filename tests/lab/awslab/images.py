# SPDX-License-Identifier: Apache-2.0
"""AMIs as EC2 keeps them. moto forgets everything of RegisterImage but name and description, so the lab has its own
image (moto's class, filled differently) and its own register, copy, deregister."""
import re
from types import SimpleNamespace

from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.ec2.exceptions import InvalidAMIIdError
from moto.ec2.models.amis import Ami, AmiBackend
from moto.ec2.responses.amis import AmisResponse
from moto.ec2.utils import random_ami_id

from .errors import incorrect_state, refuse
from .storage import new_snapshot

NAME = re.compile(r"[A-Za-z0-9()\[\] ./'@_-]{3,128}")


class Image(Ami):
    """An image; params are RegisterImage's."""

    # pylint: disable=super-init-not-called; moto's makes a volume and a snapshot of its own
    def __init__(self, backend, params, mappings, owner_id=None, public=False):
        self.ec2_backend, self.id = backend, random_ami_id()
        self.owner_id, self.owner_alias = owner_id or backend.account_id, None
        self.state, self.state_reason = "pending", None
        self.name, self.description = params.get("Name"), params.get("Description")
        self.image_type, self.image_location = "machine", f"{self.owner_id}/{self.name}"
        self.architecture = params.get("Architecture") or "i386"
        self.virtualization_type = params.get("VirtualizationType") or "paravirtual"
        self.kernel_id, self.ramdisk_id = params.get("KernelId"), params.get("RamdiskId")
        self.platform, self.platform_details, self.hypervisor = None, "Linux/UNIX", "xen"
        self.root_device_name, self.root_device_type = params.get("RootDeviceName"), "ebs"
        self.sriov_net_support = self.sriov = params.get("SriovNetSupport")
        self.ena_support = params.get("EnaSupport")
        self.boot_mode, self.tpm_support = params.get("BootMode"), params.get("TpmSupport")
        self.imds_support = params.get("ImdsSupport")
        self.creation_date, self.product_codes, self.instance_id = utcnow(), set(), None
        self.launch_permissions = [{"Group": "all"}] if public else []
        self.mappings = mappings

    @property
    def block_device_mappings(self):
        return self.mappings

    def get_filter_value(self, filter_name, method_name=None):
        if filter_name == "block-device-mapping.snapshot-id":
            return [m["Ebs"]["SnapshotId"] for m in self.mappings if m.get("Ebs", {}).get("SnapshotId")]
        return super().get_filter_value(filter_name, method_name)


def checked_mappings(backend, params):
    """RegisterImage's block devices, completed from their snapshots, or EC2's refusal."""
    mappings = []
    for given in params.get("BlockDeviceMappings") or []:
        mapping = {k: v for k, v in given.items() if k in ("DeviceName", "VirtualName", "NoDevice", "Ebs")}
        if "Ebs" in given:
            ebs = dict(given["Ebs"])
            if ebs.get("SnapshotId"):
                snapshot = backend.get_snapshot(ebs["SnapshotId"])
                if snapshot.status != "completed":
                    raise incorrect_state(f"Snapshot {snapshot.id} is in invalid state - {snapshot.status}")
                if ebs.get("VolumeSize") and int(ebs["VolumeSize"]) < snapshot.volume_size:
                    raise refuse("InvalidBlockDeviceMapping", f"Volume of size {ebs['VolumeSize']}GB is smaller "
                                         f"than snapshot '{snapshot.id}', expect size >= {snapshot.volume_size}GB")
                ebs.setdefault("VolumeSize", snapshot.volume_size)
                ebs["Encrypted"] = snapshot.encrypted
            ebs.setdefault("DeleteOnTermination", False)
            ebs.setdefault("VolumeType", "standard")
            ebs.setdefault("Encrypted", False)
            mapping["Ebs"] = ebs
        mappings.append(mapping)
    root = params.get("RootDeviceName")
    if not root:
        raise refuse("MissingParameter", "The request must contain the parameter rootDeviceName")
    # /dev/sda for the root /dev/sda1 is what BOSH's paravirtual stemcells have
    if not any(root.startswith(m.get("DeviceName") or "?") and m.get("Ebs", {}).get("SnapshotId") for m in mappings):
        raise refuse("InvalidBlockDeviceMapping", f"No block device mapping with a snapshot for root {root}")
    return mappings


def check_name(backend, name):
    if not name or not NAME.fullmatch(name):
        raise refuse("InvalidAMIName.Malformed", "AMI names must be between 3 and 128 characters long, and may "
                             "contain letters, numbers, '(', ')', '.', '-', '/' and '_'")
    for image in backend.amis.values():
        if image.name == name and image.owner_id == backend.account_id:
            raise refuse("InvalidAMIName.Duplicate", f"AMI name {name} is already in use by AMI {image.id}")


def add_image(lab, backend, image):
    backend.amis[image.id] = image

    def finish(error):
        image.state = "failed" if error else "available"
        image.state_reason = {"Code": "Client.InternalError", "Message": error} if error else None
    lab.states.begin("image", "available", image.id, finish)
    return image


def install(lab):
    """Puts the lab's images in place of moto's."""
    _backend(lab)
    _answers(lab)


def _backend(lab):
    def deregister_image(self, ami_id):
        if ami_id in self.deleted_amis:
            raise unavailable(ami_id)
        if ami_id not in self.amis:
            raise InvalidAMIIdError(ami_id)

        def finish(_):
            self.amis.pop(ami_id, None)
            self.deleted_amis.append(ami_id)
            self.tags.pop(ami_id, None)
        lab.states.begin("image", "deregistered", ami_id, finish)

    AmiBackend.deregister_image = deregister_image


def unavailable(ami_id):
    return refuse("InvalidAMIID.Unavailable", f"The image ID '{ami_id}' is no longer available")


def _tags(response, kind):
    return response._parse_tag_specification().get(kind, {})  # pylint: disable=protected-access


def _answers(lab):
    describe, deregister = AmisResponse.describe_images, AmisResponse.deregister_image

    def register_image(self):
        params, backend = self._get_params(), self.ec2_backend
        mappings = checked_mappings(backend, params)
        check_name(backend, params.get("Name"))
        self.error_on_dryrun()
        image = add_image(lab, backend, Image(backend, params, mappings))
        image.add_tags(_tags(self, "image"))
        return ActionResult({"ImageId": image.id})

    def copy_image(self):
        from moto.ec2.models import ec2_backends
        params, backend = self._get_params(), self.ec2_backend
        source_id = params.get("SourceImageId")
        source = ec2_backends[self.current_account][params.get("SourceRegion")].amis.get(source_id)
        if source is None:
            raise InvalidAMIIdError(source_id)
        if source.state != "available":
            raise unavailable(source_id)
        encrypted = bool(params.get("Encrypted"))
        if params.get("KmsKeyId") and not encrypted:
            raise refuse("InvalidParameterDependency", "The parameter KmsKeyId requires the parameter Encrypted")
        check_name(backend, params.get("Name"))
        self.error_on_dryrun()
        kept = {"Name": params.get("Name"), "Description": params.get("Description") or source.description}
        for name, attribute in (("Architecture", "architecture"), ("VirtualizationType", "virtualization_type"),
                                ("RootDeviceName", "root_device_name"), ("KernelId", "kernel_id"),
                                ("SriovNetSupport", "sriov_net_support"), ("EnaSupport", "ena_support"),
                                ("BootMode", "boot_mode"), ("TpmSupport", "tpm_support"),
                                ("ImdsSupport", "imds_support")):
            kept[name] = getattr(source, attribute, None)
        image = Image(backend, kept, [])
        image.source_image_id, image.source_image_region = source_id, params.get("SourceRegion")
        for mapping in source.block_device_mappings:
            image.mappings.append(_copied(lab, backend, mapping, source, image, encrypted, params.get("KmsKeyId")))
        add_image(lab, backend, image)
        if params.get("CopyImageTags"):
            image.add_tags({t["key"]: t["value"] for t in source.get_tags()})
        image.add_tags(_tags(self, "image"))
        for mapping in image.mappings:
            if mapping.get("Ebs", {}).get("SnapshotId"):
                backend.get_snapshot(mapping["Ebs"]["SnapshotId"]).add_tags(_tags(self, "snapshot"))
        return ActionResult({"ImageId": image.id})

    def describe_images(self):
        backend = self.ec2_backend
        gone = [i for i in self._get_param("ImageIds", []) if i in backend.deleted_amis]
        if gone and lab.options.get("deregistered", "unavailable") == "unavailable":
            raise unavailable(gone[0])
        for ami_id in self._get_param("ImageIds", []):
            if ami_id not in backend.amis and (ami_id not in gone or lab.options.get("deregistered") == "notfound"):
                raise InvalidAMIIdError(ami_id)
        return lab.shown(self, describe(self), "Images", "ImageIds")

    def deregister_image(self):
        image = self.ec2_backend.amis.get(self._get_param("ImageId"))
        answer = deregister(self)
        if self._get_bool_param("DeleteAssociatedSnapshots") and image:
            for mapping in image.block_device_mappings:
                if mapping.get("Ebs", {}).get("SnapshotId"):
                    self.ec2_backend.delete_snapshot(mapping["Ebs"]["SnapshotId"])
        return answer

    AmisResponse.register_image, AmisResponse.copy_image = register_image, copy_image
    AmisResponse.describe_images, AmisResponse.deregister_image = describe_images, deregister_image


def _copied(lab, backend, mapping, source, image, encrypted, kms_key_id):
    copied = dict(mapping)
    ebs = copied["Ebs"] = dict(mapping.get("Ebs", {}))
    if not ebs.get("SnapshotId"):
        return copied
    original = source.ec2_backend.get_snapshot(ebs["SnapshotId"])
    encrypted = encrypted or original.encrypted
    volume = SimpleNamespace(id="vol-ffffffffffffffff", size=original.volume_size, encrypted=encrypted)
    if encrypted and not kms_key_id:
        kms_key_id = backend.default_kms_key_id or backend._create_default_encryption_key()
    snapshot = new_snapshot(lab, backend, volume, encrypted=encrypted, kms_key_id=kms_key_id,
                            description=f"Copied for DestinationAmi {image.id} from SourceAmi {source.id} for "
                            f"SourceSnapshot {original.id}. Task created on {utcnow()}.")
    lab.disks.copy_snapshot(original.id, snapshot.id)
    ebs["SnapshotId"], ebs["Encrypted"] = snapshot.id, encrypted
    return copied
