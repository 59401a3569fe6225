"""Deliveries to endpoints with a filter: written by a statement of their own, once the filters have been asked."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from django.db.backends.base.base import BaseDatabaseWrapper

from hookline.db.arrays import packed
from hookline.db.binary import fetch_prepared
from hookline.engine.grant import Grant, placed
from hookline.exceptions import ConfigurationError
from hookline.outgoing import born
from hookline.outgoing.born import Sent
from hookline.outgoing.models import Delivery, Endpoint, value_of
from hookline.outgoing.publish.routing import DIALECTS, ORDER_KEY, SEQUENCE

logger = logging.getLogger("hookline.outgoing")

# From the endpoints as they are now: one that was deleted meanwhile would end the caller's transaction.
_POSTGRESQL = """
WITH {granted}passing AS MATERIALIZED (
    SELECT given.message_id, e.id AS endpoint_id, {order_key} AS order_key, {sequence} AS sequence{free}
    FROM unnest(%b::uuid[], %b::uuid[]) AS given (message_id, endpoint_id)
    JOIN {endpoints} e ON e.id = given.endpoint_id
), delivery AS (
    INSERT INTO {deliveries} (id, message_id, endpoint_id, order_key, sequence{due_at}{claimed_columns})
    SELECT {new_id}, message_id, endpoint_id, order_key, sequence{due}{claimed_values} FROM {made} AS made
    RETURNING {returned}
)
SELECT (SELECT count(*) FROM delivery){born}
FROM (SELECT DISTINCT message_id AS id FROM passing) AS message{born_joined}
"""
_SQLITE = """
WITH {granted}passing AS MATERIALIZED (
    SELECT given.value ->> 0 AS message_id, e.id AS endpoint_id, {order_key} AS order_key, {sequence} AS sequence{free}
    FROM json_each(%s) AS given JOIN {endpoints} e ON e.id = given.value ->> 1
)
INSERT INTO {deliveries} (id, message_id, endpoint_id, order_key, sequence{due_at}{claimed_columns})
SELECT {new_id}, message_id, endpoint_id, order_key, sequence{due}{claimed_values} FROM {made} AS made
{returning}
"""
# The deliveries to make: as they are, or with whether each is made claimed.
_MADE = "passing"
_MADE_OR_CLAIMED = "(SELECT passing.*, {placed} AS claimed FROM passing)"


def store_passing(
    connection: BaseDatabaseWrapper,
    messages: Iterable[Sent],
    asked: Iterable[Sequence[Any]],
    due: datetime | None = None,
    grant: Grant | None = None,
) -> tuple[int, list[Delivery]]:
    """Write a delivery for each endpoint whose filter its message passes, due at once or then.

    Returns how many, and those of them that were made claimed, each with its message. `asked` has the ids of message
    and endpoint, and the filter. A grant is for what is due at once.
    """
    sent = {message.id: message for message in messages}
    values: dict[UUID, Any] = {}
    passing: list[tuple[UUID, UUID]] = []
    for message_id, endpoint_id, text in asked:
        message = UUID(message_id)
        if message not in values:
            values[message] = value_of(sent[message].body)
        if passes(text, values[message]):
            passing.append((message, UUID(endpoint_id)))
    if not passing:
        return 0, []
    store = {"postgresql": _store_on_postgresql, "sqlite": _store_on_sqlite}[connection.vendor]
    return store(connection, passing, sent, due, grant)


def _store_on_postgresql(
    connection: BaseDatabaseWrapper,
    passing: Sequence[tuple[UUID, UUID]],
    sent: Mapping[UUID, Sent],
    due: datetime | None,
    grant: Grant | None,
) -> tuple[int, list[Delivery]]:
    granted = () if grant is None else grant.params("postgresql")
    scheduled = () if due is None else (due,)
    params = (*granted, *(packed("uuid", ids) for ids in zip(*passing, strict=True)), *scheduled)
    rows = fetch_prepared(connection, _statement("postgresql", bool(scheduled), bool(granted)), params)
    claimed = [row[1:] for row in rows if granted and row[1] is not None]
    return rows[0][0] if rows else 0, born.born_of(claimed, sent)


def _store_on_sqlite(
    connection: BaseDatabaseWrapper,
    passing: Sequence[tuple[UUID, UUID]],
    sent: Mapping[UUID, Sent],
    due: datetime | None,
    grant: Grant | None,
) -> tuple[int, list[Delivery]]:
    given = json.dumps([[message.hex, endpoint.hex] for message, endpoint in passing])
    scheduled = () if due is None else (connection.ops.adapt_datetimefield_value(due),)
    sql = _statement("sqlite", bool(scheduled), grant is not None)
    if grant is not None:
        return born.made_on_sqlite(connection, sql, (*grant.params("sqlite"), given), sent)
    with connection.cursor() as cursor:
        cursor.execute(sql, (given, *scheduled))
        return int(cursor.rowcount), []


def passes(text: str, message: Any) -> bool:
    """Whether a message, as a JSON value, passes a filter. One that is none lets nothing pass, and is logged."""
    from hookline.core.payload_filter import payload_filter  # loading it takes a while; only for those who have one

    try:
        return payload_filter(text).matches(message)
    except ConfigurationError as error:  # written past Hookline
        logger.error("a filter lets nothing pass: %s", error)  # noqa: TRY400  # where it was asked says nothing
        return False


@cache
def _statement(vendor: str, scheduled: bool, granted: bool) -> str:
    return {"postgresql": _POSTGRESQL, "sqlite": _SQLITE}[vendor].format(
        deliveries=Delivery._meta.db_table,
        endpoints=Endpoint._meta.db_table,
        new_id=DIALECTS[vendor].new_id.format(message="message_id"),
        order_key=ORDER_KEY,
        sequence=SEQUENCE,
        due_at=", due_at" if scheduled else "",
        due={"postgresql": ", %b::timestamptz", "sqlite": ", %s"}[vendor] if scheduled else "",
        made=_MADE_OR_CLAIMED.format(placed=placed("passing.free", "passing.message_id")) if granted else _MADE,
        **born.claiming(vendor, granted=granted),
    )
