# SPDX-License-Identifier: Apache-2.0
"""docs/methods.md and docs/actions.md: their requests and answers are those that cpi gets and gives, with ids of their own."""
import json
import os
import re
from types import SimpleNamespace

import pytest
from conftest import ROOT, director_context, run_cpi
from scenarios import ACTIONS, METHODS, holdings, make_address, prepare, small_image, wipe
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


@pytest.mark.parametrize("name", [*METHODS, *OTHERS, *ACTIONS])
def test_example(lab, stemcell, tmp_path, name):
    before = holdings(lab)
    try:
        assert page(ACTIONS_PAGE if name in ACTIONS else METHODS_PAGE)[name] == example(lab, stemcell, tmp_path, name)
    finally:
        lab.reset()
        wipe(lab, before)
