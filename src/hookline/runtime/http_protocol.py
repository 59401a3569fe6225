"""HttpProtocol: one connection of the standalone server, within limits.

uvicorn's own protocol on httptools waits for ever for headers and bodies, accepts any number of headers and
connections, and treats trailers as headers. Here each state of a connection has a deadline (a sweep looks at all of
them, so that a request costs no timer), and all that a stranger sends is counted before it is kept.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NoReturn
from urllib.parse import unquote

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from hookline.core.header_section import MAX_HEADER_BYTES, MAX_HEADERS, section_bytes
from hookline.runtime.http_exchange import HttpExchange, header_fields
from hookline.runtime.http_limits import HttpLimits
from hookline.transport.asgi import API_PATH, CONNECTION

logger = logging.getLogger("hookline.server")

#: A client that is told to go may still be sending: closing at once would reset the connection and take the answer away
#: (RFC 9112 section 9.6). So what it sends is read and thrown away for a moment, in seconds.
LINGER = 2.0
#: How many connections may be refused in that way at once; others are closed at once.
MAX_LINGERING = 32
#: A client that does not read its answer for so long is gone, in seconds.
UNREAD = 30.0
#: Seconds after which a connection that has sent nothing may be closed to make room for another.
SILENT = 1.0


class Connections:
    """What the connections of a process share: the limits, and what they use of them."""

    def __init__(self, limits: HttpLimits) -> None:
        self.limits = limits
        #: Bytes of bodies under way.
        self.bodies = 0
        #: Those that are being refused.
        self.refused: set[HttpProtocol] = set()
        #: Set once the server stops. An answer that goes on for long ends then.
        self.stopping = asyncio.Event()

    def sweep(self, open_ones: Iterable[Any], now: float) -> None:
        """End what is past its deadline. `now` is the time of the event loop."""
        for connection in [*open_ones, *self.refused]:
            if now >= connection.deadline or now >= connection.read_by:
                connection.expire(now)


class HttpProtocol(HttpToolsProtocol):
    """One connection. The names are those of asyncio and of httptools, which call it."""

    cycle: HttpExchange

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        shared: Connections,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._shared = shared
        self._limits = shared.limits
        #: When something must have happened, and when the client must have read what was written.
        self.deadline = self.read_by = math.inf
        #: Since when there has been nothing to do; infinite while there is.
        self.idle_since = math.inf
        self._silent = True  # nothing came yet
        self._in_head = self._in_message = False
        #: Requests that began in what came last, and how much came since the head began that is not complete.
        self._begun = self._unparsed = 0
        #: How long what came last is, and all in which the head stands, which is no longer than that.
        self._came = self._around_head = 0
        #: Trailers of the request, and their bytes with those of the head.
        self._trailers = self._section_bytes = 0
        #: The Content-Length of the request, as far as it was read.
        self._length = b""
        self._longest_body: int | None = None
        self._body_bytes = 0
        #: What of the bodies is counted in `Connections.bodies`.
        self._held = 0
        #: The client has said that it sends nothing more.
        self._ended = False
        #: Then the connection is closed, though an answer is due.
        self._closes_with_client = False
        #: What comes is thrown away.
        self._deaf = False
        self._lingering = False
        #: A refusal that waits until the requests before it are answered.
        self._last_word = b""
        #: What to answer when the parser gives up.
        self._refusal = (400, "bad_request")

    # ---- the connection ----------------------------------------------------------------------------
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # ours is TCP
        super().connection_made(transport)
        self._real = transport
        self.transport = _Closing(transport, self)  # type: ignore[assignment]  # all that is used of it
        now = self.loop.time()
        self.idle_since = now
        self.deadline = now + self._limits.header_timeout
        if len(self.connections) > self._limits.connections and not self._make_room(now):
            self._refuse_connection()

    def connection_lost(self, exc: Exception | None) -> None:
        self._release()
        self._shared.refused.discard(self)
        self.deadline = self.read_by = math.inf
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            return
        in_head, in_message, self._begun = self._in_head, self._in_message, 0
        self._came = len(data)
        if in_head:
            self._around_head += self._came
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:  # because of what came, or because a method below says so
            self.logger.warning("Invalid HTTP request received.")
            self._refuse(*self._refusal)
        except httptools.HttpParserUpgrade:
            self._unsupported_upgrade_warning()
        # A header that is not complete yet is known to nobody but the parser.
        if self._in_head and not self._deaf and (in_head or (self._begun == 1 and not in_message)):
            self._unparsed += self._came
            if self._unparsed > MAX_HEADER_BYTES:
                self._refuse(431, "headers_too_large")

    def eof_received(self) -> bool:  # type: ignore[override]  # uvicorn says None
        """The client sends nothing more. Whether the connection stays open, because an answer is due."""
        self._ended = True
        if self.cycle is None or self.cycle.response_complete or self._closes_with_client:
            return False
        in_body = self._in_message and not self._in_head
        return self._deaf or not in_body

    @property
    def stopping(self) -> asyncio.Event:
        return self._shared.stopping

    def close_with_client(self, close: bool) -> None:
        self._closes_with_client = close
        if close and self._ended:
            self._close()

    def pause_writing(self) -> None:
        self.read_by = self.loop.time() + UNREAD
        super().pause_writing()

    def resume_writing(self) -> None:
        self.read_by = math.inf
        super().resume_writing()

    def shutdown(self) -> None:
        if self.idle_since < math.inf or self.cycle is None or self.cycle.response_complete:
            self._real.close()
        else:
            super().shutdown()

    # ---- what the parser finds ---------------------------------------------------------------------
    def on_message_begin(self) -> None:
        self.url = self._length = b""
        self.expect_100_continue = False
        self.headers = []
        self.scope = None  # type: ignore[assignment]  # until the head is complete
        self._in_head = self._in_message = True
        self._silent = False
        self._unparsed = self._trailers = self._body_bytes = 0
        self._around_head = self._came
        self._begun += 1
        self.idle_since = math.inf
        self.deadline = self.loop.time() + self._limits.header_timeout

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_head:
            self._on_trailer(name, value)
            return
        headers = self.headers
        if len(headers) == MAX_HEADERS:
            self._stop(431, "headers_too_large")
        name = name.lower()
        if name == b"content-length":
            self._length = value
        elif name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        headers.append((name, value))

    def _on_trailer(self, name: bytes, value: bytes) -> None:
        """What follows the body are trailers, which are no headers (RFC 9110 section 6.5.1), and count as they do."""
        if not self._trailers:
            self._section_bytes = section_bytes(self.headers, len(self.url))
        self._trailers += 1
        self._section_bytes += len(name) + len(value) + 4
        if len(self.headers) + self._trailers > MAX_HEADERS or self._section_bytes > MAX_HEADER_BYTES:
            self._stop(431, "headers_too_large")

    def on_headers_complete(self) -> None:
        if self._around_head > _SURELY_SHORT and section_bytes(self.headers, len(self.url)) > MAX_HEADER_BYTES:
            self._stop(431, "headers_too_large")
        self._in_head = False
        self.deadline = self.loop.time() + self._limits.body_timeout
        parser = self.parser
        version = parser.get_http_version()
        path, raw_path, query = (_parts_of if len(self.url) <= _SHORT_URL else _parts)(self.url)
        self.scope = {
            "type": "http",
            "asgi": {"version": self.asgi_version, "spec_version": "2.3"},
            "http_version": version,
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,
            "method": parser.get_method().decode("ascii"),
            "root_path": "",
            "path": path,
            "raw_path": raw_path,
            "query_string": query,
            "headers": self.headers,
            "state": self.app_state.copy(),
            CONNECTION: self,  # type: ignore[misc]  # ours
        }
        keep_alive = version != "1.0" and parser.should_keep_alive()
        before = self.cycle
        self.cycle = exchange = HttpExchange(self, self.scope, keep_alive=keep_alive)
        if before is None or before.response_complete:
            exchange.start(self.app, self.loop, self.tasks)
        else:  # it came before the one before it was answered
            self.flow.pause_reading()
            self.pipeline.appendleft((exchange, self.app))
        self._longest_body = self._limits.longest_body(path)
        if self._longest_body is not None and self._length.isdigit() and int(self._length[:20]) > self._longest_body:
            self._stop(413, "too_large")

    def on_body(self, body: bytes) -> None:
        if self._deaf or self.cycle.response_complete:
            return
        size = len(body)
        self._body_bytes += size
        if self._longest_body is not None and self._body_bytes > self._longest_body:
            self._stop(413, "too_large")
        if self._shared.bodies + size > self._limits.bodies_bytes and self._shared.bodies > self._held:
            self._stop(503, "overloaded")
        self._held += size
        self._shared.bodies += size
        if self.cycle.add(body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()

    def on_message_complete(self) -> None:
        self._in_message = False
        if self.cycle.response_complete:
            self._wait_for_next()
            return
        self.deadline = math.inf  # it is for us to answer
        self.cycle.end_body()

    # ---- answers -----------------------------------------------------------------------------------
    def on_response_complete(self) -> None:
        """In place of uvicorn's own, which starts a timer for each request."""
        self.server_state.total_requests += 1
        self._release()
        if self._lingering or self._real.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            exchange, application = self.pipeline.pop()
            exchange.start(application, self.loop, self.tasks)  # type: ignore[attr-defined]  # ours
        elif self._last_word:
            self._real.write(self._last_word)
            self._linger()
        elif self._ended:
            self._close()
        elif not self._in_message:
            self._wait_for_next()

    def expire(self, now: float) -> None:
        """The deadline has passed."""
        if self._real.is_closing() or now >= self.read_by:
            self._real.abort()
        elif not self._lingering and (self._in_head or (self._in_message and not self.cycle.response_complete)):
            self._refuse(408, "request_timeout")
        else:
            self._close()

    def close_or_linger(self) -> None:
        """Close the connection: at once if the client has sent all that it wanted to."""
        if self._in_message:
            self._linger()
        else:
            self._close()

    @property
    def lingering(self) -> bool:
        return self._lingering

    def _stop(self, status: int, code: str) -> NoReturn:
        """Refuse the request from within a call of the parser, which goes no further then."""
        self._refusal = status, code
        raise _Stop

    def _wait_for_next(self) -> None:
        self.idle_since = self.loop.time()
        self.deadline = self.idle_since + self._limits.keep_alive

    def _refuse(self, status: int, code: str) -> None:
        """Answer the request that is being received, and end the connection."""
        if self._deaf or self._real.is_closing():
            return
        self._deaf = True
        word = self._error(status, code)
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            # Requests before this one are answered first.
            if self._in_head or self.pipeline:
                if not self._in_head:
                    self.pipeline.popleft()
                self._last_word = word
                self.deadline = math.inf
                return
            started = cycle.response_started
            cycle.disconnected = cycle.response_started = cycle.response_complete = True
            cycle.message_event.set()
            if started:
                self._close()
                return
        self._release()
        self._real.write(word)
        self._linger()

    def _refuse_connection(self) -> None:
        self.connections.discard(self)
        self._deaf = True
        self._real.write(self._error(503, "overloaded"))
        if len(self._shared.refused) < MAX_LINGERING:
            self._shared.refused.add(self)
            self._linger()
        else:
            self._close()

    def _error(self, status: int, code: str) -> bytes:
        said: dict[str, object] = {"error": {"code": code}}
        scope: dict[str, Any] | None = self.scope  # type: ignore[assignment]  # None: nothing of a request was read yet
        if scope and API_PATH in scope.get("path", ""):  # its clients read errors in another form
            said = {"code": "payload_too_large" if status == 413 else code, "detail": f"refused by the server: {code}"}
        body = json.dumps(said, separators=(",", ":")).encode()
        lines = [STATUS_LINE[status], header_fields(tuple(self.server_state.default_headers))]
        lines.append(b"content-type: application/json\r\ncontent-length: %d\r\n" % len(body))
        if status == 503:
            lines.append(b"retry-after: 30\r\n")
        lines.append(b"connection: close\r\n\r\n")
        return b"".join(lines) + body

    def _make_room(self, now: float) -> bool:
        """Close the connection that has had nothing to do for the longest time. Whether there is one."""
        idle = [
            other
            for other in self.connections
            if other is not self and other.idle_since < now - (SILENT if other.silent else 0)  # type: ignore[union-attr]  # ours
        ]
        if not idle:
            return False
        oldest: Any = min(idle, key=lambda other: other.idle_since)  # type: ignore[union-attr]  # ours
        self.connections.discard(oldest)
        oldest.give_way()
        return True

    @property
    def silent(self) -> bool:
        return self._silent

    def give_way(self) -> None:
        self._deaf = True
        self._shared.refused.add(self)  # to be watched until it is closed
        self._close()

    def _linger(self) -> None:
        self._deaf = self._lingering = True
        self.deadline = self.loop.time() + LINGER
        self.flow.resume_reading()
        if self._real.can_write_eof():
            self._real.write_eof()

    def _close(self) -> None:
        self.deadline = self.loop.time() + LINGER  # then what the client did not read is thrown away
        self._real.close()

    def _release(self) -> None:
        self._shared.bodies -= self._held
        self._held = 0


#: Where no more than this came, the header section has no more than MAX_HEADER_BYTES, which counts a blank after each
#: colon whether or not there is one.
_SURELY_SHORT = MAX_HEADER_BYTES - MAX_HEADERS


#: Longer URLs are not remembered, so that a stranger's take no memory.
_SHORT_URL = 512


def _parts(url: bytes) -> tuple[str, bytes, bytes]:
    """The path as text and as it was sent, and the query. Raises HttpParserError."""
    parts = httptools.parse_url(url)
    path = parts.path.decode("ascii")
    return unquote(path) if "%" in path else path, parts.path, parts.query or b""


_parts_of = lru_cache(maxsize=128)(_parts)  # nearly all requests come to a few paths


class _Stop(Exception):
    """Raised into the parser."""


class _Closing:
    """A transport whose `close` lets the protocol decide how."""

    def __init__(self, transport: asyncio.Transport, protocol: HttpProtocol) -> None:
        self.write = transport.write
        self.close = protocol.close_or_linger
        self.pause_reading = transport.pause_reading
        self.resume_reading = transport.resume_reading
        self._transport = transport
        self._protocol = protocol

    def is_closing(self) -> bool:
        return self._protocol.lingering or self._transport.is_closing()
