# SPDX-License-Identifier: Apache-2.0
"""info, ping and current_vm_id: the first two with nothing there at all, the last one from instance metadata."""
import json
import os
import shutil
import subprocess

import pytest
from conftest import CPI, director_env, request_bytes, run_cpi

FORMATS = ["aws-raw", "aws-light"]


def write_config(folder, aws=None, **more):
    """The path of a configuration with this in aws, and this beside it."""
    path = folder / "cpi.json"
    path.write_text(json.dumps({"cloud": {"properties": {"aws": aws or {}, **more}}}))
    return str(path)


def ask(method, config, **more):
    """The answer of a method without arguments."""
    return run_cpi(None, {"method": method}, config, **more).json


def test_info_needs_nothing(tmp_path):
    """No region, no credentials, a CA file that is not there, a proxy that nobody serves."""
    env = director_env() | {"BOSH_CA_CERT_FILE": "/nowhere.pem", "https_proxy": "http://127.0.0.1:1", "OPENSSL_CONF": "/nowhere"}
    answer = ask("info", write_config(tmp_path), env=env)
    assert answer == {"result": {"stemcell_formats": FORMATS, "api_version": 3}, "error": None, "log": ""}
    assert ask("ping", write_config(tmp_path), env=env)["result"] == "pong"


def test_info_without_a_configuration():
    result = subprocess.run([CPI], input=request_bytes({"method": "info"}), env={}, capture_output=True, timeout=60, check=False)
    assert json.loads(result.stdout)["result"]["api_version"] == 3


def test_info_asks_nobody(lab):
    lab.forget_calls()
    before = len(lab.imds_requests())
    assert run_cpi(lab, {"method": "info"}).json["result"]["stemcell_formats"] == FORMATS
    assert lab.calls() == []
    assert len(lab.imds_requests()) == before


def test_info_opens_no_sockets_and_no_certificates(tmp_path):
    """Also nothing that only takes time: no connection, no certificate, no randomness for TLS."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    trace = tmp_path / "trace"
    command = ["strace", "-f", "-o", str(trace), "-e", "trace=openat,open,socket,connect", CPI, write_config(tmp_path)]
    result = subprocess.run(command, input=request_bytes({"method": "info"}), env=director_env(), capture_output=True,
                            timeout=60, check=False)
    if not result.stdout:
        pytest.skip(f"strace does not work here: {result.stderr.decode()[-200:]}")
    assert json.loads(result.stdout)["error"] is None
    text = trace.read_text()
    assert "socket(" not in text
    assert ".pem" not in text and ".crt" not in text and "/.aws" not in text


@pytest.mark.parametrize("lowered,offered", [(1, 1), (2, 2), (3, 3), (42, 3), (None, 3)])
def test_api_version(lowered, offered, tmp_path):
    config = write_config(tmp_path, debug={"cpi": {"api_version": lowered}})
    for version in range(1, offered + 1):
        answer = run_cpi(None, {"method": "info", "api_version": version}, config).json
        assert answer["result"]["api_version"] == offered
    error = run_cpi(None, {"method": "info", "api_version": offered + 1}, config).json["error"]
    assert error["type"] == "Bosh::Clouds::CPIAPIVersionNotSupported"
    assert str(offered) in error["message"] and str(offered + 1) in error["message"]


def current_vm_id(config, env=None):
    """The answer and what it took."""
    return run_cpi(None, {"method": "current_vm_id"}, config, env=env)


@pytest.mark.parametrize("mode", ["v2", "v1-v2", "v1"])
def test_current_vm_id(mode, lab, tmp_path):
    """By the configuration's endpoint; no call to EC2, no credentials."""
    lab.imds(mode=mode)
    lab.forget_calls()
    config = write_config(tmp_path, {"metadata_endpoint": lab.env["AWS_EC2_METADATA_SERVICE_ENDPOINT"]})
    assert current_vm_id(config).json["result"] == lab.builder
    assert lab.calls() == []


def test_current_vm_id_by_the_environment(lab, tmp_path):
    env = director_env() | {"AWS_EC2_METADATA_SERVICE_ENDPOINT": lab.env["AWS_EC2_METADATA_SERVICE_ENDPOINT"]}
    assert current_vm_id(write_config(tmp_path), env).json["result"] == lab.builder


def check_no_id(result):
    """A clear error of the Director's own types."""
    error = result.json["error"]
    assert error["type"] == "Bosh::Clouds::CloudError" and error["ok_to_retry"] is False
    assert "metadata" in error["message"]
    return error["message"]


@pytest.mark.parametrize("mode", ["off", "hang"])
def test_no_metadata_service(mode, lab, tmp_path):
    """Within METADATA_TIMEOUT, which is 5 s; the bound here only tells it from never."""
    lab.imds(mode=mode)
    config = write_config(tmp_path, {"metadata_endpoint": lab.env["AWS_EC2_METADATA_SERVICE_ENDPOINT"]})
    result = current_vm_id(config)
    check_no_id(result)
    assert result.seconds < 20


def test_off_ec2(tmp_path):
    check_no_id(current_vm_id(write_config(tmp_path, {"metadata_endpoint": "http://127.0.0.1:1"})))


def test_metadata_disabled(tmp_path):
    config = write_config(tmp_path, {"metadata_endpoint": "http://127.0.0.1:1"})
    message = check_no_id(current_vm_id(config, director_env() | {"AWS_EC2_METADATA_DISABLED": "true"}))
    assert "AWS_EC2_METADATA_DISABLED" in message


def test_bad_metadata_endpoint(tmp_path):
    error = current_vm_id(write_config(tmp_path, {"metadata_endpoint": "ftp://x"})).json["error"]
    assert error["type"] == "Bosh::Clouds::CloudError" and "ftp://x" in error["message"]


def test_answer_is_no_instance_id(lab, tmp_path):
    """A captive portal, or another cloud's metadata service."""
    lab.imds(paths={"instance-id": "<html>welcome</html>"})
    config = write_config(tmp_path, {"metadata_endpoint": lab.env["AWS_EC2_METADATA_SERVICE_ENDPOINT"]})
    message = check_no_id(current_vm_id(config))
    assert "<html>" in message and "instance id" in message


def test_proxies_are_not_asked_for_metadata(lab, tmp_path):
    config = write_config(tmp_path, {"metadata_endpoint": lab.env["AWS_EC2_METADATA_SERVICE_ENDPOINT"]})
    env = director_env() | {"http_proxy": "http://127.0.0.1:1", "ALL_PROXY": "http://127.0.0.1:1"}
    assert current_vm_id(config, env).json["result"] == lab.builder


def test_home_is_not_needed():
    result = subprocess.run([CPI], input=request_bytes({"method": "ping"}), env={"PATH": os.environ["PATH"]},
                            capture_output=True, timeout=60, check=False)
    assert json.loads(result.stdout)["result"] == "pong"
