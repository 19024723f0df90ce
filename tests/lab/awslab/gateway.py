# SPDX-License-Identifier: Apache-2.0
"""The HTTP server in front of moto: records each call, makes the trouble that tests ask for, keeps client tokens, and
gives answers the shape that EC2 gives them. The control endpoint, /_lab/…, is in control.py.

A server of its own rather than werkzeug's, because resets, half answers and kept connections need the socket.
"""
import ctypes
import hashlib
import io
import json
import os
import re
import signal
import socket
import socketserver
import sys
import threading
import time
import traceback
import uuid
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, unquote, urlsplit
from xml.sax.saxutils import escape

from werkzeug.test import create_environ, run_wsgi_app

from . import common, control, denials, direct_requests, parameters, sso
from .faults import LONGEST_HOLD, not_found_code

SECRET = {"SecurityToken", "X-Amz-Security-Token", "X-Amz-Credential", "X-Amz-Signature"}
HIDDEN = {"WebIdentityToken"}
TOKENED = {"RunInstances", "CreateVolume", "CreateNetworkInterface", "CopyImage"}
# EC2's statuses where they are not 400.
STS = "2011-06-15"  # its API version
STATUS = {"DryRunOperation": 412, "UnauthorizedOperation": 403, "AuthFailure": 401, "AccessDenied": 403}
# What the EBS direct APIs call that.
EBS = {"AuthFailure": "MissingAuthenticationTokenException", "IncompleteSignature": "IncompleteSignatureException",
       "SignatureDoesNotMatch": "InvalidSignatureException", "XAmzContentSHA256Mismatch": "InvalidSignatureException",
       "RequestExpired": "InvalidSignatureException"}
# What a session whose time is up is told; by others with 403 ExpiredToken.
EXPIRED = {"ec2": (400, "RequestExpired", "Request has expired."),
           "ebs": (403, "ExpiredTokenException", "The security token included in the request is expired")}


class Answer:
    """A status, headers and a body on their way to the client."""

    def __init__(self, status, body, content_type="text/xml;charset=UTF-8", headers=()):
        self.status, self.body = status, body if isinstance(body, bytes) else body.encode()
        self.headers = dict(headers) | {"Content-Type": content_type}


class Call:
    """One call as the record shows it."""

    def __init__(self, handler, body):
        self.request_id = str(uuid.uuid4())
        url = urlsplit(handler.path)
        form = handler.headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded")
        pairs = parse_qsl(url.query, keep_blank_values=True)
        if form:
            pairs += parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)
        self.params = {k: "(secret)" if k in HIDDEN else v for k, v in pairs if k not in SECRET}
        self.payload_hash = hashlib.sha256(body).hexdigest()
        self.unsigned_payload = handler.headers.get("X-Amz-Content-Sha256") == "UNSIGNED-PAYLOAD"
        # of the EBS direct APIs: the parameters as they came; the record has them as texts
        self.action, self.given = direct_requests.read(handler.command, url.path, url.query, handler.headers, body)
        if self.action:
            self.params = direct_requests.flat(self.given)
        else:
            self.action = self.params.pop("Action", None) or rest_action(handler.command, url.path)
        self.version = self.params.pop("Version", None)
        scope = re.search(r"Credential=([^/,]*)/[^/]*/([^/]*)/([^/]*)/", handler.headers.get("Authorization") or "")
        self.access_key_id, self.region, self.service = scope.groups() if scope else (None, None, unsigned_service(
            handler.command, url.path, self.version))
        self.denied = False  # or the permission that is lacking
        self.permissions = []  # what AWS asks for, of our programs' calls
        self.time, self.start = time.time(), time.monotonic()
        self.status = self.error = self.ended = None
        self.faults = []

    def end(self, status, error=None):
        self.status, self.error, self.ended = status, error, time.monotonic()

    def as_dict(self, number):
        return {"n": number, "action": self.action, "params": self.params, "status": self.status, "error": self.error,
                "time": self.time, "start": self.start, "end": self.ended,
                "duration": None if self.ended is None else self.ended - self.start, "request_id": self.request_id,
                "access_key_id": self.access_key_id, "region": self.region, "service": self.service, "unsigned_payload": self.unsigned_payload,
                "faults": self.faults, "permissions": self.permissions}


def unsigned_service(method, path, version):
    """Whose call it is where no signature says so."""
    return sso.ACTIONS.get((method, path), (None, "sts" if version == STS else None))[1]


def rest_action(method, path):
    """The action of SSO, from method and path."""
    return sso.ACTIONS.get((method, path), (f"{method} {path}",))[0]


def error_answer(call, status, code, message, reason=None):
    """An error in the shape of the service that was called."""
    code_message = f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
    if call.service == "ebs":
        return Answer(status, direct_requests.error_body(code, message, reason), "application/json",
                      {"x-amzn-errortype": code})
    if call.service in ("sso", "sso-oidc"):
        return Answer(status, json.dumps(sso.error_body(call.service, code, message)), "application/json",
                      {"x-amzn-ErrorType": code})
    if call.service in (None, "ec2"):
        body = f"<Response><Errors><Error>{code_message}</Error></Errors><RequestID>{call.request_id}</RequestID></Response>"
    else:
        kind = "Sender" if status < 500 else "Receiver"
        body = (f"<ErrorResponse><Error><Type>{kind}</Type>{code_message}</Error>"
                f"<RequestId>{call.request_id}</RequestId></ErrorResponse>")
    return Answer(status, '<?xml version="1.0" encoding="UTF-8"?>\n' + body)


class Gateway:
    """Calls to moto, one at a time, with everything around them; delays and hangs are outside, and overlap."""

    def __init__(self, lab, app):
        self.lab, self.app = lab, app
        self.calls = []
        self._tokens = {}
        self.lock = threading.RLock()

    def ask(self, handler, call, body):
        """Does the call and gives the answer as EC2 would."""
        lab = self.lab
        if call.service in ("sso", "sso-oidc"):
            return self._sso(handler, call, body)
        refused = common.refusal(handler.headers, call.payload_hash, call.action, call.service, lab.now())
        if refused and call.service == "ebs":
            refused = 403, EBS[refused[1]], refused[2]
        if refused is None and lab.sessions.expired(call.access_key_id):
            refused = EXPIRED.get(call.service, (403, "ExpiredToken", "The security token included in the request is expired"))
        if refused:
            return error_answer(call, *refused)
        with self.lock:
            lab.states.settle()
            lab.direct.settle()
            if call.service == "ebs":
                return self._direct(handler, call, body)
            token = call.params.get("ClientToken") if call.action in TOKENED else None
            if token:
                known = self._known(call, token)
                if known:
                    return known
            try:
                wrong = parameters.wrong(call.version, call.action, call.params)
                answer = error_answer(call, 400, *wrong) if wrong else self._moto(handler, call, body)
            except Exception as error:  # pylint: disable=broad-except; whatever moto lacks must not look like AWS's 500
                lab.log(traceback.format_exc())
                return error_answer(call, 400, "LabCannotDoThis", f"{type(error).__name__}: {error}")
            if token and answer.status == 200:
                self._tokens[self._key(call, token)] = (call.params, answer, call.request_id)
            return answer

    def _sso(self, handler, call, body):
        with self.lock:
            try:
                return Answer(200, json.dumps(self.lab.portal.ask(call, handler.headers, body)), "application/json")
            except sso.Refusal as refusal:
                code, message = refusal.args
                return error_answer(call, sso.STATUS.get(code, 400), code, message)

    def _direct(self, handler, call, body):
        try:
            status, headers, body = self.lab.direct.ask(call, handler.command, handler.path, handler.headers, body)
            return Answer(status, body, "application/json" if isinstance(body, str) else "application/octet-stream", headers)
        except direct_requests.Refusal as refusal:
            return error_answer(call, refusal.status, refusal.code, refusal.message, refusal.reason)
        except Exception as error:  # pylint: disable=broad-except; see ask()
            self.lab.log(traceback.format_exc())
            return error_answer(call, 400, "LabCannotDoThis", f"{type(error).__name__}: {error}")

    def _moto(self, handler, call, body):
        url = urlsplit(handler.path)
        environ = create_environ(path=unquote(url.path), query_string=url.query, method=handler.command,
                                 base_url=f"http://{handler.headers.get('Host', 'localhost')}",
                                 headers=list(handler.headers.items()), input_stream=io.BytesIO(body))
        environ["CONTENT_LENGTH"] = str(len(body))
        environ["lab.body"], environ["lab.denied"] = body, call.denied
        chunks, status, headers = run_wsgi_app(self.app, environ, buffered=True)
        text = b"".join(chunks)
        answer = Answer(int(status.split()[0]), text, headers.get("Content-Type", "text/xml"),
                        {k: v for k, v in headers.items() if k.lower() in ("x-amzn-errortype", "location")})
        if answer.status >= 400:
            code = re.search(rb"<Code>(.*?)</Code>", text, re.DOTALL)
            message = re.search(rb"<Message>(.*?)</Message>", text, re.DOTALL)
            if code is None:
                return error_answer(call, 400, "LabCannotDoThis", text.decode("utf-8", "replace")[:500])
            code, message = (_plain(m.group(1)) if m else "" for m in (code, message))
            if call.service == "ec2" and code == "AccessDenied":
                code, message = "UnauthorizedOperation", denials.refused(self.lab, call)
            status = answer.status
            if call.service == "ec2" or code == "AccessDenied":
                status = STATUS.get(code, status)
            return error_answer(call, status, code, message)
        if call.service == "ec2" and call.params.get("DryRun") == "true" and re.match("Describe|Get", call.action):
            # moto looks at this for what changes something, and seldom elsewhere.
            return error_answer(call, 412, "DryRunOperation", "Request would have succeeded, but DryRun flag is set.")
        if call.service == "ec2" and call.params.get("DryRun") == "true":
            raise RuntimeError("a dry run was done in earnest")
        answer.body = re.sub(rb"(?i)(<RequestId>)[^<]*(</RequestId>)",
                             lambda m: m.group(1) + call.request_id.encode() + m.group(2), text)
        return answer

    @staticmethod
    def _key(call, token):
        return call.region, call.action, token

    def _known(self, call, token):
        """The answer to an earlier call with this token, or None if there was none."""
        if len(token) > 64 or not token.isascii():
            return error_answer(call, 400, "InvalidParameterValue", "Value for parameter clientToken is invalid. "
                                "Length exceeds maximum of 64 ASCII characters")
        earlier = self._tokens.get(self._key(call, token))
        if earlier is None:
            return None
        params, answer, request_id = earlier
        if params != call.params:
            return error_answer(call, 400, "IdempotentParameterMismatch", "The request uses the same client token as a "
                                "previous, but non-identical request. Do not reuse a client token with different "
                                "requests.")
        if call.action == "RunInstances":
            ids = [i.decode() for i in re.findall(rb"<instanceId>(i-[0-9a-f]+)<", answer.body)]
            if any(self.lab.instance_gone(call.region, i) for i in ids):
                return error_answer(call, 400, "IdempotentInstanceTerminated", "The request cannot be completed because "
                                    "it uses an existing client token of a terminated instance.")
        body = answer.body.replace(request_id.encode(), call.request_id.encode())
        return Answer(200, body, answer.headers["Content-Type"])


def _plain(xml):
    text = xml.decode("utf-8", "replace")
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"').replace("&#39;", "'").replace("&amp;", "&")


class Handler(BaseHTTPRequestHandler):
    """One connection; gateway is set on the class by serve()."""

    protocol_version = "HTTP/1.1"
    gateway = None
    disable_nagle_algorithm = True
    wbufsize = -1

    def setup(self):
        super().setup()
        self.server.connections += 1

    def log_message(self, format, *args):  # pylint: disable=redefined-builtin
        pass

    def version_string(self):
        return "AmazonEC2"

    def handle_any(self):
        """Reads one request and answers it."""
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            self.close_connection = True
            self.send(Answer(411, "no chunked requests here"))
            return
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path.startswith("/_lab/"):
            self.send(control.handle(self.gateway, self.command, self.path, body))
            return
        call = Call(self, body)
        with self.gateway.lock:
            self.gateway.calls.append(call)
        try:
            self.answer(call, body)
        except (BrokenPipeError, ConnectionResetError):
            call.end(None, "client went away")
            self.close_connection = True

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = handle_any

    def answer(self, call, body):
        """Does a call, with the faults that are set for it."""
        faults = self.gateway.lab.faults.take(call.action, call.params)
        if self.gateway.lab.buckets.empty(call):
            faults.append({"kind": "throttle"})
        call.faults = [f["kind"] for f in faults]
        answer, cut = None, False
        for fault in faults:
            kind, seconds = fault["kind"], float(fault.get("seconds", 0))
            if kind == "signal" and fault.get("when", "before") == "before":
                send_signal(fault)
            elif kind == "delay" and not fault.get("after"):
                time.sleep(seconds)
            elif kind == "hold" and not fault.get("after"):
                fault["over"].wait(LONGEST_HOLD)
            elif kind == "hang" and not fault.get("after"):
                self.hang(call, seconds)
                return
            elif kind == "reset":
                call.end(None, "reset")
                reset(self.connection)
                self.close_connection = True
                return
            elif kind in ("error", "throttle", "not_found", "bucket") and answer is None:
                answer = self.error(call, fault)
            elif kind == "deny":
                call.denied = True
        lacking = self.gateway.lab.policy.look(call, self.headers.get("User-Agent", ""))
        call.denied = call.denied or lacking or False
        answer = answer or self.gateway.ask(self, call, body)
        for fault in faults:
            kind, seconds = fault["kind"], float(fault.get("seconds", 0))
            if kind == "signal" and fault.get("when") == "after":
                send_signal(fault)
            elif kind == "delay" and fault.get("after"):
                time.sleep(seconds)
            elif kind == "hold" and fault.get("after"):
                fault["over"].wait(LONGEST_HOLD)
            elif kind == "hang" and fault.get("after"):
                self.hang(call, seconds)
                return
            elif kind == "drop":
                call.end(None, "dropped")
                self.close_connection = True
                return
            elif kind == "error_after":
                answer = self.error(call, fault)
            elif kind == "garbage":
                answer = Answer(fault.get("status", 200), fault.get("body", "\x00<<<]]> this is no answer \ufffd"))
            elif kind == "truncate":
                cut = True
        code = re.search(rb"<Code>(.*?)</Code>", answer.body) if answer.status >= 400 else None
        call.end(answer.status, code.group(1).decode() if code else answer.headers.get("x-amzn-errortype"))
        answer.headers.setdefault("x-amzn-RequestId", call.request_id)
        self.send(answer, cut)

    def error(self, call, fault):
        kind = fault["kind"]
        status, code, message = 500, "InternalError", "An internal error has occurred"
        if call.service == "ebs":
            status, code, message = direct_requests.TROUBLE.get(kind, direct_requests.FAILED)
        elif kind in ("throttle", "bucket"):
            status, code, message = 503, "RequestLimitExceeded", "Request limit exceeded."
        elif kind == "not_found":
            status, code = 400, not_found_code(call.action)
            message = f"The {code.partition('.')[0].removeprefix('Invalid')} does not exist"
        code = fault.get("code", code)
        status = fault.get("status") or call.service == "ebs" and direct_requests.modelled(code) or status
        return error_answer(call, status, code, fault.get("message", message), fault.get("reason"))

    def hang(self, call, seconds):
        """Nothing for so long, but no longer than the client waits."""
        self.connection.settimeout(seconds)
        try:
            self.connection.recv(1)
        except OSError:
            pass
        call.end(None, "hung")
        self.close_connection = True

    def send(self, answer, cut=False):
        """Sends an answer, or half of it."""
        offset = self.gateway.lab.options.get("clock_offset", 0)
        self.send_response_only(answer.status)
        self.send_header("Server", self.version_string())
        self.send_header("Date", formatdate(time.time() + offset, usegmt=True))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body[:len(answer.body) // 2] if cut else answer.body)
        self.wfile.flush()
        if cut:
            self.close_connection = True


def silence(handler):
    """Says nothing until the client gives up."""
    handler.connection.settimeout(120)
    try:
        handler.connection.recv(1)
    except OSError:
        pass
    handler.close_connection = True


def reset(connection):
    """Resets a TCP connection: connecting it to nowhere sends RST, where close would first send FIN."""
    address = socket.AF_UNSPEC.to_bytes(2, "little") + b"\0" * 14
    ctypes.CDLL(None, use_errno=True).connect(connection.fileno(), address, len(address))


def send_signal(fault):
    """Sends the signal of a fault to its process; one that is gone already is no trouble."""
    pid = fault.get("pid")
    if pid is None:
        with open(fault["pid_file"], encoding="ascii") as f:
            pid = f.read()
    name = str(fault.get("signal", "TERM"))
    number = int(name) if name.isdigit() else getattr(signal, "SIG" + name.removeprefix("SIG"))
    try:
        os.kill(int(pid), number)
    except ProcessLookupError:
        pass


class Server(ThreadingHTTPServer):
    """A thread a connection; none of them keeps the process alive."""

    daemon_threads = True
    request_queue_size = 128
    connections = 0

    def __init__(self, address, handler):
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, handler)

    def server_bind(self):
        socketserver.TCPServer.server_bind(self)  # HTTPServer's asks the name service too
        self.server_name, self.server_port = self.server_address[:2]

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], OSError):  # clients may go at any time
            traceback.print_exc()


def serve(gateway, port):
    """The server, listening on the loopback address."""
    return Server(("127.0.0.1", port), type("LabHandler", (Handler,), {"gateway": gateway}))
