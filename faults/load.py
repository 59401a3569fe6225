"""The load generator, a process: `python -m faults.load URL LEDGER RATE`, with the source's secret in FAULTS_SECRET.

It behaves as Stripe does: events start on schedule whatever became of earlier ones, and what was not acknowledged is
sent again, later and later, until it is. A few events are sent twice on purpose, some of them at the same moment.
Its ledger has `sent` (before the first try), `accepted` or `duplicate` (each acknowledgement), `refused` (a 4xx) and
`failed` (no answer, or a 5xx).
SIGTERM: no new events, and it ends when all are acknowledged.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import aiohttp

from faults.account import customer_of
from faults.ledger import Ledger

#: Share of the events that are sent twice at once, and of those that are sent again once acknowledged.
TWICE = 0.02
#: Pauses between two tries of one event, in seconds: the first, and the longest.
FIRST_PAUSE, LONGEST_PAUSE = 0.25, 4.0
CONNECTIONS = 48
#: About what an event of Stripe weighs.
PADDING = "x" * 800


class Generator:
    def __init__(self, url: str, ledger: Ledger, secret: bytes, session: aiohttp.ClientSession) -> None:
        self._url, self._ledger, self._secret, self._session = url, ledger, secret, session

    async def send(self, event_id: str) -> None:
        """Send one event until it is acknowledged."""
        await self._ledger.add("sent", id=event_id)
        fate = random.random()
        if fate < TWICE:
            await asyncio.gather(self._send(event_id), self._send(event_id))
            return
        await self._send(event_id)
        if fate > 1 - TWICE:
            await self._send(event_id)

    async def _send(self, event_id: str) -> None:
        event = {"id": event_id, "object": "event", "type": "invoice.paid", "customer": customer_of(event_id)}
        body = json.dumps({**event, "data": PADDING}).encode()
        pause = FIRST_PAUSE
        while True:
            status, answer = await self._post(body)
            if status == 200:
                await self._ledger.add(json.loads(answer)["status"], id=event_id, event=json.loads(answer)["id"])
                return
            if 400 <= status < 500:
                await self._ledger.add("refused", id=event_id, status=status, answer=answer[:200].decode())
            else:
                await self._ledger.add("failed", id=event_id, status=status)
            await asyncio.sleep(pause * (0.5 + random.random()))
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _post(self, body: bytes) -> tuple[int, bytes]:
        """The status and the body of the answer; 0 where there was none."""
        now = str(int(time.time()))
        mac = hmac.new(self._secret, now.encode() + b"." + body, hashlib.sha256).hexdigest()
        headers = {"stripe-signature": f"t={now},v1={mac}", "content-type": "application/json"}
        try:
            async with self._session.post(self._url, data=body, headers=headers) as response:
                return response.status, await response.read()
        except (aiohttp.ClientError, OSError, TimeoutError):
            return 0, b""


async def keep_sending(send: Callable[[int], Coroutine[Any, Any, None]], rate: float) -> None:
    """Call `send` with 1, 2, 3 ... on schedule until SIGTERM, and wait for what is under way then."""
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    under_way: set[asyncio.Task[None]] = set()
    start, number = time.monotonic(), 0
    print("sending", flush=True)
    while not stopping.is_set():
        number += 1
        task = asyncio.create_task(send(number))
        under_way.add(task)
        task.add_done_callback(under_way.discard)
        await asyncio.sleep(max(0.0, start + number / rate - time.monotonic()))
    await asyncio.gather(*under_way)
    print("all acknowledged", flush=True)


def session() -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(limit=CONNECTIONS)
    return aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=10), trust_env=False)


async def main(url: str, path: Path, rate: float) -> None:
    async with session() as made:
        generator = Generator(url, Ledger(path), os.environ["FAULTS_SECRET"].encode(), made)
        await keep_sending(lambda number: generator.send(f"evt_{number:08d}"), rate)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), float(sys.argv[3])))
