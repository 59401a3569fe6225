"""Whether this process lives, and whether it can do its work."""

from __future__ import annotations

from django.db import DatabaseError
from django.http import HttpRequest, JsonResponse

from hookline.db import schema
from hookline.operations import doctor


def healthz(request: HttpRequest) -> JsonResponse:
    """200 while the process answers at all: restart it otherwise."""
    return JsonResponse({"status": "alive"})


def readyz(request: HttpRequest) -> JsonResponse:
    """200 when the database answers and has every migration and no handler hangs, else 503 with the code of what is
    wrong."""
    try:
        missing = schema.pending()
        hanging = [] if missing else doctor.hanging()
    except DatabaseError:
        return JsonResponse({"error": {"code": "database_unreachable"}}, status=503)
    if missing:
        return JsonResponse({"error": {"code": "migrations_missing", "migrations": missing}}, status=503)
    if hanging:
        return JsonResponse({"error": {"code": "handlers_hang", "hangs": hanging}}, status=503)
    return JsonResponse({"status": "ready"})
