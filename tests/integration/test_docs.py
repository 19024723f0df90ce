# SPDX-License-Identifier: Apache-2.0
"""docs/methods.md and docs/actions.md: their requests and answers are those that cpi gets and gives, with ids of their own.
And the man page of the actions is that of their table."""
import json
import os
import re
import shutil
import subprocess
import sys
from types import SimpleNamespace

import pytest
from conftest import ROOT, director_context, run_cpi
from scenarios import ACTIONS, METHODS, holdings, make_address, parameters, prepare, small_image, wipe
from test_create_stemcell import created, state_env

METHODS_PAGE = os.path.join(ROOT, "docs", "methods.md")
ACTIONS_PAGE = os.path.join(ROOT, "docs", "actions.md")
TARGET_GROUP = re.compile(r"(?<=:targetgroup/others/)[0-9a-f]+")
ID = re.compile(r"(?<![A-Za-z0-9])(vol|snap|ami|subnet|sg|rtb|eni|i)(-?)[0-9a-f]{8,}\b")
# what an account and a build have of their own
PUBLIC = re.compile(r'(?<="public_ip": )"[0-9.]+"')
VERSION = re.compile(r'(?<="version": )"[0-9]+[.][0-9][^"]*"(?=, "identity")')
# not AWS's: what the contract answers without a call
OTHERS = {
    "info": {"method": "info", "arguments": []},
    "ping": {"method": "ping", "arguments": []},
    "calculate_vm_cloud_properties": {"method": "calculate_vm_cloud_properties",
                                      "arguments": [{"cpu": 2, "ram": 4096, "ephemeral_disk_size": 10240}]},
    "configure_networks": {"method": "configure_networks", "arguments": ["i-00000000000000001", {}]},
}


def with_plain_ids(text, known):
    """vol-0123… becomes vol-00000000000000001, the next one …2, as they appear."""
    def plain(match):
        kind, dash, number = match.group(1), match.group(2), match.group(0)[len(match.group(1)) + len(match.group(2)):]
        numbers = known.setdefault(kind, [])
        if number not in numbers:
            numbers.append(number)
        return f"{kind}{dash}{numbers.index(number) + 1:017x}"
    return ID.sub(plain, text)


def example(lab, stemcell, folder, name):
    """[request, answer] as the page has them: the context, which is the same for all, stands there once."""
    scene = SimpleNamespace(request=OTHERS[name], env={}) if name in OTHERS else prepare(name, lab, stemcell)
    request = scene.request if name in ACTIONS else {"api_version": 2, **scene.request}
    answer = run_cpi(lab, request, env=state_env(folder) | scene.env)
    if name not in OTHERS:
        created(answer)
    known = {}
    pair = []
    for part in (request, answer.json):
        text = json.dumps(part)
        for path in (stemcell.image, small_image(lab)):
            text = text.replace(path, "/tmp/stemcell/image")
        text = text.replace(make_address(lab), "203.0.113.7")
        text = PUBLIC.sub('"203.0.113.8"', VERSION.sub('"0.1.0"', text))
        pair.append(json.loads(with_plain_ids(TARGET_GROUP.sub("0123456789abcdef", text), known)))
    return pair


def page(path):
    """name → (request, answer), as they stand there: a heading and two blocks of JSON."""
    with open(path, encoding="utf-8") as f:
        parts = re.split(r"^#### ", f.read(), flags=re.MULTILINE)[1:]
    return {part.split("\n", 1)[0].replace("`", ""):
            [json.loads(block) for block in re.findall(r"^```json\n(.*?)^```", part, re.MULTILINE | re.DOTALL)]
            for part in parts}


@pytest.mark.parametrize("path", [METHODS_PAGE, ACTIONS_PAGE], ids=os.path.basename)
def test_the_context(path):
    with open(path, encoding="utf-8") as f:
        block = re.search(r"^```json\n(.*?)^```", f.read(), re.MULTILINE | re.DOTALL).group(1)
    assert json.loads(block) == {"context": director_context()}


def test_every_method_has_its_example():
    assert sorted(page(METHODS_PAGE)) == sorted([*METHODS, *OTHERS])


def test_every_action_has_its_example():
    assert sorted(page(ACTIONS_PAGE)) == sorted(ACTIONS)


@pytest.mark.parametrize("name", parameters([*METHODS, *OTHERS, *ACTIONS]))
def test_example(lab, stemcell, tmp_path, name):
    before = holdings(lab)
    try:
        assert page(ACTIONS_PAGE if name in ACTIONS else METHODS_PAGE)[name] == example(lab, stemcell, tmp_path, name)
    finally:
        lab.reset()
        wipe(lab, before)


# --- the man page ---

DRIVER = os.path.join(os.environ.get("BUILD_DIR") or os.path.join(ROOT, "build"), "tests", "actions_driver")
MAN_PAGE = os.path.join(ROOT, "packaging", "man", "cpi-actions.7")


def definitions():
    return json.loads(subprocess.run([DRIVER], check=True, capture_output=True, timeout=30).stdout)


def test_the_man_page_is_the_tables():
    """`make man` writes it."""
    made = subprocess.run([sys.executable, os.path.join(ROOT, "tests", "tools", "actions_page.py")], check=True, timeout=30,
                          input=json.dumps(definitions()), capture_output=True, text=True).stdout
    with open(MAN_PAGE, encoding="ascii") as f:
        assert f.read() == made


def test_the_man_page_as_it_is_read():
    """Every action and parameter, with what is to be known of them."""
    if shutil.which("mandoc"):
        command = ["mandoc", "-T", "ascii", "-O", "width=100"]
    elif shutil.which("groff"):
        command = ["groff", "-mandoc", "-T", "ascii", "-rLL=100n", "-P-c"]
    else:
        pytest.skip("neither mandoc nor groff")
    shown = subprocess.run([*command, MAN_PAGE], check=True, capture_output=True, text=True, timeout=30).stdout
    shown = re.sub(".\b", "", shown)  # bold and underlined
    parts = re.split(r"^     (\w+)$", shown, flags=re.MULTILINE)
    entries = dict(zip(parts[1::2], parts[2::2]))
    assert list(entries) == [d["name"] for d in definitions()] and len(entries) == 19
    for each in definitions():
        entry = " ".join(entries[each["name"]].split())
        assert each["description"] + "." in entry
        for parameter in each["parameters"]:
            if parameter["name"] == "region":
                continue
            assert f"{parameter['name']} {parameter['description'].replace('…', '...')} (" in entry, (each["name"], entry)
            said = entry.partition(parameter["description"].replace("…", "...") + " (")[2].partition(")")[0]
            assert ("required" in said) == parameter["required"] and ("whole number" in said) == (parameter["type"] == "integer")
            assert parameter["default"] is None or parameter["default"] in said


def test_the_man_page_is_installed(tmp_path):
    """With a build that is there already."""
    done = subprocess.run(["make", "-C", ROOT, "-n", "install", f"DESTDIR={tmp_path}", "PREFIX=/usr"], check=True, text=True,
                          capture_output=True, timeout=60)
    assert f"packaging/man/cpi-actions.7 {tmp_path}/usr/share/man/man7/cpi-actions.7" in done.stdout


def test_the_page_has_every_parameter():
    """docs/actions.md names each one, and its default."""
    with open(ACTIONS_PAGE, encoding="utf-8") as f:
        text = f.read()
    for each in definitions():
        heading = f"`{each['name']}`" + (" (action)" if each["name"] == "delete_snapshot" else "")
        section = text.partition(f"#### {heading}\n")[2].partition("```json")[0]
        assert section, heading
        for parameter in each["parameters"]:
            assert parameter["name"] == "region" or f"`{parameter['name']}`" in section, (heading, parameter)
            assert parameter["name"] == "region" or parameter["default"] is None or \
                f"`{parameter['name']}` (`{parameter['default']}`)" in section, (heading, parameter)
