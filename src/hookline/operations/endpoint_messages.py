"""What an endpoint was sent, by its sequence numbers, so that a subscriber can prove that it missed nothing."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async

from hookline import conf
from hookline.engine import notifier
from hookline.exceptions import ConfigurationError, Conflict
from hookline.operations.jobs import State
from hookline.outgoing import sequence
from hookline.outgoing.deliver.outbound import body_for, headers_for
from hookline.outgoing.models import Delivery, Endpoint

#: No page has more messages.
MOST = 1000


@dataclass(frozen=True, slots=True)
class Numbered:
    """One message as the endpoint gets it."""

    sequence: int
    delivery: Delivery
    #: Empty once it was expunged.
    body: bytes
    #: Of a webhook that was forwarded, those of the sender's headers that come with it; None for any other.
    headers: Mapping[str, str] | None = None
    #: Why the body for this endpoint cannot be made; then `body` is that of the message.
    problem: str = ""

    @property
    def may_come(self) -> bool:
        """Whether it is still on its way to the URL of the endpoint."""
        return self.delivery.state in (State.PENDING, State.RUNNING)


@dataclass(frozen=True, slots=True)
class Page:
    """The messages behind `since`, in the order of their numbers.

    Every number up to `next` is either in a page or in `gone`, and never comes later.
    """

    since: int
    messages: list[Numbered]
    #: The last number that was given so far.
    last: int
    #: What to ask for next: the last number that this page tells of.
    next: int
    #: First and last of the numbers in between whose messages are gone: their history was pruned.
    gone: list[tuple[int, int]]

    @property
    def more(self) -> bool:
        return self.next < self.last

    @property
    def is_empty(self) -> bool:
        return not (self.messages or self.gone)


def since(endpoint: Endpoint, after: int, *, limit: int = 100, wait: float = 0.0) -> Page:
    """The messages whose numbers are higher than `after`, at most `limit`.

    Where there are none it waits for some, at most `wait` seconds; call it outside of a transaction then. Raises
    Conflict for an endpoint that numbers nothing, or ConfigurationError for a number that cannot be.
    """
    end = time.monotonic() + wait
    rung = threading.Event()
    with notified(rung.set):
        while (page := _read(endpoint, after, limit)).is_empty and (left := end - time.monotonic()) > 0:
            rung.wait(min(left, conf.get().POLL))
            rung.clear()
    return page


async def asince(endpoint: Endpoint, after: int, *, limit: int = 100, wait: float = 0.0) -> Page:
    """`since` for asynchronous code: it holds no thread while it waits."""
    end, loop = time.monotonic() + wait, asyncio.get_running_loop()
    rung = asyncio.Event()

    def ring() -> None:
        loop.call_soon_threadsafe(rung.set)

    with notified(ring):
        while (page := await sync_to_async(_read)(endpoint, after, limit)).is_empty:
            if (left := end - time.monotonic()) <= 0:
                break
            try:
                await asyncio.wait_for(rung.wait(), min(left, conf.get().POLL))
            except TimeoutError:
                continue
            rung.clear()
    return page


@contextmanager
def notified(ring: Callable[[], None]) -> Iterator[None]:
    """Meanwhile `ring` is called, in any thread, when there may be something new for some endpoint. It is a hint."""
    notifications = notifier.of(Delivery)
    notifications.watch(ring)
    try:
        yield
    finally:
        notifications.unsubscribe(ring)


def last_numbers(endpoint_ids: Collection[UUID]) -> dict[UUID, int]:
    """The last number of each of these endpoints, with all that was committed so far, for those who wait for many.

    What is not numbered, or deleted, is left out. It takes two queries, and more only for what is new.
    Raises DatabaseError.
    """
    numbering = Endpoint.objects.filter(sequenced=True, deleted_at=None, tenant__deleted_at=None)
    known = dict(numbering.filter(pk__in=endpoint_ids).values_list("pk", "sequence__last"))
    fresh = sequence.unnumbered_of(known)
    for endpoint_id in fresh:
        sequence.number_all(endpoint_id)
    known |= {endpoint_id: sequence.last(endpoint_id) for endpoint_id in fresh}
    return {endpoint_id: last or 0 for endpoint_id, last in known.items()}


def _read(endpoint: Endpoint, after: int, limit: int) -> Page:
    if not endpoint.sequenced:
        name = endpoint.public_id
        raise Conflict(
            f"endpoint {name} has no sequence numbers; turn them on: `hookline endpoint update {name} --sequence`"
        )
    if after < 0 or not 1 <= limit <= MOST:
        raise ConfigurationError(f"ask for messages since 0 or more, at most {MOST}; got {after} and {limit}")
    sequence.number_all(endpoint.pk)
    last = sequence.last(endpoint.pk)  # before the rows: all up to it are there
    # The condition is the one of the index.
    found = Delivery.objects.filter(endpoint=endpoint, sequence__gt=0).select_related("message")
    rows = list(found.filter(sequence__gt=after, sequence__lte=last).order_by("sequence")[:limit])
    messages = [_numbered(endpoint, delivery) for delivery in rows]
    end = messages[-1].sequence if len(messages) == limit else max(last, after)
    gone, expected = [], after + 1
    for number in [*(message.sequence for message in messages), end + 1]:
        if number > expected:
            gone.append((expected, number - 1))
        expected = number + 1
    return Page(after, messages, last, end, gone)


def _numbered(endpoint: Endpoint, delivery: Delivery) -> Numbered:
    message = delivery.message
    body, problem = bytes(message.body), ""
    if not message.is_expunged:
        body, problem = body_for(endpoint, body)
    headers = None if message.forwarded is None else headers_for(endpoint.pk, message.forwarded)
    return Numbered(delivery.sequence or 0, delivery, body, headers, problem)


def as_json(page: Page) -> dict[str, Any]:
    """A page without the bodies of its messages."""
    return {
        "since": page.since,
        "next": page.next,
        "last": page.last,
        "more": page.more,
        "gone": page.gone,
        "messages": [message_as_json(message) for message in page.messages],
    }


def message_as_json(numbered: Numbered) -> dict[str, Any]:
    """One message without its body. Its id is the `webhook-id`."""
    delivery = numbered.delivery
    return {
        "sequence": numbered.sequence,
        "id": delivery.message.public_id,
        "type": delivery.message.type,
        "delivery": delivery.public_id,
        "status": delivery.state,
        "created_at": delivery.message.created_at,
        **({} if numbered.headers is None else {"headers": dict(numbered.headers)}),
    }
