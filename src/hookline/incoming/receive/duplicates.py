"""Inserting the events that are new, and finding out which stored events the others are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import connections, router

from hookline.db.insert import AT_ONCE_ON_SQLITE, Insertion, insert_new
from hookline.db.rows import by_second_key
from hookline.engine.job import State, requeue
from hookline.exceptions import CannotStore
from hookline.incoming.models import Event
from hookline.incoming.receive import claimed_at_once
from hookline.incoming.receive.new_event import COLUMNS, NewEvent
from hookline.incoming.receive.relation import Relation, other_key, relation
from hookline.providers.base import UNREADABLE

#: Of events that were not stored, by the number of their own id: the id of the stored event that each of them is. That
#: is its own where an earlier try was committed and the answer to it lost.
#: Numbers, because Python computes the hash of a UUID in Python.
Duplicates = dict[int, UUID]

#: What `relation` compares. A column that it reads and that is not here would be a query for each event.
_CONTENT = ("body", "headers", "method", "url")

#: The number of the source's id, and the event's dedup_key.
Key = tuple[int, str]
#: The constraint that decides what is new.
_UNIQUE = ("source_id", "dedup_key")


def key_of(event: Event | NewEvent) -> Key:
    return event.source_id.int, event.dedup_key


def insert_new_events(
    events: Sequence[NewEvent], columns: Sequence[str] = COLUMNS, *, requeue_dead: bool = True, tried: bool = False
) -> Duplicates:
    """Insert what is new, and find out what the others are, in the caller's transaction. Nearly always one statement.

    `columns` are inserted. `requeue_dead`: what is dead and comes again is due again. `tried`: these are what
    `insert_alone` left, so they are known. Raises CannotStore.
    """
    duplicates, seen = _known_under_other_keys(events)
    left = [event for event in events if event.id.int not in duplicates] if duplicates else events
    # A sender in a hurry may deliver the same event several times at once; only the first is worth a row.
    firsts = {key_of(event): event for event in reversed(left)}
    new = set() if tried else _insert(firsts, columns)
    if len(new) < len(left):
        known = _stored([event for event in firsts.values() if event.id not in new])
        others = [event for event in left if event.id not in new]
        duplicates |= _set_apart(others, {**firsts, **known})
        apart = [event for event in others if event.id.int not in duplicates]
        firsts_apart = {key_of(event): event for event in reversed(apart)}
        new = _insert(firsts_apart, columns)
        known_apart = _stored([event for event in firsts_apart.values() if event.id not in new])
        all_apart: dict[Key, Event | NewEvent] = {**firsts_apart, **known_apart}
        duplicates |= {event.id.int: all_apart[key_of(event)].id for event in apart if event.id not in new}
        seen = [*seen, *known.values(), *known_apart.values()]
    if requeue_dead:
        _requeue_dead(seen, duplicates)
    return duplicates


def insert_nothing() -> None:
    """Have this thread's connection, and the process at its other end, load all that inserting events needs.

    On a new connection that takes longer than the rest of the insertion. Does nothing on SQLite, where it would lock.
    Raises DatabaseError.
    """
    if connections[router.db_for_write(Event)].vendor == "postgresql":
        Insertion(Event, dict.fromkeys(COLUMNS, ())).run_where_new(_UNIQUE)


@dataclass(slots=True)
class Alone:
    """What `insert_alone` stored."""

    ids: set[UUID]
    #: Whether some of it is to be claimed.
    pending: bool


def insert_alone(events: Sequence[NewEvent]) -> Alone | None:
    """Insert and commit what is new by one statement, nearly always all of it. What a worker would begin at once is
    given to it.

    None, and nothing was tried, if they are more than one statement takes, in a transaction, or if more must be looked
    up or written for one of the events. The others are left to `insert_new_events`.
    """
    connection = connections[router.db_for_write(Event)]
    if connection.in_atomic_block or (connection.vendor == "sqlite" and len(events) > AT_ONCE_ON_SQLITE):
        return None
    if any(event.problem or event.source.awaiting_handshake or _other_keys(event) for event in events):
        return None
    firsts = {key_of(event): event for event in reversed(events)}
    if (places := claimed_at_once.places_for(events)) is not None:
        return Alone(*claimed_at_once.insert(firsts.values(), _UNIQUE, places))
    return Alone(_insert(firsts, COLUMNS), pending=True)


def _insert(events: Mapping[Key, NewEvent], columns: Sequence[str]) -> set[UUID]:
    """Insert those whose keys are new. Returns their ids."""
    return insert_new(Event, columns, events.values(), unique=_UNIQUE) if events else set()


def _set_apart(events: Iterable[NewEvent], firsts: Mapping[Key, Event | NewEvent]) -> Duplicates:
    """Which of these are duplicates of the first event with their key. The others get keys that tell them apart."""
    duplicates = {}
    for event in events:
        first = firsts[key_of(event)]
        if first.id == event.id:  # by an earlier try, of which the answer was lost
            duplicates[event.id.int] = event.id
            continue
        what = relation(first, event)
        if what is Relation.DUPLICATE:
            duplicates[event.id.int] = first.id
            continue
        event.dedup_key = other_key(event, what)
        if what is Relation.REPEAT:
            event.repeat_of = first.id
        else:
            event.conflict_of = first.id
    return duplicates


def _known_under_other_keys(events: Iterable[NewEvent]) -> tuple[Duplicates, list[Event]]:
    """Which of these are known under another key than their own, and the stored events that they are.

    That is looked up for those senders only whose events can have such a key: that of a repeat, which must be found
    even when the first event was pruned, and the key that an earlier version gave.
    """
    candidates = [(event, keys) for event in events if (keys := _other_keys(event))]
    if not candidates:
        return {}, []
    stored = _look_up({(event.source_id, key) for event, keys in candidates for key in keys})
    found: Duplicates = {}
    for event, keys in candidates:
        for key in keys:
            known = stored.get((event.source_id.int, key))
            if known is not None and known.type == event.type and relation(known, event) is Relation.DUPLICATE:
                found[event.id.int] = known.id
    return found, list(stored.values())


def _other_keys(event: NewEvent) -> list[str]:
    keys = [other_key(event, Relation.REPEAT)] if event.if_known == "repeat" and event.provider_id else []
    return [*keys, event.previous_key] if event.previous_key not in ("", event.dedup_key) else keys


def _stored(events: Collection[NewEvent]) -> dict[Key, Event]:
    """The stored events with the keys of these. Raises CannotStore where one was deleted a moment ago."""
    if not events:
        return {}
    compared = any(event.if_known == "conflict" for event in events)
    found = _look_up({(event.source_id, event.dedup_key) for event in events}, *(_CONTENT if compared else ()))
    if len(found) < len(events):
        raise CannotStore("a known event was deleted while its duplicate was stored")
    return found


def _look_up(keys: Iterable[tuple[UUID, str]], *fields: str) -> dict[Key, Event]:
    """The stored events with these sources and keys, with what tells whether another event is the same."""
    by_source: dict[UUID, list[str]] = defaultdict(list)
    for source_id, key in keys:
        by_source[source_id].append(key)
    names = ("source_id", "dedup_key", "state", "type", "provider_id", *fields)
    return {
        key_of(event): event
        for source_id, dedup_keys in by_source.items()
        for event in by_second_key(Event, ("source_id", source_id), ("dedup_key", dedup_keys), names)
    }


def _requeue_dead(stored: Iterable[Event], duplicates: Duplicates) -> None:
    """Make those of the stored events due again that are dead, and that the sender delivered again."""
    again = {first for its, first in duplicates.items() if first.int != its}
    # What could not be read is dead from the start, and no redelivery makes it readable.
    candidates = [event for event in stored if event.state == State.DEAD and event.type != UNREADABLE]
    if dead := [event.id for event in candidates if event.id in again]:
        requeue(Event.objects.filter(id__in=dead, state=State.DEAD), "the sender delivered it again")
