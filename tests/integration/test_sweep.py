# SPDX-License-Identifier: Apache-2.0
"""cpi sweep: what it lists, what it removes, and what it leaves alone."""
import json
import os
import re
import signal
import subprocess

import pytest
from conftest import CPI, account, director_context, run_cpi
from test_create_stemcell import REQUEST_TAG, config_with, created, heavy, journals, state_env
from test_kill import Running, sweep

DIRECTOR = director_context()["director_uuid"]


def broken_off(lab, stemcell, folder, action="RegisterImage", when="after"):
    """A create_stemcell that was killed at a call; its journal's path."""
    known = journals(folder)
    running = Running(lab, folder)
    lab.faults({"action": action, "kind": "signal", "signal": "KILL", "when": when, "pid": running.pid})
    running.send(heavy(stemcell))
    running.end()
    assert running.process.returncode == -signal.SIGKILL
    lab.clear()
    (journal,) = set(journals(folder)) - set(known)
    return journal


def rows(swept):
    """(kind, id, rest) of the table."""
    return re.findall(r"^(volume|snapshot|image) +(\S+) +(.*)$", swept.stdout, re.MULTILINE)


def test_nothing(lab, tmp_path):
    swept = sweep(lab, tmp_path)
    assert swept.returncode == 0
    assert "0 found" in swept.stdout and str(tmp_path) in swept.stdout


def test_list_then_delete(lab, stemcell, tmp_path):
    before = account(lab)
    journal = broken_off(lab, stemcell, tmp_path)
    listed = sweep(lab, tmp_path)
    assert listed.returncode == 0
    found = rows(listed)
    assert [kind for kind, _, _ in found] == ["image", "snapshot"], listed.stdout
    assert all("left behind" in rest and DIRECTOR in rest and "create_stemcell" in rest for _, _, rest in found)
    assert journals(tmp_path) == [journal]
    assert account(lab) != before
    removed = sweep(lab, tmp_path, "--delete")
    assert removed.returncode == 0, removed.stdout + removed.stderr
    assert all("removed" in rest for _, _, rest in rows(removed)) and "removed" in removed.stdout
    assert account(lab) == before
    assert journals(tmp_path) == []
    assert "0 found" in sweep(lab, tmp_path).stdout


def test_an_answer_on_its_way_is_removed_by_id_alone(lab, stemcell, tmp_path):
    """The Director may have it."""
    before = account(lab)
    journal = broken_off(lab, stemcell, tmp_path)
    with open(journal, "a", encoding="ascii") as f:
        f.write('{"answering":0}\n')
    swept = sweep(lab, tmp_path, "--delete")
    assert swept.returncode == 0
    assert "0 removed" in swept.stdout and "may be in use" in swept.stdout
    ami = next(i for kind, i, _ in rows(swept) if kind == "image")
    assert ami in account(lab)["images"]
    assert journals(tmp_path) == [journal]
    # options and CONFIG may come in any order; ids stand behind CONFIG
    swept = subprocess.run([CPI, "sweep", lab.config_path, "--delete", ami], env=state_env(tmp_path), capture_output=True,
                           text=True, timeout=120, check=False)
    assert swept.returncode == 0, swept.stdout + swept.stderr
    # its snapshot went along
    assert account(lab) == before
    assert sweep(lab, tmp_path, "--delete").returncode == 0
    assert journals(tmp_path) == []


def test_a_live_one_is_left_alone(lab, stemcell, tmp_path):
    before = account(lab)
    lab.states(snapshot={"completed": 3})
    running = Running(lab, tmp_path)
    running.send(heavy(stemcell))
    running.sees("taking snapshot")
    swept = sweep(lab, tmp_path, "--delete")
    assert swept.returncode == 0
    assert "0 found" in swept.stdout and "1 of live ones skipped" in swept.stdout
    ami = json.loads(running.end())["result"]
    assert ami
    created(run_cpi(lab, {"method": "delete_stemcell", "arguments": [ami]}, env=state_env(tmp_path)))
    assert account(lab) == before


@pytest.mark.parametrize("field, value", [("endpoint", "https://ec2.eu-west-1.amazonaws.com/"), ("access_key_id", "AKIAOTHER")])
def test_other_accounts_are_left_alone(lab, stemcell, tmp_path, field, value):
    before = account(lab)
    journal = broken_off(lab, stemcell, tmp_path)
    with open(journal, encoding="utf-8") as f:
        text = f.read()
    header = json.loads(text.splitlines()[0])
    with open(journal, "w", encoding="utf-8") as f:
        f.write(json.dumps(header | {field: value}) + "\n" + text.partition("\n")[2])
    swept = sweep(lab, tmp_path, "--delete")
    assert swept.returncode == 0
    assert "0 found" in swept.stdout and "1 for another endpoint or access key left alone" in swept.stdout
    assert journals(tmp_path) == [journal]
    with open(journal, "w", encoding="utf-8") as f:
        f.write(text)
    assert sweep(lab, tmp_path, "--delete").returncode == 0
    assert account(lab) == before


def test_a_broken_journal_does_not_stop_the_others(lab, stemcell, tmp_path):
    before = account(lab)
    broken_off(lab, stemcell, tmp_path, "CreateVolume")
    directory = os.path.dirname(journals(tmp_path)[0])
    broken = os.path.join(directory, "0000000000000-broken.jsonl")
    with open(broken, "w", encoding="ascii") as f:
        f.write("rubbish\n")
    swept = sweep(lab, tmp_path, "--delete")
    assert swept.returncode == 1
    assert broken in swept.stderr
    assert account(lab) == before
    assert journals(tmp_path) == [broken]


def test_what_cannot_be_removed(lab, stemcell, tmp_path):
    before = account(lab)
    journal = broken_off(lab, stemcell, tmp_path, "CreateVolume")
    lab.faults({"action": "DeleteVolume", "kind": "error", "status": 403, "code": "UnauthorizedOperation", "count": -1})
    swept = sweep(lab, tmp_path, "--delete")
    assert swept.returncode == 1
    assert re.search(r"not removed: .*UnauthorizedOperation", swept.stdout)
    assert journals(tmp_path) == [journal]
    lab.reset()
    assert sweep(lab, tmp_path, "--delete").returncode == 0
    assert account(lab) == before


# --- by tag ---

def test_by_tag(lab, stemcell, tmp_path):
    """Another machine's: its journals are not here."""
    before = account(lab)
    broken_off(lab, stemcell, tmp_path / "other", "CreateSnapshot")
    assert rows(sweep(lab, tmp_path)) == []
    listed = sweep(lab, tmp_path, "--by-tag", "--director", DIRECTOR)
    assert listed.returncode == 0
    mine = [(kind, i) for kind, i, _ in rows(listed)]
    assert {kind for kind, _ in mine} >= {"volume", "snapshot"}
    left = set(account(lab)["volumes"]) - set(before["volumes"]) | set(account(lab)["snapshots"]) - set(before["snapshots"])
    assert left <= {i for _, i in mine}
    assert sweep(lab, tmp_path, "--by-tag", "--director", DIRECTOR, "--delete").returncode != 0
    command = [CPI, "sweep", "--by-tag", "--director", DIRECTOR, "--delete", lab.config_path]
    refused = subprocess.run(command + ["vol-00000000000000001"], env=state_env(tmp_path), capture_output=True, text=True,
                             timeout=120, check=False)
    assert refused.returncode == 1 and "not among what was found" in refused.stderr
    removed = subprocess.run(command + sorted(left), env=state_env(tmp_path), capture_output=True, text=True, timeout=120,
                             check=False)
    assert removed.returncode == 0, removed.stdout + removed.stderr
    assert account(lab) == before


def test_by_tag_needs_a_director(lab, tmp_path):
    for arguments in (["--by-tag"], ["--by-tag", "--director", "*"]):
        swept = sweep(lab, tmp_path, *arguments)
        assert swept.returncode != 0
        assert "director" in swept.stderr


def test_another_directors_things_are_not_listed(lab, tmp_path):
    volume = lab.ec2.create_volume(Size=1, AvailabilityZone="us-east-1a", TagSpecifications=[
        {"ResourceType": "volume", "Tags": [{"Key": REQUEST_TAG, "Value": f"x{DIRECTOR}/r/1-00000000"}]}])["VolumeId"]
    assert volume not in sweep(lab, tmp_path, "--by-tag", "--director", DIRECTOR).stdout
    lab.ec2.delete_volume(VolumeId=volume)


def test_wrong_credentials(lab, stemcell, tmp_path):
    before = account(lab)
    broken_off(lab, stemcell, tmp_path, "CreateVolume")
    wrong = tmp_path / "wrong.json"
    wrong.write_text(json.dumps(config_with(lab, secret_access_key="wrong" * 8)), encoding="ascii")
    swept = subprocess.run([CPI, "sweep", str(wrong), "--delete"], env=state_env(tmp_path), capture_output=True, text=True,
                           timeout=120, check=False)
    assert swept.returncode == 1 and "wrongwrong" not in swept.stdout + swept.stderr
    assert len(journals(tmp_path)) == 1
    assert sweep(lab, tmp_path, "--delete").returncode == 0
    assert account(lab) == before
