# SPDX-License-Identifier: Apache-2.0
"""cpi timeline: logs of real requests, whose numbers must be those that the lab has recorded; the forms in which a Director
and the bosh command line print them; foreign and cut lines; logs of any size; and what is drawn of them."""
import fcntl
import json
import os
import pty
import random
import re
import struct
import subprocess
import termios
import unicodedata
import xml.etree.ElementTree as ET
from collections import Counter, defaultdict
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace

import pytest
from conftest import CPI, ROOT, director_context, request_bytes, start_cpi, wait_until
from scenarios import create_vm, dynamic, holdings, make_disk, wipe
from test_create_stemcell import state_env

DOCS = os.path.join(ROOT, "docs")
RECORD = re.compile(r"aws-call action=(\w+) .*?(?<!\\)\"$")
# sanitizers have memory of their own, and take their time
PLAIN_BUILD = not os.environ.get("CPI_WRAPPER") and "sanitize" not in CPI
SEED = int(os.environ["WALK_SEED"])


def timeline(log, *options, env=None, status=0):
    """What cpi timeline prints for that log (text or bytes, on standard input)."""
    data = log.encode() if isinstance(log, str) else log
    environ = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", **(env or {})}
    done = subprocess.run([CPI, "timeline", *options], input=data, capture_output=True, env=environ, timeout=120, check=False)
    assert done.returncode == status, done.stderr.decode()
    return done.stdout.decode() if status == 0 else done.stderr.decode()


def as_json(log, *options):
    return json.loads(timeline(log, "--json", *options))


def told(result):
    """All that does not depend on what else was in the log."""
    read = {k: result["read"][k] for k in ("calls", "requests")}
    return read, [{k: v for k, v in r.items() if k != "task"} for r in result["requests"]], result["actions"]


# --- real requests ---

@pytest.fixture(scope="module")
def recorded(session_lab, tmp_path_factory):
    """Requests of several processes at the same time, with trouble: .logs (one a process, with .pid .id .method .lines) and
    .calls, the lab's record."""
    lab = session_lab
    lab.reset()
    before = holdings(lab)
    env = state_env(tmp_path_factory.mktemp("timeline"))
    disk = make_disk(lab)
    lab.forget_calls()
    lab.states(instance={"running": 0.5})
    lab.faults({"action": "DescribeSecurityGroups", "kind": "throttle", "count": 2},
               {"action": "CreateVolume", "kind": "throttle", "count": 1},
               {"action": "DescribeSubnets", "kind": "error", "status": 500, "code": "InternalError", "count": 2},
               {"action": "RunInstances", "kind": "reset", "count": 1},
               {"action": "DeleteVolume", "kind": "error", "status": 400, "code": "UnauthorizedOperation", "count": -1},
               {"action": "*", "kind": "delay", "seconds": 0.03, "count": -1, "after": True})
    vm = create_vm(lab, {"default": dynamic(lab, cloud_properties={"security_groups": ["bosh"]})})
    requests = [vm, vm, {"method": "has_vm", "arguments": ["i-00000000000000001"]}, {"method": "info", "arguments": []},
                {"method": "create_disk", "arguments": [2048, {"type": "gp3"}]}, {"method": "has_disk", "arguments": [disk]},
                {"method": "delete_disk", "arguments": [disk]}]
    processes = []
    for number, request in enumerate(requests):
        context = director_context(request_id=f"cpi-{100000 + number}")
        process = start_cpi(lab, env=env)
        process.stdin.write(request_bytes({**request, "context": context}))
        process.stdin.close()
        process.stdin = None
        processes.append((request["method"], context["request_id"], process))
    logs = []
    for method, request_id, process in processes:
        out, err = process.communicate(timeout=600)
        logs.append(SimpleNamespace(method=method, id=request_id, pid=process.pid, lines=err.decode().splitlines(),
                                    error=json.loads(out)["error"]))
    calls = lab.calls()
    lab.reset()
    wipe(lab, before)
    return SimpleNamespace(logs=logs, calls=calls)


def mixed(logs, rng):
    """The lines of all, those of each in their order."""
    rest = [list(log.lines) for log in logs]
    lines = []
    while any(rest):
        lines.append(rng.choice([r for r in rest if r]).pop(0))
    return lines


@pytest.fixture
def mixed_log(recorded):
    return "\n".join(mixed(recorded.logs, random.Random(SEED))) + "\n"


def test_numbers_are_the_labs(recorded, mixed_log):
    result = as_json(mixed_log)
    attempts, throttled, ids = Counter(), Counter(), {}
    for call in recorded.calls:
        attempts[call["action"]] += 1
        throttled[call["action"]] += call["error"] == "RequestLimitExceeded"
        ids[call["request_id"]] = call
    actions = {a["action"]: a for a in result["actions"]}
    assert {name: a["attempts"] for name, a in actions.items()} == dict(attempts)
    assert {name: a["throttled"] for name, a in actions.items()} == {name: throttled[name] for name in attempts}
    assert sum(throttled.values()) == 3
    calls = [c for r in result["requests"] for c in r["calls"]]
    for call in calls:
        seen = ids[call["aws_request_id"]]
        assert (call["action"], call["status"], call["code"]) == (seen["action"], seen["status"], seen["error"])
        # the last attempt reached the lab within the call; a millisecond is the log's grain
        start = time_of(call["start"])
        assert start - 0.002 <= seen["time"] <= start + (call["duration_ms"] + 2) / 1000
    assert [c["code"] for c in calls if c["action"] == "DeleteVolume"] == ["UnauthorizedOperation"]
    assert sum(c["attempts"] for c in calls) == len(recorded.calls) == sum(r["attempts"] for r in result["requests"])


def stamp_of(line):
    """When a line was logged."""
    return datetime.fromisoformat(line[4:30])


def time_of(text):
    """Seconds since 1970 of "2026-11-21T21:11:50.134Z"."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc).timestamp()


def test_requests_are_the_processes(recorded, mixed_log):
    result = as_json(mixed_log)
    assert result["read"]["requests"] == len(recorded.logs)
    found = {r["pid"]: r for r in result["requests"]}
    for log in recorded.logs:
        request = found[log.pid]
        assert (request["method"], request["request_id"]) == (log.method, log.id)
        assert request["state"] == ("failed" if log.error else "finished")
        assert len(request["calls"]) == sum("aws-call " in line for line in log.lines)
        first, last = (stamp_of(next(line for line in log.lines if word in line)) for word in (": Starting ", ": Finished "))
        assert abs(request["duration_ms"] / 1000 - (last - first).total_seconds()) < 0.002
        if log.error:
            assert log.error["message"][:100] in request["failure"]
    starts = [r["start"] for r in result["requests"]]
    assert starts == sorted(starts)


def test_time_of_requests(mixed_log):
    """AWS's part of a request is the time in which at least one call was under way."""
    for request in as_json(mixed_log)["requests"]:
        moments = set()
        for call in request["calls"]:
            start = round(time_of(call["start"]) * 1000)
            moments.update(range(start, start + call["duration_ms"]))
        assert request["aws_ms"] == len(moments)
        assert request["own_ms"] == request["duration_ms"] - request["aws_ms"] >= 0


def test_totals(mixed_log):
    result = as_json(mixed_log)
    durations = defaultdict(list)
    for request in result["requests"]:
        for call in request["calls"]:
            durations[call["action"]].append(call["duration_ms"])
    everything = sum(map(sum, durations.values()))
    for action in result["actions"]:
        each = sorted(durations.pop(action["action"]))
        assert (action["calls"], action["total_ms"], action["max_ms"]) == (len(each), sum(each), each[-1])
        assert action["median_ms"] == each[len(each) // 2] or len(each) > 32
        assert abs(action["share"] - sum(each) / everything) < 1e-9
    assert not durations


@pytest.mark.parametrize("minutes", (-480, 60, 330, 765))
def test_in_another_time_zone(recorded, minutes):
    """Lines are stamped in the machine's time, calls in UTC."""
    lines = recorded.logs[0].lines
    shifted = [line[:4] + (stamp_of(line) + timedelta(minutes=minutes)).isoformat(timespec="microseconds") + line[30:]
               for line in lines]
    assert shifted != lines
    assert told(as_json("\n".join(shifted))) == told(as_json("\n".join(lines)))


# --- as a Director prints it ---

def director_line(text, task=12):
    return f"D, [2026-11-21T21:11:58.000001 #4711] [task:{task}] DEBUG -- DirectorJobRunner: {text}"


def director_debug(logs, in_answer=False):
    """The task's debug log, where each process's log stands in one message, and the answer's log in its JSON."""
    lines = [director_line("(0.000297s) (conn: 3480) SELECT * FROM \"tasks\" WHERE \"id\" = 12")]
    for log in logs:
        text = "\n".join(log.lines) + "\n"
        answer = json.dumps({"result": None, "error": None, "log": text if in_answer else ""})
        lines.append(director_line(f"[external-cpi] [{log.id}] request: {{\"method\":\"{log.method}\",\"arguments\":[]}}"))
        lines.append(director_line(f"[external-cpi] [{log.id}] response: {answer}, err: {'' if in_answer else text}, exit_status: 0"))
    return "\n".join(lines) + "\n"


def test_director_debug_log(recorded, mixed_log):
    plain = as_json(mixed_log)
    for in_answer in (False, True):
        result = as_json(director_debug(recorded.logs, in_answer))
        assert told(result) == told(plain)
        assert {r["task"] for r in result["requests"]} == {12}
        assert result["read"]["cut"] == 0


def test_answer_and_standard_error_alike(recorded, mixed_log):
    """Both logs of a task, one behind the other, and the answer's log too: each call counts once."""
    plain = as_json(mixed_log)
    both = as_json(director_debug(recorded.logs) + mixed_log + director_debug(recorded.logs, True))
    assert told(both) == told(plain)
    assert both["read"]["repeated"] == 2 * sum(len(r["calls"]) + 2 + (r["state"] == "failed") for r in plain["requests"])


def test_create_env_log(recorded, mixed_log):
    """bosh create-env prints standard error twice, in quotes."""
    lines = []
    for log in recorded.logs:
        text = "\n".join(log.lines) + "\n"
        lines.append(f"[Cmd Runner] 2026/11/21 21:11:58 DEBUG - Stderr: {text}")
        lines.append(f"[cpiCmdRunner] 2026/11/21 21:11:58 DEBUG - Exit Code 0 when executing external CPI command '/x/cpi'\n"
                     f"STDIN: '{{}}'\nSTDOUT: '{{}}'\nSTDERR: '{text}'")
    assert told(as_json("\n".join(lines))) == told(as_json(mixed_log))


def test_shipped_as_json(recorded, mixed_log):
    """A log that a collector has packed into JSON once more."""
    packed = "\n".join(json.dumps({"host": "x", "message": json.dumps({"log": "\n".join(log.lines)})}) for log in recorded.logs)
    assert told(as_json(packed)) == told(as_json(mixed_log))


def test_retry_of_the_director(recorded):
    """The same id from another process is another request."""
    lines = recorded.logs[0].lines
    again = [line.replace(f"#{recorded.logs[0].pid}]", "#99999]") for line in lines]
    rng = random.Random(SEED)
    result = as_json("\n".join(mixed([SimpleNamespace(lines=lines), SimpleNamespace(lines=again)], rng)))
    assert {r["pid"] for r in result["requests"]} == {recorded.logs[0].pid, 99999}
    first, second = result["requests"]
    assert [c["action"] for c in first["calls"]] == [c["action"] for c in second["calls"]]


# --- foreign and cut lines ---

def foreign_line(rng, lines):
    """A line of others, in bytes."""
    line = rng.choice(lines).encode()
    kind = rng.randrange(8)
    if kind == 0:
        return bytes(rng.choice([b for b in range(256) if b != 10]) for _ in range(rng.randrange(200)))
    if kind == 1:
        return director_line("(0.0s) SELECT 1").encode()
    if kind == 2:
        return line[:rng.randrange(60)]  # a head alone
    if kind == 3:
        return b"\x1b[2J\x1b]0;title\x07" + line.replace(b"aws-call action=", b"aws-call: ").replace(b"Starting", b"S").replace(
            b"Finished", b"F").replace(b" failed: ", b" f: ")
    if kind == 4:
        return b"x" * rng.choice([1, 1000, 70000, 1200000])
    if kind == 5:
        return b"\0" * rng.randrange(100)
    if kind == 6:
        return json.dumps({"aws-call": "action", "start": "2026"}).encode()
    return b""


@pytest.mark.parametrize("number", range(10))
def test_foreign_lines_change_nothing(recorded, number):
    rng = random.Random(f"{SEED} {number}")
    own = mixed(recorded.logs, rng)
    lines = [line.encode() for line in own]
    for _ in range(rng.randrange(1, 100)):
        lines.insert(rng.randrange(len(lines) + 1), foreign_line(rng, own))
    plain, result = as_json("\n".join(own) + "\n"), as_json(b"\n".join(lines) + b"\n")
    assert told(result) == told(plain)
    assert result["read"]["lines"] == len(lines)
    assert result["read"]["foreign"] - plain["read"]["foreign"] == len(lines) - len(own)


@pytest.mark.parametrize("number", range(10))
def test_cut_lines(recorded, number):
    """What is cut is not counted wrongly: each call is there as it was, or not at all."""
    rng = random.Random(f"{SEED} {number}")
    own = mixed(recorded.logs, rng)
    known = {c["aws_request_id"]: c for r in as_json("\n".join(own))["requests"] for c in r["calls"]}
    lines, cut = [], 0
    for line in own:
        if rng.random() < 0.3:
            at = rng.randrange(len(line))
            cut += 0 <= line.find("aws-call action=") <= at - len("aws-call action=")
            line = line[:at]
        elif rng.random() < 0.1:
            line = line[rng.randrange(len(line)):]
        lines.append(line)
    result = as_json("\n".join(lines))
    assert result["read"]["cut"] == cut
    for request in result["requests"]:
        for call in request["calls"]:
            whole = known[call["aws_request_id"]]
            assert whole["for"].startswith(call["for"])
            assert {**call, "for": ""} == {**whole, "for": ""}
    whole = sum(RECORD.search(line) is not None for line in lines)
    assert whole <= result["read"]["calls"] <= whole + cut


def test_lines_that_ran_into_each_other(recorded):
    """Without line breaks: all there."""
    text = "".join(line for log in recorded.logs for line in log.lines if not log.error)
    plain = "\n".join(line for log in recorded.logs for line in log.lines if not log.error)
    assert told(as_json(text)) == told(as_json(plain))


# --- large logs ---

def many_lines(file, count):
    """So many lines: requests of ten lines each, of three processes that run beside each other, a third of them foreign.
    The number of calls and their time."""
    def stamp(ms):
        s, ms = divmod(ms, 1000)
        m, s = divmod(s, 60)
        h, m = divmod(m, 60)
        d, h = divmod(h, 24)
        return f"2026-11-{d % 28 + 1:02}T{h:02}:{m:02}:{s:02}.{ms:03}"
    foreign = director_line("(0.000297s) (conn: 3480) SELECT * FROM \"tasks\" WHERE \"id\" = 12") + "\n"
    calls = total = 0
    for first in range(0, count // 10, 3):
        parts = []
        for request in range(first, min(first + 3, count // 10)):
            start, who = request * 20, f"#{1000 + request % 30000}]  INFO -- [req_id cpi-{request}]: "
            lines = [f"I, [{stamp(start)}000 {who}Starting create_disk...\n", foreign, foreign]
            for n in range(5):
                took = 20 + (request * 7 + n) % 50
                at = start + 100 * n
                lines.append(f"I, [{stamp(at + took)}000 {who}aws-call action=DescribeVolumes start={stamp(at)}Z duration_ms={took} "
                             f"attempts=1 wait_ms=0 status=200 aws_request_id={request:08x}-0000-4000-8000-{n:012} "
                             f"for=\"volume vol-0123456789abcdef0\"\n")
                calls, total = calls + 1, total + took
            lines += [foreign, f"I, [{stamp(start + 600 + request % 1000)}000 {who}Finished create_disk in 0.60 seconds\n"]
            parts.append(lines)
        for lines in zip(*parts):
            file.writelines(lines)
    return calls, total


def run_large(count):
    """The numbers of a log of so many lines that comes through a pipe, and the memory it took in KiB."""
    process = subprocess.Popen([CPI, "timeline", "--json"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with process.stdin:
        calls, total = many_lines(process.stdin, count)
        process.stdin.flush()
        with open(f"/proc/{process.pid}/status", encoding="ascii") as f:
            memory = int(re.search(r"VmHWM:\s+(\d+) kB", f.read()).group(1))
    result = json.loads(process.stdout.read())
    process.stdout.close()
    assert process.wait(timeout=600) == 0
    assert result["read"] == {"lines": count, "calls": calls, "requests": count // 10, "foreign": count // 10 * 3, "cut": 0,
                              "repeated": 0}
    assert [(a["action"], a["calls"], a["total_ms"]) for a in result["actions"]] == [("DescribeVolumes", calls, total)]
    assert result["requests_left_out"] == count // 10 - 20 and len(result["requests"]) == 20
    slowest = max(600 + request % 1000 for request in range(count // 10))
    assert max(r["duration_ms"] for r in result["requests"]) == slowest
    return memory


def test_two_hundred_thousand_lines():
    memory = run_large(200000)
    assert memory < 64 * 1024 or not PLAIN_BUILD


@pytest.mark.long
def test_ten_million_lines():
    memory = run_large(10000000)
    assert memory < 64 * 1024 or not PLAIN_BUILD


def test_slowest_and_request(recorded, mixed_log):
    result = as_json(mixed_log, "--slowest", "2")
    everything = as_json(mixed_log)
    slowest = sorted((r["duration_ms"] for r in everything["requests"]), reverse=True)[:2]
    assert sorted((r["duration_ms"] for r in result["requests"]), reverse=True) == slowest
    assert result["requests_left_out"] == len(recorded.logs) - 2
    assert result["actions"] == everything["actions"]
    for name in ("cpi-100001", "100001"):
        one = as_json(mixed_log, "--request", name)
        assert [r["request_id"] for r in one["requests"]] == ["cpi-100001"]
        assert one["read"]["calls"] == len(one["requests"][0]["calls"])


# --- what is drawn ---

def columns_of(text):
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


@pytest.mark.parametrize("columns", (80, 100, 237))
@pytest.mark.parametrize("locale", ("C.UTF-8", "C"))
def test_text(recorded, mixed_log, columns, locale):
    text = timeline(mixed_log, env={"COLUMNS": str(columns), "LC_ALL": locale})
    assert max(map(columns_of, text.splitlines())) <= columns
    assert all(c.isprintable() or c == "\n" for c in text)
    assert text.isascii() or locale != "C"
    for log in recorded.logs:
        assert f"{log.method}, {log.id}, pid {log.pid}" in text
    rule, throttled, failed = ("━━ ", "▒", "✗") if locale != "C" else ("== ", "~", "!")
    assert sum(line.startswith(rule) for line in text.splitlines()) == len(recorded.logs)
    assert throttled in text and failed in text
    assert "failed: UnauthorizedOperation, status" in text
    assert re.search(r"^DescribeSecurityGroups +2 +4 +2 +0 ", text, re.MULTILINE)


def test_what_a_log_says_moves_no_cursor(recorded):
    evil = "\x1b[2J\x1b]0;x\x07\x9b2J\u202e\x7f"
    log = "\n".join(recorded.logs[-1].lines).replace('for="', f'for="{evil}').replace(" failed: ", f" failed: {evil}")
    log += recorded.logs[-1].lines[1].replace(recorded.logs[-1].id, evil.replace(" ", ""))
    for options in ((), ("--svg",), ("--json",)):
        text = timeline(log, *options)
        assert "[2J" in text
        assert all(c.isprintable() or c == "\n" for c in text)


def on_terminal(log, columns, environ):
    """What comes out on a terminal of so many columns."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    process = subprocess.Popen([CPI, "timeline", log], stdout=follower, stdin=subprocess.DEVNULL, env=environ)
    os.close(follower)
    text = b""
    try:
        while True:
            piece = os.read(leader, 65536)
            if not piece:
                break
            text += piece
    except OSError:  # Linux's end of a terminal
        pass
    os.close(leader)
    assert process.wait(timeout=60) == 0
    return text.decode().replace("\r\n", "\n")


def test_terminal(mixed_log, tmp_path):
    path = tmp_path / "log"
    path.write_text(mixed_log)
    environ = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "TERM": "xterm"}
    coloured = on_terminal(path, 133, environ)
    plain = re.sub(r"\x1b\[\d+m", "", coloured)
    assert "\x1b[31m" in coloured and "\x1b[33m" in coloured
    assert max(map(columns_of, plain.splitlines())) == 133
    for off in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        assert on_terminal(path, 133, environ | off) == plain
    assert plain == timeline(mixed_log, env={"COLUMNS": "133"})


def test_a_terminal_as_input():
    leader, follower = pty.openpty()
    done = subprocess.run([CPI, "timeline"], stdin=follower, capture_output=True, timeout=60, check=False)
    os.close(follower)
    os.close(leader)
    assert done.returncode == 1
    assert b"a log is expected" in done.stderr and b"bosh task" in done.stderr


def test_svg(recorded, mixed_log):
    text = timeline(mixed_log, "--svg")
    root = ET.fromstring(text)
    name = "{http://www.w3.org/2000/svg}"
    assert root.tag == name + "svg"
    result = as_json(mixed_log)
    titles = [t.text for t in root.iter(name + "title")]
    for call in (c for r in result["requests"] for c in r["calls"]):
        assert any(t.startswith(f"{call['action']}: {call['for']}") and call["aws_request_id"] in t for t in titles)
    assert len(titles) == 1 + result["read"]["calls"]
    labels = [t.text for t in root.iter(name + "text")]
    for log in recorded.logs:
        assert f"{log.method}, {log.id}, pid {log.pid}" in labels
    # nothing from elsewhere, and all within the picture
    assert not re.search(r"href|url\(|@import|<script|<image", text)
    width, height = float(root.get("width")), float(root.get("height"))
    for rect in root.iter(name + "rect"):
        x, y, w, h = (float(rect.get(k, 0)) for k in ("x", "y", "width", "height"))
        assert x >= 0 and y >= 0 and x + w <= width + 0.1 and y + h <= height + 0.1
    for label in root.iter(name + "text"):
        assert 0 < float(label.get("y")) < height
    assert {rect.get("class") for rect in root.iter(name + "rect")} == {"g", "w", "r", "h", "x"}


# --- the command ---

def test_file_or_standard_input(mixed_log, tmp_path):
    path = tmp_path / "log"
    path.write_text(mixed_log)
    assert timeline("", str(path)) == timeline(mixed_log) == timeline(mixed_log, "-")


@pytest.mark.parametrize("log, options, says", (
    ("", ("/does/not/exist",), "cannot open /does/not/exist: No such file"),
    ("", ("/",), "cannot read /: Is a directory"),
    ("", (), "this log has no line of cpi's; bosh task N --cpi"),
    ("foreign\n", (), "this log has no line of cpi's"),
    ("foreign\n", ("--request", "cpi-1"), "this log has no request cpi-1"),
    ("", ("--slowest", "0"), "--slowest takes a number from 1"),
    ("", ("--slowest", "many"), "--slowest takes a number from 1"),
    ("", ("--svg", "--json"), "--svg and --json do not go together"),
))
def test_refused(log, options, says):
    assert says in timeline(log, *options, status=1)


def test_output_that_cannot_be_written(mixed_log):
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run([CPI, "timeline"], input=mixed_log.encode(), stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 1 and b"the drawing could not be written" in done.stderr


def test_a_pager_that_is_left(tmp_path):
    """No message, and no waiting for the rest."""
    path = tmp_path / "log"
    with open(path, "w", encoding="ascii") as f:
        many_lines(f, 20000)
    process = subprocess.Popen([CPI, "timeline", "--slowest", "2000", path], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(timeout=60) != 0


def test_a_log_that_grows(recorded):
    """Nothing is drawn before its end: the slowest are not known earlier."""
    process = subprocess.Popen([CPI, "timeline", "--json"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    for line in recorded.logs[0].lines:
        for piece in (line[:30], line[30:], "\n"):
            process.stdin.write(piece.encode())
            process.stdin.flush()
    process.stdin.close()
    result = json.loads(process.stdout.read())
    process.stdout.close()
    wait_until(lambda: process.poll() is not None)
    assert told(result) == told(as_json("\n".join(recorded.logs[0].lines)))


# --- the documentation ---

def test_the_page():
    """The example's log, drawn anew, is what the page and the picture beside it show."""
    with open(os.path.join(DOCS, "timeline-example.log"), encoding="utf-8") as f:
        log = f.read()
    with open(os.path.join(DOCS, "timeline.md"), encoding="utf-8") as f:
        page = f.read()
    shown = re.findall(r"^```text\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert timeline(log, env={"COLUMNS": "110"}) in shown
    with open(os.path.join(DOCS, "timeline-example.svg"), encoding="utf-8") as f:
        assert timeline(log, "--svg") == f.read()
    lines = set(log.splitlines())
    assert any(set(block.splitlines()) < lines for block in shown)


def test_the_page_names_every_member():
    """Of the JSON."""
    with open(os.path.join(DOCS, "timeline.md"), encoding="utf-8") as f:
        page = f.read()
    with open(os.path.join(DOCS, "timeline-example.log"), encoding="utf-8") as f:
        result = as_json(f.read())

    def names(value):
        if isinstance(value, dict):
            return set(value) | set().union(*map(names, value.values()))
        return set().union(*map(names, value)) if isinstance(value, list) else set()
    missing = sorted(n for n in names(result) if f"`{n}`" not in page)
    assert not missing
