"""The shop's URLs."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("shop/", include("shop.urls")),
    path("", include("hookline.urls")),  # webhooks arrive at /in/<token>
]
