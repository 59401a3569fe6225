"""People who can sign in."""

from __future__ import annotations

from django.db import models

from company.models.tenants import Customer
from hookline import publish


class Account(models.Model):
    customer = models.ForeignKey(Customer, models.CASCADE)
    email = models.EmailField(unique=True)
    is_active = models.BooleanField(default=True)
    #: Not published, like every field that is not named.
    password = models.CharField(max_length=128, blank=True, default="")

    def __str__(self) -> str:
        return self.email


publish(
    Account,
    created="account.created",
    updated="account.updated",
    deleted="account.deleted",
    fields=["email", "is_active"],
    tenant="customer.key",
)
