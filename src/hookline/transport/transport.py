"""Transport: one HTTP request over a guarded connection. The only place where Hookline connects to a stranger.

What makes it safe, and why each is needed:

* every connection is made by the `Dialer`, whose guard sees its final address just before it is made;
* redirects are not followed and the environment (HTTP_PROXY, .netrc) is not read: both lead around the guard;
* one deadline over look-up, connection, headers and body: a server that drips bytes cannot hold a worker for longer;
* bodies are read up to a limit and never decompressed, headers are bounded: a response cannot fill the memory;
* no cookies: endpoints must not see each other's.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import lru_cache, partial
from types import TracebackType
from typing import NamedTuple, Self

from hookline.core.addresses import AddressPolicy
from hookline.core.outcome import Failure
from hookline.core.request import Headers
from hookline.core.sent_headers import check_headers
from hookline.core.url import Url
from hookline.exceptions import AddressRefused, ConfigurationError
from hookline.transport.connection import Connection
from hookline.transport.deadlines import Deadlines
from hookline.transport.dialer import Dialer
from hookline.transport.exchange import Exchange, Limits
from hookline.transport.failures import Failed
from hookline.transport.pool import Origin, Pool
from hookline.transport.resolver import Resolver
from hookline.transport.route import Route
from hookline.version import __version__

#: Sent unless the caller gives one.
_DEFAULTS = {"user-agent": f"User-Agent: Hookline/{__version__}\r\n", "accept": "Accept: */*\r\n"}


@dataclass(frozen=True, slots=True)
class TransportSettings:
    """Durations are seconds, sizes are bytes."""

    #: For everything from the name look-up to the last byte. Standard Webhooks advises 15 to 30 seconds.
    deadline: float = 20.0
    #: Requests under way at once. The wait for a place is not part of the deadline: it is not the endpoint's fault.
    concurrency: int = 200
    #: How much of a body is kept.
    max_body: int = 8 * 1024
    #: How long an idle connection waits for the next request. Shorter than the 5 s after which the HTTP servers of
    #: Node.js, uvicorn and Apache close it, so that a request seldom meets a connection that is being closed.
    keep_alive: float = 4.0
    #: How many of those wait at once, over all hosts.
    idle_connections: int = 1000
    #: What one response may cost beyond the body that is kept.
    limits: Limits = field(default_factory=Limits)


@dataclass(slots=True)  # not frozen, which takes three times as long to make
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
    #: Milliseconds of each step that came to its end: `dns`, `connect` and `tls`, but on a connection that was there;
    #: `first_byte` from the request on, and `body` until the end.
    timing: Mapping[str, float] = field(default_factory=dict)

    def header(self, name: str) -> str | None:
        """The first value of a header, or None."""
        values = self.headers.get(name)
        return values[0] if values else None


class _Target(NamedTuple):
    """A URL that may be sent to."""

    url: Url
    #: What stands behind the method in a request to it, up to and with the headers that each of them has.
    head: str


class Transport:
    """Sends requests. One for each event loop; it opens its connections on first use. Close it, or use `async with`."""

    def __init__(
        self,
        policy: AddressPolicy,
        settings: TransportSettings | None = None,
        *,
        tls: ssl.SSLContext | None = None,
        resolver: Resolver | None = None,
    ) -> None:
        """`tls`: trusted certificates other than the system's. `resolver`: another way to look up names; not closed."""
        self._settings = settings or TransportSettings()
        self._dialer = Dialer(policy, partial(Connection, self._settings.limits, Deadlines()), tls, resolver)
        self._pool: Pool | None = None
        self._places = asyncio.Semaphore(self._settings.concurrency)
        # The policy never changes, so what it said of a URL holds. Only what passed is remembered.
        self._target_of = lru_cache(maxsize=20_000)(partial(_target_of, policy))

    async def send(self, url: str, headers: Mapping[str, str], body: bytes, route: Route | None = None) -> Response:
        """POST the body. Network trouble, refusals and broken responses are in the Response; nothing is raised."""
        return await self._request("POST", url, headers, body, self._settings.max_body, route=route)

    async def fetch(
        self,
        url: str,
        max_bytes: int,
        allowed_hosts: Collection[str],
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        *,
        route: Route | None = None,
    ) -> Response:
        """GET a document such as a certificate, whole or not at all: a longer one is the failure `body_too_large`.

        With a body it is POSTed: some key servers want to be asked so. Hosts other than `allowed_hosts` are refused.
        """
        try:
            host = self._target_of(url).url.host
        except AddressRefused as error:
            return Response(error=Failure.ADDRESS_REFUSED, detail=str(error))
        if host not in allowed_hosts:
            detail = f"{host} is not one of the hosts that this may be fetched from: {', '.join(sorted(allowed_hosts))}"
            return Response(error=Failure.ADDRESS_REFUSED, detail=detail)
        method = "GET" if body is None else "POST"
        response = await self._request(method, url, headers or {}, body, max_bytes, route=route)
        if response.error or not response.truncated:
            return response
        detail = f"the document is longer than {max_bytes} bytes"
        return Response(
            response.status, response.headers, b"", True, response.duration_ms, Failure.BODY_TOO_LARGE, detail
        )

    @property
    def idle(self) -> int:
        """How many connections wait for another request."""
        return len(self._pool) if self._pool is not None else 0

    async def close(self) -> None:
        """Close the idle connections. What is under way goes on, and its connections are closed when it ends."""
        if self._pool is not None:
            self._pool.close()
            self._pool = None
        self._dialer.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _request(
        self,
        method: str,
        text: str,
        headers: Mapping[str, str],
        body: bytes | None,
        max_body: int,
        *,
        route: Route | None,
    ) -> Response:
        try:
            target = self._target_of(text)
            check_headers(headers)
        except AddressRefused as error:
            return Response(error=Failure.ADDRESS_REFUSED, detail=str(error))
        except ConfigurationError as error:
            return Response(error=Failure.INVALID_REQUEST, detail=str(error))
        async with self._places:
            return await self._exchange(method, target, headers, body, Exchange(max_body), route=route)

    async def _exchange(
        self,
        method: str,
        target: _Target,
        headers: Mapping[str, str],
        body: bytes | None,
        exchange: Exchange,
        *,
        route: Route | None,
    ) -> Response:
        started = time.monotonic()
        failure, detail = "", ""
        try:
            request = write_request(method, target.head, headers, body)
            await self._converse(target.url, request, body or b"", exchange, route)
        except Failed as failed:
            failure, detail = failed.failure, failed.detail
        except TimeoutError:
            step = "no response" if exchange.status is None else "the response was not complete"
            failure, detail = Failure.TIMEOUT, f"{step} within {self._settings.deadline:g} seconds"
        ended = time.monotonic()
        return Response(
            status=exchange.status,
            headers=exchange.headers,
            body=bytes(exchange.body),
            truncated=exchange.truncated,
            duration_ms=round((ended - started) * 1000),
            error=failure,
            detail=detail,
            timing=exchange.timing(ended),
        )

    async def _converse(self, url: Url, request: bytes, body: bytes, exchange: Exchange, route: Route | None) -> None:
        """Raises Failed, and TimeoutError."""
        deadline = asyncio.get_running_loop().time() + self._settings.deadline
        if self._pool is None:
            self._pool = Pool(self._settings.keep_alive, self._settings.idle_connections)
        pool = self._pool  # which may be closed before the request ends
        origin: Origin = (url.scheme, url.host, url.port, route)
        connection = pool.take(origin)
        if connection is None:
            async with asyncio.timeout_at(deadline):
                exchange.dialled = {}
                connection = await self._dialer.connect(url, route, exchange.dialled)
        await connection.converse(request, body, exchange, deadline)
        pool.give(origin, connection)


def _target_of(policy: AddressPolicy, text: str) -> _Target:
    """Raises AddressRefused."""
    url = policy.check_url(text)
    return _Target(url, f"{url.target} HTTP/1.1\r\nHost: {url.authority}\r\nAccept-Encoding: identity\r\n")


def write_request(method: str, target: str, headers: Mapping[str, str], body: bytes | None) -> bytes:
    """The head of a request (RFC 9112 section 3). Nothing breaks out of a line: all of it was checked.

    `target`: see `_Target.head`.
    """
    lines = [f"{method} ", target, _beside(tuple(headers), body is not None)]
    lines += [f"{name}: {value}\r\n" for name, value in headers.items()]
    lines.append("\r\n" if body is None else f"Content-Length: {len(body)}\r\n\r\n")
    return "".join(lines).encode("ascii")


@lru_cache(maxsize=1024)  # the same few names with every request
def _beside(names: tuple[str, ...], with_body: bool) -> str:
    """The lines that are sent besides the headers with these names."""
    given = set(map(str.lower, names))
    lines = [line for name, line in _DEFAULTS.items() if name not in given]
    if with_body and "content-type" not in given:
        lines.append("Content-Type: application/octet-stream\r\n")
    return "".join(lines)
