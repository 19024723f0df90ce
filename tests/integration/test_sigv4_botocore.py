# SPDX-License-Identifier: Apache-2.0
"""The signer against botocore's, over generated requests: odd paths, queries, blanks, repeated headers, tokens; and over the
EBS direct calls, as botocore makes them itself."""

import base64
import datetime
import hashlib
import json
import os
import random
import re
import subprocess
from types import SimpleNamespace
from urllib.parse import quote, unquote, urlsplit

import botocore.auth
import botocore.awsrequest
import botocore.session
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

REQUESTS = 1000
DRIVER = os.path.join(os.environ.get("BUILD_DIR", "build"), "tests", "sign_driver")

WORDS = ["", "a", "vol-0123", "Größe", "名前", "a b", "x/y", "50%", "-_.~", "+&=;", "'\"<>", "é", "z" * 300, "*!()",
         "@:,$"]
SERVICES = ["ec2", "sts", "elasticloadbalancing", "ebs", "service"]
REGIONS = ["us-east-1", "eu-west-3", "cn-north-1", "us-gov-west-1", "us-isob-east-1", "eusc-de-east-1"]
METHODS = ["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH"]


def random_path(rng):
    segments = []
    for _ in range(rng.randrange(5)):
        segments.append(rng.choice(["", ".", "..", "snapshots", quote(rng.choice(WORDS), safe="")]))
    return "/" + "/".join(segments)


def random_query(rng):
    pairs = []
    for _ in range(rng.randrange(6)):
        name = quote(rng.choice(["Action", "Version", "b", "a", *WORDS[1:]]), safe="-_.~")
        value = quote(rng.choice(WORDS), safe="-_.~")
        pairs.append(name if rng.random() < 0.1 else f"{name}={value}")
    return "&".join(pairs)


def random_headers(rng):
    blanks = [" ", "  ", "\t", " \t ", "   "]
    headers = []
    for _ in range(rng.randrange(7)):
        name = rng.choice(["X-Custom", "x-custom", "X-CUSTOM-B", "Content-Type", "x-amz-Checksum", "Accept",
                           "X-Amz-Meta-Name", "User-Agent", "Expect"])
        words = [rng.choice(["a", "b,c", "text/xml;q=1", "ünï", "=", "名"]) for _ in range(rng.randrange(4))]
        value = rng.choice(["", *blanks]) + rng.choice(blanks).join(words) + rng.choice(["", *blanks])
        headers.append([name, value])
    return headers


def random_request(rng):
    """What the driver reads."""
    host = rng.choice(["ec2.us-east-1.amazonaws.com", "127.0.0.1:5000", "example.amazonaws.com", "[::1]:8443"])
    body = rng.choice([b"", b"Action=DescribeVolumes&Version=2016-11-15", bytes(range(256)),
                       rng.randbytes(rng.randrange(5000))])
    request = {
        "method": rng.choice(METHODS),
        "path": random_path(rng),
        "query": random_query(rng),
        "headers": [["Host", host]] + random_headers(rng),
        "body_hex": body.hex(),
        "service": rng.choice(SERVICES),
        "region": rng.choice(REGIONS),
        "time": rng.randrange(1, 4102444800),
        "access_key_id": "AKIDEXAMPLE" + str(rng.randrange(1000)),
        "secret_access_key": rng.choice(["wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "short", "s" * 128]),
    }
    if rng.random() < 0.4:
        request["session_token"] = "AQoDYXdzEPT//////////wEXAMPLE+" + "t" * rng.randrange(800) + "=="
    if rng.random() < 0.2:
        request["payload_sha256"] = "UNSIGNED-PAYLOAD"
        request["headers"].append(["X-Amz-Content-SHA256", "UNSIGNED-PAYLOAD"])
    return request


def signed_by_botocore(request, monkeypatch):
    host = request["headers"][0][1]
    url = f"https://{host}{request['path']}" + (f"?{request['query']}" if request["query"] else "")
    theirs = AWSRequest(method=request["method"], url=url, data=bytes.fromhex(request["body_hex"]))
    for name, value in request["headers"]:
        theirs.headers.add_header(name, value)
    when = datetime.datetime.fromtimestamp(request["time"], datetime.timezone.utc)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda *_, **__: when.replace(tzinfo=None))
    credentials = Credentials(request["access_key_id"], request["secret_access_key"], request.get("session_token"))
    botocore.auth.SigV4Auth(credentials, request["service"], request["region"]).add_auth(theirs)
    return theirs.headers["Authorization"]


def signed_by_us(requests):
    if not os.access(DRIVER, os.X_OK):
        pytest.fail(f"{DRIVER} is missing: run 'make integration', which builds it")
    lines = "".join(json.dumps(request) + "\n" for request in requests)
    done = subprocess.run([DRIVER], input=lines, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def thousand_requests():
    """The same ones each time."""
    rng = random.Random(20150830)
    return [random_request(rng) for _ in range(REQUESTS)]


def pairs_of(request):
    return [pair.partition("=") for pair in request["query"].split("&") if pair]


def repeats(names):
    return len(set(names)) < len(names)


def is_ascii(text):
    return all(ord(c) < 128 for c in text)


ASPECTS = {
    **{f"method {m}": lambda r, m=m: r["method"] == m for m in METHODS},
    **{f"service {s}": lambda r, s=s: r["service"] == s for s in SERVICES},
    **{f"region {g}": lambda r, g=g: r["region"] == g for g in REGIONS},
    "the root": lambda r: r["path"] == "/",
    "a path that ends in a slash": lambda r: r["path"].endswith("x/") or r["path"].endswith("snapshots/"),
    "empty segments": lambda r: "//" in r["path"],
    "dot segments": lambda r: re.search(r"/\./", r["path"]),
    "dots that lead up": lambda r: re.search(r"[^/.]/\.\./", r["path"]),
    "dots above the root": lambda r: r["path"].startswith("/../"),
    "UTF-8 in the path": lambda r: not is_ascii(unquote(r["path"])),
    "no query": lambda r: not r["query"],
    "a value that is empty": lambda r: any(equals and not value for _, equals, value in pairs_of(r)),
    "a name without a value": lambda r: any(not equals for _, equals, _ in pairs_of(r)),
    "a name repeated": lambda r: repeats([name for name, _, _ in pairs_of(r)]),
    "a name repeated with the same value": lambda r: repeats(pairs_of(r)),
    "UTF-8 in the query": lambda r: not is_ascii(unquote(r["query"])),
    "a header that is empty": lambda r: any(not value for _, value in r["headers"]),
    "a header of blanks": lambda r: any(value and not value.strip() for _, value in r["headers"]),
    "blanks around": lambda r: any(value.strip() and value != value.strip() for _, value in r["headers"]),
    "blanks within": lambda r: any(re.search(r"\S(\s{2,}|\t)\S", value) for _, value in r["headers"]),
    "a header repeated": lambda r: repeats([name for name, _ in r["headers"]]),
    "a header repeated in other letters": lambda r: {"X-Custom", "x-custom"} <= {name for name, _ in r["headers"]},
    "UTF-8 in a header": lambda r: not is_ascii("".join(value for _, value in r["headers"])),
    "no body": lambda r: not r["body_hex"],
    "a body": lambda r: r["body_hex"],
    "a session token": lambda r: "session_token" in r,
    "no session token": lambda r: "session_token" not in r,
    "an unsigned payload": lambda r: "payload_sha256" in r and r["body_hex"],
}


def test_the_requests_are_odd_enough():
    """What they must hold is in a good many of them."""
    requests = thousand_requests()
    counts = {aspect: sum(bool(holds(r)) for r in requests) for aspect, holds in ASPECTS.items()}
    assert not {aspect: n for aspect, n in counts.items() if n < 10}


def test_thousand_requests(monkeypatch):
    requests = thousand_requests()
    ours = signed_by_us(requests)
    assert len(ours) == len(requests)
    for request, authorization in zip(requests, ours):
        assert authorization == signed_by_botocore(request, monkeypatch), json.dumps(request)


def test_everything_that_is_signed_counts():
    """One character more anywhere gives another signature: nothing is left out of it by mistake."""
    base = random_request(random.Random(1))
    base.update(path="/a", query="x=y", body_hex="00", headers=[["Host", "h"], ["X-A", "b"]], session_token="t")
    base.pop("payload_sha256", None)
    changed = [
        dict(base, method=base["method"] + "X"),
        dict(base, path="/b"),
        dict(base, query="x=z"),
        dict(base, body_hex="01"),
        dict(base, headers=[["Host", "i"], ["X-A", "b"]]),
        dict(base, headers=[["Host", "h"], ["X-A", "c"]]),
        dict(base, service="other"),
        dict(base, region="other"),
        dict(base, time=base["time"] + 1),
        dict(base, secret_access_key="other"),
        dict(base, session_token="u"),
        dict(base, payload_sha256="UNSIGNED-PAYLOAD"),
    ]
    signatures = [line.rsplit("Signature=", 1)[1] for line in signed_by_us([base] + changed)]
    assert len(set(signatures)) == len(signatures)


# --- the EBS direct calls, as botocore's own client makes them -------------------------------------------------------------

BLOCK = bytes(range(256)) * 2048
CHECKSUM = base64.b64encode(hashlib.sha256(BLOCK).digest()).decode()
EBS_CALLS = [
    ("start_snapshot", {"VolumeSize": 3, "ClientToken": "token-1", "Timeout": 60, "Encrypted": True,
                        "Tags": [{"Key": "Name", "Value": "a \"b\" ü"}]}),
    ("put_snapshot_block", {"SnapshotId": "snap-1234567890abcdef0", "BlockIndex": 5, "BlockData": BLOCK, "DataLength": 524288,
                            "Progress": 42, "Checksum": CHECKSUM, "ChecksumAlgorithm": "SHA256"}),
    ("complete_snapshot", {"SnapshotId": "snap-1234567890abcdef0", "ChangedBlocksCount": 7, "Checksum": CHECKSUM,
                           "ChecksumAlgorithm": "SHA256", "ChecksumAggregationMethod": "LINEAR"}),
    ("list_snapshot_blocks", {"SnapshotId": "snap-1234567890abcdef0", "MaxResults": 100}),
]


def sent_by_botocore(endpoint, operation, arguments, monkeypatch):
    """The request that botocore would send, caught before it is."""
    when = datetime.datetime(2026, 1, 31, 10, 20, 30, tzinfo=datetime.timezone.utc)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda *_, **__: when.replace(tzinfo=None))
    client = botocore.session.Session().create_client(
        "ebs", region_name="eu-west-3", endpoint_url=endpoint, aws_access_key_id="AKIDEXAMPLE",
        aws_secret_access_key="wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", aws_session_token="token/+=")
    caught = []

    def catch(request, **_):
        caught.append(request)
        return botocore.awsrequest.AWSResponse(request.url, 200, {}, SimpleNamespace(stream=lambda: [b"{}"]))
    client.meta.events.register("before-send.ebs", catch)
    getattr(client, operation)(**arguments)
    return caught[0], int(when.timestamp())


def text_of(value):
    return value.decode() if isinstance(value, bytes) else value


@pytest.mark.parametrize("endpoint", ["https://ebs.eu-west-3.amazonaws.com", "http://127.0.0.1:5000"])
@pytest.mark.parametrize("operation,arguments", EBS_CALLS, ids=[name for name, _ in EBS_CALLS])
def test_ebs_direct(endpoint, operation, arguments, monkeypatch):
    theirs, when = sent_by_botocore(endpoint, operation, arguments, monkeypatch)
    authorization = text_of(theirs.headers["Authorization"])
    signed = re.search(r"SignedHeaders=([^,]+)", authorization).group(1).split(";")
    url = urlsplit(theirs.url)
    given = {name.lower(): text_of(value) for name, value in theirs.headers.items()}
    body = theirs.body or b""
    request = {
        "method": theirs.method, "path": url.path, "query": url.query, "service": "ebs", "region": "eu-west-3", "time": when,
        "headers": [["Host", url.netloc]] + [[name, given[name]] for name in signed
                                             if name not in ("host", "x-amz-date", "x-amz-security-token")],
        "body_hex": (body if isinstance(body, bytes) else body.encode()).hex(),
        "access_key_id": "AKIDEXAMPLE", "secret_access_key": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        "session_token": "token/+=",
    }
    if operation == "put_snapshot_block":
        assert {"x-amz-checksum", "x-amz-checksum-algorithm", "x-amz-content-sha256", "x-amz-data-length",
                "x-amz-progress"} <= set(signed)
        request["payload_sha256"] = given["x-amz-content-sha256"]
        assert request["payload_sha256"] == "UNSIGNED-PAYLOAD"
    assert signed_by_us([request]) == [authorization]


@pytest.mark.parametrize("is_signed", [False, True])
def test_a_block_as_we_send_it(is_signed, monkeypatch):
    """Over https without its payload, over http with its digest, which is given and not computed anew."""
    request = {
        "method": "PUT", "path": "/snapshots/snap-1234567890abcdef0/blocks/5", "query": "", "body_hex": BLOCK.hex(),
        "headers": [["Host", "ebs.eu-west-3.amazonaws.com"], ["Content-Type", "application/octet-stream"],
                    ["x-amz-Data-Length", "524288"], ["x-amz-Progress", "42"], ["x-amz-Checksum", CHECKSUM],
                    ["x-amz-Checksum-Algorithm", "SHA256"]],
        "service": "ebs", "region": "eu-west-3", "time": 1769854830,
        "access_key_id": "AKIDEXAMPLE", "secret_access_key": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    }
    if not is_signed:
        request["headers"].append(["X-Amz-Content-SHA256", "UNSIGNED-PAYLOAD"])
    theirs = signed_by_botocore(request, monkeypatch)
    payload = hashlib.sha256(BLOCK).hexdigest() if is_signed else "UNSIGNED-PAYLOAD"
    assert signed_by_us([dict(request, payload_sha256=payload, body_hex="")]) == [theirs]
