"""Whether this process lives, and whether it can do its work."""

from __future__ import annotations

from django.db import DatabaseError
from django.http import HttpRequest, JsonResponse

from hookline import conf
from hookline.db import schema
from hookline.operations import doctor
from hookline.runtime.metrics import allowed


def healthz(request: HttpRequest) -> JsonResponse:
    """200 while the process answers at all: restart it otherwise."""
    return JsonResponse({"status": "alive"})


def readyz(request: HttpRequest) -> JsonResponse:
    """200 when the database answers and has every migration and no handler hangs, else 503 with the code of what is
    wrong. Which migrations and handlers, only those learn who may read the metrics."""
    try:
        missing = schema.pending()
        hanging = [] if missing else doctor.hanging()
    except DatabaseError:
        return JsonResponse({"error": {"code": "database_unreachable"}}, status=503)
    if missing:
        return _not_ready(request, "migrations_missing", migrations=missing)
    if hanging:
        return _not_ready(request, "handlers_hang", hangs=hanging)
    return JsonResponse({"status": "ready"})


def _not_ready(request: HttpRequest, code: str, **details: list[str]) -> JsonResponse:
    shown = details if allowed(request, conf.get().METRICS_TOKEN) else {}
    return JsonResponse({"error": {"code": code, **shown}}, status=503)
