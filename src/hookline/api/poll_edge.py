"""GET poll on an event loop, ahead of Django: in Django a waiting request would hold its one thread.

    application = MessageEdge(PollEdge(get_asgi_application()))

Everything else goes to the wrapped application.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

from hookline import conf
from hookline.access.authenticate import admit, authenticate, known
from hookline.access.principal import Principal
from hookline.api import poll, source_poll
from hookline.api.answers import CORS, JSON, reply_of
from hookline.api.errors import ApiError
from hookline.api.paths import Paths
from hookline.api.poll import BEGINNING, EVENTS, wants_events
from hookline.api.poll_watch import Awaited, Watch
from hookline.api.polled import Found, Polled, Streamed, Waiting, read_query
from hookline.api.seen import with_connection
from hookline.providers.base import Reply
from hookline.transport.asgi import CONNECTION, Application, Connection, Receive, Scope, Send, respond

T = TypeVar("T")

#: Requests of one key at once, in this process.
MOST_OF_ONE = 100
#: All of them together take this part of the connections: webhooks that come in need the others.
SHARE = 0.25
#: Seconds after which a stream without news shows that it is there, and its key is looked at again.
HEARTBEAT = 15.0


@dataclass(frozen=True, slots=True)
class Asked:
    polled: Polled
    path: str
    #: The parts of the path that name something.
    names: Sequence[str]
    query: str
    authorization: str
    accept: str
    last_event_id: str | None


class PollEdge:
    """An ASGI application that answers GET poll, and passes everything else on."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._applications, self._sources = Paths("app"), Paths("source")
        self._reader = ThreadPoolExecutor(2, "hookline-poll")
        #: Of this event loop, which ends with the server.
        self._watches: dict[Awaited[Any, Any], Watch[Any, Any]] = {}
        self._stops: list[asyncio.Task[None]] = []
        #: Requests under way, of each key; those of all behind the empty text.
        self._here: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET" or (asked := self._asked(scope)) is None:
            await self._application(scope, receive, send)
            return
        answering = asyncio.create_task(self._answer(asked, self._watching(asked.polled.awaited, scope), scope, send))
        gone = asyncio.create_task(_disconnected(receive))
        try:
            await asyncio.wait((answering, gone), return_when=asyncio.FIRST_COMPLETED)
        finally:
            ended = answering.done()
            answering.cancel()
            gone.cancel()
            await asyncio.gather(answering, gone, return_exceptions=True)
        if ended:
            answering.result()

    def _asked(self, scope: Scope) -> Asked | None:
        """What is asked for; None where it is for others to answer, as what has a body is."""
        path: str = scope["path"]
        if "\x00" in path or (found := self._named(path)) is None:
            return None
        polled, names = found
        headers: dict[bytes, str] = {}
        for name, value in scope["headers"]:
            headers.setdefault(name, value.strip(b" \t").decode("latin-1"))
        if headers.get(b"content-length", "0") != "0" or b"transfer-encoding" in headers:
            return None
        return Asked(
            polled,
            path,
            names,
            scope.get("query_string", b"").decode("latin-1"),
            headers.get(b"authorization", ""),
            headers.get(b"accept", ""),
            headers.get(b"last-event-id"),
        )

    def _named(self, path: str) -> tuple[Polled, Sequence[str]] | None:
        if not path.rstrip("/").endswith("/poll"):
            return None
        match (self._applications.behind(path) or "").split("/"):
            case [app, "endpoint", ep, "poll"] if app and ep:
                return poll.POLLED, (app, ep)
        match (self._sources.behind(path) or "").split("/"):
            case [source, "poll"] if source:
                return source_poll.POLLED, (source,)
        return None

    def _watching(self, awaited: Awaited[Any, Any], scope: Scope) -> Watch[Any, Any]:
        watch = self._watches.get(awaited)
        if watch is None:
            watch = self._watches[awaited] = Watch(self._reader, awaited)
            if (connection := _connection(scope)) is not None:
                self._stops.append(asyncio.create_task(_stop_with(connection.stopping, watch)))
        return watch

    async def _answer(self, asked: Asked, watch: Watch[Any, Any], scope: Scope, send: Send) -> None:
        try:
            with self._place("", most(), 503):  # before anything is asked
                principal = await self._admitted(asked)
                query = read_query(asked.polled.query, asked.query)
                with self._place(str(principal.actor), MOST_OF_ONE, 429):
                    stream = asked.polled.stream if wants_events(asked.accept) else None
                    with _closing_with_client(_connection(scope) if stream or query.wait else None):
                        if stream is not None:
                            await self._stream(asked, stream, query, watch, send)
                            return
                        reply = Reply(await self._page(asked, query, watch), JSON, 200, CORS)
        except Exception as error:  # noqa: BLE001  # nothing but the shapes of the API leaves
            reply = _refusal(asked, error)
        await respond(scope, send, reply, reusable=True)

    async def _page(self, asked: Asked, query: Waiting, watch: Watch[Any, Any]) -> bytes:
        """Raises as `_read`."""
        loop = asyncio.get_running_loop()
        end = loop.time() + query.wait
        found = await self._read(asked, query)
        while found.is_empty and (left := end - loop.time()) > 0:
            if not await watch.wait(found.key, found.known, left):
                break
            query = query.model_copy(update={"since": found.next})
            found = await self._read(asked, query)
        return found.page()

    async def _stream(self, asked: Asked, stream: Streamed, query: Waiting, watch: Watch[Any, Any], send: Send) -> None:
        """Until the client goes, the server stops, or there is a problem. Raises as `_read` before it has begun."""
        query = stream.resumed(query, asked.last_event_id)
        found = await self._read(asked, query)
        headers = [(b"content-type", EVENTS.encode()), (b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no")]
        headers += [(name.encode(), value.encode()) for name, value in CORS]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await _piece(send, BEGINNING + stream.events(found))
        try:
            while not watch.stopped:
                if found.more or await watch.wait(found.key, found.known, HEARTBEAT):
                    query = query.model_copy(update={"since": found.next})
                    found = await self._read(asked, query)
                    await _piece(send, stream.events(found))
                else:
                    await self._principal(asked)
                    await _piece(send, b":\n\n")
        except Exception as error:  # noqa: BLE001  # the client comes back, and is told then
            _refusal(asked, error)
        await send({"type": "http.response.body", "body": b""})

    async def _read(self, asked: Asked, query: Waiting) -> Found:
        """With what the key may do now. Raises what the API has errors for."""
        principal = await self._principal(asked)
        return await self._in_thread(partial(asked.polled.read, principal, asked.names, query))

    async def _admitted(self, asked: Asked) -> Principal:
        """Raises NotAuthenticated, RateLimited, NotAllowed or CannotStore."""
        principal = await self._principal(asked, check=False)
        if principal.rate is not None:
            await self._in_thread(partial(admit, principal))
        asked.polled.needs.check(principal)
        return principal

    async def _principal(self, asked: Asked, *, check: bool = True) -> Principal:
        """Raises NotAuthenticated, NotAllowed or CannotStore."""
        principal = known(asked.authorization)
        if principal is None:
            principal = await self._in_thread(partial(authenticate, asked.authorization))
        if check:
            asked.polled.needs.check(principal)
        return principal

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._reader, with_connection, work)

    @contextmanager
    def _place(self, whose: str, most: int, status: int) -> Iterator[None]:
        """Raises Busy where there is none."""
        if self._here[whose] >= most:
            raise Busy(f"{most} requests {'of this key ' if whose else ''}wait here already", status)
        self._here[whose] += 1
        try:
            yield
        finally:
            self._here[whose] -= 1
            if not self._here[whose]:
                del self._here[whose]


def most() -> int:
    """Requests at once, in this process."""
    return max(1, int(conf.get().HTTP_MAX_CONNECTIONS * SHARE))


class Busy(ApiError):
    """As many wait as may."""

    def __init__(self, detail: str, status: int) -> None:
        super().__init__(detail, code="too_many_waiting", status=status)


def _refusal(asked: Asked, error: Exception) -> Reply:
    """What a request that failed is answered. What nobody expected is written to the log, too."""
    reply = reply_of(error, "GET", asked.path)
    if isinstance(error, Busy):
        return replace(reply, headers=(*reply.headers, ("retry-after", "5")))
    return reply


async def _piece(send: Send, text: bytes) -> None:
    await send({"type": "http.response.body", "body": text, "more_body": True})


def _connection(scope: Scope) -> Connection | None:
    """None under a server that is not ours."""
    return scope.get(CONNECTION)


@contextmanager
def _closing_with_client(connection: Connection | None) -> Iterator[None]:
    """Meanwhile nobody is waited for who only might still read."""
    if connection is None:
        yield
        return
    connection.close_with_client(True)
    try:
        yield
    finally:
        connection.close_with_client(False)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _stop_with(stopping: asyncio.Event, watch: Watch[Any, Any]) -> None:
    await stopping.wait()
    watch.stop()
