"""What the standalone server takes from whom it does not know: times, sizes and connections have limits."""

from __future__ import annotations

import contextlib
import gzip
import resource
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import override_settings

from hookline.incoming.models import Event, Rejection
from hookline.incoming.receive import asgi
from hookline.runtime import http_protocol
from hookline.runtime.http_limits import most_connections
from tests.edges.senders import SECRET, Request, stripe, stripe_event
from tests.edges.servers import Answer, Edge, asgi_server
from tests.edges.test_edges import accepted, raw_request, refused
from tests.edges.test_http import answers, kept_alive
from tests.engine.rows import make_source
from tests.waiting import wait_until

GOOD = stripe_event("evt_1")
HEALTH = b"GET /admin/login/ HTTP/1.1\r\nHost: localhost\r\n"

Serve = Callable[..., Edge]


@pytest.fixture
def serve(transactional_db: None) -> Iterator[Serve]:
    """Starts a server with these settings."""
    from django.conf import settings

    with contextlib.ExitStack() as stack:

        def start(**more: Any) -> Edge:
            stack.enter_context(override_settings(HOOKLINE={**settings.HOOKLINE, **more}))
            return stack.enter_context(asgi_server())

        yield start


def connect(edge: Edge, text: bytes = b"") -> socket.socket:
    client = socket.create_connection(("127.0.0.1", edge.port), timeout=30)
    client.sendall(text)
    return client


def everything(client: socket.socket) -> bytes:
    """All that the server sends until it closes the connection."""
    with client:
        found = b""
        with contextlib.suppress(ConnectionError):
            while piece := client.recv(65536):
                found += piece
        return found


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ")[1]) if answer else 0


def test_a_long_url_is_served_and_not_remembered(serve: Serve) -> None:
    edge, source = serve(), make_source("stripe", SECRET)
    caches = http_protocol._parts_of, asgi._quoted
    accepted(edge.post_raw(raw_request(source.path, stripe(GOOD))))
    before = [cache.cache_info().currsize for cache in caches]
    assert min(before) > 0
    accepted(edge.post_raw(raw_request(f"{source.path}?{'q' * 600}", stripe(stripe_event("evt_2")))))
    refused(edge.post_raw(raw_request(f"/in/{'t' * 600}", stripe(GOOD))), 404, "unknown_source")
    assert [cache.cache_info().currsize for cache in caches] == before


# ---- times -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/in/unknown", "/healthz", "/nowhere"])
def test_headers_that_do_not_end_are_answered_408(serve: Serve, path: str) -> None:
    edge = serve(HTTP_HEADER_TIMEOUT=0.3)
    answer = everything(connect(edge, f"POST {path} HTTP/1.1\r\nHost: loc".encode()))
    assert status_of(answer) == 408
    assert b"connection: close" in answer
    assert answer.endswith(b'{"error":{"code":"request_timeout"}}')


def test_headers_that_drip_are_answered_408_all_the_same(serve: Serve) -> None:
    edge = serve(HTTP_HEADER_TIMEOUT=0.5)
    client = connect(edge, b"GET /healthz HTTP/1.1\r\n")
    client.settimeout(0.05)
    began, answer = time.monotonic(), b""
    with client, contextlib.suppress(ConnectionError):
        while time.monotonic() < began + 20:
            client.sendall(b"X: 1\r\n")
            try:
                answer += (piece := client.recv(65536))
            except TimeoutError:
                continue
            if not piece:
                break
    assert status_of(answer) == 408


def test_a_connection_on_which_nothing_comes_is_closed(serve: Serve) -> None:
    assert everything(connect(serve(HTTP_HEADER_TIMEOUT=0.3))) == b""


@pytest.mark.parametrize("path", ["source", "/in/unknown", "/nowhere"])
def test_a_body_that_does_not_come_is_answered_408(serve: Serve, path: str) -> None:
    edge = serve(HTTP_BODY_TIMEOUT=0.3)
    path = make_source("stripe", SECRET).path if path == "source" else path
    answer = everything(connect(edge, kept_alive(path, Request(b"x"), length=1000)))
    assert status_of(answer) == 408
    assert b"connection: close" in answer
    assert edge.post("/in/unknown", stripe(GOOD)).status == 404


def test_a_connection_may_wait_for_its_next_request_and_not_for_ever(serve: Serve) -> None:
    edge = serve(HTTP_KEEP_ALIVE=0.5)
    client = connect(edge, kept_alive("/in/unknown", Request(b"")))
    assert status_of(client.recv(65536)) == 404
    assert everything(client) == b""


# ---- sizes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/healthz", "/admin/login/", "/nowhere"])
def test_a_body_is_limited_on_every_path(serve: Serve, path: str) -> None:
    edge = serve(HTTP_MAX_BODY_BYTES=10_000)
    announced = answers(edge, kept_alive(path, Request(b"x" * 10_001)))
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    in_chunks = answers(edge, head + b"3e8\r\n%b\r\n" % (b"x" * 1000) * 11 + b"0\r\n\r\n")
    for found in (announced, in_chunks):
        (answer,) = found
        refused(answer, 413, "too_large")
        assert answer.headers["connection"] == "close"
    assert edge.post(path, Request(b"x" * 10_000)).status != 413


def test_the_limit_of_other_paths_is_not_that_of_sources(serve: Serve) -> None:
    edge = serve(HTTP_MAX_BODY_BYTES=100)
    source = make_source("stripe", SECRET)
    accepted(edge.post(source.path, stripe(stripe_event("evt_1", data="x" * 1000))))


@pytest.mark.parametrize("path", ["/in/unknown", "/healthz"])
@pytest.mark.parametrize("extra", [b"X: 1\r\n" * 101, b"X: %b" % (b"x" * 33_000), b"X: %b" % (b"x" * 600_000)])
def test_a_header_section_that_is_too_large_is_431_even_before_it_ends(serve: Serve, path: str, extra: bytes) -> None:
    edge = serve()
    answer = everything(connect(edge, f"POST {path} HTTP/1.1\r\nHost: localhost\r\n".encode() + extra))
    assert status_of(answer) == 431
    assert b"connection: close" in answer
    assert Rejection.objects.count() == 0


def test_a_header_section_counts_as_a_whole_wherever_its_pieces_come(serve: Serve) -> None:
    edge = serve()
    begun = HEALTH + b"\r\n" + HEALTH + b"X: " + b"x" * 20_000
    with connect(edge, begun) as client:
        assert client.recv(65536).startswith(b"HTTP/1.1 ")  # of the first, so the pieces come apart
        client.sendall(b"\r\nY: " + b"x" * 20_000 + b"\r\n\r\n")
        assert b"HTTP/1.1 431 " in everything(client)


def test_what_comes_with_a_head_does_not_count_with_it(serve: Serve) -> None:
    source = make_source("stripe", SECRET)
    long = kept_alive(source.path, Request(b"x" * 40_000))
    assert [answer.status for answer in answers(serve(), long + long)] == [401, 401]


def test_trailers_without_end_are_refused(serve: Serve) -> None:
    edge = serve()
    head = b"POST /nowhere HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
    assert status_of(everything(connect(edge, head + b"X: 1\r\n" * 200))) == 431


def test_bodies_under_way_have_a_budget_and_what_exceeds_it_is_503(serve: Serve) -> None:
    edge = serve(HTTP_MAX_BODIES_BYTES=1_000_000)
    source = make_source("stripe", SECRET)

    def post() -> Answer:
        return edge.post(source.path, stripe(stripe_event("evt_1", data="x" * 200_000)))

    def post_beside_a_slow_one() -> Answer | None:
        with connect(edge, kept_alive(source.path, Request(b"x" * 900_000), length=1_000_000)):
            answer = post()
            return answer if answer.status != 200 else None  # whichever is later is refused

    answer = wait_until(post_beside_a_slow_one)
    assert answer is not None
    refused(answer, 503, "overloaded")
    assert answer.headers["retry-after"] == "30"
    # What the connection held that is gone now is free again.
    wait_until(lambda: post().status == 200)


def test_many_bodies_one_after_another_use_the_budget_once(serve: Serve) -> None:
    edge = serve(HTTP_MAX_BODIES_BYTES=300_000)
    source = make_source("stripe", SECRET)
    for number in range(10):
        accepted(edge.post(source.path, stripe(stripe_event(f"evt_{number}", data="x" * 200_000))))
        refused(edge.post(source.path, Request(b"x" * 200_000)), 401, "verification_failed")


def test_what_is_compressed_to_little_is_not_unpacked(serve: Serve) -> None:
    source = make_source("stripe", SECRET)
    bomb = gzip.compress(b"x" * 50_000_000)
    answer = serve().post(source.path, Request(bomb, {"Content-Encoding": "gzip"}))
    refused(answer, 415, "unsupported_encoding")


# ---- connections -----------------------------------------------------------------------------------


def test_one_connection_too_many_is_answered_503_while_all_are_busy(serve: Serve) -> None:
    edge = serve(HTTP_MAX_CONNECTIONS=5)
    with contextlib.ExitStack() as stack:
        for _ in range(5):
            stack.enter_context(connect(edge, kept_alive("/nowhere", Request(b"x"), length=1000)))

        def refusal() -> bytes:
            return everything(connect(edge, HEALTH + b"\r\n"))

        wait_until(lambda: status_of(refusal()) == 503)
        answer = refusal()
        assert b"retry-after: 30" in answer
        assert answer.endswith(b'{"error":{"code":"overloaded"}}')
    wait_until(lambda: status_of(everything(connect(edge, HEALTH + b"Connection: close\r\n\r\n"))) == 200)


def test_idle_and_silent_connections_make_room_for_new_ones(serve: Serve) -> None:
    edge = serve(HTTP_MAX_CONNECTIONS=5, HTTP_HEADER_TIMEOUT=60)
    source = make_source("stripe", SECRET)
    with contextlib.ExitStack() as stack:
        idle = [stack.enter_context(connect(edge, HEALTH + b"\r\n")) for _ in range(3)]
        for client in idle:
            assert status_of(client.recv(65536)) == 200
        for _ in range(2):
            stack.enter_context(connect(edge))
        for number in range(20):
            event = stripe(stripe_event(f"evt_{number}"))
            # Those that are silent must have been so for a second.
            wait_until(lambda event=event: edge.post(source.path, event).status == 200)  # type: ignore[misc]
    assert Event.objects.count() == 20


@pytest.mark.parametrize(("files", "connections"), [(128, 64), (256, 192), (1024, 960), (20, 10)])
def test_connections_leave_files_for_what_else_a_process_opens(files: int, connections: int) -> None:
    assert most_connections(files) == connections


def test_a_server_that_may_open_few_files_serves_while_more_connections_than_that_say_nothing(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """130 of them and nobody was served."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (64, 64))
    edge = serve(HTTP_HEADER_TIMEOUT=60)
    source = make_source("stripe", SECRET)
    with contextlib.ExitStack() as stack:
        for _ in range(130):
            stack.enter_context(connect(edge))

        def served() -> bool:
            with contextlib.suppress(OSError):  # while there are too many to be told so
                return edge.post(source.path, stripe(GOOD)).status == 200
            return False

        wait_until(served)


def test_requests_that_are_sent_together_are_answered_in_order_also_before_one_that_is_refused(serve: Serve) -> None:
    edge = serve()
    source = make_source("stripe", SECRET)
    good = b"".join(kept_alive(source.path, stripe(stripe_event(f"evt_{number}"))) for number in range(3))
    found = answers(edge, good + raw_request("/nowhere", Request(b""), b"X: 1\r\n" * 200))
    assert [answer.status for answer in found] == [200, 200, 200, 431]
    assert found[-1].headers["connection"] == "close"


def test_what_is_no_request_is_answered_400(serve: Serve) -> None:
    answer = everything(connect(serve(), b"\x16\x03\x01\x02\x00\r\n\r\n"))
    assert status_of(answer) == 400
    assert answer.endswith(b'{"error":{"code":"bad_request"}}')
