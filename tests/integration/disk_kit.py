# SPDX-License-Identifier: Apache-2.0
"""What the tests of disks and snapshots share."""
import contextlib

from conftest import run_cpi
from scenarios import holdings, wipe
from test_create_stemcell import config_with, journals, state_env

DISK_NOT_FOUND, VM_NOT_FOUND = "Bosh::Clouds::DiskNotFound", "Bosh::Clouds::VMNotFound"
MISSING_DISK, MISSING_VM = "vol-0123456789abcdef0", "i-0123456789abcdef0"


@contextlib.contextmanager
def cleaned(lab):
    """What is made within goes at the end."""
    before = holdings(lab)
    yield
    lab.reset()
    wipe(lab, before)


def caller(lab, folder):
    """call(method, *arguments): one call of cpi, after which no journal is left, whatever it answered."""
    def call(method, *arguments, config=None, **more):
        lab.forget_calls()
        answer = run_cpi(lab, {"method": method, "arguments": list(arguments), **more}, config, env=state_env(folder))
        assert journals(folder) == []
        return answer
    return call


def hurried(lab):
    """The configuration with waits that are shorter still: ten minutes are a second."""
    config = config_with(lab)
    config["cloud"]["properties"]["debug"]["cpi"]["time_scale"] = 0.002
    return config
