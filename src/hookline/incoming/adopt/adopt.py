"""The flow of taking over a table: the duplicates first, in one statement; then the rows, a batch at a time.

A batch is one transaction, which also writes the progress. After a kill between two batches the next run continues with
the next batch, and no row is taken over twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import connections, router, transaction
from django.db.models.functions import Now

from hookline.engine.job import State
from hookline.exceptions import ConfigurationError, Conflict
from hookline.incoming.adopt.convert import ADOPTED_COLUMNS, AdoptedEvent, event_of
from hookline.incoming.adopt.legacy import MOST_VALUES, LegacyRow, LegacyTable
from hookline.incoming.adopt.mapping import Mapping
from hookline.incoming.adopt.models import Adoption, AdoptionDuplicate
from hookline.incoming.models import Event, Source
from hookline.incoming.receive.duplicates import insert_new_events
from hookline.providers.base import bounded_key


def count_duplicates(table: LegacyTable) -> int:
    """How many rows are duplicates."""
    sql, params = table.duplicates()
    with connections[_database()].cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM ({sql}) AS found", params)
        (found,) = cursor.fetchone()
    return int(found)


def begin(mapping: Mapping) -> Adoption:
    """The Adoption of this mapping: the one that was begun before, or a new one with its duplicates found.

    Joins the caller's transaction. Raises ConfigurationError.
    """
    table = LegacyTable(mapping, _database())
    check_sources(mapping, table)
    known = Adoption.objects.select_for_update().filter(key=mapping.key).first()
    if known is not None:
        known.rows = known.done + table.count(known.last_row)
        known.finished_at = None
        known.save(update_fields=["rows", "finished_at"])
        return known
    made = Adoption.objects.create(
        key=mapping.key, table=mapping.table, mapping=mapping.as_json(), rows=table.count(), counts={}
    )
    sql, params = table.duplicates()
    target = AdoptionDuplicate._meta.db_table
    connection = connections[_database()]
    with connection.cursor() as cursor:
        key = made.pk if connection.vendor == "postgresql" else made.pk.hex
        quoted = connection.ops.quote_name("row")
        cast = "CAST(%s AS uuid)" if connection.vendor == "postgresql" else "%s"
        cursor.execute(
            f"INSERT INTO {target} (adoption_id, {quoted}, kept) SELECT {cast}, found.* FROM ({sql}) AS found",
            [key, *params],
        )
    return made


def check_sources(mapping: Mapping, table: LegacyTable) -> None:
    """Raises ConfigurationError for values of the source column that no source was named for."""
    if not mapping.source:
        return
    unknown = [(value, number) for value, number in table.values(mapping.source) if value not in mapping.sources]
    if unknown:
        named = ", ".join(f"{value!r} ({number} rows)" for value, number in unknown[:MOST_VALUES])
        raise ConfigurationError(f"no source is named for these values of {mapping.source}: {named}")


def batches(adoption: Adoption, mapping: Mapping, size: int) -> Iterator[int]:
    """Take over the remaining rows, one batch per transaction. Yields how many each batch had.

    Raises Conflict where another process takes over the same table.
    """
    table = LegacyTable(mapping, _database())
    sources = sources_of(mapping)
    while True:
        with transaction.atomic(using=_database()):
            locked = Adoption.objects.select_for_update().get(pk=adoption.pk)
            if locked.last_row != adoption.last_row:
                raise Conflict(f"{mapping.table} is being taken over by another process; wait until it has ended")
            rows = table.rows_after(locked.last_row, size)
            if rows:
                _take_over(locked, rows, mapping, sources)
            else:
                locked.finished_at = Now()
                locked.save(update_fields=["finished_at"])
                locked.duplicates.all().delete()
        adoption.__dict__.update(last_row=locked.last_row, counts=locked.counts)
        if not rows:
            adoption.refresh_from_db()
            return
        yield len(rows)


def _take_over(adoption: Adoption, rows: Sequence[LegacyRow], mapping: Mapping, sources: dict[str, Source]) -> None:
    keys = [row.key for row in rows]
    kept = dict(adoption.duplicates.filter(row__in=keys).values_list("row", "kept"))
    now = moment_now()
    events = [event_of(row, mapping, sources[row.source], now, kept.get(row.key, "")) for row in rows]
    known = insert_new_events(events, ADOPTED_COLUMNS, requeue_dead=False)
    late = [(row, event) for row, event in zip(rows, events, strict=True) if event.id.int in known]
    _set_aside(late, mapping, known)
    adoption.counts = dict(Counter(adoption.counts) + Counter(event.state for event in events))
    adoption.last_row = keys[-1]
    adoption.save(update_fields=["counts", "last_row"])


def _set_aside(late: Sequence[tuple[LegacyRow, AdoptedEvent]], mapping: Mapping, known: dict[int, UUID]) -> None:
    """Store as duplicates what is there already: received by Hookline, or added to the table after it was begun."""
    for row, event in late:
        first = Event.public(known[event.id.int])
        event.state, event.note = State.CANCELLED.value, f"{event.note}; a duplicate of {first}, which was kept"
        event.finished_at = event.finished_at or moment_now()
        event.dedup_key, event.if_known, event.previous_key = _apart(mapping, row), "duplicate", ""
    if late:
        insert_new_events([event for _, event in late], ADOPTED_COLUMNS, requeue_dead=False)


def _apart(mapping: Mapping, row: LegacyRow) -> str:
    return bounded_key(f"adopted:{mapping.table}:{row.key}")


def sources_of(mapping: Mapping) -> dict[str, Source]:
    """The sources by the values of their column. Raises ConfigurationError."""
    found: dict[str, Any] = {}
    for value, public_id in mapping.sources.items():
        source = Source.objects.select_related("tenant").filter(pk=Source.id_of(public_id)).first()
        if source is None:
            raise ConfigurationError(f"source {public_id} not found")
        found[value] = source
    return found


def moment_now() -> datetime:
    return datetime.now(UTC)


def _database() -> str:
    return router.db_for_write(Event)
