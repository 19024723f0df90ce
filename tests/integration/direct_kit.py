# SPDX-License-Identifier: Apache-2.0
"""What tests of the EBS direct builder share: images, requests, and a snapshot's contents by another client's eyes."""
import base64
import hashlib
import os
import random

from test_create_stemcell import PROPERTIES, config_with

BLOCK = 524288
MIB = 1 << 20


def noise(size, seed=0, zeros=()):
    """A raw disk image, the same for the same seed; blocks of zeros where zeros says (they are the image's own)."""
    data = bytearray(random.Random(seed).randbytes(size))
    data[510:512] = b"\x55\xaa"
    for index in zeros:
        data[index * BLOCK:(index + 1) * BLOCK] = bytes(BLOCK)
    return bytes(data)


def request(path, env=None, **more):
    """create_stemcell of that image; a property that is None is left out."""
    properties = {k: v for k, v in {**PROPERTIES, **more}.items() if v is not None}
    return {"method": "create_stemcell", "arguments": [str(path), properties, *([env] if env else [])], "api_version": 3}


def direct_config(lab, **stemcell):
    """The lab's configuration, without an instance to build on."""
    return config_with(lab, stemcell={"builder": "direct", **stemcell})


def blocks_of(lab, snapshot):
    """index → bytes, by boto3; each with the checksum that AWS defines."""
    ebs = lab.client("ebs")
    found, token = {}, None
    while True:
        page = ebs.list_snapshot_blocks(SnapshotId=snapshot, **({"NextToken": token} if token else {}))
        assert page["BlockSize"] == BLOCK
        for each in page["Blocks"]:
            answer = ebs.get_snapshot_block(SnapshotId=snapshot, BlockIndex=each["BlockIndex"], BlockToken=each["BlockToken"])
            data = answer["BlockData"].read()
            assert len(data) == answer["DataLength"] == BLOCK and answer["ChecksumAlgorithm"] == "SHA256"
            assert base64.b64decode(answer["Checksum"]) == hashlib.sha256(data).digest()
            found[each["BlockIndex"]] = data
        token = page.get("NextToken")
        if not token:
            return found


def is_image(blocks, image):
    """Whether the blocks are the image, what is in none of them being zeros, and zeros behind it."""
    count = -(-len(image) // BLOCK)
    assert all(index < count for index in blocks)
    return all(blocks.get(i, bytes(BLOCK)) == image[i * BLOCK:(i + 1) * BLOCK].ljust(BLOCK, b"\0") for i in range(count))


def whole_checksum(blocks):
    """What CompleteSnapshot is told of all blocks, in base64: SHA-256 over the digests in the order of indexes."""
    return base64.b64encode(hashlib.sha256(b"".join(hashlib.sha256(blocks[i]).digest() for i in sorted(blocks))).digest()).decode()


def snapshot_of(lab, ami):
    return lab.ec2.describe_images(ImageIds=[ami])["Images"][0]["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]


def states(folder):
    """The files of uploads that could be gone on with."""
    directory = os.path.join(str(folder), "state", "uploads")
    return sorted(os.path.join(directory, name) for name in os.listdir(directory)) if os.path.isdir(directory) else []
