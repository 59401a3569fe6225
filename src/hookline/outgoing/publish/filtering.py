"""Deliveries to endpoints with a filter: written by a statement of their own, once the filters have been asked."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache
from typing import Any, Protocol
from uuid import UUID

from django.db.backends.base.base import BaseDatabaseWrapper

from hookline.exceptions import ConfigurationError
from hookline.outgoing.models import Delivery, Endpoint, value_of
from hookline.outgoing.publish.routing import DIALECTS, ORDER_KEY, SEQUENCE

logger = logging.getLogger("hookline.outgoing")

# From the endpoints as they are now: one that was deleted meanwhile would end the caller's transaction.
_POSTGRESQL = """
INSERT INTO {deliveries} (id, message_id, endpoint_id, order_key, sequence{due_at})
SELECT {new_id}, given.message, e.id, {order_key}, {sequence}{due}
FROM jsonb_to_recordset(%s::jsonb) AS given (message uuid, endpoint uuid) JOIN {endpoints} e ON e.id = given.endpoint
"""
_SQLITE = """
INSERT INTO {deliveries} (id, message_id, endpoint_id, order_key, sequence{due_at})
SELECT {new_id}, given.value ->> 'message', e.id, {order_key}, {sequence}{due}
FROM json_each(%s) AS given JOIN {endpoints} e ON e.id = given.value ->> 'endpoint'
"""


class Body(Protocol):
    """What is asked of a message."""

    @property
    def id(self) -> UUID: ...
    @property
    def body(self) -> bytes: ...


def store_passing(
    connection: BaseDatabaseWrapper,
    messages: Iterable[Body],
    asked: Iterable[Sequence[Any]],
    due: datetime | None = None,
) -> int:
    """Write a delivery for each endpoint whose filter its message passes, due at once or then; return how many.

    `asked` has the ids of message and endpoint, and the filter.
    """
    bodies = {message.id: message.body for message in messages}
    values: dict[UUID, Any] = {}
    passing = []
    for message_id, endpoint_id, text in asked:
        message = UUID(message_id)
        if message not in values:
            values[message] = value_of(bodies[message])
        if passes(text, values[message]):
            passing.append({"message": message, "endpoint": UUID(endpoint_id)})
    if not passing:
        return 0
    given = json.dumps(passing, default=str if connection.vendor == "postgresql" else lambda one: one.hex)
    params = (given,) if due is None else (connection.ops.adapt_datetimefield_value(due), given)
    with connection.cursor() as cursor:
        cursor.execute(_statement(connection.vendor, due is not None), params)
        return int(cursor.rowcount)


def passes(text: str, message: Any) -> bool:
    """Whether a message, as a JSON value, passes a filter. One that is none lets nothing pass, and is logged."""
    from hookline.core.payload_filter import payload_filter  # loading it takes a while; only for those who have one

    try:
        return payload_filter(text).matches(message)
    except ConfigurationError as error:  # written past Hookline
        logger.error("a filter lets nothing pass: %s", error)  # noqa: TRY400  # where it was asked says nothing
        return False


@cache
def _statement(vendor: str, scheduled: bool) -> str:
    template = {"postgresql": _POSTGRESQL, "sqlite": _SQLITE}[vendor]
    message = {"postgresql": "given.message", "sqlite": "(given.value ->> 'message')"}[vendor]
    return template.format(
        deliveries=Delivery._meta.db_table,
        endpoints=Endpoint._meta.db_table,
        new_id=DIALECTS[vendor].new_id.format(message=message),
        order_key=ORDER_KEY,
        sequence=SEQUENCE,
        due_at=", due_at" if scheduled else "",
        due=", %s" if scheduled else "",
    )
