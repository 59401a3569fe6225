"""Backlog: what workers have to do and have done, as the database tells it."""

from __future__ import annotations

import time
from itertools import islice
from typing import TYPE_CHECKING

from bench.events import signed

if TYPE_CHECKING:
    from hookline.incoming.models import Source

#: For the environment of a worker: the handler that writes one row.
HANDLER = {"HOOKLINE_APPS": "bench.handlers"}

_KEY = {"postgresql": "bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY", "sqlite": "integer PRIMARY KEY"}
_EMPTY = {"postgresql": "TRUNCATE {} CASCADE", "sqlite": "DELETE FROM {}"}
#: Rows in one statement of `fill`.
_BATCH = 1000


class Backlog:
    """The events in the database, and the rows that the handler wrote. Only after `set_up`."""

    def __init__(self) -> None:
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute(f"CREATE TABLE bench_effect (id {_KEY[connection.vendor]}, event text NOT NULL)")

    def clear(self) -> None:
        """Delete all events and effects, so that the next measurement finds what this one found."""
        from django.db import connection

        with connection.cursor() as cursor:
            for table in ("hookline_event", "bench_effect"):
                cursor.execute(_EMPTY[connection.vendor].format(table))

    def fill(self, source: Source, count: int) -> None:
        """Store events as if they had been received while no worker ran."""
        from hookline.incoming.receive.documents import documents
        from hookline.incoming.receive.store import store
        from hookline.incoming.receive.verification import verified

        waiting = signed(source, count)
        while batch := list(islice(waiting, _BATCH)):
            now = time.time()
            store([event for request in batch for event in verified(request, source, now, documents.cached).events])

    def wait(self, count: int, timeout: float) -> None:
        """Return when `count` events are processed. AssertionError unless each succeeded and had one effect."""
        from django.db import connection

        from hookline.incoming.models import Event

        end = time.monotonic() + timeout
        while any(Event.objects.filter(state=state).exists() for state in ("pending", "running")):
            assert time.monotonic() < end, f"events still wait after {timeout:.0f} s"
            time.sleep(0.2)
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*), count(DISTINCT event) FROM bench_effect")
            effects = cursor.fetchone()
        succeeded = Event.objects.filter(state="succeeded").count()
        assert (succeeded, *effects) == (count, count, count), (
            f"{count} events, {succeeded} succeeded, {effects} effects"
        )

    def rate(self) -> float:
        """Events per second from the first settlement to the last, by the database's clock."""
        from django.db.models import Count, Max, Min

        from hookline.incoming.models import Event

        seen = Event.objects.aggregate(first=Min("finished_at"), last=Max("finished_at"), count=Count("id"))
        return float((seen["count"] - 1) / (seen["last"] - seen["first"]).total_seconds())

    def lags(self) -> list[float]:
        """Seconds from each event's arrival in the database to its settlement, in order, by the database's clock."""
        from hookline.incoming.models import Event

        times = Event.objects.filter(finished_at__isnull=False).values_list("created_at", "finished_at")
        return sorted((finished - created).total_seconds() for created, finished in times if finished)

    def retries(self) -> int:
        """How many runs failed and were made again."""
        from django.db.models import Sum

        from hookline.incoming.models import Event

        tries = Event.objects.aggregate(tries=Sum("attempts"))["tries"] or 0
        return int(tries) - Event.objects.count()
