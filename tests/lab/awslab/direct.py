# SPDX-License-Identifier: Apache-2.0
"""The EBS direct APIs, in place of moto's, which check little and keep blocks in memory: snapshots are written block by block
into their files. How requests are read is in direct_requests.py, how snapshots are read back in direct_reads.py.

A snapshot that is written so has an Upload as its attribute `direct`, and goes when the snapshot goes.
Fact: "Use EBS direct APIs to access the contents of an EBS snapshot", Amazon EBS User Guide; EBS direct APIs Reference.
"""
import base64
import fnmatch
import hashlib
import json
import time
from types import SimpleNamespace

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from moto import settings
from moto.core import DEFAULT_ACCOUNT_ID
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import ec2_backends
from moto.iam.access_control import IAMRequest
from moto.kms import kms_backends

from . import direct_requests, tags
from .direct_reads import Reads, blocks_of, lineage_of, snapshot_of
from .direct_requests import Refusal, invalid
from .storage import complete, pending_snapshot

BLOCK = 524288
BLOCKS_A_GIB = (1 << 30) // BLOCK
LARGEST = 65536  # GiB
PENDING = 100  # snapshots an account and region; the option pending_snapshots
TOKEN_LENGTH = 64
TIMEOUT = 60  # minutes


class Upload:
    """What has been written to a snapshot so far."""

    def __init__(self, minutes, lineage, inherited):
        self.seconds, self.lineage, self.inherited = minutes * 60, lineage, inherited
        self.digests = {}  # block index -> SHA-256
        self.sealed, self.progress = False, 0
        self.touch()

    def touch(self):
        self.deadline = time.monotonic() + self.seconds


class Request(IAMRequest):
    """moto's check of signature and policies, in the words of the EBS direct APIs. The body's hash is known already."""

    def __init__(self, call, method, path, headers):
        self.call = call
        super().__init__(DEFAULT_ACCOUNT_ID, method, path, {}, b"", headers, call.action)

    def _create_aws_request(self):
        signed = self._get_string_between("SignedHeaders=", ",", self._headers["Authorization"]).split(";")
        made = AWSRequest(method=self._method, url=self._path,
                          headers=self._create_headers_for_aws_request(signed, self._headers))
        made.context["timestamp"] = self._headers["X-Amz-Date"]
        return made

    def _create_auth(self, credentials):
        auth = SigV4Auth(credentials, self._service, self._region)
        auth.payload = lambda _: self.call.payload_hash
        return auth

    def _raise_signature_does_not_match(self):
        raise Refusal("InvalidSignatureException", "The request signature we calculated does not match the signature you "
                      "provided. Check your AWS Secret Access Key and signing method.", status=403)

    def _raise_invalid_access_key(self, _):
        raise Refusal("UnrecognizedClientException", "The security token included in the request is invalid.", status=403)

    def _raise_access_denied(self):
        raise denied(self._access_key.arn, self.call)


def denied(arn, call):
    action = call.denied if isinstance(call.denied, str) else f"ebs:{call.action}"
    return Refusal("AccessDeniedException", f"User: {arn} is not authorized to perform: {action} on resource: "
                   f"arn:aws:ec2:{call.region}::snapshot/{call.params.get('SnapshotId', '*')} because no identity-based policy "
                   f"allows the {action} action")


class Direct:
    """The APIs of one lab. Called with the lab's lock held."""

    def __init__(self, lab):
        self.lab, self.reads = lab, Reads(lab)
        self._open = {}  # snapshot id -> snapshot, while it is pending
        self._tokens = {}  # (region, client token) -> (parameters, answer)

    def ask(self, call, method, path, headers, body):
        """Does a call: status, headers and body of the answer. path is with the query. Raises Refusal."""
        if settings.INITIAL_NO_AUTH_ACTION_COUNT == 0:
            self._permit(call, Request(call, method, path, headers))
        do = {"StartSnapshot": self._start, "PutSnapshotBlock": self._put, "CompleteSnapshot": self._complete}.get(call.action)
        if do is None and call.action not in self.reads.actions:
            raise Refusal("UnknownOperationException", "", status=404)
        backend = ec2_backends[DEFAULT_ACCOUNT_ID][call.region]
        wanted = direct_requests.checked(call.action, call.given)
        if do is None:
            return self.reads.ask(call.action, backend, wanted)
        return do(backend, wanted, call, body)

    def _permit(self, call, request):
        # A block's data need not be signed, its checksum is. botocore leaves it unsigned without TLS too; the option
        # signed_payload refuses that.
        if call.unsigned_payload and (call.action != "PutSnapshotBlock" or self.lab.options.get("signed_payload")):
            raise Refusal("InvalidSignatureException", "UNSIGNED-PAYLOAD is for PutSnapshotBlock over https.", status=403)
        request.check_signature()
        request.check_action_permitted("*")
        if call.denied:
            raise denied(self.lab.sessions.arn_of(call.access_key_id), call)

    def settle(self):
        """Gives up on snapshots that nobody has written to for too long, and forgets those that are done."""
        now = time.monotonic()
        for ident, snapshot in list(self._open.items()):
            if snapshot.status != "pending" or snapshot.ec2_backend.snapshots.get(ident) is not snapshot:
                del self._open[ident]
            elif not snapshot.direct.sealed and now > snapshot.direct.deadline:
                snapshot.status, snapshot.status_message = "error", "The snapshot was not completed before its timeout"
                del self._open[ident]

    def expire(self, pattern):
        """The time-out of pending snapshots is over now; the ids of those that fail by it."""
        found = [s for i, s in self._open.items() if fnmatch.fnmatchcase(i, pattern)]
        for snapshot in found:
            snapshot.direct.deadline = 0
        self.settle()
        return [s.id for s in found if s.status == "error"]

    # The actions

    def _start(self, backend, wanted, call, _):
        token = wanted.pop("ClientToken", None)
        if token is not None and (len(token) > TOKEN_LENGTH or not token.isascii()):
            raise invalid(f"ClientToken can be up to {TOKEN_LENGTH} ASCII characters")
        known, answer = self._tokens.get((call.region, token), (None, None))
        if known is not None:
            if known != wanted:
                raise Refusal("ConflictException", "The request uses the same client token as a previous, but non-identical "
                              "request.")
            return 201, {}, answer
        parent = self._parent(backend, wanted)
        key = self._key(backend, wanted, parent)
        pairs = _tags(wanted.get("Tags", []))
        if sum(s.ec2_backend is backend for s in self._open.values()) >= int(self.lab.options.get("pending_snapshots", PENDING)):
            raise Refusal("ServiceQuotaExceededException", "You have reached the maximum number of pending snapshots.")
        snapshot = self._make(backend, wanted, parent, key)
        snapshot.add_tags(pairs)
        answer = json.dumps(self._started(snapshot, wanted))
        if token is not None:
            self._tokens[call.region, token] = wanted, answer
        return 201, {}, answer

    def _parent(self, backend, wanted):
        if wanted["VolumeSize"] > LARGEST:
            raise invalid(f"The maximum volume size is {LARGEST} GiB", "INVALID_VOLUME_SIZE")
        if "ParentSnapshotId" not in wanted:
            return None
        for name in ("Encrypted", "KmsKeyArn"):
            if name in wanted:
                raise invalid(f"{name} cannot be specified with ParentSnapshotId")
        parent = snapshot_of(backend, wanted["ParentSnapshotId"])
        if parent.status != "completed":
            raise invalid(f"The snapshot '{parent.id}' is not completed", "INVALID_SNAPSHOT_ID")
        if wanted["VolumeSize"] < parent.volume_size:
            raise invalid(f"The volume size must be at least the parent's, {parent.volume_size} GiB", "INVALID_VOLUME_SIZE")
        return parent

    def _key(self, backend, wanted, parent):
        """The key's ARN, or None for a snapshot that is not encrypted."""
        by_default = backend.ebs_encryption_by_default
        if parent is not None:
            if by_default and not parent.encrypted:
                raise invalid("The parent snapshot is not encrypted, and encryption by default is enabled")
            return parent.kms_key_id if parent.encrypted else None
        encrypted, key = wanted.get("Encrypted"), wanted.get("KmsKeyArn")
        if encrypted is False and (by_default or key):
            raise invalid("Encrypted cannot be false with KmsKeyArn or with encryption by default")
        if key is not None:
            if key not in [k.arn for k in kms_backends[backend.account_id][backend.region_name].list_keys()]:
                raise Refusal("ResourceNotFoundException", "The KMS key does not exist.", "DEPENDENCY_RESOURCE_NOT_FOUND")
            return key
        if encrypted or encrypted is None and by_default:
            return backend.default_kms_key_id or backend._create_default_encryption_key()
        return None

    def _make(self, backend, wanted, parent, key):
        # "vol-ffffffff" is what EC2 shows of snapshots that are of no volume
        volume = SimpleNamespace(id="vol-ffffffff", size=wanted["VolumeSize"], encrypted=key is not None)
        snapshot = pending_snapshot(backend, volume, wanted.get("Description", ""), encrypted=key is not None, kms_key_id=key)
        disks = self.lab.disks
        if parent is not None:
            disks.copy_snapshot(parent.id, snapshot.id)
        disks.create_snapshot(snapshot.id, volume.size)
        snapshot.direct = Upload(wanted.get("Timeout", TIMEOUT), lineage_of(parent) if parent else snapshot.id,
                                 blocks_of(disks, parent) if parent else ())
        self._open[snapshot.id] = snapshot
        return snapshot

    @staticmethod
    def _started(snapshot, wanted):
        told = {"SnapshotId": snapshot.id, "OwnerId": snapshot.owner_id, "Status": "pending", "StartTime": time.time(),
                "VolumeSize": snapshot.volume_size, "BlockSize": BLOCK}
        told |= {name: wanted[name] for name in ("Description", "Tags", "ParentSnapshotId") if name in wanted}
        return told | ({"KmsKeyArn": snapshot.kms_key_id, "SseType": "sse-kms"} if snapshot.encrypted else {})

    @staticmethod
    def _written(backend, snapshot_id):
        """A snapshot that can be written to; refuses others."""
        snapshot = snapshot_of(backend, snapshot_id)
        upload = getattr(snapshot, "direct", None)
        if upload is None or upload.sealed or snapshot.status != "pending":
            raise invalid(f"The snapshot '{snapshot_id}' is not in the pending state or cannot be written", "INVALID_SNAPSHOT_ID")
        return snapshot, upload

    def _put(self, backend, wanted, call, body):
        snapshot, upload = self._written(backend, wanted["SnapshotId"])
        index = wanted["BlockIndex"]
        if index >= snapshot.volume_size * BLOCKS_A_GIB:
            raise invalid(f"The block index {index} is beyond the volume", "INVALID_BLOCK")
        if wanted["DataLength"] != BLOCK:
            raise invalid(f"DataLength must be {BLOCK}")
        if len(body) != BLOCK:
            raise invalid("Failed to read block data")
        digest = bytes.fromhex(call.payload_hash)
        checksum = base64.b64encode(digest).decode()
        if wanted["Checksum"] != checksum:
            raise invalid("The checksum does not match the block's data", "INVALID_BLOCK")
        self.lab.disks.write_snapshot(snapshot.id, index * BLOCK, body)
        upload.digests[index] = digest
        upload.progress = wanted.get("Progress", upload.progress)
        upload.touch()
        return 201, {"x-amz-Checksum": checksum, "x-amz-Checksum-Algorithm": "SHA256"}, "{}"

    def _complete(self, backend, wanted, *_):
        snapshot, upload = self._written(backend, wanted["SnapshotId"])
        told = [name in wanted for name in ("Checksum", "ChecksumAlgorithm", "ChecksumAggregationMethod")]
        if any(told) and not all(told):
            raise invalid("Checksum, ChecksumAlgorithm and ChecksumAggregationMethod go together")
        whole = hashlib.sha256(b"".join(upload.digests[i] for i in sorted(upload.digests))).digest()
        mistake = None
        if wanted["ChangedBlocksCount"] != len(upload.digests):
            mistake = f"ChangedBlocksCount is {wanted['ChangedBlocksCount']}, but {len(upload.digests)} blocks were written"
        elif all(told) and wanted["Checksum"] != base64.b64encode(whole).decode():
            mistake = "The checksum does not match the blocks that were written"
        upload.sealed = True
        complete(self.lab, snapshot, mistake)
        return 202, {}, json.dumps({"Status": "pending"})


def _tags(given):
    pairs = [(t.get("Key"), t.get("Value", "")) for t in given]
    try:
        tags.check(pairs)
    except EC2ClientError as error:
        raise invalid(error.message, "INVALID_TAG") from error
    if len(pairs) > tags.MOST:
        raise invalid(f"A snapshot can have at most {tags.MOST} tags", "INVALID_TAG")
    return dict(pairs)
