"""Deliveries that are made claimed (see engine.grant): what the statement that makes them returns of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, Protocol
from uuid import UUID

from django.db import connections, router
from django.db.backends.base.base import BaseDatabaseWrapper

from hookline.db.rows import RowsWithParts, columns, of_columns, of_fields
from hookline.engine import grant
from hookline.engine.grant import free
from hookline.engine.job import State
from hookline.engine.sql import DIALECTS
from hookline.outgoing.models import Delivery, Endpoint, Message

#: What sending needs of an endpoint.
OF_ENDPOINT = (
    "tenant", "url", "breaker_state", "disabled", "encrypted_secrets", "signatures", "encrypted_keys",
    "encrypted_headers", "payload", "retry", "sequenced", "encrypted_access",
)  # fmt: skip
OF_MESSAGE = ("type", "body", "expires_at", "forwarded", "traceparent")

_ROWS = RowsWithParts(Delivery, {"endpoint": OF_ENDPOINT})
_MESSAGE: Any = Delivery._meta.get_field("message")
_ENDPOINT: Any = Delivery._meta.get_field("endpoint")
_MESSAGE_AT = Delivery._meta.concrete_fields.index(_MESSAGE)


class Sent(Protocol):
    """What sending needs of a message that was just written."""

    @property
    def id(self) -> UUID: ...
    @property
    def type(self) -> str: ...
    @property
    def body(self) -> bytes: ...
    @property
    def traceparent(self) -> str | None: ...


#: On PostgreSQL: joins the deliveries that are claimed, and their endpoints, to `message`, the messages just written.
_JOINED = f"""
LEFT JOIN (delivery JOIN {Endpoint._meta.db_table} endpoint ON endpoint.id = delivery.endpoint_id)
    ON delivery.message_id = message.id AND delivery.state = 'running'"""


@cache
def claiming(vendor: str, *, granted: bool) -> Mapping[str, str]:
    """The parts of a statement by which it makes deliveries claimed, if that is granted.

    `made` are the rows to insert, with whether each is `claimed`. What it returns of these goes by `delivery`.
    """
    if not granted:
        return {**dict.fromkeys(claiming(vendor, granted=True), ""), "returned": "1"}
    is_free = f"e.order_by = '' AND NOT e.sequenced AND {free(Delivery, DIALECTS[vendor], 'e')}"
    return {
        "granted": f"{grant.granted(vendor)}, ",
        "free": f", {is_free} AS free",
        "claimed_columns": f", {grant.CLAIMED_COLUMNS}",
        "claimed_values": f", {grant.claimed_values(DIALECTS[vendor], 'made.claimed')}",
        "returned": columns(Delivery),
        "returning": f"RETURNING {columns(Delivery)}",
        "born": f", {_ROWS.columns_of('delivery')}",
        "born_joined": _JOINED,
    }


def made_on_sqlite(
    connection: BaseDatabaseWrapper, sql: str, params: Sequence[Any], sent: Mapping[UUID, Sent]
) -> tuple[int, list[Delivery]]:
    """Run a statement that is granted: how many deliveries it made, and those that are claimed."""
    made = list(Delivery.objects.using(connection.alias).raw(sql, params))
    return len(made), _with_messages(connection, [one for one in made if one.state == State.RUNNING], sent)


def born_of(rows: Sequence[Sequence[Any]], sent: Mapping[UUID, Sent]) -> list[Delivery]:
    """On PostgreSQL: the deliveries of the columns `born`, each with its endpoint and its message."""
    connection = connections[router.db_for_write(Delivery)]
    return _with_messages(connection, _ROWS.of(connection, rows), sent)


#: A row to be given to a worker: all columns of a delivery, then those of its endpoint, and those of its message.
_WIDTH = len(Delivery._meta.concrete_fields)


def to_give(rows: Iterable[Sequence[Any]], sent: Mapping[UUID, Sent]) -> list[Sequence[Any]]:
    """Of rows with the columns `born`, what `given` makes the deliveries of, perhaps in another process.

    The values of an endpoint or a message are one object, so that they travel once.
    """
    endpoints: dict[int, Sequence[Any]] = {}
    messages = {key.int: _values_of(one) for key, one in sent.items()}
    return [
        (*row[:_WIDTH], endpoints.setdefault(row[_WIDTH].int, row[_WIDTH:]), messages[row[_MESSAGE_AT].int])
        for row in rows
    ]


def given(rows: Sequence[Sequence[Any]]) -> list[Delivery]:
    """The deliveries of such rows, each with its endpoint and its message."""
    connection = connections[router.db_for_write(Delivery)]
    endpoints = {row[_WIDTH][0].int: row[_WIDTH] for row in rows}
    endpoint_of = {one.id.int: one for one in of_fields(Endpoint, connection, OF_ENDPOINT, list(endpoints.values()))}
    messages = {row[_WIDTH + 1][0].int: row[_WIDTH + 1] for row in rows}
    message_of = {one.id.int: one for one in of_fields(Message, connection, OF_MESSAGE, list(messages.values()))}
    made = of_columns(Delivery, connection, [row[:_WIDTH] for row in rows])
    for delivery in made:
        _ENDPOINT.set_cached_value(delivery, endpoint_of[delivery.endpoint_id.int])
        _MESSAGE.set_cached_value(delivery, message_of[delivery.message_id.int])
    return made


def _with_messages(connection: BaseDatabaseWrapper, born: list[Delivery], sent: Mapping[UUID, Sent]) -> list[Delivery]:
    """Give each its message, of the values that were written."""
    made: dict[UUID, Message] = {}
    for delivery in born:
        key = delivery.message_id
        if key not in made:
            made[key] = _message_of(connection, sent[key])
        _MESSAGE.set_cached_value(delivery, made[key])
    return born


def _message_of(connection: BaseDatabaseWrapper, sent: Sent) -> Message:
    return Message.from_db(connection.alias, ("id", *OF_MESSAGE), _values_of(sent))


def _values_of(sent: Sent) -> Sequence[Any]:
    """Of the columns "id" and OF_MESSAGE."""
    expires_at: datetime | None = getattr(sent, "expires_at", None)
    forwarded: Mapping[str, Any] | None = getattr(sent, "envelope", None)
    return sent.id, sent.type, sent.body, expires_at, forwarded, sent.traceparent
