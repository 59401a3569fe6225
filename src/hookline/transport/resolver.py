"""Name resolution for the sender, on threads of its own."""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor

from aiohttp.abc import AbstractResolver, ResolveResult


class Resolver(AbstractResolver):
    """`getaddrinfo` on dedicated threads, whose number bounds the look-ups under way.

    The event loop's default executor has few threads (6 on two cores), shared with everything else in the process: a
    handful of endpoints whose name servers do not answer would hold up every other delivery. What comes back is *not*
    checked here; the guard on the connection sees it, together with the literals that never pass a resolver.
    """

    def __init__(self, threads: int = 32) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="hookline-dns")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Raises OSError when the name has no address."""
        found = await asyncio.get_running_loop().run_in_executor(self._threads, self._look_up, host, port, family)
        if not found:
            raise OSError(f"{host} has no address")
        return [
            ResolveResult(hostname=host, host=address, port=port, family=kind, proto=0, flags=socket.AI_NUMERICHOST)
            for kind, address in found
        ]

    @staticmethod
    def _look_up(host: str, port: int, family: socket.AddressFamily) -> list[tuple[socket.AddressFamily, str]]:
        # AI_ADDRCONFIG: no IPv6 answers on a machine without IPv6.
        found = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
        return [(kind, str(where[0])) for kind, _, _, _, where in found if kind in (socket.AF_INET, socket.AF_INET6)]

    async def close(self) -> None:
        """Does not wait for look-ups under way: they end by the system resolver's own timeout."""
        self._threads.shutdown(wait=False, cancel_futures=True)
