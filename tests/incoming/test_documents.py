"""Documents that verifying needs: who may be asked for them, how often, and what happens when they cannot be had."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from uuid import UUID

import pytest
from django.test.utils import override_settings

from hookline.core.request import WebhookRequest
from hookline.exceptions import CannotVerify
from hookline.incoming.receive.documents import Documents, load_document
from hookline.incoming.receive.verification import receive_with
from hookline.providers.base import Provider, SourceConfig
from hookline.providers.schemes.documents import Document, DocumentNeeded
from hookline.transport.transport import Response
from tests.waiting import wait_until

CERTIFICATE = Document("https://sns.eu-west-1.amazonaws.com/a.pem", ("sns.eu-west-1.amazonaws.com",), max_age=3600)
#: The same, wanted fresher.
FRESH = Document("https://sns.eu-west-1.amazonaws.com/a.pem", ("sns.eu-west-1.amazonaws.com",), max_age=60)


class Network:
    """Answers `load`, and counts. `now` is its clock."""

    def __init__(self, *responses: Response) -> None:
        self.responses = list(responses)
        self.loads = 0
        self.now = 1000.0
        self.documents = Documents(self.load, lambda: self.now)

    def load(self, document: Document) -> Response:
        self.loads += 1
        return self.responses.pop(0) if len(self.responses) > 1 else self.responses[0]


def ok(body: bytes = b"certificate") -> Response:
    return Response(200, {}, body)


def test_a_document_is_fetched_once_and_then_remembered() -> None:
    network = Network(ok())
    assert [network.documents.fetch(CERTIFICATE) for _ in range(3)] == [b"certificate"] * 3
    assert network.documents.cached(CERTIFICATE) == b"certificate"
    assert network.loads == 1


def test_a_document_that_is_older_than_wanted_is_fetched_again() -> None:
    network = Network(ok(b"old"), ok(b"new"))
    network.documents.fetch(CERTIFICATE)
    network.now += 61
    assert network.documents.fetch(CERTIFICATE) == b"old"
    assert network.documents.fetch(FRESH) == b"new"
    assert network.documents.fetch(CERTIFICATE) == b"new"
    assert network.loads == 2


def test_looking_only_at_what_is_remembered_fetches_nothing() -> None:
    network = Network(ok())
    with pytest.raises(DocumentNeeded) as needed:
        network.documents.cached(CERTIFICATE)
    assert (needed.value.document, needed.value.status, needed.value.reason) == (
        CERTIFICATE,
        503,
        "document_unavailable",
    )
    assert network.loads == 0


@pytest.mark.parametrize(
    "response",
    [Response(error="timeout", detail="no response within 5 seconds"), Response(404, {}, b"no"), Response(302, {}, b""),
     Response(500, {}, b"x"), Response(200, {}, b""), Response(error="address_refused", detail="127.0.0.1")],
)  # fmt: skip
def test_a_failure_is_a_503_and_is_remembered_for_half_a_minute(response: Response) -> None:
    network = Network(response)
    for _ in range(3):
        with pytest.raises(CannotVerify) as refusal:
            network.documents.fetch(CERTIFICATE)
        assert (refusal.value.status, refusal.value.reason) == (503, "document_unavailable")
    with pytest.raises(CannotVerify):
        network.documents.cached(CERTIFICATE)
    assert network.loads == 1
    network.now += 31
    network.responses = [ok()]
    assert network.documents.fetch(CERTIFICATE) == b"certificate"


def test_a_failure_to_get_a_fresher_copy_leaves_the_older_one_in_use() -> None:
    network = Network(ok(b"old"), Response(500, {}, b""))
    network.documents.fetch(CERTIFICATE)
    network.now += 61
    with pytest.raises(CannotVerify):
        network.documents.fetch(FRESH)
    assert network.documents.fetch(CERTIFICATE) == b"old"


def test_one_thread_fetches_while_the_others_wait_for_it() -> None:
    begun, go_on, loads = threading.Event(), threading.Event(), []

    def load(document: Document) -> Response:
        loads.append(document)
        begun.set()
        assert go_on.wait(10)
        return ok()

    shared = Documents(load)
    found: list[bytes] = []
    threads = [threading.Thread(target=lambda: found.append(shared.fetch(CERTIFICATE))) for _ in range(20)]
    for thread in threads:
        thread.start()
    assert begun.wait(10)
    go_on.set()
    for thread in threads:
        thread.join(10)
    assert (found, len(loads)) == ([b"certificate"] * 20, 1)


def test_an_error_of_our_own_while_fetching_does_not_leave_the_others_waiting() -> None:
    def load(document: Document) -> Response:
        raise ZeroDivisionError

    shared = Documents(load)
    for _ in range(2):
        with pytest.raises(CannotVerify, match="interrupted"):
            shared.fetch(CERTIFICATE)


class Hungry(Provider):
    """Asks for ever more documents."""

    def receive(self, request: WebhookRequest, config: SourceConfig, now: float) -> None:  # type: ignore[override]  # never returns
        config.document(Document("https://example.com/1", ("example.com",)))
        for number in range(2, 9):
            config.document(Document(f"https://example.com/{number}", ("example.com",)))


def test_a_request_gets_three_documents_at_most() -> None:
    network = Network(ok())
    request = WebhookRequest("POST", "", {}, b"")
    with pytest.raises(CannotVerify, match="more than 3"):
        receive_with(network.documents.fetch, Hungry(), request, SourceConfig(("s",)), 0.0)
    assert network.loads == 3


# ---- over the network ---------------------------------------------------------------------------------


@contextmanager
def web_server(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[tuple[str, list[str]]]:
    """Its URL, and the requests that reach it."""
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            body = self.rfile.read(length).decode()
            seen.append(f"{self.command} {self.path} {body}".strip())
            answer(self)

        do_POST = do_GET  # noqa: N815  # the name is the base class's

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", seen
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()


def say(body: bytes, status: int = 200, **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in {"content-length": str(len(body)), **headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


allowed = override_settings(HOOKLINE={"ALLOWED_SUBNETS": ["127.0.0.0/8"]})


@allowed
def test_a_document_comes_over_the_guarded_transport() -> None:
    with web_server(say(b"certificate")) as (url, seen):
        assert Documents().fetch(Document(f"{url}/a.pem", ("127.0.0.1",))) == b"certificate"
        asked = Document(f"{url}/key", ("127.0.0.1",), method="POST", body=b'{"key_id":"1"}')
        assert Documents().fetch(asked) == b"certificate"
    assert seen == ["GET /a.pem", 'POST /key {"key_id":"1"}']


@allowed
@pytest.mark.parametrize("hosts", [("sns.eu-west-1.amazonaws.com",), (), ("example.com", "localhost")])
def test_a_host_that_the_provider_does_not_name_is_not_even_connected_to(hosts: tuple[str, ...]) -> None:
    with web_server(say(b"certificate")) as (url, seen):
        with pytest.raises(CannotVerify, match="is not one of the hosts"):
            Documents().fetch(Document(f"{url}/a.pem", hosts))
        assert seen == []


@override_settings(HOOKLINE={})
def test_an_address_that_the_policy_does_not_let_through_is_not_connected_to() -> None:
    with web_server(say(b"certificate")) as (url, seen):
        with pytest.raises(CannotVerify, match="address_refused"):
            Documents().fetch(Document(f"{url}/a.pem", ("127.0.0.1",)))
        assert seen == []


@allowed
def test_a_redirect_is_not_followed_and_a_long_document_is_not_taken() -> None:
    with web_server(say(b"", 302, location="/elsewhere")) as (url, seen):
        with pytest.raises(CannotVerify, match="the answer was 302"):
            Documents().fetch(Document(f"{url}/a.pem", ("127.0.0.1",)))
        assert seen == ["GET /a.pem"]
    with web_server(say(b"x" * 101)) as (url, _), pytest.raises(CannotVerify, match="body_too_large"):
        Documents().fetch(Document(f"{url}/a.pem", ("127.0.0.1",), max_bytes=100))


@allowed
def test_made_up_names_reach_the_sender_at_a_bounded_rate_and_the_real_one_stays() -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        (say(b"certificate") if handler.path == "/real.pem" else say(b"", 403))(handler)

    with web_server(answer) as (url, seen):
        mine = Documents()
        real = Document(f"{url}/real.pem", ("127.0.0.1",))
        assert mine.fetch(real) == b"certificate"
        mine.fetch.verified(real, None)
        for number in range(300):
            with pytest.raises(CannotVerify):
                mine.fetch(Document(f"{url}/{number}.pem", ("127.0.0.1",)))
        assert mine.fetch(real) == b"certificate"
    assert seen.count("GET /real.pem") == 1
    assert 16 <= len(seen) <= 20  # one more each four seconds


@allowed
def test_slow_answers_to_one_source_do_not_delay_another() -> None:
    go_on = threading.Event()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        if handler.path != "/real.pem":
            assert go_on.wait(20)
        say(b"certificate")(handler)

    victim, other = UUID(int=1), UUID(int=2)
    with web_server(answer) as (url, seen):
        mine = Documents()
        slow = [Document(f"{url}/{number}.pem", ("127.0.0.1",)) for number in range(8)]
        waiting = [mine.obtain(document, other) for document in slow]
        wait_until(lambda: len(seen) == 2)
        assert mine.fetch(Document(f"{url}/real.pem", ("127.0.0.1",)), victim) == b"certificate"
        go_on.set()
        assert {each.result(20).content for each in waiting} == {b"certificate"}


def test_fetching_on_an_event_loops_thread_is_an_error() -> None:
    async def wrong() -> None:
        load_document(CERTIFICATE)

    with pytest.raises(RuntimeError, match="event loop"):
        asyncio.run(wrong())


@allowed
def test_a_failure_is_logged_without_what_was_sent(caplog: pytest.LogCaptureFixture) -> None:
    with web_server(say(b"", 401)) as (url, _), caplog.at_level(logging.DEBUG, "hookline"):
        secret = Document(f"{url}/key", ("127.0.0.1",), method="POST", body=b"made-up-secret")
        with pytest.raises(CannotVerify) as refusal:
            Documents().fetch(secret)
    assert "the answer was 401" in caplog.text
    assert "made-up-secret" not in f"{caplog.text} {refusal.value} {secret!r}"
