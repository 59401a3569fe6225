"""Which connections carry a second request: those on which nothing can be taken for the answer to it that is not."""

from __future__ import annotations

import asyncio
import socket

import pytest

from hookline.core.addresses import AddressPolicy
from hookline.transport.transport import Response, Transport, TransportSettings
from tests.outgoing.transport_server import OK, Answer, Names, Server, say, serve

LOOPBACK = AddressPolicy.parse(["127.0.0.0/8", "::1/128"])
SETTINGS = TransportSettings(deadline=5)


def send_twice(answer: Answer, body: bytes = b"{}") -> tuple[Server, list[Response]]:
    async def run() -> tuple[Server, list[Response]]:
        async with serve(answer) as server, Transport(LOOPBACK, SETTINGS) as transport:
            return server, [await transport.send(server.url(), {}, body) for _ in range(2)]

    return asyncio.run(run())


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK,
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok",
    ],
)
def test_a_response_that_says_where_it_ends_keeps_the_connection(reply: bytes) -> None:
    server, responses = send_twice(say(reply))
    assert {response.error for response in responses} == {""}
    assert {response.status for response in responses} <= {200, 204, 304}
    assert server.connections == 1


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    ],
)
def test_a_server_that_wants_to_close_is_not_sent_another_request(reply: bytes) -> None:
    server, responses = send_twice(say(reply))
    assert [(response.status, response.body) for response in responses] == [(200, b"ok")] * 2
    assert server.connections == 2


def test_a_body_without_a_length_ends_where_the_connection_does() -> None:
    server, responses = send_twice(say(b"HTTP/1.1 200 OK\r\n\r\nto the end", stay=False))
    assert [(r.status, r.body, r.truncated, r.error) for r in responses] == [(200, b"to the end", False, "")] * 2
    assert server.connections == 2


def test_a_second_answer_is_not_taken_for_that_to_the_next_request() -> None:
    forged = b"HTTP/1.1 201 Forged\r\nContent-Length: 0\r\n\r\n"
    server, responses = send_twice(say(OK + forged))
    assert [response.status for response in responses] == [200, 200]
    assert server.connections == 2


def test_what_a_server_says_unasked_is_not_taken_for_an_answer() -> None:
    async def run() -> tuple[Server, list[Response]]:
        said = asyncio.Event()

        async def chatter(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
            writer.write(OK)
            await writer.drain()
            if server.connections == 1:
                await asked.wait()
                writer.write(b"HTTP/1.1 201 Forged\r\nContent-Length: 0\r\n\r\n")
                await writer.drain()
                said.set()
                assert await reader.read() == b""  # the connection is given up
                gone.set()
            return True

        asked, gone = asyncio.Event(), asyncio.Event()
        async with serve(chatter) as server, Transport(LOOPBACK, SETTINGS) as transport:
            first = await transport.send(server.url(), {}, b"")
            asked.set()
            await said.wait()
            await gone.wait()
            return server, [first, await transport.send(server.url(), {}, b"")]

    server, responses = asyncio.run(run())
    assert [response.status for response in responses] == [200, 200]
    assert server.connections == 2


@pytest.mark.parametrize("more", [b"HTTP/1.1 201 Forged\r\nContent-Length: 0\r\n\r\n", b""])
def test_what_a_server_has_just_said_or_done_is_seen_before_the_connection_is_used(more: bytes) -> None:
    async def run() -> tuple[Server, list[Response]]:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
            writers.append(writer)
            writer.write(OK)
            return True

        writers: list[asyncio.StreamWriter] = []
        async with serve(answer) as server, Transport(LOOPBACK, SETTINGS) as transport:
            first = await transport.send(server.url(), {}, b"")
            # From here to the next request the event loop gets no turn in which it could read this.
            wire = writers[0].get_extra_info("socket").dup()
            with wire:
                wire.sendall(more) if more else wire.shutdown(socket.SHUT_WR)
            return server, [first, await transport.send(server.url(), {}, b"")]

    server, responses = asyncio.run(run())
    assert [(response.status, response.error) for response in responses] == [(200, "")] * 2
    assert server.connections == 2


def test_a_connection_that_the_server_closed_meanwhile_is_not_used() -> None:
    async def run() -> tuple[Server, list[Response]]:
        closed = asyncio.Event()

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
            writer.write(OK)
            await writer.drain()
            asyncio.get_running_loop().call_later(0.05, closed.set)
            return False

        async with serve(answer) as server, Transport(LOOPBACK, SETTINGS) as transport:
            first = await transport.send(server.url(), {}, b"")
            await closed.wait()
            return server, [first, await transport.send(server.url(), {}, b"")]

    server, responses = asyncio.run(run())
    assert [(response.status, response.error) for response in responses] == [(200, "")] * 2
    assert server.connections == 2


def test_an_answer_that_comes_before_the_request_was_sent_counts_and_costs_the_connection() -> None:
    async def run() -> Response:
        async def answer_at_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
                await writer.drain()
                await ended.wait()
            finally:
                writer.close()

        ended = asyncio.Event()
        server = await asyncio.start_server(answer_at_once, "127.0.0.1", 0, limit=1024)
        async with server, Transport(LOOPBACK, SETTINGS) as transport:
            port = server.sockets[0].getsockname()[1]
            response = await transport.send(f"http://127.0.0.1:{port}/", {}, b"x" * 20_000_000)
            assert transport.idle == 0
            ended.set()
            return response

    response = asyncio.run(run())
    assert (response.status, response.error) == (413, "")


@pytest.mark.parametrize(
    ("reply", "status", "error"),
    [(b"", None, "disconnected"), (b"HTTP/1.1 413 Too Large\r\n\r\nno thanks", 413, "")],
)
def test_a_server_that_says_no_more_while_the_request_is_sent_is_not_waited_for(
    reply: bytes, status: int | None, error: str
) -> None:
    async def run() -> Response:
        async def stop_at_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(reply)
                writer.write_eof()
                await ended.wait()
            finally:
                writer.close()

        ended = asyncio.Event()
        server = await asyncio.start_server(stop_at_once, "127.0.0.1", 0, limit=1024)
        async with server, Transport(LOOPBACK, SETTINGS) as transport:
            port = server.sockets[0].getsockname()[1]
            response = await transport.send(f"http://127.0.0.1:{port}/", {}, b"x" * 20_000_000)
            ended.set()
            return response

    response = asyncio.run(run())
    assert (response.status, response.error) == (status, error)
    assert response.body == reply.partition(b"\r\n\r\n")[2]


def test_a_server_that_wants_another_protocol_is_not_followed() -> None:
    server, responses = send_twice(
        say(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n")
    )
    assert {(response.status, response.error) for response in responses} == {(None, "bad_response")}
    assert server.connections == 2


def test_an_idle_connection_is_closed_after_a_while() -> None:
    async def run() -> Server:
        closed = asyncio.Event()

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
            writer.write(OK)
            await writer.drain()
            assert await reader.read() == b""
            closed.set()
            return False

        settings = TransportSettings(deadline=5, keep_alive=0.05)
        async with serve(answer) as server, Transport(LOOPBACK, settings) as transport:
            await transport.send(server.url(), {}, b"")
            assert transport.idle == 1
            await closed.wait()
            assert transport.idle == 0
            return server

    assert asyncio.run(run()).connections == 1


def test_only_so_many_connections_are_idle_and_those_used_last_stay() -> None:
    async def run() -> tuple[int, int, int]:
        settings = TransportSettings(deadline=5, idle_connections=3)
        async with serve() as server, Transport(LOOPBACK, settings, resolver=Names(["127.0.0.1"])) as transport:
            urls = [server.url(f"{name}.example.com") for name in "abcde"]
            for url in urls:
                assert (await transport.send(url, {}, b"")).status == 200
            idle = transport.idle
            for url in reversed(urls[2:]):
                await transport.send(url, {}, b"")
            kept = server.connections
            await transport.send(urls[0], {}, b"")
            return idle, kept, server.connections

    assert asyncio.run(run()) == (3, 5, 6)


def test_what_a_burst_has_opened_is_closed_though_requests_go_on() -> None:
    async def run() -> Server:
        settings = TransportSettings(deadline=5, keep_alive=0.2)
        async with serve() as server, Transport(LOOPBACK, settings) as transport:
            await asyncio.gather(*(transport.send(server.url(), {}, b"") for _ in range(10)))
            assert transport.idle == 10

            async def send_until_one_is_left() -> None:
                while transport.idle > 1:  # if they took turns, each would be used every 0.1 seconds
                    await asyncio.sleep(0.01)
                    await transport.send(server.url(), {}, b"")

            async with asyncio.timeout(10):
                await send_until_one_is_left()
            return server

    assert asyncio.run(run()).connections == 10


def test_connections_are_not_shared_between_hosts_or_schemes() -> None:
    async def run() -> Server:
        names = Names(["127.0.0.1"])
        async with serve() as server, Transport(LOOPBACK, SETTINGS, resolver=names) as transport:
            for host in ("a.example.com", "b.example.com", "127.0.0.1"):
                assert (await transport.send(server.url(host), {}, b"")).status == 200
            return server

    server = asyncio.run(run())
    assert server.connections == 3
    hosts = [request.split(b"Host: ")[1].split(b":")[0] for request in server.requests]
    assert hosts == [b"a.example.com", b"b.example.com", b"127.0.0.1"]


def test_a_request_that_is_under_way_when_the_transport_is_closed_ends_well_and_leaves_no_connection() -> None:
    async def run() -> tuple[Server, Response]:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
            asked.set()
            await closed.wait()
            writer.write(OK)
            await writer.drain()
            assert await reader.read() == b""
            gone.set()
            return False

        asked, closed, gone = asyncio.Event(), asyncio.Event(), asyncio.Event()
        async with serve(answer) as server:
            transport = Transport(LOOPBACK, SETTINGS)
            task = asyncio.create_task(transport.send(server.url(), {}, b""))
            await asked.wait()
            await transport.close()
            closed.set()
            response = await task
            await gone.wait()
            assert transport.idle == 0
            return server, response

    server, response = asyncio.run(run())
    assert (response.status, response.error) == (200, "")
    assert server.connections == 1


def test_a_hundred_requests_at_once_share_what_connections_there_are() -> None:
    async def run() -> tuple[Server, int]:
        async with serve() as server, Transport(LOOPBACK, SETTINGS) as transport:
            for _ in range(3):
                sent = await asyncio.gather(*(transport.send(server.url(), {}, b"") for _ in range(100)))
                assert {response.status for response in sent} == {200}
            return server, transport.idle

    server, idle = asyncio.run(run())
    assert len(server.requests) == 300
    assert server.connections == idle <= 100
