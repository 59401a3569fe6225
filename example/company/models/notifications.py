"""What people were told. An error in publishing must not keep anybody from being told."""

from __future__ import annotations

from django.db import models

from company.models.tenants import Customer
from hookline import publish


class Notification(models.Model):
    customer = models.ForeignKey(Customer, models.CASCADE)
    title = models.CharField(max_length=200)
    read = models.BooleanField(default=False)

    def __str__(self) -> str:
        return self.title


publish(
    Notification,
    created="notification.created",
    updated="notification.read",
    fields=["title", "read"],
    tenant="customer.key",
    on_error="log",
)
