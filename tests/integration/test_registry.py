# SPDX-License-Identifier: Apache-2.0
"""The registry: in which of the API's eight combinations of versions it is written, what is written, and what happens when
it is not there, not willing, or not configured."""
import base64
import copy
import json
from urllib.parse import quote

import pytest
from conftest import director_context, director_env, run_cpi
from registry import PASSWORD, USER, Registry, certificate
from scenarios import AGENT_ID, attach, create_vm, dynamic, holdings, make_disk, make_vm, more_than, wipe

# Director, CPI, stemcell, and whether the registry is used; the API's documentation has this table.
ROWS = [(1, 1, 1, True), (1, 1, 2, True), (1, 2, 2, True), (2, 2, 2, False), (1, 2, 1, True), (2, 2, 1, True),
        (2, 1, 1, True), (2, 1, 2, True)]
OF_ROWS = pytest.mark.parametrize("director, cpi, stemcell, used", ROWS)


@pytest.fixture(autouse=True)
def tidy(lab):
    """Whatever a test makes, goes."""
    before = holdings(lab)
    yield
    lab.reset()
    wipe(lab, before)


@pytest.fixture
def registry():
    """A running one."""
    running = Registry()
    yield running
    running.close()


def config_of(lab, registry=None, cpi=3):
    """The lab's configuration with that registry (a Registry, or what stands in the file) and a CPI of that version."""
    config = copy.deepcopy(lab.config)
    properties = config["cloud"]["properties"]
    properties.pop("registry", None)
    if registry is not None:
        properties["registry"] = registry if isinstance(registry, dict) else registry.config()
    properties.setdefault("debug", {}).setdefault("cpi", {})["api_version"] = cpi
    return config


def ask(lab, request, director, stemcell, config, env=None):
    """One call by a Director of that version, which speaks the lower of its own and the CPI's. At 1 it does not say so."""
    version = min(director, config["cloud"]["properties"]["debug"]["cpi"]["api_version"])
    context = director_context(vm={"stemcell": {"api_version": stemcell}})
    whole = {"arguments": [], "context": context, **request} | ({"api_version": version} if version > 1 else {})
    return run_cpi(lab, json.dumps(whole).encode(), config, env=env)


def result_of(answer):
    assert answer.json["error"] is None, answer.json["error"]["message"] + answer.stderr
    return answer.json["result"]


def refused(answer, *texts):
    """A CloudError that says these, with the password nowhere."""
    error = answer.json["error"]
    assert error["type"] == "Bosh::Clouds::CloudError", error
    for text in texts:
        assert text in error["message"], error["message"]
    check_silent(answer)


def check_silent(answer):
    for form in (PASSWORD, quote(PASSWORD, safe=""), json.dumps(PASSWORD)[1:-1],
                 base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()):
        assert form not in answer.stdout + answer.stderr


def settings_before(registry, vm, **disks):
    registry.put(vm, agent_id=AGENT_ID, disks={"system": "/dev/sda1", "persistent": disks}, env={"bosh": {"password": "x"}})


# --- the eight rows ---

@OF_ROWS
def test_create_vm(lab, registry, director, cpi, stemcell, used):
    networks = {"default": dynamic(lab, dns=["10.0.0.2"], cloud_properties={"security_groups": ["bosh"]})}
    config = config_of(lab, registry, cpi)
    config["cloud"]["properties"]["agent"] = {"mbus": "nats://10.0.0.6:4222", "ntp": ["0.pool.ntp.org"]}
    result = result_of(ask(lab, create_vm(lab, networks), director, stemcell, config))
    if director == 1 or cpi == 1:
        vm = result
    else:
        vm, answered = result
        assert answered == networks
    text = lab.ec2.describe_instance_attribute(InstanceId=vm, Attribute="userData")["UserData"]["Value"]
    data = json.loads(base64.b64decode(text))
    assert data["registry"] == {"endpoint": registry.config()["endpoint"]}
    if not used:
        assert registry.requests == []
        assert data["agent_id"] == AGENT_ID and data["mbus"] == "nats://10.0.0.6:4222"
        return
    assert set(data) == {"dns", "networks", "registry"}
    assert data["networks"]["default"]["use_dhcp"] is True
    written = registry.get(vm)
    assert written["agent_id"] == AGENT_ID
    assert written["mbus"] == "nats://10.0.0.6:4222" and written["ntp"] == ["0.pool.ntp.org"]
    assert written["networks"] == data["networks"]
    assert written["disks"]["persistent"] == {} and written["env"] == {"bosh": {"group": "dummy"}}
    assert registry.methods() == ["PUT"]


@OF_ROWS
def test_attach_disk(lab, registry, director, cpi, stemcell, used):
    vm, disk = make_vm(lab), make_disk(lab)
    settings_before(registry, vm, **{"vol-other": "/dev/sdg"})
    before = registry.get(vm)
    request = {"method": "attach_disk", "arguments": [vm, disk]}
    result = result_of(ask(lab, request, director, stemcell, config_of(lab, registry, cpi)))
    if director == 1 or cpi == 1:
        assert result is None
    else:
        assert result.startswith("/dev/")
    if not used:
        assert registry.requests == []
        return
    hint = "/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_" + disk.replace("-", "")
    before["disks"]["persistent"][disk] = hint
    assert registry.get(vm) == before
    assert result in (None, hint)
    assert registry.methods() == ["GET", "PUT"]


@OF_ROWS
def test_detach_disk(lab, registry, director, cpi, stemcell, used):
    vm, disk = make_vm(lab), make_disk(lab)
    attach(lab, vm, disk)
    settings_before(registry, vm, **{"vol-other": "/dev/sdg", disk: "/dev/sdf"})
    request = {"method": "detach_disk", "arguments": [vm, disk]}
    assert result_of(ask(lab, request, director, stemcell, config_of(lab, registry, cpi))) is None
    assert lab.ec2.describe_volumes(VolumeIds=[disk])["Volumes"][0]["State"] == "available"
    if not used:
        assert registry.requests == []
        return
    assert registry.get(vm)["disks"] == {"system": "/dev/sda1", "persistent": {"vol-other": "/dev/sdg"}}
    assert registry.get(vm)["env"] == {"bosh": {"password": "x"}}


@OF_ROWS
def test_delete_vm(lab, registry, director, cpi, stemcell, used):
    vm = make_vm(lab)
    settings_before(registry, vm)
    settings_before(registry, "i-other")
    request = {"method": "delete_vm", "arguments": [vm]}
    assert result_of(ask(lab, request, director, stemcell, config_of(lab, registry, cpi))) is None
    assert (registry.get(vm) is None) == used
    assert registry.get("i-other") is not None
    assert registry.methods() == (["DELETE"] if used else [])


# --- none configured ---

@OF_ROWS
def test_none_configured(lab, director, cpi, stemcell, used):
    """Said before anything is made; with the registry bypassed nothing is missed."""
    vm, disk = make_vm(lab), make_disk(lab)
    networks = {"default": dynamic(lab, cloud_properties={"security_groups": ["bosh"]})}
    held = holdings(lab)
    config = config_of(lab, None, cpi)
    for request in (create_vm(lab, networks), {"method": "attach_disk", "arguments": [vm, disk]}):
        lab.forget_calls()
        answer = ask(lab, request, director, stemcell, config)
        if used:
            refused(answer, "registry", "not configured")
            assert lab.calls() == []
        else:
            result_of(answer)
    if used:
        assert more_than(held, holdings(lab)) == {}


@pytest.mark.parametrize("stemcell", [1, 2])
def test_none_configured_and_the_vm_goes(lab, stemcell):
    """Clean-up must not depend on what there never was."""
    vm = make_vm(lab)
    request = {"method": "delete_vm", "arguments": [vm]}
    assert result_of(ask(lab, request, 2, stemcell, config_of(lab))) is None


# --- how it is found and spoken to ---

def delete(lab, vm, config, env=None):
    return ask(lab, {"method": "delete_vm", "arguments": [vm]}, 1, 1, config, env)


@pytest.mark.parametrize("shape", [
    lambda r: r.config(),
    lambda r: r.config(user=None, password=None),
    lambda r: r.config(endpoint=r.url),
    lambda r: r.config(endpoint=r.url + "/"),
    lambda r: r.config(endpoint=r.address),
    lambda r: r.config(endpoint=f"other:one@{r.address}")],
    ids=["as the template writes it", "in the URL", "beside the URL", "slash", "no scheme", "both, and different"])
def test_endpoints(lab, registry, shape):
    vm = make_vm(lab)
    settings_before(registry, vm)
    answer = delete(lab, vm, config_of(lab, shape(registry)))
    assert result_of(answer) is None
    assert registry.settings == {}
    assert registry.requests[0].path == f"/instances/{vm}/settings"
    check_silent(answer)


def test_https(lab, tmp_path):
    context, ca_file = certificate(tmp_path)
    registry = Registry(context)
    vm = make_vm(lab)
    settings_before(registry, vm)
    answer = delete(lab, vm, config_of(lab, registry))
    refused(answer, "the registry at " + registry.url, "certificate")
    assert registry.requests == []
    result_of(delete(lab, vm, config_of(lab, registry), director_env() | {"BOSH_CA_CERT_FILE": ca_file}))
    assert registry.settings == {}
    registry.close()


# --- trouble ---

def once(trouble):
    """For the first request alone."""
    answers = [trouble]
    return lambda request: answers.pop() if answers else None


@pytest.mark.parametrize("trouble", ["reset", 500, 503])
def test_a_request_that_fails_once(lab, registry, trouble):
    vm = make_vm(lab)
    settings_before(registry, vm)
    registry.trouble = once(trouble)
    assert result_of(delete(lab, vm, config_of(lab, registry))) is None
    assert registry.settings == {}
    assert registry.methods() == ["DELETE", "DELETE"]


def test_gone_already(lab, registry):
    vm = make_vm(lab)
    assert result_of(delete(lab, vm, config_of(lab, registry))) is None
    assert registry.requests[0].status == 404


def test_wrong_password(lab, registry):
    vm = make_vm(lab)
    answer = delete(lab, vm, config_of(lab, registry.config(password="wrong-0123456789")))
    refused(answer, "registry", registry.url, "401", "registry.password", vm)
    assert "wrong-0123456789" not in answer.stdout + answer.stderr


def test_nobody_there(lab, registry):
    vm = make_vm(lab)
    registry.close()
    refused(delete(lab, vm, config_of(lab, registry)), "the registry at " + registry.url, vm)


@pytest.mark.parametrize("answer", [b"<html>", b"{}", b'{"settings": "[]"}', b'{"settings": "nothing"}'], ids=repr)
def test_settings_that_are_none(lab, registry, answer):
    """A proxy's page, or another service: nothing is written over."""
    vm, disk = make_vm(lab), make_disk(lab)
    attach(lab, vm, disk)
    registry._answer = lambda request: (200, answer.decode())  # pylint: disable=protected-access
    request = {"method": "detach_disk", "arguments": [vm, disk]}
    refused(ask(lab, request, 1, 1, config_of(lab, registry)), f"Cannot read settings for '{vm}'", registry.url)
    assert registry.methods() == ["GET"]


def test_a_vm_whose_settings_are_not_taken_is_not_left(lab, registry):
    held = holdings(lab)
    registry.trouble = lambda request: 403
    networks = {"default": dynamic(lab, cloud_properties={"security_groups": ["bosh"]})}
    refused(ask(lab, create_vm(lab, networks), 1, 1, config_of(lab, registry)), "registry", "403")
    assert registry.methods()[0] == "PUT"
    assert more_than(held, holdings(lab)) == {}


def test_settings_that_were_taken_all_the_same_go_with_the_vm(lab, registry):
    held = holdings(lab)

    def taken(request):
        if request.method != "PUT":
            return None
        registry._answer(request)  # pylint: disable=protected-access
        return 500
    registry.trouble = taken
    networks = {"default": dynamic(lab, cloud_properties={"security_groups": ["bosh"]})}
    refused(ask(lab, create_vm(lab, networks), 1, 1, config_of(lab, registry)), "registry", "500")
    assert registry.methods()[-1] == "DELETE"
    assert registry.settings == {}
    assert more_than(held, holdings(lab)) == {}


@pytest.mark.parametrize("level", ["debug", "info"])
def test_the_password_is_nowhere(lab, registry, level):
    vm, disk = make_vm(lab), make_disk(lab)
    settings_before(registry, vm)
    request = {"method": "attach_disk", "arguments": [vm, disk]}
    answer = ask(lab, request, 1, 1, config_of(lab, registry), director_env() | {"CPI_LOG_LEVEL": level})
    assert result_of(answer) is None
    check_silent(answer)
