# SPDX-License-Identifier: Apache-2.0
"""The BOSH job aws_cpi: its templates, rendered by Ruby and ERB with the properties of manifests that were written for the Ruby CPI, and
the programs started by what came of it."""
import json
import os
import re
import stat
import subprocess

import pytest
import release_job_kit as kit
import yaml
from conftest import director_context

pytestmark = pytest.mark.once

# starts as bin/cpi starts cpi, and tells its arguments and variables, which may be of several lines
TELL = "#!/bin/sh\nprintf '%s\\0' \"$#\" \"$@\"\nexec env -0\n"
ODD = ["http://user:it's@proxy:3128", 'http://u:a"b"@p', "http://u:$(touch x)`touch y`$HOME@p", "back\\slash\\", "two\nlines", "-n ; exit 7 #",
       "*.bosh, 10.0.0.0/8 !x", "%{x} <%= 1 %>", "ä€"]


def spec():
    """The job's spec."""
    with open(os.path.join(kit.JOB, "spec"), encoding="utf-8") as file:
        return yaml.safe_load(file)


def environment(properties, folder, *arguments, env=None):
    """bin/cpi's arguments for cpi, and the variables that it sees."""
    (folder / "tell").write_text(TELL)
    (folder / "tell").chmod(0o755)
    program, variables = kit.installed(properties, folder, {"cpi": folder / "tell"})
    done = subprocess.run([program, *arguments], env=variables | (env or {}), capture_output=True, check=True, timeout=60, cwd=folder)
    words = done.stdout.decode().split("\0")[:-1]
    count = int(words[0])
    return words[1:count + 1], dict(word.split("=", 1) for word in words[count + 1:])


def call(program, variables, method, *arguments, **context):
    """One call through bin/cpi: its answer."""
    request = {"method": method, "arguments": list(arguments), "context": director_context(**context), "api_version": 2}
    done = subprocess.run([program], input=json.dumps(request), env=variables, capture_output=True, text=True, check=False, timeout=120)
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", kit.SETS)
def test_a_manifest_for_the_ruby_cpi_gives_the_same_cpi_json(name, tmp_path):
    """As JSON: nothing more, nothing less, and the same types. And the program reads it."""
    properties, expected = kit.SETS[name]
    program, variables = kit.installed(properties, tmp_path)
    config = tmp_path / "jobs" / "aws_cpi" / "config" / "cpi.json"
    assert json.loads(config.read_text()) == expected
    answer = call(program, variables, "info")
    assert answer["error"] is None, answer
    assert answer["result"]["api_version"] == expected["cloud"]["properties"]["debug"]["cpi"]["api_version"]


@pytest.mark.parametrize("name", kit.OURS)
def test_a_property_of_ours_adds_itself_alone(name, tmp_path):
    """Each by itself; false is a value."""
    value, added = kit.OURS[name]
    properties = kit.nested({name: value}) | {"env": {}}
    properties["aws"].update(kit.LEAST["aws"])
    assert kit.configuration(properties, tmp_path) == kit.document(aws=added)


def test_all_of_ours_together(tmp_path):
    """Objects of several of them hold them all; a kernel's id stays where it has always been."""
    properties = kit.nested({name: value for name, (value, _) in kit.OURS.items()} | {"aws.stemcell.kernel_id": "aki-1"})
    properties["aws"].update(kit.LEAST["aws"])
    written = kit.configuration(properties, tmp_path)["cloud"]["properties"]
    assert written["stemcell"] == {"kernel_id": "aki-1"}
    assert set(written["aws"]["stemcell"]) == {"builder", "onhost_path", "upload_connections", "skip_zero_blocks", "ssh"}
    assert set(written["aws"]["stemcell"]["ssh"]) == {"host", "port", "user", "private_key", "private_key_file", "host_key", "onhost_path"}


def test_names_and_defaults_are_the_ruby_cpis():
    """All of its properties are there with its defaults, and ours have none."""
    properties = spec()["properties"]
    for name, default in kit.INHERITED.items():
        assert properties[name].get("default") == default, name
    ours = set(properties) - set(kit.INHERITED)
    assert ours == set(kit.OURS) | {"env.variables"}
    assert all("default" not in properties[name] for name in ours)
    for name, facts in properties.items():
        assert facts["description"].strip().endswith("."), name


def test_the_templates_ask_for_what_the_spec_has(tmp_path):
    """Every property is used, and none that is not declared, which BOSH would leave out without a word."""
    asked = set()
    for properties in ({**kit.LEAST, "registry": {"username": "u", "password": "p", "host": "h"}, "nats": {"address": "a", "password": "p"}},
                       {**kit.LEAST, "agent": {"mbus": "m"}}):
        asked |= set(json.loads(kit.render(properties, tmp_path).stdout)["asked"])
    assert asked == set(spec()["properties"])


def test_spec_and_release_are_named_as_manifests_name_them():
    """Job, package, release, and each template there and listed."""
    facts = spec()
    assert facts["name"] == "aws_cpi" and facts["packages"] == ["aws_cpi"]
    assert set(facts["templates"]) == set(os.listdir(os.path.join(kit.JOB, "templates")))
    assert set(facts["templates"].values()) == {"bin/cpi", "bin/cpi_ctl", "config/cpi.json", "config/cacert.pem"}
    with open(os.path.join(kit.ROOT, "packaging", "bosh", "config", "final.yml"), encoding="utf-8") as file:
        assert yaml.safe_load(file)["name"] == "bosh-aws-cpi"


@pytest.mark.parametrize("properties, said", [
    ({"aws": {"region": "r"}}, "aws.default_security_groups"),
    ({"aws": {"default_security_groups": ["bosh"]}}, "aws.region"),
    ({**kit.LEAST, "registry": {"host": "h", "username": "u"}}, "registry.password"),
    ({**kit.LEAST, "nats": {"password": "p"}}, "'agent.nats.address', or 'nats.address'"),
    ({**kit.LEAST, "env": {"variables": {"A B": "1"}}}, 'env.variables: "A B" is no name of a variable'),
    ({**kit.LEAST, "env": {"variables": {"A\nB": "1"}}}, 'env.variables: "A\\nB" is no name of a variable'),
])
def test_what_is_missing_or_wrong_is_named(properties, said, tmp_path):
    """When the manifest is deployed, not when the first VM is made."""
    done = kit.render(properties, tmp_path, check=False)
    assert done.returncode == 1 and said in done.stderr


@pytest.mark.parametrize("first", range(0, len(ODD), 3))
def test_proxies_and_variables_come_through_as_they_are(first, tmp_path):
    """Whatever they are made of; proxies in both cases, which different programs want."""
    proxies = dict(zip(("http_proxy", "https_proxy", "no_proxy"), ODD[first:]))
    odd = {f"ODD_{number}": value for number, value in enumerate(ODD)}
    words, variables = environment({**kit.LEAST, "env": proxies | {"variables": odd | {"NUMBER": 7}}}, tmp_path)
    assert words == [str(tmp_path / "jobs" / "aws_cpi" / "config" / "cpi.json")]
    for name, expected in proxies.items():
        assert variables[name] == expected and variables[name.upper()] == expected
    assert {name: variables[name] for name in odd} == odd and variables["NUMBER"] == "7"
    assert not {"x", "y"} & set(os.listdir(tmp_path))


def test_without_proxies_the_callers_stay(tmp_path):
    """create-env hands its environment on, and the job does not take it away."""
    _, variables = environment(kit.LEAST, tmp_path, env={"https_proxy": "http://mine", "AWS_REGION": "eu-west-1", "BOSH_CA_CERT_FILE": "/mine"})
    assert variables["https_proxy"] == "http://mine" and variables["AWS_REGION"] == "eu-west-1"
    assert variables["BOSH_CA_CERT_FILE"] == "/mine" and "http_proxy" not in variables and "HTTPS_PROXY" not in variables


@pytest.mark.parametrize("certificate", [kit.PEM, "", "\n", None])
def test_the_ca_file_is_named_where_there_is_one(certificate, tmp_path):
    """An empty one would trust nobody: then it is the system's."""
    properties = {"aws": kit.LEAST["aws"] | {"connection_options": {"ca_cert": certificate}}}
    _, variables = environment(properties, tmp_path)
    path = tmp_path / "jobs" / "aws_cpi" / "config" / "cacert.pem"
    assert path.read_text() == (certificate or "") + "\n"
    assert variables.get("BOSH_CA_CERT_FILE") == (str(path) if certificate == kit.PEM else None)


def test_home_and_state_directory(tmp_path):
    """The Director sets no HOME; a container may have none that can be written to."""
    _, variables = environment(kit.LEAST, tmp_path)
    assert variables["HOME"] == str(tmp_path) and "AWS_CPI_STATE_DIR" not in variables
    _, variables = environment(kit.LEAST, tmp_path, env={"HOME": "/nowhere"})
    assert variables["AWS_CPI_STATE_DIR"] == f"{tmp_path}/aws-cpi-{os.geteuid()}"
    _, variables = environment({**kit.LEAST, "env": {"variables": {"AWS_CPI_STATE_DIR": "/mine"}}}, tmp_path, env={"HOME": "/nowhere"})
    assert variables["AWS_CPI_STATE_DIR"] == "/mine"
    program, variables = kit.installed(kit.LEAST, tmp_path, {"cpi": tmp_path / "tell"})
    del variables["HOME"]
    done = subprocess.run([program], env=variables, capture_output=True, check=True, timeout=60)
    assert re.search(rb"\0HOME=(/[^\0]+)\0", done.stdout)


def test_by_hand_any_command_runs_in_the_jobs_environment(tmp_path):
    """bin/cpi with arguments."""
    words, variables = environment({**kit.LEAST, "env": {"https_proxy": "http://p"}}, tmp_path, "check", "a b")
    assert words == ["check", "a b"] and variables["https_proxy"] == "http://p"


def test_secrets_are_not_left_for_others_to_read(tmp_path):
    """create-env writes everything by its umask; the first call makes that good."""
    def modes():
        job = tmp_path / "jobs" / "aws_cpi"
        return [stat.S_IMODE((job / name).stat().st_mode) for name in ("config/cpi.json", "bin/cpi")]
    environment(kit.LEAST, tmp_path)
    assert modes() == [0o600, 0o700]


@pytest.mark.parametrize("properties", [kit.LEAST, kit.SETS["proxies"][0], kit.SETS["endpoints"][0]], ids=["least", "proxies", "CA"])
def test_shellcheck_takes_what_is_rendered(properties, tmp_path):
    """bin/cpi and bin/cpi_ctl, with nothing left out."""
    kit.render(properties, tmp_path)
    done = subprocess.run(["shellcheck", tmp_path / "bin" / "cpi", tmp_path / "bin" / "cpi_ctl"], capture_output=True, text=True, check=False,
                          timeout=120)
    assert done.returncode == 0, done.stdout


def test_shellcheck_finds_no_harm_in_odd_proxies(tmp_path):
    """Only that a $ in single quotes stays one, which is what is wanted."""
    kit.render({**kit.LEAST, "env": {"https_proxy": " ".join(ODD)}}, tmp_path)
    done = subprocess.run(["shellcheck", "--exclude=SC2016", tmp_path / "bin" / "cpi"], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout


def test_the_cpi_reads_all_of_ours(tmp_path):
    """What the templates name is what the program knows: each wrong value is refused by the property's name."""
    wrong = {"aws.stemcell.builder": "no", "aws.stemcell.upload_connections": 65, "aws.stemcell.ssh.port": -1, "aws.stemcell.ssh.host": "-o",
             "aws.stemcell.ssh.user": "a b", "aws.stemcell.ssh.private_key_file": "rel", "aws.stemcell.ssh.private_key": "no",
             "aws.stemcell.ssh.onhost_path": "a b", "aws.stemcell.ssh.host_key": 1, "aws.stemcell.onhost_path": 1,
             "aws.stemcell.skip_zero_blocks": "no", "aws.ebs_endpoint": 1, "aws.metadata_endpoint": 1, "aws.worker_ami": 1}
    program, variables = kit.installed(kit.LEAST, tmp_path)
    for name, value in wrong.items():
        # where the template writes it, as the test above has seen
        config = kit.document(aws=kit.nested({name.removeprefix("aws."): value}))
        (tmp_path / "jobs" / "aws_cpi" / "config" / "cpi.json").write_text(json.dumps(config))
        answer = call(program, variables, "info")
        assert answer["error"] and name.rsplit(".", maxsplit=1)[-1] in answer["error"]["message"], (name, answer)


def for_lab(lab, **aws):
    """A manifest's properties that lead to the lab."""
    return {"aws": {"region": lab.env["AWS_REGION"], "default_security_groups": ["bosh"], "default_key_name": "bosh",
                    "ec2_endpoint": lab.endpoint, "elb_endpoint": lab.endpoint, **aws}}


def test_calls_reach_aws_with_the_manifests_credentials(lab, tmp_path):
    """Static keys; keys of the environment, as with `bosh create-env`; and a CPI config's, which come in the request's context."""
    keys = {"access_key_id": lab.env["AWS_ACCESS_KEY_ID"], "secret_access_key": lab.env["AWS_SECRET_ACCESS_KEY"]}
    program, variables = kit.installed(for_lab(lab, **keys), tmp_path / "static")
    assert call(program, variables, "has_vm", "i-0123456789abcdef0") | {"log": ""} == {"result": False, "error": None, "log": ""}
    program, variables = kit.installed(for_lab(lab, credentials_source="env_or_profile"), tmp_path / "environment")
    variables |= {"AWS_ACCESS_KEY_ID": keys["access_key_id"], "AWS_SECRET_ACCESS_KEY": keys["secret_access_key"]}
    assert call(program, variables, "has_vm", "i-0123456789abcdef0")["result"] is False
    wrong = {"access_key_id": "AKIAWRONG", "secret_access_key": "wrong"}
    program, variables = kit.installed(for_lab(lab, **wrong), tmp_path / "context")
    assert call(program, variables, "has_vm", "i-0123456789abcdef0")["error"]
    assert call(program, variables, "has_vm", "i-0123456789abcdef0", **keys)["result"] is False


@pytest.mark.beyond_incumbent
def test_cpi_check_takes_a_rendered_configuration(lab, tmp_path):
    """A person's first stop, started by the job's bin/cpi."""
    lab_properties = for_lab(lab, access_key_id=lab.env["AWS_ACCESS_KEY_ID"], secret_access_key=lab.env["AWS_SECRET_ACCESS_KEY"],
                             ebs_endpoint=lab.endpoint, stemcell={"builder": "direct"})
    program, variables = kit.installed(lab_properties, tmp_path)
    config = tmp_path / "jobs" / "aws_cpi" / "config" / "cpi.json"
    done = subprocess.run([program, "check", config], env=variables | {"AWS_ENDPOINT_URL_STS": lab.endpoint}, capture_output=True, text=True,
                          check=False, timeout=300)
    assert f"configuration: {config} is valid" in done.stdout and "WRONG" not in done.stdout, done.stdout
    assert done.returncode == 0
