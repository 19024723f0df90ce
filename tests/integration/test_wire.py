# SPDX-License-Identifier: Apache-2.0
"""What can happen to an exchange on its way, at every position of it: nobody there, half a request, half an answer, an
answer cut within the XML, silence. Once each, then all is well again: the call succeeds, and nothing is made twice."""
import threading
import time
from email.utils import formatdate

import pytest
from conftest import director_env, run_cpi
from registry import certificate
from scenarios import make_disk
from test_create_stemcell import config_with, created, journals, refused, state_env
from wire_kit import FAILED_ONCE, Front, Proxy, Watched, answer_bytes, aws_error, nobody_accepts

CREATE_DISK = {"method": "create_disk", "arguments": [2048, {}, None]}
CALLS = ["DescribeAvailabilityZones", "CreateVolume", "DescribeVolumes"]  # of create_disk, one after the other
CREATING = CALLS.index("CreateVolume")
HAS_DISK = {"method": "has_disk", "arguments": ["vol-0123456789abcdef0"]}


@pytest.fixture
def fronts(lab):
    """fronts(…): a Front for this test, as many as it needs. The disks and snapshots that are made go at the end."""
    made, disks, copies = [], volumes(lab), snapshots(lab)

    def make(*arguments, **more):
        made.append(Front(lab, *arguments, **more))
        return made[-1]
    yield make
    for front in made:
        front.close()
    for snapshot in snapshots(lab) - copies:
        lab.ec2.delete_snapshot(SnapshotId=snapshot)
    for disk in volumes(lab) - disks:
        lab.ec2.delete_volume(VolumeId=disk)


def volumes(lab):
    return {v["VolumeId"] for v in lab.ec2.describe_volumes()["Volumes"]}


def snapshots(lab):
    return {s["SnapshotId"] for s in lab.ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]}


# --- troubles: each is what is done to one exchange ---

def closed_at_once(exchange):
    exchange.connection.close()


def reset_at_once(exchange):
    exchange.reset()


def reset_within_the_request(exchange):
    exchange.connection.recv(16)
    exchange.reset()


def refused_once(_):
    raise AssertionError("nobody is listening")


for each in (closed_at_once, reset_at_once, reset_within_the_request, refused_once):
    each.unread = True
refused_once.refused = True


def closed_without_an_answer(exchange):
    exchange.close()


def reset_without_an_answer(exchange):
    exchange.reset()


def silent_but_done(exchange):
    exchange.ask()
    exchange.close()


def reset_but_done(exchange):
    exchange.ask()
    exchange.reset()


def cut(where, ending="close"):
    """Does the call, sends the answer up to there, and ends the connection."""
    def trouble(exchange):
        head, body = exchange.ask()
        exchange.send(where(head, body))
        getattr(exchange, ending)()
    return trouble


def _chunked(head, *rest):
    return head.replace(b"Content-Length:", b"X-Length:").replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\n") + b"".join(rest)


def _chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


def instead(data):
    """The call is done, and answered so."""
    def trouble(exchange):
        exchange.ask()
        exchange.send(data)
        exchange.close()
    return trouble


def _line(head):
    return head.partition(b"\r\n")[0]


def _half(body):
    return body[:len(body) // 2]


UNREAD = {f.__name__: f for f in (closed_at_once, reset_at_once, reset_within_the_request, refused_once)}
READ = {f.__name__: f for f in (closed_without_an_answer, reset_without_an_answer, silent_but_done, reset_but_done)}
CUT = {
    "cut in the status line": cut(lambda head, body: _line(head)[:9]),
    "cut behind the status line": cut(lambda head, body: _line(head) + b"\r\n"),
    "reset behind the status line": cut(lambda head, body: _line(head) + b"\r\n", "reset"),
    "cut in the headers": cut(lambda head, body: _half(head)),
    "cut behind the headers": cut(lambda head, body: head),
    "reset behind the headers": cut(lambda head, body: head, "reset"),
    "cut in the body": cut(lambda head, body: head + _half(body)),
    "reset in the body": cut(lambda head, body: head + _half(body), "reset"),
    "a byte too few": cut(lambda head, body: head + body[:-1]),
    "cut in a chunk": cut(lambda head, body: _chunked(head, _chunk(_half(body))[:-20])),
    "cut between chunks": cut(lambda head, body: _chunked(head, _chunk(_half(body)))),
    "without the last chunk": cut(lambda head, body: _chunked(head, _chunk(body))),
    "a length that is no number": cut(lambda head, body: _chunked(head, b"zz\r\n", body)),
    "XML that is cut": cut(lambda head, body: answer_bytes(200, _half(body))),
    "XML that is cut, of no length": cut(lambda head, body: b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + _half(body)),
    "XML without its last tag": cut(lambda head, body: answer_bytes(200, body.rstrip()[:-1])),
    "nothing": instead(answer_bytes(200)),
    "a proxy's page": instead(answer_bytes(200, "<html><body>please log in</body></html>")),
    "another call's answer": instead(answer_bytes(200, "<DescribeZonesResponse/>")),
    "bytes": instead(answer_bytes(200, bytes(range(256)))),
    "no HTTP": instead(b"SSH-2.0-OpenSSH_9.2p1\r\n"),
    "a broken status": instead(b"HTTP/1.1 banana\r\n\r\n"),
}
TROUBLES = UNREAD | READ | CUT


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    """A server's context, and the CA file for its clients."""
    return certificate(tmp_path_factory.mktemp("tls"))


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("name", TROUBLES)
def test_every_position(lab, fronts, tls, tmp_path, name, scheme):
    """In the first exchange of create_disk, in the second, and in the third."""
    context, ca_file = tls if scheme == "https" else (None, "")
    for n in range(len(CALLS)):
        before = volumes(lab)
        trouble = TROUBLES[name]
        nobody = trouble is refused_once
        front = fronts({} if nobody and n == 0 else {n: trouble}, context, listening=not nobody or n > 0)
        running = Watched(lab, front.url, CREATE_DISK, {**state_env(tmp_path), "BOSH_CA_CERT_FILE": ca_file})
        if nobody:
            running.sees(FAILED_ONCE)
            front.listen()
        answer = running.end()
        assert '"error":null' in answer, answer + running.log
        assert running.log.count("attempt 1 failed") == 1, running.log
        new = volumes(lab) - before
        assert len(new) == 1 and new.pop() in answer, running.log
        assert len({r.token for r in front.of("CreateVolume")}) == 1 and front.of("CreateVolume")[0].token
        assert front.exchanges == len(CALLS) + (not nobody), front.actions()
        assert journals(tmp_path) == []


LOST = ["reset_but_done", "cut behind the headers", "XML that is cut", "without the last chunk"]


@pytest.mark.parametrize("name", LOST)
def test_calls_without_a_token(lab, fronts, tmp_path, name):
    """CreateSnapshot takes no client token: what it did is looked up, and not done again."""
    disk = make_disk(lab)
    front = fronts()
    request = {"method": "snapshot_disk", "arguments": [disk, {"deployment": "d", "job": "j", "index": 0}]}
    created(run_cpi(lab, request, config_with(lab, ec2_endpoint=front.url), state_env(tmp_path)))
    at = front.actions().index("CreateSnapshot")
    before = snapshots(lab)
    front = fronts({at: TROUBLES[name]})
    snapshot = created(run_cpi(lab, request, config_with(lab, ec2_endpoint=front.url), state_env(tmp_path)))
    assert snapshots(lab) - before == {snapshot}
    assert len(front.of("CreateSnapshot")) == 1


# --- silence ---

def silent(exchange):
    exchange.hang()


def silent_unread(exchange):
    exchange.hang()


silent_unread.unread = True


def silent_after(where):
    def trouble(exchange):
        head, body = exchange.ask()
        exchange.send(where(head, body))
        exchange.hang()
    return trouble


SILENT = [silent, silent_unread, silent_after(lambda head, body: b""), silent_after(lambda head, body: _line(head)[:9]),
          silent_after(lambda head, body: _half(head)), silent_after(lambda head, body: head),
          silent_after(lambda head, body: head + _half(body)), silent_after(lambda head, body: head + body[:-1])]


def test_silence(lab, fronts, tls, tmp_path):
    """At every position, all at the same time, because each must be waited for."""
    before = volumes(lab)
    at_work = [(front, Watched(lab, front.url, CREATE_DISK, {**state_env(tmp_path), "BOSH_CA_CERT_FILE": tls[1]}))
               for context in (None, tls[0]) for front in (fronts({CREATING: trouble}, context) for trouble in SILENT)]
    results = []
    for front, running in at_work:
        answer = running.end(120)
        assert '"error":null' in answer, answer + running.log
        assert "no answer in time" in running.log
        assert len({r.token for r in front.of("CreateVolume")}) == 1
        results.append(answer)
    new = volumes(lab) - before
    assert len(new) == len(results) and all(any(v in answer for answer in results) for v in new)


def test_silence_before_connecting(lab, fronts, tmp_path):
    """Connecting has a time-out of its own."""
    before = volumes(lab)
    front = fronts(listening=False)
    with nobody_accepts() as (listener, waiting):
        running = Watched(lab, f"http://127.0.0.1:{listener.getsockname()[1]}", CREATE_DISK, state_env(tmp_path))
        running.sees(FAILED_ONCE)
        for each in waiting:
            each.close()
        listener.listen(64)
        threading.Thread(target=front._accept, args=(listener,), daemon=True).start()  # pylint: disable=protected-access
        answer = running.end()
    assert '"error":null' in answer, answer + running.log
    assert "no answer in time" in running.log
    assert len(volumes(lab) - before) == 1


# --- connections that are kept ---

def ends(exchange):
    exchange.close()
    return "ended"


def ends_at_the_next(exchange):
    """When the next request has come: what a server's idle time-out looks like at the wrong moment."""
    exchange.connection.recv(1)
    exchange.reset()
    return "ended"


@pytest.mark.parametrize("after", [ends, ends_at_the_next], ids=lambda f: f.__name__)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_kept_connection_that_has_ended(lab, fronts, tls, tmp_path, after, scheme):
    """The server said nothing of closing it: the next call goes over another one, and is not done twice."""
    context, ca_file = tls if scheme == "https" else (None, "")
    before = volumes(lab)
    front = fronts(tls=context)
    front.after = lambda exchange: after(exchange) if len(front.requests) == 1 else None
    running = Watched(lab, front.url, CREATE_DISK, {**state_env(tmp_path), "BOSH_CA_CERT_FILE": ca_file})
    answer = running.end()
    assert '"error":null' in answer, answer + running.log
    # libcurl may open one more, over which it then sends nothing
    assert front.connections in (2, 3) and front.actions() == CALLS
    assert len(volumes(lab) - before) == 1


def test_connections_are_kept(lab, fronts, tmp_path):
    """One is enough for calls one after the other."""
    front = fronts()
    created(run_cpi(lab, CREATE_DISK, config_with(lab, ec2_endpoint=front.url), state_env(tmp_path)))
    assert (front.connections, front.actions()) == (1, CALLS)


# --- answers that say: again, later ---

def answered_once(data):
    """In place of handing the call on."""
    def trouble(exchange):
        exchange.send(data)
        exchange.close()
    return trouble


TRANSIENT = [(500, ""), (502, ""), (503, ""), (504, ""), (500, "InternalError"), (500, "InternalFailure"),
             (503, "ServiceUnavailable"), (503, "Unavailable"), (400, "RequestTimeout"), (599, "Whatever")]
THROTTLED = [(429, ""), (503, "RequestLimitExceeded"), (400, "Throttling"), (400, "ThrottlingException"),
             (400, "ThrottledException"), (400, "RequestThrottled"), (400, "RequestThrottledException"),
             (503, "EC2ThrottledException"), (429, "TooManyRequestsException")]
LATER = {"": 0, "nothing": 0, "-1": 0, "0": 0, "2": 2, "a date": 3, "a date that is past": 0}


def retry_after(text):
    """The header, and the seconds that it means at least."""
    dates = {"a date": 4, "a date that is past": -10}
    if text in dates:
        return [("Retry-After", formatdate(time.time() + dates[text], usegmt=True))]
    return [("Retry-After", text)] if text else []


@pytest.mark.parametrize("status, code", TRANSIENT + THROTTLED)
def test_what_passes(lab, fronts, tmp_path, status, code):
    """Each as the first answer, with every form of Retry-After, all at the same time."""
    before = volumes(lab)
    at_work = []
    for text, seconds in LATER.items():
        headers = retry_after(text)
        front = fronts({CREATING: answered_once(aws_error(status, code, headers) if code else answer_bytes(status, "", headers))})
        at_work.append((front, seconds, Watched(lab, front.url, CREATE_DISK, state_env(tmp_path))))
    for front, seconds, running in at_work:
        answer = running.end()
        assert '"error":null' in answer, answer + running.log
        assert len(front.of("CreateVolume")) == 2 and len({r.token for r in front.of("CreateVolume")}) == 1
        line = running.sees(r"aws-call action=CreateVolume .* attempts=(\d+) wait_ms=(\d+) .*")
        assert line.group(1) == "2" and int(line.group(2)) >= seconds * 1000 * 0.05, line.group(0)
        assert ("throttled=1" in line.group(0)) == ((status, code) in THROTTLED)
    assert len(volumes(lab) - before) == len(LATER)


def test_much_later(lab, fronts, tmp_path):
    """Nobody waits for a day."""
    again = aws_error(503, "RequestLimitExceeded", [("Retry-After", "86400")])
    front = fronts({n: answered_once(again) for n in range(9)})
    refused(run_cpi(lab, CREATE_DISK, config_with(lab, ec2_endpoint=front.url), state_env(tmp_path)), "RequestLimitExceeded")
    assert len(front.requests) == 1


@pytest.mark.parametrize("status, code", [
    (500, "InsufficientInstanceCapacity"), (503, "InsufficientVolumeCapacity"), (400, "InsufficientReservedInstanceCapacity"),
    (500, "InsufficientHostCapacity"), (403, "UnauthorizedOperation"), (500, "UnauthorizedOperation"), (403, "AccessDenied"),
    (400, "AccessDeniedException"), (400, "InvalidParameterValue"), (400, "VolumeLimitExceeded"), (404, "")])
def test_what_does_not_pass(lab, fronts, tmp_path, status, code):
    """Asked once; a header that invites to try again changes nothing."""
    before = volumes(lab)
    headers = [("Retry-After", "0")]
    front = fronts({n: answered_once(aws_error(status, code, headers) if code else answer_bytes(status, "", headers))
                    for n in range(CREATING, 20)})
    answer = run_cpi(lab, CREATE_DISK, config_with(lab, ec2_endpoint=front.url), state_env(tmp_path))
    assert answer.json["error"] is not None and (code or str(status)) in answer.json["error"]["message"]
    assert len(front.of("CreateVolume")) == 1, front.actions()
    assert volumes(lab) == before


@pytest.mark.parametrize("name", ["reset_without_an_answer", "cut in the body", "XML that is cut", "refused"])
def test_what_never_passes(lab, fronts, tmp_path, name):
    """max_retries, and then an error that says where."""
    front = fronts(listening=name != "refused")
    if name != "refused":
        front.troubles = {n: TROUBLES[name] for n in range(20)}
    answer = run_cpi(lab, HAS_DISK, config_with(lab, ec2_endpoint=front.url, max_retries=3), state_env(tmp_path))
    message = refused(answer, "DescribeVolumes")
    assert "127.0.0.1" in message or "cannot be read" in message
    assert name == "refused" or len(front.requests) == 4


# --- names ---

def test_an_unknown_name(lab, tmp_path):
    """What a wrong region looks like; or a resolver that is being restarted, so that it is tried again."""
    config = config_with(lab, ec2_endpoint="http://ec2.nowhere.invalid", max_retries=2)
    answer = run_cpi(lab, HAS_DISK, config, {**state_env(tmp_path), "CPI_LOG_LEVEL": "debug"})
    message = refused(answer, "ec2.nowhere.invalid")
    assert "check the endpoint, the region and this machine's name servers" in message
    assert "attempts=3" in answer.stderr


# --- proxies ---

PASSWORD = "proxy-p@ss/word"
USER = f"operator:{PASSWORD}"
IN_URL = "operator:proxy-p%40ss%2Fword"


@pytest.fixture
def proxies():
    """proxies(…): a Proxy for this test."""
    made = []

    def make(*arguments):
        made.append(Proxy(*arguments))
        return made[-1]
    yield make
    for proxy in made:
        proxy.close()


def silent_about_the_password(result):
    for form in (PASSWORD, IN_URL.partition(":")[2], "b3BlcmF0b3I6cHJveHk"):
        assert form not in result.stdout + result.stderr, form


def proxied(lab, front, tmp_path, ca_file="", method=HAS_DISK, **env):
    """One call with these variables."""
    return run_cpi(lab, method, config_with(lab, ec2_endpoint=front.url, max_retries=0),
                   {**director_env(), **state_env(tmp_path), "CPI_LOG_LEVEL": "debug", "BOSH_CA_CERT_FILE": ca_file, **env})


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
def test_a_tunnel(lab, fronts, tls, proxies, tmp_path, variable):
    """https goes through CONNECT, and the proxy sees nothing of it but host and port."""
    front, proxy = fronts(tls=tls[0]), proxies(USER)
    result = proxied(lab, front, tmp_path, tls[1], **{variable: f"http://{IN_URL}@{proxy.address}"})
    assert created(result) is False
    assert len(front.requests) == 1 and front.requests[0].header("Proxy-Authorization") is None
    assert all(head.startswith(f"CONNECT 127.0.0.1:{front.port} ") for head in proxy.seen), proxy.seen
    assert not any("AWS4-HMAC" in head or "Content-Type" in head for head in proxy.seen)
    silent_about_the_password(result)


def test_plain_http_through_a_proxy(lab, fronts, proxies, tmp_path):
    front, proxy = fronts(), proxies(USER)
    result = proxied(lab, front, tmp_path, http_proxy=f"http://{IN_URL}@{proxy.address}")
    assert created(result) is False
    assert len(front.requests) == 1 and len(proxy.seen) == 1
    silent_about_the_password(result)


@pytest.mark.parametrize("wrong", ["operator:wrong-word-0123", ""])
def test_a_proxy_that_refuses(lab, fronts, tls, proxies, tmp_path, wrong):
    front, proxy = fronts(tls=tls[0]), proxies(USER)
    result = proxied(lab, front, tmp_path, tls[1], HTTPS_PROXY=f"http://{wrong}{'@' if wrong else ''}{proxy.address}")
    message = refused(result, "407")
    assert "USER:PASSWORD@" in message and "https_proxy" in message
    assert "wrong-word-0123" not in result.stdout + result.stderr
    assert not front.requests


@pytest.mark.parametrize("url", ["http://proxy.nowhere.invalid:3128", "http://127.0.0.1:1"])
def test_a_proxy_that_is_not_there(lab, fronts, tls, tmp_path, url):
    front = fronts(tls=tls[0])
    result = proxied(lab, front, tmp_path, tls[1], HTTPS_PROXY=url.replace("://", f"://{IN_URL}@"))
    assert "the proxy of http_proxy or https_proxy" in refused(result, "cannot reach")
    assert not front.requests
    silent_about_the_password(result)


@pytest.mark.parametrize("variable", ["NO_PROXY", "no_proxy"])
@pytest.mark.parametrize("value, direct", [("127.0.0.1", True), ("*", True), ("other,127.0.0.1", True),
                                           ("127.0.0.2", False), ("", False)])
def test_no_proxy(lab, fronts, proxies, tmp_path, variable, value, direct):
    front, proxy = fronts(), proxies()
    assert created(proxied(lab, front, tmp_path, http_proxy=f"http://{proxy.address}", **{variable: value})) is False
    assert len(proxy.seen) == (0 if direct else 1)
    assert len(front.requests) == 1


def test_metadata_goes_past_proxies(lab, proxies, tmp_path):
    """The proxy would ask its own machine's."""
    proxy = proxies()
    url = f"http://{proxy.address}"
    result = run_cpi(lab, {"method": "current_vm_id"}, env={
        **state_env(tmp_path), "http_proxy": url, "HTTP_PROXY": url, "HTTPS_PROXY": url, "ALL_PROXY": url})
    assert created(result) == lab.builder
    assert not proxy.seen
