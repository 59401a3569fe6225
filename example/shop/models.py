"""Orders, the invoices that Stripe collects for them, and the ledger of what came in."""

from __future__ import annotations

from django.db import models


class Order(models.Model):
    #: The key of the tenant whose endpoints hear about this order.
    merchant = models.CharField(max_length=256, default="default")
    total = models.DecimalField(max_digits=10, decimal_places=2)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"order {self.pk}"


class Invoice(models.Model):
    order = models.OneToOneField(Order, models.CASCADE)
    stripe_id = models.CharField(max_length=255, unique=True)
    paid_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.stripe_id


class LedgerEntry(models.Model):
    """Money that came in. A second one for the same payment would be a mistake, and no constraint prevents it."""

    invoice = models.ForeignKey(Invoice, models.PROTECT)
    amount = models.DecimalField(max_digits=10, decimal_places=2)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name_plural = "ledger entries"

    def __str__(self) -> str:
        return f"{self.amount} for {self.invoice}"
