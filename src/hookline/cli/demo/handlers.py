"""The demo's handler, as a user would write it in `webhooks.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hookline import dispatch, handler

if TYPE_CHECKING:
    from hookline.models import Event


@handler("stripe", "invoice.paid")
def invoice_paid(event: Event) -> None:
    """Tell the tenant's endpoints. The message exists if and only if this event is processed: they commit together."""
    invoice = event.json["data"]["object"]
    dispatch(
        "invoice.paid",
        {"invoice": invoice.get("id"), "amount": invoice.get("amount_paid"), "currency": invoice.get("currency")},
        tenant=event.tenant,
    )
