"""What came in at a source, as it is committed, so that somebody who reads on misses nothing.

Events have no numbers, and the one that began to be stored first may be committed last. So a cursor also says how many
it has seen of those stored lately: where the number is another one, something came late, and those are told again.
"""

from __future__ import annotations

import base64
import struct
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Self
from uuid import UUID

from django.db import connections, router
from django.db.models import Count, Q

from hookline import conf
from hookline.db import clock
from hookline.engine import notifier
from hookline.engine.postgres_notify import Listener
from hookline.incoming.models import Event, Source

#: How long storing an event may take, in seconds.
OVERLAP = 30
_EVER = datetime(1970, 1, 1, tzinfo=UTC)
#: Microseconds after which no time of a cursor is: the year 2286.
_NEVER = 10**16
_FORM = struct.Struct(">q16sqI")


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far somebody has read: up to this event, in the order of times and ids."""

    at: datetime
    id: UUID
    #: Of those up to there that were stored at `recent` or later, so many were seen.
    recent: datetime
    seen: int

    def __str__(self) -> str:
        whole = _FORM.pack(_micros(self.at), self.id.bytes, _micros(self.recent), self.seen)
        return base64.urlsafe_b64encode(whole).decode()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError."""
        try:
            at, key, recent, seen = _FORM.unpack(base64.b64decode(text, altchars=b"-_", validate=True))
            if not (0 <= at < _NEVER and 0 <= recent < _NEVER):
                raise ValueError
            return cls(_moment(at), UUID(bytes=key), _moment(recent), seen)
        except (ValueError, struct.error):
            raise ValueError("it is no cursor: use what the last answer said, or none") from None

    @property
    def place(self) -> tuple[datetime, UUID]:
        return self.at, self.id


@dataclass(frozen=True, slots=True)
class Page:
    """Events in the order of times and ids, without their long columns. One that was seen may be among them."""

    events: list[Event]
    next: Cursor
    more: bool


def begin(source: Source, moment: datetime | None = None) -> Cursor:
    """A cursor before the first event that was stored at this time or later; without one, behind all there are."""
    now = clock.now(Event)
    found = Event.objects.filter(source=source)
    if moment is not None:
        place = max(_EVER, min(moment, clock.moment(now))), UUID(int=0)
    else:
        place = found.order_by("-created_at", "-id").values_list("created_at", "pk").first() or (_EVER, UUID(int=0))
    recent = _recent(now)
    return Cursor(*place, recent, found.filter(_from(recent), _up_to(*place)).count())


def since(source: Source, cursor: Cursor, *, limit: int = 100) -> Page:
    """What was committed behind the cursor, at most `limit`. Raises DatabaseError."""
    recent = _recent(clock.now(Event))
    found = Event.objects.filter(source=source)
    seen = found.filter(_from(min(recent, cursor.recent)), _up_to(*cursor.place)).aggregate(
        then=Count("pk", filter=_from(cursor.recent)), kept=Count("pk", filter=_from(recent))
    )
    late = seen["then"] != cursor.seen
    rows = found.select_related("source__tenant").defer("body", "headers", "url").order_by("created_at", "id")
    rows = rows.filter(_from(cursor.recent) if late else _behind(*cursor.place))
    events = list(rows[: limit + 1])
    more = len(events) > limit
    del events[limit:]
    places = [(event.created_at, event.pk) for event in events]
    last = places[-1] if places else cursor.place
    place = last if more else max(last, cursor.place)
    count = sum(at >= recent for at, _ in places) + (0 if late else seen["kept"])
    return Page(events, Cursor(*place, recent, count), more)


def wait(source: Source, cursor: Cursor, seconds: float, *, limit: int = 100) -> Page:
    """`since`, which waits where there is nothing, at most `seconds`. Call it outside of a transaction."""
    end = time.monotonic() + seconds
    rung = threading.Event()
    with notified(rung.set):
        page = since(source, cursor, limit=limit)
        while not page.events and (left := end - time.monotonic()) > 0:
            rung.wait(min(left, conf.get().POLL))
            rung.clear()
            key = source.pk, page.next.recent
            if counts([key])[key] != page.next.seen:
                page = since(source, page.next, limit=limit)
    return page


def counts(asked: Collection[tuple[UUID, datetime]]) -> dict[tuple[UUID, datetime], int]:
    """How many events each of these sources has that were stored at this time or later, for those who wait for many.

    It takes one query. The times should be few and recent, as those of the cursors of `since` are. Raises
    DatabaseError.
    """
    if not asked:
        return {}
    times = sorted({moment for _, moment in asked})
    names = {moment: f"since_{number}" for number, moment in enumerate(times)}
    found = Event.objects.filter(_from(times[0]), source__in={source_id for source_id, _ in asked})
    counted = (
        found.order_by()
        .values("source_id")
        .annotate(**{name: Count("pk", filter=_from(moment)) for moment, name in names.items()})
    )
    rows: Mapping[UUID, Mapping[str, Any]] = {row["source_id"]: row for row in counted}
    return {
        (source_id, moment): rows[source_id][names[moment]] if source_id in rows else 0 for source_id, moment in asked
    }


@contextmanager
def notified(ring: Callable[[], None]) -> Iterator[None]:
    """Meanwhile `ring` is called, in any thread, when there may be something new at some source. It is a hint."""
    notifications = notifier.of(Event)
    notifications.watch(ring)
    try:
        yield
    finally:
        notifications.unsubscribe(ring)


@contextmanager
def heard() -> Iterator[None]:
    """Meanwhile this process, which has no workers, is notified of what others store, where the database can tell."""
    if connections[router.db_for_write(Event)].vendor != "postgresql":
        yield
        return
    listener = Listener([Event])
    listener.start()
    try:
        yield
    finally:
        listener.stop()


def _recent(now: float) -> datetime:
    """What is committed from now on was stored at this time or later. It is the same for many: see `counts`."""
    return clock.moment(now // OVERLAP * OVERLAP - OVERLAP)


def _from(moment: datetime) -> Q:
    return Q(created_at__gte=clock.boundary(Event, moment))


def _up_to(at: datetime, key: UUID) -> Q:
    there = clock.boundary(Event, at)
    return Q(created_at__lte=there) & (Q(created_at__lt=there) | Q(id__lte=key))


def _behind(at: datetime, key: UUID) -> Q:
    there = clock.boundary(Event, at)
    return Q(created_at__gte=there) & (Q(created_at__gt=there) | Q(id__gt=key))


def _micros(moment: datetime) -> int:
    return (moment - _EVER) // timedelta(microseconds=1)


def _moment(micros: int) -> datetime:
    return _EVER + timedelta(microseconds=micros)
