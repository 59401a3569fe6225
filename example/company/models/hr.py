"""People who work there."""

from __future__ import annotations

from django.db import models

from company.models.tenants import Customer
from hookline import publish


class Leave(models.Model):
    customer = models.ForeignKey(Customer, models.CASCADE)
    employee = models.CharField(max_length=200)
    begins_on = models.DateField()
    ends_on = models.DateField()
    approved = models.BooleanField(default=False)

    def __str__(self) -> str:
        return f"{self.employee}, {self.begins_on} to {self.ends_on}"


publish(
    Leave,
    created="leave.requested",
    updated="leave.updated",
    deleted="leave.withdrawn",
    fields=["employee", "begins_on", "ends_on", "approved"],
    tenant="customer.key",
)
