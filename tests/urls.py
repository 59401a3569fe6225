"""The URLs of the Django project that the tests run in."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("", include("hookline.urls")),
    path("", include("hookline.api.urls")),
]
