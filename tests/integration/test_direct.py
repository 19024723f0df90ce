# SPDX-License-Identifier: Apache-2.0
"""create_stemcell without an instance: what is in the snapshot, what is left when something fails, and going on after a kill."""
import base64
import os
import random
import re
import signal

import pytest
from conftest import Working, account, beside, run_cpi, start_cpi, wait_until
from direct_kit import (BLOCK, MIB, blocks_of, direct_config, is_image, noise, request, snapshot_of, states, whole_checksum)
from test_create_stemcell import REQUEST_TAG, created, image, journals, refused, state_env, tags
from test_kill import sweep
from test_tls import Authority
from wire_kit import Front, Proxy

pytestmark = pytest.mark.beyond_incumbent

SEED = os.environ["WALK_SEED"]  # conftest
SIZE = 12 * MIB
COUNT = SIZE // BLOCK
KILLS = 20


@pytest.fixture(name="disk")
def make_disk(tmp_path):
    """A raw image of 24 blocks, two of them zeros of its own: its path and its bytes."""
    path = tmp_path / "image"
    data = noise(SIZE, seed=7, zeros=(5, 6))
    path.write_bytes(data)
    return path, data


@pytest.fixture(name="clean")
def see_that_it_is_clean(lab, tmp_path):
    """Nothing more is in the account at the end than at the start; no journal, and no upload to go on with."""
    before = account(lab)
    lab.forget_calls()
    yield before
    lab.reset()
    assert account(lab) == before
    assert journals(tmp_path) == [] and states(tmp_path) == []


@pytest.fixture(name="upload")
def make_upload(lab, tmp_path, disk, clean):
    """upload(…): create_stemcell of the disk. What it makes is deleted at the end, and then nothing is left."""
    assert clean
    amis = []

    def one(config=None, env=None, path=None, **more):
        answer = run_cpi(lab, request(path or disk[0], **more), config or direct_config(lab),
                         env=state_env(tmp_path) | {"CPI_LOG_LEVEL": "debug"} | (env or {}), timeout=180)
        if answer.json and answer.json["result"]:
            amis.append(answer.json["result"])
        return answer
    one.amis = amis
    yield one
    lab.reset()
    for ami in amis:
        created(run_cpi(lab, {"method": "delete_stemcell", "arguments": [ami]}, env=state_env(tmp_path)))


def puts(lab, snapshot=None):
    """Indexes of the blocks that were sent, in the order in which they came."""
    return [int(c["params"]["BlockIndex"]) for c in lab.calls("PutSnapshotBlock")
            if snapshot in (None, c["params"]["SnapshotId"])]


def whole(lab, answer, data):
    """The snapshot, which holds the image, block for block."""
    snapshot = snapshot_of(lab, created(answer))
    assert is_image(blocks_of(lab, snapshot), data)
    with open(lab.snapshot_file(snapshot), "rb") as f:
        assert f.read(len(data)) == data and not any(f.read(MIB))
    return snapshot


# --- all is well ------------------------------------------------------------------------------------------------------

def test_stemcell(lab, upload, stemcell, clean):
    """A real stemcell: the AMI is as one that was built on a volume, and nothing else is made."""
    answer = upload(path=stemcell.image, env={"CPI_LOG_LEVEL": "info"}, architecture="x86_64", tags={"owner": "me"})
    ami = created(answer)
    made = image(lab, ami)
    assert (made["State"], made["RootDeviceName"], made["BootMode"], made["EnaSupport"]) == ("available", "/dev/xvda", "legacy-bios", True)
    assert [m["DeviceName"] for m in made["BlockDeviceMappings"]] == ["/dev/xvda", "/dev/sdb"]
    with open(stemcell.root, "rb") as f:
        snapshot = whole(lab, answer, f.read())
    shown = lab.ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"][0]
    assert (shown["State"], shown["VolumeSize"], shown["Encrypted"]) == ("completed", 2, False)
    assert shown["Description"] == made["Description"] == "bosh-aws-xen-hvm-ubuntu-jammy-go_agent 1.18"
    assert tags(shown)["owner"] == "me" and tags(shown)["Name"] == shown["Description"] and REQUEST_TAG in tags(shown)
    after = account(lab)
    assert after["volumes"] == clean["volumes"] and after["instances"] == clean["instances"]
    assert set(after["snapshots"]) - set(clean["snapshots"]) == {snapshot}
    actions = [c["action"] for c in lab.calls()]
    percents = [int(c["params"]["Progress"]) for c in lab.calls("PutSnapshotBlock")]
    assert all(0 <= p <= 100 for p in percents) and max(percents) > 50
    assert "CreateVolume" not in actions and actions.count("StartSnapshot") == actions.count("CompleteSnapshot") == 1
    assert re.search(r"INFO.*building the stemcell without an instance \(direct: through the EBS direct APIs", answer.stderr)
    assert re.search(r"INFO.*uploaded stemcell: 64 MiB", answer.stderr)
    assert "PutSnapshotBlock" not in answer.stderr  # thousands of lines


def test_what_is_sent(lab, upload, disk):
    """Every block once, zeros of the image too; checksums as AWS defines them, by another implementation."""
    snapshot = whole(lab, upload(), disk[1])
    assert sorted(puts(lab)) == list(range(COUNT))
    complete = lab.calls("CompleteSnapshot")[0]["params"]
    assert int(complete["ChangedBlocksCount"]) == COUNT
    assert complete["Checksum"] == whole_checksum(blocks_of(lab, snapshot))
    assert (complete["ChecksumAlgorithm"], complete["ChecksumAggregationMethod"]) == ("SHA256", "LINEAR")


def test_several_at_once(lab, upload, disk):
    """Calls overlap; never more than is allowed."""
    lab.faults({"action": "PutSnapshotBlock", "kind": "delay", "seconds": 0.3, "count": -1})
    for most in (1, 4):
        lab.forget_calls()
        created(upload(direct_config(lab, upload_connections=most)))
        ends = [(c["start"], c["start"] + c["duration"]) for c in lab.calls("PutSnapshotBlock")]
        overlap = max(sum(start <= t < end for start, end in ends) for t, _ in ends)
        assert overlap <= most and (overlap > 1) == (most > 1)


def test_last_block_is_filled_up(lab, upload, tmp_path):
    path, data = tmp_path / "odd", noise(3 * BLOCK + 512, seed=3)
    path.write_bytes(data)
    whole(lab, upload(path=path), data)
    assert sorted(puts(lab)) == [0, 1, 2, 3]


def test_zero_blocks_are_skipped(lab, upload, disk):
    whole(lab, upload(direct_config(lab, skip_zero_blocks=True)), disk[1])
    assert sorted(set(range(COUNT)) - set(puts(lab))) == [5, 6]


@pytest.mark.parametrize("key", [None, "LAB_KMS_KEY"])
def test_encrypted(lab, upload, disk, key):
    snapshot = whole(lab, upload(encrypted=True, kms_key_arn=lab.env[key] if key else None), disk[1])
    assert lab.ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"][0]["Encrypted"] is True
    asked = lab.calls("StartSnapshot")[0]["params"]
    assert asked.get("KmsKeyArn") == (lab.env[key] if key else None)


def test_encryption_by_the_account(lab, upload, disk):
    """Its default: what would read as noise is sent, and skip_zero_blocks refused, once AWS has said so."""
    lab.ec2.enable_ebs_encryption_by_default()
    try:
        refused(upload(direct_config(lab, skip_zero_blocks=True)), r"skip_zero_blocks does not go with encryption \(snapshot snap-")
        assert puts(lab) == []
        whole(lab, upload(), disk[1])
    finally:
        lab.ec2.disable_ebs_encryption_by_default()


def test_key_that_is_none(lab, upload):
    for key in ("alias/bosh", "arn:aws:kms:us-east-1:123456789012:alias/bosh", "1234abcd-12ab-34cd-56ef-1234567890ab"):
        assert "key/" in refused(upload(encrypted=True, kms_key_arn=key), "kms")
    refused(upload(direct_config(lab, skip_zero_blocks=True), encrypted=True), "skip_zero_blocks")
    assert lab.calls("StartSnapshot") == []


# --- bad images -------------------------------------------------------------------------------------------------------

def test_bad_images(upload, tmp_path, stemcell):
    bad = tmp_path / "bad"
    with open(stemcell.image, "rb") as f:
        packed = f.read()
    for data, text in ((packed[:len(packed) // 2], "cut short"), (packed[:-8] + b"\0\0\0\0" + packed[-4:], "checksum"), (b"no image" * 1000, "what is taken is")):
        bad.write_bytes(data)
        message = refused(upload(path=bad), f"(?i)({text})")
        assert str(bad) in message and "left behind" not in message


def test_image_larger_than_the_disk(lab, upload, tmp_path):
    large = tmp_path / "large"
    with open(large, "wb") as f:
        f.write(noise(BLOCK))
        f.truncate(1024 * MIB + BLOCK)
    refused(upload(path=large, disk=1024), "disk")


def test_no_onhost(lab, upload, tmp_path):
    assert "/nowhere" in refused(upload(direct_config(lab, onhost_path="/nowhere/onhost")), "not a program")
    other = tmp_path / "onhost"
    other.write_text("#!/bin/sh\necho onhost 0.0.1\n")
    other.chmod(0o755)
    assert "is version 0.0.1 and cpi is version" in refused(upload(direct_config(lab, onhost_path=str(other))), "one release")
    assert lab.calls("StartSnapshot") == []


# --- the fault walk over the blocks -----------------------------------------------------------------------------------

ONCE = [{"kind": "error", "status": 500, "code": "InternalServerException"}, {"kind": "error", "status": 503, "code": "ServiceUnavailable"},
        {"kind": "error", "status": 400, "code": "RequestThrottledException"},
        {"kind": "error", "status": 400, "code": "ConcurrentLimitExceededException"}, {"kind": "reset"}, {"kind": "drop"},
        {"kind": "error_after", "status": 500, "code": "InternalServerException"}, {"kind": "delay", "seconds": 1.0},
        {"kind": "error", "status": 404, "code": "ResourceNotFoundException"}]


FOR_GOOD = [{"kind": "error", "status": 500, "code": "InternalServerException"}, {"kind": "drop"},
            {"kind": "error", "status": 400, "code": "ConflictException"}]
any_fault = pytest.mark.parametrize("fault", ONCE, ids=lambda f: f.get("code", f["kind"]))
any_times = pytest.mark.parametrize("times", [1, 2])
any_good = pytest.mark.parametrize("fault", FOR_GOOD, ids=lambda f: f.get("code", f["kind"]))


def some_block(*what):
    """One that WALK_SEED decides."""
    return random.Random(f"{SEED} {what}").randrange(COUNT)


def get_over(lab, upload, data, fault, index, times):
    """Once or twice: sent again, and the image is whole."""
    lab.forget_calls()
    lab.faults({**fault, "action": "PutSnapshotBlock", "match": {"BlockIndex": str(index)}, "count": times})
    whole(lab, upload(), data)
    lab.clear()
    again = 0 if fault["kind"] == "delay" else times
    assert puts(lab).count(index) == 1 + again, index
    assert len(puts(lab)) == COUNT + again, index


def give_up(lab, upload, fault, index):
    """The error names the block; the snapshot is gone."""
    lab.forget_calls()
    lab.faults({**fault, "action": "PutSnapshotBlock", "match": {"BlockIndex": str(index)}, "count": -1})
    message = refused(upload(), f"block {index}")
    lab.clear()
    assert "PutSnapshotBlock" in message and "left behind" not in message
    assert lab.calls("CompleteSnapshot") == []


@any_times
@any_fault
def test_block_that_fails(lab, upload, disk, fault, times):
    get_over(lab, upload, disk[1], fault, some_block(fault, times), times)


@any_good
def test_block_that_fails_for_good(lab, upload, fault):
    give_up(lab, upload, fault, some_block(fault))


@pytest.mark.long
@any_times
@any_fault
def test_each_block_that_fails(lab, upload, disk, fault, times):
    for index in range(COUNT):
        get_over(lab, upload, disk[1], fault, index, times)


@pytest.mark.long
@any_good
def test_each_block_that_fails_for_good(lab, upload, fault):
    for index in range(COUNT):
        give_up(lab, upload, fault, index)


@pytest.mark.parametrize("action", ["StartSnapshot", "PutSnapshotBlock", "CompleteSnapshot"])
def test_what_is_not_permitted(lab, upload, action):
    """Said at once, with the permission's name."""
    lab.faults({"action": action, "kind": "deny", "count": -1})
    assert f"ebs:{action}" in refused(upload(direct_config(lab, upload_connections=1)), "AccessDenied")
    assert len(lab.calls(action)) == 1


@pytest.mark.parametrize("kind", ["drop", "reset", "error_after"])
@pytest.mark.parametrize("action", ["StartSnapshot", "CompleteSnapshot"])
def test_lost_answers(lab, upload, disk, clean, action, kind):
    """One snapshot, whatever was lost."""
    lab.faults({"action": action, "kind": kind, "status": 500, "code": "InternalServerException"})
    whole(lab, upload(), disk[1])
    assert len(account(lab)["snapshots"]) - len(clean["snapshots"]) == 1


def test_snapshot_that_is_not_known_yet(lab, upload, disk):
    """AWS may not know it for a while: waited out."""
    lab.faults({"action": "PutSnapshotBlock", "kind": "error", "status": 404, "code": "ResourceNotFoundException", "count": 40})
    whole(lab, upload(), disk[1])


def test_snapshot_that_is_gone(lab, upload):
    """Somebody has deleted it: not waited for without an end."""
    lab.faults({"action": "PutSnapshotBlock", "kind": "error", "status": 404, "code": "ResourceNotFoundException", "count": -1, "skip": 3})
    refused(upload(), "ResourceNotFoundException")


def test_throttled(lab, upload, disk):
    """Far more is asked than the account may: it takes longer, and succeeds."""
    lab.faults({"action": "PutSnapshotBlock", "kind": "error", "status": 400, "code": "RequestThrottledException", "count": 60})
    answer = upload()
    whole(lab, answer, disk[1])
    assert re.search("uploaded stemcell: .* held back by AWS's request limits", answer.stderr)


def test_snapshot_that_ends_in_error(lab, upload):
    lab.states(snapshot={"completed": {"error": "AWS could not"}})
    refused(upload(), "AWS could not")


def test_credentials_that_expire(lab, upload, disk):
    """In the middle: new ones are fetched, and the rest goes out with those."""
    lab.faults({"action": "PutSnapshotBlock", "kind": "hold", "skip": 4, "count": -1})
    config = direct_config(lab, upload_connections=2)
    config["cloud"]["properties"]["aws"]["role_arn"] = lab.identities["roles"]["lab-role"]
    running, answers = beside(lambda: upload(config, env={"AWS_ENDPOINT_URL": lab.endpoint}))
    wait_until(lambda: len(puts(lab)) > 4, 60)
    lab.control("sessions/expire", "POST")
    lab.clear()
    running.join()
    whole(lab, answers[0], disk[1])
    assert len({c["access_key_id"] for c in lab.calls("PutSnapshotBlock") if c["status"] == 201}) == 2


# --- the same transport -----------------------------------------------------------------------------------------------

def test_over_tls(lab, upload, disk, tmp_path):
    """By the configured CA; the payload is not signed then (AWS's rule), its checksum is."""
    authority = Authority(tmp_path, "ours")
    front = Front(lab, tls=authority.server("server"))
    config = direct_config(lab)
    config["cloud"]["properties"]["aws"]["ebs_endpoint"] = front.url
    try:
        refused(upload(config), "certificate")
        assert front.requests == []
        lab.forget_calls()
        whole(lab, upload(config, env={"BOSH_CA_CERT_FILE": authority.file}), disk[1])
        sent = [r for r in front.requests if b"/blocks/" in r.head]
        assert len(sent) == COUNT
        for each in sent:
            assert each.header("x-amz-content-sha256") == "UNSIGNED-PAYLOAD"
            assert "x-amz-checksum;" in each.header("authorization") and "x-amz-content-sha256" in each.header("authorization")
            assert len(base64.b64decode(each.header("x-amz-checksum"))) == 32
        assert front.connections < COUNT
    finally:
        front.close()


def test_through_a_proxy(lab, upload, disk):
    proxy = Proxy()
    try:
        whole(lab, upload(env={"http_proxy": f"http://{proxy.address}"}), disk[1])
        assert sum("/blocks/" in str(seen) for seen in proxy.seen) == COUNT
    finally:
        proxy.close()


# --- broken off -------------------------------------------------------------------------------------------------------

def begin(lab, folder, path, rule=None, config=None):
    """A cpi that has its request; rule may name a signal for it."""
    running = Working(start_cpi(lab, config or direct_config(lab, upload_connections=4), env=state_env(folder)))
    if rule:
        lab.faults({"kind": "signal", "count": 1, **rule, "pid": running.pid})
    running.send(request(path))
    return running


def end(running, seconds=60):
    answer = running.process.stdout.read()
    running.process.wait(seconds)
    return answer.decode()


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signal(lab, tmp_path, disk, clean, sent):
    """The unfinished snapshot is deleted, and no other upload can go on with it."""
    lab.faults({"action": "PutSnapshotBlock", "kind": "hold", "skip": 6, "count": -1})
    running = begin(lab, tmp_path, disk[0])
    wait_until(lambda: len(puts(lab)) > 6, 30)
    os.kill(running.pid, sent)
    answer = end(running)
    assert f"stopped by signal {int(sent)}" in answer and "left behind" not in answer
    assert lab.calls("DeleteSnapshot")


def points():
    """Twenty places of the whole story."""
    around = [(action, when, 0) for action in ("StartSnapshot", "CompleteSnapshot", "RegisterImage") for when in ("before", "after")]
    blocks = [("PutSnapshotBlock", "after" if n % 2 else "before", n) for n in range(0, COUNT, 2)]
    return around + blocks + [("DescribeSnapshots", "after", 0), ("DescribeImages", "before", 0)]


def test_there_are_twenty():
    assert len(points()) == KILLS


@pytest.mark.parametrize("action, when, nth", points())
def test_killed_and_started_again(lab, tmp_path, disk, clean, upload, action, when, nth):
    """The same bytes, no block missing, and what was acknowledged is not sent again; sweep takes what is left of the first."""
    running = begin(lab, tmp_path, disk[0], {"action": action, "when": when, "skip": nth, "signal": "KILL"})
    assert end(running) == ""
    assert running.process.returncode == -signal.SIGKILL
    lab.clear()
    known = [line for path in states(tmp_path) for line in open(path, encoding="latin-1").read().split("\n")[1:-1]]
    lab.forget_calls()
    answer = upload()
    snapshot = whole(lab, answer, disk[1])
    if action == "PutSnapshotBlock":
        assert lab.calls("StartSnapshot") == []
        # what the first one had on its way may come late
        assert set(puts(lab)) == set(range(COUNT)) - {int(line.split()[0]) for line in known}
        assert f"in {COUNT} blocks, {len(known)} of them before" in answer.stderr
        assert len(known) >= nth - 4
    swept = sweep(lab, tmp_path, "--delete")
    assert swept.returncode == 0, swept.stderr
    assert snapshot in account(lab)["snapshots"] and upload.amis[-1] in account(lab)["images"]
    assert set(account(lab)["snapshots"]) - set(clean["snapshots"]) == {snapshot}
    assert set(account(lab)["images"]) - set(clean["images"]) == {upload.amis[-1]}


def killed_half_way(lab, folder, path, **more):
    """Killed at the twelfth block, with all others acknowledged or not."""
    running = begin(lab, folder, path, {"action": "PutSnapshotBlock", "when": "before", "skip": 12, "signal": "KILL"}, **more)
    assert end(running) == ""
    lab.clear()
    pending = lab.calls("StartSnapshot") and puts(lab) and lab.calls("PutSnapshotBlock")[0]["params"]["SnapshotId"]
    lab.forget_calls()
    return pending


def test_killed_twice(lab, tmp_path, disk, upload):
    first = killed_half_way(lab, tmp_path, disk[0])
    running = begin(lab, tmp_path, disk[0], {"action": "PutSnapshotBlock", "when": "after", "skip": 2, "signal": "KILL"})
    assert end(running) == ""
    lab.clear()
    assert whole(lab, upload(), disk[1]) == first
    assert sweep(lab, tmp_path, "--delete").returncode == 0


def test_swept_before_it_starts_again(lab, tmp_path, disk, clean, upload):
    pending = killed_half_way(lab, tmp_path, disk[0])
    assert pending in sweep(lab, tmp_path).stdout
    assert sweep(lab, tmp_path, "--delete").returncode == 0
    assert account(lab)["snapshots"] == clean["snapshots"]
    assert whole(lab, upload(), disk[1]) != pending


def test_another_image(lab, tmp_path, disk, upload):
    """Of the same size and at the same place: it has nothing to do with the first, which can still be gone on with."""
    pending = killed_half_way(lab, tmp_path, disk[0])
    other = noise(SIZE, seed=8)
    disk[0].write_bytes(other)
    assert whole(lab, upload(), other) != pending
    disk[0].write_bytes(disk[1])
    assert whole(lab, upload(), disk[1]) == pending
    assert sweep(lab, tmp_path, "--delete").returncode == 0


@pytest.mark.parametrize("more", [{"disk": 3072}, {"version": "1.19"}, {"encrypted": True}])
def test_another_target(lab, tmp_path, disk, upload, more):
    pending = killed_half_way(lab, tmp_path, disk[0])
    assert whole(lab, upload(**more), disk[1]) != pending
    assert whole(lab, upload(), disk[1]) == pending
    assert sweep(lab, tmp_path, "--delete").returncode == 0


def test_state_that_lies(lab, tmp_path, disk, upload):
    """A digest that is not the block's costs that block, and nothing else; garbage costs what follows it."""
    pending = killed_half_way(lab, tmp_path, disk[0])
    path, = states(tmp_path)
    with open(path, encoding="latin-1") as f:
        lines = f.read().split("\n")
    index = lines[1].split()[0]
    lines[1] = f"{index} {'0' * 64}"
    with open(path, "w", encoding="latin-1") as f:
        f.write("\n".join(lines) + "\0" * 4096)
    assert whole(lab, upload(), disk[1]) == pending
    assert int(index) in puts(lab) and len(puts(lab)) < COUNT
    assert sweep(lab, tmp_path, "--delete").returncode == 0


def test_no_state_directory(lab, tmp_path, disk, upload):
    """Only going on is lost."""
    (tmp_path / "file").write_text("")
    answer = upload(env={"AWS_CPI_STATE_DIR": str(tmp_path / "file")})
    whole(lab, answer, disk[1])
    assert re.search("WARN.*the next one starts from the beginning", answer.stderr)


def test_two_at_the_same_upload(lab, tmp_path, disk, upload):
    """Each makes its own snapshot; the second says that it cannot be gone on with."""
    lab.faults({"action": "PutSnapshotBlock", "kind": "hold", "count": -1})
    both = [beside(lambda: upload(direct_config(lab, upload_connections=2))) for _ in range(2)]
    wait_until(lambda: len({c["params"]["SnapshotId"] for c in lab.calls("PutSnapshotBlock")}) == 2, 60)
    lab.clear()
    for thread, _ in both:
        thread.join()
    answers = [answer for _, found in both for answer in found]
    assert len({whole(lab, answer, disk[1]) for answer in answers}) == 2
    assert sum("the next one starts from the beginning" in answer.stderr for answer in answers) == 1


def test_image_that_is_changed_meanwhile(lab, tmp_path, disk, clean):
    lab.faults({"action": "StartSnapshot", "kind": "hold", "after": True, "count": 1})
    running = begin(lab, tmp_path, disk[0])
    wait_until(lambda: lab.calls("StartSnapshot"), 30)
    disk[0].write_bytes(noise(SIZE, seed=9))
    lab.clear()
    assert "was changed while it was uploaded" in end(running)


