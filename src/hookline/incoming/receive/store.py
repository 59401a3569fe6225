"""Committing events, so that each is there once."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import DatabaseError, router, transaction
from django.db.models.functions import Now

from hookline import signals
from hookline.core.text import storable
from hookline.engine import notifier
from hookline.engine.job import State
from hookline.exceptions import CannotStore
from hookline.incoming.models import Event, Source
from hookline.incoming.receive.duplicates import insert_new_events
from hookline.providers.base import Reply

logger = logging.getLogger("hookline.incoming")


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of one event: the id under which it is stored, and whether it was there before."""

    id: UUID
    duplicate: bool

    @property
    def reply(self) -> Reply:
        status = "duplicate" if self.duplicate else "accepted"
        return Reply.json({"status": status, "id": Event.public(self.id)})


def store(events: Sequence[Event]) -> list[Stored]:
    """Commit the events that are new. Raises CannotStore, and then nothing was stored.

    The unique constraint decides what is new. A duplicate of an event that died makes it due again; one of an
    event in progress or done changes nothing. A repeat or conflict of a known event is new, and names it. An item of a
    batch that cannot be read is stored as dead.
    """
    if not events:
        return []
    try:
        with transaction.atomic(using=router.db_for_write(Event), durable=True):
            duplicates = insert_new_events(events)
            new = [event for event in events if event.id.int not in duplicates] if duplicates else events
            dead = _end_unreadable(new)
            _end_handshakes(events)
            notifier.notify_after_commit(Event)
    except DatabaseError as error:
        logger.exception("cannot store %d events", len(events))
        raise CannotStore("the database did not take the event") from error
    for event in new:
        if event.repeat_of or event.conflict_of:
            _tell(event)
    if signals.event_received.has_listeners(Event):
        for event in new:
            signals.event_received.send_robust(Event, event_id=event.public_id, source=event.source)
    Event.announce_dead(dead)
    return [Stored(duplicates.get(event.id.int, event.id), event.id.int in duplicates) for event in events]


def _end_unreadable(new: Iterable[Event]) -> list[UUID]:
    """Items of batches that cannot be read are dead from the start, for a person to see. Returns their ids."""
    problems = {event.id: event.problem for event in new if event.problem}
    for event_id, problem in problems.items():
        note = storable(f"cannot be read: {problem}")[:2000]
        Event.objects.filter(pk=event_id).update(state=State.DEAD, finished_at=Now(), note=note)
    return list(problems)


def _end_handshakes(events: Iterable[Event]) -> None:
    """A source that got a genuine event no longer waits for first contact, so unsigned handshakes are over."""
    for source in {event.source_id: event.source for event in events if event.source.awaiting_handshake}.values():
        Source.objects.filter(pk=source.pk).update(awaiting_handshake=False, changed_at=Now())
        source.awaiting_handshake = False


def _tell(event: Event) -> None:
    """Log that an event resembles an earlier one, and is none the less new."""
    if event.repeat_of:
        logger.info(
            "%s is a repeat of %s: it has the same signed content, and another delivery id or none",
            event.public_id,
            Event.public(event.repeat_of),
        )
    elif event.conflict_of:
        logger.warning(
            "%s conflicts with %s: it has the same event id and other content. Both are processed",
            event.public_id,
            Event.public(event.conflict_of),
        )
