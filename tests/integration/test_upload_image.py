# SPDX-License-Identifier: Apache-2.0
"""cpi upload-image, as a person uses it."""
import json
import os
import pty
import re
import signal
import subprocess

import pytest
from conftest import CPI, account, beside, director_env, wait_until
from direct_kit import BLOCK, MIB, blocks_of, is_image, noise, snapshot_of, states
from test_create_stemcell import config_with, image, journals, state_env, tags
from test_kill import sweep

pytestmark = pytest.mark.beyond_incumbent

SIZE = 6 * MIB


@pytest.fixture(name="disk")
def make_disk(tmp_path):
    """A raw image: its path and its bytes."""
    path = tmp_path / "root.img"
    data = noise(SIZE, seed=11)
    path.write_bytes(data)
    return path, data


def command(lab, folder, *arguments, env=None, config=True):
    """The command line and its environment."""
    line = [CPI, "upload-image", *map(str, arguments), *(["--config", lab.config_path] if config else [])]
    return line, state_env(folder) | (env or {})


@pytest.fixture(name="upload")
def make_upload(lab, tmp_path):
    """upload(…): one run. What it leaves in the account is deleted at the end."""
    before = account(lab)

    def one(*arguments, **more):
        line, env = command(lab, tmp_path, *arguments, **more)
        return subprocess.run(line, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False)
    yield one
    lab.reset()
    for ami in set(account(lab)["images"]) - set(before["images"]):
        lab.ec2.deregister_image(ImageId=ami)
    for snapshot in set(account(lab)["snapshots"]) - set(before["snapshots"]):
        lab.ec2.delete_snapshot(SnapshotId=snapshot)
    assert account(lab) == before
    assert journals(tmp_path) == [] and states(tmp_path) == []


def test_snapshot(lab, upload, disk):
    """Its id alone on standard output; as large as the image needs."""
    result = upload(disk[0])
    assert result.returncode == 0, result.stderr
    assert re.fullmatch(r"snap-[0-9a-f]{17}\n", result.stdout)
    snapshot = result.stdout.strip()
    assert is_image(blocks_of(lab, snapshot), disk[1])
    shown = lab.ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"][0]
    assert (shown["State"], shown["VolumeSize"], shown["Encrypted"]) == ("completed", 1, False)
    assert lab.calls("RegisterImage") == []


def test_ami(lab, upload, disk):
    result = upload("--register", "--name", "my stemcell", "--description", "by hand", "--size", "5", "--architecture", "arm64",
                    "--boot-mode", "uefi", "--tag", "team=bosh", "--tag", "empty=", disk[0])
    assert result.returncode == 0, result.stderr
    made = image(lab, result.stdout.strip())
    assert (made["State"], made["Name"], made["Description"]) == ("available", "my stemcell", "by hand")
    assert (made["Architecture"], made["BootMode"]) == ("arm64", "uefi")
    snapshot = lab.ec2.describe_snapshots(SnapshotIds=[snapshot_of(lab, made["ImageId"])])["Snapshots"][0]
    assert snapshot["VolumeSize"] == 5 and snapshot["Description"] == "by hand"
    for thing in (made, snapshot):
        assert {k: v for k, v in tags(thing).items() if k != "aws-cpi-request"} == {"Name": "my stemcell", "team": "bosh", "empty": ""}
    # the name is taken now: said before anything is uploaded
    lab.forget_calls()
    again = upload("--register", "--name", "my stemcell", disk[0])
    assert again.returncode == 1 and f"AMI {made['ImageId']} has the name my stemcell already" in again.stderr
    assert lab.calls("StartSnapshot") == []


def test_json(lab, upload, stemcell):
    """Of a stemcell's own file."""
    result = upload("--json", "--register", stemcell.image)
    assert result.returncode == 0, result.stderr
    told = json.loads(result.stdout)
    assert told["snapshot_id"] == snapshot_of(lab, told["image_id"])
    assert (told["size_gib"], told["format"], told["image_bytes"], told["encrypted"]) == (1, "gzip tar", stemcell.size, False)
    assert told["blocks"] * BLOCK == told["uploaded_bytes"] and told["resumed_blocks"] == 0 and told["blocks"] == len(lab.calls("PutSnapshotBlock"))
    assert 1 <= told["most_at_once"] <= 32 and told["seconds"] > 0
    with open(stemcell.root, "rb") as f:
        assert is_image(blocks_of(lab, told["snapshot_id"]), f.read())


def test_size_that_nobody_knows(lab, upload, disk, tmp_path):
    """A packed raw image says it at its end: it is read twice."""
    packed = tmp_path / "root.img.gz"
    with open(packed, "wb") as f:
        subprocess.run(["gzip", "-c", disk[0]], stdout=f, check=True)
    result = upload(packed)
    assert result.returncode == 0, result.stderr
    snapshot = result.stdout.strip()
    assert lab.ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"][0]["VolumeSize"] == 1
    assert is_image(blocks_of(lab, snapshot), disk[1])


def test_without_a_configuration(lab, upload, disk):
    """Region, credentials and endpoints from the environment."""
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_ENDPOINT_URL")
    result = upload(disk[0], config=False, env={name: lab.env[name] for name in names})
    assert result.returncode == 0, result.stderr
    assert is_image(blocks_of(lab, result.stdout.strip()), disk[1])
    result = upload(disk[0], config=False)
    assert result.returncode == 1 and "region" in result.stderr


def test_encrypted(lab, upload, disk):
    for options in (["--encrypted"], ["--kms-key", lab.env["LAB_KMS_KEY"]]):
        result = upload(*options, "--json", disk[0])
        assert result.returncode == 0, result.stderr
        assert json.loads(result.stdout)["encrypted"] is True
    result = upload("--encrypted", "--skip-zero-blocks", disk[0])
    assert result.returncode == 1 and "skip_zero_blocks" in result.stderr


@pytest.mark.parametrize("arguments, text", [
    ([], "upload-image needs an IMAGE"), (["a", "b"], "b is one argument too many"), (["--size", "0", "a"], "--size is '0'"),
    (["--tag", "x", "a"], "--tag is 'x', and should be KEY=VALUE"), (["--connections", "65", "a"], "--connections is '65'"),
    (["--boot-mode", "uefi", "a"], "--boot-mode is an AMI's: it goes with --register"), (["--nome", "a"], "there is no option --nome")])
def test_wrong_options(lab, upload, arguments, text):
    result = upload(*arguments)
    assert result.returncode == 2 and text in result.stderr and result.stdout == ""
    assert lab.calls() == [] or all(c["action"].startswith("Describe") for c in lab.calls())


def test_bad_values(lab, upload, disk, tmp_path):
    """What only shows later: an error in one line, and nothing made."""
    (tmp_path / "text").write_text("no image\n" * 100)
    for arguments, text in ((["/nowhere/x.img"], "/nowhere/x.img"), ([tmp_path], "not a file"), ([tmp_path / "text"], "text"),
                            (["--kms-key", "alias/x", disk[0]], "alias/x"), (["--register", "--architecture", "vax", disk[0]], "vax")):
        result = upload(*arguments)
        assert result.returncode == 1 and text in result.stderr, result.stderr
        assert result.stderr.startswith("cpi: ") and result.stderr.count("\n") == 1 and result.stdout == ""
    assert lab.calls("StartSnapshot") == []


def test_progress_on_a_terminal(lab, tmp_path, disk, upload):
    """A bar, over in one line; the id is still all that standard output gets."""
    lab.faults({"action": "PutSnapshotBlock", "kind": "delay", "seconds": 0.5, "count": -1})
    line, env = command(lab, tmp_path, "--connections", "1", disk[0], env={"TERM": "xterm"})
    leader, follower = pty.openpty()
    with subprocess.Popen(line, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=follower) as process:
        os.close(follower)
        shown = b""
        try:
            while chunk := os.read(leader, 65536):
                shown += chunk
        except OSError:  # the other end is closed
            pass
        os.close(leader)
        assert re.fullmatch(rb"snap-[0-9a-f]{17}\n", process.stdout.read())
        assert process.wait(60) == 0
    percents = [int(p) for p in re.findall(rb"(\d+) %", shown)]
    assert percents == sorted(percents) and percents[-1] == 100 and any(0 < p < 100 for p in percents), shown
    assert upload is not None


def running(lab, folder, *arguments):
    line, env = command(lab, folder, *arguments)
    return subprocess.Popen(line, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_interrupted(lab, tmp_path, disk, upload):
    """Ctrl-C: the snapshot is gone, and the message says why it ended."""
    assert upload is not None
    lab.faults({"action": "PutSnapshotBlock", "kind": "hold", "skip": 3, "count": -1})
    with running(lab, tmp_path, "--connections", "2", disk[0]) as process:
        wait_until(lambda: len(lab.calls("PutSnapshotBlock")) > 3, 30)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 1 and out == "" and "stopped by signal 2" in err and "left behind" not in err


@pytest.mark.parametrize("resume", [True, False])
def test_killed(lab, tmp_path, disk, upload, resume):
    with running(lab, tmp_path, "--connections", "2", disk[0]) as process:
        lab.faults({"action": "PutSnapshotBlock", "kind": "signal", "signal": "KILL", "pid": process.pid, "skip": 6, "when": "before", "count": 1})
        process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    lab.clear()
    pending = lab.calls("PutSnapshotBlock")[0]["params"]["SnapshotId"]
    result = upload("--json", *([] if resume else ["--no-resume"]), disk[0])
    assert result.returncode == 0, result.stderr
    told = json.loads(result.stdout)
    assert (told["snapshot_id"] == pending) == resume
    assert (told["resumed_blocks"] > 0) == resume
    assert is_image(blocks_of(lab, told["snapshot_id"]), disk[1])
    assert sweep(lab, tmp_path, "--delete").returncode == 0
    assert told["snapshot_id"] in account(lab)["snapshots"]
    for path in states(tmp_path):  # the first one's, which --no-resume has not looked at
        assert not resume
        os.unlink(path)


def test_closed_standard_output(lab, tmp_path, disk, upload):
    """An id that nobody gets: what was made is taken back."""
    line, env = command(lab, tmp_path, disk[0])
    result = subprocess.run(["sh", "-c", 'exec "$@" >&-', "sh", *line], env=env, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 1 and "standard output" in result.stderr
    assert upload is not None


def test_help():
    text = subprocess.run([CPI, "--help"], env=director_env(), capture_output=True, text=True, check=True).stdout
    assert "cpi upload-image IMAGE" in text and "--no-resume" in text


def test_config_that_says_more(lab, upload, disk, tmp_path):
    """Connections and zero blocks of the configuration count, and the options win."""
    config = config_with(lab, stemcell={"upload_connections": 1})
    (tmp_path / "cpi.json").write_text(json.dumps(config))
    for options, most in (([], 1), (["--connections", "5"], 5)):
        lab.forget_calls()
        lab.faults({"action": "PutSnapshotBlock", "kind": "hold", "count": -1})
        thread, results = beside(lambda: upload("--json", *options, "--config", tmp_path / "cpi.json", disk[0], config=False))
        wait_until(lambda: len(lab.calls("PutSnapshotBlock")) == most, 60)
        lab.clear()
        thread.join()
        assert results[0].returncode == 0, results[0].stderr
        assert json.loads(results[0].stdout)["most_at_once"] == most
