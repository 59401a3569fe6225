"""Sequence numbers of deliveries that are about to be sent, to endpoints that want them."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import router

from hookline.engine.settlement import Settlement
from hookline.outgoing import sequence
from hookline.outgoing.deliver.admission import PutOff
from hookline.outgoing.models import UNNUMBERED, Delivery

#: Its row was locked by somebody else at that moment.
_LATER = Settlement.give_back(0.5, "waits for its sequence number")


def numbered(deliveries: list[Delivery]) -> tuple[list[Delivery], list[PutOff]]:
    """Those that have their number, or need none, and those to give back until they have one. Raises DatabaseError."""
    waiting = [one for one in deliveries if one.sequence == UNNUMBERED and one.endpoint.sequenced]
    if not waiting:
        return deliveries, []
    for endpoint_id in {one.endpoint_id for one in waiting}:
        mine = [one for one in waiting if one.endpoint_id == endpoint_id]
        while sequence.number(endpoint_id) == sequence.PORTION and not _read(mine):
            pass
    _read(waiting)
    without = {one.pk for one in waiting if one.sequence == UNNUMBERED}
    if not without:
        return deliveries, []
    sent = [one for one in deliveries if one.pk not in without]
    return sent, [(one, _LATER) for one in deliveries if one.pk in without]


def _read(deliveries: Sequence[Delivery]) -> bool:
    """Read the numbers of deliveries; whether all have one."""
    found = Delivery.objects.using(router.db_for_write(Delivery)).filter(pk__in=[one.pk for one in deliveries])
    numbers = dict(found.values_list("pk", "sequence"))
    for one in deliveries:
        one.sequence = numbers.get(one.pk, UNNUMBERED)
    return all(one.sequence for one in deliveries)
