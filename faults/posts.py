"""The second load, a process: `python -m faults.posts URL LEDGER RATE`, with the key of the API in FAULTS_API_KEY.

It posts messages through the management API, as a client of Svix does: each with an Idempotency-Key of its own, and
again with the same key, later and later, until it is answered 202. Some are posted twice at the same moment, and some
again when they were answered. Its ledger has `sent` (before the first try), `accepted` (each 202, with the id of the
message), `refused` (a 4xx) and `failed` (no answer, or a 5xx).
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
from pathlib import Path

import aiohttp

from faults.account import CUSTOMERS
from faults.ledger import Ledger
from faults.load import FIRST_PAUSE, LONGEST_PAUSE, PADDING, TWICE, keep_sending, session


class Poster:
    def __init__(self, url: str, ledger: Ledger, key: str, made: aiohttp.ClientSession) -> None:
        self._url, self._ledger, self._key, self._session = url, ledger, key, made

    async def send(self, post_id: str) -> None:
        """Post one message until it is answered."""
        await self._ledger.add("sent", id=post_id)
        fate = random.random()
        if fate < TWICE:
            await asyncio.gather(self._send(post_id), self._send(post_id))
            return
        await self._send(post_id)
        if fate > 1 - TWICE:
            await self._send(post_id)

    async def _send(self, post_id: str) -> None:
        # Where customers are ordered, these are some of their own.
        data = {"event": post_id, "customer": f"cus_post_{int(post_id.removeprefix('pst_')) % CUSTOMERS}"}
        message = {"eventType": "effect.posted", "payload": {"data": data, "pad": PADDING}}
        body, pause = json.dumps(message).encode(), FIRST_PAUSE
        while True:
            status, answer = await self._post(post_id, body)
            if status == 202:
                await self._ledger.add("accepted", id=post_id, message=json.loads(answer)["id"])
                return
            if 400 <= status < 500:
                await self._ledger.add("refused", id=post_id, status=status, answer=answer[:200].decode())
            else:
                await self._ledger.add("failed", id=post_id, status=status)
            await asyncio.sleep(pause * (0.5 + random.random()))
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _post(self, post_id: str, body: bytes) -> tuple[int, bytes]:
        """The status and the body of the answer; 0 where there was none."""
        headers = {"authorization": f"Bearer {self._key}", "idempotency-key": f"auto_{post_id}"}
        try:
            async with self._session.post(self._url, data=body, headers=headers) as response:
                return response.status, await response.read()
        except (aiohttp.ClientError, OSError, TimeoutError):
            return 0, b""


async def main(url: str, path: Path, rate: float) -> None:
    async with session() as made:
        poster = Poster(url, Ledger(path), os.environ["FAULTS_API_KEY"], made)
        await keep_sending(lambda number: poster.send(f"pst_{number:08d}"), rate)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), float(sys.argv[3])))
