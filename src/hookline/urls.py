"""`path("", include("hookline.urls"))` puts the sources at `/in/<token>`, public keys at
`/.well-known/jwks/`, and `/healthz`, `/readyz` and `/metrics`.

Django takes the first pattern that fits, so a project that has a `/healthz` of its own keeps it by listing it before.
"""

from __future__ import annotations

from django.urls import path

from hookline.incoming.receive.django_view import ingest
from hookline.outgoing.jwks import keys
from hookline.runtime.health import healthz, readyz
from hookline.runtime.metrics import metrics

app_name = "hookline"
urlpatterns = [
    path("in/<str:token>", ingest, name="ingest"),
    path("in/<str:token>/", ingest),  # as some people, and some senders, write every URL
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path(".well-known/jwks/<str:endpoint>", keys, name="jwks"),
    path("metrics", metrics, name="metrics"),
]
