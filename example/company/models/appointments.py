"""When people meet."""

from __future__ import annotations

from django.db import models

from company.models.tenants import Customer
from hookline import publish


class Appointment(models.Model):
    customer = models.ForeignKey(Customer, models.CASCADE)
    subject = models.CharField(max_length=200)
    begins_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.subject


publish(
    Appointment,
    created="appointment.booked",
    updated="appointment.moved",
    deleted="appointment.cancelled",
    fields=["subject", "begins_at"],
    tenant="customer.key",
)
