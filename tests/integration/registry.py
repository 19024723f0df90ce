# SPDX-License-Identifier: Apache-2.0
"""A registry as BOSH's own was: settings of instances behind basic authentication, over real HTTP or HTTPS."""
import base64
import datetime
import http.server
import ipaddress
import json
import re
import ssl
import threading
from types import SimpleNamespace
from urllib.parse import quote

USER = "admin"
PASSWORD = "registry/p@ss:w%rd-0123456789"


class Registry:
    """A running registry. settings holds what it has, as texts; requests what came, each with method, path and status.
    trouble(request) may answer in its place: a status, or "reset" for a connection that ends without an answer."""

    def __init__(self, tls=None):
        self.settings, self.requests, self.trouble = {}, [], lambda request: None
        registry = self

        class Handler(http.server.BaseHTTPRequestHandler):
            """One request."""
            protocol_version = "HTTP/1.1"

            def do_GET(self):  # pylint: disable=invalid-name
                registry._serve(self)

            do_PUT = do_DELETE = do_GET

            def log_message(self, *_args):
                pass
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.address = f"127.0.0.1:{self._server.server_address[1]}"
        self.url = f"{'https' if tls else 'http'}://{self.address}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def config(self, **more):
        """What stands in cpi.json, as the incumbent's template writes it."""
        scheme, _, host = self.url.partition("://")
        return {"endpoint": f"{scheme}://{USER}:{quote(PASSWORD, safe='')}@{host}", "user": USER, "password": PASSWORD, **more}

    def put(self, instance_id, **settings):
        """Settings that are there beforehand."""
        self.settings[instance_id] = json.dumps(settings)

    def get(self, instance_id):
        """Settings as the agent reads them; None where there are none."""
        text = self.settings.get(instance_id)
        return None if text is None else json.loads(text)

    def methods(self):
        """The requests' methods, in order."""
        return [r.method for r in self.requests]

    def close(self):
        """Ends it; its port then refuses."""
        self._server.shutdown()
        self._server.server_close()

    def _serve(self, handler):
        body = handler.rfile.read(int(handler.headers.get("Content-Length", 0))).decode()
        request = SimpleNamespace(method=handler.command, path=handler.path, headers=dict(handler.headers), body=body)
        self.requests.append(request)
        status = self.trouble(request)
        if status == "reset":
            handler.close_connection = True
            return
        answer = ""
        if status is None:
            status, answer = self._answer(request)
        request.status = status
        data = answer.encode()
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    def _answer(self, request):
        credentials = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if request.headers.get("Authorization") != f"Basic {credentials}":
            return 401, "Not authorized\n"
        match = re.fullmatch("/instances/([^/]+)/settings", request.path)
        if not match:
            return 404, ""
        instance_id = match.group(1)
        if request.method == "PUT":
            json.loads(request.body)
            status = 200 if instance_id in self.settings else 201
            self.settings[instance_id] = request.body
            return status, ""
        if instance_id not in self.settings:
            return 404, json.dumps({"status": "not_found"})
        if request.method == "DELETE":
            del self.settings[instance_id]
            return 200, json.dumps({"status": "ok"})
        return 200, json.dumps({"settings": self.settings[instance_id], "status": "ok"})


def certificate(folder):
    """A certificate of its own for 127.0.0.1: the server's context, and the file that makes clients trust it."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "registry")])
    now = datetime.datetime.now(datetime.timezone.utc)
    made = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), True).sign(key, hashes.SHA256()))
    public, private = folder / "registry.pem", folder / "registry.key"
    public.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                          serialization.NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(public, private)
    return context, str(public)
