"""Pool: connections that wait for their next request."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque

from hookline.transport.connection import Connection
from hookline.transport.route import Route

#: Scheme, host, port, and the way there.
Origin = tuple[str, str, int, Route | None]

#: Seconds after which the event loop has read what a connection brought; its clock stands still for a turn of the loop.
_TIME_TO_READ = 0.005


class Pool:
    """Keeps at most `most` connections, each for at most `seconds`, those that waited longest being closed first.

    Of several the one that was used last is taken. So what a burst has opened is closed when it is no longer needed,
    and the server, which counts from the last use too, is not about to close what is taken.
    """

    def __init__(self, seconds: float, most: int) -> None:
        self._seconds = seconds
        self._most = most
        self._loop = asyncio.get_running_loop()
        self._by_origin: defaultdict[Origin, deque[Connection]] = defaultdict(deque)
        #: In the order in which they came: where each is, and since when.
        self._waiting: dict[Connection, tuple[Origin, float]] = {}
        self._sweep: asyncio.TimerHandle | None = None
        self._closed = False

    def __len__(self) -> int:
        return len(self._waiting)

    def take(self, origin: Origin) -> Connection | None:
        """A connection on which a request can be sent now; None when there is none."""
        connections = self._by_origin.get(origin)
        while connections:
            # What came meanwhile, the event loop has read, and has aborted the connection for it. Where it had no time
            # for that yet, the one that waited longest is taken; where it had none even for that, we look. Not always,
            # because looking lets another thread run Python, and we would have to wait for our turn.
            now = self._loop.time()
            _, last = self._waiting[connections[-1]]
            connection = connections.pop() if now - last > _TIME_TO_READ else connections.popleft()
            _, since = self._waiting.pop(connection)
            if not connections:
                del self._by_origin[origin]
            waited = now - since
            if connection.reusable and waited < self._seconds and (waited > _TIME_TO_READ or connection.silent):
                return connection
            connection.abort()
        return None

    def give(self, origin: Origin, connection: Connection) -> None:
        """Keep a connection for the next request, if one can be sent on it; otherwise close it."""
        if self._closed or not connection.reusable:
            connection.abort()
            return
        self._by_origin[origin].append(connection)
        self._waiting[connection] = origin, self._loop.time()
        if len(self._waiting) > self._most:
            self._close(next(iter(self._waiting)))
        if self._sweep is None:
            self._sweep = self._loop.call_later(self._seconds, self._close_old)

    def close(self) -> None:
        """Close all that wait, and from now on what is given, too."""
        self._closed = True
        for connection in list(self._waiting):
            self._close(connection)
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None

    def _close_old(self) -> None:
        now = self._loop.time()
        for connection, (_, since) in list(self._waiting.items()):
            if now < since + self._seconds and connection.reusable:
                break
            self._close(connection)
        self._sweep = None
        if self._waiting:
            _, since = next(iter(self._waiting.values()))
            self._sweep = self._loop.call_at(since + self._seconds, self._close_old)

    def _close(self, connection: Connection) -> None:
        origin, _ = self._waiting.pop(connection)
        connections = self._by_origin[origin]
        connections.remove(connection)
        if not connections:
            del self._by_origin[origin]
        connection.abort()
