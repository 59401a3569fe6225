"""The load generator: sends prepared HTTP requests over keep-alive connections and times the answers.

A raw asyncio protocol rather than an HTTP client, so that on a machine with two cores the generator is a small part of
what is measured. It is closed-loop by default (each connection sends when it was answered); with a rate, requests start
on schedule whether or not earlier ones were answered, and the time counts from the schedule, so that a stalled server
cannot hide (coordinated omission).
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import cast

import uvloop


@dataclass
class Load:
    """What a run measured. Times are seconds."""

    started: float = 0.0
    ended: float = 0.0
    latencies: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    bodies: Counter[bytes] = field(default_factory=Counter)

    @property
    def rate(self) -> float:
        return len(self.latencies) / (self.ended - self.started)

    def percentile(self, share: float) -> float:
        return percentile(sorted(self.latencies), share)

    def check(self, status: int = 200) -> Load:
        """Raises AssertionError unless every answer had this status."""
        assert set(self.statuses) == {status}, f"answers were {dict(self.statuses)}, {self.bodies.most_common(3)}"
        return self


def percentile(ordered: Sequence[float], share: float) -> float:
    """The value that this share of them does not exceed; 1 for the largest."""
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


class _Connection(asyncio.Protocol):
    def __init__(self, load: Load) -> None:
        self._load = load
        self._buffer = b""
        self._answered: asyncio.Future[None] | None = None
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is one without saying so

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answered and not self._answered.done():
            self._answered.set_exception(exc or ConnectionError("the server closed the connection"))

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._buffer[:end].lower()
        at = head.find(b"content-length:")
        length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(self._buffer) < end + 4 + length:
            return
        self._load.statuses[int(head[9:12])] += 1
        self._load.bodies[self._buffer[end + 4 : end + 24]] += 1
        self._buffer = b""
        assert self._answered is not None
        self._answered.set_result(None)

    async def exchange(self, request: bytes, since: float) -> None:
        self._answered = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        await self._answered
        self._load.latencies.append(time.perf_counter() - since)


def send(port: int, requests: Iterable[bytes], connections: int, rate: float | None = None) -> Load:
    """`run` from code that is not async, to this machine."""
    return uvloop.run(run("127.0.0.1", port, requests, connections, rate))


async def run(host: str, port: int, requests: Iterable[bytes], connections: int, rate: float | None = None) -> Load:
    """Send every request once, over `connections` connections; at `rate` per second, or as fast as answers come."""
    load = Load()
    loop = asyncio.get_running_loop()
    clients = [(await loop.create_connection(lambda: _Connection(load), host, port))[1] for _ in range(connections)]
    load.started = time.perf_counter()
    if rate is None:
        todo = iter(requests)
        await asyncio.gather(*(_closed_loop(client, todo) for client in clients))
    else:
        await _open_loop(clients, requests, rate, load.started)
    load.ended = time.perf_counter()
    for client in clients:
        client.transport.close()
    return load


async def _closed_loop(client: _Connection, todo: Iterator[bytes]) -> None:
    for request in todo:
        await client.exchange(request, time.perf_counter())


async def _open_loop(clients: Sequence[_Connection], requests: Iterable[bytes], rate: float, start: float) -> None:
    idle: asyncio.Queue[_Connection] = asyncio.Queue()
    for client in clients:
        idle.put_nowait(client)

    async def exchange(request: bytes, due: float) -> None:
        client = await idle.get()
        await client.exchange(request, due)
        idle.put_nowait(client)

    under_way = set()
    for number, request in enumerate(requests):
        due = start + number / rate
        if (wait := due - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        task = asyncio.create_task(exchange(request, due))
        under_way.add(task)
        task.add_done_callback(under_way.discard)
    await asyncio.gather(*under_way)


def http_request(path: str, headers: dict[str, str], body: bytes) -> bytes:
    """The bytes of a POST."""
    lines = [f"POST {path} HTTP/1.1", "host: localhost", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
