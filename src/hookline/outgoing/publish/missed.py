"""Which messages an endpoint wants, asked after they were published: for what it never got."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connections, router

from hookline.db.clock import written
from hookline.engine.job import State
from hookline.engine.sql import dialect_of, uuid_adapter
from hookline.outgoing.models import Delivery, Endpoint, Message, value_of
from hookline.outgoing.publish.filtering import passes
from hookline.outgoing.publish.routing import DIALECTS

_WANTED = """
SELECT message.id FROM {messages} message JOIN {endpoints} e ON e.id = %s
WHERE message.tenant_id = e.tenant_id AND message.id IN ({marks}) AND {can_be_sent} AND {may_get} AND {wants}
"""
_COUNT = """
SELECT count(*) FROM {endpoints} e JOIN {messages} message ON message.tenant_id = e.tenant_id
LEFT JOIN {deliveries} delivery ON delivery.message_id = message.id AND delivery.endpoint_id = e.id
WHERE e.id = %s AND message.created_at >= %s AND message.created_at < %s AND {can_be_sent} AND {may_get}
AND {wants}
AND (delivery.id IS NULL OR delivery.state IN ({states}))
"""
#: Its content is there, and it has not expired. What was forwarded may have no body, and says itself for whom it is.
_CAN_BE_SENT = (
    "(length(message.body) > 0 OR message.forwarded IS NOT NULL)"
    " AND (message.expires_at IS NULL OR message.expires_at > {now})"
)


def wanted(endpoint_id: UUID, messages: Sequence[UUID]) -> set[UUID]:
    """Those of the messages that the endpoint, as it is now, wants. Raises DatabaseError."""
    if not messages:
        return set()
    adapt = uuid_adapter(connections[router.db_for_write(Message)])
    rows = _run(_WANTED, [adapt(one) for one in (endpoint_id, *messages)], marks=", ".join(["%s"] * len(messages)))
    return _passing(endpoint_id, {value if isinstance(value, UUID) else UUID(hex=value) for (value,) in rows})


def _passing(endpoint_id: UUID, messages: set[UUID]) -> set[UUID]:
    """Those that pass the filter of the endpoint; all of them where it has none."""
    database = router.db_for_write(Message)
    text = Endpoint.objects.using(database).filter(pk=endpoint_id).values_list("filter", flat=True).first()
    if not text:
        return messages
    bodies = Message.objects.using(database).filter(pk__in=messages).values_list("pk", "body")
    return {key for key, body in bodies if passes(text, value_of(bytes(body)))}


def count_wanted(endpoint_id: UUID, since: datetime, until: datetime, states: Collection[State]) -> int:
    """How many messages of that time the endpoint wants and has no delivery of, or one in these states.

    An upper bound: its filter is not asked, which would mean reading all of them.
    """
    connection = connections[router.db_for_write(Message)]
    times = [written(connection, moment) for moment in (since, until)]
    params = [uuid_adapter(connection)(endpoint_id), *times, *(state.value for state in states)]
    ((count,),) = _run(_COUNT, params, states=", ".join(["%s"] * len(states)))
    return int(count)


def _run(template: str, params: Sequence[Any], **names: str) -> list[tuple[Any, ...]]:
    connection = connections[router.db_for_write(Message)]
    dialect = DIALECTS[connection.vendor]
    sql = template.format(
        messages=Message._meta.db_table,
        endpoints=Endpoint._meta.db_table,
        deliveries=Delivery._meta.db_table,
        can_be_sent=_CAN_BE_SENT.format(now=dialect_of(connection).now),
        may_get=dialect.may_get.format(forwarded="message.forwarded"),
        wants=dialect.wants.format(type="message.type", channels="message.channels"),
        **names,
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return list(cursor.fetchall())
