# SPDX-License-Identifier: Apache-2.0
"""The signer against botocore's, over generated requests: odd paths, queries, blanks, repeated headers, tokens."""

import datetime
import json
import os
import random
import subprocess
from urllib.parse import quote

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

REQUESTS = 1000
DRIVER = os.path.join(os.environ.get("BUILD_DIR", "build"), "tests", "sign_driver")

WORDS = ["", "a", "vol-0123", "Größe", "名前", "a b", "x/y", "50%", "-_.~", "+&=;", "'\"<>", "é", "z" * 300, "*!()",
         "@:,$"]
SERVICES = ["ec2", "sts", "elasticloadbalancing", "ebs", "service"]
REGIONS = ["us-east-1", "eu-west-3", "cn-north-1", "us-gov-west-1"]


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
        "method": rng.choice(["GET", "POST", "PUT", "DELETE"]),
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


def test_thousand_requests(monkeypatch):
    rng = random.Random(20150830)
    requests = [random_request(rng) for _ in range(REQUESTS)]
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
