"""Inserting lone events that are claimed already, for a worker that begins them at once: see `engine.giving`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cache
from typing import Any
from uuid import UUID

from django.db import connections, router

from hookline.db.binary import fetch_prepared
from hookline.db.insert import insertion_of
from hookline.db.rows import RowsWithParts, columns
from hookline.engine import giving
from hookline.engine.giving import Reserved
from hookline.engine.grant import CLAIMED_COLUMNS, claimed_values, free, granted
from hookline.engine.job import State
from hookline.engine.sql import dialect_of
from hookline.incoming.kind import parts
from hookline.incoming.models import Event, Source
from hookline.incoming.receive.new_event import COLUMNS, NewEvent

_MADE = """
WITH {granted}, given ({names}) AS ({rows}), looked AS MATERIALIZED (
    SELECT given.*, {free} AS free FROM given JOIN {sources} lane ON lane.id = given.source_id
)"""
_INSERT = """
INSERT INTO {events} ({names}, {claimed_columns})
SELECT {names}, {claimed_values} FROM looked WHERE true
ON CONFLICT ({unique}) DO NOTHING
RETURNING """
_POSTGRESQL = _MADE + ", made AS (" + _INSERT + "*) SELECT {columns} {joined}"
_SQLITE = _MADE + _INSERT + "{columns}"


def places_for(events: Sequence[NewEvent]) -> Reserved | None:
    """Places for all of these events, if they are few and a claim would have nothing to decide about their order."""
    if len(events) > giving.FEW or any(event.order_key is not None for event in events):
        return None
    if sum(len(event.body) for event in events) > giving.MOST_BYTES:
        return None
    return giving.reserve(Event, len(events), least=len(events))


def insert(events: Collection[NewEvent], unique: Sequence[str], places: Reserved) -> tuple[set[UUID], bool]:
    """Insert and commit those that are new by one statement, and give them to the worker that has these places.

    Those that a claim has to decide about are inserted pending. Returns the ids of those that were inserted, and
    whether some of them are pending. Raises DatabaseError.
    """
    connection = connections[router.db_for_write(Event)]
    try:
        insertion = insertion_of(Event, COLUMNS, events, unique)
        params = [*places.grant.params(connection.vendor), *insertion.given_params]
        sql = _statement(connection.alias, insertion.names, insertion.rows, tuple(unique))
        if connection.vendor == "postgresql":
            rows: Sequence[Any] = fetch_prepared(connection, sql, params)
            claimed: Sequence[Any] = [row for row in rows if row[_at("state")] == State.RUNNING]
            made = {row[_at("id")] for row in rows}
        else:
            rows = list(Event._default_manager.using(connection.alias).raw(sql, params))
            claimed = [event for event in rows if event.state == State.RUNNING]
            made = {event.id for event in rows}
    except BaseException:
        places.lose()
        raise
    places.give(claimed)
    return made, len(claimed) < len(made)


@cache
def _at(name: str) -> int:
    """Where a column is in a row."""
    return [field.attname for field in Event._meta.concrete_fields].index(name)


@cache
def _statement(alias: str, names: Sequence[str], rows: str, unique: Sequence[str]) -> str:
    dialect = dialect_of(connections[alias])
    on_postgresql = connections[alias].vendor == "postgresql"
    whole = RowsWithParts(Event, parts())
    return (_POSTGRESQL if on_postgresql else _SQLITE).format(
        granted=granted(connections[alias].vendor),
        names=", ".join(names),
        rows=rows,
        free=free(Event, dialect, "lane"),
        sources=Source._meta.db_table,
        events=Event._meta.db_table,
        claimed_columns=CLAIMED_COLUMNS,
        claimed_values=claimed_values(dialect, "free"),
        unique=", ".join(unique),
        columns=whole.columns_of("made") if on_postgresql else columns(Event),
        joined=whole.from_query("made"),
    )
