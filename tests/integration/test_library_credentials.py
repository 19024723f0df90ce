# SPDX-License-Identifier: Apache-2.0
"""The shared library's credentials, in a namespace where AWS's fixed addresses exist: each source, a profile that is asked for, and
a configuration's keys."""
import json

import pytest
from credentials_kit import SOURCES
from library_kit import Library
from test_library import done

pytestmark = pytest.mark.beyond_incumbent


def owner(machine, settings=None):
    """The ARN of whom the library's call was signed as."""
    machine.write()
    machine.lab.forget_calls()
    host = Library(machine.env)
    done(host.execute("list_workers", settings))
    host.end()
    (key,) = {c["access_key_id"] for c in machine.lab.calls("DescribeInstances")}
    return machine.lab.owner(key)


@pytest.mark.parametrize("source", SOURCES)
def test_credentials(machine, source):
    getattr(machine, source)()
    assert owner(machine).endswith(":" + SOURCES[source])


def test_credentials_of_a_profile(machine):
    """The setting goes before variables and before keys of the configuration."""
    machine.environment()
    machine.name = "lab"
    machine.shared_file()
    settings = {"cloud": machine.lab.config["cloud"]}
    assert owner(machine, settings | {"profile": "lab"}).endswith(":" + SOURCES["shared_file"])
    assert owner(machine).endswith(":" + SOURCES["environment"])


def test_credentials_of_a_configuration(machine, tmp_path):
    """Inline, and in a file."""
    machine.environment()
    path = tmp_path / "cpi.json"
    path.write_text(json.dumps(machine.lab.config))
    for settings in ({"cloud": machine.lab.config["cloud"]}, {"config": str(path)}):
        assert owner(machine, settings).endswith(":user/lab")


def test_loud_credential_process(machine):
    """What it says to standard error reaches nobody: Library.end() looks."""
    machine.process(head="echo loud >&2")
    assert owner(machine).endswith(":" + SOURCES["process"])
