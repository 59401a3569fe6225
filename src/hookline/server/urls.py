"""The URLs of the standalone server. Whatever goes wrong is answered as JSON."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, JsonResponse
from django.urls import include, path

urlpatterns = [path("", include("hookline.api.urls")), path("", include("hookline.urls"))]


def bad_request(request: HttpRequest, exception: Exception) -> JsonResponse:
    return _error("bad_request", 400)


def not_found(request: HttpRequest, exception: Exception) -> JsonResponse:
    return _error("not_found", 404)


def server_error(request: HttpRequest) -> JsonResponse:
    return _error("internal_error", 500)


def _error(code: str, status: int) -> JsonResponse:
    body: dict[str, Any] = {"error": {"code": code}}
    return JsonResponse(body, status=status)


handler400 = "hookline.server.urls.bad_request"
handler404 = "hookline.server.urls.not_found"
handler500 = "hookline.server.urls.server_error"
