"""Requests that carry many events: each item is read as if it had come in a request of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import ClassVar

from hookline.core.json_slices import JsonSlice
from hookline.core.request import WebhookRequest
from hookline.exceptions import NotVerified, TooLarge, Unreadable
from hookline.providers.base import ParsedEvent, Provider, SourceConfig

#: Bytes that each event of a batch may have besides its own part of the request: what stands around the items is
#: repeated in every one of them. Senders put a few hundred there.
MAX_COMMON = 4096


class Batched(Provider):
    """A sender that puts its events into a list: at this dotted path of the body, or the body itself."""

    list_at: ClassVar[str] = ""

    def events(self, request: WebhookRequest, config: SourceConfig) -> Iterable[ParsedEvent]:
        bodies = items_at(request.body, self.list_at)
        return each_item(request, bodies, lambda item: self.parsed_event(item, config), most=self.max_events)


def each_item(
    request: WebhookRequest, bodies: Iterable[bytes], parse: Callable[[WebhookRequest], ParsedEvent], *, most: int
) -> tuple[ParsedEvent, ...]:
    """`parse_each` for items that are JSON objects."""
    return parse_each(request, bodies, lambda item: parse(json_item(item)), most=most)


def parse_each(
    request: WebhookRequest, bodies: Iterable[bytes], parse: Callable[[WebhookRequest], ParsedEvent], *, most: int
) -> tuple[ParsedEvent, ...]:
    """What `parse` makes of every item of a verified request, given the bytes of each. `most`: what one may carry.

    An item that cannot be read is kept as an event of the type `unreadable` beside those that can: the sender would
    send the same batch for ever, and the good ones would never get in. Where none can be read, the request is refused
    as one event that cannot be read would be. An item that is not verified refuses them all, since then the request
    is not the sender's. The error says which item it was. Raises Unreadable, TooLarge, or what `parse` raises.
    """
    bodies = bounded(len(request.body), bodies, most)
    if not bodies:
        raise Unreadable("wrong_body", "there is no list of events, or an empty one")
    events = []
    problems = []
    for number, body in enumerate(bodies, 1):
        try:
            events.append(parse(replace(request, body=body)))
        except (Unreadable, NotVerified) as error:
            problem = type(error)(error.reason, f"item {number} of {len(bodies)}: {error.detail}")
            if not isinstance(problem, Unreadable):
                raise problem from None
            events.append(ParsedEvent.unreadable(body, problem))
            problems.append(problem)
    if len(problems) == len(bodies):
        raise problems[0]
    return tuple(events)


def bounded(request_length: int, bodies: Iterable[bytes], most: int) -> list[bytes]:
    """The bodies of a batch. Raises TooLarge for more events, or more bytes, than a sender makes of such a request.

    Half a request of items and half of what is common to them would otherwise become its square.
    """
    found: list[bytes] = []
    left = request_length
    for body in bodies:
        if len(found) == most:
            raise TooLarge("too_many_events", f"the request has more than {most} events")
        left += MAX_COMMON - len(body)
        if left < 0:
            raise TooLarge("batch_too_large", f"the events of the request have more than {MAX_COMMON} bytes in common")
        found.append(body)
    return found


def json_item(item: WebhookRequest) -> WebhookRequest:
    """The same request. Raises Unreadable for an item that is no JSON object."""
    if not isinstance(item.json(), dict):
        raise Unreadable("wrong_item", "it is not a JSON object")
    return item


def items_at(text: bytes, path: str = "") -> list[bytes]:
    """The exact bytes of each item of the list at a dotted path, or of the text itself. Raises Unreadable.

    The text must be JSON that was read before.
    """
    found = json_list(JsonSlice.whole(text), path)
    if found is None:
        raise Unreadable("wrong_body", "there is no list of events, or an empty one")
    return [item.raw for item in found]


def json_list(document: JsonSlice, path: str = "") -> Sequence[JsonSlice] | None:
    """The items of the list at a dotted path, or of the document itself; None where there is no list."""
    place = document.at(path) if path else document
    return place.items if place is not None and place.is_list else None


def exact_without(request: WebhookRequest, names: frozenset[str]) -> bytes:
    """The request's JSON object without some members, and all others as they were sent. Raises Unreadable.

    For hashing what is the same when the sender tries again.
    """
    if not isinstance(request.json(), dict):
        raise Unreadable("wrong_body", "the body is not a JSON object")
    return JsonSlice.whole(request.body).with_members(dict.fromkeys(names)).encode()
