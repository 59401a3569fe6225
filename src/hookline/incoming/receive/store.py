"""Committing events, so that each is there once."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import DatabaseError, router, transaction
from django.db.models.functions import Now

from hookline import signals
from hookline.core.text import storable
from hookline.db.insert import insert_new
from hookline.engine import notifier
from hookline.engine.job import State, requeue
from hookline.exceptions import CannotStore
from hookline.incoming.models import Event, Source
from hookline.providers.base import UNREADABLE, Reply

logger = logging.getLogger("hookline.incoming")


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of one event: its id, and whether it was there before."""

    id: UUID
    duplicate: bool

    @property
    def reply(self) -> Reply:
        status = "duplicate" if self.duplicate else "accepted"
        return Reply.json({"status": status, "id": Event.public(self.id)})


def store(events: Sequence[Event]) -> list[Stored]:
    """Commit the events that are new. Raises CannotStore, and then nothing was stored.

    The unique constraint decides what is new. A duplicate of an event that died makes it due again; one of an
    event in progress or done changes nothing. An item of a batch that cannot be read is stored as dead.
    """
    if not events:
        return []
    try:
        with transaction.atomic(using=router.db_for_write(Event), durable=True):
            # A sender in a hurry may deliver the same event several times at once; only the first is worth a row.
            firsts = {key_of(event): event for event in reversed(events)}
            new = insert_new(list(firsts.values()), unique=("source_id", "dedup_key"))
            old = [event for event in firsts.values() if event.id not in new] if len(new) < len(firsts) else []
            dead = _end_unreadable(event for event in firsts.values() if event.id in new)
            known = _known(old)
            _end_handshakes(events)
            notifier.notify_after_commit(Event)
    except DatabaseError as error:
        logger.exception("cannot store %d events", len(events))
        raise CannotStore("the database did not take the event") from error
    if signals.event_received.has_listeners(Event):
        for event in events:
            if event.id in new:
                signals.event_received.send_robust(Event, event_id=event.public_id, source=event.source)
    Event.announce_dead(dead)
    if len(new) == len(events):
        return [Stored(event.id, duplicate=False) for event in events]
    ids = known | {key: event.id for key, event in firsts.items() if event.id in new}
    return [Stored(ids[key_of(event)], duplicate=event.id not in new) for event in events]


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


#: The source's id as a number, because Python computes the hash of a UUID in Python; and the event's dedup_key.
Key = tuple[int, str]


def key_of(event: Event) -> Key:
    return event.source_id.int, event.dedup_key


def _known(duplicates: Iterable[Event]) -> dict[Key, UUID]:
    """The stored events that these are duplicates of. Those that are dead become due again."""
    keys: dict[UUID, list[str]] = defaultdict(list)
    for event in duplicates:
        keys[event.source_id].append(event.dedup_key)
    known: dict[Key, UUID] = {}
    for source_id, dedup_keys in keys.items():
        # Where it was just inserted in vain: a replica, which a project's router may read from, may not have it yet.
        same = Event.objects.using(router.db_for_write(Event)).filter(source_id=source_id, dedup_key__in=dedup_keys)
        dead = []
        for event_id, dedup_key, state, kind in same.values_list("id", "dedup_key", "state", "type"):
            known[source_id.int, dedup_key] = event_id
            if state == State.DEAD and kind != UNREADABLE:  # which no redelivery makes readable
                dead.append(event_id)
        if dead:
            requeue(Event.objects.filter(id__in=dead, state=State.DEAD), "the sender delivered it again")
    return known
