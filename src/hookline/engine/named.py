"""Claiming jobs that the open transaction has made, by what names them: no search, and no other row is read.

Only where a claim would have nothing to decide: no order, limit, hold or time, and nothing else that waits for the same
lane. All others are left to one.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from typing import Any, TypeVar
from uuid import UUID

from django.db import connections, router

from hookline.db.arrays import packed
from hookline.db.binary import fetch_prepared
from hookline.db.rows import Parts, RowsWithParts, columns, read
from hookline.engine.job import Job
from hookline.engine.sql import claimed, dialect_of, lanes_of, names_of

J = TypeVar("J", bound=Job)

_CLAIM = """
WITH ready AS MATERIALIZED (
    SELECT made.id FROM {table} made JOIN {lanes_table} lane ON lane.id = made.{lane}
    WHERE made.{named} AND made.state = 'pending' AND made.attempts = 0 AND made.order_key IS NULL
        AND made.due_at <= {now} AND lane.held_until IS NULL AND {also} AND {unlimited}
        AND NOT EXISTS (
            SELECT 1 FROM {table} other
            WHERE other.{lane} = lane.id AND other.state = 'pending' AND other.due_at <= {now} AND NOT other.{named}
        )
    ORDER BY made.id LIMIT %(limit)s
)
UPDATE {table}
SET {claimed}
{others} {table}.{ready}
RETURNING {columns}
"""
_NAMED = {"postgresql": "{} = ANY(%(names)s::uuid[])", "sqlite": "{} IN (SELECT value FROM json_each(%(names)s))"}


class Claim:
    """The statement that claims jobs of one model by `by`, a column that names them."""

    def __init__(self, model: type[J], by: str = "id", *, also: str = "true", parts: Parts | None = None) -> None:
        """`also`: what else has to hold of `made` and its `lane`. `parts` are read on PostgreSQL, and only there."""
        self._model = model
        self._by = by
        self._also = also
        self._rows: RowsWithParts[Any] = RowsWithParts(model, parts or {})
        self._statement = cache(self._make)

    def __call__(self, names: Sequence[UUID], limit: int, lease: float, worker: int | None) -> list[Any]:
        """Claim up to `limit` of the jobs with these names for `lease` seconds, in the open transaction, which has made
        them. Raises DatabaseError."""
        connection = connections[router.db_for_write(self._model)]
        sql = self._statement(connection.alias)
        params = _params(connection.vendor, names, limit, lease, worker)
        if connection.vendor == "sqlite":
            return read(self._model, sql, params)
        return self._rows.of(connection, fetch_prepared(connection, sql, params))

    def _make(self, alias: str) -> str:
        model, connection = self._model, connections[alias]
        dialect = dialect_of(connection)
        names = names_of(model, dialect)
        on_postgresql = connection.vendor == "postgresql"
        return _CLAIM.format(
            **names,
            named=_NAMED[connection.vendor].format(self._by),
            also=self._also,
            unlimited=lanes_of(model).unlimited("lane"),
            claimed=claimed(dialect),
            others=self._rows.joined if on_postgresql else "WHERE",
            ready=dialect.among.format("SELECT id FROM ready"),
            columns=self._rows.columns if on_postgresql else columns(model),
        )


def _params(vendor: str, names: Sequence[UUID], limit: int, lease: float, worker: int | None) -> dict[str, Any]:
    given = packed("uuid", names) if vendor == "postgresql" else json.dumps([one.hex for one in names])
    return {"names": given, "limit": limit, "lease": lease, "worker": worker}
