"""Through a forward proxy, and with a client certificate: real servers on loopback, and the guard before both."""

from __future__ import annotations

import asyncio
import base64
import ssl
from pathlib import Path

import pytest
from cryptography import x509

from hookline.core.addresses import AddressPolicy
from hookline.exceptions import AddressRefused, ConfigurationError
from hookline.transport.route import Route
from hookline.transport.transport import Response, Transport, TransportSettings
from tests.outgoing.proxy_server import ForwardProxy, proxy
from tests.outgoing.test_transport_tls import contexts_of, make_certificate
from tests.outgoing.transport_server import Names, Server, serve

LOOPBACK = AddressPolicy.parse(["127.0.0.0/8"])
SETTINGS = TransportSettings(deadline=5)


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Has the certificate of the server."""
    return make_certificate(tmp_path_factory.mktemp("server"), [x509.DNSName("hooks.example.com")])


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Has a client certificate."""
    return make_certificate(tmp_path_factory.mktemp("client"), [])


def pem_of(folder: Path) -> str:
    return (folder / "cert.pem").read_text() + (folder / "key.pem").read_text()


# ---- mutual TLS -----------------------------------------------------------------------------------------


def mutual(ours: Path, trusted: Path, *routes: Route | None) -> tuple[Server, list[Response]]:
    """What a server that wants a client certificate answers by each of these routes in turn."""
    server_side, client_side = contexts_of(ours)
    server_side.verify_mode = ssl.CERT_REQUIRED
    server_side.load_verify_locations(trusted / "cert.pem")

    async def run() -> tuple[Server, list[Response]]:
        names = Names(["127.0.0.1"])
        transport = Transport(LOOPBACK, SETTINGS, tls=client_side, resolver=names)
        async with serve(tls=server_side) as server, transport:
            url = server.url("hooks.example.com", scheme="https")
            return server, [await transport.send(url, {}, b"{}", route) for route in routes]

    return asyncio.run(run())


def test_a_server_that_wants_a_client_certificate_gets_that_of_the_route(ours: Path, theirs: Path) -> None:
    server, (response,) = mutual(ours, theirs, Route(client_certificate=pem_of(theirs)))
    assert (response.status, response.error) == (200, "")
    assert len(server.requests) == 1


def test_without_the_certificate_it_refuses_although_a_connection_with_it_is_open(ours: Path, theirs: Path) -> None:
    certified = Route(client_certificate=pem_of(theirs))
    server, responses = mutual(ours, theirs, certified, None, certified)
    assert [response.status for response in responses] == [200, None, 200]
    assert responses[1].error in ("tls_failed", "disconnected")
    assert len(server.requests) == 2


def test_another_certificate_than_the_server_trusts_is_refused(ours: Path, theirs: Path) -> None:
    server, (response,) = mutual(ours, theirs, Route(client_certificate=pem_of(ours)))
    assert response.error in ("tls_failed", "disconnected")
    assert server.requests == []


# ---- proxies --------------------------------------------------------------------------------------------


def through(
    policy: AddressPolicy = LOOPBACK,
    *,
    credentials: str = "",
    user: str = "",
    answer: bytes = b"",
    tls: Path | None = None,
    addresses: tuple[str, ...] = ("127.0.0.1",),
) -> tuple[Server, ForwardProxy, Response]:
    server_side, client_side = contexts_of(tls) if tls else (None, None)

    async def run() -> tuple[Server, ForwardProxy, Response]:
        async with serve(tls=server_side) as server, proxy(credentials, answer) as forward:
            names = Names(addresses)
            async with Transport(policy, SETTINGS, tls=client_side, resolver=names) as transport:
                url = server.url("hooks.example.com", scheme="https" if tls else "http")
                route = Route(proxy=forward.url.replace("://", f"://{user}"))
                return server, forward, await transport.send(url, {}, b"{}", route)

    return asyncio.run(run())


def test_a_request_goes_through_the_tunnel_of_a_proxy_to_the_address_that_was_judged() -> None:
    server, forward, response = through()
    assert (response.status, response.error) == (200, "")
    (asked,) = forward.asked
    assert asked.startswith(f"CONNECT 127.0.0.1:{server.port} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n")
    assert server.requests[0].startswith(b"POST /hook HTTP/1.1\r\nHost: hooks.example.com:")


def test_through_a_proxy_a_certificate_is_still_checked_against_the_name_in_the_url(ours: Path, theirs: Path) -> None:
    _, forward, response = through(tls=ours)
    assert (response.status, len(forward.asked)) == (200, 1)
    _, _, response = through(tls=theirs)  # which has no name
    assert response.error == "tls_failed"


def test_a_proxy_gets_its_user_and_password() -> None:
    credentials = f"Basic {base64.b64encode(b'shop:p@ss').decode()}"
    _, _, response = through(credentials=credentials, user="shop:p%40ss@")
    assert response.status == 200
    _, _, refused = through(credentials=credentials)
    assert refused.error == "proxy_failed"
    assert refused.detail.endswith("answered 407")


@pytest.mark.parametrize("answer", [b"HTTP/1.1 200 OK\r\n\r\nmore", b"SSH-2.0\r\n\r\n", b"HTTP/1.1 200 " + b"x" * 9000])
def test_a_proxy_that_answers_strangely_is_a_failure_of_the_proxy(answer: bytes) -> None:
    server, _, response = through(answer=answer)
    assert (response.error, server.requests) == ("proxy_failed", [])


def test_a_proxy_that_cannot_be_reached_is_a_failure_of_the_proxy() -> None:
    async def run() -> Response:
        async with Transport(LOOPBACK, SETTINGS, resolver=Names(["127.0.0.1"])) as transport:
            return await transport.send("http://hooks.example.com/", {}, b"{}", Route(proxy="http://127.0.0.1:1024"))

    response = asyncio.run(run())
    assert response.error == "proxy_failed"
    assert "127.0.0.1:1024" in response.detail


@pytest.mark.parametrize("address", ["10.0.0.1", "169.254.169.254", "::1", "::ffff:10.0.0.1"])
def test_the_guard_judges_the_target_before_the_proxy_is_asked(address: str) -> None:
    _, forward, response = through(addresses=(address,))
    assert (response.error, forward.asked) == ("address_refused", [])


def test_a_proxy_must_be_public_too_unless_the_operator_named_it() -> None:
    async def run(named: bool) -> tuple[ForwardProxy, Response]:
        async with serve(host="127.0.0.2") as server, proxy() as forward:
            # The target stands for a public address; the proxy's is private.
            policy = AddressPolicy.parse(["127.0.0.2/32"], proxies=[forward.url] if named else [])
            async with Transport(policy, SETTINGS, resolver=Names(["127.0.0.2"])) as transport:
                url = server.url("hooks.example.com")
                return forward, await transport.send(url, {}, b"{}", Route(proxy=forward.url))

    forward, response = asyncio.run(run(named=False))
    assert (response.error, forward.asked) == ("address_refused", [])
    assert "ALLOWED_PROXIES" in response.detail
    forward, response = asyncio.run(run(named=True))
    assert (response.status, len(forward.asked)) == (200, 1)


def test_a_proxy_is_judged_when_it_is_saved() -> None:
    with pytest.raises(AddressRefused, match="may not be connected to"):
        AddressPolicy.parse().check_proxy("http://10.0.0.1:3128")
    with pytest.raises(AddressRefused, match="port 6379"):
        AddressPolicy.parse().check_proxy("http://proxy.example.com:6379")
    assert (
        AddressPolicy.parse().check_proxy("http://u:p@proxy.example.com:3128").shown == "http://proxy.example.com:3128"
    )
    for text in ("https://proxy.example.com:3128", "proxy:3128", "http://proxy.example.com/x", "socks5://p:1"):
        with pytest.raises(ConfigurationError, match="proxy"):
            AddressPolicy.parse().check_proxy(text)
