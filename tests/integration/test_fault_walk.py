# SPDX-License-Identifier: Apache-2.0
"""The fault walk: every method and action, and at every AWS call that it makes: the call fails, fails once, is done without an answer
coming, or cpi gets a signal there. The calls are found by a run without faults, so that a new one cannot be forgotten.

Afterwards the account holds nothing that the answer did not name; where the fault was one to get over, the result is as
without it, with nothing doubled. A few points of each method are walked each time, others every time (WALK_SEED repeats
them); `make test-long` walks all.
"""
import collections
import json
import os
import random
import re

import pytest
from conftest import run_cpi, start_cpi, request_bytes
from scenarios import holdings, more_than, parameters, prepare, wipe
from test_create_stemcell import journals, state_env

SEED = os.environ["WALK_SEED"]  # conftest
SAMPLE = 3

Point = collections.namedtuple("Point", "action nth fault")

REFUSED = [{"kind": "error", "status": 403, "code": "UnauthorizedOperation"},
           {"kind": "error", "status": 400, "code": "InvalidParameterCombination"},
           # more often than it is repeated
           {"kind": "error", "status": 500, "code": "InternalError", "count": 12}]
PASSING = [{"kind": "error", "status": status, "code": code} for status, code in (
    (503, "RequestLimitExceeded"), (400, "Throttling"), (400, "ThrottlingException"), (400, "RequestThrottled"),
    (503, "EC2ThrottledException"), (500, "InternalError"), (500, "InternalFailure"), (503, "ServiceUnavailable"),
    (503, "Unavailable"), (429, "TooManyRequestsException"), (502, "BadGateway"), (504, "GatewayTimeout"))] + [{"kind": "reset"}]
LOST = [{"kind": "drop"}, {"kind": "truncate"}, {"kind": "error_after", "status": 500, "code": "InternalError"},
        {"kind": "error_after", "status": 500, "code": "InternalError", "count": 12}]
SIGNALS = [{"kind": "signal", "signal": "TERM", "when": when} for when in ("before", "after")]
FAULTS = REFUSED + PASSING + LOST + SIGNALS

ID = re.compile(r"(?<![A-Za-z0-9])(vol|snap|ami|i|eni)-?[0-9a-f]{8,}\b")


def shape(things):
    """How many of each kind."""
    return {kind: len(names) for kind, names in things.items()}


def without_ids(value):
    """A result that can be compared with another run's."""
    return ID.sub(r"\1-…", json.dumps(value))


class Walk:
    """One method's walk."""

    def __init__(self, lab, stemcell, folder, name):
        self.lab, self.stemcell, self.folder, self.name = lab, stemcell, folder, name
        self.points = []
        self.walked = 0

    def explore(self):
        """The run without faults: what it makes, answers, and calls."""
        scene = prepare(self.name, self.lab, self.stemcell)
        answer = run_cpi(self.lab, scene.request, env=state_env(self.folder) | scene.env)
        calls = [c["action"] for c in self.lab.calls()]
        assert answer.json["error"] is None, answer.json["error"]["message"] + answer.stderr
        self.result = without_ids(answer.json["result"])
        self.made = shape(more_than(scene.before, holdings(self.lab)))
        self.clean()
        seen = collections.Counter()
        for action in calls:
            self.points += [Point(action, seen[action], fault) for fault in FAULTS]
            seen[action] += 1

    def clean(self):
        """The account as before the scene was set."""
        self.lab.reset()
        wipe(self.lab, self.first)

    def run(self, scene, point):
        """The answer."""
        rule = {"count": 1, **point.fault, "action": point.action, "skip": point.nth}
        process = start_cpi(self.lab, env=state_env(self.folder) | scene.env)
        if rule["kind"] == "signal":
            rule["pid"] = process.pid
        self.lab.faults(rule)
        out, err = process.communicate(request_bytes(scene.request), timeout=300)
        hits = self.lab.faults()[0]["hits"]
        self.lab.clear()
        assert process.returncode == 0, err
        assert hits > 0, f"the fault was not met: {rule}"
        return json.loads(out), err.decode(errors="replace")

    def step(self, point):
        """Walks one point."""
        scene = prepare(self.name, self.lab, self.stemcell)
        answer, log = self.run(scene, point)
        new = more_than(scene.before, holdings(self.lab))
        said = f"{self.name}, {point}: {json.dumps(answer)}\n{log}"
        if point.fault in PASSING:
            assert answer["error"] is None, said
        if answer["error"] is None:
            assert without_ids(answer["result"]) == self.result, said
            assert shape(new) == self.made, f"{new}, but should be as many as {self.made}\n{said}"
            assert journals(self.folder) == [], said
        else:
            unnamed = [n for names in new.values() for n in names
                       if not all(word in answer["error"]["message"] for word in n.split(" "))]
            assert not unnamed, f"left behind, and not named: {new}\n{said}"
            assert bool(new) == bool(journals(self.folder)), f"{new}, {journals(self.folder)}\n{said}"
        for path in journals(self.folder):
            os.unlink(path)
        self.clean()
        self.walked += 1


@pytest.fixture
def walk(lab, stemcell, tmp_path):
    """walk(name): a method's walk, explored."""
    walks = []

    def start(name):
        made = Walk(lab, stemcell, tmp_path, name)
        made.first = holdings(lab)
        walks.append(made)
        made.explore()
        return made
    yield start
    lab.reset()
    for each in walks:
        wipe(lab, each.first)


@pytest.mark.parametrize("name", parameters())
def test_some_points(walk, record_property, name):
    """A sample that WALK_SEED decides."""
    walking = walk(name)
    chosen = random.Random(f"{SEED} {name}").sample(walking.points, min(SAMPLE, len(walking.points)))
    for point in chosen:
        walking.step(point)
    record_property("points", walking.walked)
    assert walking.walked == len(chosen)


@pytest.mark.long
@pytest.mark.parametrize("name", parameters())
def test_all_points(walk, record_property, name):
    """Every one."""
    walking = walk(name)
    failures = []
    for point in walking.points:
        try:
            walking.step(point)
        except AssertionError as error:
            failures.append(str(error))
            walking.clean()
            for path in journals(walking.folder):
                os.unlink(path)
    record_property("points", len(walking.points))
    assert not failures, f"{len(failures)} of {len(walking.points)} points:\n" + "\n".join(failures)
