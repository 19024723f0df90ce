# SPDX-License-Identifier: Apache-2.0
"""The EBS direct APIs write into the snapshot's file; moto keeps blocks in memory and leaves a volume behind."""
from types import SimpleNamespace

from moto.core.exceptions import JsonRESTError
from moto.ebs.models import EBSBackend, EBSSnapshot

from .storage import new_snapshot

BLOCK = 524288


class NotFound(JsonRESTError):
    """What EBS says of a snapshot that does not exist."""

    code = 404

    def __init__(self, snapshot_id):
        super().__init__("ResourceNotFoundException", f"The snapshot '{snapshot_id}' does not exist.")


def install(lab):
    """Puts snapshots with contents in place of moto's."""
    put, complete = EBSBackend.put_snapshot_block, EBSBackend.complete_snapshot
    blocks = EBSBackend.list_snapshot_blocks

    def start_snapshot(self, volume_size, tags, description):
        volume = SimpleNamespace(id="vol-ffffffffffffffff", size=int(volume_size), encrypted=False)
        snapshot = new_snapshot(lab, self.ec2_backend, volume, description)
        lab.states.forget(snapshot.id)
        snapshot.status = "pending"  # until it is completed by CompleteSnapshot
        snapshot.add_tags({t["Key"]: t["Value"] for t in tags or []})
        lab.disks.create_snapshot(snapshot.id, volume.size)
        made = EBSSnapshot(account_id=self.account_id, snapshot=snapshot)
        made.block_size = BLOCK
        self.snapshots[snapshot.id] = made
        return made

    def put_snapshot_block(self, snapshot_id, block_index, block_data, *more, **named):
        lab.disks.write_snapshot(snapshot_id, int(block_index) * BLOCK, block_data)
        return put(self, snapshot_id, block_index, b"", *more, **named)

    def complete_snapshot(self, snapshot_id):
        answer = complete(self, snapshot_id)
        snapshot = self.ec2_backend.get_snapshot(snapshot_id)

        def finish(error):
            snapshot.status = "error" if error else "completed"
            snapshot.status_message = error
        lab.states.begin("snapshot", "completed", snapshot_id, finish)
        return answer

    def list_snapshot_blocks(self, snapshot_id):
        if snapshot_id not in self.snapshots:
            raise NotFound(snapshot_id)
        return blocks(self, snapshot_id)

    EBSBackend.start_snapshot, EBSBackend.put_snapshot_block = start_snapshot, put_snapshot_block
    EBSBackend.complete_snapshot, EBSBackend.list_snapshot_blocks = complete_snapshot, list_snapshot_blocks
