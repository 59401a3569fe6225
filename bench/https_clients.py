"""The clients that `bench.clients` compares, each made to do the same: POST, and read the answer up to a limit."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Protocol

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from bench.tls_consumer import Served
from hookline.core.addresses import AddressPolicy
from hookline.transport.transport import Transport, TransportSettings

POLICY = AddressPolicy.parse(["127.0.0.0/8"])
BODY = b'{"type":"invoice.paid","data":"' + b"x" * 991 + b'"}'
HEADERS = {
    "content-type": "application/json",
    "webhook-id": "msg_2mQ0nV3cTqYBq9wEJp8kLz5dXfR",
    "webhook-timestamp": "1760000000",
    "webhook-signature": "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=",
}
#: How much of an answer is read, as the sender does.
MAX_BODY = 8192
DEADLINE = 20.0


class Client(Protocol):
    """One of those compared. Made inside the event loop."""

    #: How many clients of the library it holds.
    made: int

    async def post(self, url: str) -> int:
        """The status of the answer, whose body has been read."""

    async def close(self) -> None: ...


class Names:
    """What the names of the consumer resolve to, for Hookline."""

    def __init__(self, served: Served, hosts: int) -> None:
        self.addresses = {served.name(host): served.address(host) for host in range(hosts)}

    async def resolve(self, host: str) -> list[str]:
        return [self.addresses[host]]

    def close(self) -> None:
        pass


class AiohttpNames(AbstractResolver):
    """The same for aiohttp."""

    def __init__(self, names: Names) -> None:
        self._names = names

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        address = self._names.addresses[host]
        return [ResolveResult(hostname=host, host=address, port=port, family=socket.AF_INET, proto=0, flags=0)]

    async def close(self) -> None:
        pass


class Aiohttp:
    """A session with the connector that has a hook on the address, and nothing else."""

    made = 1

    def __init__(self, served: Served, hosts: int) -> None:
        names = AiohttpNames(Names(served, hosts))
        connector = aiohttp.TCPConnector(socket_factory=self._guard, resolver=names, ssl=_context(served), limit=0)
        timeout = aiohttp.ClientTimeout(total=DEADLINE)
        self._session = aiohttp.ClientSession(
            connector=connector, timeout=timeout, auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()
        )

    @staticmethod
    def _guard(target: aiohttp.AddrInfoType) -> socket.socket:
        POLICY.check_address(str(target[4][0]))
        return socket.socket(*target[:3])

    async def post(self, url: str) -> int:
        async with self._session.post(url, data=BODY, headers=HEADERS, allow_redirects=False) as response:
            await response.content.read(MAX_BODY)
            return response.status

    async def close(self) -> None:
        await self._session.close()


class Hookline:
    """The sender's Transport with all that it promises."""

    made = 1

    def __init__(self, served: Served, hosts: int) -> None:
        settings = TransportSettings(deadline=DEADLINE)
        self._transport = Transport(POLICY, settings, tls=_context(served), resolver=Names(served, hosts))

    async def post(self, url: str) -> int:
        response = await self._transport.send(url, HEADERS, BODY)
        assert response.status is not None, response.detail
        return response.status

    async def close(self) -> None:
        await self._transport.close()


class PyreqwestPinned:
    """A client of pyreqwest for each vetted host and address: it knows no other address for this name."""

    def __init__(self, served: Served, hosts: int) -> None:
        self._clients = {}
        for host in range(hosts):
            address = served.address(host)
            POLICY.check_address(address)
            builder = _builder(served).resolve(served.name(host), address, served.port)
            self._clients[served.url(host)] = builder.build()
        self.made = hosts

    async def post(self, url: str) -> int:
        return await _post(self._clients[url], url)

    async def close(self) -> None:
        for client in self._clients.values():
            await client.close()


class PyreqwestShared:
    """One client of pyreqwest for all. Not usable for strangers' URLs, for it has no hook on the address."""

    made = 1

    def __init__(self, served: Served, hosts: int) -> None:
        builder = _builder(served)
        for host in range(hosts):
            builder = builder.resolve(served.name(host), served.address(host), served.port)
        self._client = builder.build()

    async def post(self, url: str) -> int:
        return await _post(self._client, url)

    async def close(self) -> None:
        await self._client.close()


def _builder(served: Served) -> Any:
    from pyreqwest.client import ClientBuilder

    return (
        ClientBuilder()
        .add_root_certificate_pem(served.ca.encode())
        .min_tls_version("TLSv1.2")
        .http1_only()
        .no_proxy()
        .follow_redirects(False)
        .referer(False)
        .gzip(False)
        .brotli(False)
        .zstd(False)
        .deflate(False)
        .timeout(timedelta(seconds=DEADLINE))
    )


async def _post(client: Any, url: str) -> int:
    request = client.post(url).headers(HEADERS).body_bytes(BODY)
    # Unless it is streamed, the whole body is read, whatever its length.
    async with request.streamed_read_buffer_limit(MAX_BODY).build_streamed() as response:
        await response.body_reader.read(MAX_BODY)
        return int(response.status)


def _context(served: Served) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=served.ca)


CLIENTS: dict[str, Callable[[Served, int], Client]] = {
    "aiohttp": Aiohttp,
    "hookline": Hookline,
    "pyreqwest, pinned": PyreqwestPinned,
    "pyreqwest, shared": PyreqwestShared,
}
