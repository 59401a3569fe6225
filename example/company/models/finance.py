"""Money. What subscribers get of an invoice is what a function makes of it."""

from __future__ import annotations

from typing import Any

from django.db import models

from company.models.tenants import Customer
from hookline import publish


class Bill(models.Model):
    customer = models.ForeignKey(Customer, models.CASCADE)
    number = models.CharField(max_length=20, unique=True)
    total = models.DecimalField(max_digits=10, decimal_places=2)
    paid_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.number


def as_data(bill: Bill) -> dict[str, Any]:
    return {"number": bill.number, "total": bill.total, "paid": bill.paid_at is not None}


publish(Bill, created="bill.created", updated="bill.updated", serialiser=as_data, tenant="customer.key")
