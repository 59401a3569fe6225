"""Dialer: makes connections, and looks at the final address of each just before it is made.

A check of the name, or a resolver that filters, is not enough: literals never pass a resolver, and a name may change
its answer after a check. So the guard is where the socket is made, with the address that it is then connected to.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import Any

import aiohappyeyeballs

from hookline.core.addresses import AddressPolicy
from hookline.core.outcome import Failure
from hookline.core.url import Url
from hookline.exceptions import AddressRefused
from hookline.transport.connection import Connection
from hookline.transport.failures import Failed, Refused, failed_to_connect
from hookline.transport.resolver import Resolver, SystemResolver
from hookline.transport.tls import client_context, strict

#: Seconds until the next address of a name is tried beside the one before (RFC 8305 section 5).
_NEXT_ADDRESS = 0.25


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
        self._tls = tls and strict(tls)
        self._resolver = resolver
        self._own_resolver: SystemResolver | None = None

    async def connect(self, url: Url) -> Connection:
        """A new connection to the host of the URL. Raises Failed."""
        addresses = await self._addresses(url)
        refused: list[str] = []

        def guard(target: Any) -> socket.socket:
            """Make the socket for one connection, or refuse. `target` is what the socket will be connected to."""
            family, kind, protocol, _, address = target
            try:
                self._policy.check_address(str(address[0]), plain_http=url.scheme == "http")
            except AddressRefused as error:
                refused.append(str(error))
                raise Refused(str(error)) from None
            return socket.socket(family, kind, protocol)

        try:
            sock = await aiohappyeyeballs.start_connection(
                [_target(address, url.port) for address in addresses],
                happy_eyeballs_delay=_NEXT_ADDRESS,
                socket_factory=guard,
            )
            return await self._begin(sock, url)
        except OSError as error:
            if len(refused) == len(addresses):
                raise Failed(Failure.ADDRESS_REFUSED, refused[0]) from error
            raise failed_to_connect(error, url.host) from error
        except (RuntimeError, ValueError) as error:  # uvloop's, now and then, where others raise an OSError
            raise Failed(Failure.CONNECT_FAILED, f"{url.host}: {error}") from error

    async def _begin(self, sock: socket.socket, url: Url) -> Connection:
        """Speak TLS, where the URL says so, on a connected socket. Raises OSError, of which SSLError is one."""
        loop, secure = asyncio.get_running_loop(), url.scheme == "https"
        connection = self._make()
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await loop.create_connection(
                lambda: connection,
                sock=sock,
                ssl=self._context() if secure else None,
                server_hostname=url.host if secure else None,
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

    def close(self) -> None:
        if self._own_resolver is not None:
            self._own_resolver.close()
            self._resolver = self._own_resolver = None


def _target(address: str, port: int) -> Any:
    """An address as getaddrinfo gives it."""
    if ":" in address:
        return socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, port, 0, 0)
    return socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, port)
