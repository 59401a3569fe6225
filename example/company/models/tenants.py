"""Customers of the company, which are the tenants that hear of everything else."""

from __future__ import annotations

from django.db import models

from hookline import publish


class Customer(models.Model):
    #: The key of its tenant in Hookline.
    key = models.SlugField(unique=True)
    name = models.CharField(max_length=200)
    plan = models.CharField(max_length=20, default="free")

    def __str__(self) -> str:
        return self.name


publish(Customer, updated="customer.updated", fields=["key", "name", "plan"], tenant="key")
