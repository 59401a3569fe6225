"""`GET /metrics`, for Prometheus."""

from __future__ import annotations

import hmac
from ipaddress import ip_address

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from hookline import conf
from hookline.operations.gauges import gauges
from hookline.telemetry.prometheus import prometheus

#: Headers that a proxy adds: then the address of the connection is the proxy's.
PROXY_HEADERS = ("forwarded", "via", "x-forwarded-for", "x-real-ip")


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """All that was counted, and how much waits. 403 for whom it does not concern."""
    if not allowed(request, conf.get().METRICS_TOKEN):
        return JsonResponse({"error": {"code": "forbidden"}}, status=403)
    body, content_type = prometheus.exposition(request.headers.get("accept", ""), beside=(gauges,))
    return HttpResponse(body, content_type=content_type)


def allowed(request: HttpRequest, token: str) -> bool:
    """Whether this request may read the metrics, which name tenants."""
    if token:
        given = request.headers.get("authorization", "")
        return hmac.compare_digest(given.encode(), f"Bearer {token}".encode())
    return not any(name in request.headers for name in PROXY_HEADERS) and _is_near(request.META.get("REMOTE_ADDR", ""))


def _is_near(address: str) -> bool:
    """Whether it is of this machine or network. A Unix socket has none, and whoever uses one is on this machine."""
    if not address:
        return True
    try:
        found = ip_address(address)
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return (mapped or found).is_private
