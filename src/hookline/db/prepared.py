"""Prepared: the statements that one connection to PostgreSQL has prepared, run by the functions of libpq.

psycopg's cursor does the same in five times as many calls, and prepares all of them again after each rollback.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import generators, waiting
from psycopg.adapt import PyFormat, Transformer
from psycopg.errors import FeatureNotSupported, InvalidSqlStatementName, error_from_result
from psycopg.pq import ExecStatus, Format, TransactionStatus

#: How many are kept: each takes memory in the server.
MOST = 100

_WAIT_IN_C = getattr(waiting, "wait_c", None)


class Prepared:
    """Of one connection, which one thread uses."""

    def __init__(self, cursor: psycopg.Cursor[Any]) -> None:
        """`cursor` knows how values are written and read."""
        self._connection = cursor.connection
        self._form = Transformer(cursor)
        #: By the statement and the types of its parameters.
        self._names: dict[tuple[bytes, tuple[int, ...]], bytes] = {}
        self._made = 0
        #: Only the main thread is interrupted, and only gevent, which psycopg notices, needs another way of waiting.
        self._may_block = threading.current_thread() is not threading.main_thread() and waiting.wait is _WAIT_IN_C

    def fetch(self, sql: bytes, params: Sequence[Any]) -> list[tuple[Any, ...]]:
        """The rows of a statement, which is prepared when it comes for the first time. Joins the open transaction.

        Raises psycopg.Error.
        """
        form, connection = self._form, self._connection
        with connection.lock:
            values = form.dump_sequence(params, [PyFormat.BINARY] * len(params))
            key = sql, tuple(form.types or ())
            if not connection.autocommit and connection.pgconn.transaction_status == TransactionStatus.IDLE:
                self._run(b"BEGIN")
            name = self._names.get(key) or self._prepare(key)
            try:
                result = self._rows_of(name, values)
            except (FeatureNotSupported, InvalidSqlStatementName):  # a table has changed, or somebody has discarded it
                del self._names[key]
                raise
            form.set_pgresult(result)
            return form.load_rows(0, result.ntuples, tuple)

    def _rows_of(self, name: bytes, values: Sequence[Any]) -> Any:
        pgconn, formats = self._connection.pgconn, self._form.formats
        if self._may_block:
            # Gives the interpreter away once, and not for each call of libpq, after which it would have to wait for it.
            return self._checked(pgconn.exec_prepared(name, values, formats, Format.BINARY), ExecStatus.TUPLES_OK)
        pgconn.send_query_prepared(name, values, formats, Format.BINARY)
        return self._result(ExecStatus.TUPLES_OK)

    def _prepare(self, key: tuple[bytes, tuple[int, ...]]) -> bytes:
        if len(self._names) == MOST:
            self._run(b"DEALLOCATE ALL")
            self._names.clear()
        name = b"hookline_%d" % self._made
        self._made += 1
        self._connection.pgconn.send_prepare(name, *key)
        self._result(ExecStatus.COMMAND_OK)
        self._names[key] = name
        return name

    def _run(self, command: bytes) -> None:
        self._connection.pgconn.send_query(command)
        self._result(ExecStatus.COMMAND_OK)

    def _result(self, expected: ExecStatus) -> Any:
        """Waits as psycopg does: an interrupt cancels the statement, and other greenlets run meanwhile."""
        result, *_ = self._connection.wait(generators.execute(self._connection.pgconn))
        return self._checked(result, expected)

    def _checked(self, result: Any, expected: ExecStatus) -> Any:
        if result.status != expected:
            error = error_from_result(result, self._connection.info.encoding)
            if error.sqlstate is None:  # of libpq's own, because the connection is lost
                raise psycopg.OperationalError(str(error))
            raise error
        return result


def can_be_kept_apart(connection: psycopg.Connection[Any]) -> bool:
    """Whether what is prepared here is safe from psycopg, which after a rollback discards all there is if it has
    prepared any itself; and whether a transaction begins by nothing but BEGIN."""
    return (
        connection.prepare_threshold is None  # as Django has it by default
        and connection.isolation_level is None
        and connection.read_only is None
        and connection.deferrable is None
    )
