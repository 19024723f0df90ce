# SPDX-License-Identifier: Apache-2.0
"""A server in front of the lab, on plain sockets: it hands each exchange on to the lab, unless a test wants something
else done to it at a certain place. And a cpi that is watched while it runs."""
import contextlib
import re
import select
import socket
import ssl
import struct
import threading
from urllib.parse import parse_qs, urlsplit

from conftest import Working, director_env, start_cpi, wait_until
from test_create_stemcell import config_with

FAILED_ONCE = r"attempt \d+ failed"


def read_message(connection, start=b""):
    """One HTTP message with a Content-Length (or without a body): head and body; None at the connection's end."""
    data = start
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            return None
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    while length and len(body) < int(length.group(1)):
        piece = connection.recv(65536)
        if not piece:
            return None
        body += piece
    return head + b"\r\n\r\n", body


def answer_bytes(status, body=b"", headers=()):
    """An answer of the test's own, the last one on its connection."""
    body = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", "Connection: close", *(f"{k}: {v}" for k, v in headers)]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def aws_error(status, code, headers=()):
    """An error as EC2 sends it."""
    return answer_bytes(status, f"<Response><Errors><Error><Code>{code}</Code><Message>no</Message></Error></Errors>"
                        "<RequestID>r-1</RequestID></Response>", headers)


class Request:
    """One request as it came."""

    def __init__(self, head, body):
        self.head, self.body = head, body
        self.method, self.target = head.decode("latin-1").split(" ")[:2]
        params = parse_qs(body.decode("latin-1"))
        self.action = params.get("Action", [""])[0]
        self.token = params.get("ClientToken", [None])[0]

    def header(self, name):
        """A header's value, or None."""
        found = re.search(rf"(?im)^{name}: *(.*?)\r$", self.head.decode("latin-1"))
        return found and found.group(1)


class Exchange:
    """One connection at the point where a trouble has its way with it. request is None before it was read."""

    def __init__(self, front, connection, request=None):
        self.front, self.connection, self.request = front, connection, request

    def ask(self):
        """The lab's answer: head and body."""
        return self.front.ask(self.request)

    def send(self, data):
        """Bytes to cpi, however much it still reads."""
        with contextlib.suppress(OSError):
            self.connection.sendall(data)

    def close(self):
        """An orderly end, also of TLS."""
        if isinstance(self.connection, ssl.SSLSocket):
            with contextlib.suppress(OSError):
                self.connection.unwrap()
        self.connection.close()

    def reset(self):
        """RST in place of an end."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def hang(self):
        """Nothing more, until cpi has gone."""
        with contextlib.suppress(OSError):
            self.connection.settimeout(300)
            while self.connection.recv(65536):
                pass
        self.connection.close()


class Front:
    """Listens on a port of 127.0.0.1. troubles: number of the exchange (from 0) → what is done to it in place of handing
    it on: a function of an Exchange. One whose attribute unread is true gets it before the request is read; the connection
    is then a new one. requests holds what was read, connections counts. upstream: another service than the lab's AWS."""

    def __init__(self, lab, troubles=None, tls=None, listening=True, upstream=None):
        self.troubles, self.tls = troubles or {}, tls
        self.requests, self.connections, self.exchanges = [], 0, 0
        self.after = lambda exchange: None  # what is done behind each answer
        self._upstream = urlsplit(upstream or lab.endpoint)
        self._lock = threading.Lock()
        self._listener = None
        self._listener = self._bind(0)
        self.port = self._listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        if listening:
            self.listen()

    @staticmethod
    def _bind(port):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        return listener

    def listen(self):
        """From now on connections are accepted."""
        self._listener.listen(64)
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def refuse(self):
        """From now on they are refused; the port stays ours."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._listener = self._bind(self.port)
        self.troubles = {n: t for n, t in self.troubles.items() if not getattr(t, "refused", False)}

    def close(self):
        """Ends it."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def ask(self, request):
        """The lab's answer to a request."""
        with socket.create_connection((self._upstream.hostname, self._upstream.port), 60) as upstream:
            upstream.sendall(request.head + request.body)
            return read_message(upstream)

    def actions(self):
        """What was asked for, in order."""
        return [r.action for r in self.requests]

    def of(self, action):
        """The requests of an action."""
        return [r for r in self.requests if r.action == action]

    def _accept(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            trouble = self.troubles.get(self.exchanges)
            if trouble is not None and getattr(trouble, "unread", False):
                self.exchanges += 1
                trouble(Exchange(self, connection))
                return
            if self.tls:
                connection = self.tls.wrap_socket(connection, server_side=True)
            elif connection.recv(1, socket.MSG_PEEK) == b"\x16":  # a TLS handshake
                connection.sendall(b"HTTP/1.0 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
                connection.recv(65536)
                connection.close()
                return
            while self._exchange(connection):
                pass
        except OSError:
            pass
        connection.close()

    def _exchange(self, connection):
        """Whether the connection lives on."""
        message = read_message(connection)
        if message is None:
            return False
        request = Request(*message)
        with self._lock:
            trouble = self.troubles.get(self.exchanges)
            self.exchanges += 1
            following = self.troubles.get(self.exchanges)
            self.requests.append(request)
        exchange = Exchange(self, connection, request)
        if trouble is not None:
            trouble(exchange)
            return False
        head, body = self.ask(request)
        last = following is not None and getattr(following, "unread", False)
        if last:
            head = head[:-2] + b"Connection: close\r\n\r\n"
        if getattr(following, "refused", False):
            self.refuse()
        connection.sendall(head + body)
        if last:
            return False
        return self.after(exchange) is None


@contextlib.contextmanager
def nobody_accepts():
    """A port whose queue of connections is full: a connection to it hangs, until the listener is taken over."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        waiting = []
        for _ in range(4):
            waiting.append(socket.socket())
            waiting[-1].setblocking(False)
            waiting[-1].connect_ex(listener.getsockname())
        yield listener, waiting
        for each in waiting:
            each.close()


class Proxy:
    """An HTTP proxy, with CONNECT. seen holds each request's head. Where user is given ("name:password"), nothing goes
    without it."""

    def __init__(self, user=None):
        self.seen, self._user = [], user
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        """Ends it."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _allowed(self, head):
        if self._user is None:
            return True
        import base64
        return f"Basic {base64.b64encode(self._user.encode()).decode()}".encode() in head

    def _serve(self, connection):
        with contextlib.suppress(OSError), connection:
            while True:
                message = read_message(connection)
                if message is None:
                    return
                head, body = message
                self.seen.append(head.decode("latin-1"))
                method, target = head.decode("latin-1").split(" ")[:2]
                if not self._allowed(head):
                    connection.sendall(answer_bytes(407, "", [("Proxy-Authenticate", 'Basic realm="proxy"')]))
                    return
                if method == "CONNECT":
                    host, _, port = target.rpartition(":")
                    connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                    self._join(connection, (host, int(port)))
                    return
                url = urlsplit(target)
                with socket.create_connection((url.hostname, url.port or 80), 60) as upstream:
                    upstream.sendall(head.replace(target.encode(), (url.path or "/").encode(), 1) + body)
                    connection.sendall(b"".join(read_message(upstream)))

    @staticmethod
    def _join(connection, address):
        with socket.create_connection(address, 60) as upstream:
            pairs = {connection: upstream, upstream: connection}
            while True:
                for ready in select.select(list(pairs), [], [])[0]:
                    data = ready.recv(65536)
                    if not data:
                        return
                    pairs[ready].sendall(data)


class Watched(Working):
    """With a front as its endpoint, and a log that says all."""

    def __init__(self, lab, url, request, env=None, config=None, **aws):
        config = config or config_with(lab, ec2_endpoint=url, elb_endpoint=url, ebs_endpoint=url, **aws)
        super().__init__(start_cpi(lab, config, {**director_env(), "CPI_LOG_LEVEL": "debug", **(env or {})}))
        if request is not None:
            self.send(request)

    def sees(self, pattern, seconds=60):
        """Waits for a line of the log; fails when it does not come."""
        wait_until(lambda: re.search(pattern, self.log) or not self.reader.is_alive(), seconds)
        found = re.search(pattern, self.log)
        assert found, f"no {pattern} in:\n{self.log}"
        return found

    def end(self, seconds=60):
        """Its answer's text; fails when it does not end."""
        try:
            self.process.wait(seconds)
        finally:
            if self.process.poll() is None:
                self.process.kill()
        answer = self.process.stdout.read().decode(errors="replace")
        self.reader.join(10)
        return answer
