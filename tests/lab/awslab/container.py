# SPDX-License-Identifier: Apache-2.0
"""What gives a container its role's keys: ECS's agent (/v2/credentials/lab, without a token) and EKS's Pod Identity agent
(/v1/credentials, with the token of DIR/identities.json in the Authorization header).

Settings (control endpoint `container`): mode "off" (connections are reset) or "hang"; "delay": seconds before each answer;
"status" and "body": answered instead; "drop": fields that the answer lacks; "token": the token that is right now.
"""
import json
import time
from http.server import BaseHTTPRequestHandler

from .gateway import Server, reset, silence

TASK, POD = "/v2/credentials/lab", "/v1/credentials"


class Container:
    """The keys that it gives out: credentials(TASK or POD) makes new ones; token is the pod's."""

    def __init__(self, credentials, token):
        self.credentials, self.token = credentials, token
        self.settings, self.requests = {}, []

    def answer(self, path, authorization):
        """Status and body."""
        if "status" in self.settings or "body" in self.settings:
            return self.settings.get("status", 200), self.settings.get("body", "")
        if path not in (TASK, POD):
            return 404, json.dumps({"code": "NoIdInRequest", "message": "no such credentials"})
        if path == POD and authorization != self.settings.get("token", self.token):
            return 401, json.dumps({"message": "the token is not valid"})
        told = self.credentials(path)
        return 200, json.dumps({k: v for k, v in told.items() if k not in self.settings.get("drop", [])})


class Handler(BaseHTTPRequestHandler):
    """One request; container is set on the class by serve()."""

    protocol_version = "HTTP/1.1"
    container = None

    def log_message(self, format, *args):  # pylint: disable=redefined-builtin
        pass

    def do_GET(self):
        settings, authorization = self.container.settings, self.headers.get("Authorization")
        self.container.requests.append({"path": self.path, "authorization": authorization is not None, "time": time.time(),
                                        "host": self.headers.get("Host")})
        time.sleep(float(settings.get("delay", 0)))
        if settings.get("mode") == "off":
            reset(self.connection)
            self.close_connection = True
            return
        if settings.get("mode") == "hang":
            silence(self)
            return
        status, text = self.container.answer(self.path, authorization)
        body = text.encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def serve(container, address=("127.0.0.1", 0)):
    """A server of its own."""
    return Server(address, type("ContainerHandler", (Handler,), {"container": container}))
