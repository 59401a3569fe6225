"""What each tenant has in a schema of its own."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class Payment(models.Model):
    number = models.CharField(max_length=100)
    mailed = models.BooleanField(default=False)

    objects: ClassVar[models.Manager[Payment]] = models.Manager()

    class Meta:
        app_label = "shop"

    def __str__(self) -> str:
        return self.number
