# SPDX-License-Identifier: Apache-2.0
"""Snapshots read back by the EBS direct APIs, whoever made them: ListSnapshotBlocks, ListChangedBlocks, GetSnapshotBlock."""
import base64
import hashlib
import hmac
import json
import secrets

from .direct_requests import Refusal, invalid

BLOCK = 524288
FEWEST, MOST = 100, 10000  # blocks of a page
TOKEN_SECONDS = 7 * 24 * 3600


def snapshot_of(backend, snapshot_id):
    """The snapshot, or ResourceNotFoundException."""
    snapshot = backend.snapshots.get(snapshot_id)
    if snapshot is None:
        raise Refusal("ResourceNotFoundException", f"The snapshot '{snapshot_id}' does not exist.", "SNAPSHOT_NOT_FOUND")
    return snapshot


def blocks_of(disks, snapshot):
    """The indexes of a snapshot's blocks, ascending: those that were put, or where its file has data."""
    upload = getattr(snapshot, "direct", None)
    if upload is not None:
        return sorted({*upload.inherited, *upload.digests})
    return disks.snapshot_blocks(snapshot.id, BLOCK)


def lineage_of(snapshot):
    """What two snapshots have in common whose blocks can be compared: the volume, or the first of a row of parents."""
    upload = getattr(snapshot, "direct", None)
    if upload is not None:
        return upload.lineage
    return snapshot.id if snapshot.volume_id.startswith("vol-ffffffff") else snapshot.volume_id


class Reads:
    """These actions, in one lab."""

    def __init__(self, lab):
        self.lab = lab
        self._secret = secrets.token_bytes(16)
        self.actions = {"ListSnapshotBlocks": self._list, "ListChangedBlocks": self._changed, "GetSnapshotBlock": self._get}

    def ask(self, action, backend, wanted):
        """Status, headers and body of the answer. Raises Refusal."""
        return self.actions[action](backend, wanted)

    @staticmethod
    def _readable(backend, snapshot_id):
        snapshot = snapshot_of(backend, snapshot_id)
        if snapshot.status != "completed":
            raise invalid(f"The snapshot '{snapshot_id}' is in the state {snapshot.status}; it can be read once it is completed",
                          "INVALID_SNAPSHOT_ID")
        return snapshot

    def _list(self, backend, wanted):
        snapshot = self._readable(backend, wanted["SnapshotId"])
        indexes, more = self._page(wanted, blocks_of(self.lab.disks, snapshot), snapshot.id)
        expires = self._expires()
        blocks = [{"BlockIndex": i, "BlockToken": self._token(snapshot.id, i, expires)} for i in indexes]
        return self._answer({"Blocks": blocks, **more}, snapshot, expires)

    def _changed(self, backend, wanted):
        if "FirstSnapshotId" not in wanted:
            raise invalid("FirstSnapshotId must be specified with SecondSnapshotId")
        first, second = (self._readable(backend, wanted[k]) for k in ("FirstSnapshotId", "SecondSnapshotId"))
        if lineage_of(first) != lineage_of(second):
            raise invalid("The snapshots are not of the same volume or lineage", "UNRELATED_SNAPSHOTS")
        disks = self.lab.disks
        sides = [set(blocks_of(disks, s)) for s in (first, second)]
        changed = [i for i in sorted(sides[0] | sides[1])
                   if disks.read_snapshot(first.id, i * BLOCK, BLOCK) != disks.read_snapshot(second.id, i * BLOCK, BLOCK)
                   or (i in sides[0]) != (i in sides[1])]
        indexes, more = self._page(wanted, changed, first.id + second.id)
        expires = self._expires()
        blocks = [{"BlockIndex": i} | {name: self._token(s.id, i, expires) for name, s, side in
                                       (("FirstBlockToken", first, sides[0]), ("SecondBlockToken", second, sides[1]))
                                       if i in side} for i in indexes]
        return self._answer({"ChangedBlocks": blocks, **more}, second, expires)

    def _get(self, backend, wanted):
        snapshot, index = self._readable(backend, wanted["SnapshotId"]), wanted["BlockIndex"]
        try:
            expires = int.from_bytes(base64.b64decode(wanted["BlockToken"])[:8], "big")
        except ValueError:
            expires = 0
        if expires < self.lab.now() or wanted["BlockToken"] != self._token(snapshot.id, index, expires):
            raise invalid("The block token is not valid for this block, or has expired", "INVALID_BLOCK_TOKEN")
        data = self.lab.disks.read_snapshot(snapshot.id, index * BLOCK, BLOCK)
        headers = {"x-amz-Data-Length": str(len(data)), "x-amz-Checksum-Algorithm": "SHA256",
                   "x-amz-Checksum": base64.b64encode(hashlib.sha256(data).digest()).decode()}
        return 200, headers, data

    def _page(self, wanted, indexes, about):
        """The indexes of one page, and NextToken where there are more."""
        start = wanted.get("StartingBlockIndex", 0)
        if "NextToken" in wanted:
            try:
                start = int.from_bytes(base64.b64decode(wanted["NextToken"])[:8], "big")
            except ValueError:
                start = -1
            if wanted["NextToken"] != self._token(about, -1, start):
                raise invalid("The page token is not valid", "INVALID_PAGE_TOKEN")
        rest = [i for i in indexes if i >= start]
        most = wanted.get("MaxResults", MOST)
        if "page_size" in self.lab.options:
            most = min(most, int(self.lab.options["page_size"]))
        return rest[:most], {"NextToken": self._token(about, -1, rest[most])} if len(rest) > most else {}

    def _expires(self):
        return int(self.lab.now()) + TOKEN_SECONDS

    def _token(self, about, index, number):
        """A number under a seal that says what it is about."""
        packed = number.to_bytes(8, "big") if number >= 0 else b""
        seal = hmac.new(self._secret, f"{about} {index} {number}".encode(), hashlib.sha256).digest()[:16]
        return base64.b64encode(packed + seal).decode()

    @staticmethod
    def _answer(told, snapshot, expires):
        return 200, {}, json.dumps({**told, "ExpiryTime": expires, "VolumeSize": snapshot.volume_size, "BlockSize": BLOCK})
