"""Proxy: a TCP proxy between the workers and the consumer, which breaks as told."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
import threading
from contextlib import suppress
from enum import Enum

#: How long a delayed network holds each piece back, in seconds.
DELAY = 1.0
#: With these options, closing a socket sends RST instead of FIN.
_RESET = struct.pack("ii", 1, 0)


class Network(Enum):
    FINE = "passes everything"
    CUT = "passes nothing, and says nothing either, as when packets are dropped"
    DELAYED = "passes everything late"
    RESET = "resets half of the connections, when the request or when its answer passes"


class Proxy(threading.Thread):
    """Listens on `port` from its construction until `stop()`. Set `network`, `upstream` and `met` at any time."""

    def __init__(self) -> None:
        super().__init__(name="faults-proxy", daemon=True)
        self.network = Network.FINE
        self.upstream = 0
        #: How many pieces came while the network was broken.
        self.met = 0
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port: int = self._listener.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self.start()

    def run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner, suppress(asyncio.CancelledError):
            runner.run(self._serve())

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stopped.set)
        self.join(10)

    async def _serve(self) -> None:
        self._stopped = asyncio.Event()
        server = await asyncio.start_server(self._connect, sock=self._listener)
        await self._stopped.wait()
        server.close()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._wait_while_cut()
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self.upstream)
        except OSError:
            writer.close()
            return
        ways = [
            asyncio.create_task(self._pass(reader, up_writer)),
            asyncio.create_task(self._pass(up_reader, writer)),
        ]
        _, rest = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in rest:
            way.cancel()
        reset = self.network is Network.RESET
        for side in (writer, up_writer):
            if reset:
                side.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                side.transport.abort()
            else:
                side.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while piece := await reader.read(65536):
                self.met += self.network is not Network.FINE
                await self._wait_while_cut()
                if self.network is Network.RESET and random.random() < 0.25:
                    return
                if self.network is Network.DELAYED:
                    await asyncio.sleep(DELAY)
                writer.write(piece)
                await writer.drain()

    async def _wait_while_cut(self) -> None:
        while self.network is Network.CUT:  # noqa: ASYNC110  # set by another thread, where asyncio.Event is not safe
            await asyncio.sleep(0.05)
