"""The Django signals about what comes in. See Announcer."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from uuid import UUID

from hookline import signals
from hookline.engine.announcer import Announcer
from hookline.engine.job import State
from hookline.incoming.models import Event, Source
from hookline.telemetry import records
from hookline.telemetry.courier import courier
from hookline.telemetry.emit import subscribe

_events = Announcer(Event, ("source__tenant",))


def connect() -> None:
    """Have receivers told from now on."""
    subscribe(records.EventsStored, _stored)
    subscribe(records.RequestRefused, _refused)
    subscribe(records.EventsProcessed, _processed)
    _events.connect(signals.event_dead)


def _stored(stored: records.EventsStored) -> None:
    if signals.event_received.has_listeners(Event):
        courier.put(partial(_tell_received, [event.id for event in stored.new]))


def _refused(refused: records.RequestRefused) -> None:
    if signals.event_rejected.has_listeners(Source):
        told = {"source": refused.source, "reason": refused.reason, "status": refused.status, "detail": refused.detail}
        courier.put(partial(signals.event_rejected.send_robust, Source, **told), expendable=True)


def _processed(processed: records.EventsProcessed) -> None:
    if signals.event_processed.has_listeners(Event):
        done = [run.event.id for run in processed.runs if run.settlement.state == State.SUCCEEDED]
        _events.tell(signals.event_processed, done)


def _tell_received(ids: Sequence[UUID]) -> None:
    for event in _events.load(ids):
        signals.event_received.send_robust(Event, event=event, event_id=event.public_id, source=event.source)
