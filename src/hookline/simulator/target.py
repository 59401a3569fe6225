"""Target and Answer: where the requests go, and what comes back."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urlsplit

from hookline.core.request import WebhookRequest
from hookline.exceptions import HooklineError
from hookline.transport.tls import client_context

#: How much of an answer is read, in bytes.
MAX_ANSWER = 64 * 1024
#: A slow sender's pieces of a body, and the pause between them in seconds.
PIECES, PAUSE = 5, 0.05


@dataclass(frozen=True, slots=True)
class Answer:
    """What a consumer answered. No status: it did not answer, or the connection was cut on purpose."""

    status: int | None
    body: bytes = field(default=b"", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)
    #: From the last byte of the request to the first of the answer.
    seconds: float = 0.0
    #: Why there is no status.
    problem: str = ""

    @property
    def accepted(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    @property
    def refused(self) -> bool:
        return self.status is not None and 400 <= self.status < 500

    def __str__(self) -> str:
        return str(self.status) if self.status is not None else self.problem


#: A request, and how it is sent: `slow`, `cut`, or anything else.
Outgoing = tuple[WebhookRequest, str]


class Target(Protocol):
    """Where requests are sent."""

    #: Whether requests of one moment really arrive at the same time.
    parallel: bool

    def send(self, moment: Sequence[Outgoing]) -> list[Answer]:
        """Send the requests of one moment and return their answers in the same order."""
        ...


class HttpTarget:
    """A consumer behind a URL. The requests of one moment are held back by one byte, and let go together."""

    parallel = True

    def __init__(self, url: str, address: str, timeout: float) -> None:
        """`address`: where its host was found, see `safety`. `timeout`: seconds to wait for an answer."""
        parts = urlsplit(url)
        self._host, self._tls = parts.hostname or "", parts.scheme == "https"
        self._port = parts.port or (443 if self._tls else 80)
        self._address = address
        self._host_header, self._timeout = parts.netloc.rpartition("@")[2], timeout
        self._path = parts.path or "/"
        self._query = parts.query

    def send(self, moment: Sequence[Outgoing]) -> list[Answer]:
        if len(moment) == 1:
            return [self._send(*moment[0])]
        barrier, answers = threading.Barrier(len(moment)), [Answer(None, problem="was not sent")] * len(moment)

        def run(place: int) -> None:
            answers[place] = self._send(*moment[place], barrier)

        threads = [threading.Thread(target=run, args=(place,), daemon=True) for place in range(len(moment))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return answers

    def _send(self, request: WebhookRequest, act: str, barrier: threading.Barrier | None = None) -> Answer:
        raw = self._written(request)
        began = time.monotonic()
        try:
            with self._connect() as connection:
                for piece in _pieces(raw, act):
                    connection.sendall(piece)
                if barrier is not None:
                    barrier.wait(self._timeout)
                connection.sendall(raw[-1:])
                began = time.monotonic()
                if act == "cut":
                    return Answer(None, problem="connection cut before the answer")
                return self._answer(connection, began)
        except TimeoutError:
            return Answer(None, seconds=time.monotonic() - began, problem=f"no answer within {self._timeout:g} s")
        except ConnectionRefusedError as error:
            raise HooklineError(f"cannot reach {self._host}:{self._port}: {error}; is the consumer running?") from error
        except (OSError, http.client.HTTPException, threading.BrokenBarrierError) as error:
            return Answer(None, seconds=time.monotonic() - began, problem=f"{type(error).__name__}: {error}")

    def _connect(self) -> socket.socket:
        connection = socket.create_connection((self._address, self._port), timeout=self._timeout)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if not self._tls:
            return connection
        context: ssl.SSLContext = client_context()
        return context.wrap_socket(connection, server_hostname=self._host)

    def _written(self, request: WebhookRequest) -> bytes:
        # Some senders put their token, or a hash of the body, into the query: it is there once the request is signed.
        query = request.url.partition("?")[2] or self._query
        target = f"{self._path}?{query}" if query else self._path
        lines = [f"{request.method} {target} HTTP/1.1", f"Host: {self._host_header}"]
        lines += [f"{name}: {value}" for name, values in request.headers.items() for value in values]
        if request.method != "GET" or request.body:
            lines.append(f"Content-Length: {len(request.body)}")
        lines += ["Connection: close", "", ""]
        return "\r\n".join(lines).encode("latin-1", "replace") + request.body

    def _answer(self, connection: socket.socket, began: float) -> Answer:
        found = http.client.HTTPResponse(connection)
        try:
            found.begin()
            seconds = time.monotonic() - began
            headers = {name.lower(): value for name, value in found.getheaders()}
            return Answer(found.status, found.read(MAX_ANSWER), headers, seconds)
        finally:
            found.close()


def _pieces(raw: bytes, act: str) -> Iterable[bytes]:
    """All but the last byte, which lets go of the request."""
    if act != "slow":
        yield raw[:-1]
        return
    size = max(1, len(raw) // PIECES)
    for start in range(0, len(raw) - 1, size):
        yield raw[start : min(start + size, len(raw) - 1)]
        time.sleep(PAUSE)
