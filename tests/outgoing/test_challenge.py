"""An endpoint that must show that it wants to be sent to, before it is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hookline import dispatch
from hookline.audit.actor import SYSTEM
from hookline.exceptions import Conflict
from hookline.operations import endpoints
from hookline.outgoing.models import Endpoint
from hookline.testing import StubTransport, deliver_all
from tests.outgoing.consumer import SECRET, Arrival, Consumer, Reply, always

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def allowed(settings: Any) -> None:
    settings.HOOKLINE = {**settings.HOOKLINE, "ALLOWED_SUBNETS": ["127.0.0.0/8"], "RESPONSE_BODY_BYTES": 0}


def make(consumer: Consumer, **fields: Any) -> Endpoint:
    return endpoints.create(SYSTEM, consumer.url(), secret=SECRET, challenge=True, **fields)


def text_of(arrival: Arrival) -> str:
    text: str = json.loads(arrival.body)["data"]["challenge"]
    return text


@pytest.mark.parametrize("as_json", [True, False])
def test_nothing_is_sent_until_the_challenge_is_answered(consumer: Consumer, as_json: bool) -> None:
    endpoint = make(consumer, signatures=["v1", "rfc9421-hmac"])
    assert dispatch("order.paid", {}).deliveries.count() == 0
    with pytest.raises(Conflict, match="endpoint challenge"):
        endpoints.enable(SYSTEM, endpoint)

    def answer(arrival: Arrival) -> Reply:
        text = text_of(arrival)
        return Reply(201, body=json.dumps({"challenge": text}).encode() if as_json else f"{text}\n".encode())

    consumer.script = answer
    endpoints.challenge(SYSTEM, endpoint)
    (arrival,) = consumer.arrivals
    assert arrival.genuine
    assert json.loads(arrival.body)["type"] == "hookline.challenge"
    assert "rfc9421" not in arrival.headers["signature"]
    assert dispatch("order.paid", {}).deliveries.count() == 1
    assert len(deliver_all(StubTransport(200))) == 1


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        (Reply(200, body=b"ok"), "not the text"),
        (Reply(200, body=b'{"challenge": null}'), "not the text"),
        (Reply(200, body=b"[" * 4000), "not the text"),
        (Reply(401), "401"),
        (Reply(302, {"location": "/elsewhere"}), "302"),
    ],
)
def test_another_answer_leaves_it_disabled_and_says_what_came(consumer: Consumer, reply: Reply, problem: str) -> None:
    endpoint = make(consumer)
    consumer.script = always(reply)
    with pytest.raises(Conflict, match=problem):
        endpoints.challenge(SYSTEM, endpoint)
    endpoint.refresh_from_db()
    assert (endpoint.challenge, endpoint.disabled) == ("awaited", True)
    assert len(consumer.arrivals) == 1


def test_the_challenge_goes_nowhere_that_a_message_would_not(consumer: Consumer, settings: Any) -> None:
    endpoint = make(consumer)
    settings.HOOKLINE = {**settings.HOOKLINE, "ALLOWED_SUBNETS": []}
    with pytest.raises(Conflict, match="address_refused"):
        endpoints.challenge(SYSTEM, endpoint)
    assert consumer.arrivals == []


def test_another_url_needs_another_challenge(consumer: Consumer) -> None:
    endpoint = make(consumer)
    consumer.script = lambda arrival: Reply(body=text_of(arrival).encode())
    endpoints.challenge(SYSTEM, endpoint)
    endpoints.update(SYSTEM, endpoint, url=consumer.url("/hook?tenant=7"), description="the same place")
    assert not Endpoint.objects.get().disabled
    endpoints.update(SYSTEM, endpoint, url=consumer.url("/somebody-else"))
    stored = Endpoint.objects.get()
    assert (stored.challenge, stored.disabled) == ("awaited", True)
    endpoints.challenge(SYSTEM, stored)
    assert not Endpoint.objects.get().disabled


def test_the_setting_asks_every_new_endpoint(consumer: Consumer, settings: Any) -> None:
    assert endpoints.create(SYSTEM, consumer.url()).challenge is None
    settings.HOOKLINE = {**settings.HOOKLINE, "ENDPOINT_CHALLENGE": True}
    assert endpoints.create(SYSTEM, consumer.url()).challenge == "awaited"
    assert endpoints.create(SYSTEM, consumer.url(), challenge=False).challenge is None
