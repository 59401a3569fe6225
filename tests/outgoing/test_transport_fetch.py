"""Fetching a document, such as a certificate, through the same guard as everything else."""

from __future__ import annotations

import asyncio

import pytest

from hookline.core.addresses import AddressPolicy
from hookline.transport.transport import Response, Transport, TransportSettings
from tests.outgoing.transport_server import OK, Names, Server, say, serve

LOOPBACK = AddressPolicy.parse(["127.0.0.0/8"])
SETTINGS = TransportSettings(deadline=5)


def fetch(reply: bytes, *, max_bytes: int = 100, allowed: tuple[str, ...] = ("127.0.0.1",)) -> tuple[Server, Response]:
    async def run() -> tuple[Server, Response]:
        async with serve(say(reply)) as server, Transport(LOOPBACK, SETTINGS) as transport:
            return server, await transport.fetch(server.url(path="/cert.pem"), max_bytes, allowed)

    return asyncio.run(run())


def test_fetch_gets_a_document() -> None:
    server, response = fetch(OK)
    assert (response.status, response.body, response.error) == (200, b"ok", "")
    assert server.requests[0].startswith(b"GET /cert.pem HTTP/1.1\r\n")


def test_fetch_returns_a_document_whole_or_not_at_all() -> None:
    _, response = fetch(b"HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n" + b"x" * 101)
    assert (response.error, response.body) == ("body_too_large", b"")
    assert response.detail == "the document is longer than 100 bytes"


@pytest.mark.parametrize(
    "url",
    [
        "https://sns.eu-west-1.amazonaws.com.attacker.example/a.pem",
        "https://attacker.example/sns.eu-west-1.amazonaws.com",
        "https://sns.a.b.amazonaws.com/a.pem",
        "https://sns.s3.amazonaws.com/a.pem",
        "https://s3.eu-west-1.amazonaws.com/a.pem",
        "https://sns.amazonaws.com/a.pem",
    ],
)
def test_fetch_goes_only_to_the_hosts_that_the_caller_names(url: str) -> None:
    async def run() -> tuple[Response, list[str]]:
        names = Names(["127.0.0.1"])
        async with Transport(LOOPBACK, SETTINGS, resolver=names) as transport:
            return await transport.fetch(url, 100, ["sns.eu-west-1.amazonaws.com"]), names.asked

    response, asked = asyncio.run(run())
    assert response.error == "address_refused"
    assert "is not one of the hosts" in response.detail
    assert asked == []


def test_fetch_is_guarded_like_everything_else() -> None:
    async def run() -> Response:
        names = Names(["169.254.169.254"])
        async with Transport(LOOPBACK, SETTINGS, resolver=names) as transport:
            return await transport.fetch(
                "https://sns.eu-west-1.amazonaws.com/a.pem", 100, ["sns.eu-west-1.amazonaws.com"]
            )

    response = asyncio.run(run())
    assert response.error == "address_refused"
    assert "169.254.169.254" in response.detail
