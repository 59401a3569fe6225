"""`path("", include("hookline.urls"))` puts the sources at `/in/<token>`, and Prometheus' `/metrics`."""

from __future__ import annotations

from django.urls import path

from hookline.incoming.receive.django_view import ingest
from hookline.runtime.metrics import metrics

app_name = "hookline"
urlpatterns = [
    path("in/<str:token>", ingest, name="ingest"),
    path("in/<str:token>/", ingest),  # as some people, and some senders, write every URL
    path("metrics", metrics, name="metrics"),
]
