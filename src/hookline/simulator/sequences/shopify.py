"""Shopify: an order from the cart to the parcel. https://shopify.dev/docs/api/webhooks"""

from __future__ import annotations

from collections.abc import Sequence as Seq

from hookline.simulator.retrying import HOUR, Retrying, doubling
from hookline.simulator.sequence import BusinessEvent, Ids, Sequence


def _order(new: Ids) -> Seq[BusinessEvent]:
    order = {"id": new.number(), "email": "ada@example.com", "currency": "EUR", "total_price": "398.00"}

    def of(topic: str, paid: str, sent: str | None, updated: str) -> BusinessEvent:
        state = {"financial_status": paid, "fulfillment_status": sent, "updated_at": updated}
        return BusinessEvent(topic, {**order, **state})

    return (
        of("orders/create", "pending", None, "2026-03-02T09:00:00+01:00"),
        of("orders/paid", "paid", None, "2026-03-02T09:00:07+01:00"),
        of("orders/fulfilled", "paid", "fulfilled", "2026-03-03T14:12:40+01:00"),
    )


SEQUENCES = (
    Sequence(
        "order",
        "an order that is placed, paid and sent",
        _order,
        "https://shopify.dev/docs/api/webhooks",
    ),
)

RETRYING = Retrying(
    5.0, doubling(8, 4 * HOUR), source="https://shopify.dev/changelog/updates-to-webhook-retry-mechanism"
)
