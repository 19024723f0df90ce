# SPDX-License-Identifier: Apache-2.0
"""create_stemcell over a real sshd on loopback: what a whole session leaves, and how each trouble is told."""
import os
import re

import pytest
from conftest import account, run_cpi
from ssh_kit import Builder, ssh_config_of
from test_create_stemcell import created, heavy, image, sha256_of, state_env


@pytest.fixture(scope="module")
def machine_of_all():
    builder = Builder()
    yield builder
    builder.close()


@pytest.fixture
def builder(machine_of_all):  # pylint: disable=redefined-outer-name
    yield machine_of_all


def test_try(lab, builder, stemcell, tmp_path):
    with builder.entered():
        answer = run_cpi(lab, heavy(stemcell), ssh_config_of(lab, builder.stanza()), env=state_env(tmp_path) | {"CPI_LOG_LEVEL": "debug"})
    print(answer.stderr)
    print(open(builder.log).read())
    ami = created(answer)
    snapshot = image(lab, ami)["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    assert sha256_of(lab.snapshot_file(snapshot), stemcell.size) == stemcell.sha256
    assert 0
