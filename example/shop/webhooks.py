"""What the shop does about webhooks. Hookline imports this module by its name."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from hookline import Retry, handler
from shop.models import Invoice
from shop.services import pay_invoice

if TYPE_CHECKING:
    from hookline.models import Event


@handler("stripe", "invoice.paid")
def invoice_paid(event: Event) -> None:
    """Runs in the transaction that also marks the event as processed, so the ledger gets one row per payment."""
    paid = event.json["data"]["object"]
    try:
        pay_invoice(paid["id"], Decimal(paid["amount_paid"]).scaleb(-2))  # Stripe counts in cents
    except Invoice.DoesNotExist:
        # Stripe can be faster than the transaction that stores the order.
        raise Retry(60, f"there is no invoice {paid['id']} yet") from None
