"""The Django signals about what comes in: a sink that has the courier load the objects and call the receivers.

A record is looked at only where somebody listens, and nothing is read from the database on the thread that emits it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from uuid import UUID

from django.dispatch import Signal

from hookline import signals
from hookline.engine.job import State
from hookline.incoming.models import Event, Source
from hookline.telemetry import records
from hookline.telemetry.courier import courier
from hookline.telemetry.emit import subscribe


def connect() -> None:
    """Have receivers told from now on."""
    subscribe(records.EventsStored, _stored)
    subscribe(records.RequestRefused, _refused)
    subscribe(records.EventsProcessed, _processed)
    subscribe(records.JobsDied, _died)


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
        if done:
            courier.put(partial(_tell, signals.event_processed, done))


def _died(died: records.JobsDied) -> None:
    if died.model is Event and signals.event_dead.has_listeners(Event):
        courier.put(partial(_tell, signals.event_dead, died.ids))


def _tell_received(ids: Sequence[UUID]) -> None:
    for event in _events(ids):
        signals.event_received.send_robust(Event, event=event, event_id=event.public_id, source=event.source)


def _tell(signal: Signal, ids: Sequence[UUID]) -> None:
    for event in _events(ids):
        signal.send_robust(Event, event=event)


def _events(ids: Sequence[UUID]) -> Iterable[Event]:
    return Event.objects.filter(pk__in=ids).select_related("source__tenant").order_by("pk")
