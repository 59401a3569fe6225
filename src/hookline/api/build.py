"""The API itself: which subjects it has, and how Django Ninja is set up for it."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import NinjaAPI

from hookline.api import (
    applications,
    attempts,
    audit,
    deliveries,
    endpoint_actions,
    endpoint_headers,
    endpoint_secret,
    endpoints,
    event_types,
    events,
    follow_ups,
    forwards,
    health,
    jwks,
    keys,
    messages,
    objects,
    operational_webhooks,
    poll,
    rejections,
    replays,
    source_poll,
    sources,
    tasks,
    tokens,
    usage,
)
from hookline.api.errors import answer_of
from hookline.api.query import ApiParser
from hookline.api.renderer import CompactRenderer
from hookline.version import __version__

#: Each has its `routes`.
SUBJECTS = (
    applications,
    messages,
    attempts,
    tokens,
    keys,
    objects,
    sources,
    source_poll,
    forwards,
    events,
    follow_ups,
    deliveries,
    rejections,
    replays,
    audit,
    jwks,
    endpoints,
    endpoint_headers,
    endpoint_secret,
    endpoint_actions,
    poll,
    operational_webhooks,
    event_types,
    tasks,
    usage,
    health,
)


class Api(NinjaAPI):
    def get_content_type(self) -> str:
        return "application/json"


def build() -> Api:
    """An API of its own, so that a project's others are not touched."""
    api = Api(
        title="Hookline",
        version=__version__,
        openapi_url=None,
        docs_url=None,
        urls_namespace="hookline-api-v1",
        parser=ApiParser(),
        renderer=CompactRenderer(),
    )
    for subject in SUBJECTS:
        api.add_router("", subject.routes.router)
    api.add_exception_handler(Exception, partial(_answer))
    # Django Ninja looks for the nearest class, and has handlers of its own for these.
    for error in list(api._exception_handlers):  # noqa: SLF001  # all that it set itself
        api.add_exception_handler(error, _answer)
    return api


def _answer(request: HttpRequest, error: Any) -> HttpResponse:
    return answer_of(request, error)
