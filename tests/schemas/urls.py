"""The URLs of the public schema: webhooks of all tenants arrive there."""

from __future__ import annotations

from django.urls import include, path

urlpatterns = [path("", include("hookline.urls"))]
