# SPDX-License-Identifier: Apache-2.0
"""The envelope: one JSON object in, exactly one out, whatever comes in; the Director's way of starting cpi, create-env's,
and a person's at a terminal."""
import json
import os
import pathlib
import pty
import select
import shlex
import signal
import subprocess

import pytest
from conftest import CPI, ROOT, director_context, director_env, request_bytes, run_cpi, start_cpi

CORPUS = pathlib.Path(ROOT) / "tests" / "json"
LIMIT = 8 * 1024 * 1024
NOT_JSON = ("InvalidCall", "Request cannot be deserialized")
INFO = {"stemcell_formats": ["aws-raw", "aws-light"], "api_version": 3}


@pytest.fixture
def config(tmp_path):
    """A configuration that is right and points nowhere."""
    path = tmp_path / "cpi.json"
    path.write_text(json.dumps({"cloud": {"plugin": "aws", "properties": {"aws": {
        "region": "us-east-1", "access_key_id": "AKIAEXAMPLE", "secret_access_key": "very-secret", "max_retries": 0,
        "ec2_endpoint": "http://127.0.0.1:1", "elb_endpoint": "http://127.0.0.1:1"}}}}))
    return str(path)


def check_answer(result):
    """Exactly one JSON object on one line, and nothing else, with exit status 0; logs on standard error alone."""
    assert result.returncode == 0, result.stderr
    assert result.stdout.endswith("\n") and result.stdout.count("\n") == 1
    answer = json.loads(result.stdout)
    assert list(answer) == ["result", "error", "log"]
    assert answer["log"] == ""
    if answer["error"] is not None:
        assert answer["result"] is None
        assert sorted(answer["error"]) == ["message", "ok_to_retry", "type"]
        assert isinstance(answer["error"]["ok_to_retry"], bool)
    return answer


def request(**members):
    """A request with some members changed; those that are ... are left out."""
    whole = {"method": "info", "arguments": [], "context": director_context(), "api_version": 2, **members}
    return json.dumps({k: v for k, v in whole.items() if v is not ...}).encode()


BAD = {
    "nothing": (b"", NOT_JSON),
    "blank": (b" \n", NOT_JSON),
    "no JSON": (b"hello", NOT_JSON),
    "cut": (request()[:-1], NOT_JSON),
    "two objects": (request() + request(), NOT_JSON),
    "trailing comma": (b'{"method":"info",}', NOT_JSON),
    "array": (b"[]", NOT_JSON),
    "string": (b'"info"', NOT_JSON),
    "null": (b"null", NOT_JSON),
    "invalid UTF-8": (b'{"method":"in\xffo"}', NOT_JSON),
    "UTF-16": (request().decode().encode("utf-16"), NOT_JSON),
    "byte order mark": (b"\xef\xbb\xbf" + request(), NOT_JSON),
    "NUL": (b'{"method":"info"\x00}', NOT_JSON),
    "too deep": (b'{"method":' + b"[" * 100000 + b"]" * 100000 + b"}", NOT_JSON),
    "no method": (request(method=...), ("InvalidCall", "Method must be a String")),
    "method a number": (request(method=1), ("InvalidCall", "Method must be a String")),
    "method null": (request(method=None), ("InvalidCall", "Method must be a String")),
    "method an object": (request(method={"x": 1}), ("InvalidCall", "Method must be a String")),
    "unknown method": (request(method="destroy_all"), ("Bosh::Clouds::NotImplemented", "Method is not known, got:")),
    "method with NUL": (request(method="info\0"), ("Bosh::Clouds::NotImplemented", "Method is not known, got:")),
    "command as method": (request(method="check"), ("Bosh::Clouds::NotImplemented", "Method is not known, got:")),
    "no arguments": (request(arguments=...), ("InvalidCall", "Arguments must be an Array")),
    "arguments an object": (request(arguments={}), ("InvalidCall", "Arguments must be an Array")),
    "arguments null": (request(arguments=None), ("InvalidCall", "Arguments must be an Array")),
    "version a string": (request(api_version="2"), ("InvalidCall", "CPI api_version requested must be an Integer")),
    "version a float": (request(api_version=2.0), ("InvalidCall", "CPI api_version requested must be an Integer")),
    "version null": (request(api_version=None), ("InvalidCall", "CPI api_version requested must be an Integer")),
    "no context": (request(context=...), ("InvalidCall", "Request should include context with director uuid")),
    "context an array": (request(context=[]), ("InvalidCall", "Request should include context with director uuid")),
    "no director": (request(context={"request_id": "x"}),
                    ("InvalidCall", "Request should include context with director uuid")),
    "director a number": (request(context={"director_uuid": 5}),
                          ("InvalidCall", "Request should include context with director uuid")),
    "too many arguments": (request(arguments=[1]), ("InvalidCall", "Arguments are not correct")),
    "too few arguments": (request(method="create_stemcell", arguments=["/x"]), ("InvalidCall", "Arguments are not correct")),
    "argument of a wrong type": (request(method="create_stemcell", arguments=[1, {}]),
                                 ("InvalidCall", "Arguments are not correct")),
    "version too high": (request(api_version=4), ("Bosh::Clouds::CPIAPIVersionNotSupported", "CPI API version 4")),
    "version far too high": (request(api_version=10**30), ("Bosh::Clouds::CPIAPIVersionNotSupported", "CPI API version")),
    "not here": (request(method="create_network", arguments=[{}]), ("Bosh::Clouds::NotImplemented", "Method 'create_network'")),
    "never supported": (request(method="configure_networks", arguments=["i-1", {}]),
                        ("Bosh::Clouds::NotSupported", "configure_networks")),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_request(name, config):
    data, (kind, begins) = BAD[name]
    answer = check_answer(run_cpi(None, data, config))
    assert answer["error"]["type"] == kind
    assert answer["error"]["message"].startswith(begins)
    assert answer["error"]["ok_to_retry"] is False


def test_version_error_names_both(config):
    message = check_answer(run_cpi(None, request(api_version=7), config))["error"]["message"]
    assert "7" in message and "3" in message


@pytest.mark.parametrize("data", [request(), b"\n\t " + request() + b"\r\n ", request(more={"a": [1, 2.5e3, None]}),
                                  request(api_version=...), request(api_version=1), request(api_version=3)])
def test_good_request(data, config):
    assert check_answer(run_cpi(None, data, config))["result"] == INFO


def test_corpus(config):
    """What the grammar refuses is never taken for a request, and what it accepts is never called no JSON."""
    wrong = []
    for path in sorted(CORPUS.glob("*/*.json")):
        data = path.read_bytes()
        answer = check_answer(run_cpi(None, data, config))
        is_object = path.parent.name == "accept" and isinstance(json.loads(data), dict)
        error = answer["error"] or {"type": "InvalidCall", "message": ""}
        refused = error["message"].startswith(NOT_JSON[1])
        if refused == is_object or error["type"] not in ("InvalidCall", "Bosh::Clouds::NotImplemented"):
            wrong.append(f"{path.name}: {answer}")
    assert wrong == []


def padded(size):
    """A good request of exactly so many bytes."""
    plain = request(more="")
    return plain.replace(b'"more": ""', b'"more": "' + b"x" * (size - len(plain)) + b'"')


def test_largest_request(config):
    assert len(padded(LIMIT)) == LIMIT
    assert check_answer(run_cpi(None, padded(LIMIT), config))["result"] == INFO


def test_largest_tree(config):
    """As many values as fit: memory must do for them."""
    head, tail = request(more=0).split(b'"more": 0')
    data = head + b'"more": [1' + b",1" * ((LIMIT - len(head) - len(tail) - 12) // 2) + b"]" + tail
    assert LIMIT - 2 <= len(data) <= LIMIT
    assert check_answer(run_cpi(None, data, config))["result"] == INFO


@pytest.mark.parametrize("size", [LIMIT + 1, 5 * LIMIT])
def test_too_large_request(size, config):
    """The writer gets rid of all of it: the Director does not read before it has written."""
    process = start_cpi(None, config)
    process.stdin.write(padded(size))
    process.stdin.close()
    out, err = process.stdout.read(), process.stderr.read()
    assert process.wait(30) == 0, err
    error = json.loads(out)["error"]
    assert (error["type"], error["message"].startswith(NOT_JSON[1]), "8 MiB" in error["message"]) == ("InvalidCall", True, True)


def test_directors_way(config):
    """Writes all, then reads both streams byte by byte to their ends."""
    process = start_cpi(None, config, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "TMPDIR": "/tmp", "HOME": "/root"})
    process.stdin.write(padded(LIMIT))
    process.stdin.close()
    got = {process.stdout.fileno(): b"", process.stderr.fileno(): b""}
    still_open = set(got)
    while still_open:
        for fd in select.select(list(still_open), [], [], 30)[0]:
            byte = os.read(fd, 1)
            got[fd] += byte
            if not byte:
                still_open.remove(fd)
    assert process.wait(30) == 0
    assert json.loads(got[process.stdout.fileno()])["result"] == INFO
    lines = got[process.stderr.fileno()].decode().splitlines()
    assert len(lines) == 2


def test_create_envs_way(config):
    """The operator's whole environment, and two variables more."""
    env = os.environ | {"BOSH_PACKAGES_DIR": "/x/packages", "BOSH_JOBS_DIR": "/x/jobs", "AWS_PROFILE": "none",
                        "LC_ALL": "tr_TR.UTF-8", "TZ": "Asia/Tokyo"}
    data = request_bytes({"method": "info", "context": {"director_uuid": "bosh-init-uuid", "vm": {"stemcell": {}}}})
    assert check_answer(run_cpi(None, data, config, env=env))["result"] == INFO


def test_log_lines(config):
    result = run_cpi(None, {"method": "info"}, config)
    lines = result.stderr.splitlines()
    assert len(lines) == 2
    for line in lines:
        assert line.startswith("I, [2") and "  INFO -- [req_id cpi-123456]: " in line
    assert lines[0].endswith("Starting info...")
    assert "Finished info in " in lines[1] and lines[1].endswith(" seconds")


def test_hostile_request_id(config):
    """It cannot make a line that looks like another's."""
    context = director_context(request_id="x]\nE, [2026] ERROR -- : forged\x1b[2J")
    result = run_cpi(None, request(context=context), config)
    check_answer(result)
    assert len(result.stderr.splitlines()) == 2 and "\x1b" not in result.stderr


@pytest.mark.parametrize("level,lines", [("debug", 2), ("INFO", 2), ("warn", 0), ("error", 0), ("nonsense", 2)])
def test_log_level(level, lines, config):
    result = run_cpi(None, {"method": "ping"}, config, env=director_env() | {"CPI_LOG_LEVEL": level})
    assert check_answer(result)["result"] == "pong"
    assert len(result.stderr.splitlines()) >= lines if lines else result.stderr == ""


def test_failure_is_logged_once(config):
    result = run_cpi(None, b"{}", config)
    assert len([line for line in result.stderr.splitlines() if " ERROR -- " in line]) == 1


# --- streams and signals ---


def run_raw(command, **more):
    """cpi with streams of the test's own."""
    return subprocess.run(shlex.split(os.environ.get("CPI_WRAPPER", "")) + command, env=director_env(), timeout=60, check=False,
                          **more)


def test_reader_went_away(config):
    """No SIGPIPE; the log says it and the exit status too."""
    process = start_cpi(None, config)
    process.stdout.close()
    process.stdin.write(request())
    process.stdin.close()
    err = process.stderr.read().decode()
    assert process.wait(30) == 1
    assert "the answer could not be delivered" in err and "Broken pipe" in err


def test_full_output(config):
    with open("/dev/full", "wb") as full:
        result = run_raw([CPI, config], input=request(), stdout=full, stderr=subprocess.PIPE)
    assert result.returncode == 1 and b"could not be delivered" in result.stderr


@pytest.mark.parametrize("closing,status", [("<&-", 0), (">&-", 1), ("2>&-", 0), ("<&- 2>&-", 0)])
def test_closed_streams(closing, status, config):
    """A descriptor that is closed is not taken by a file of ours."""
    result = run_raw(["sh", "-c", f'exec "$0" "$1" {closing}', CPI, config], input=request(), stdout=subprocess.PIPE,
                     stderr=subprocess.PIPE)
    assert result.returncode == status
    if status == 0:
        json.loads(result.stdout)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signal_before_the_request_is_whole(number, config):
    process = start_cpi(None, config)
    process.stdin.write(b'{"method":')
    process.stdin.flush()
    caught = 0
    while not caught & 1 << (number - 1):  # its handlers are in place
        with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
            caught = int(next(line for line in status if line.startswith("SigCgt:")).split()[1], 16)
    process.send_signal(number)
    out = process.stdout.read()
    assert process.wait(30) == 0
    error = json.loads(out)["error"]
    assert error["type"] == "Bosh::Clouds::CloudError" and f"signal {int(number)}" in error["message"]
    process.stdin.close()
    process.stderr.close()


def on_terminal(*arguments):
    """cpi with a terminal as standard input; (exit status, what it said)."""
    leader, follower = pty.openpty()
    try:
        result = run_raw([CPI, *arguments], stdin=follower, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    finally:
        os.close(leader)
        os.close(follower)
    return result.returncode, result.stdout, result.stderr.decode()


@pytest.mark.parametrize("with_config", [False, True])
def test_terminal(with_config, config):
    status, out, err = on_terminal(*([config] if with_config else []))
    assert (status, out) == (2, b"")
    assert "a request is expected on standard input" in err and "usage: cpi" in err


# --- the command line ---


@pytest.mark.parametrize("arguments", [["a", "b"], ["--nope"], ["check", "--delete"], ["--config"], ["x", "--json"],
                                       ["sweep", "x", "--by-tag"]])
def test_usage_errors(arguments):
    result = run_raw([CPI, *arguments], input=request(), capture_output=True)
    assert (result.returncode, result.stdout) == (2, b"")
    assert result.stderr.startswith(b"cpi: ") and b"cpi --help" in result.stderr


@pytest.mark.parametrize("arguments", [["--help"], ["help"], ["-h"], ["check", "--help"]])
def test_help(arguments):
    result = run_raw([CPI, *arguments], capture_output=True, stdin=subprocess.DEVNULL)
    assert result.returncode == 0 and b"usage: cpi" in result.stdout and result.stderr == b""


@pytest.mark.parametrize("argument", ["--version", "version"])
def test_version(argument):
    result = run_raw([CPI, argument], capture_output=True, stdin=subprocess.DEVNULL)
    assert result.returncode == 0 and result.stdout.split()[0] == b"cpi" and result.stderr == b""


def test_config_option(config):
    result = run_raw([CPI, "--config", config], input=request(), capture_output=True)
    assert json.loads(result.stdout)["result"] == INFO


def test_reserved_words_win(config, tmp_path):
    """A configuration named check is given as ./check."""
    os.rename(config, tmp_path / "check")
    result = run_raw([CPI, "./check"], input=request(), capture_output=True, cwd=tmp_path)
    assert json.loads(result.stdout)["result"] == INFO
    result = run_raw([CPI, "check"], input=request(), capture_output=True, cwd=tmp_path)
    assert result.returncode == 1 and b"configuration" in result.stdout
