"""Retrying: how long a sender waits for an answer, when it sends an event again, and what it changes then."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import Provider

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0


def no_headers(attempt: int) -> Mapping[str, str]:
    return {}


@dataclass(frozen=True, slots=True)
class Retrying:
    """What a sender documents; without a documented value, the default says nothing."""

    #: Seconds that it waits for an answer.
    deadline: float | None = None
    #: Seconds between one try and the next.
    pauses: tuple[float, ...] = ()
    #: The headers that it adds to a try, the first retry being the second.
    headers: Callable[[int], Mapping[str, str]] = no_headers
    #: Where it says so.
    source: str = ""

    @property
    def lasts(self) -> float:
        """Seconds from the first try to the last."""
        return sum(self.pauses)


def doubling(tries: int, seconds: float) -> tuple[float, ...]:
    """Pauses of which each is twice the one before, for senders that say how often and how long they retry."""
    first = seconds / (2**tries - 1)
    return tuple(first * 2**number for number in range(tries))


def retried(provider: Provider, retrying: Retrying, composed: WebhookRequest, attempt: int) -> WebhookRequest:
    """The unsigned request of a retry: with the headers of this attempt, and with what this sender changes in the body.

    `attempt` 2 is the first retry.
    """
    request = composed.with_headers(retrying.headers(attempt)) if retrying.headers(attempt) else composed
    if attempt < 2 or not provider.retry_fields:
        return request
    try:
        document = json.loads(request.body)
    except ValueError:
        return request
    for path in provider.retry_fields:
        document = _with_other(document, path.split("."), attempt)
    return replace(request, body=json.dumps(document, separators=(",", ":")).encode())


def _with_other(document: Any, path: list[str], attempt: int) -> Any:
    if not isinstance(document, dict) or path[0] not in document:
        return document
    name, *rest = path
    return {**document, name: _with_other(document[name], rest, attempt) if rest else _other(document[name], attempt)}


def _other(value: Any, attempt: int) -> Any:
    """Another value of the same kind: a counter goes on, a time or an id has another last digit."""
    if isinstance(value, bool):
        return True
    if isinstance(value, int):
        return value + attempt - 1
    if isinstance(value, str):
        last = max((place for place, character in enumerate(value) if character.isdecimal()), default=None)
        return value if last is None else f"{value[:last]}{(int(value[last]) + attempt - 1) % 10}{value[last + 1 :]}"
    if isinstance(value, dict):
        return {name: _other(inner, attempt) for name, inner in value.items()}
    if isinstance(value, list):
        return [_other(inner, attempt) for inner in value]
    return value
