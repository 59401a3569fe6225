"""Where a router sends reads to a replica, which is late, nothing that has to be right reads there."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings as django_settings
from django.db import router
from django.test import Client
from django.test.utils import override_settings

import hookline
from hookline import conf, dispatch, signals
from hookline.engine.job import State
from hookline.incoming.models import Event
from hookline.outgoing.models import Attempt, Delivery
from hookline.tenants.models import Tenant
from tests.edges.conftest import Register
from tests.edges.senders import SECRET, stripe, stripe_event
from tests.engine.rows import make_endpoint, make_source
from tests.outgoing.consumer import always, running_consumer
from tests.waiting import wait_until
from tests.workers import deliveries_worker, events_worker

pytestmark = pytest.mark.django_db(transaction=True)

OURS = str(Path(hookline.__file__).parent)


class Reads:
    """A router that keeps which code reads a model of ours wherever the router says."""

    def __init__(self) -> None:
        self.found: set[str] = set()

    def db_for_read(self, model: Any, **hints: Any) -> None:
        if model.__module__.startswith("hookline."):
            ours = [frame for frame in traceback.extract_stack() if frame.filename.startswith(OURS)]
            if ours:
                self.found.add(f"{Path(ours[-1].filename).relative_to(OURS)}: {ours[-1].line}")


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    made = Reads()
    monkeypatch.setattr(router, "routers", [made])
    return made


def test_a_webhook_on_its_way_in_and_a_message_on_its_way_out(client: Client, handler: Register, reads: Reads) -> None:
    died = list[UUID]()

    def dead(event: Event, **more: Any) -> None:
        died.append(event.pk)

    @handler("*")
    def dispatching(event: Event) -> None:
        dispatch("a.b", {"n": event.provider_id}, tenant="other", idempotency_key=event.provider_id)
        if event.provider_id == "evt_3":
            raise ValueError("made up")

    source = make_source("stripe", SECRET, order_by="$.id")
    signals.event_dead.connect(dead)
    settings = {"ALLOWED_SUBNETS": ["127.0.0.0/8"], "DELIVERY_RETRY_DELAYS": [0, 0], "EVENT_RETRY_DELAYS": []}
    settings = {**django_settings.HOOKLINE, **settings, "DELIVERY_DEADLINE": 3600}
    with running_consumer() as consumer, override_settings(HOOKLINE=settings):
        consumer.script = always(500)
        make_endpoint(consumer.url(), tenant=Tenant.objects.create(key="other"), order_by="$.data.n")
        workers = events_worker(conf.get()), deliveries_worker(conf.get())
        for worker in workers:
            worker.start()
        try:
            for name in ("evt_1", "evt_1", "evt_2", "evt_3"):
                request = stripe(stripe_event(name))
                answer = client.post(source.path, request.body, "application/json", headers=request.headers)
                assert answer.status_code == 200
            wait_until(lambda: died)
            wait_until(lambda: Event.objects.filter(state=State.SUCCEEDED).count() == 2)
            wait_until(lambda: set(Delivery.objects.values_list("state", flat=True)) == {State.DEAD})
        finally:
            for worker in workers:
                worker.stop(10)
    signals.event_dead.disconnect(dead)
    assert Attempt.objects.count() == 6
    assert reads.found == set()
