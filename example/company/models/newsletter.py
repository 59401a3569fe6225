"""Who wants the news."""

from __future__ import annotations

from django.db import models

from company.models.tenants import Customer
from hookline import publish


class Subscriber(models.Model):
    customer = models.ForeignKey(Customer, models.CASCADE)
    email = models.EmailField()
    confirmed = models.BooleanField(default=False)

    def __str__(self) -> str:
        return self.email


subscribers = publish(
    Subscriber,
    created="subscriber.created",
    updated="subscriber.confirmed",
    deleted="subscriber.removed",
    fields=["email", "confirmed"],
    tenant="customer.key",
)
