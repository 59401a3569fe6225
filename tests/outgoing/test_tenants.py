"""A tenant whose consumers take long does not keep other tenants from theirs."""

from __future__ import annotations

import threading
from unittest.mock import Mock

import pytest

from hookline import dispatch, dispatch_many
from hookline.models import Delivery, Tenant
from tests.engine.rows import make_endpoint
from tests.outgoing.conftest import Sending
from tests.outgoing.consumer import Arrival, Consumer
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_tenant_that_fills_a_worker_with_slow_answers_does_not_delay_another(
    consumer: Consumer, sending: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    crowd, quiet = Tenant.objects.create(key="crowd"), Tenant.objects.create(key="quiet")
    for number in range(5):
        make_endpoint(consumer.url(f"/slow/{number}"), tenant=crowd)
    make_endpoint(consumer.url("/quick"), tenant=quiet)
    go_on = threading.Event()

    def sent() -> int:
        return Delivery.objects.filter(endpoint__tenant=quiet, state="succeeded").count()

    def answer(arrival: Arrival) -> int:
        if arrival.path != "/quick":
            go_on.wait(30)
        return 200

    consumer.script = answer
    dispatch_many([("crowd.event", {})] * 30, tenant=crowd)
    with sending(DELIVERY_CONCURRENCY=8, DELIVERY_TIMEOUT=60, STOP_TIMEOUT=1, POLL=30) as running:
        # All eight places are taken, and so is all that is claimed beyond them.
        wait_until(lambda: len(consumer.arrivals) == 8)
        wait_until(lambda: len(running._leases) >= 25)
        for number in range(6):
            dispatch("quiet.event", {"n": number}, tenant=quiet)
        wait_until(lambda: sent() == 6)
        assert Delivery.objects.filter(endpoint__tenant=crowd, state="succeeded").count() == 0
        # From here on whoever looks was told to, by a notification, and one look for each message is enough.
        looks = Mock(wraps=running._leases.claim)
        monkeypatch.setattr(running._leases, "claim", looks)
        for number in range(6, 12):
            dispatch("quiet.event", {"n": number}, tenant=quiet)
            wait_until(lambda: sent() > number)  # noqa: B023  # called before the next
        assert 6 <= looks.call_count <= 7
        go_on.set()
