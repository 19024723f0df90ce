# SPDX-License-Identifier: Apache-2.0
"""The pages for operators: each link leads somewhere, each block of JSON and YAML is some, each command is one that the program takes, each
session at a prompt gives what the page says, and each message is one that the sources have."""
import glob
import json
import os
import re
import subprocess
import sys

import pytest
import yaml
from command_kit import ACTIONS, lab_env
from conftest import CPI, ONHOST, ROOT
from docs_kit import INDENTED, PAGES, anchors, commands, fences, links, messages, pattern, sessions, text_of
from scenarios import holdings, small_image, wipe

sys.path.insert(0, os.path.join(ROOT, "tests", "tools"))
from c_texts import texts  # noqa: E402  pylint: disable=wrong-import-position

pytestmark = pytest.mark.once


# --- links ---

@pytest.mark.parametrize("page", PAGES)
def test_links(page):
    """Each leads to a file of the repository and, where it names a heading, to that."""
    for _, target in links(page):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        there = os.path.normpath(os.path.join(os.path.dirname(page), path)) if path else page
        assert os.path.exists(os.path.join(ROOT, there)), (page, target)
        assert not anchor or anchor in anchors(there), (page, target)


def test_the_readme_leads_to_every_page():
    led = {target for _, target in links("README.md")}
    assert {page for page in PAGES if page.startswith("docs/")} <= led


@pytest.mark.parametrize("page", PAGES)
def test_the_release_is_this_one(page):
    """Where a command names the tarball, the packages or their version."""
    version = re.search(r"^VERSION := (\S+)$", text_of("Makefile"), re.MULTILINE).group(1)
    named = re.findall(r"bosh-aws-cpi-(\d[\d.]*\d)|_(\d[\d.]*\d)_amd64\.deb|aws_cpi_version=(\d[\d.]*\d)", text_of(page))
    # and the Ruby CPI's, in the way back
    assert {"".join(each) for each in named} <= {version} | ({"107.3.2"} if page == "docs/moving.md" else set())


# --- JSON and YAML ---

@pytest.mark.parametrize("page", PAGES)
def test_json(page):
    """methods.md's and actions.md's are sent by test_docs.py, the configuration's given to cpi below."""
    for block in fences(page, "json"):
        json.loads(block)
    for block in fences(page, "yaml"):
        assert yaml.safe_load(block) is not None


def run(arguments, env, folder, stdin=subprocess.DEVNULL):
    return subprocess.run(arguments, env=env, cwd=folder, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=120, check=False)


@pytest.mark.parametrize("page", [page for page in PAGES if any('"cloud"' in block for block in fences(page, "json"))])
def test_configurations(lab, tmp_path, page):
    """Each block that is a whole cpi.json: cpi check says that it is valid."""
    for number, block in enumerate(fences(page, "json")):
        if "cloud" in json.loads(block):
            (tmp_path / f"{number}.json").write_text(block)
            shown = run([CPI, "check", f"{number}.json"], lab_env(lab, tmp_path), tmp_path).stdout
            assert f"configuration: {number}.json is valid" in shown


def test_parts_of_a_configuration(lab, tmp_path):
    """docs/builders.md shows members of aws alone."""
    parts = [json.loads("{" + block + "}") for block in INDENTED.findall(text_of("docs/builders.md")) if block.startswith('    "aws"')]
    assert [set(part["aws"]["stemcell"]) for part in parts] == [{"builder"}, {"builder", "ssh"}]
    for part in parts:
        part["aws"] |= {"region": "us-east-1", "credentials_source": "env_or_profile"}
        part["aws"]["stemcell"].get("ssh", {}).pop("host_key", None)  # the page's is cut short
        path = tmp_path / "cpi.json"
        path.write_text(json.dumps({"cloud": {"properties": part}}))
        assert "configuration: cpi.json is valid" in run([CPI, "check", "cpi.json"], lab_env(lab, tmp_path), tmp_path).stdout


# --- commands ---

def candidates(*words):
    """What cpi itself takes there: its completion knows."""
    shown = subprocess.run([CPI, "complete", *words], check=True, capture_output=True, text=True, timeout=30).stdout
    return {line.split("\t")[0] for line in shown.splitlines()}


@pytest.mark.parametrize("page", PAGES)
def test_cpi_commands(page):
    """The word is a command or a file, and the options are its own."""
    known = candidates("") | set(ACTIONS)
    for first, *rest in commands(page, "cpi"):
        options = {word.split("=")[0] for word in [first, *rest] if re.match("--[a-z]", word)}
        if first in known:
            allowed = candidates(first, "--") | {"--help", "--config"}
            assert options <= {each.rstrip("=") for each in allowed}, (page, first, rest)
        else:
            assert re.fullmatch(r"CONFIG|ACTION|\S*cpi\.json|--help|--version", first), (page, first, rest)


@pytest.mark.parametrize("page", PAGES)
def test_onhost_commands(page):
    helps = {}
    for first, *rest in commands(page, "onhost"):
        if first in ("--help", "--version"):
            continue
        if first not in helps:
            helps[first] = run([ONHOST, first, "--help"], os.environ, ROOT)
        shown = helps[first]
        assert shown.returncode == 0, (page, first, shown.stdout)
        for option in [word.split("=")[0] for word in rest if word.startswith("--")]:
            assert option in shown.stdout, (page, first, option)


@pytest.mark.parametrize("page", PAGES)
def test_make_targets(page):
    targets = set(re.findall(r"^([a-z][a-z-]*):", text_of("Makefile"), re.MULTILINE))
    for words in commands(page, "make"):
        if re.fullmatch(r"[A-Z_]+=.*|[a-z][a-z-]*", words[0]):
            assert {word for word in words if "=" not in word} <= targets, (page, words)


# --- sessions at a prompt ---

ID = re.compile(r"\b(?:vol|ami|snap|i)-[0-9a-f]{17}\b")


@pytest.fixture(name="prompt")
def _prompt(lab, tmp_path):
    """A folder with cpi.json and image, as the pages have them, and the programs in PATH."""
    before = holdings(lab)
    for name, program in (("cpi", CPI), ("onhost", ONHOST)):
        (tmp_path / "bin").mkdir(exist_ok=True)
        (tmp_path / "bin" / name).symlink_to(program)
    (tmp_path / "cpi.json").write_text(json.dumps(lab.config))
    (tmp_path / "image").symlink_to(small_image(lab))
    env = lab_env(lab, tmp_path, AWS_CPI_STATE_DIR=str(tmp_path / "state"))
    env["PATH"] = f"{tmp_path}/bin:{env['PATH']}"
    yield lambda command: run(["sh", "-c", command], env, tmp_path).stdout
    lab.reset()
    wipe(lab, before)


@pytest.mark.beyond_incumbent
@pytest.mark.parametrize("page", [page for page in PAGES if sessions(page)])
def test_sessions(prompt, page):
    """Line by line, with ids of the page's own: where the page has one for the first time, any will do."""
    known = {}
    for each in sessions(page):
        command = ID.sub(lambda match: known.get(match.group(0), match.group(0)), each.command)
        shown = prompt(command).splitlines()
        assert len(shown) == len(each.answer), (each.command, shown)
        for said, real in zip(each.answer, shown):
            wanted = re.escape(said).replace("…", ".*")
            for place in dict.fromkeys(ID.findall(said)):
                name = "id" + place.replace("-", "")
                if place in each.command:  # it is asked for by that id
                    continue
                wanted = wanted.replace(re.escape(place), f"(?P<{name}>{ID.pattern})", 1)
            match = re.fullmatch(wanted, real)
            assert match, (each.command, said, real)
            known |= {place: match.group("id" + place.replace("-", "")) for place in ID.findall(said) if place not in each.command}


# --- messages ---

@pytest.fixture(scope="module", name="sources")
def _sources():
    """All texts of the programs."""
    found = []
    for folder in ("common", "cpi", "onhost"):
        for path in glob.glob(os.path.join(ROOT, folder, "**", "*.c"), recursive=True):
            with open(path, encoding="utf-8") as f:
                found += texts(f.read())
    return found


@pytest.mark.parametrize("page", [page for page in PAGES if messages(page)])
def test_messages_are_the_programs(page, sources):
    """AWS's own codes aside, which test_docs_trouble.py has the lab answer with."""
    for message in messages(page):
        if not message.startswith("AWS code "):
            assert any(pattern(message).search(text) for text in sources), message
    assert any("(AWS code " in text for text in sources)
