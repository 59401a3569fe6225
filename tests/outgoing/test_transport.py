"""The transport against a real server on loopback that behaves well, badly and worse."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hookline import __version__
from hookline.core.addresses import AddressPolicy
from hookline.transport.transport import Response, Transport, TransportSettings
from tests.outgoing.transport_server import OK, Answer, Names, Server, say, serve

LOOPBACK = AddressPolicy.parse(["127.0.0.0/8", "::1/128"])
SETTINGS = TransportSettings(deadline=5)
IMPATIENT = TransportSettings(deadline=0.6)


def deliver(
    answer: Answer | None = None, *, times: int = 1, options: TransportSettings = SETTINGS, body: bytes = b"{}"
) -> tuple[Server, list[Response]]:
    async def run() -> tuple[Server, list[Response]]:
        async with serve(answer) as server, Transport(LOOPBACK, options) as transport:
            return server, [await transport.send(server.url(), {"X-Test": "1"}, body) for _ in range(times)]

    return asyncio.run(run())


def deliver_once(answer: Answer, options: TransportSettings = SETTINGS) -> Response:
    return deliver(answer, options=options)[1][0]


def answering(write: Callable[[asyncio.StreamWriter], Awaitable[None]]) -> Answer:
    """An answer that the test writes by hand; the connection closes after it."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        await write(writer)
        return False

    return answer


def test_the_request_carries_the_exact_bytes_and_no_surprises() -> None:
    server, [response] = deliver(body=b'{"a": 1}')
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert body == b'{"a": 1}'
    assert head.splitlines()[0] == b"POST /hook HTTP/1.1"
    assert sorted(line.lower() for line in head.splitlines()[1:]) == [
        b"accept-encoding: identity",
        b"accept: */*",
        b"content-length: 8",
        b"content-type: application/octet-stream",
        f"host: 127.0.0.1:{server.port}".encode(),
        f"user-agent: hookline/{__version__}".encode(),
        b"x-test: 1",
    ]
    assert (response.status, response.body, response.truncated, response.error) == (200, b"ok", False, "")
    assert response.header("content-length") == "2"


def test_a_header_that_the_caller_gives_is_not_sent_twice() -> None:
    async def run() -> bytes:
        headers = {"user-agent": "Shop/1", "ACCEPT": "text/plain", "Content-type": "text/x-test"}
        async with serve() as server, Transport(LOOPBACK, SETTINGS) as transport:
            await transport.send(server.url(), headers, b"")
            return server.requests[0]

    lines = [line.lower() for line in asyncio.run(run()).splitlines()]
    for name, value in [(b"user-agent", b"shop/1"), (b"accept", b"text/plain"), (b"content-type", b"text/x-test")]:
        assert [line for line in lines if line.startswith(name + b":")] == [name + b": " + value]


def test_path_and_query_arrive_as_they_were_written() -> None:
    async def run() -> bytes:
        async with serve() as server, Transport(LOOPBACK, SETTINGS) as transport:
            await transport.send(server.url(path="/a/../b//c%2Fd?q=%20+&r=ü"), {}, b"")
            return server.requests[0]

    assert asyncio.run(run()).startswith(b"POST /a/../b//c%2Fd?q=%20+&r=%C3%BC HTTP/1.1\r\n")


def test_a_connection_is_reused() -> None:
    server, responses = deliver(times=5)
    assert [response.status for response in responses] == [200] * 5
    assert server.connections == 1


def test_the_rest_of_a_long_body_is_drained_to_keep_the_connection() -> None:
    long = b"HTTP/1.1 500 Oops\r\nContent-Length: 20000\r\n\r\n" + b"x" * 20000
    server, responses = deliver(say(long), times=3)
    assert server.connections == 1
    assert {(len(response.body), response.truncated, response.error) for response in responses} == {(8192, True, "")}


def test_a_body_too_long_to_drain_costs_the_connection() -> None:
    longer = b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + b"x" * 200_000
    server, responses = deliver(say(longer), times=2)
    assert server.connections == 2
    assert {(r.status, r.truncated, r.error) for r in responses} == {(200, True, "")}


def test_a_body_of_exactly_the_limit_is_not_truncated() -> None:
    response = deliver_once(say(b"HTTP/1.1 200 OK\r\nContent-Length: 8192\r\n\r\n" + b"x" * 8192))
    assert (len(response.body), response.truncated) == (8192, False)


def test_an_endless_body_is_cut_off_and_its_connection_closed() -> None:
    async def flood(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()

    server, responses = deliver(answering(flood), times=2)
    assert server.connections == 2
    assert {(r.status, len(r.body), r.truncated, r.error) for r in responses} == {(200, 8192, True, "")}


def test_a_body_that_stalls_after_the_limit_does_not_make_the_response_a_failure() -> None:
    async def stall(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n" + b"x" * 9000)
        await asyncio.Event().wait()

    response = deliver_once(answering(stall), IMPATIENT)
    assert (response.status, len(response.body), response.truncated, response.error) == (200, 8192, True, "")


def test_a_compressed_bomb_stays_compressed() -> None:
    bomb = gzip.compress(b"\0" * 5_000_000)
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(bomb)}\r\n\r\n".encode()
    response = deliver_once(say(head + bomb))
    assert response.status == 200
    assert response.body == bomb[:8192]


def test_one_deadline_covers_a_body_that_drips() -> None:
    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while True:
            writer.write(b".")
            await writer.drain()
            await asyncio.sleep(0.01)

    response = deliver_once(answering(drip), IMPATIENT)
    assert (response.status, response.error) == (200, "timeout")
    assert response.detail == "the response was not complete within 0.6 seconds"
    assert response.body.startswith(b"..")
    assert response.truncated
    assert 550 <= response.duration_ms < 3000


def test_one_deadline_covers_headers_that_drip() -> None:
    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"X: y\r\n")
            await writer.drain()
            await asyncio.sleep(0.01)

    response = deliver_once(answering(drip), IMPATIENT)
    assert (response.status, response.error, response.detail) == (None, "timeout", "no response within 0.6 seconds")


@pytest.mark.parametrize(
    ("start", "endless"),
    [
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"),
        (b"", b"\r\n"),
        (b"HTTP/1.1 200 OK\r\nX: a", b"\r\n b"),  # RFC 9112 section 5.2
    ],
)
def test_a_head_that_never_ends_is_given_up(start: bytes, endless: bytes) -> None:
    async def repeat(writer: asyncio.StreamWriter) -> None:
        writer.write(start)
        while True:
            writer.write(endless * 1000)
            await writer.drain()
            await asyncio.sleep(0)

    response = deliver_once(answering(repeat))
    assert (response.status, response.body, response.error) == (None, b"", "headers_too_large")


def test_a_head_of_many_headers_is_too_large_even_when_it_comes_at_once() -> None:
    head = b"HTTP/1.1 200 OK\r\n" + b"X: %s\r\n" % (b"y" * 1000) * 50 + b"Content-Length: 0\r\n\r\n"
    assert deliver_once(say(head)).error == "headers_too_large"


def test_one_deadline_covers_the_look_up_of_the_name() -> None:
    class Silent(Names):
        async def resolve(self, host: str) -> list[str]:
            await asyncio.Event().wait()
            return []

    async def run() -> Response:
        async with Transport(LOOPBACK, IMPATIENT, resolver=Silent()) as transport:
            return await transport.send("https://hooks.example.com/", {}, b"")

    assert asyncio.run(run()).error == "timeout"


@pytest.mark.parametrize("endless", [b"X: y\r\n", b"X: y\r\n z\r\n", b"X: " + b"y" * 100, b"1;extension"])
def test_what_comes_behind_a_body_is_bounded_too(endless: bytes) -> None:
    async def flood(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n")
        if not endless.startswith(b"1"):
            writer.write(b"0\r\n")
        writer.write(endless)
        while True:
            writer.write(endless.removeprefix(b"1") if b"\n" in endless else b"y" * 1000)
            await writer.drain()
            await asyncio.sleep(0)

    response = deliver_once(answering(flood))
    assert (response.status, response.body, response.error) == (200, b"ok", "headers_too_large")
    assert response.duration_ms < 4000


@pytest.mark.parametrize(
    ("reply", "status", "error"),
    [
        (b"", None, "disconnected"),
        (b"HTTP/1.1 200 OK\r\nX: y\r\n", None, "disconnected"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort", 200, "disconnected"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort", 200, "disconnected"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", None, "bad_response"),
        (b"\x16\x03\x01\x02\x00", None, "bad_response"),
        (b"HTTP/1.1 2OO OK\r\n\r\n", None, "bad_response"),
        (b"HTTP/1.1 050 OK\r\nContent-Length: 2\r\n\r\nok", None, "bad_response"),
        (b"HTTP/1.1 000 OK\r\nContent-Length: 2\r\n\r\nok" + OK, None, "bad_response"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: ten\r\n\r\n", None, "bad_response"),
        (b"HTTP/1.1 200 " + b"x" * 10_000 + b"\r\n\r\n", None, "headers_too_large"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 10_000 + b"\r\n\r\n", None, "headers_too_large"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 10_000, None, "headers_too_large"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000 + b"\r\n", None, "headers_too_large"),
    ],
)
def test_a_broken_response_has_a_name(reply: bytes, status: int | None, error: str) -> None:
    response = deliver_once(say(reply, stay=False))
    assert (response.status, response.error) == (status, error), response.detail
    assert response.detail
    assert response.body == b"" or response.status is not None


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 2\r\nContent-Length: 2\r\n\r\nok",
        b"Content-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    ],
)
def test_a_length_that_is_said_twice_is_no_failure_and_the_connection_is_not_used_again(head: bytes) -> None:
    server, responses = deliver(say(b"HTTP/1.1 200 OK\r\n" + head), times=2)
    assert [(response.status, response.error) for response in responses] == [(200, "")] * 2
    assert server.connections == 2


def test_a_name_without_an_address_and_a_port_without_a_server_have_names() -> None:
    async def run() -> list[Response]:
        async with serve() as server:
            port = server.port  # free again below
        async with Transport(LOOPBACK, SETTINGS, resolver=Names([])) as transport:
            return [
                await transport.send("https://hooks.example.com/", {}, b""),
                await transport.send(f"http://127.0.0.1:{port}/", {}, b""),
            ]

    lost, closed = asyncio.run(run())
    assert (lost.error, lost.detail) == ("dns_failed", "hooks.example.com: Name or service not known")
    assert closed.error == "connect_failed"
    assert closed.detail.startswith("127.0.0.1: ")


@pytest.mark.parametrize("name", ["X-Custom", "Authorization"])
@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\n\nGET / HTTP/1.1", "a\rb", "a\0b", "\u560d\u560aX-Evil: 1"])
def test_a_header_cannot_smuggle_another_one(name: str, value: str) -> None:
    async def run() -> tuple[Server, Response]:
        async with serve() as server, Transport(LOOPBACK, SETTINGS) as transport:
            return server, await transport.send(server.url(), {name: value}, b"{}")

    server, response = asyncio.run(run())
    assert (response.error, server.connections) == ("invalid_request", 0)


def test_a_url_that_cannot_be_sent_to_is_a_response_and_not_an_exception() -> None:
    async def run() -> Response:
        async with Transport(LOOPBACK, SETTINGS) as transport:
            return await transport.send("not a url", {}, b"")

    response = asyncio.run(run())
    assert response.error == "address_refused"
    assert "a space" in response.detail


def test_cookies_are_not_kept() -> None:
    reply = b"HTTP/1.1 200 OK\r\nSet-Cookie: session=made-up\r\nContent-Length: 0\r\n\r\n"
    server, _ = deliver(say(reply), times=2)
    assert not any(b"cookie" in request.lower() for request in server.requests)


def test_response_headers_keep_every_value_and_lose_control_characters() -> None:
    response = deliver_once(say(b"HTTP/1.1 200 OK\r\nX-A: 1\r\nx-a: caf\xe9\t\r\nContent-Length: 0\r\n\r\n"))
    assert response.headers["x-a"] == ("1", "café")


def test_a_folded_header_is_one_value() -> None:  # RFC 9112 section 5.2: a fold is replaced by spaces
    response = deliver_once(say(b"HTTP/1.1 200 OK\r\nX-A: 1,\r\n  2\r\nX-B: 3\r\nContent-Length: 0\r\n\r\n"))
    assert (response.header("x-a"), response.header("x-b")) == ("1,  2", "3")


def test_a_body_above_a_megabyte_is_sent_whole() -> None:
    body = b"x" * 3_000_000
    server, [response] = deliver(body=body)
    assert response.status == 200
    assert server.requests[0].endswith(b"\r\n\r\n" + body)


def test_no_more_requests_are_under_way_than_there_are_places() -> None:
    async def run() -> tuple[Server, list[Response]]:
        options = TransportSettings(deadline=5, concurrency=2)
        async with serve() as server, Transport(LOOPBACK, options) as transport:
            return server, await asyncio.gather(*(transport.send(server.url(), {}, b"") for _ in range(10)))

    server, responses = asyncio.run(run())
    assert [response.status for response in responses] == [200] * 10
    assert server.connections == 2


def test_waiting_for_a_place_is_not_held_against_the_endpoint() -> None:
    async def run() -> list[Response]:
        async def hang_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
            if server.connections == 1:
                await asyncio.Event().wait()
            writer.write(OK)
            return True

        async with serve(hang_once) as server, Transport(LOOPBACK, replace(IMPATIENT, concurrency=1)) as transport:
            return await asyncio.gather(*(transport.send(server.url(), {}, b"") for _ in range(2)))

    first, second = asyncio.run(run())
    assert (first.error, second.error) == ("timeout", "")
    assert second.duration_ms < 600


def test_stopping_the_worker_cancels_a_request() -> None:
    async def run() -> None:
        asked = asyncio.Event()

        async def hang(writer: asyncio.StreamWriter) -> None:
            asked.set()
            await asyncio.Event().wait()

        async with serve(answering(hang)) as server, Transport(LOOPBACK, SETTINGS) as transport:
            task = asyncio.create_task(transport.send(server.url(), {}, b""))
            await asked.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(run())


def test_no_bytes_that_a_server_may_send_make_the_transport_raise() -> None:
    heads = [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"HTTP/1.1 301 "]
    reply = b""

    async def write(writer: asyncio.StreamWriter) -> None:
        writer.write(reply)
        await writer.drain()

    async def send() -> Response:
        async with serve(answering(write)) as server, Transport(LOOPBACK, SETTINGS) as transport:
            return await transport.send(server.url(), {}, b"{}")

    @settings(max_examples=60, deadline=None)
    @given(st.sampled_from(heads), st.binary(max_size=200))
    def check(head: bytes, rest: bytes) -> None:
        nonlocal reply
        reply = head + rest
        response = asyncio.run(send())
        assert response.status is not None or response.error

    check()
