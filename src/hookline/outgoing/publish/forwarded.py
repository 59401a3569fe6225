"""`Forwarded`: a webhook that is forwarded with its own bytes, and how it becomes a message with deliveries.

Its id is that of the event, so an event has one message, however often it is forwarded. It goes to the chosen endpoints
that match it: the other conditions of a dispatch (enabled, types, channels, filter) apply as well.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from uuid import UUID

from django.db import connections, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from hookline.db.arrays import packed
from hookline.db.binary import fetch_prepared
from hookline.db.deferred import current
from hookline.db.row import new_id
from hookline.engine import notifier
from hookline.engine.grant import Grant, placed
from hookline.engine.handover import granted_to
from hookline.engine.job import UNREAD, requeue
from hookline.engine.sql import dialect_of
from hookline.outgoing import born
from hookline.outgoing.models import UNNUMBERED, Delivery, Endpoint, Message
from hookline.outgoing.publish import filtering
from hookline.outgoing.publish.dispatch import keep_traces
from hookline.outgoing.publish.missed import wanted
from hookline.outgoing.publish.routing import DIALECTS, ORDER_KEY, SEQUENCE
from hookline.outgoing.publish.statements import TABLES
from hookline.outgoing.publish.store import announce_after_commit

#: Note of deliveries that are due again because their event was processed again.
AGAIN = "its event was processed again"


@dataclass(frozen=True, slots=True)
class Forwarded:
    #: Of the event, and so of the message.
    id: UUID
    tenant_id: UUID
    type: str
    body: bytes = field(repr=False)
    #: The sender's, with names in lower case.
    headers: Mapping[str, str] = field(repr=False)
    #: The endpoints, each with the names of the headers that it gets; None: all of them.
    to: Mapping[UUID, Sequence[str] | None]
    #: Of the span in which it is forwarded.
    traceparent: str | None = None

    @property
    def envelope(self) -> dict[str, Any]:
        """As the column `forwarded` has it."""
        return {"headers": dict(self.headers), "to": {one.hex: names for one, names in self.to.items()}}


def publish(item: Forwarded) -> None:
    """Write it in the caller's transaction: at once, or together with what else the handlers of a batch dispatch."""
    deferred = current(connections[router.db_for_write(Message)])
    if deferred is None:
        write([item])
    else:
        deferred.keep(item, write, TABLES, len(item.body))


def write(items: Sequence[Forwarded]) -> None:
    """Write the messages and their deliveries. What was forwarded before is sent again. Raises DatabaseError."""
    connection = connections[router.db_for_write(Message)]
    dialect_of(connection)  # no other database
    store = _store_on_postgresql if connection.vendor == "postgresql" else _store_on_sqlite
    with transaction.atomic(using=connection.alias, savepoint=False):
        grant = granted_to(connection, Delivery, len(items))
        written, deliveries, claimed = store(connection, items, grant)
        if written:
            announce_after_commit(connection, list(written), deliveries, claimed)
            keep_traces([item for item in items if item.id in written])
        for item in items:
            if item.id not in written:
                _send_again(item)


# Both statements find the endpoints in what they just wrote, as a recovery finds them later.
_POSTGRESQL = """
WITH {granted}message AS (
    INSERT INTO {messages} (id, tenant_id, type, channels, body, forwarded)
    SELECT given.id, given.tenant_id, given.type, '[]'::jsonb, given.body, given.forwarded
    FROM unnest(%b::uuid[], %b::uuid[], %b::text[], %b::bytea[], %b::jsonb[])
        AS given (id, tenant_id, type, body, forwarded)
    ON CONFLICT (id) DO NOTHING
    RETURNING id, tenant_id, type, channels, forwarded
), chosen AS MATERIALIZED (
    SELECT message.id AS message_id, e.id AS endpoint_id, e.filter,
        {order_key} AS order_key, {sequence} AS sequence{free}
    FROM message CROSS JOIN LATERAL jsonb_object_keys(message.forwarded -> 'to') AS given (endpoint)
    JOIN {endpoints} e ON e.id = given.endpoint::uuid AND e.tenant_id = message.tenant_id
    WHERE {wants}
), delivery AS (
    INSERT INTO {deliveries} (id, message_id, endpoint_id, order_key, sequence{claimed_columns})
    SELECT {new_id}, message_id, endpoint_id, order_key, sequence{claimed_values} FROM {made} AS made
    RETURNING {returned}
)
SELECT message.id, (SELECT count(*) FROM delivery), (
    SELECT jsonb_agg(jsonb_build_array(message_id, endpoint_id, filter)) FROM chosen WHERE filter IS NOT NULL
){born} FROM message{born_joined}
"""

_MESSAGES_SQLITE = """
INSERT INTO {messages} (id, tenant_id, type, channels, body, forwarded) VALUES (%s, %s, %s, '[]', %s, %s)
ON CONFLICT (id) DO NOTHING
"""
_CHOSEN_SQLITE = """
FROM {messages} message JOIN json_each(message.forwarded, '$.to') given
JOIN {endpoints} e ON e.id = given.key AND e.tenant_id = message.tenant_id
WHERE message.id IN (SELECT value FROM json_each(%s)) AND {wants}
"""
_DELIVERIES_SQLITE = """
WITH {granted}chosen AS MATERIALIZED (
    SELECT message.id AS message_id, e.id AS endpoint_id, e.filter,
        {order_key} AS order_key, {sequence} AS sequence{free}
    {chosen}
)
INSERT INTO {deliveries} (id, message_id, endpoint_id, order_key, sequence{claimed_columns})
SELECT {new_id}, message_id, endpoint_id, order_key, sequence{claimed_values} FROM {made} AS made WHERE true
{returning}
"""
# The deliveries to make: as they are, or with whether each is made claimed.
_MADE = "(SELECT * FROM chosen WHERE filter IS NULL)"
_MADE_OR_CLAIMED = "(SELECT chosen.*, {placed} AS claimed FROM chosen WHERE filter IS NULL)"
_FILTERED_SQLITE = "SELECT message.id, e.id, e.filter {chosen} AND e.filter IS NOT NULL"


#: The ids of the messages that are new, the number of their deliveries, and those of these that are made claimed.
_Stored = tuple[set[UUID], int, list[Delivery]]


def _store_on_postgresql(connection: BaseDatabaseWrapper, items: Sequence[Forwarded], grant: Grant | None) -> _Stored:
    params = [
        *(grant.params("postgresql") if grant is not None else ()),
        packed("uuid", [item.id for item in items]),
        packed("uuid", [item.tenant_id for item in items]),
        packed("text", [item.type for item in items]),
        packed("bytea", [item.body for item in items]),
        packed("jsonb", [json.dumps(item.envelope) for item in items]),
        new_id(),
    ]
    rows = fetch_prepared(connection, _statement(_POSTGRESQL, "postgresql", granted=grant is not None), params)
    deliveries = rows[0][1] if rows else 0
    claimed: list[Delivery] = []
    if grant is not None:
        claimed = born.born_of([row[3:] for row in rows if row[3] is not None], {item.id: item for item in items})
        grant = grant.left(len(claimed))
    if rows and rows[0][2]:
        made, passed = filtering.store_passing(connection, items, rows[0][2], grant=grant)
        deliveries, claimed = deliveries + made, claimed + passed
    return {row[0] for row in rows}, deliveries, claimed


def _store_on_sqlite(connection: BaseDatabaseWrapper, items: Sequence[Forwarded], grant: Grant | None) -> _Stored:
    written = set()
    claimed: list[Delivery] = []
    with connection.cursor() as cursor:
        for item in items:
            values = (item.id.hex, item.tenant_id.hex, item.type, item.body, json.dumps(item.envelope))
            cursor.execute(_statement(_MESSAGES_SQLITE, "sqlite"), values)
            if cursor.rowcount:
                written.add(item.id)
        ids = json.dumps([one.hex for one in written])
        sql = _statement(_DELIVERIES_SQLITE, "sqlite", granted=grant is not None)
        if grant is None:
            cursor.execute(sql, (ids, new_id().hex))
            deliveries = cursor.rowcount
        else:
            params = (*grant.params("sqlite"), ids, new_id().hex)
            deliveries, claimed = born.made_on_sqlite(connection, sql, params, {item.id: item for item in items})
            grant = grant.left(len(claimed))
        cursor.execute(_statement(_FILTERED_SQLITE, "sqlite"), (ids,))
        made, passed = filtering.store_passing(connection, items, cursor.fetchall(), grant=grant)
        deliveries, claimed = deliveries + made, claimed + passed
    return written, deliveries, claimed


@cache
def _statement(template: str, vendor: str, *, granted: bool = False) -> str:
    dialect = DIALECTS[vendor]
    # Of now, and not of the event, which may have come long ago.
    moment = {"postgresql": "%b::uuid", "sqlite": "%s"}[vendor]
    names = {
        "messages": Message._meta.db_table,
        "deliveries": Delivery._meta.db_table,
        "endpoints": Endpoint._meta.db_table,
        "wants": dialect.wants.format(type="message.type", channels="message.channels"),
    }
    return template.format(
        **names,
        chosen=_CHOSEN_SQLITE.format(**names),
        new_id=dialect.new_id.format(message=moment),
        order_key=ORDER_KEY,
        sequence=SEQUENCE,
        made=_MADE_OR_CLAIMED.format(placed=placed("chosen.free", "chosen.message_id")) if granted else _MADE,
        **born.claiming(vendor, granted=granted),
    )


def _send_again(item: Forwarded) -> None:
    """Send a message that is there to the endpoints that want it: those that are chosen now, too."""
    database = router.db_for_write(Message)
    # Locked, so that whoever sends it again at this moment comes after us.
    message = Message.objects.using(database).select_for_update(no_key=True).get(pk=item.id)
    known = message.forwarded or {"to": {}}
    envelope = {**item.envelope, "to": {**known["to"], **item.envelope["to"]}}
    Message.objects.using(database).filter(pk=item.id).update(forwarded=envelope, body=item.body)
    for endpoint in Endpoint.objects.using(database).filter(pk__in=list(item.to), tenant=item.tenant_id):
        if not wanted(endpoint.pk, [item.id]):
            continue
        deliveries = Delivery.objects.using(database).filter(message=item.id, endpoint=endpoint)
        if deliveries.exists():
            requeue(deliveries, AGAIN)
        else:
            order_key = UNREAD if endpoint.order_by else None
            sequence = UNNUMBERED if endpoint.sequenced else None
            deliveries.create(message_id=item.id, endpoint=endpoint, order_key=order_key, sequence=sequence)
    notifier.notify_after_commit(Delivery)
