"""People who applied."""

from __future__ import annotations

from django.db import models

from company.models.tenants import Customer
from hookline import publish


class Application(models.Model):
    customer = models.ForeignKey(Customer, models.CASCADE)
    position = models.CharField(max_length=200)
    stage = models.CharField(max_length=20, default="applied")

    def __str__(self) -> str:
        return f"{self.position}: {self.stage}"


publish(
    Application,
    created="application.created",
    updated="application.moved",
    fields=["position", "stage"],
    tenant="customer.key",
)
