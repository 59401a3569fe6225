"""What our own ASGI applications share: reading a bounded body, and answering."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any, Protocol

from hookline.exceptions import TooLarge
from hookline.providers.base import Reply

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
#: Any ASGI application. Frameworks describe the three arguments in types of their own, which do not fit each other.
Application = Callable[[Any, Any, Any], Awaitable[None]]

#: In every path of the management API, wherever a project puts it.
API_PATH = "/api/v1/"
#: Where our own server has its Connection in the scope.
CONNECTION = "hookline.connection"
#: What is left of a request that was answered early is read up to here, so that its connection can be used again. Go's
#: server does the same (https://go.dev/src/net/http/server.go, maxPostHandlerReadBytes).
DRAIN = 256 * 1024
#: How long that may take, in seconds.
DRAIN_TIMEOUT = 2.0


class Connection(Protocol):
    """What our own server tells an application whose answer takes long."""

    @property
    def stopping(self) -> asyncio.Event:
        """Set once the server stops, and waits for the answer."""

    def close_with_client(self, close: bool) -> None:
        """Whether a client that sends nothing more is taken for gone. Else it may still read the answer."""


class WholeAnswers:
    """What our own server offers beside ASGI, to an application that nothing stands in front of."""

    def take_body(self, most: int) -> bytes | None:
        """The whole body, if all of it is there and nobody has taken it, and it has at most so many bytes."""
        raise NotImplementedError

    @property
    def is_full(self) -> bool:
        """Whether the client is behind with reading, so that `drain` comes before an answer."""
        raise NotImplementedError

    async def drain(self) -> None:
        """Wait until it has read on, or is gone."""
        raise NotImplementedError

    def answer(self, status: int, fields: bytes, body: bytes, *, close: bool) -> None:
        """Send all of an answer. `fields` are its header fields but Content-Length, each with CRLF behind it."""
        raise NotImplementedError


def whole_answers(call: Receive | Send) -> WholeAnswers | None:
    """The exchange of our own server that this is a method of; None behind any other server, or a middleware."""
    exchange = getattr(call, "__self__", None)
    return exchange if isinstance(exchange, WholeAnswers) else None


class ClientGone(Exception):
    """The client closed the connection before the request was complete."""


class Body:
    """The body of a request, as the server hands it on."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._scope = scope
        self._receive = receive
        #: Whether all of it was read.
        self.complete = False

    async def read(self, most: int) -> bytes:
        """All of it, never more than `most` bytes. Raises TooLarge, or ClientGone."""
        exchange = whole_answers(self._receive)
        if exchange is not None and (whole := exchange.take_body(most)) is not None:
            self.complete = True
            return whole
        for name, value in self._scope["headers"]:
            if name == b"content-length" and value.isdigit() and int(value) > most:
                raise TooLarge("too_large", f"Content-Length is more than {most} bytes")
        pieces: list[bytes] = []
        size = 0
        while not self.complete:
            piece = await self._next()
            size += len(piece)
            if size > most:
                raise TooLarge("too_large", f"the body is longer than {most} bytes")
            pieces.append(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def drain(self) -> bool:
        """Read the rest, if it is not much: whether it was read, so that another request can follow."""
        headers = self._scope["headers"]
        if any(name == b"expect" for name, _ in headers):  # a client that waits for 100 Continue sends none
            return False
        if any(name == b"content-length" and (not value.isdigit() or int(value) > DRAIN) for name, value in headers):
            return False
        size = 0
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_TIMEOUT):
                while not self.complete and size <= DRAIN:
                    size += len(await self._next())
        return self.complete

    async def _next(self) -> bytes:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        self.complete = not message.get("more_body", False)
        piece: bytes = message.get("body", b"")
        return piece


async def respond(scope: Scope, send: Send, reply: Reply, *, reusable: bool) -> None:
    """Send the answer. A connection that is not `reusable`, because the body was not read, is closed and says so."""
    if (exchange := whole_answers(send)) is not None:
        if exchange.is_full:
            await exchange.drain()
        exchange.answer(reply.status, _fields(reply.content_type, reply.headers), reply.body, close=not reusable)
        return
    headers = [
        (b"content-type", reply.content_type.encode("latin-1")),
        (b"content-length", str(len(reply.body)).encode()),
        *((name.encode("latin-1"), value.encode("latin-1")) for name, value in reply.headers),
    ]
    if not reusable and scope.get("http_version", "1.1") in ("1.0", "1.1"):  # HTTP/2 has no such field
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})


@lru_cache(maxsize=256)
def _fields(content_type: str, headers: Sequence[tuple[str, str]]) -> bytes:
    """Header fields as they are sent: most answers have the same. Raises ValueError for one that cannot be sent."""
    pairs = [("content-type", content_type), *headers]
    for name, value in pairs:
        if not _NAME.fullmatch(name) or _NO_VALUE.search(value):
            raise ValueError(f"the header {name!r:.80} cannot be sent")
    return "".join(f"{name}: {value}\r\n" for name, value in pairs).encode("latin-1")


#: A name (RFC 9110 section 5.6.2), and what is in no value (section 5.5).
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)
_NO_VALUE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
