"""A relay before PostgreSQL that loses an answer: what was asked is done, and whoever asked never learns of it.

Or it loses the question, and then it is not done; whoever asked cannot tell one from the other.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from django.db import connection, connections


class LosingRelay:
    """Listens on loopback, and passes everything on both ways until it is told to `lose` something."""

    def __init__(self, host: str, port: int) -> None:
        self._upstream = host, port
        self._losing = self._cutting = b""
        #: How many answers, or questions, were lost.
        self.lost = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._listen, daemon=True).start()

    def lose(self, question: bytes) -> None:
        """Cut the connection on which a piece with these bytes is sent next, when the answer to it has come."""
        self._losing = question

    def cut(self, question: bytes) -> None:
        """Cut the connection on which a piece with these bytes is sent next, and do not pass it on."""
        self._cutting = question

    def close(self) -> None:
        self._listener.close()

    def _listen(self) -> None:
        with suppress(OSError):  # closed
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._pass, args=(client, self._connected()), daemon=True).start()

    def _connected(self) -> socket.socket:
        host, port = self._upstream
        if not host.startswith("/"):
            return socket.create_connection(self._upstream)
        upstream = socket.socket(socket.AF_UNIX)
        upstream.connect(f"{host}/.s.PGSQL.{port}")
        return upstream

    def _pass(self, client: socket.socket, server: socket.socket) -> None:
        lost = threading.Event()
        back = threading.Thread(target=self._pass_back, args=(server, client, lost), daemon=True)
        back.start()
        with suppress(OSError):
            while piece := client.recv(1 << 20):
                if self._cutting and self._cutting in piece:
                    self._cutting = b""
                    self.lost += 1
                    break
                if self._losing and self._losing in piece:
                    self._losing = b""
                    lost.set()
                server.sendall(piece)
        with suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)
        back.join()
        client.close()
        server.close()

    def _pass_back(self, server: socket.socket, client: socket.socket, lost: threading.Event) -> None:
        with suppress(OSError):
            while piece := server.recv(1 << 20):
                if lost.is_set():  # the server answers once it is done
                    self.lost += 1
                    break
                client.sendall(piece)
        with suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)


@contextmanager
def losing_relay() -> Iterator[LosingRelay]:
    """One before the database of the tests. All connections that are made within go through it.

    Skips on SQLite, where no answer can be lost.
    """
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no connection that could break")
    settings: dict[str, Any] = connection.settings_dict
    before = {name: settings[name] for name in ("HOST", "PORT", "OPTIONS")}
    params = connection.get_connection_params()  # a URL may name the host of a Unix socket among its options
    relay = LosingRelay(params.get("host", "127.0.0.1"), int(params.get("port", 5432)))
    connections.close_all()
    options = {name: value for name, value in settings["OPTIONS"].items() if name not in ("host", "port")}
    settings.update(HOST="127.0.0.1", PORT=str(relay.port), OPTIONS={**options, "sslmode": "disable"})
    try:
        yield relay
    finally:
        connections.close_all()
        settings.update(before)
        relay.close()
