"""Sequence numbers: what each endpoint is sent is numbered from 1 on, without a gap, in the order of the commits.

A number that is taken when a message is published would be lost with a rollback, or make every publisher wait for the
one before. So a delivery is written without one (UNNUMBERED), and `number` gives the next numbers to committed
deliveries, many at a time, before a worker sends them or somebody asks for them. The numbers and the endpoint's counter
change in one transaction of their own: a reader who sees a number sees all before it.
See docs/adr/0012-numbers-after-the-commit.md.
"""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from django.db import connections, router, transaction

from hookline.engine.settlement import Settlement
from hookline.engine.sql import uuid_adapter
from hookline.outgoing.models import UNNUMBERED, Delivery, Sequence

#: How many are numbered in one transaction.
PORTION = 1000
#: What to do with a delivery whose row was locked by somebody else at that moment.
_LATER = Settlement.give_back(0.5, "waits for its sequence number")

# What somebody else has locked gets its number later, so that nobody waits here for a delivery.
_NUMBER = """
UPDATE {deliveries} SET sequence = numbered.place + (SELECT last FROM {sequences} WHERE endpoint_id = %s)
FROM (
    SELECT id, row_number() OVER (ORDER BY id) AS place
    FROM (
        SELECT id FROM {deliveries} WHERE endpoint_id = %s AND sequence = 0
        ORDER BY id LIMIT {portion} {lock}
    ) AS unnumbered
) AS numbered
WHERE {deliveries}.id = numbered.id
"""
# The row of the endpoint is the lock: nobody else numbers it until the transaction ends. Each statement after that sees
# what was committed until then.
_BEGIN = "INSERT INTO {sequences} (endpoint_id, last) VALUES (%s, 0) ON CONFLICT (endpoint_id) DO NOTHING"
_LOCK = "UPDATE {sequences} SET last = last WHERE endpoint_id = %s"
_COUNT_ON = "UPDATE {sequences} SET last = last + %s WHERE endpoint_id = %s"


def number(endpoint_id: UUID) -> int:
    """Give the next numbers to the oldest deliveries without one, at most PORTION. Returns how many got one.

    Raises DatabaseError.
    """
    database = router.db_for_write(Delivery)
    connection = connections[database]
    key = uuid_adapter(connection)(endpoint_id)
    names = {
        "deliveries": Delivery._meta.db_table,
        "sequences": Sequence._meta.db_table,
        "portion": PORTION,
        "lock": "FOR NO KEY UPDATE SKIP LOCKED" if connection.vendor == "postgresql" else "",
    }
    with transaction.atomic(using=database), connection.cursor() as cursor:
        cursor.execute(_LOCK.format(**names), [key])
        if not cursor.rowcount:
            cursor.execute(_BEGIN.format(**names), [key])
            cursor.execute(_LOCK.format(**names), [key])
        cursor.execute(_NUMBER.format(**names), [key, key])
        if numbered := int(cursor.rowcount):
            cursor.execute(_COUNT_ON.format(**names), [numbered, key])
    return numbered


def last(endpoint_id: UUID) -> int:
    """The last number that was given. All up to it can be read. Raises DatabaseError."""
    found = Sequence.objects.using(router.db_for_write(Sequence)).filter(endpoint=endpoint_id)
    return found.values_list("last", flat=True).first() or 0


def unnumbered_of(endpoint_ids: Collection[UUID]) -> list[UUID]:
    """Those of the endpoints for which something waits for its number. Raises DatabaseError."""
    rows = Delivery.objects.using(router.db_for_write(Delivery)).filter(sequence=UNNUMBERED)
    return list(rows.filter(endpoint__in=endpoint_ids).values_list("endpoint_id", flat=True).distinct())


def number_all(endpoint_id: UUID) -> None:
    """Number what was committed so far. Raises DatabaseError."""
    unnumbered = Delivery.objects.using(router.db_for_write(Delivery)).filter(endpoint=endpoint_id, sequence=UNNUMBERED)
    while unnumbered.exists() and number(endpoint_id):
        pass


def give_numbers(deliveries: Collection[Delivery]) -> list[tuple[Delivery, Settlement]]:
    """Give each of these, which wait for one, its number. Returns those to give back until they have it.

    Raises DatabaseError.
    """
    for endpoint_id in {one.endpoint_id for one in deliveries}:
        mine = [one for one in deliveries if one.endpoint_id == endpoint_id]
        while number(endpoint_id) == PORTION and not _read(mine):
            pass
    _read(deliveries)
    return [(one, _LATER) for one in deliveries if one.sequence == UNNUMBERED]


def _read(deliveries: Collection[Delivery]) -> bool:
    """Read the numbers of deliveries; whether all have one."""
    found = Delivery.objects.using(router.db_for_write(Delivery)).filter(pk__in=[one.pk for one in deliveries])
    numbers = dict(found.values_list("pk", "sequence"))
    for one in deliveries:
        one.sequence = numbers.get(one.pk, UNNUMBERED)
    return all(one.sequence for one in deliveries)
