"""Gate: every request to the API passes through here, and every answer has one of our forms.

Django Ninja knows paths and methods. What is the same for all of them is here: slashes at the end are ignored, HEAD,
OPTIONS, CORS and the maximum length of a body.
"""

from __future__ import annotations

import logging
from typing import Any

from django.db import connections, transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import Resolver404, URLResolver
from django.urls.resolvers import RegexPattern
from django.views.decorators.csrf import csrf_exempt
from ninja import NinjaAPI

from hookline.api.document import Pages
from hookline.api.errors import answer, answer_of
from hookline.api.idempotency import once
from hookline.api.routes import Routes

logger = logging.getLogger("hookline.api")

#: Of a request.
MAX_BODY = 2 * 1024 * 1024
_VARY = "origin, access-control-request-method, access-control-request-headers"


class Gate:
    """A Django view for everything under the prefix of an API."""

    csrf_exempt = True  # a browser never sends the token by itself

    def __init__(self, api: NinjaAPI) -> None:
        self._resolver = URLResolver(RegexPattern(r""), api.urls[0])
        self._pages = Pages(api)

    def view(self) -> Any:
        """For `urlpatterns`."""

        @csrf_exempt
        def api(request: HttpRequest, rest: str = "") -> HttpResponseBase:
            return self.answer(request, rest)

        # Each operation has a transaction of its own; what a key has used is committed before it.
        for alias in connections:
            api = transaction.non_atomic_requests(using=alias)(api)
        return api

    def answer(self, request: HttpRequest, rest: str) -> HttpResponseBase:
        """The answer to a request for the path `rest` behind the prefix, which is never an exception."""
        if request.method == "OPTIONS":
            response: HttpResponseBase = _preflight(request)
        else:
            try:
                response = self._answered(request, rest.strip("/"))
            except Exception as error:  # noqa: BLE001  # nothing but our shapes leaves
                response = answer_of(request, error)
        response["access-control-allow-origin"] = "*"
        response["vary"] = _VARY
        return response

    def _answered(self, request: HttpRequest, path: str) -> HttpResponseBase:
        if too_large(request):
            return answer(413, "payload_too_large", f"the body is longer than {MAX_BODY} bytes")
        if (shown := self._pages.answer(request, path)) is not None:
            return shown
        try:
            if "\x00" in path:  # no id or uid holds it, and PostgreSQL takes it in no text
                raise Resolver404
            match = self._resolver.resolve(path)
        except Resolver404:
            return answer(404, "not_found", "no operation has this path")
        asked = request.method
        if asked == "HEAD":  # the same as GET; whoever serves leaves out the body
            request.method = "GET"

        def run() -> HttpResponseBase:
            response: HttpResponseBase = match.func(request, *match.args, **match.kwargs)
            return response

        try:
            kept = asked == "POST" and f"POST {match.route}" not in Routes.own_transactions
            response = once(request, run) if kept else run()
        finally:
            request.method = asked
        if response.status_code == 405:
            allow = response["Allow"]
            response = answer(405, "method_not_allowed", f"this path takes {allow}")
            response["Allow"] = allow
        if response.status_code == 204 and isinstance(response, HttpResponse):
            response.content = b""
            del response["content-type"]
        return response


def too_large(request: HttpRequest) -> bool:
    length = request.META.get("CONTENT_LENGTH") or "0"
    return (length.isdecimal() and int(length) > MAX_BODY) or len(request.body) > MAX_BODY


def _preflight(request: HttpRequest) -> HttpResponse:
    response = HttpResponse(status=200)
    del response["content-type"]
    response["access-control-allow-methods"] = "*"
    response["access-control-max-age"] = "600"
    if wanted := request.headers.get("Access-Control-Request-Headers"):
        response["access-control-allow-headers"] = wanted
    return response
