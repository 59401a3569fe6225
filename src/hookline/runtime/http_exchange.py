"""HttpExchange: one request of a connection and its answer.

Our own edges answer with a complete response: it is written at once, without ASGI's support for answers in
pieces. Any other application is served as uvicorn does.
"""

from __future__ import annotations

import asyncio
from functools import lru_cache
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from hookline.transport.asgi import WholeAnswers


class HttpExchange(RequestResponseCycle, WholeAnswers):
    """The names are those of uvicorn, whose state it keeps."""

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

    def take_body(self, most: int) -> bytes | None:
        if self.more_body or self.disconnected or self.response_complete or len(self.body) > most:
            return None
        body, self.body = bytes(self.body), bytearray()
        self.message_event.clear()
        self.waiting_for_100_continue = False  # it has sent its body without
        self.flow.resume_reading()
        return body

    async def answer(self, status: int, fields: bytes, body: bytes, *, close: bool) -> None:
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
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
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()


@lru_cache(maxsize=8)
def header_fields(pairs: tuple[tuple[bytes, bytes], ...]) -> bytes:
    """Header fields as they are sent: those of every answer, which change once a second with its date."""
    return b"".join([b"%b: %b\r\n" % pair for pair in pairs])
