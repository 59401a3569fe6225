"""Deliveries that are made claimed (see engine.grant): what the statement that makes them returns of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from django.db import connections, router
from django.db.backends.base.base import BaseDatabaseWrapper

from hookline.db.rows import RowsWithParts, columns
from hookline.engine.grant import free
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


def columns_of_delivery() -> str:
    """What a statement that makes deliveries returns of each."""
    return columns(Delivery)


def columns_joined() -> str:
    """On PostgreSQL: the same of those that go by the name `delivery`, with the columns of their `endpoint`."""
    return _ROWS.columns_of("delivery")


def is_free(vendor: str) -> str:
    """A condition on the endpoint `e`: a claim has nothing to decide about a delivery that is made for it now."""
    return f"e.order_by = '' AND NOT e.sequenced AND {free(Delivery, DIALECTS[vendor], 'e')}"


#: On PostgreSQL: joins the deliveries that are claimed, and their endpoints, to `message`, the messages just written.
JOINED = f"""
    LEFT JOIN (delivery JOIN {Endpoint._meta.db_table} endpoint ON endpoint.id = delivery.endpoint_id)
    ON delivery.message_id = message.id AND delivery.state = 'running'"""


def born_of(rows: Iterable[Sequence[Any]], sent: Mapping[UUID, Sent]) -> list[Delivery]:
    """The deliveries of rows with `columns_joined`, each with its endpoint and its message."""
    connection = connections[router.db_for_write(Delivery)]
    return with_messages(connection, _ROWS.of(connection, list(rows)), sent)


def with_messages(connection: BaseDatabaseWrapper, born: list[Delivery], sent: Mapping[UUID, Sent]) -> list[Delivery]:
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
