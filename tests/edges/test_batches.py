"""Requests that carry several events, over real sockets."""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from hookline import signals
from hookline.engine.job import State
from hookline.incoming.models import Event, Rejection
from hookline.telemetry.courier import courier
from tests.edges.conftest import Register
from tests.edges.senders import SECRET, Request
from tests.edges.servers import Edge
from tests.edges.test_edges import run_all_events
from tests.engine.rows import make_source


def gocardless(*items: bytes) -> Request:
    """https://developer.gocardless.com/api-reference/#webhooks-overview"""
    body = b'{ "events" : [ ' + b" ,\n".join(items) + b" ] }"
    signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    return Request(body, {"Webhook-Signature": signature, "Content-Type": "application/json"})


FIRST = b'{"id":"EV1" , "resource_type":"payments","action":"confirmed","amount":1.000000000000000001}'
SECOND = b'{"id":"EV2","resource_type":"payments","action":"failed","why":"\xc3\xa4\\u00e4","n":1e400,"a":1,"a":2}'
BAD = b'{"id":"EV3", "resource_type": 7.50}'


@pytest.fixture
def announced() -> Iterator[list[str]]:
    """The notes of the events that were announced as dead."""
    notes: list[str] = []

    def listen(sender: object, event: Event, **_: Any) -> None:
        notes.append(event.note)

    signals.event_dead.connect(listen)
    yield notes
    signals.event_dead.disconnect(listen)


def test_each_item_is_kept_byte_for_byte(edge: Edge) -> None:
    source = make_source("gocardless", SECRET)
    answer = edge.post(source.path, gocardless(FIRST, SECOND))
    assert (answer.status, answer.json["status"]) == (200, "accepted")
    bodies = [bytes(Event.find(public_id).body) for public_id in answer.json["ids"]]
    assert bodies == [FIRST, SECOND]


def test_one_bad_item_is_kept_as_a_dead_event_and_the_others_are_processed(
    edge: Edge, handler: Register, announced: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    source = make_source("gocardless", SECRET)
    handled: list[str] = []
    handler("gocardless", "payments.*")(lambda event: handled.append(event.provider_id))
    for status in ("accepted", "duplicate"):
        answer = edge.post(source.path, gocardless(FIRST, BAD, SECOND))
        assert (answer.status, answer.json["status"], len(answer.json["ids"])) == (200, status, 3)
        run_all_events()
        assert sorted(handled) == ["EV1", "EV2"]
        kept = Event.objects.get(type="unreadable")
        assert (bytes(kept.body), kept.state, kept.attempts) == (BAD, State.DEAD, 0)
        assert kept.finished_at is not None
        assert "item 2 of 3: resource_type is neither text nor a whole number" in kept.note
        assert courier.drain(10)
        assert announced == [kept.note]
    assert Event.objects.filter(state=State.SUCCEEDED).count() == 2
    assert Rejection.objects.count() == 0
    errors = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert len(errors) == 2
    assert all(source.public_id in error and "item 2 of 3" in error for error in errors)


def test_a_handler_for_unreadable_items_gets_them_when_they_are_retried(edge: Edge, handler: Register) -> None:
    source = make_source("gocardless", SECRET)
    edge.post(source.path, gocardless(FIRST, BAD))
    handled: list[bytes] = []
    handler("gocardless", "unreadable")(lambda event: handled.append(bytes(event.body)))
    Event.objects.filter(type="unreadable").update(state=State.PENDING, finished_at=None)
    run_all_events()
    assert handled == [BAD]


def test_a_batch_in_which_nothing_can_be_read_is_refused_and_kept_as_a_rejection(edge: Edge) -> None:
    source = make_source("gocardless", SECRET)
    answer = edge.post(source.path, gocardless(BAD, b"7"))
    assert (answer.status, answer.json) == (400, {"error": {"code": "unreadable"}})
    assert Event.objects.count() == 0
    assert "item 1 of 2" in Rejection.objects.get().detail


def test_an_item_that_is_not_verified_still_refuses_the_whole_batch(edge: Edge) -> None:
    """Adyen signs each item by itself; half of a request that it signed is not a request of Adyen's."""
    key = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056"
    source = make_source("adyen", key)
    signed = "7914073381342284::TestMerchant:TestPayment-1407325143704:1130:EUR:AUTHORISATION:true"
    good = base64.b64encode(hmac.new(bytes.fromhex(key), signed.encode(), hashlib.sha256).digest()).decode()

    def item(signature: str) -> str:
        entry = (
            '"NotificationRequestItem":{"pspReference":"7914073381342284","merchantAccountCode":"TestMerchant",'
            '"merchantReference":"TestPayment-1407325143704","amount":{"value":1130,"currency":"EUR"},'
            '"eventCode":"AUTHORISATION","success":"true","additionalData":{"hmacSignature":"SIGNATURE"}}'
        )
        return "{" + entry.replace("SIGNATURE", signature) + "}"

    def body(*items: str) -> Request:
        text = f'{{"live":"false","notificationItems":[{",".join(items)}]}}'
        return Request(text.encode(), {"Content-Type": "application/json"})

    assert edge.post(source.path, body(item(good), item("AAAA"))).status == 401
    assert Event.objects.count() == 0
    assert edge.post(source.path, body(item(good))).status == 200
