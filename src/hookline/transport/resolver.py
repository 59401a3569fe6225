"""Name resolution for the sender, on threads of its own."""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol


class Resolver(Protocol):
    """How a name becomes addresses. What comes back is *not* trusted: the guard on each connection sees it."""

    async def resolve(self, host: str) -> list[str]:
        """The IP addresses of a name, those to try first first. Raises OSError when it has none."""

    def close(self) -> None:
        """Stop; look-ups under way are not waited for."""


class SystemResolver:
    """`getaddrinfo` on dedicated threads, whose number bounds the look-ups under way.

    The event loop's default executor has few threads (6 on two cores), shared with everything else in the process: a
    handful of endpoints whose name servers do not answer would hold up every other delivery.
    """

    def __init__(self, threads: int = 32) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="hookline-dns")

    async def resolve(self, host: str) -> list[str]:
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._look_up, host)

    @staticmethod
    def _look_up(host: str) -> list[str]:
        # AI_ADDRCONFIG: no IPv6 answers on a machine without IPv6.
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
        return [str(where[0]) for kind, _, _, _, where in found if kind in (socket.AF_INET, socket.AF_INET6)]

    def close(self) -> None:
        """Look-ups under way end by the system resolver's own timeout."""
        self._threads.shutdown(wait=False, cancel_futures=True)
