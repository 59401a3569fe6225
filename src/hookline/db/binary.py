"""Rows to and from PostgreSQL in binary form, past Django's cursor.

Parameters are one array for each column, so the statement is the same for any number of rows. Django's own cursor
writes parameters into the text of the statement, which doubles the size of every body, and reads times as text in
Python, which takes longer than everything else about a row.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any
from uuid import UUID
from weakref import WeakKeyDictionary

from django.db.backends.base.base import BaseDatabaseWrapper

from hookline.db.arrays import Packed, packed

if TYPE_CHECKING:
    from hookline.db.prepared import Prepared


def unnest(types: Sequence[str]) -> str:
    """The FROM item that turns one array parameter for each of these types into rows."""
    return f"unnest({', '.join(f'%b::{name}[]' for name in types)})"


def unnest_any(types: Sequence[str]) -> str:
    """The same as a query, for a prepared statement that joins the rows to others by an id.

    PostgreSQL does not see how long the arrays are while it plans. Otherwise it would find that a plan for just these
    is better than one for any, and so plan a prepared statement each time, for longer than it runs. And it is made to
    expect many rows, where it would expect ten: so it joins them by their hashes, as quickly for a hundred as for one.
    """
    arrays = ", ".join(f"(SELECT %b::{one}[])" for one in types)
    return f"SELECT given.* FROM unnest({arrays}) AS given, generate_series(1, (SELECT 1)) AS once"


def arrays(types: Sequence[str], columns: Sequence[Sequence[Any]]) -> list[Any]:
    """The parameters for `unnest`. Raises DataError for a number that its type does not hold."""
    return [packed(name, column) for name, column in zip(types, columns, strict=True)]


def execute(connection: BaseDatabaseWrapper, sql: str, params: Sequence[Any] | Mapping[str, Any]) -> None:
    """Run a statement that returns nothing. Joins the open transaction."""
    _run(connection, sql, params).close()


def fetch(
    connection: BaseDatabaseWrapper, sql: str, params: Sequence[Any] | Mapping[str, Any]
) -> list[tuple[Any, ...]]:
    """Run a statement and return its rows, JSON as values. Joins the open transaction.

    Nothing is prepared: the plan is made for these very parameters, and for what the tables hold now.
    """
    with _run(connection, sql, params) as cursor, connection.wrap_database_errors:
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


def fetch_prepared(
    connection: BaseDatabaseWrapper, sql: str, params: Sequence[Any] | Mapping[str, Any]
) -> list[tuple[Any, ...]]:
    """The same for a statement that is run again and again: parsing and planning it takes longer than running it.

    A plan is kept for `PLAN_AGE`, so what it does must be right for tables that grow no more than that meanwhile, and
    for any number of rows in its arrays. It is prepared from the third time on, and only on a connection that leads to
    the very server process that answers: through a pooler the next statement may go to another process, which knows
    nothing of it.
    """
    connection.close_if_health_check_failed()
    connection.ensure_connection()
    connection.validate_no_broken_transaction()
    with connection.wrap_database_errors:
        raw: Any = connection.connection
        cursor = _kept_cursor(connection)
        numbered, names = _numbered(sql)
        values: Any = [params[name] for name in names] if names else params  # type: ignore[call-overload]  # if it has names
        if not _may_prepare(raw):
            rows: list[tuple[Any, ...]] = cursor.execute(numbered, values, prepare=False, binary=True).fetchall()
            return rows
        if (now := time.monotonic()) - _PLANNED.get(raw, now) > PLAN_AGE:
            _cursor(raw).execute("DISCARD PLANS", prepare=False)
            _PLANNED[raw] = now
        if (prepared := _prepared_by(cursor)) is not None:
            return prepared.fetch(numbered, values)
        threshold = raw.prepare_threshold
        raw.prepare_threshold = 0
        try:
            rows = cursor.execute(numbered, values, prepare=True, binary=True).fetchall()
        finally:
            raw.prepare_threshold = threshold
        return rows


#: What each cursor has prepared.
_PREPARED: WeakKeyDictionary[Any, Prepared] = WeakKeyDictionary()


def _prepared_by(cursor: Any) -> Prepared | None:
    """None where it is for psycopg to prepare statements and to begin transactions."""
    # psycopg is not there where SQLite is all that is used
    from hookline.db.prepared import Prepared, can_be_kept_apart

    if not can_be_kept_apart(cursor.connection):
        return None
    if (known := _PREPARED.get(cursor)) is None:
        known = _PREPARED[cursor] = Prepared(cursor)
    return known


#: Seconds after which a plan is made again. One made while a table was empty may read the whole table.
PLAN_AGE = 2.0
#: When the oldest plan that each connection keeps was made, in monotonic time.
_PLANNED: WeakKeyDictionary[Any, float] = WeakKeyDictionary()
#: For each connection to PostgreSQL how many statements were candidates for preparing, or at last whether they may be.
_MAY_PREPARE: WeakKeyDictionary[Any, int | bool] = WeakKeyDictionary()


def is_direct(connection: BaseDatabaseWrapper) -> bool:
    """Whether this connection is known to lead to the very server process that answers, and to no pooler."""
    return _MAY_PREPARE.get(connection.connection) is True


def _may_prepare(raw: Any) -> bool:
    known = _MAY_PREPARE.get(raw, 0)
    if known is True or known is False:
        return known
    if known < 2:
        _MAY_PREPARE[raw] = known + 1
        return False
    # A pooler tells its clients process numbers of its own.
    (answering,) = _cursor(raw).execute("SELECT pg_backend_pid()", prepare=False).fetchone()
    _MAY_PREPARE[raw] = may = bool(answering == raw.info.backend_pid)
    _PLANNED[raw] = time.monotonic()
    return may


def fetch_ids(connection: BaseDatabaseWrapper, sql: str, params: Sequence[Any], *, prepared: bool = False) -> set[UUID]:
    """Run a statement that returns ids; `prepared`: as `fetch_prepared` does."""
    return {row[0] for row in (fetch_prepared if prepared else fetch)(connection, sql, params)}


def _run(connection: BaseDatabaseWrapper, sql: str, params: Sequence[Any] | Mapping[str, Any]) -> Any:
    # As Django's cursor does. With CONN_HEALTH_CHECKS the server may have closed the connection since it was used; and
    # what is written in a broken transaction would be rolled back.
    connection.close_if_health_check_failed()
    connection.ensure_connection()
    connection.validate_no_broken_transaction()
    with connection.wrap_database_errors:
        return _cursor(connection.connection).execute(sql, params, prepare=False, binary=True)


#: The cursor of each connection that runs what is prepared. It remembers how types are written and read.
_CURSORS: WeakKeyDictionary[BaseDatabaseWrapper, Any] = WeakKeyDictionary()


def _kept_cursor(connection: BaseDatabaseWrapper) -> Any:
    """One for all statements, since making a cursor takes a third of the time that such a statement takes here."""
    kept = _CURSORS.get(connection)
    if kept is None or kept.connection is not connection.connection:
        kept = _CURSORS[connection] = _cursor(connection.connection, numbered=True)
    return kept


_MARK = re.compile(r"%(?:[bs]|\((\w+)\)[bs]|%)")


@lru_cache(512)
def _numbered(sql: str) -> tuple[bytes, Sequence[str]]:
    """The statement with `$1` and so on for its parameters, as the server takes it, and their names if they have any.

    psycopg remembers that for statements of up to 4096 bytes, and looks for the parameters of longer ones each time.
    """
    names: dict[str, int] = {}
    count = 0

    def number(mark: re.Match[str]) -> str:
        nonlocal count
        if mark[0] == "%%":
            return "%"
        if (name := mark[1]) is not None:
            return f"${names.setdefault(name, len(names) + 1)}"
        count += 1
        return f"${count}"

    return _MARK.sub(number, sql).encode(), tuple(names)


def _cursor(raw: Any, *, numbered: bool = False) -> Any:
    """A cursor of psycopg's, for statements with its marks or with `numbered` parameters."""
    import psycopg

    cursor: Any = (psycopg.RawCursor if numbered else psycopg.Cursor)(raw)
    dumper, loader = _adapters()
    cursor.adapters.register_dumper(Packed, dumper)
    cursor.adapters.register_loader("jsonb", loader)
    return cursor


@cache
def _adapters() -> tuple[Any, Any]:
    """What hands a Packed to psycopg, and what reads JSON, in half of the time that psycopg's own takes.

    Made when first used: psycopg is not there where SQLite is all that is used.
    """
    from psycopg.adapt import Dumper, Loader
    from psycopg.pq import Format

    class PackedDumper(Dumper):
        format = Format.BINARY
        oid = 0  # the statement says which type it is

        def dump(self, obj: Packed) -> Packed:
            return obj

    class JsonLoader(Loader):
        format = Format.BINARY

        def load(self, data: Any) -> Any:
            return _read_json(str(data[1:], "utf-8"))  # behind the version of the form

    return PackedDumper, JsonLoader


_read_json = json.JSONDecoder().decode
