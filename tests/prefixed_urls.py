"""A project that includes Hookline's urls under a prefix."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("company/hooks/", include("hookline.urls")),
]
