"""A tenant whose consumers take long does not keep other tenants from theirs."""

from __future__ import annotations

import threading
import time
from unittest.mock import Mock

import pytest

from hookline import dispatch, dispatch_many
from hookline.models import Delivery, Tenant
from hookline.outgoing.deliver import other_tenants
from tests.engine.rows import make_endpoint
from tests.outgoing.conftest import Sending
from tests.outgoing.consumer import Arrival, Consumer
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("few", [100, 0], ids=["a few others", "many others"])
def test_a_tenant_that_fills_a_worker_with_slow_answers_does_not_delay_another(
    consumer: Consumer, sending: Sending, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    monkeypatch.setattr(other_tenants, "FEW", few)
    crowd, quiet = Tenant.objects.create(key="crowd"), Tenant.objects.create(key="quiet")
    for number in range(5):
        make_endpoint(consumer.url(f"/slow/{number}"), tenant=crowd)
    make_endpoint(consumer.url("/quick"), tenant=quiet)
    go_on = threading.Event()

    def sent(to: Tenant = quiet) -> int:
        return Delivery.objects.filter(endpoint__tenant=to, state="succeeded").count()

    def answer(arrival: Arrival) -> int:
        if arrival.path.startswith("/slow"):
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
        assert sent(crowd) == 0
        # From here on one look for each message is enough, and one a second for endpoints that are new.
        began = time.monotonic()
        looks = Mock(wraps=running._leases.claim)
        monkeypatch.setattr(running._leases, "claim", looks)
        for number in range(6, 12):
            dispatch("quiet.event", {"n": number}, tenant=quiet)
            wait_until(lambda: sent() > number)  # noqa: B023  # called before the next
        assert 6 <= looks.call_count <= 7 + (time.monotonic() - began)
        newcomer = Tenant.objects.create(key="newcomer")
        make_endpoint(consumer.url("/new"), tenant=newcomer)
        dispatch("new.event", {}, tenant=newcomer)
        wait_until(lambda: sent(newcomer) == 1)
        assert sent(crowd) == 0
        go_on.set()
