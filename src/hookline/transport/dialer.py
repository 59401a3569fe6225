"""Dialer: makes connections, and looks at the final address of each just before it is made.

A check of the name, or a resolver that filters, is not enough: literals never pass a resolver, and a name may change
its answer after a check. So the guard is where the socket is made, with the address that it is then connected to.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import aiohappyeyeballs

from hookline.core.addresses import AddressPolicy
from hookline.core.outcome import Failure
from hookline.core.url import Url
from hookline.exceptions import AddressRefused, ConfigurationError
from hookline.transport.connection import Connection
from hookline.transport.failures import Failed, Refused, failed_to_connect
from hookline.transport.resolver import Resolver, SystemResolver
from hookline.transport.route import Route
from hookline.transport.tls import client_context, strict, with_certificate
from hookline.transport.tunnel import open_tunnel

#: Seconds until the next address of a name is tried beside the one before (RFC 8305 section 5).
_NEXT_ADDRESS = 0.25
#: So many contexts with client certificates are kept. Each has all authorities of the system, which is 0.1 MB.
_CONTEXTS = 500


class Dialer:
    """Connects to the hosts of URLs. `tls`: trusted certificates other than the system's."""

    def __init__(
        self,
        policy: AddressPolicy,
        make: Callable[[], Connection],
        tls: ssl.SSLContext | None = None,
        resolver: Resolver | None = None,
    ) -> None:
        self._policy = policy
        self._make = make
        self._tls = self._given_tls = tls and strict(tls)
        #: With client certificates, by these.
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._resolver = resolver
        self._own_resolver: SystemResolver | None = None

    async def connect(self, url: Url, route: Route | None = None, steps: dict[str, float] | None = None) -> Connection:
        """A new connection to the host of the URL. Raises Failed.

        The seconds of each step that ended are put into `steps`: `dns`, `connect` (also through a proxy) and `tls`.
        """
        steps, began = {} if steps is None else steps, time.monotonic()
        addresses = await self._addresses(url)
        if url.address is None:
            steps["dns"] = time.monotonic() - began
        try:
            began = time.monotonic()
            if route is not None and route.proxy:
                sock = await self._through_proxy(url, addresses, route.proxy)
            else:
                guard = partial(self._policy.check_address, plain_http=url.scheme == "http")
                sock = await self._open(addresses, url.port, guard)
            steps["connect"] = time.monotonic() - began
            connection = await self._begin(sock, url, route)
            if url.scheme == "https":
                steps["tls"] = time.monotonic() - began - steps["connect"]
            return connection
        except OSError as error:
            raise failed_to_connect(error, url.host) from error
        except (RuntimeError, ValueError) as error:  # uvloop's, now and then, where others raise an OSError
            raise Failed(Failure.CONNECT_FAILED, f"{url.host}: {error}") from error

    async def _open(self, addresses: Sequence[str], port: int, check: Callable[[str], None]) -> socket.socket:
        """A socket that is connected to one of the addresses that `check` lets pass. Raises Failed and OSError."""
        refused: list[str] = []

        def guard(target: Any) -> socket.socket:
            """Make the socket for one connection, or refuse. `target` is what the socket will be connected to."""
            family, kind, protocol, _, address = target
            try:
                check(str(address[0]))
            except AddressRefused as error:
                refused.append(str(error))
                raise Refused(str(error)) from None
            return socket.socket(family, kind, protocol)

        try:
            return await aiohappyeyeballs.start_connection(
                [_target(address, port) for address in addresses],
                happy_eyeballs_delay=_NEXT_ADDRESS,
                socket_factory=guard,
            )
        except OSError as error:
            if len(refused) == len(addresses):
                raise Failed(Failure.ADDRESS_REFUSED, refused[0]) from error
            raise

    async def _through_proxy(self, url: Url, addresses: Sequence[str], text: str) -> socket.socket:
        """A socket behind which a proxy is connected to an address that the guard lets pass."""
        try:
            address = self._first_allowed(addresses, url)
            proxy = self._policy.check_proxy(text)
        except AddressRefused as error:
            raise Failed(Failure.ADDRESS_REFUSED, str(error)) from error
        except ConfigurationError as error:
            raise Failed(Failure.PROXY_FAILED, str(error)) from error
        try:
            guard = partial(self._policy.check_proxy_address, proxy)
            sock = await self._open(await self._addresses(proxy.url), proxy.url.port, guard)
        except OSError as error:
            raise Failed(Failure.PROXY_FAILED, f"the proxy {proxy.shown}: {error.strerror or error}") from error
        try:
            await open_tunnel(sock, proxy, address, url.port)
        except OSError as error:
            sock.close()
            raise Failed(Failure.PROXY_FAILED, f"the proxy {proxy.shown}: {error.strerror or error}") from error
        except BaseException:
            sock.close()
            raise
        return sock

    def _first_allowed(self, addresses: Sequence[str], url: Url) -> str:
        """Raises AddressRefused where the guard lets none of them pass."""
        refused: AddressRefused | None = None
        for address in addresses:
            try:
                self._policy.check_address(address, plain_http=url.scheme == "http")
            except AddressRefused as error:
                refused = refused or error
            else:
                return address
        raise refused or AddressRefused(f"{url.host} has no address")

    async def _begin(self, sock: socket.socket, url: Url, route: Route | None) -> Connection:
        """Speak TLS, where the URL says so, on a connected socket. Raises OSError, of which SSLError is one."""
        loop, secure = asyncio.get_running_loop(), url.scheme == "https"
        connection = self._make()
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            context = None
            if secure:
                certificate = "" if route is None else route.client_certificate
                context = await self._context_with(certificate) if certificate else self._context()
            await loop.create_connection(
                lambda: connection, sock=sock, ssl=context, server_hostname=url.host if secure else None
            )
        except BaseException:
            # Before the socket: a handshake may have ended just now, and the event loop would go on with TLS on a
            # descriptor that is somebody else's by then.
            connection.abort()
            sock.close()
            raise
        return connection

    async def _addresses(self, url: Url) -> list[str]:
        if url.address is not None:
            return [url.host]
        if self._resolver is None:
            self._resolver = self._own_resolver = SystemResolver()
        try:
            if found := await self._resolver.resolve(url.host):
                return found
        except OSError as error:
            raise Failed(Failure.DNS_FAILED, f"{url.host}: {error.strerror or error}") from error
        raise Failed(Failure.DNS_FAILED, f"{url.host} has no address")

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:  # not before it is needed: reading the system's certificates takes tens of milliseconds
            self._tls = client_context()
            self._tls.set_alpn_protocols(["http/1.1"])
        return self._tls

    async def _context_with(self, certificate: str) -> ssl.SSLContext:
        """The context that shows this client certificate, which is kept."""
        if (context := self._contexts.get(certificate)) is None:
            context = await asyncio.to_thread(with_certificate, certificate, self._given_tls)
            if len(self._contexts) >= _CONTEXTS:
                del self._contexts[next(iter(self._contexts))]
            self._contexts[certificate] = context
        return context

    def close(self) -> None:
        if self._own_resolver is not None:
            self._own_resolver.close()
            self._resolver = self._own_resolver = None


def _target(address: str, port: int) -> Any:
    """An address as getaddrinfo gives it."""
    if ":" in address:
        return socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, port, 0, 0)
    return socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, port)
