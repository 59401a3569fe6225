"""What our own ASGI applications share: reading a bounded body, and answering."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
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
    headers = [
        (b"content-type", reply.content_type.encode("latin-1")),
        (b"content-length", str(len(reply.body)).encode()),
        *((name.encode("latin-1"), value.encode("latin-1")) for name, value in reply.headers),
    ]
    if not reusable and scope.get("http_version", "1.1") in ("1.0", "1.1"):  # HTTP/2 has no such field
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})
