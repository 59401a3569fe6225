"""A table of webhook deliveries as projects have it: no unique constraint, and duplicates. Made up, always the same.

`WebhookDelivery(endpoint, event_id, status, payload, headers, received_at)`, on SQLite or PostgreSQL, read and written
without Hookline.
"""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

TABLE = "webhook_delivery"
#: Shares of rows that are a duplicate of an earlier one, and that have no event id.
DUPLICATES, NAMELESS = 0.2, 0.02
_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
_TYPES = ("invoice.paid", "invoice.payment_failed", "customer.created", "charge.refunded")

Row = tuple[int, str, str | None, str, str, str, datetime]


def rows(number: int, seed: int = 7) -> Iterator[Row]:
    """(id, endpoint, event_id, status, payload, headers, received_at), in the order of the ids."""
    made_up = random.Random(seed)
    earlier: list[tuple[str, str | None, str]] = []  # few of them, so that memory stays flat
    for key in range(1, number + 1):
        if earlier and made_up.random() < DUPLICATES:
            endpoint, event_id, payload = made_up.choice(earlier)
        else:
            endpoint = made_up.choice(("shop", "billing"))
            event_id = None if made_up.random() < NAMELESS else f"evt_{key}"
            if event_id is None and made_up.random() < 0.5:
                event_id = ""
            body = {"id": event_id, "object": "event", "type": made_up.choice(_TYPES), "amount": made_up.randrange(999)}
            payload = json.dumps(body if event_id else {**body, "id": f"evt_without_{key}"})
            if len(earlier) < 5000:
                earlier.append((endpoint, event_id, payload))
            else:
                earlier[made_up.randrange(5000)] = (endpoint, event_id, payload)
        status = made_up.choices(("processed", "failed", "received"), (70, 10, 20))[0]
        headers = json.dumps({"Stripe-Signature": "t=1,v1=made-up", "User-Agent": "Stripe/1.0", "Authorization": "x"})
        received = _BEGIN + timedelta(seconds=key // 3, milliseconds=made_up.randrange(1000))
        yield key, endpoint, event_id, status, payload, headers, received


class Database:
    """A database by its URL, spoken to with its own driver."""

    def __init__(self, url: str) -> None:
        self.is_sqlite = url.startswith("sqlite")
        self._connection: Any
        if self.is_sqlite:
            self._connection = sqlite3.connect(urlsplit(url).path, timeout=30)
        else:
            import psycopg

            self._connection = psycopg.connect(url, autocommit=True)

    def close(self) -> None:
        self._connection.close()

    def fetch(self, sql: str, params: Sequence[Any] = ()) -> list[Any]:
        cursor = self._connection.execute(sql if self.is_sqlite else sql.replace("?", "%s"), params)
        return list(cursor.fetchall())

    def each(self, sql: str) -> Iterator[Any]:
        """The rows, a few in memory at a time."""
        if self.is_sqlite:
            yield from self._connection.execute(sql)
            return
        with self._connection.transaction(), self._connection.cursor("rows") as cursor:
            cursor.itersize = 5000
            yield from cursor.execute(sql)

    def fill(self, number: int) -> None:
        """Make the table with so many rows."""
        text = "TEXT" if self.is_sqlite else "JSONB"
        moment = "datetime" if self.is_sqlite else "timestamptz"
        self._connection.execute(
            f"CREATE TABLE {TABLE} (id BIGINT PRIMARY KEY, endpoint VARCHAR(50), event_id VARCHAR(255), "
            f"status VARCHAR(20), payload TEXT, headers {text}, received_at {moment})"
        )
        if self.is_sqlite:
            with self._connection:
                self._connection.executemany(
                    f"INSERT INTO {TABLE} VALUES (?, ?, ?, ?, ?, ?, ?)",
                    ((*row[:6], row[6].strftime("%Y-%m-%d %H:%M:%S.%f")) for row in rows(number)),
                )
            return
        with self._connection.cursor() as cursor, cursor.copy(f"COPY {TABLE} FROM STDIN") as copy:
            for row in rows(number):
                copy.write_row(row)
        self._connection.execute(f"ANALYZE {TABLE}")


@contextmanager
def database(url: str) -> Iterator[Database]:
    opened = Database(url)
    try:
        yield opened
    finally:
        opened.close()
