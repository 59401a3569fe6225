"""A consumer that answers 200 and spends as little as it can, so that on two cores the sender is what is measured.

python -m bench.consumer    prints the port of a server on loopback, and serves until its standard input is closed
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import uvloop

from bench.process import beside, line_of

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@contextmanager
def consumer() -> Iterator[int]:
    """Run the consumer in a process of its own. Yields its port."""
    with beside("bench.consumer") as process:
        yield int(line_of(process))


class Consumer(asyncio.Protocol):
    """HTTP/1.1 with keep-alive, as little of it as a POST with a Content-Length needs."""

    def __init__(self) -> None:
        self._buffer = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer + data
        while (end := buffer.find(b"\r\n\r\n") + 4) > 3:
            head = buffer[:end].lower()
            at = head.find(b"content-length:")
            total = end + int(head[at + 15 : head.index(b"\r\n", at)])
            if len(buffer) < total:
                break
            self.answer(buffer[:total])
            buffer = buffer[total:]
        self._buffer = buffer

    def answer(self, request: bytes) -> None:
        self._transport.write(ANSWER)


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Consumer, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await loop.run_in_executor(None, sys.stdin.read)  # the end of the input is the end of the server


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve())
