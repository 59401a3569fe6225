"""When a sender claims."""

from __future__ import annotations

from unittest.mock import Mock

import pytest

from hookline import dispatch, dispatch_many
from hookline.models import Delivery
from hookline.outgoing.deliver import loop
from tests.engine.rows import make_endpoint
from tests.outgoing.conftest import Sending
from tests.outgoing.consumer import Consumer
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


def sent() -> int:
    return Delivery.objects.filter(state="succeeded").count()


def test_a_sender_does_not_look_again_and_again_for_an_endpoint_that_has_no_room(
    consumer: Consumer, sending: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_endpoint(consumer.url("/"))
    with sending(DELIVERY_CONCURRENCY_PER_ENDPOINT=1, POLL=30) as running:
        looks = Mock(wraps=running._leases.claim)
        monkeypatch.setattr(running._leases, "claim", looks)
        dispatch_many([("invoice.paid", {})] * 20)
        wait_until(lambda: sent() == 20)
    # Of the four that it may hold for the endpoint a claim takes two.
    assert looks.call_count <= 15


def test_what_is_published_before_the_next_claim_is_sent_with_it(
    consumer: Consumer, sending: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "BETWEEN", 1e6)
    monkeypatch.setattr(loop, "LONGEST_BETWEEN", 0.3)
    make_endpoint(consumer.url("/"))
    with sending(POLL=30):
        dispatch_many([("invoice.paid", {})] * (loop.FEW + 1))
        wait_until(lambda: sent() == loop.FEW + 1)
        for number in range(5):
            dispatch("invoice.paid", {"n": number})
        wait_until(lambda: sent() == loop.FEW + 6)
