"""Committing events, each exactly once.

A request may contain tens of thousands of events. They are committed in portions, so that an event of another source
waits for its COMMIT at most as long as one portion takes.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import Error, connections, router, transaction
from django.db.models import Case, Value, When
from django.db.models.functions import Now

from hookline.core.text import storable
from hookline.db.connections import TRIES, is_lost, look_after, opened
from hookline.engine import notifier
from hookline.engine.job import State
from hookline.exceptions import CannotStore
from hookline.incoming.log_fields import of_event
from hookline.incoming.models import Event, Source
from hookline.incoming.receive.duplicates import Duplicates, insert_alone, insert_new_events
from hookline.incoming.receive.new_event import NewEvent
from hookline.telemetry.emit import emit, wanted
from hookline.telemetry.records import EventsStored

logger = logging.getLogger("hookline.incoming")

#: Maximum events and bytes of a portion; a single event may have more bytes.
PORTION_EVENTS = 250
PORTION_BYTES = 1024 * 1024
#: Seconds between two portions on SQLite: whoever waits for its write lock only looks for it now and then.
_PAUSE = 0.005
#: What a row takes besides URL, body and headers.
_ROW_BYTES = 500


@dataclass(slots=True)  # not frozen, which takes three times as long to make
class Stored:
    """What became of one event: the id under which it is stored, and whether it was there before."""

    id: UUID
    duplicate: bool


#: Commits a portion of so many bytes.
Commit = Callable[[Sequence[NewEvent], int], Awaitable[Sequence[Stored]]]


def _nothing(stored: Sequence[Stored]) -> None:
    pass


def store(events: Sequence[NewEvent], within: Callable[[Sequence[Stored]], None] = _nothing) -> list[Stored]:
    """Commit the events of one request, a portion at a time. `within` gets the result before the last COMMIT.

    Raises CannotStore. The portions before are stored then, and duplicates when the sender tries again.
    """
    parts = [portion for portion, _ in portions(events)]
    if not parts:
        return []
    stored: list[Stored] = []
    for portion in parts[:-1]:
        stored += store_at_once(portion)
        if connections[router.db_for_write(Event)].vendor == "sqlite":
            time.sleep(_PAUSE)
    if within is _nothing:
        return stored + store_at_once(parts[-1])
    return stored + store_at_once(parts[-1], lambda last: within([*stored, *last]))


def store_by_turns(events: Sequence[NewEvent], commit: Commit) -> Awaitable[Sequence[Stored]]:
    """The same on an event loop. `commit` gets a portion and its bytes, and returns when it is committed."""
    if len(events) == 1:  # as nearly always
        return commit(events, headers_bytes(events[0].headers) + row_bytes(events[0]))
    return _store_by_turns(events, commit)


async def _store_by_turns(events: Sequence[NewEvent], commit: Commit) -> Sequence[Stored]:
    """The next portion is handed over only when one is committed, so that whatever came meanwhile goes before it."""
    stored: list[Stored] = []
    for portion, size in portions(events):
        stored += await commit(portion, size)
    return stored


def portions(events: Sequence[NewEvent]) -> Iterator[tuple[Sequence[NewEvent], int]]:
    """The events in portions, each with its bytes as rows."""
    start = size = headers_size = 0
    headers = None
    for number, event in enumerate(events):
        if event.headers is not headers:  # those of one request are the same object
            headers = event.headers
            headers_size = headers_bytes(headers)
        more = headers_size + row_bytes(event)
        if number > start and (number - start == PORTION_EVENTS or size + more > PORTION_BYTES):
            yield events[start:number], size
            start, size = number, 0
        size += more
    if start < len(events):
        yield events[start:], size


def headers_bytes(headers: Mapping[str, str]) -> int:
    return sum(map(len, headers)) + sum(map(len, headers.values()))


def row_bytes(event: NewEvent) -> int:
    """What a row takes besides its headers."""
    return _ROW_BYTES + len(event.url or "") + len(event.body)


def store_at_once(
    events: Sequence[NewEvent], within: Callable[[Sequence[Stored]], None] = _nothing, *, tries: int = TRIES
) -> list[Stored]:
    """Commit the events that are new. Raises CannotStore; what was stored then is a duplicate when it comes again.

    The unique constraint decides what is new. A duplicate of an event that died makes it due again; one of an
    event in progress or done changes nothing. A repeat or conflict of a known event is new, and names it. An item of a
    batch that cannot be read is stored as dead. `within` is called with the result before it is committed, and then
    all of it is one transaction; without it, it is tried once more if the connection breaks.
    """
    if not events:
        return []
    raw = None
    try:
        raw = opened(connections[router.db_for_write(Event)])
        duplicates = _commit(events, within)
    except Error as error:  # InterfaceError, too, which is no DatabaseError
        # What else is written within knows nothing of an earlier try.
        if is_lost(raw) and tries > 1 and within is _nothing:
            look_after()
            return store_at_once(events, tries=tries - 1)
        logger.exception("cannot store %d events", len(events))
        raise CannotStore("the database could not store the event") from error
    stored = _stored(events, duplicates)
    new = [event for event, its in zip(events, stored, strict=True) if not its.duplicate] if duplicates else events
    for event in new:
        if event.repeat_of or event.conflict_of:
            _tell(event)
    if wanted(EventsStored):
        known = [event for event, its in zip(events, stored, strict=True) if its.duplicate] if duplicates else ()
        emit(EventsStored(new, known))
    if dead := [event.id for event in new if event.problem]:
        Event.announce_dead(dead)
    return stored


def _commit(events: Sequence[NewEvent], within: Callable[[Sequence[Stored]], None]) -> Duplicates:
    """Raises Error, or CannotStore."""
    # A statement is a transaction: without BEGIN and COMMIT, two round trips less before each acknowledgement.
    alone = insert_alone(events) if within is _nothing else None
    others = events
    if alone and alone.ids:
        others = [event for event in events if event.id not in alone.ids] if len(alone.ids) < len(events) else ()
        if alone.pending:
            notifier.of(Event).notify()
    if not others:
        return {}
    with transaction.atomic(using=router.db_for_write(Event), durable=True):
        duplicates = insert_new_events(others, tried=alone is not None)
        _end_unreadable(event for event in others if event.id.int not in duplicates)
        _end_handshakes(others)
        notifier.notify_after_commit(Event)
        within(_stored(others, duplicates))
    return duplicates


def _stored(events: Sequence[NewEvent], duplicates: Duplicates) -> list[Stored]:
    if not duplicates:
        return [Stored(event.id, False) for event in events]
    found = [duplicates.get(event.id.int, event.id) for event in events]
    return [Stored(its, its != event.id) for event, its in zip(events, found, strict=True)]


def _end_unreadable(new: Iterable[NewEvent]) -> None:
    """Items of batches that cannot be read are dead from the start, for a person to see."""
    problems: dict[str, list[UUID]] = defaultdict(list)
    for event in new:
        if event.problem:
            problems[storable(f"cannot be read: {event.problem}")[:2000]].append(event.id)
    if not problems:
        return
    dead = [event_id for ids in problems.values() for event_id in ids]
    notes = [When(pk__in=ids, then=Value(note)) for note, ids in problems.items()]
    Event.objects.filter(pk__in=dead).update(state=State.DEAD, finished_at=Now(), note=Case(*notes))


def _end_handshakes(events: Iterable[NewEvent]) -> None:
    """A source that got a genuine event no longer waits for first contact, so unsigned handshakes are over."""
    for source in {event.source_id: event.source for event in events if event.source.awaiting_handshake}.values():
        Source.objects.filter(pk=source.pk).update(awaiting_handshake=False, changed_at=Now())
        source.awaiting_handshake = False


def _tell(event: NewEvent) -> None:
    """Log that an event resembles an earlier one, and is none the less new."""
    if event.repeat_of:
        logger.info(
            "%s is a repeat of %s: it has the same signed content, and another delivery id or none",
            event.public_id,
            Event.public(event.repeat_of),
            extra=of_event(event),
        )
    elif event.conflict_of:
        logger.warning(
            "%s conflicts with %s: it has the same event id and other content. Both are processed",
            event.public_id,
            Event.public(event.conflict_of),
            extra=of_event(event),
        )
