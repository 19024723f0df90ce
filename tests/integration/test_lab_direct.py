# SPDX-License-Identifier: Apache-2.0
"""The lab's EBS direct APIs, asked by boto3: they must refuse what AWS refuses. Checksums are made here, by hashlib."""
import base64
import hashlib
import json
import os
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError
from conftest import wait_until
from test_lab import GIB, refused, register, volume

pytestmark = pytest.mark.once

BLOCK = 524288
SHA256 = {"ChecksumAlgorithm": "SHA256"}
LINEAR = {**SHA256, "ChecksumAggregationMethod": "LINEAR"}
# a key that no account of the lab has
OTHER_KEY = "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-4000-8000-000000000000"


def content(seed):
    """A block of which no two are the same."""
    return hashlib.sha256(str(seed).encode()).digest() * (BLOCK // 32)


def checksum(data):
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


def whole(*blocks):
    """Of the blocks in the order of their indexes."""
    return base64.b64encode(hashlib.sha256(b"".join(hashlib.sha256(b).digest() for b in blocks)).digest()).decode()


class Client:
    """boto3 without its own checks, so that the lab's are seen."""

    def __init__(self, lab):
        import boto3
        self.lab = lab
        self.made = []
        self.ebs = boto3.client(
            "ebs", region_name=lab.env["AWS_REGION"], endpoint_url=lab.endpoint,
            aws_access_key_id=lab.env["AWS_ACCESS_KEY_ID"], aws_secret_access_key=lab.env["AWS_SECRET_ACCESS_KEY"],
            config=Config(retries={"total_max_attempts": 1}, read_timeout=30, parameter_validation=False))

    def start(self, size=1, **more):
        """A new snapshot's id."""
        return self.started(size, **more)["SnapshotId"]

    def started(self, size=1, **more):
        """The whole answer."""
        answer = self.ebs.start_snapshot(VolumeSize=size, **more)
        self.made.append(answer["SnapshotId"])
        return answer

    def put(self, snapshot_id, index, data, **more):
        arguments = {"SnapshotId": snapshot_id, "BlockIndex": index, "BlockData": data, "DataLength": len(data),
                     "Checksum": checksum(data), **SHA256, **more}
        return self.ebs.put_snapshot_block(**{k: v for k, v in arguments.items() if v is not None})

    def complete(self, snapshot_id, count, **more):
        return self.ebs.complete_snapshot(SnapshotId=snapshot_id, ChangedBlocksCount=count, **more)

    def upload(self, blocks, **more):
        """A completed snapshot with these blocks, by index."""
        made = self.start(**more)
        for index, data in blocks.items():
            self.put(made, index, data)
        self.complete(made, len(blocks))
        return made

    def shown(self, snapshot_id):
        return self.lab.ec2.describe_snapshots(SnapshotIds=[snapshot_id])["Snapshots"][0]

    def state(self, snapshot_id):
        return self.shown(snapshot_id)["State"]

    def blocks(self, snapshot_id, **more):
        """Of all pages: the tokens by index."""
        found = {}
        while True:
            answer = self.ebs.list_snapshot_blocks(SnapshotId=snapshot_id, **more)
            found |= {b["BlockIndex"]: b["BlockToken"] for b in answer["Blocks"]}
            if "NextToken" not in answer:
                return found
            more["NextToken"] = answer["NextToken"]

    def read(self, snapshot_id, index, token):
        answer = self.ebs.get_snapshot_block(SnapshotId=snapshot_id, BlockIndex=index, BlockToken=token)
        data = answer["BlockData"].read()
        assert (answer["DataLength"], answer["Checksum"], answer["ChecksumAlgorithm"]) == (BLOCK, checksum(data), "SHA256")
        return data

    def clean(self):
        there = {s["SnapshotId"] for s in self.lab.ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]}
        for each in there.intersection(self.made):
            self.lab.ec2.delete_snapshot(SnapshotId=each)


@pytest.fixture
def direct(lab):
    """A client whose snapshots are deleted afterwards."""
    client = Client(lab)
    yield client
    lab.reset()
    client.clean()


def wrong(reason, function, *arguments, **named):
    """The call must fail validation, and for this reason."""
    error = refused("ValidationException", lambda: function(*arguments, **named))
    assert (error["Reason"], error["ResponseMetadata"]["HTTPStatusCode"]) == (reason, 400)
    return error["Error"]["Message"]


# --- StartSnapshot ----------------------------------------------------------------------------------------------------

def test_a_started_snapshot(lab, direct):
    tags = [{"Key": "a", "Value": "b"}, {"Key": "c", "Value": ""}]
    answer = direct.started(3, Description="what it is", Tags=tags, Timeout=10)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert {k: answer[k] for k in ("Status", "VolumeSize", "BlockSize", "Description", "Tags")} == {
        "Status": "pending", "VolumeSize": 3, "BlockSize": BLOCK, "Description": "what it is", "Tags": tags}
    assert answer["OwnerId"] == "123456789012" and "KmsKeyArn" not in answer and "SseType" not in answer
    shown = direct.shown(answer["SnapshotId"])
    assert {k: shown[k] for k in ("State", "VolumeSize", "VolumeId", "Description", "Encrypted", "Progress", "Tags")} == {
        "State": "pending", "VolumeSize": 3, "VolumeId": "vol-ffffffff", "Description": "what it is", "Encrypted": False,
        "Progress": "0%", "Tags": tags}
    assert os.path.getsize(lab.snapshot_file(answer["SnapshotId"])) == 3 * GIB
    refused("IncorrectState", lab.ec2.create_volume, AvailabilityZone="us-east-1a", SnapshotId=answer["SnapshotId"])


@pytest.mark.parametrize("reason, arguments", [
    ("INVALID_VOLUME_SIZE", {"VolumeSize": None}), ("INVALID_VOLUME_SIZE", {"VolumeSize": 0}),
    ("INVALID_VOLUME_SIZE", {"VolumeSize": 65537}), ("INVALID_VOLUME_SIZE", {"VolumeSize": "x"}),
    ("INVALID_PARAMETER_VALUE", {"Timeout": 9}), ("INVALID_PARAMETER_VALUE", {"Timeout": 4321}),
    ("INVALID_PARAMETER_VALUE", {"Description": "d" * 256}), ("INVALID_PARAMETER_VALUE", {"ClientToken": "t" * 65}),
    ("INVALID_PARAMETER_VALUE", {"ClientToken": "a b"}), ("INVALID_PARAMETER_VALUE", {"ClientToken": "\u00e4"}),
    ("INVALID_SNAPSHOT_ID", {"ParentSnapshotId": "snap-x"}),
    ("INVALID_CUSTOMER_KEY", {"Encrypted": True, "KmsKeyArn": "alias/aws/ebs"}),
    ("INVALID_CUSTOMER_KEY", {"Encrypted": True, "KmsKeyArn": OTHER_KEY.rpartition("/")[2]}),
    ("INVALID_CUSTOMER_KEY", {"Encrypted": True, "KmsKeyArn": "arn:aws:kms:us-east-1:123456789012:alias/a"}),
    ("INVALID_PARAMETER_VALUE", {"Encrypted": False, "KmsKeyArn": OTHER_KEY}),
    ("INVALID_TAG", {"Tags": [{"Key": "k" * 128, "Value": ""}]}), ("INVALID_TAG", {"Tags": [{"Key": "k", "Value": "v" * 256}]}),
    ("INVALID_TAG", {"Tags": [{"Key": "aws:a", "Value": ""}]}), ("INVALID_TAG", {"Tags": [{"Key": "", "Value": ""}]}),
    ("INVALID_TAG", {"Tags": [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]}),
    ("INVALID_TAG", {"Tags": [{"Key": str(n), "Value": ""} for n in range(51)]})])
def test_snapshots_that_cannot_be_started(direct, reason, arguments):
    def sent(request, **_):
        body = json.loads(request.data)
        body |= arguments
        request.data = json.dumps({k: v for k, v in body.items() if v is not None}).encode()
        request.headers["Content-Length"] = str(len(request.data))  # of the body that was
    direct.ebs.meta.events.register("before-sign.ebs.StartSnapshot", sent)
    wrong(reason, direct.ebs.start_snapshot, VolumeSize=1)


def test_bounds_that_are_allowed(direct):
    made = direct.started(65536, Timeout=4320, Description="d" * 255, ClientToken="t" * 32 + os.urandom(16).hex(),
                          Tags=[{"Key": f"{n}-{'k' * 120}", "Value": "v" * 255} for n in range(50)])
    assert made["VolumeSize"] == 65536 and len(direct.shown(made["SnapshotId"])["Tags"]) == 50


def test_client_tokens(direct):
    token = os.urandom(16).hex()
    asked = {"ClientToken": token, "Description": "one", "Tags": [{"Key": "a", "Value": "1"}], "Timeout": 60}
    first = direct.started(1, **asked)
    again = direct.started(1, **asked)
    for answer in (first, again):
        answer.pop("ResponseMetadata")
    assert first == again
    for other in ({"size": 2}, {"Description": "two"}, {"Timeout": 61}, {"Tags": [{"Key": "a", "Value": "2"}]}):
        error = refused("ConflictException", direct.start, **{**asked, **other})
        assert error["ResponseMetadata"]["HTTPStatusCode"] == 409
    assert direct.start(ClientToken=os.urandom(16).hex()) != first["SnapshotId"]


def test_encryption(lab, direct):
    """As in "Encryption outcomes: No parent snapshot" of the Amazon EBS User Guide."""
    key, invalid = lab.env["LAB_KMS_KEY"], "INVALID_PARAMETER_VALUE"

    def made_with(**asked):
        answer = direct.started(1, **asked)
        shown = direct.shown(answer["SnapshotId"])
        assert shown.get("KmsKeyId") == answer.get("KmsKeyArn") and shown["Encrypted"] == ("KmsKeyArn" in answer)
        assert answer.get("SseType") == ("sse-kms" if shown["Encrypted"] else None)
        return answer.get("KmsKeyArn")
    default = made_with(Encrypted=True)
    assert default.startswith("arn:aws:kms:us-east-1:123456789012:key/") and default != key
    assert made_with(Encrypted=True, KmsKeyArn=key) == made_with(KmsKeyArn=key) == key
    assert made_with(Encrypted=False) is None
    wrong(invalid, direct.start, Encrypted=False, KmsKeyArn=key)
    error = refused("ResourceNotFoundException", direct.start, Encrypted=True, KmsKeyArn=OTHER_KEY)
    assert error["Reason"] == "DEPENDENCY_RESOURCE_NOT_FOUND"
    lab.ec2.enable_ebs_encryption_by_default()
    try:
        assert made_with() == made_with(Encrypted=True) == default
        assert made_with(KmsKeyArn=key) == key
        wrong(invalid, direct.start, Encrypted=False)
        lab.ec2.modify_ebs_default_kms_key_id(KmsKeyId=key)
        assert made_with() == key
    finally:
        lab.ec2.disable_ebs_encryption_by_default()
        lab.ec2.modify_ebs_default_kms_key_id(KmsKeyId=default)
    encrypted = direct.upload({0: content(1)}, Encrypted=True)
    copy = lab.ec2.create_volume(SnapshotId=encrypted, AvailabilityZone="us-east-1a")["VolumeId"]
    assert (volume(lab, copy)["Encrypted"], volume(lab, copy)["KmsKeyId"]) == (True, default)
    lab.ec2.delete_volume(VolumeId=copy)


def test_parents(lab, direct):
    plain = direct.upload({0: content(1), 3: content(2)}, size=2)
    encrypted = direct.upload({0: content(1)}, Encrypted=True)
    for asked in ({"Encrypted": True}, {"Encrypted": False}, {"KmsKeyArn": lab.env["LAB_KMS_KEY"]}):
        for parent in (plain, encrypted):
            wrong("INVALID_PARAMETER_VALUE", direct.start, 2, ParentSnapshotId=parent, **asked)
    wrong("INVALID_VOLUME_SIZE", direct.start, 1, ParentSnapshotId=plain)
    wrong("INVALID_SNAPSHOT_ID", direct.start, 2, ParentSnapshotId=direct.start(1))
    refused("ResourceNotFoundException", direct.start, ParentSnapshotId="snap-0123456789abcdef0")
    inherits = direct.started(1, ParentSnapshotId=encrypted)
    assert (inherits["KmsKeyArn"], inherits["ParentSnapshotId"]) == (direct.shown(encrypted)["KmsKeyId"], encrypted)
    child = direct.start(2, ParentSnapshotId=plain)
    direct.put(child, 3, content(3))
    direct.put(child, 4095, content(4))
    direct.complete(child, 2)
    found = {i: direct.read(child, i, token) for i, token in direct.blocks(child).items()}
    assert found == {0: content(1), 3: content(3), 4095: content(4)}
    lab.ec2.enable_ebs_encryption_by_default()
    try:
        wrong("INVALID_PARAMETER_VALUE", direct.start, 2, ParentSnapshotId=plain)
    finally:
        lab.ec2.disable_ebs_encryption_by_default()


def test_quota_of_pending_snapshots(lab, direct):
    lab.options(pending_snapshots=len([s for s in lab.ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]
                                       if s["State"] == "pending"]) + 2)
    first, _ = direct.start(), direct.start()
    error = refused("ServiceQuotaExceededException", direct.start)
    assert (error["ResponseMetadata"]["HTTPStatusCode"], error["Reason"]) == (402, "DEPENDENCY_SERVICE_QUOTA_EXCEEDED")
    direct.complete(first, 0)
    second = direct.start()
    refused("ServiceQuotaExceededException", direct.start)
    lab.ec2.delete_snapshot(SnapshotId=second)
    direct.start()


# --- PutSnapshotBlock -------------------------------------------------------------------------------------------------

def test_blocks_that_are_put(lab, direct):
    made = direct.start()
    answer = direct.put(made, 7, content(1), Progress=42)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert (answer["Checksum"], answer["ChecksumAlgorithm"]) == (checksum(content(1)), "SHA256")
    assert direct.shown(made)["Progress"] == "42%"
    direct.put(made, 7, content(2))
    direct.put(made, 2047, content(3), Progress=100)
    with open(lab.snapshot_file(made), "rb") as f:
        for index, data in ((0, bytes(BLOCK)), (7, content(2)), (2047, content(3))):
            f.seek(index * BLOCK)
            assert f.read(BLOCK) == data
    direct.complete(made, 2, Checksum=whole(content(2), content(3)), **LINEAR)
    assert direct.state(made) == "completed"
    told = [(c["params"], c["status"], c["unsigned_payload"]) for c in lab.calls("PutSnapshotBlock")]
    assert told[0] == ({"SnapshotId": made, "BlockIndex": "7", "DataLength": "524288", "Progress": "42",
                        "Checksum": checksum(content(1)), "ChecksumAlgorithm": "SHA256"}, 201, True)


@pytest.mark.parametrize("reason, arguments", [
    ("INVALID_BLOCK", {"BlockIndex": 2048}), ("INVALID_BLOCK", {"BlockIndex": -1}), ("INVALID_BLOCK", {"BlockIndex": "x"}),
    ("INVALID_PARAMETER_VALUE", {"DataLength": 4096}), ("INVALID_PARAMETER_VALUE", {"DataLength": None}),
    ("INVALID_PARAMETER_VALUE", {"BlockData": content(1)[:4096], "Checksum": checksum(content(1)[:4096])}),
    ("INVALID_PARAMETER_VALUE", {"BlockData": content(1) + b"x", "Checksum": checksum(content(1) + b"x")}),
    ("INVALID_PARAMETER_VALUE", {"BlockData": b"", "Checksum": checksum(b"")}),
    ("INVALID_PARAMETER_VALUE", {"BlockData": content(1)[:4096], "DataLength": 4096, "Checksum": checksum(content(1)[:4096])}),
    ("INVALID_BLOCK", {"Checksum": checksum(content(2))}), ("INVALID_PARAMETER_VALUE", {"Checksum": None}),
    ("INVALID_BLOCK", {"Checksum": hashlib.sha256(content(1)).hexdigest()}),
    ("INVALID_PARAMETER_VALUE", {"ChecksumAlgorithm": None}), ("INVALID_PARAMETER_VALUE", {"ChecksumAlgorithm": "SHA1"}),
    ("INVALID_PARAMETER_VALUE", {"Progress": 101}), ("INVALID_PARAMETER_VALUE", {"Progress": -1}),
    ("INVALID_SNAPSHOT_ID", {"SnapshotId": "vol-0123456789abcdef0"})])
def test_blocks_that_cannot_be_put(direct, reason, arguments):
    made = direct.start()
    asked = {"SnapshotId": made, "BlockIndex": 0, "BlockData": content(1), "DataLength": BLOCK, **arguments}
    wrong(reason, direct.put, asked.pop("SnapshotId"), asked.pop("BlockIndex"), asked.pop("BlockData"), **asked)
    direct.complete(made, 0)
    assert direct.state(made) == "completed" and not direct.blocks(made)


def test_snapshots_that_cannot_be_written(lab, direct):
    """Completed, failed, deleted, never started, made from a volume, or just being sealed."""
    done = direct.upload({0: content(1)})
    wrong("INVALID_SNAPSHOT_ID", direct.put, done, 0, content(2))
    wrong("INVALID_SNAPSHOT_ID", direct.complete, done, 1)
    lab.states(snapshot={"completed": {"never": True}})
    sealing = direct.start()
    direct.complete(sealing, 0)
    assert direct.state(sealing) == "pending"
    wrong("INVALID_SNAPSHOT_ID", direct.put, sealing, 0, content(2))
    gone = direct.start()
    direct.put(gone, 0, content(1))
    lab.ec2.delete_snapshot(SnapshotId=gone)
    for call in ((direct.put, gone, 1, content(1)), (direct.complete, gone, 1), (direct.put, "snap-0123456789abcdef0", 0, content(1))):
        error = refused("ResourceNotFoundException", lambda call=call: call[0](*call[1:]))
        assert (error["Reason"], error["ResponseMetadata"]["HTTPStatusCode"]) == ("SNAPSHOT_NOT_FOUND", 404)
    lab.states(snapshot={"completed": 0})
    of_volume = lab.ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]
    direct.made.append(lab.ec2.create_snapshot(VolumeId=of_volume)["SnapshotId"])
    wrong("INVALID_SNAPSHOT_ID", direct.put, direct.made[-1], 0, content(1))
    lab.ec2.delete_volume(VolumeId=of_volume)


def test_many_at_once(direct):
    blocks = {n: content(n) for n in range(48)}
    made = direct.start()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: direct.put(made, n, blocks[n]), reversed(blocks)))
    direct.complete(made, 48, Checksum=whole(*blocks.values()), **LINEAR)
    assert direct.state(made) == "completed"
    assert {i: direct.read(made, i, token) for i, token in direct.blocks(made).items()} == blocks


# --- signatures -------------------------------------------------------------------------------------------------------

def change(direct, event, **headers):
    """Headers get other values before signing or before sending; None takes one away."""
    def changed(request, **_):
        for name, value in headers.items():
            if name.replace("_", "-") in request.headers:
                del request.headers[name.replace("_", "-")]
            if value is not None:
                request.headers[name.replace("_", "-")] = value
    direct.ebs.meta.events.register(f"{event}.ebs.PutSnapshotBlock", changed)


@pytest.mark.parametrize("event, headers", [
    ("before-send", {"x_amz_Checksum": checksum(content(2))}), ("before-send", {"x_amz_Progress": "55"}),
    ("before-send", {"x_amz_Unheard_Of": "not signed"}), ("before-send", {"X_Amz_Content_SHA256": "0" * 64}),
    ("before-send", {"X_Amz_Content_SHA256": None}), ("before-send", {"X_Amz_Content_SHA256": hashlib.sha256(content(1)).hexdigest()})])
def test_signatures_that_are_wrong(direct, event, headers):
    made = direct.start()
    change(direct, event, **headers)
    error = refused("InvalidSignatureException", lambda: direct.put(made, 0, content(1), Progress=5))
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 403 and "Reason" not in error


def test_payloads(lab, direct):
    """A block's data may be signed or not; the option refuses what is not, and other actions always do."""
    made = direct.start()
    lab.options(signed_payload=True)
    refused("InvalidSignatureException", lambda: direct.put(made, 0, content(1)))

    def signing(action, enabled):
        direct.ebs.meta.events.register(f"before-sign.ebs.{action}", lambda request, **_: request.context.update(
            payload_signing_enabled=enabled))
    signing("PutSnapshotBlock", True)
    direct.put(made, 0, content(1))
    assert [c["unsigned_payload"] for c in lab.calls("PutSnapshotBlock")] == [True, False]
    lab.options(signed_payload=False)
    signing("StartSnapshot", False)
    refused("InvalidSignatureException", direct.start)


def test_who_may_not(lab, direct):
    stranger = lab.client("ebs", "AKIAIOSFODNN7EXAMPLE", "secret")
    refused("UnrecognizedClientException", stranger.list_snapshot_blocks, SnapshotId="snap-0123456789abcdef0")
    guesser = lab.client("ebs", lab.env["AWS_ACCESS_KEY_ID"], "secret")
    refused("InvalidSignatureException", guesser.list_snapshot_blocks, SnapshotId="snap-0123456789abcdef0")
    made = direct.start()
    lab.faults({"action": "PutSnapshotBlock", "kind": "deny", "match": {"SnapshotId": made, "BlockIndex": "5"}, "count": -1})
    direct.put(made, 4, content(1))
    for _ in range(2):
        error = refused("AccessDeniedException", lambda: direct.put(made, 5, content(1)))
        assert error["ResponseMetadata"]["HTTPStatusCode"] == 403
        assert "is not authorized to perform: ebs:PutSnapshotBlock on resource" in error["Error"]["Message"]
    lab.sessions(lasts=0)
    keys = lab.client("sts").assume_role(RoleArn=lab.identities["roles"]["lab-role"], RoleSessionName="late")["Credentials"]
    late = lab.client("ebs", keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])
    refused("ExpiredTokenException", late.list_snapshot_blocks, SnapshotId=made)


def test_clock_skew(lab, direct):
    lab.options(clock_offset=3600)
    error = refused("InvalidSignatureException", direct.start)
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 403


# --- CompleteSnapshot -------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("mistake, count, sum_of, why", [
    (False, 2, (1, 2), None), (True, 1, (1, 2), "ChangedBlocksCount"), (True, 3, (1, 2), "ChangedBlocksCount"),
    (True, 2, (2, 1), "checksum"), (True, 2, (1,), "checksum")])
def test_completing(lab, direct, mistake, count, sum_of, why):
    """Mistakes are found when AWS works on it: the answer is the same, and then the snapshot fails."""
    lab.states(snapshot={"completed": {"looks": 1}})
    made = direct.start()
    for index, seed in ((900, 2), (20, 3), (20, 1)):
        direct.put(made, index, content(seed))
    answer = direct.complete(made, count, Checksum=whole(*map(content, sum_of)), **LINEAR)
    assert (answer["ResponseMetadata"]["HTTPStatusCode"], answer["Status"]) == (202, "pending")
    assert direct.state(made) == "pending"
    shown = direct.shown(made)
    assert shown["State"] == ("error" if mistake else "completed")
    assert why is None or why in shown["StateMessage"]
    if mistake:
        refused("IncorrectState", register, lab=lab, name=f"failed-{made}", snapshot_id=made)


@pytest.mark.parametrize("arguments", [
    {"ChangedBlocksCount": None}, {"ChangedBlocksCount": -1}, {"Checksum": whole(), "ChecksumAlgorithm": "SHA256"},
    {"Checksum": whole(), "ChecksumAggregationMethod": "LINEAR"}, {"ChecksumAlgorithm": "SHA256"},
    {"Checksum": whole(), "ChecksumAlgorithm": "MD5", "ChecksumAggregationMethod": "LINEAR"},
    {"Checksum": whole(), "ChecksumAlgorithm": "SHA256", "ChecksumAggregationMethod": "TREE"},
    {"Checksum": "#", "ChecksumAlgorithm": "SHA256", "ChecksumAggregationMethod": "LINEAR"}])
def test_completions_that_cannot_be(direct, arguments):
    made = direct.start()
    asked = {"SnapshotId": made, "ChangedBlocksCount": 0, **arguments}
    wrong("INVALID_PARAMETER_VALUE", direct.ebs.complete_snapshot, **{k: v for k, v in asked.items() if v is not None})
    direct.complete(made, 0, Checksum=whole(), **LINEAR)
    assert direct.state(made) == "completed"


def test_time_out(lab, direct):
    made, other, sealed = direct.start(Timeout=4320), direct.start(), direct.start()
    direct.put(made, 0, content(1))
    lab.states(snapshot={"completed": {"looks": 1, "count": 1}})
    direct.complete(sealed, 0)
    assert lab.control("direct/expire", "POST", {"SnapshotId": sealed}) == [] and direct.state(sealed) == "pending"
    assert direct.state(sealed) == "completed"
    assert lab.control("direct/expire", "POST", {"SnapshotId": made}) == [made]
    shown = direct.shown(made)
    assert shown["State"] == "error" and "timeout" in shown["StateMessage"]
    wrong("INVALID_SNAPSHOT_ID", direct.put, made, 1, content(1))
    wrong("INVALID_SNAPSHOT_ID", direct.complete, made, 1)
    direct.put(other, 0, content(1))
    direct.complete(other, 1)
    assert made not in lab.control("direct/expire", "POST") and direct.state(other) == "completed"


# --- reading ----------------------------------------------------------------------------------------------------------

def test_pending_snapshots_cannot_be_read(lab, direct):
    made = direct.start()
    direct.put(made, 0, content(1))
    other = direct.upload({0: content(1)})
    token = direct.blocks(other)[0]
    wrong("INVALID_SNAPSHOT_ID", direct.blocks, made)
    wrong("INVALID_SNAPSHOT_ID", direct.read, made, 0, token)
    wrong("INVALID_SNAPSHOT_ID", direct.ebs.list_changed_blocks, FirstSnapshotId=other, SecondSnapshotId=made)
    lab.control("direct/expire", "POST", {"SnapshotId": made})
    wrong("INVALID_SNAPSHOT_ID", direct.blocks, made)
    refused("ResourceNotFoundException", direct.blocks, snapshot_id="snap-0123456789abcdef0")


def test_pages_and_tokens(lab, direct):
    blocks = {n * 3: content(n) for n in range(12)}
    made, other = direct.upload(blocks), direct.upload({0: content(1), 99: content(2), 101: content(3)})
    lab.options(page_size=5)
    answer = direct.ebs.list_snapshot_blocks(SnapshotId=made)
    assert (answer["VolumeSize"], answer["BlockSize"], len(answer["Blocks"])) == (1, BLOCK, 5)
    assert answer["ExpiryTime"].timestamp() > time.time() + 3600
    assert list(direct.blocks(made)) == list(blocks)
    assert len(lab.calls("ListSnapshotBlocks")) == 4
    assert list(direct.blocks(made, StartingBlockIndex=10)) == [n for n in blocks if n >= 10]
    assert list(direct.blocks(made, StartingBlockIndex=34)) == []
    wrong("INVALID_PAGE_TOKEN", direct.ebs.list_snapshot_blocks, SnapshotId=other, NextToken=answer["NextToken"])
    for token in ("eA==", answer["NextToken"][:-4] + "AAAA", "A" * 257):
        wrong("INVALID_PAGE_TOKEN", direct.ebs.list_snapshot_blocks, SnapshotId=made, NextToken=token)
    wrong("INVALID_PARAMETER_VALUE", direct.ebs.list_snapshot_blocks, SnapshotId=made, MaxResults=10001)
    lab.control("options", "DELETE")
    tokens = direct.blocks(made)
    assert {i: direct.read(made, i, t) for i, t in tokens.items()} == blocks
    for args in ((made, 3, tokens[0]), (other, 0, tokens[0]), (made, 0, tokens[0][:-4] + "AAAA"), (made, 0, "eA=="), (made, 0, "#")):
        wrong("INVALID_BLOCK_TOKEN", direct.read, *args)


def test_fewest_of_a_page(direct):
    """The guide: with MaxResults under 100 "the API will return at least 100 results"."""
    made = direct.upload({n: content(n % 3) for n in range(103)})
    assert len(direct.ebs.list_snapshot_blocks(SnapshotId=made, MaxResults=100)["Blocks"]) == 100
    assert list(direct.blocks(made, MaxResults=100)) == list(range(103))


def test_snapshots_of_volumes(lab, direct):
    """What CreateSnapshot made: its blocks are those in which the volume has data."""
    made = lab.ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]
    for index in (2, 2047):
        with open(lab.volume_file(made), "r+b") as f:
            f.seek(index * BLOCK)
            f.write(content(index))
        direct.made.append(lab.ec2.create_snapshot(VolumeId=made)["SnapshotId"])
    lab.ec2.delete_volume(VolumeId=made)
    first, second = direct.made[-2:]
    assert {i: direct.read(second, i, t) for i, t in direct.blocks(second).items()} == {i: content(i) for i in (2, 2047)}
    changed = direct.ebs.list_changed_blocks(FirstSnapshotId=first, SecondSnapshotId=second)["ChangedBlocks"]
    assert [(b["BlockIndex"], sorted(b)) for b in changed] == [(2047, ["BlockIndex", "SecondBlockToken"])]
    assert direct.read(second, 2047, changed[0]["SecondBlockToken"]) == content(2047)


def test_changed_blocks(lab, direct):
    parent = direct.upload({0: content(1), 1: content(2)})
    child = direct.upload({1: content(3), 2: content(4)}, ParentSnapshotId=parent)
    grandchild = direct.upload({0: content(1), 2: content(5)}, ParentSnapshotId=child)

    def changed(first, second, **more):
        answer = direct.ebs.list_changed_blocks(FirstSnapshotId=first, SecondSnapshotId=second, **more)
        return {b["BlockIndex"]: b for b in answer["ChangedBlocks"]}, answer
    blocks, answer = changed(parent, child)
    assert {i: sorted(b) for i, b in blocks.items()} == {
        1: ["BlockIndex", "FirstBlockToken", "SecondBlockToken"], 2: ["BlockIndex", "SecondBlockToken"]}
    assert (answer["VolumeSize"], answer["BlockSize"]) == (1, BLOCK)
    assert direct.read(parent, 1, blocks[1]["FirstBlockToken"]) == content(2)
    assert direct.read(child, 1, blocks[1]["SecondBlockToken"]) == content(3)
    assert list(changed(parent, grandchild)[0]) == [1, 2]
    assert list(changed(parent, grandchild, StartingBlockIndex=2)[0]) == [2]
    assert list(changed(parent, direct.upload({9: bytes(BLOCK)}, ParentSnapshotId=parent))[0]) == [9]  # there, though of zeros
    lab.options(page_size=1)
    token = changed(parent, grandchild)[1]["NextToken"]
    assert list(changed(parent, grandchild, NextToken=token)[0]) == [2]
    wrong("INVALID_PAGE_TOKEN", changed, parent, child, NextToken=token)
    wrong("UNRELATED_SNAPSHOTS", changed, parent, direct.upload({0: content(1)}))
    wrong("INVALID_PARAMETER_VALUE", direct.ebs.list_changed_blocks, SecondSnapshotId=child)
    refused("ResourceNotFoundException", changed, first=parent, second="snap-0123456789abcdef0")


def test_from_snapshot_to_image_and_volume(lab, direct):
    made = direct.upload({0: content(1), 5: content(2)})
    image = register(lab, f"direct-{made}", made)
    refused("InvalidSnapshot.InUse", lab.ec2.delete_snapshot, SnapshotId=made)
    copy = lab.ec2.create_volume(SnapshotId=made, AvailabilityZone="us-east-1a")["VolumeId"]
    with open(lab.volume_file(copy), "rb") as f:
        assert f.read(6 * BLOCK) == content(1) + bytes(4 * BLOCK) + content(2)
    lab.ec2.delete_volume(VolumeId=copy)
    lab.ec2.deregister_image(ImageId=image)
    lab.ec2.delete_snapshot(SnapshotId=made)
    assert not os.path.exists(lab.snapshot_file(made))


# --- trouble ----------------------------------------------------------------------------------------------------------

def test_faults(lab, direct):
    made = direct.start()
    lab.faults({"action": "PutSnapshotBlock", "kind": "throttle", "match": {"BlockIndex": "1"}},
               {"action": "PutSnapshotBlock", "kind": "not_found", "match": {"BlockIndex": "2"}},
               {"action": "PutSnapshotBlock", "kind": "error", "match": {"BlockIndex": "3"}},
               {"action": "PutSnapshotBlock", "kind": "error", "code": "ConcurrentLimitExceededException", "match": {"BlockIndex": "4"}},
               {"action": "PutSnapshotBlock", "kind": "error_after", "match": {"BlockIndex": "5"}})
    for index, code, status, reason in ((1, "RequestThrottledException", 400, "ACCOUNT_THROTTLED"),
                                        (2, "ResourceNotFoundException", 404, "SNAPSHOT_NOT_FOUND"),
                                        (3, "InternalServerException", 500, None),
                                        (4, "ConcurrentLimitExceededException", 400, None),
                                        (5, "InternalServerException", 500, None)):
        error = refused(code, lambda index=index: direct.put(made, index, content(index)))
        assert (error["ResponseMetadata"]["HTTPStatusCode"], error.get("Reason")) == (status, reason)
    direct.put(made, 1, content(1))
    lab.faults({"action": "PutSnapshotBlock", "kind": "drop", "match": {"SnapshotId": made, "BlockIndex": "6"}})
    with pytest.raises(ConnectionClosedError):
        direct.put(made, 6, content(6))
    direct.complete(made, 3)
    assert list(direct.blocks(made)) == [1, 5, 6]
    assert [c["error"] for c in lab.calls("PutSnapshotBlock")][:4] == [
        "RequestThrottledException", "ResourceNotFoundException", "InternalServerException", "ConcurrentLimitExceededException"]


def test_faults_for_some_time(lab, direct):
    """Right after StartSnapshot a snapshot may not be known everywhere."""
    made = direct.start()
    lab.faults({"action": "PutSnapshotBlock", "kind": "not_found", "for": 0.3, "count": -1})

    def put():
        try:
            return direct.put(made, 0, content(1))
        except ClientError as error:
            assert error.response["Error"]["Code"] == "ResourceNotFoundException"
            return None
    assert put() is None
    assert wait_until(put)
    assert direct.put(made, 1, content(1))


def test_buckets(lab, direct):
    made = direct.start()
    lab.buckets(limits="published", depth=0.003, refill=0)
    for index in range(3):
        direct.put(made, index, content(index))
    error = refused("RequestThrottledException", lambda: direct.put(made, 3, content(3)))
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert lab.buckets()["us-east-1 PutSnapshotBlock"]["refused"] == 1
    refused("RequestThrottledException", direct.start)
