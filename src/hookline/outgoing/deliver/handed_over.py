"""HandedOver: deliveries that handlers of this process dispatch, claimed in their transaction for its DeliveryLoop."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import Sequence
from functools import cache
from typing import Any
from uuid import UUID

from django.db import connections, router

from hookline.db.rows import columns, columns_with, read, read_with
from hookline.engine.leases import Leases
from hookline.engine.settlement import Settlement
from hookline.engine.sql import dialect_of, names_of
from hookline.outgoing.deliver.load import OF_ENDPOINT, OF_MESSAGE, prepare
from hookline.outgoing.deliver.loop import DeliveryLoop
from hookline.outgoing.deliver.signers import Signers
from hookline.outgoing.models import Delivery, Endpoint, Message

logger = logging.getLogger("hookline.outgoing")

# Only where a claim would have nothing to decide: no order, number, limit, hold or time, and nothing else that waits
# for the endpoint.
_CLAIM = """
WITH ready AS MATERIALIZED (
    SELECT made.id FROM {table} made JOIN {lanes_table} lane ON lane.id = made.{lane}
    WHERE made.message_id {given}
        AND made.state = 'pending' AND made.attempts = 0 AND made.order_key IS NULL AND made.sequence IS NULL
        AND made.due_at <= {now} AND NOT lane.disabled AND lane.held_until IS NULL
        AND {unlimited}
        AND NOT EXISTS (
            SELECT 1 FROM {table} other
            WHERE other.{lane} = lane.id AND other.state = 'pending' AND other.due_at <= {now}
                AND NOT other.message_id {given}
        )
    ORDER BY made.id LIMIT %(limit)s
)
UPDATE {table}
SET state = 'running', claim = claim + 1, attempts = attempts + 1, lease_until = {lease_end}, begun_at = NULL,
    worker = %(worker)s
{parts} {table}.{ready}
RETURNING {columns}
"""
#: On PostgreSQL what sending needs comes back with it.
_PARTS = {"message": OF_MESSAGE, "endpoint": OF_ENDPOINT}
_WITH_PARTS = """FROM {messages} message, {lanes_table} endpoint
WHERE message.id = {table}.message_id AND endpoint.id = {table}.endpoint_id AND"""
_GIVEN = {
    "postgresql": "= ANY(%(messages)s::uuid[])",
    "sqlite": "IN (SELECT value FROM json_each(%(messages)s))",
}


class HandedOver:
    """See Taker and Follower in engine.handover. Safe to use from several threads."""

    def __init__(self, leases: Leases[Delivery], deliveries: DeliveryLoop, loop: asyncio.AbstractEventLoop) -> None:
        self._leases = leases
        self._deliveries = deliveries
        self._loop = loop
        self._signers = Signers()
        self._lock = threading.Lock()

    @property
    def places(self) -> int:
        """See `DeliveryLoop.places`."""
        return self._deliveries.places

    @property
    def room(self) -> int:
        """See `DeliveryLoop.room`."""
        return self._deliveries.room

    @property
    def lease(self) -> float:
        return self._leases.lease

    @property
    def worker(self) -> int | None:
        return self._leases.worker_number()

    def claim(self, made_for: Sequence[UUID]) -> Sequence[Delivery]:
        """Claim the deliveries of these messages in the open transaction. Raises DatabaseError."""
        if (places := self.places) <= 0:
            return []
        connection = connections[router.db_for_write(Delivery)]
        on_sqlite = connection.vendor == "sqlite"
        params = {
            "messages": json.dumps([one.hex for one in made_for]) if on_sqlite else list(made_for),
            "limit": places,
            "lease": self.lease,
            "worker": self.worker,
        }
        sql = _statement(connection.alias)
        claimed = read(Delivery, sql, params) if on_sqlite else read_with(Delivery, sql, params, _PARTS)
        self._leases.read_clock(claimed)
        return claimed

    def take(self, claimed: Sequence[Delivery]) -> None:
        """Have them sent. What cannot be prepared is given back."""
        self._leases.keep(claimed)
        try:
            with self._lock:
                to_send, put_off = prepare(claimed, self._signers, self._leases.now())
            self._loop.call_soon_threadsafe(self._deliveries.take_over, to_send)
        except Exception:  # whatever it is: what is claimed and forgotten would wait until its lease ends
            logger.exception("cannot send what was handed over; others will")
            back = Settlement.give_back(0, "the worker could not take it over")
            self._leases.release([(delivery, back) for delivery in claimed])
            return
        if put_off:
            self._leases.release(put_off)
        if len(to_send) < len(claimed):
            begin = {outbound.id for outbound in to_send}
            for delivery in claimed:
                if delivery.id not in begin:
                    self._leases.forget(delivery)


@cache
def _statement(alias: str) -> str:
    connection: Any = connections[alias]
    dialect = dialect_of(connection)
    names = names_of(Delivery, dialect)
    on_sqlite = connection.vendor == "sqlite"
    return _CLAIM.format(
        **names,
        unlimited=Endpoint.unlimited("lane"),
        given=_GIVEN[connection.vendor],
        lease_end=dialect.later.format("%(lease)s"),
        ready=dialect.among.format("SELECT id FROM ready"),
        parts="WHERE" if on_sqlite else _WITH_PARTS.format(**names, messages=Message._meta.db_table),
        columns=columns(Delivery) if on_sqlite else columns_with(Delivery, _PARTS),
    )
