# SPDX-License-Identifier: Apache-2.0
"""The sink that the bench uploads into (tests/tools/ebs_sink.c), as boto3 finds it; what goes wrong there would be measured."""
import base64
import contextlib
import hashlib
import json
import os
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import boto3
import pytest
from botocore.config import Config
from conftest import ROOT

SINK = os.path.join(os.environ.get("BUILD_DIR") or os.path.join(ROOT, "build"), "tests", "ebs_sink")
BLOCK = 524288
DATA = bytes(range(256)) * (BLOCK // 256)
CHECKSUM = base64.b64encode(hashlib.sha256(DATA).digest()).decode()
NO_RETRIES = Config(retries={"total_max_attempts": 1}, max_pool_connections=8)


@pytest.fixture
def start_sink():
    """start_sink(latency): .url, .client(service) and .end(), which gives its counts."""
    with contextlib.ExitStack() as stack:
        def start(latency):
            process = stack.enter_context(subprocess.Popen([SINK, "--latency", str(latency)], stdout=subprocess.PIPE, text=True))
            stack.callback(process.kill)
            url = process.stdout.readline().strip()

            def end():
                process.terminate()
                out, _ = process.communicate(timeout=20)
                assert process.returncode == 0
                return json.loads(out)
            return SimpleNamespace(url=url, end=end, client=lambda service: boto3.client(
                service, region_name="us-east-1", endpoint_url=url, aws_access_key_id="a", aws_secret_access_key="b",
                config=NO_RETRIES))
        yield start


def put(ebs, snapshot_id, index):
    answer = ebs.put_snapshot_block(SnapshotId=snapshot_id, BlockIndex=index, BlockData=DATA, DataLength=BLOCK,
                                    Checksum=CHECKSUM, ChecksumAlgorithm="SHA256")
    assert (answer["ResponseMetadata"]["HTTPStatusCode"], answer["Checksum"]) == (201, CHECKSUM)


def test_an_upload(start_sink):
    sink = start_sink(50)
    ebs, ec2 = sink.client("ebs"), sink.client("ec2")
    assert sink.client("sts").get_caller_identity()["Account"] == "123456789012"
    started = ebs.start_snapshot(VolumeSize=3, Tags=[{"Key": "a", "Value": "b"}])
    made = started["SnapshotId"]
    assert (started["BlockSize"], started["VolumeSize"], started["Status"]) == (BLOCK, 3, "pending")
    began = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: put(ebs, made, n), range(32)))
    assert time.monotonic() - began >= 4 * 0.05
    answer = ebs.complete_snapshot(SnapshotId=made, ChangedBlocksCount=32)
    assert (answer["ResponseMetadata"]["HTTPStatusCode"], answer["Status"]) == (202, "pending")
    shown = ec2.describe_snapshots(SnapshotIds=[made])["Snapshots"][0]
    assert (shown["SnapshotId"], shown["State"], shown["Progress"]) == (made, "completed", "100%")
    ec2.create_tags(Resources=[made], Tags=[{"Key": "a", "Value": "b"}])
    ec2.delete_snapshot(SnapshotId=made)
    counts = sink.end()
    assert (counts["calls"], counts["blocks"], counts["bytes"]) == (38, 32, 32 * BLOCK)
    assert 2 <= counts["most_blocks_at_once"] <= 8 <= counts["most_connections"] <= 12


def test_clients_that_go(start_sink):
    """In the middle of a block, before the answer, with nonsense, with too much: the others are served on."""
    sink = start_sink(100)
    host, port = sink.url.removeprefix("http://").split(":")
    headers = f"PUT /snapshots/snap-1/blocks/0 HTTP/1.1\r\nContent-Length: {BLOCK}\r\nx-amz-Checksum: c\r\n\r\n".encode()
    for text in (headers + DATA[:1000], headers + DATA, headers + DATA + b"more", b"x" * 40000, b"GET / HTTP/1.1\r\n\r\nmore",
                 b"POST / HTTP/1.1\r\nContent-Length: 40000\r\n\r\n"):
        with socket.create_connection((host, int(port))) as connection, contextlib.suppress(ConnectionError):
            connection.sendall(text)
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(headers.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"))
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        for piece in (DATA[:5], DATA[5:300000], DATA[300000:]):
            time.sleep(0.02)
            sent = time.monotonic()
            connection.sendall(piece)
        assert connection.recv(1000).startswith(b"HTTP/1.1 201 Created\r\n")
        assert time.monotonic() - sent >= 0.09
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n\r\nmore")
        assert connection.recv(100) == b""
    put(sink.client("ebs"), "snap-1", 0)
    assert sink.end()["most_blocks_at_once"] <= 4
