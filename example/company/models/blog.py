"""Posts."""

from __future__ import annotations

from django.db import models

from company.models.tenants import Customer
from hookline import publish


class Post(models.Model):
    customer = models.ForeignKey(Customer, models.CASCADE)
    slug = models.SlugField(unique=True)
    title = models.CharField(max_length=200)
    body = models.TextField(blank=True, default="")
    published = models.BooleanField(default=False)

    def __str__(self) -> str:
        return self.title


publish(
    Post,
    created="post.created",
    updated="post.updated",
    deleted="post.deleted",
    fields=["slug", "title", "published"],
    tenant="customer.key",
)
