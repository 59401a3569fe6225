"""Handlers: which of the user's functions wants which events."""

from __future__ import annotations

from typing import Any

from hookline.incoming.models import Source
from hookline.incoming.process import handlers
from hookline.incoming.process.describe import place_of
from hookline.incoming.process.handlers import Handler, HandlerFunction


def registered() -> list[Handler]:
    """All handlers, in the order in which those of an event run."""
    return list(handlers.registered())


def names_for(source: Source, event_type: str) -> list[str]:
    """The names of the handlers that want such an event, in the order in which they run."""
    return [name_of(found.function) for found in handlers.matching(source, event_type)]


def name_of(function: HandlerFunction) -> str:
    """`module.function`."""
    return handlers.name_of(function)


def as_json(handler: Handler) -> dict[str, Any]:
    return {
        "provider": handler.provider,
        "type": handler.pattern,
        "handler": name_of(handler.function),
        "place": place_of(handler.function),
        "source": handler.source,
        "tenant": handler.tenant,
        "order": handler.order,
        "retry": handler.retry and list(handler.retry),
    }


def described() -> list[str]:
    """Every handler with what it wants, such as `shop.webhooks.paid (stripe invoice.*)`."""
    return [f"{name_of(one.function)} ({one.provider} {one.pattern})" for one in handlers.registered()]
