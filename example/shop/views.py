"""What the shop shows."""

from __future__ import annotations

from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_GET

from shop.models import Invoice


@require_GET
def orders(request: HttpRequest) -> JsonResponse:
    """The newest orders, and what was paid for each."""
    invoices = Invoice.objects.select_related("order").prefetch_related("ledgerentry_set").order_by("-pk")[:100]
    return JsonResponse(
        {
            "orders": [
                {
                    "order": invoice.order.pk,
                    "merchant": invoice.order.merchant,
                    "invoice": invoice.stripe_id,
                    "total": invoice.order.total,
                    "paid": [entry.amount for entry in invoice.ledgerentry_set.all()],
                }
                for invoice in invoices
            ]
        }
    )
