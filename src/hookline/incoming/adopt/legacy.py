"""LegacyTable: the table that is taken over, read with SQL that PostgreSQL and SQLite share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import DatabaseError, connections

from hookline.exceptions import ConfigurationError
from hookline.incoming.adopt.mapping import Mapping

#: Values of a column that a plan names.
MOST_VALUES = 50


@dataclass(frozen=True, slots=True)
class LegacyRow:
    """One row as it was read; `key` is its primary key as text."""

    key: str
    source: str
    event_id: str
    status: Any
    type: str
    payload: Any
    headers: Any
    received_at: Any


class LegacyTable:
    """Reads a table as a Mapping says."""

    def __init__(self, mapping: Mapping, using: str) -> None:
        """Raises ConfigurationError where the table or a column is missing."""
        self._mapping = mapping
        self._connection = connections[using]
        self._table = ".".join(map(self._quoted, mapping.table.split(".")))
        self._check()
        conditions = [f"{self._text(self._quoted(name))} IN (%s, %s)" for name in mapping.where]
        self._where = " AND ".join(conditions) or "1 = 1"
        self._where_params = [spelling for value in mapping.where.values() for spelling in _spellings(value)]

    def count(self, after: str = "") -> int:
        """How many rows there are, behind a primary key."""
        sql = f"SELECT count(*) FROM {self._table} WHERE {self._where}"
        if after:
            sql += f" AND {self._quoted(self._mapping.id)} > %s"
        ((found,),) = self._fetch(sql, [*self._where_params, *([after] if after else [])])
        return int(found)

    def values(self, column: str) -> list[tuple[str, int]]:
        """The values of a column as text, with how many rows have each; the most frequent first."""
        text = self._text(self._quoted(column))
        sql = f"SELECT {text}, count(*) FROM {self._table} WHERE {self._where} GROUP BY 1 ORDER BY 2 DESC LIMIT %s"
        rows = self._fetch(sql, [*self._where_params, MOST_VALUES + 1])
        return [("" if value is None else str(value), int(number)) for value, number in rows]

    def duplicates(self) -> tuple[str, list[Any]]:
        """A SELECT of the rows that are duplicates and of the row that is kept instead, both as text.

        Rows of one source with the same event id are duplicates; without an id, those with the same payload. The one
        that was processed is kept, else the newest; of several that were processed, the newest of them.
        """
        mapping = self._mapping
        key, event_id = self._quoted(mapping.id), self._event_id()
        processed = [spelling for value in mapping.processed for spelling in _spellings(value)]
        done = "1"
        if mapping.status:
            marks = ", ".join(["%s"] * len(processed))
            done = f"CASE WHEN lower({self._text(self._quoted(mapping.status))}) IN ({marks}) THEN 1 ELSE 0 END"
        received = self._quoted(mapping.received_at) if mapping.received_at else key
        source, source_params = self._source_number()
        sql = f"""
            SELECT {self._text("one")}, {self._text("kept")} FROM (
                SELECT one, first_value(one) OVER (
                    PARTITION BY source, event_id, CASE WHEN event_id = '' THEN payload END
                    ORDER BY done DESC, CASE WHEN received IS NULL THEN 1 ELSE 0 END, received DESC, one DESC
                ) AS kept
                FROM (
                    SELECT {key} AS one, {source} AS source, {event_id} AS event_id, {done} AS done,
                           {received} AS received, {self._text(self._quoted(mapping.payload))} AS payload
                    FROM {self._table} WHERE {self._where}
                ) AS legacy
            ) AS ranked WHERE one <> kept"""
        return sql, [*source_params, *(processed if mapping.status else []), *self._where_params]

    def rows_after(self, after: str, number: int) -> list[LegacyRow]:
        """The next rows in the order of the primary key."""
        mapping = self._mapping
        key = self._quoted(mapping.id)
        columns = [
            key,
            self._text(self._quoted(mapping.source)) if mapping.source else "''",
            self._event_id(),
            self._quoted(mapping.status) if mapping.status else "NULL",
            self._path_or_column(mapping.type) if mapping.type else "''",
            self._quoted(mapping.payload),
            self._quoted(mapping.headers) if mapping.headers else "NULL",
            self._quoted(mapping.received_at) if mapping.received_at else "NULL",
        ]
        behind = f"AND {key} > %s" if after else ""
        sql = f"SELECT {', '.join(columns)} FROM {self._table} WHERE {self._where} {behind} ORDER BY {key} LIMIT %s"
        params = [*self._where_params, *([after] if after else []), number]
        return [
            LegacyRow(str(key), source or "", event_id or "", status, kind or "", payload, headers, received)
            for key, source, event_id, status, kind, payload, headers, received in self._fetch(sql, params)
        ]

    # ---- SQL ---------------------------------------------------------------------------------------
    def _check(self) -> None:
        with self._connection.cursor() as cursor:
            try:
                cursor.execute(f"SELECT * FROM {self._table} LIMIT 0")
                found = [column[0] for column in cursor.description]
            except DatabaseError as error:
                raise ConfigurationError(f"cannot read the table {self._mapping.table}: {error}") from None
        if missing := [name for name in self._mapping.columns if name not in found]:
            raise ConfigurationError(
                f"{self._mapping.table} has no column {', '.join(missing)}; its columns are: {', '.join(found)}"
            )

    def _quoted(self, name: str) -> str:
        return self._connection.ops.quote_name(name)

    def _text(self, expression: str) -> str:
        return f"CAST({expression} AS text)"

    def _event_id(self) -> str:
        name = self._mapping.event_id
        return f"coalesce({self._path_or_column(name)}, '')" if name else "''"

    def _path_or_column(self, name: str) -> str:
        if not name.startswith("json:"):
            return self._text(self._quoted(name))
        path = name.removeprefix("json:").split(".")
        payload = self._text(self._quoted(self._mapping.payload))
        if self._connection.vendor == "postgresql":
            return f"(CAST({payload} AS jsonb) #>> '{{{','.join(path)}}}')"
        return self._text(f"json_extract({payload}, '$.{'.'.join(path)}')")

    def _source_number(self) -> tuple[str, list[str]]:
        """An expression that is the same for rows of one source."""
        if not self._mapping.source:
            return "1", []
        numbers = {source: number for number, source in enumerate(dict.fromkeys(self._mapping.sources.values()))}
        cases = " ".join(f"WHEN %s THEN {numbers[source]}" for source in self._mapping.sources.values())
        return f"CASE {self._text(self._quoted(self._mapping.source))} {cases} END", list(self._mapping.sources)

    def _fetch(self, sql: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
        with self._connection.cursor() as cursor:
            cursor.execute(sql, params)
            rows: list[tuple[Any, ...]] = cursor.fetchall()
            return rows


def _spellings(value: str) -> tuple[str, str]:
    """A boolean is `true` as text of PostgreSQL, and 1 on SQLite."""
    text = value.strip().lower()
    return text, {"true": "1", "false": "0"}.get(text, text)
