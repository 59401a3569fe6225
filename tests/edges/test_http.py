"""HTTP as it is written: what both edges make of headers, methods, paths, encodings and early answers."""

from __future__ import annotations

import contextlib
import io
import socket
from collections.abc import Callable
from http.client import HTTPResponse
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client, RequestFactory

from hookline.incoming.models import Event, Rejection
from hookline.incoming.receive import django_view
from tests.edges.senders import SECRET, Request, stripe, stripe_event
from tests.edges.servers import Answer, Edge
from tests.edges.test_edges import accepted, raw_request, refused
from tests.engine.rows import make_source

GOOD = stripe_event("evt_1")


class _Stream(io.BytesIO):
    """What a server sent on one connection, for http.client, which wants a socket and closes what it has read."""

    def makefile(self, *arguments: Any) -> _Stream:
        return self

    def close(self) -> None:
        pass


def answers(edge: Edge, text: bytes) -> list[Answer]:
    """Send all of this on one connection, and read answers until the server closes it."""
    received = b""
    with socket.create_connection(("127.0.0.1", edge.port), timeout=30) as client:
        with contextlib.suppress(ConnectionError):
            client.sendall(text)
            client.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionError):
            while piece := client.recv(65536):
                received += piece
    stream, found = _Stream(received), []
    while stream.tell() < len(received):
        reply = HTTPResponse(stream)  # type: ignore[arg-type]  # it only calls makefile
        reply.begin()
        headers = {name.lower(): value for name, value in reply.getheaders()}
        found.append(Answer(reply.status, headers, reply.read()))
    return found


# ---- headers ---------------------------------------------------------------------------------------


def test_a_hundred_and_one_headers_are_431(edge: Edge) -> None:
    source = make_source("stripe", SECRET)
    answer = edge.post_raw(raw_request(source.path, stripe(GOOD), b"X-Same: 1\r\n" * 98))
    assert answer.status == 431
    assert Event.objects.count() == 0


def test_thirty_three_kilobytes_of_headers_are_431(edge: Edge) -> None:
    source = make_source("stripe", SECRET)
    long = b"X-Long: %b\r\n" % (b"x" * 33_000)
    refused(edge.post_raw(raw_request(source.path, stripe(GOOD), long)), 431, "headers_too_large")
    accepted(edge.post_raw(raw_request(source.path, stripe(GOOD), b"X-Long: %b\r\n" % (b"x" * 30_000))))


def test_the_view_refuses_a_large_header_section_before_it_looks_at_the_token(db: None, client: Client) -> None:
    source = make_source("stripe", SECRET)
    headers = {f"X-Number-{number}": "1" for number in range(101)}
    with connection.execute_wrapper(_refuse_reading_sources):
        answer = client.post(source.path, GOOD, "application/json", headers=headers)
    assert (answer.status_code, answer.json()) == (431, {"error": {"code": "headers_too_large"}})
    rejection = Rejection.objects.get()
    assert (rejection.source, rejection.reason, rejection.status) == (None, "too_many_headers", 431)


def _refuse_reading_sources(execute: Any, sql: str, *arguments: Any) -> Any:
    assert 'FROM "hookline_source"' not in sql
    return execute(sql, *arguments)


def test_white_space_around_a_value_is_no_part_of_it(edge: Edge) -> None:
    source, request = make_source("stripe", SECRET), stripe(GOOD)
    blanks = Request(GOOD, {name: f" \t {value} \t " for name, value in request.headers.items()})
    event = Event.find(accepted(edge.post_raw(raw_request(source.path, blanks))))
    assert event.headers["content-type"] == "application/json"


def chunked(path: str, request: Request, trailers: dict[str, str]) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
    tail = "".join(f"{name}: {value}\r\n" for name, value in trailers.items())
    return f"{head}\r\n{len(request.body):x}\r\n".encode() + request.body + f"\r\n0\r\n{tail}\r\n".encode()


def test_trailers_are_not_headers(edge: Edge) -> None:
    if edge.name == "view":
        return  # a WSGI server hands on no chunked body at all
    source, request = make_source("stripe", SECRET), stripe(GOOD)
    refused(edge.post_raw(chunked(source.path, Request(GOOD), request.headers)), 401, "verification_failed")
    assert Rejection.objects.get().reason == "missing_header"
    event = Event.find(accepted(edge.post_raw(chunked(source.path, request, {"X-Late": "1"}))))
    assert "x-late" not in event.headers


# ---- methods, paths, bodies ------------------------------------------------------------------------


def test_a_head_request_finds_out_whether_the_url_is_there(edge: Edge) -> None:
    source = make_source("stripe", SECRET)
    known = edge.post(source.path, Request(b""), "HEAD")
    assert (known.status, known.body) == (200, b"")
    assert edge.post("/in/unknown", Request(b""), "HEAD").status == 404
    assert [rejection.status for rejection in Rejection.objects.all()] == [404]
    assert Event.objects.count() == 0


def test_a_method_that_is_not_allowed_is_told_which_are(edge: Edge) -> None:
    source = make_source("stripe", SECRET)
    answer = edge.post(source.path, Request(b""), "GET")
    refused(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "HEAD, POST"


def test_a_slash_behind_the_token_makes_no_difference(edge: Edge) -> None:
    source = make_source("stripe", SECRET)
    accepted(edge.post(f"{source.path}/", stripe(GOOD)))
    assert edge.post(f"{source.path}/more", stripe(GOOD)).status == 404


@pytest.mark.parametrize("encoding", ["gzip", "br", "identity, gzip"])
def test_a_compressed_body_is_415(edge: Edge, encoding: str) -> None:
    source = make_source("stripe", SECRET)
    answer = edge.post(source.path, stripe(GOOD), headers={"Content-Encoding": encoding})
    refused(answer, 415, "unsupported_encoding")
    assert answer.headers["accept-encoding"] == "identity"
    assert Rejection.objects.get().reason == "content_encoding"
    accepted(edge.post(source.path, stripe(GOOD), headers={"Content-Encoding": "identity"}))


def test_a_chunked_body_that_the_server_does_not_hand_on_is_named(edge: Edge) -> None:
    if edge.name == "asgi":
        return  # which reads it: test_a_chunked_body_is_read_whole
    source = make_source("stripe", SECRET)
    refused(edge.post_raw(chunked(source.path, stripe(GOOD), {})), 400, "unreadable")
    rejection = Rejection.objects.get()
    assert (rejection.reason, "chunks" in rejection.detail) == ("chunked_body", True)


def test_a_chunked_body_that_the_server_does_hand_on_is_read(transactional_db: None, rf: RequestFactory) -> None:
    """As Gunicorn does: https://docs.gunicorn.org, wsgi.input_terminated."""
    source, signed = make_source("stripe", SECRET), stripe(GOOD)
    request = rf.post(source.path, GOOD, "application/json", headers={**signed.headers, "Transfer-Encoding": "chunked"})
    request.META.update({"wsgi.input_terminated": True, "wsgi.input": io.BytesIO(GOOD), "CONTENT_LENGTH": ""})
    assert django_view.ingest(request, source.token).status_code == 200
    assert bytes(Event.objects.get().body) == GOOD


def test_a_body_that_a_middleware_read_first_is_named(transactional_db: None, rf: RequestFactory) -> None:
    source = make_source("stripe", SECRET)
    request = rf.post(source.path, {"file": SimpleUploadedFile("a", b"1")})
    assert request.FILES
    answer = django_view.ingest(request, source.token)
    assert (answer.status_code, answer.content) == (503, b'{"error":{"code":"cannot_verify"}}')
    assert Rejection.objects.get().reason == "body_consumed"


def test_a_body_that_a_middleware_read_and_kept_is_read_again(transactional_db: None, rf: RequestFactory) -> None:
    source, signed = make_source("stripe", SECRET), stripe(GOOD)
    request = rf.post(source.path, GOOD, "application/json", headers=signed.headers)
    assert request.body == GOOD
    assert django_view.ingest(request, source.token).status_code == 200


# ---- what follows an early answer ------------------------------------------------------------------


def kept_alive(path: str, request: Request, length: int | None = None, extra: bytes = b"") -> bytes:
    return raw_request(path, request, extra, length).replace(b"Connection: close\r\n", b"")


EARLY: dict[str, tuple[Callable[[str], bytes], int]] = {
    "unknown, with a short body": (lambda _: kept_alive("/in/unknown", Request(b"x" * 10)), 404),
    "unknown, with a body of 100 kB": (lambda _: kept_alive("/in/unknown", Request(b"x" * 100_000)), 404),
    "unknown, with a body of 1 MB": (lambda _: kept_alive("/in/unknown", Request(b"x" * 1_000_000)), 404),
    "too long": (lambda path: kept_alive(path, Request(b"x" * 6_000_000)), 413),
    "compressed": (lambda path: kept_alive(path, Request(b"x" * 100_000), extra=b"Content-Encoding: gzip\r\n"), 415),
    "too many headers": (lambda path: kept_alive(path, Request(b"x" * 10), extra=b"X: 1\r\n" * 200), 431),
    "no signature": (lambda path: kept_alive(path, Request(b"x" * 100_000)), 401),
}  # fmt: skip


@pytest.mark.parametrize("case", EARLY.values(), ids=EARLY.keys())
def test_a_request_that_follows_an_early_answer_is_answered_unless_the_connection_is_said_to_close(
    edge: Edge, case: tuple[Callable[[str], bytes], int]
) -> None:
    make, status = case
    source = make_source("stripe", SECRET)
    found = answers(edge, make(source.path) + raw_request(source.path, stripe(GOOD)))
    assert found[0].status == status
    if found[0].headers.get("connection") == "close":
        assert len(found) == 1
    else:
        assert [answer.status for answer in found] == [status, 200]


def test_of_requests_one_after_another_behind_early_answers_each_is_answered(edge: Edge) -> None:
    """A client that waits for each answer, and connects again when it was told that the connection closes."""
    source = make_source("stripe", SECRET)
    early = [make(source.path) for make, _ in EARLY.values()]
    client = None
    count = 0
    for number in range(40):
        for text in (early[number % len(early)], kept_alive(source.path, stripe(stripe_event(f"evt_{number}")))):
            client = client or socket.create_connection(("127.0.0.1", edge.port), timeout=30)
            with contextlib.suppress(ConnectionError):
                client.sendall(text)
            reply = HTTPResponse(client)
            reply.begin()
            reply.read()
            count += 1
            if reply.getheader("connection") == "close" or reply.version == 10:
                client.close()
                client = None
    if client:
        client.close()
    assert count == 80
    assert Event.objects.count() == 40
