# SPDX-License-Identifier: Apache-2.0
"""The shared library in a host written in C: many threads, loading and unloading, what is left. Also the tests of the build with
ThreadSanitizer."""
import json

import pytest
from conftest import account
from library_kit import SO, drive
from test_create_stemcell import journals, state_env

pytestmark = pytest.mark.beyond_incumbent

REGIONS = ("us-east-1", "us-west-2")
SANITIZED = "sanitize" in SO
# a build for coverage writes its counts each time that it is unloaded; sanitizers take their time
TIMES = 100 if "coverage" in SO or SANITIZED else 1000


def settings_of(lab, **aws):
    """The lab's configuration as settings."""
    config = json.loads(json.dumps(lab.config))
    config["cloud"]["properties"]["aws"].update(aws)
    return json.dumps({"cloud": config["cloud"]})


def everywhere(lab):
    """The account, and what is in the other region."""
    west = lab.client("ec2", region=REGIONS[1])
    return (account(lab), [v["VolumeId"] for v in west.describe_volumes()["Volumes"]],
            [s["SnapshotId"] for s in west.describe_snapshots(OwnerIds=["self"])["Snapshots"]])


def test_threads(lab, tmp_path):
    """Sixteen threads in two regions: each finds what it has made, where it has made it."""
    env = state_env(tmp_path) | {"AWS_ENDPOINT_URL": lab.endpoint}
    before = everywhere(lab)
    drive(env, "threads", settings_of(lab), *REGIONS, 16, 1 if SANITIZED else 3)
    assert everywhere(lab) == before and journals(tmp_path) == []
    for region in REGIONS:
        assert len([c for c in lab.calls("CreateVolume") if c["region"] == region]) == 8 * (1 if SANITIZED else 3)


def test_host_is_as_it_was(lab, tmp_path):
    """Signal handlers, mask, descriptors, threads, children."""
    assert drive(state_env(tmp_path) | {"AWS_ENDPOINT_URL": lab.endpoint}, "host", settings_of(lab)) == ""


def test_loading_and_unloading(lab, tmp_path):
    """A thousand times, each with a call that wakes libcurl up: nothing grows after the tenth time. One in fifty is answered."""
    nowhere = settings_of(lab, ec2_endpoint="http://127.0.0.1:1", max_retries=0)
    # what the allocator has put by for threads would count as in use: until that is full, it seems to grow
    exact = {"GLIBC_TUNABLES": "glibc.malloc.tcache_count=0:glibc.malloc.mxfast=0"}
    out = drive(state_env(tmp_path) | exact, "cycles", nowhere, settings_of(lab), TIMES, 50)
    tenth, last = [json.loads(line) for line in out.splitlines()]
    assert last["mappings"] == tenth["mappings"]
    # what is kept for each time would be 16 bytes a time at least
    assert last["bytes"] - tenth["bytes"] < TIMES, (tenth, last)
