# SPDX-License-Identifier: Apache-2.0
"""TLS in front of the lab, which speaks none: takes connections with a certificate and passes their bytes on, both ways."""
import contextlib
import socket
import ssl
import threading


def _copy(source, target):
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


class Front:
    """Listens at 127.0.0.1 until it is closed."""

    def __init__(self, certificate_file, to):
        self._to = to
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate_file)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.address = "127.0.0.1:%d" % self._listener.getsockname()[1]
        self.connections = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                raw, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(raw,), daemon=True).start()

    def _serve(self, raw):
        with contextlib.suppress(OSError), self._context.wrap_socket(raw, server_side=True) as secured:
            self.connections += 1
            with socket.create_connection(self._to) as lab:
                back = threading.Thread(target=_copy, args=(lab, secured), daemon=True)
                back.start()
                _copy(secured, lab)
                back.join()

    def close(self):
        """No new connections."""
        self._listener.close()
