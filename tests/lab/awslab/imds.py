# SPDX-License-Identifier: Apache-2.0
"""The builder instance's metadata service, with IMDSv2 enforced.

Settings (control endpoint `imds`): mode "v2" (the default), "v1" (the token call answers token_status, 403), "v1-v2" (both
work), "hop-limit" (the token call hangs while version 1 answers), "off" (connections are reset), "hang"; "delay": seconds
before each answer; "credentials": false (no role); "paths": {"placement/region": "…" or null} overrides answers; a number
is a status.
"""
import json
import secrets
import time
from http.server import BaseHTTPRequestHandler
from urllib.parse import urlsplit

from .gateway import Server, reset, silence

TTL = "X-aws-ec2-metadata-token-ttl-seconds"
TOKEN = "X-aws-ec2-metadata-token"


class Metadata:
    """What the service says, and the tokens it gave out."""

    def __init__(self, answers, role, credentials):
        self.answers, self.role, self.credentials = answers, role, credentials
        self.settings, self.tokens, self.requests = {}, {}, []

    def get(self, path):
        """The text at a path below /latest/, or None."""
        overrides = self.settings.get("paths", {})
        short = path.removeprefix("meta-data/")
        for name in (path, short):
            if name in overrides:
                return overrides[name]
        role = self.settings.get("credentials", True)
        if short.rstrip("/") == "iam/security-credentials":
            return self.role if role else None
        if short == f"iam/security-credentials/{self.role}":
            return json.dumps(self.credentials(), indent=2) if role else None
        if path == "dynamic/instance-identity/document":
            return json.dumps({
                "accountId": self.answers["account"], "architecture": "x86_64",
                "availabilityZone": self.answers["placement/availability-zone"], "imageId": self.answers["ami-id"],
                "instanceId": self.answers["instance-id"], "instanceType": self.answers["instance-type"],
                "privateIp": self.answers["local-ipv4"], "region": self.answers["placement/region"],
                "version": "2017-09-30"}, indent=2)
        if path.startswith("meta-data/") and short != "account":
            if short.rstrip("/") in ("", "placement"):
                return "\n".join(sorted({k.removeprefix(short).split("/")[0] for k in self.answers
                                         if k.startswith(short) and k != "account"}))
            return self.answers.get(short)
        return None


class Handler(BaseHTTPRequestHandler):
    """One request; metadata is set on the class by serve()."""

    protocol_version = "HTTP/1.1"
    metadata = None

    def log_message(self, format, *args):  # pylint: disable=redefined-builtin
        pass

    def version_string(self):
        return "EC2ws"

    def do_PUT(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        mode = self.begin("PUT")
        if mode is None:
            return
        if mode == "hop-limit":
            silence(self)
        elif mode == "v1":
            self.say(self.metadata.settings.get("token_status", 403))
        elif self.headers.get("X-Forwarded-For"):
            self.say(403)
        elif urlsplit(self.path).path != "/latest/api/token":
            self.say(404)
        else:
            ttl = self.headers.get(TTL, "")
            if not ttl.isdigit() or not 1 <= int(ttl) <= 21600:
                self.say(400)
                return
            token = secrets.token_urlsafe(40)
            self.metadata.tokens[token] = time.monotonic() + int(ttl)
            self.say(200, token, {TTL: ttl})

    def do_GET(self):
        mode = self.begin("GET")
        if mode is None:
            return
        token = self.headers.get(TOKEN)
        # A token that is given is checked in every mode.
        if (token is not None or mode == "v2") and self.metadata.tokens.get(token, 0) < time.monotonic():
            self.say(401)
            return
        path = urlsplit(self.path).path
        text = self.metadata.get(path.removeprefix("/latest/")) if path.startswith("/latest/") else None
        if isinstance(text, int):
            self.say(text)
            return
        self.say(404 if text is None else 200, text or "")

    def begin(self, method):
        """Records the request, makes the trouble that is set; the mode, or None if there is nothing more to say."""
        self.metadata.requests.append({"method": method, "path": self.path, "token": TOKEN in self.headers,
                                       "forwarded": "X-Forwarded-For" in self.headers, "time": time.time(),
                                       "host": self.headers.get("Host")})
        time.sleep(float(self.metadata.settings.get("delay", 0)))
        mode = self.metadata.settings.get("mode", "v2")
        if mode == "off":
            reset(self.connection)
            self.close_connection = True
            return None
        if mode == "hang":
            silence(self)
            return None
        return mode

    def say(self, status, text="", headers=None):
        body = text.encode()
        self.send_response(status)
        for name, value in {"Content-Type": "text/plain", "Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def serve(metadata, address=("127.0.0.1", 0)):
    """A server of its own."""
    return Server(address, type("ImdsHandler", (Handler,), {"metadata": metadata}))
