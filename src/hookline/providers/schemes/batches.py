"""Requests that carry many events: each item is read as if it had come in a request of its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.exceptions import NotVerified, Unreadable
from hookline.providers.base import ParsedEvent


def each_item(
    request: WebhookRequest, items: Any, parse: Callable[[WebhookRequest], ParsedEvent]
) -> tuple[ParsedEvent, ...]:
    """What `parse` makes of every item of a verified request, whose body is then the item's compact JSON.

    One bad item refuses them all, and the error says which. Raises Unreadable, or what `parse` raises.
    """
    if not isinstance(items, list) or not items:
        raise Unreadable("wrong_body", "there is no list of events, or an empty one")
    events = []
    for number, item in enumerate(items, 1):
        try:
            events.append(parse(item_request(request, item)))
        except (Unreadable, NotVerified) as error:
            raise type(error)(error.reason, f"item {number} of {len(items)}: {error.detail}") from None
    return tuple(events)


def item_request(request: WebhookRequest, item: Any) -> WebhookRequest:
    """The request with one item as its body. Raises Unreadable for an item that is no JSON object."""
    if not isinstance(item, dict):
        raise Unreadable("wrong_item", "it is not a JSON object")
    try:
        body = json.dumps(item, separators=(",", ":")).encode()
    except RecursionError:
        raise Unreadable("unreadable_json", "nested too deeply") from None
    return replace(request, body=body)
