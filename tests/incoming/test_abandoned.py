"""An event that takes its worker down each time must not die in silence."""

from __future__ import annotations

from typing import Any

import pytest

from hookline import signals
from hookline.audit.actor import SYSTEM
from hookline.engine.claim import claim
from hookline.engine.job import State
from hookline.engine.settle import begin, release_expired
from hookline.incoming.models import Event
from hookline.operations import sources
from hookline.telemetry.courier import courier
from hookline.testing import post_webhook

pytestmark = pytest.mark.django_db(transaction=True)


def test_an_event_that_dies_with_its_worker_is_announced(client: Any) -> None:
    post_webhook(client, sources.create(SYSTEM, "stripe", secrets=["whsec_made_up"]), "invoice.paid")
    dead: list[tuple[str, str]] = []

    def listen(sender: Any, event: Event, **kwargs: Any) -> None:
        dead.append((event.type, event.state))

    signals.event_dead.connect(listen)
    try:
        for _ in range(2):
            assert begin(claim(Event, 1, lease=-1))
            assert release_expired(Event, max_attempts=2) == 1
        assert courier.drain(10)
    finally:
        signals.event_dead.disconnect(listen)
    assert dead == [("invoice.paid", State.DEAD)]
