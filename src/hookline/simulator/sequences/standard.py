"""Hookline itself, or another sender of Standard Webhooks: an order is placed, paid and cancelled."""

from __future__ import annotations

from collections.abc import Sequence as Seq

from hookline.simulator.retrying import HOUR, MINUTE, Retrying
from hookline.simulator.sequence import BusinessEvent, Ids, Sequence


def _order(new: Ids) -> Seq[BusinessEvent]:
    about = {"id": new.new("ord_"), "amount": 4200, "currency": "EUR"}
    return (
        BusinessEvent("order.placed", about),
        BusinessEvent("order.paid", about),
        BusinessEvent("order.cancelled", {**about, "reason": "customer_request"}),
    )


SEQUENCES = (
    Sequence("order", "an order that is placed, paid and cancelled", _order, "https://www.standardwebhooks.com/"),
)

#: Those that the specification recommends.
RETRYING = Retrying(
    15.0,
    (5.0, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR),
    source="https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md",
)
