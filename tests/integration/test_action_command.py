# SPDX-License-Identifier: Apache-2.0
"""`cpi ACTION` at a terminal, in a pipe, with wrong parameters, and with whose credentials and in which region it works."""
import json
import os
import re
import unicodedata

import pytest
from command_kit import ACTIONS, NOBODY, lab_env, run, signed_by, users, write_profiles
from conftest import CPI, account
from tmux_kit import PROMPT, Window, plain

pytestmark = pytest.mark.beyond_incumbent

GREEN, RED = "\x1b[32m", "\x1b[31m"


@pytest.fixture
def cpi(lab, tmp_path):
    """cpi("list_workers", …) with the lab's keys in the environment."""
    def call(*arguments, **more):
        return run(lab_env(lab, tmp_path, **more), *arguments)
    return call


@pytest.fixture
def window(lab, tmp_path):
    """window(columns, **env): a terminal with a shell where `cpi` is ours."""
    windows = []

    def make(columns, **more):
        env = lab_env(lab, tmp_path, LANG="C.UTF-8", PS1=PROMPT, PATH=os.path.dirname(CPI) + ":/usr/bin:/bin", **more)
        windows.append(Window(tmp_path, columns, ["bash", "--norc", "--noprofile", "-i"], env))
        return windows[-1]
    yield make
    for each in windows:
        each.end()


def make_worker(lab, name, state="running"):
    """An instance with that name, by boto3."""
    found = lab.ec2.run_instances(ImageId=lab.light_ami, MinCount=1, MaxCount=1, InstanceType="t2.micro", TagSpecifications=[
        {"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": name}]}])["Instances"][0]["InstanceId"]
    if state == "stopped":
        lab.ec2.stop_instances(InstanceIds=[found])
    return found


@pytest.fixture
def workers(lab):
    """Three instances: running with a long name, running with wide characters and a control character (the CSI of a terminal that
    takes eight bits; XML has no other ones), stopped."""
    made = [make_worker(lab, "a-name-that-is-far-too-long-for-any-column-of-a-narrow-window"),
            make_worker(lab, "名前\u009b31mé"), make_worker(lab, "third", "stopped")]
    yield made
    lab.ec2.terminate_instances(InstanceIds=made)


def width(text):
    """The columns that it takes."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in plain(text))


# A terminal

def test_table_in_a_wide_window(window, workers):
    lines, status = window(200).output("cpi list_workers")
    assert status == 0 and plain(lines[0]).split() == ["id", "name", "state", "type", "public", "IP", "private", "IP"]
    assert lines[0].startswith("\x1b[1m")
    rows = {plain(line).split()[0]: line for line in lines[1:]}
    assert set(workers) <= set(rows)
    assert "a-name-that-is-far-too-long-for-any-column-of-a-narrow-window" in rows[workers[0]]
    assert GREEN + "running" in rows[workers[0]] and RED + "stopped" in rows[workers[2]]
    assert "名前?31mé" in rows[workers[1]]
    # the states stand below their heading, whatever stands before them
    at = width(lines[0].split("state")[0])
    assert {width(re.split("running|stopped|terminated", line)[0]) for line in lines[1:]} == {at}


def test_table_in_a_narrow_window(window, workers):
    for columns in (80, 64):
        lines, status = window(columns).output("cpi list_workers")
        assert status == 0
        assert all(width(line) <= columns for line in lines)
        rows = {plain(line).split()[0]: plain(line) for line in lines[1:]}
        assert set(workers) <= set(rows), "ids are whole"
        assert "…" in rows[workers[0]]


def test_columns_is_heard(window, workers):
    lines, _ = window(200, COLUMNS="80").output("COLUMNS=80 cpi list_workers")
    assert all(width(line) <= 80 for line in lines) and any("…" in line and workers[0] in line for line in lines)


def test_no_colour(window, workers):
    terminal = window(150)
    for command in ("NO_COLOR=1 cpi list_workers", "TERM=dumb cpi list_workers"):
        lines, _ = terminal.output(command)
        assert any(workers[0] in line for line in lines) and not any("\x1b" in line for line in lines)


def test_ascii_where_the_locale_says_so(window, workers):
    lines, _ = window(80).output("LANG=C cpi list_workers")
    row = next(line for line in lines if workers[0] in line)
    assert ".." in row and row.isascii()


def test_empty_list(window):
    assert window(80).output("cpi list_workers --region eu-west-3") == (["no workers in eu-west-3"], 0)


def test_volumes_on_a_terminal(lab, window):
    volume = lab.ec2.create_volume(AvailabilityZone="us-east-1a", Size=12)["VolumeId"]
    lines, _ = window(120).output("cpi get_volumes")
    assert plain(lines[0]).split() == ["id", "MiB", "state", "zone", "attached", "to"]
    row = next(line for line in lines if volume in line)
    assert plain(row).split() == [volume, "12288", "available", "us-east-1a", "-"]
    assert GREEN + "available" in row
    lab.ec2.delete_volume(VolumeId=volume)


def test_lines_on_a_terminal(window, workers):
    terminal = window(80)
    lines, _ = terminal.output(f"cpi get_worker --worker-id {workers[2]}")
    told = dict(plain(line).split(None, 1) for line in lines)
    assert (told["id"], told["name"], told["state"], told["availability_zone"][:-1]) == (workers[2], "third", "stopped", "us-east-1")
    assert len({len(plain(line)) - len(plain(line).split(None, 1)[1]) for line in lines}) == 1, "values stand below each other"
    assert terminal.output(f"cpi has_worker --worker-id {NOBODY}")[0] == ["exists  false"]
    assert terminal.output(f"cpi set_worker_metadata --worker-id {workers[2]} --key k --value ''") == (["success"], 0)
    lines, _ = terminal.output("cpi test_install")
    assert all(width(line) <= 80 for line in lines)
    assert "us-east-1" in " ".join(lines).split() and lines[1].split() == ["account", "123456789012"]


def test_json_on_a_terminal(window, workers):
    lines, status = window(2000).output("cpi list_workers --json")
    assert status == 0 and workers[0] in {w["id"] for w in json.loads("".join(lines))["workers"]}


def test_failure_on_a_terminal(window):
    lines, status = window(120).output(f"cpi get_worker --worker-id {NOBODY}")
    assert status == 1 and lines[0].startswith("cpi: DescribeInstances failed: ") and not any("{" in line for line in lines)


# A pipe

def test_json_in_a_pipe(cpi, workers):
    result = cpi("list_workers")
    assert result.returncode == 0 and result.stderr == "" and result.stdout.count("\n") == 1
    told = {w["id"]: w for w in json.loads(result.stdout)["workers"]}
    assert told[workers[1]]["name"] == "名前\u009b31mé" and told[workers[2]]["state"] == "stopped"


def test_failure_in_a_pipe(cpi):
    result = cpi("get_worker", "--worker-id", NOBODY)
    answer = json.loads(result.stdout)
    assert result.returncode == 1 and answer["success"] is False
    assert answer["error"]["aws"]["code"] == "InvalidInstanceID.NotFound" and answer["error"]["aws"]["action"] == "DescribeInstances"
    assert answer["error"]["aws"]["request_id"] and answer["error"]["ok_to_retry"] is False
    assert result.stderr == f"cpi: {answer['error']['message']}\n"


def test_spellings(cpi, workers):
    for words in (["get_worker", "--worker-id", workers[2]], ["get-worker", "--worker_id", workers[2]],
                  ["get_worker", f"--worker-id={workers[2]}"], ["--json", "get-worker", f"--worker_id={workers[2]}"],
                  ["--region", "us-east-1", "get_worker", "--worker-id", workers[2]]):
        result = cpi(*words)
        assert result.returncode == 0, result.stderr
        assert json.loads(result.stdout)["vm"]["id"] == workers[2]


def test_a_value_that_looks_like_an_option(lab, cpi, workers):
    assert cpi("set_worker_metadata", "--worker-id", workers[2], "--key", "k", "--value=--json").returncode == 0
    tags = lab.ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [workers[2]]}, {"Name": "key", "Values": ["k"]}])["Tags"]
    assert tags[0]["Value"] == "--json"


# What cannot be printed is undone

def test_reader_that_is_gone(lab, tmp_path):
    before = account(lab)
    read, write = os.pipe()
    os.close(read)
    result = run(lab_env(lab, tmp_path), "create_volume", "--size-gb", "3", "--availability-zone", "us-east-1a", stdout=write)
    os.close(write)
    assert result.returncode == 1 and "removed again" in result.stderr and "standard output" in result.stderr
    assert len(lab.calls("CreateVolume")) == 1 and len(lab.calls("DeleteVolume")) == 1
    assert account(lab) == before


def test_what_is_printed_stays(lab, cpi):
    result = cpi("create_volume", "--size-gb", "3", "--availability-zone", "us-east-1a")
    volume = json.loads(result.stdout)["id"]
    assert lab.ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]["Size"] == 3
    assert json.loads(cpi("delete_volume", "--volume-id", volume).stdout) == {"success": True}


# Help

@pytest.mark.parametrize("action", ACTIONS)
def test_help(cpi, lab, action):
    required, optional = ACTIONS[action]
    result = cpi(action, "--help")
    assert result.returncode == 0 and result.stderr == ""
    assert result.stdout.startswith(f"usage: cpi {action} ")
    for name in (*required, *optional, "region"):
        line = next(line for line in result.stdout.split("\n") if line.startswith("  --" + name.replace("_", "-") + " "))
        assert ("(required)" in line) == (name in required) and len(line) > 40, line
    for text in ("--config CONFIG", "--profile PROFILE", "--json", "exit status:", f"example:\n  cpi {action} ", "us-east-1"):
        assert text in result.stdout
    assert max(map(len, result.stdout.split("\n"))) <= 120
    for other in (["help", action], ["help", action.replace("_", "-")], ["--help", action], [action, *"--region x -h".split()]):
        assert cpi(*other).stdout == result.stdout
    assert lab.calls() == []


@pytest.mark.parametrize("action", ACTIONS)
def test_examples_are_right(cpi, lab, action):
    """What the help's example says gets as far as AWS."""
    words = cpi(action, "--help").stdout.split("example:\n  cpi ")[1].split()
    lab.faults({"action": "*", "kind": "error", "code": "UnauthorizedOperation", "message": "no", "status": 403, "count": -1})
    result = cpi(*words)
    assert result.returncode == 1 and lab.calls(), result.stderr


def test_help_lists_the_actions(cpi):
    text = cpi("--help").stdout
    for action in ACTIONS:
        assert re.search(f"^  {action} +[A-Z]", text, re.MULTILINE)
    assert "cpi call METHOD" in text


# Wrong and missing parameters

WRONG = {
    "unknown command": (["list_worker"], "there is no command or file list_worker; did you mean list_workers?"),
    "unknown command with dashes": (["upload-imag"], "did you mean upload-image?"),
    "unknown and nothing near": (["xyzzy"], "there is no command or file xyzzy;"),
    "unknown topic": (["help", "list_worker"], "there is no command list_worker; did you mean list_workers?"),
    "missing": (["get_worker"], "get_worker needs --worker-id (ID of the instance). It takes --worker-id [--region]"),
    "one of two missing": (["create_snapshot", "--volume-id", "vol-1"], "create_snapshot needs --snapshot-name"),
    "unknown parameter": (["get_worker", "--worker-di", "x"], "get_worker has no option --worker-di. Did you mean --worker-id?"),
    "unknown with underscores": (["get_worker", "--worker_d=x"], "get_worker has no option --worker_d. Did you mean --worker-id?"),
    "another action's": (["list_workers", "--worker-id", "x"], "list_workers has no option --worker-id. It takes [--region] [--config]"),
    "another command's": (["list_workers", "--delete"], "list_workers has no option --delete."),
    "common option mistyped": (["list_workers", "--regoin", "x"], "Did you mean --region?"),
    "one dash": (["get_worker", "-worker-id", "x"], "get_worker has no option -worker-id."),
    "no value at the end": (["get_worker", "--worker-id"], "--worker-id needs a value (ID of the instance)"),
    "no value before an option": (["get_worker", "--worker-id", "--json"], "--worker-id needs a value (ID of the instance)"),
    "empty": (["get_worker", "--worker-id", ""], "--worker-id is empty, and should be a text (ID of the instance)"),
    "empty behind =": (["get_worker", "--worker-id="], "--worker-id is empty"),
    "empty region": (["list_workers", "--region", ""], "--region needs a value"),
    "twice": (["get_worker", "--worker-id", "a", "--worker_id=b"], "--worker_id is there twice"),
    "no number": (["create_volume", "--size-gb", "ten", "--availability-zone", "z"],
                  "--size-gb is 'ten', and should be a whole number from 1 to 65536"),
    "a fraction": (["create_volume", "--size-gb", "1.5", "--availability-zone", "z"], "--size-gb is '1.5'"),
    "too small": (["create_volume", "--size-gb", "0", "--availability-zone", "z"], "--size-gb is '0'"),
    "too large": (["create_volume", "--size-gb", "65537", "--availability-zone", "z"], "--size-gb is '65537'"),
    "negative": (["create_volume", "--size-gb=-1", "--availability-zone", "z"], "--size-gb is '-1'"),
    "far too large": (["create_volume", "--size-gb", "9" * 30, "--availability-zone", "z"], "should be a whole number"),
    "a word alone": (["get_worker", NOBODY], f"get_worker takes its parameters as --NAME VALUE, and {NOBODY} is none"),
    "no AMI": (["create_worker", "--worker-name", "x"], "nothing as ami. Give the ID of an AMI of region us-east-1"),
    "a flag with a value": (["list_workers", "--json=yes"], "--json takes no value"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong(cpi, lab, case):
    words, message = WRONG[case]
    result = cpi(*words)
    assert result.returncode == 2 and message in result.stderr and result.stderr.startswith("cpi: "), result.stderr
    assert "Arguments are not correct" not in result.stderr and result.stderr.count("\n") == 1
    if case != "no AMI":
        assert result.stdout == "" and "--help\n" in result.stderr
    assert lab.calls() == []


def test_a_file_is_a_configuration(tmp_path, lab, cpi, monkeypatch):
    """What is no command may be a file; and a path may name one that is missing: then the Director is answered."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "list_worker").write_text(json.dumps(lab.config))
    assert cpi("list_worker").returncode == 0
    for path in ("./list_workers", "cpi.json"):
        result = cpi(path)
        assert result.returncode == 0 and json.loads(result.stdout)["error"] is not None


# Whose credentials

def test_profile_wins(lab, cpi, tmp_path):
    """Over the environment's keys, and over those of a configuration."""
    first, second = users(lab)
    write_profiles(tmp_path, lab, default=(first, None), other=(second, "eu-west-1"))
    key = {user: lab.identities["users"][user]["access_key_id"] for user in (first, second)}
    mine = lab.env["AWS_ACCESS_KEY_ID"]
    ours = {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}

    cpi("list_workers")
    assert signed_by(lab) == (mine, "us-east-1")
    cpi("list_workers", **ours)
    assert signed_by(lab) == (key[first], "us-east-1")
    cpi("list_workers", AWS_PROFILE="other", **ours)
    assert signed_by(lab) == (key[second], "eu-west-1")
    cpi("list_workers", "--profile", "other")
    assert signed_by(lab) == (key[second], "eu-west-1")
    cpi("list_workers", "--profile", "default", AWS_PROFILE="other")
    assert signed_by(lab)[0] == key[first]
    cpi("list_workers", "--config", lab.config_path, "--profile", "other")
    assert signed_by(lab) == (key[second], lab.config["cloud"]["properties"]["aws"]["region"])


def test_profile_files_of_their_own(lab, cpi, tmp_path):
    first, second = users(lab)
    write_profiles(tmp_path, lab, other=(second, None))
    (tmp_path / ".aws").rename(tmp_path / "elsewhere")
    write_profiles(tmp_path, lab, other=(first, None))
    files = {"AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "elsewhere" / "credentials"), "AWS_CONFIG_FILE": str(tmp_path / "config")}
    cpi("list_workers", "--profile", "other", **files)
    assert signed_by(lab)[0] == lab.identities["users"][second]["access_key_id"]


def test_profile_that_is_missing(lab, cpi):
    result = cpi("list_workers", "--profile", "nobody")
    assert result.returncode == 1 and "the AWS profile nobody, which --profile names," in result.stderr
    assert lab.calls() == []


def test_configuration_against_none(lab, cpi, tmp_path):
    """With one, its keys and region count, and not the environment's."""
    first, _ = users(lab)
    told = lab.identities["users"][first]
    config = json.loads(json.dumps(lab.config))
    config["cloud"]["properties"]["aws"].update(access_key_id=told["access_key_id"], secret_access_key=told["secret_access_key"])
    path = tmp_path / "cpi.json"
    path.write_text(json.dumps(config))
    cpi("list_workers", "--config", str(path), AWS_REGION="eu-west-2")
    assert signed_by(lab) == (told["access_key_id"], config["cloud"]["properties"]["aws"]["region"])
    cpi("list_workers", AWS_REGION="eu-west-2")
    assert signed_by(lab) == (lab.env["AWS_ACCESS_KEY_ID"], "eu-west-2")
    result = cpi("list_workers", "--config", str(tmp_path / "none.json"))
    assert result.returncode == 1 and "none.json" in result.stderr and lab.calls() == []


def test_region(lab, cpi, tmp_path):
    """Parameter, configuration, AWS_REGION, profile, us-east-1: each is taken where those before it say nothing."""
    first, _ = users(lab)
    write_profiles(tmp_path, lab, default=(first, "eu-central-1"))
    config = json.loads(json.dumps(lab.config))
    aws = config["cloud"]["properties"]["aws"]
    aws["region"] = "eu-west-2"
    for name in ("ec2_endpoint", "elb_endpoint", "ebs_endpoint"):
        aws.pop(name, None)
    path = tmp_path / "cpi.json"
    path.write_text(json.dumps(config))
    sources = [(["--region", "eu-west-1"], {}, "eu-west-1"), (["--config", str(path)], {}, "eu-west-2"),
               ([], {"AWS_REGION": "eu-west-3"}, "eu-west-3"), ([], {"AWS_PROFILE": "default"}, "eu-central-1")]
    for at in range(len(sources)):
        words = [word for source in sources[at:] for word in source[0]]
        env = {name: value for source in sources[at:] for name, value in source[1].items()}
        result = cpi("list_workers", *words, **env)
        assert result.returncode == 0, result.stderr
        assert signed_by(lab)[1] == sources[at][2]
    (tmp_path / ".aws" / "credentials").unlink()
    cpi("list_workers")
    assert signed_by(lab)[1] == "us-east-1"
