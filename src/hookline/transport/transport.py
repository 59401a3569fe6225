"""The noun Transport: one HTTP request over a guarded connection. The only place where Hookline connects to a stranger.

What makes it safe, and why each is needed:

* `TCPConnector(socket_factory=...)` is called with the final address of *every* connection, just before it is made. A
  resolver that filters is not enough: literals never pass it, and a name may change its answer after a check;
* redirects are not followed and the environment (HTTP_PROXY, .netrc) is not read: both lead around the guard;
* one deadline over look-up, connection, headers and body: a server that drips bytes cannot hold a worker for longer;
* bodies are read up to a limit and never decompressed, headers are bounded: a response cannot fill the memory;
* no cookies: endpoints must not see each other's.
"""

from __future__ import annotations

import asyncio
import io
import socket
import ssl
import time
from collections.abc import Collection, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from hookline.core.addresses import AddressPolicy
from hookline.core.outcome import Failure
from hookline.core.request import Headers, read_headers
from hookline.core.sent_headers import check_headers
from hookline.core.url import Url, host_matches
from hookline.exceptions import AddressRefused, ConfigurationError
from hookline.transport.failures import describe, name_failure
from hookline.transport.resolver import Resolver
from hookline.version import __version__

USER_AGENT = f"Hookline/{__version__}"

_CHUNK = 16 * 1024


@dataclass(frozen=True, slots=True)
class TransportSettings:
    """Durations are seconds, sizes are bytes."""

    #: For everything from the name look-up to the last byte. Standard Webhooks advises 15 to 30 seconds.
    deadline: float = 20.0
    #: Requests under way at once. The wait for a place is not part of the deadline: it is not the endpoint's fault.
    concurrency: int = 200
    #: How much of a body is kept.
    max_body: int = 8 * 1024
    #: A body longer than `max_body` by no more than this is read to its end and thrown away, within `drain_time`, since
    #: that is cheaper than a new connection. Of anything longer the connection is closed.
    max_drain: int = 64 * 1024
    drain_time: float = 1.0
    #: How long an idle connection waits for the next request. Shorter than the 5 s after which the HTTP servers of
    #: Node.js, uvicorn and Apache close it, so that a request seldom meets a connection that is being closed.
    keep_alive: float = 4.0
    #: One header line; real ones (Content-Security-Policy) come near 8 kB. And how many of them.
    max_header: int = 8190
    max_headers: int = 100


@dataclass(frozen=True, slots=True)
class Response:
    """What came back. A complete response has a status and no error.

    `error` is a Failure or empty; then `detail` says more, for people, and `status`, `headers` and `body` are what had
    come by then. Header names are lower case, values are decoded as Latin-1 without control characters. `body` holds
    the first bytes as they were sent, compressed if the server compressed them; `truncated` says that there was more.
    """

    status: int | None = None
    headers: Headers = field(default_factory=dict)
    body: bytes = b""
    truncated: bool = False
    duration_ms: int = 0
    error: str = ""
    detail: str = ""

    def header(self, name: str) -> str | None:
        """The first value of a header, or None."""
        return next(iter(self.headers.get(name, ())), None)


@dataclass(slots=True)
class _Exchange:
    """One request under way. It outlives its cancellation, so that what came before the deadline is not lost."""

    plain_http: bool
    max_body: int
    status: int | None = None
    headers: Headers = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)
    #: Nothing that still happens can make the response a failure.
    complete: bool = False
    more: bool = True
    #: What the guard refused while connecting.
    refused: list[AddressRefused] = field(default_factory=list)


#: The exchange for which a connection is being made. Tasks that aiohttp starts to race addresses inherit it.
_current: ContextVar[_Exchange] = ContextVar("hookline_exchange")


class _Refused(AddressRefused, OSError):
    """An OSError, because the race between several addresses of a name expects a failed connection to raise one."""


class Transport:
    """Sends requests. One for each event loop; it opens its connections on first use. Close it, or use `async with`."""

    def __init__(
        self,
        policy: AddressPolicy,
        settings: TransportSettings | None = None,
        *,
        tls: ssl.SSLContext | None = None,
        resolver: AbstractResolver | None = None,
    ) -> None:
        """`tls`: trusted certificates other than the system's. `resolver`: another way to look up names; not closed."""
        self._policy = policy
        self._settings = settings or TransportSettings()
        self._tls = tls
        self._resolver = resolver
        self._own_resolver: Resolver | None = None
        self._session: aiohttp.ClientSession | None = None
        self._places = asyncio.Semaphore(self._settings.concurrency)
        # The policy never changes, so what it said of a URL holds. Only what passed is remembered.
        self._check_url = lru_cache(maxsize=1024)(policy.check_url)

    async def send(self, url: str, headers: Mapping[str, str], body: bytes) -> Response:
        """POST the body. Network trouble, refusals and broken responses are in the Response; nothing is raised."""
        return await self._request("POST", url, headers, body, self._settings.max_body)

    async def fetch(
        self,
        url: str,
        max_bytes: int,
        allowed_hosts: Collection[str],
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Response:
        """GET a document such as a certificate, whole or not at all: a longer one is the failure `body_too_large`.

        With a body it is POSTed: some key servers want to be asked so. `allowed_hosts` are names in which `*` stands
        for one label, as `sns.*.amazonaws.com`; others are refused.
        """
        try:
            host = self._check_url(url).host
        except AddressRefused as error:
            return Response(error=Failure.ADDRESS_REFUSED, detail=str(error))
        if not any(host_matches(host, pattern) for pattern in allowed_hosts):
            detail = f"{host} is not one of the hosts that this may be fetched from: {', '.join(sorted(allowed_hosts))}"
            return Response(error=Failure.ADDRESS_REFUSED, detail=detail)
        method = "GET" if body is None else "POST"
        response = await self._request(method, url, headers or {}, body, max_bytes)
        if response.error or not response.truncated:
            return response
        detail = f"the document is longer than {max_bytes} bytes"
        return Response(
            response.status, response.headers, b"", True, response.duration_ms, Failure.BODY_TOO_LARGE, detail
        )

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None
        if self._own_resolver is not None:
            await self._own_resolver.close()
            self._own_resolver = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _request(
        self, method: str, text: str, headers: Mapping[str, str], body: bytes | None, max_body: int
    ) -> Response:
        try:
            url = self._check_url(text)
            check_headers(headers)
        except AddressRefused as error:
            return Response(error=Failure.ADDRESS_REFUSED, detail=str(error))
        except ConfigurationError as error:
            return Response(error=Failure.INVALID_REQUEST, detail=str(error))
        async with self._places:
            return await self._exchange(_Exchange(url.scheme == "http", max_body), method, url, headers, body)

    async def _exchange(
        self, exchange: _Exchange, method: str, url: Url, headers: Mapping[str, str], body: bytes | None
    ) -> Response:
        started = time.monotonic()
        failure, detail = "", ""
        token = _current.set(exchange)
        try:
            async with asyncio.timeout(self._settings.deadline):
                await self._converse(exchange, method, url, headers, body)
        except (aiohttp.ClientError, OSError, ValueError) as error:  # a TimeoutError is an OSError
            if not exchange.complete:
                failure, detail = self._explain(error, exchange)
        finally:
            _current.reset(token)
        return Response(
            status=exchange.status,
            headers=exchange.headers,
            body=bytes(exchange.body),
            truncated=exchange.status is not None and exchange.more,
            duration_ms=round((time.monotonic() - started) * 1000),
            error=failure,
            detail=detail,
        )

    async def _converse(
        self, exchange: _Exchange, method: str, url: Url, headers: Mapping[str, str], body: bytes | None
    ) -> None:
        # aiohttp warns about more than 1 MiB of bytes in one write; a file is written in pieces.
        data = io.BytesIO(body) if body is not None and len(body) > 2**20 else body
        session, target = self._open_session(), _target(url)
        reply = await session.request(method, target, headers=headers, data=data, allow_redirects=False)
        try:
            exchange.status = reply.status
            exchange.headers = read_headers((_clean(name), _clean(value)) for name, value in reply.raw_headers)
            await self._read_body(exchange, reply.content)
        finally:
            reply.close()  # does nothing when the body was read to its end: the connection is back in the pool

    async def _read_body(self, exchange: _Exchange, content: aiohttp.StreamReader) -> None:
        while (wanted := exchange.max_body - len(exchange.body)) > 0:
            if not (data := await content.read(min(wanted, _CHUNK))):
                exchange.complete, exchange.more = True, False
                return
            exchange.body += data
        exchange.complete = True
        drained = 0
        async with asyncio.timeout(self._settings.drain_time):
            while drained <= self._settings.max_drain:
                if not (data := await content.read(_CHUNK)):
                    exchange.more = drained > 0
                    return
                drained += len(data)

    def _explain(self, error: Exception, exchange: _Exchange) -> tuple[Failure, str]:
        if exchange.refused and isinstance(error, aiohttp.ClientConnectorError):
            return Failure.ADDRESS_REFUSED, describe(exchange.refused[0])
        failure = name_failure(error)
        if failure is Failure.TIMEOUT:
            step = "no response" if exchange.status is None else "the response was not complete"
            return failure, f"{step} within {self._settings.deadline:g} seconds"
        return failure, describe(error)

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            if self._resolver is None:
                self._own_resolver = Resolver()
            connector = aiohttp.TCPConnector(
                socket_factory=self._guard,
                resolver=self._resolver or self._own_resolver,
                ssl=self._tls or True,
                limit=0,  # the places are counted here
                keepalive_timeout=self._settings.keep_alive,
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                timeout=aiohttp.ClientTimeout(),  # none of its own: one deadline covers everything
                headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity"},
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
                read_bufsize=_CHUNK,
                max_line_size=self._settings.max_header,
                max_field_size=self._settings.max_header,
                max_headers=self._settings.max_headers,
            )
        return self._session

    def _guard(self, target: aiohttp.AddrInfoType) -> socket.socket:
        """Make the socket for one connection, or refuse. `target` is what the socket will be connected to."""
        family, kind, protocol, _, address = target
        exchange = _current.get()
        try:
            self._policy.check_address(str(address[0]), plain_http=exchange.plain_http)
        except AddressRefused as error:
            exchange.refused.append(error)
            raise _Refused(str(error)) from None
        return socket.socket(family, kind, protocol)


@lru_cache(maxsize=1024)
def _target(url: Url) -> URL:
    """The URL for aiohttp, made from the checked parts and marked as encoded: no second parser reads a text."""
    path, _, query = url.target.partition("?")
    return URL.build(scheme=url.scheme, authority=url.authority, path=path, query_string=query, encoded=True)


def _clean(raw: bytes) -> str:
    """Latin-1 keeps every byte (RFC 9110 section 5.5); control characters would not go into a database."""
    text = raw.decode("latin-1")
    return text if text.isprintable() else "".join(char if char.isprintable() else "?" for char in text)
