"""Server-side request forgery, row by row, through the real transport and real sockets.

Nothing may reach a server on loopback, which stands for everything inside. A refusal counts only if the same attack
works without the guard, so each kind is also shown to reach the server when the guard is taken away.
"""

# Lookalike characters are what these tests are about.
# ruff: noqa: RUF001

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from typing import Any

import pytest

from hookline.core.addresses import AddressPolicy
from hookline.core.url import Url
from hookline.transport.transport import Response, Transport, TransportSettings
from tests.outgoing.transport_server import OK, Names, Server, say, serve

SETTINGS = TransportSettings(deadline=5)
LOOPBACK = AddressPolicy.parse(["127.0.0.0/8", "::1/128"])
#: Nothing inside is allowed. Plain http is, so that no row is refused for the wrong reason.
PUBLIC_ONLY = AddressPolicy.parse(allow_http=True)


class GuardOnly(AddressPolicy):
    """Lets every URL pass, so that the check of the connection is on its own."""

    def check_url(self, text: str) -> Url:
        host, _, port = text.removeprefix("http://").partition("/")[0].rpartition(":")
        return Url("http", host.strip("[]"), int(port), "/")


class NoGuard(GuardOnly):
    """The control: no protection at all."""

    def check_address(self, address: str, *, plain_http: bool = False) -> None:
        pass


def attack(policy: AddressPolicy, url: str, names: Names | None = None) -> tuple[Server, Response]:
    """Send to the URL, whose `{port}` is that of a server on 127.0.0.1 and ::1. Returns what reached it."""

    async def run() -> tuple[Server, Response]:
        async with serve() as server, serve(host="::1", port=server.port) as server6:
            async with Transport(policy, SETTINGS, resolver=names) as transport:
                response = await transport.send(url.format(port=server.port), {}, b"{}")
            server.connections += server6.connections
            return server, response

    return asyncio.run(run())


def assert_refused(policy: AddressPolicy, url: str, names: Names | None = None) -> None:
    server, response = attack(policy, url, names)
    assert (response.error, response.status) == ("address_refused", None), response.detail
    assert response.detail
    assert server.connections == 0


LITERALS = ["127.0.0.1", "0.0.0.0", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]"]

UNREACHABLE_LITERALS = [
    "127.8.8.8", "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "100.100.100.200", "169.254.169.254",
    "168.63.129.16",
    "192.0.0.192", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "240.0.0.1",
    "255.255.255.255", "[::127.0.0.1]", "[::ffff:0:127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b:1::7f00:1]",
    "[2002:7f00:1::]", "[2001:0:7f00:1::]", "[2001:0:808:808::80ff:fffe]", "[2606:4700::5efe:7f00:1]",
    "[2606:4700::200:5efe:a9fe:a9fe]", "[2001:db8::1]", "[3fff::1]", "[5f00::1]", "[100::1]", "[fc00::1]",
    "[fd00:ec2::254]", "[fe80::1]", "[fec0::1]", "[ff02::1]",
]  # fmt: skip

SPELLINGS = [
    "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "127.1", "0", "017700000001", "127.0.0.1.", "①②⑦.⓪.⓪.①",
    "127。0。0。1", "１２７.0.0.1", "ⓛocalhost", "localhost", "localhost.", "a.localhost", "%31%32%37.0.0.1",
    "good.example@127.0.0.1", "user:pw@127.0.0.1", "127.0.0.1\\@good.example", "127.0.0.1%2f@good.example",
    "127.0.0.1\t", "\r\n127.0.0.1", "[::1%lo]", "[::1%25lo]",
]  # fmt: skip


@pytest.mark.parametrize("host", LITERALS + UNREACHABLE_LITERALS + SPELLINGS)
def test_no_spelling_of_an_inside_address_is_connected_to(host: str) -> None:
    assert_refused(PUBLIC_ONLY, f"http://{host}:{{port}}/")


@pytest.mark.parametrize("host", LITERALS + UNREACHABLE_LITERALS)
def test_the_guard_alone_stops_every_literal(host: str) -> None:
    assert_refused(GuardOnly(), f"http://{host}:{{port}}/")


@pytest.mark.parametrize("host", LITERALS)
def test_the_control_without_the_guard_these_literals_reach_the_server(host: str) -> None:
    server, response = attack(NoGuard(), f"http://{host}:{{port}}/")
    assert (server.connections, response.status) == (1, 200)


INSIDE_ANSWERS = [
    ["127.0.0.1"],
    ["::1"],
    ["::ffff:127.0.0.1"],
    ["127.0.0.1", "::1"],  # several addresses are raced (RFC 8305); each connection of the race is guarded
    ["::1", "127.0.0.1", "::ffff:127.0.0.1"],
    ["10.255.255.1", "127.0.0.1"],
]


@pytest.mark.parametrize("answer", INSIDE_ANSWERS)
def test_a_name_that_resolves_to_inside_addresses_is_not_connected_to(answer: Sequence[str]) -> None:
    names = Names(answer)
    assert_refused(PUBLIC_ONLY, "http://hooks.example.com:{port}/", names)
    assert names.asked == ["hooks.example.com"]


@pytest.mark.parametrize("answer", INSIDE_ANSWERS[:-1])
def test_the_control_without_the_guard_these_names_reach_the_server(answer: Sequence[str]) -> None:
    server, response = attack(NoGuard(), "http://hooks.example.com:{port}/", Names(answer))
    assert server.connections >= 1
    assert response.status == 200


def test_the_systems_resolver_is_guarded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve = socket.getaddrinfo

    def answer(host: Any, *args: Any, **kwargs: Any) -> Any:
        return resolve("127.0.0.1" if host == "hooks.example.com" else host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    assert_refused(PUBLIC_ONLY, "http://hooks.example.com:{port}/")
    server, response = attack(LOOPBACK, "http://hooks.example.com:{port}/")
    assert (server.connections, response.status) == (1, 200)


def test_of_several_addresses_only_the_allowed_one_is_connected_to() -> None:
    policy = AddressPolicy.parse(["127.0.0.2/32"])  # stands for a public address

    async def run() -> tuple[int, int, Response]:
        async with serve(host="127.0.0.2") as outside, serve(port=outside.port) as inside:
            names = Names(["127.0.0.1", "127.0.0.2", "::1"])
            async with Transport(policy, SETTINGS, resolver=names) as transport:
                response = await transport.send(outside.url("hooks.example.com"), {}, b"{}")
            return outside.connections, inside.connections, response

    outside, inside, response = asyncio.run(run())
    assert (outside, inside, response.status) == (1, 0, 200)


@pytest.mark.parametrize(("scheme", "error"), [("http", "connect_failed"), ("https", "tls_failed")])
def test_of_several_addresses_the_failure_of_the_allowed_one_is_what_counts(scheme: str, error: str) -> None:
    policy = AddressPolicy.parse(["127.0.0.2/32"])

    async def run() -> Response:
        async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(OK)
            writer.close()

        server = await asyncio.start_server(hang_up, "127.0.0.2", 0)
        port = server.sockets[0].getsockname()[1]
        if scheme == "http":
            server.close()  # nobody listens there any more
        async with server, Transport(policy, SETTINGS, resolver=Names(["10.0.0.1", "127.0.0.2", "::1"])) as transport:
            return await transport.send(f"{scheme}://hooks.example.com:{port}/", {}, b"{}")

    response = asyncio.run(run())
    assert (response.status, response.error) == (None, error), response.detail


def test_a_name_that_changes_its_answer_is_not_followed_inside() -> None:
    policy = AddressPolicy.parse(["127.0.0.2/32"])

    async def run() -> tuple[int, int, list[Response], list[str]]:
        names = Names(["127.0.0.2"], ["127.0.0.1"])
        async with serve(host="127.0.0.2") as outside, serve(port=outside.port) as inside:
            responses = []
            for _ in range(2):  # a new transport: no connection to reuse and no remembered answer
                async with Transport(policy, SETTINGS, resolver=names) as transport:
                    responses.append(await transport.send(outside.url("hooks.example.com"), {}, b"{}"))
            return outside.connections, inside.connections, responses, names.asked

    outside, inside, responses, asked = asyncio.run(run())
    assert [response.status for response in responses] == [200, None]
    assert responses[1].error == "address_refused"
    assert (outside, inside, asked) == (1, 0, ["hooks.example.com"] * 2)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_inside_is_reported_and_not_followed(status: int) -> None:
    async def run() -> tuple[Server, Response]:
        async with serve() as inside:
            reply = f"HTTP/1.1 {status} Moved\r\nLocation: {inside.url()}\r\nContent-Length: 0\r\n\r\n".encode()
            async with serve(say(reply)) as outside, Transport(LOOPBACK, SETTINGS) as transport:
                return inside, await transport.send(outside.url(), {}, b"{}")

    inside, response = asyncio.run(run())
    assert (response.status, response.error, inside.connections) == (status, "", 0)


def test_a_proxy_in_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> tuple[Server, Server, Response]:
        async with serve() as proxy, serve() as consumer:
            for name in ("http_proxy", "https_proxy", "all_proxy"):
                monkeypatch.setenv(name, proxy.url(path=""))
                monkeypatch.setenv(name.upper(), proxy.url(path=""))
            monkeypatch.delenv("no_proxy", raising=False)
            monkeypatch.delenv("NO_PROXY", raising=False)
            async with Transport(LOOPBACK, SETTINGS) as transport:
                return proxy, consumer, await transport.send(consumer.url(), {}, b"{}")

    proxy, consumer, response = asyncio.run(run())
    assert (proxy.connections, consumer.connections, response.status) == (0, 1, 200)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]"])
def test_an_allowed_subnet_makes_delivery_work(host: str) -> None:
    server, response = attack(LOOPBACK, f"http://{host}:{{port}}/")
    assert (server.connections, response.status, response.error) == (1, 200, "")


def test_plain_http_to_a_public_address_is_stopped_at_the_connection() -> None:
    server, response = attack(LOOPBACK, "http://hooks.example.com:{port}/", Names(["8.8.8.8"]))
    assert (response.error, response.detail) == ("address_refused", "8.8.8.8: plain http is not allowed; use https")
    assert server.connections == 0
