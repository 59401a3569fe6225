"""Deliveries that are made claimed (see engine.grant): what the statement that makes them returns of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, Protocol
from uuid import UUID

from django.db import connections, router
from django.db.backends.base.base import BaseDatabaseWrapper

from hookline.db.rows import RowsWithParts, columns
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
    expires_at: datetime | None = getattr(sent, "expires_at", None)
    forwarded: Mapping[str, Any] | None = getattr(sent, "envelope", None)
    values = (sent.id, sent.type, sent.body, expires_at, forwarded, sent.traceparent)
    return Message.from_db(connection.alias, ("id", *OF_MESSAGE), values)
