"""What the company offers."""

from __future__ import annotations

from django.db import models

from company.models.tenants import Customer
from hookline import publish


class Service(models.Model):
    customer = models.ForeignKey(Customer, models.CASCADE)
    name = models.CharField(max_length=200)
    price = models.DecimalField(max_digits=10, decimal_places=2)

    def __str__(self) -> str:
        return self.name


services = publish(
    Service,
    created="service.created",
    updated="service.updated",
    deleted="service.deleted",
    fields=["name", "price"],
    tenant="customer.key",
)
