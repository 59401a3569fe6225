"""What the shop does. Each function is one transaction: its rows and its webhooks are there together, or not at all."""

from __future__ import annotations

from decimal import Decimal

from django.db import transaction
from django.utils import timezone

from hookline import dispatch
from shop.models import Invoice, LedgerEntry, Order


@transaction.atomic
def place_order(total: Decimal, stripe_id: str, merchant: str = "default") -> Order:
    """Store an order with its invoice, and tell the merchant's endpoints."""
    order = Order.objects.create(total=total, merchant=merchant)
    Invoice.objects.create(order=order, stripe_id=stripe_id)
    dispatch("order.created", {"order": order.pk, "total": order.total}, tenant=order.merchant)
    return order


@transaction.atomic
def pay_invoice(stripe_id: str, amount: Decimal) -> Invoice:
    """Mark an invoice as paid, write the ledger, and tell the merchant's endpoints. Raises Invoice.DoesNotExist."""
    invoice = Invoice.objects.select_for_update(of=("self",)).select_related("order").get(stripe_id=stripe_id)
    invoice.paid_at = timezone.now()
    invoice.save()
    LedgerEntry.objects.create(invoice=invoice, amount=amount)
    order = invoice.order
    dispatch("order.paid", {"order": order.pk, "amount": amount, "paid_at": invoice.paid_at}, tenant=order.merchant)
    return invoice
