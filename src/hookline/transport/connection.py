"""Connection: HTTP/1.1 (RFC 9112) on one connection to a stranger, one exchange at a time.

llhttp, the parser of Node.js, reads what comes; here are only its limits and what each end of a response means. It is a
few calls for each response, which is why a delivery costs a fraction of what a general HTTP client would spend on it.
"""

from __future__ import annotations

import asyncio
import select
import ssl
import time
from typing import cast

import httptools

from hookline.core.outcome import Failure
from hookline.core.request import Headers, read_headers
from hookline.transport.deadlines import Deadlines
from hookline.transport.exchange import Exchange, Limits
from hookline.transport.failures import Failed

#: Data is read in pieces of this many bytes, and measured after each. An event loop may bring 256 kB at once.
_BIT = 8 * 1024
#: What llhttp says of a second Content-Length.
_LENGTH_TWICE = "Duplicate Content-Length"


class Connection(asyncio.Protocol):
    """Carries requests, and reads the responses within limits. Closes itself after anything out of order."""

    def __init__(self, limits: Limits, deadlines: Deadlines) -> None:
        self._limits = limits
        self._deadlines = deadlines
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpResponseParser(self)
        # A control character in a header, a folded line, a bare LF or a space behind the size of a chunk are a server's
        # bad manners, and its answer still counts: a webhook that arrived must not be repeated for them. aiohttp reads
        # as much, but for NUL; Node.js is strict. Nobody else's requests share the connection, so nothing can be
        # smuggled into them. Nor by a length beside chunks, which clients take for chunks (RFC 9112 section 6.3).
        self._parser.set_dangerous_leniencies(
            lenient_headers=True,
            lenient_optional_cr_before_lf=True,
            lenient_spaces_after_chunk_size=True,
            lenient_chunked_length=True,
        )
        self._exchange: Exchange | None = None
        self._pairs: list[tuple[bytes, bytes]] = []
        #: Bytes that came before the body of this exchange.
        self._head = 0
        #: Bytes of a line that is not complete yet or, behind the head, since there was anything of the body.
        self._unfinished = 0
        #: The head was completed, or there was something of the body, in what was read last.
        self._moved = False
        self._reading_head = True
        #: The body ends where the connection does (RFC 9112 section 6.3).
        self._until_close = False
        self._keep_alive = True
        self._draining: asyncio.TimerHandle | None = None
        self._ended: asyncio.Future[None]
        self._transport: asyncio.Transport | None = None
        self._socket = select.poll()
        self._why_lost: Exception | None = None

    @property
    def reusable(self) -> bool:
        """Whether another request can be sent."""
        transport = self._transport
        return (
            self._keep_alive
            and self._exchange is None
            and transport is not None
            and not transport.is_closing()
            and not transport.get_write_buffer_size()  # answered before it had been told everything
        )

    @property
    def silent(self) -> bool:
        """Whether nothing waits to be read: neither bytes that nobody asked for nor the end. Only while reusable."""
        return not self._socket.poll(0)

    async def converse(self, request: bytes, body: bytes, exchange: Exchange, deadline: float) -> None:
        """Send a request and read its response into `exchange`, until `deadline` by the event loop's clock.

        Raises Failed, and TimeoutError. Cancelling it closes the connection.
        """
        if self._transport is None:
            raise self._broken()
        self._exchange, self._reading_head = exchange, True
        self._head = self._unfinished = 0
        self._ended = self._loop.create_future()
        self._deadlines.set(self._expire, deadline)
        try:
            exchange.sent_at = time.monotonic()
            _write(self._transport, request, body)
            await self._ended
        except asyncio.CancelledError:
            self._finish()
            self.abort()
            raise
        finally:
            self._deadlines.lift(self._expire)

    def abort(self) -> None:
        """Close at once, whatever was still to be sent."""
        if self._transport is not None:
            self._transport.abort()

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one without saying so
        self._socket.register(transport.get_extra_info("socket"), select.POLLIN)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport, self._why_lost = None, exc
        if (exchange := self._exchange) is None:
            return
        if self._until_close and not self._reading_head and exc is None:
            exchange.ended = exchange.complete = True
        self._finish(self._broken())

    def eof_received(self) -> None:
        # Nothing more can come. The event loop would first send the rest of the request, which may never be read.
        self.abort()

    def data_received(self, data: bytes) -> None:
        for start in range(0, len(data), _BIT):
            self._read(data[start : start + _BIT])

    def _read(self, data: bytes) -> None:
        if self._exchange is None:  # nobody asked
            self._keep_alive = False
            self.abort()
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._end(Failed(Failure.BAD_RESPONSE, "the server changed the protocol, which nobody asked for"))
        except httptools.HttpParserCallbackError as error:
            self._end(cast("Failed", error.__context__))
        except httptools.HttpParserError as error:
            if self._reading_head and str(error) == _LENGTH_TWICE:
                self._keep_head()
            self._end(Failed(Failure.BAD_RESPONSE, f"the response is not HTTP: {error}"))
        else:
            if self._exchange is not None:
                self._measure(data)

    # What the parser calls. Raising Failed ends the response.

    def on_message_begin(self) -> None:
        if self._exchange is None:
            self._keep_alive = False  # a second response to one request: no later request may get it for its own
            raise Failed(Failure.BAD_RESPONSE, "the server sent more than one response")
        if self._exchange.first_at is None:
            self._exchange.first_at = time.monotonic()
        self._pairs = []

    def on_status(self, reason: bytes) -> None:
        if len(reason) > self._limits.max_header:
            raise _too_large(f"the status line is longer than {self._limits.max_header} bytes")

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._reading_head:
            return  # a trailer
        if len(name) + len(value) > self._limits.max_header:
            raise _too_large(f"a header line is longer than {self._limits.max_header} bytes")
        if len(self._pairs) == self._limits.max_headers:
            raise _too_large(f"more than {self._limits.max_headers} headers")
        self._pairs.append((name, value))

    def on_headers_complete(self) -> None:
        exchange, status = self._exchange, self._parser.get_status_code()
        if status < 100:
            raise Failed(Failure.BAD_RESPONSE, f"{status:03} is not a status (RFC 9110 section 15)")
        if exchange is None or status < 200:
            return  # RFC 9110 section 15.2: the response itself is still to come
        exchange.status = status
        exchange.headers = headers = self._headers()
        self._reading_head, self._moved = False, True
        has_length, chunked = "content-length" in headers, _is_chunked(headers)
        self._keep_alive = self._parser.should_keep_alive() and not (has_length and chunked)
        self._until_close = not has_length and not chunked

    def on_body(self, data: bytes) -> None:
        exchange = self._exchange
        if exchange is None:
            return
        room = exchange.max_body - len(exchange.body)
        self._moved = True
        exchange.body += data[:room]
        exchange.dropped += max(0, len(data) - room)
        if len(exchange.body) < exchange.max_body:
            return
        exchange.complete = True
        if exchange.dropped > self._limits.max_drain:
            self._stop_reading()
        elif self._draining is None:
            self._draining = self._loop.call_later(self._limits.drain_time, self._stop_reading)

    def on_message_complete(self) -> None:
        if self._reading_head or self._exchange is None:
            return  # an informational response, or what was drained for too long
        self._exchange.ended = self._exchange.complete = True
        self._finish()

    def _headers(self) -> Headers:
        return read_headers((_clean(name), _clean(value)) for name, value in self._pairs)

    def _keep_head(self) -> None:
        """The parser stops at a repeated length, even an equal one. The status was read by then.

        A 2xx is a success all the same, as with other clients.
        """
        status = self._parser.get_status_code()
        if self._exchange is not None and 200 <= status <= 299:
            self._exchange.status, self._exchange.headers = status, self._headers()
            self._exchange.complete = True

    def _measure(self, data: bytes) -> None:
        """The parser tells a header when it is complete. This bounds one that never is, and what never ends."""
        if self._reading_head:
            self._head += len(data)
            if self._head > self._limits.max_head:
                self._end(_too_large(f"what comes before the body is longer than {self._limits.max_head} bytes"))
                return
        if self._moved:
            self._unfinished, self._moved = 0, False
            return
        at = data.rfind(b"\n") if self._reading_head else -1
        self._unfinished = self._unfinished + len(data) if at < 0 else len(data) - at - 1
        if self._unfinished > self._limits.max_header:
            what = "a header line is" if self._reading_head else "the trailers or the head of a chunk are"
            self._end(_too_large(f"{what} longer than {self._limits.max_header} bytes"))

    def _broken(self) -> Failed:
        """What the loss of the connection stands for."""
        # With TLS 1.3 a server refuses a client without a certificate when the handshake is over for the client.
        failure = Failure.TLS_FAILED if isinstance(self._why_lost, ssl.SSLError) else Failure.DISCONNECTED
        return Failed(failure, str(self._why_lost or "the server closed the connection too soon"))

    def _expire(self) -> None:
        self._end(TimeoutError())

    def _stop_reading(self) -> None:
        """The response has more than is wanted: what is here is all of it for us."""
        self._keep_alive = False
        self._finish()
        self.abort()

    def _finish(self, error: Exception | None = None) -> None:
        """Let `converse` return, or raise this error unless the response is complete without what is missing."""
        if self._draining is not None:
            self._draining.cancel()
            self._draining = None
        if (exchange := self._exchange) is None:
            return
        self._exchange = None
        if self._ended.done():
            return
        if error is None or exchange.complete:
            self._ended.set_result(None)
        else:
            self._ended.set_exception(error)

    def _end(self, error: Exception) -> None:
        """Something went wrong, after which this connection is of no use."""
        self._keep_alive = False
        self._finish(error)
        self.abort()


def _write(transport: asyncio.Transport, request: bytes, body: bytes) -> None:
    if len(body) < 64 * 1024:  # one packet is worth a copy
        transport.write(request + body)
        return
    # The end apart: TLS tells nothing of what waits below it, but holds back what comes while much waits there. So as
    # long as more than 64 kB are still to be sent, `reusable` sees the end in its buffer.
    whole = memoryview(body)
    transport.write(request)
    transport.write(whole[:-1])
    transport.write(whole[-1:])


def _too_large(detail: str) -> Failed:
    return Failed(Failure.HEADERS_TOO_LARGE, detail)


def _is_chunked(headers: Headers) -> bool:
    return headers.get("transfer-encoding", ("",))[-1].lower().endswith("chunked")


def _clean(raw: bytes) -> str:
    """Latin-1 keeps every byte (RFC 9110 section 5.5); control characters would not go into a database."""
    text = raw.decode("latin-1").strip(" \t")
    return text if text.isprintable() else "".join(char if char.isprintable() else "?" for char in text)
