"""Answers that leave past Django: the same as those that Django gives."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar
from uuid import UUID

from django.http import HttpRequest, HttpResponse

from hookline.api.errors import answer_of
from hookline.core import ids
from hookline.providers.base import Reply

T = TypeVar("T")
JSON = "application/json"
#: Every answer has these, so that pages of other origins may read it.
CORS = (
    ("access-control-allow-origin", "*"),
    ("vary", "origin, access-control-request-method, access-control-request-headers"),
)


def reply_of(error: Exception, method: str = "POST", path: str = "") -> Reply:
    """What a request that failed is answered."""
    request = HttpRequest()
    request.method, request.path = method, path
    response = answer_of(request, error)
    own = [(name, value) for name, value in response.items() if name.lower() not in ("content-type", "content-length")]
    return Reply(response.content, JSON, response.status_code, (*own, *CORS))


def response_of(reply: Reply) -> HttpResponse:
    """The same for Django, whose gate adds what all answers have."""
    response = HttpResponse(reply.body, status=reply.status, content_type=reply.content_type)
    for name, value in reply.headers:
        response[name] = value
    return response


def json_response(text: bytes, status: int = 200) -> HttpResponse:
    return HttpResponse(text, status=status, content_type=JSON)


def list_text(items: Sequence[bytes], found: Sequence[UUID], prefix: str, *, done: bool) -> bytes:
    """A page of JSON texts, of which these are the ids."""
    if not found:
        return b'{"data":[],"iterator":null,"done":%b}' % (b"true" if done else b"false")
    return b'{"data":[%b],"iterator":"%b","prevIterator":"-%b","done":%b}' % (
        b",".join(items),
        ids.to_text(prefix, found[-1]).encode(),
        ids.to_text(prefix, found[0]).encode(),
        b"true" if done else b"false",
    )


def run(flow: Coroutine[Any, Any, T]) -> T:
    """What a flow that never waits returns."""
    try:
        flow.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    flow.close()
    raise RuntimeError("the flow waits for something, and there is no event loop")
