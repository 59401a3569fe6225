"""Senders whose keys must be fetched, on both edges: never on the event loop's thread, and a 503 when it fails."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from hookline import providers
from hookline.incoming.models import Event, Rejection, Source
from hookline.incoming.receive.documents import documents
from hookline.providers.schemes.documents import Document
from hookline.transport.transport import Response
from tests.edges.senders import SECRET, Request, stripe, stripe_event
from tests.edges.servers import Edge
from tests.engine.rows import make_source
from tests.providers.kits import Kit, kit_of
from tests.waiting import wait_until


@pytest.fixture
def kit() -> Kit:
    return kit_of("aws_sns")


@pytest.fixture
def source(edge: Edge, kit: Kit) -> Source:
    return make_source("aws_sns", kit.secret)


@pytest.fixture
def loads(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The URLs that were fetched; what is found there is the kit's."""
    seen: list[str] = []

    def load(document: Document) -> Response:
        with pytest.raises(RuntimeError):
            asyncio.get_running_loop()
        seen.append(document.url)
        content = kit.documents.get(document.url)
        return Response(200, {}, content) if content else Response(error="dns_failed", detail="no such name")

    documents.forget()
    monkeypatch.setattr(documents, "_load", load)
    return seen


def notification(kit: Kit, event_id: str = "", **changes: tuple[str, str]) -> Request:
    provider = providers.get("aws_sns")
    signed = provider.sign(provider.compose("Notification", event_id, time.time()), kit.sender, time.time())
    body = signed.body
    for old, new in changes.values():
        assert old.encode() in body
        body = body.replace(old.encode(), new.encode())
    return Request(body, {"Content-Type": "text/plain; charset=UTF-8"})


def test_the_certificate_is_fetched_once_and_the_event_accepted(
    edge: Edge, source: Source, kit: Kit, loads: list[str]
) -> None:
    answers = [edge.post(source.path, notification(kit, f"id-{number}")) for number in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 200]
    assert sorted(Event.objects.values_list("provider_id", flat=True)) == ["id-0", "id-1", "id-2"]
    assert loads == list(kit.documents)


def test_a_large_body_waits_for_its_certificate_too(edge: Edge, source: Source, kit: Kit, loads: list[str]) -> None:
    provider = providers.get("aws_sns")
    composed = provider.compose("Notification", "", time.time(), {"text": "x" * 100_000})
    signed = provider.sign(composed, kit.sender, time.time())
    assert edge.post(source.path, Request(signed.body)).status == 200


def test_a_certificate_that_cannot_be_fetched_is_a_503_and_the_operator_learns_why(
    edge: Edge, source: Source, kit: Kit, loads: list[str]
) -> None:
    elsewhere = ("SimpleNotificationService-0123456789abcdef", "SimpleNotificationService-fedcba9876543210")
    answer = edge.post(source.path, notification(kit, change=elsewhere))
    assert answer.status == 503
    assert answer.json == {"error": {"code": "cannot_verify"}}
    rejection = Rejection.objects.get()
    assert rejection.reason == "document_unavailable"
    assert "no such name" in rejection.detail
    assert not Event.objects.exists()


def test_made_up_certificates_neither_evict_the_real_one_nor_are_all_fetched(
    edge: Edge, source: Source, kit: Kit, loads: list[str]
) -> None:
    assert edge.post(source.path, notification(kit, "id-1")).status == 200
    began = time.monotonic()
    for number in range(60):
        made_up = ("-0123456789abcdef.pem", f"-{number:032x}.pem")
        assert edge.post(source.path, notification(kit, change=made_up)).status == 503
    assert edge.post(source.path, notification(kit, "id-2")).status == 200
    assert loads.count(*kit.documents) == 1
    assert len(loads) <= 1 + 16 + (time.monotonic() - began) / 4 + 1


def test_slow_certificates_of_one_source_hold_up_no_other(
    edge: Edge, source: Source, kit: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    released, hanging = threading.Event(), []

    def load(document: Document) -> Response:
        if document.url in kit.documents:
            return Response(200, {}, kit.documents[document.url])
        hanging.append(document.url)
        assert released.wait(20)
        return Response(404, {}, b"")

    documents.forget()
    monkeypatch.setattr(documents, "_load", load)
    other = make_source("aws_sns", kit.secret)
    made_up = [("-0123456789abcdef.pem", f"-{number:032x}.pem") for number in range(12)]
    with ThreadPoolExecutor(12) as threads:
        slow = [threads.submit(edge.post, source.path, notification(kit, change=change)) for change in made_up]
        try:
            wait_until(lambda: len(hanging) == 2)
            assert edge.post(other.path, notification(kit)).status == 200
        finally:
            released.set()
        assert {each.result(30).status for each in slow} == {503}


@pytest.mark.parametrize(
    "url",
    ["https://sns.us-west-2.amazonaws.com.attacker.example/a.pem", "https://attacker.example/a.pem",
     "http://sns.us-west-2.amazonaws.com/a.pem", "https://sns.us-west-2.amazonaws.com:8443/a.pem",
     "https://sns.us-west-2.amazonaws.com/a.pem?x=.pem", "https://user@sns.us-west-2.amazonaws.com/a.pem",
     "https://sns.us-west-2.amazonaws.com/a.txt", "https://s3.us-west-2.amazonaws.com/a.pem",
     "https://sns.s3.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem",
     "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem",
     "https://sns.us-west-2.amazonaws.com/my-bucket/SimpleNotificationService-0123456789abcdef.pem",
     "https://169.254.169.254/a.pem", "https://attacker.example#.sns.us-west-2.amazonaws.com/a.pem", "a.pem"],
)  # fmt: skip
def test_a_certificate_anywhere_else_is_refused_without_any_connection(
    edge: Edge, source: Source, kit: Kit, loads: list[str], url: str
) -> None:
    change = ("https://sns.us-west-2.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem", url)
    assert edge.post(source.path, notification(kit, change=change)).status == 401
    assert loads == []


def test_a_request_that_used_nearly_all_of_its_tolerance_is_accepted_with_a_warning(
    edge: Edge, caplog: pytest.LogCaptureFixture
) -> None:
    source = make_source("stripe", SECRET)
    with caplog.at_level(logging.WARNING, "hookline.incoming"):
        assert edge.post(source.path, stripe(stripe_event("evt_1"), at=time.time() - 240)).status == 200
        assert "tolerance" not in caplog.text
        assert edge.post(source.path, stripe(stripe_event("evt_2"), at=time.time() - 260)).status == 200
    assert f"source {source.public_id} was genuine, but had used 8" in caplog.text
