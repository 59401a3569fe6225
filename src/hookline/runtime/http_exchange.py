"""HttpExchange: one request of a connection and its answer.

Our own edges answer with a complete response: it is written at once, without ASGI's support for answers in
pieces. Any other application is served as uvicorn does.
"""

from __future__ import annotations

import asyncio
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from hookline.transport.asgi import WholeAnswers

if TYPE_CHECKING:
    from hookline.runtime.http_protocol import HttpProtocol


class HttpExchange(RequestResponseCycle, WholeAnswers):
    """The names are those of uvicorn, whose state it keeps."""

    # What nearly all exchanges begin with, and many end with, stands here: uvicorn sets all of it for each.
    access_log = False
    disconnected = False
    #: Of the request that was not read yet.
    body: bytes | bytearray = b""  # type: ignore[assignment]  # uvicorn has a bytearray, which is a copy
    more_body = True
    response_started = False
    response_complete = False
    chunked_encoding: bool | None = None
    expected_content_length = 0
    _message_event: asyncio.Event | None = None

    def __init__(self, connection: HttpProtocol, scope: Any, *, keep_alive: bool) -> None:
        self.scope = scope
        self.transport = connection.transport
        self.flow = connection.flow
        self.logger = connection.logger
        self.default_headers = connection.server_state.default_headers
        self.on_response = connection.on_response_complete
        self.waiting_for_100_continue = connection.expect_100_continue
        self.keep_alive = keep_alive

    @property
    def message_event(self) -> asyncio.Event:  # type: ignore[override]  # an attribute there
        """Set when there is news of the request. Made for who waits, which our own edges hardly ever do."""
        if self._message_event is None:
            self._message_event = asyncio.Event()
            if self.body or not self.more_body:
                self._message_event.set()
        return self._message_event

    def start(self, application: Any, loop: asyncio.AbstractEventLoop, tasks: set[asyncio.Task[None]]) -> None:
        """Have the application answer. Until it has, its task is among `tasks`."""
        self._task = loop.create_task(self._run(application, tasks))
        tasks.add(self._task)

    async def _run(self, application: Any, tasks: set[asyncio.Task[None]]) -> None:
        try:
            await self.run_asgi(application)
        finally:
            tasks.discard(self._task)  # a callback of the task would cost another round of the loop
            del self._task  # which holds this exchange

    # ---- the request, as it comes ------------------------------------------------------------------
    def add(self, piece: bytes) -> int:
        """Take a piece of the body. Returns how much of it waits to be read."""
        if not self.body:
            self.body = piece  # nearly always the only one
        elif type(self.body) is bytes:
            self.body = bytearray(self.body)
            self.body += piece
        else:
            self.body += piece
        self._tell()
        return len(self.body)

    def end_body(self) -> None:
        self.more_body = False
        self._tell()

    def _tell(self) -> None:
        if self._message_event is not None:
            self._message_event.set()

    def take_body(self, most: int) -> bytes | None:
        if self.more_body or self.disconnected or self.response_complete or len(self.body) > most:
            return None
        body, self.body = bytes(self.body), b""
        if self._message_event is not None:
            self._message_event.clear()
        self.waiting_for_100_continue = False  # it has sent its body without
        self.flow.resume_reading()
        return body

    # ---- the answer --------------------------------------------------------------------------------
    @property
    def is_full(self) -> bool:
        return self.flow.write_paused and not self.disconnected

    async def drain(self) -> None:
        await self.flow.drain()

    def answer(self, status: int, fields: bytes, body: bytes, *, close: bool) -> None:
        if self.disconnected:
            return
        if self.response_started:
            raise RuntimeError("the request is answered already")
        self.waiting_for_100_continue = False
        self.keep_alive = self.keep_alive and not close
        self.transport.write(
            b"%b%b%bcontent-length: %d\r\n%b\r\n%b"
            % (
                STATUS_LINE[status],
                header_fields(tuple(self.default_headers)),
                fields,
                len(body),
                b"" if self.keep_alive else b"connection: close\r\n",
                b"" if self.scope["method"] == "HEAD" else body,
            )
        )
        self.response_started = self.response_complete = True
        self._tell()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()


@lru_cache(maxsize=8)
def header_fields(pairs: tuple[tuple[bytes, bytes], ...]) -> bytes:
    """Header fields as they are sent: those of every answer, which change once a second with its date."""
    return b"".join([b"%b: %b\r\n" % pair for pair in pairs])
