"""A request that was refused, as much of it as is kept, and as the text that is encrypted."""

from __future__ import annotations

import base64
import json

from hookline.core.request import WebhookRequest
from hookline.incoming.models import Rejection


def cut(request: WebhookRequest, most: int) -> tuple[WebhookRequest, bool]:
    """As much of a request as `most` bytes hold of its URL, its headers and its body together; and whether that is all.

    The URL gets a quarter if there is not enough, the headers half of it or what URL and body leave. Headers that do
    not fit are left out, whole.
    """
    url = _cut_text(request.url, most // 4)
    left = most - _cost(url)
    for_headers = max(most // 2, left - len(request.body))
    headers: dict[str, list[str]] = {}
    whole = url == request.url and len(request.method) <= 20
    for name, values in request.headers.items():
        for value in values:
            cost = _cost(name) + _cost(value)
            if cost > min(for_headers, left):
                whole = False
                continue
            headers.setdefault(name, []).append(value)
            for_headers -= cost
            left -= cost
    body = request.body[: max(left, 0)]
    whole = whole and len(body) == len(request.body)
    kept = {name: tuple(values) for name, values in headers.items()}
    return WebhookRequest(request.method[:20], url, kept, body, request.remote_addr[:64]), whole


def _cost(text: str) -> int:
    """The bytes that a text takes in JSON, where some characters take six."""
    return len(json.dumps(text))


def _cut_text(text: str, most: int) -> str:
    while text and _cost(text) > most:
        text = text[: min(len(text) * most // _cost(text), len(text) - 1)]
    return text


def dump(request: WebhookRequest) -> str:
    """A request as text."""
    return json.dumps(
        {
            "method": request.method,
            "url": request.url,
            "headers": request.headers,
            "body": base64.b64encode(request.body).decode(),
        }
    )


def load(rejection: Rejection) -> WebhookRequest:
    """The request that was refused, as far as it was kept."""
    stored = json.loads(rejection.encrypted_request)
    headers = {name: tuple(values) for name, values in stored["headers"].items()}
    return WebhookRequest(
        stored["method"], stored["url"], headers, base64.b64decode(stored["body"]), rejection.remote_addr
    )
