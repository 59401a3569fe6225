"""What happened, as frozen records: one for a whole batch or group, not one for each row.

A record names rows by what the emitter has at hand (`Any` stands for its row or value, which is only read), because
this layer knows no models. Durations are seconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class EventsStored:
    """Verified events are committed: `new` and `duplicates` have Events, with their sources."""

    new: Sequence[Any]
    duplicates: Sequence[Any] = ()


@dataclass(frozen=True, slots=True)
class RequestRefused:
    """A request was refused and the refusal recorded or counted. `source` is a Source, or None for an unknown URL."""

    source: Any
    reason: str
    status: int
    detail: str = ""


@dataclass(frozen=True, slots=True)
class EventRun:
    """One run of an event's handlers, and the settlement that became true."""

    event: Any
    settlement: Any
    seconds: float


@dataclass(frozen=True, slots=True)
class EventsProcessed:
    """Runs of handlers that are committed, or rolled back and settled."""

    runs: Sequence[EventRun]


@dataclass(frozen=True, slots=True)
class JobsDied:
    """No tries are left, or there is nothing to try. `kind` is the model's `nouns`, such as `events`."""

    kind: str
    model: Any
    ids: Sequence[UUID]


@dataclass(frozen=True, slots=True)
class JobsClaimed:
    kind: str
    number: int


@dataclass(frozen=True, slots=True)
class LeasesLost:
    """Jobs that this worker held belong to another one now."""

    kind: str
    number: int


@dataclass(frozen=True, slots=True)
class LeasesExpired:
    """Jobs whose worker is gone were taken back."""

    kind: str
    number: int


@dataclass(frozen=True, slots=True)
class MessagesPublished:
    """Messages are committed, whether or not an endpoint wants them."""

    number: int


@dataclass(frozen=True, slots=True)
class PublishFailed:
    """A change of a model could not be dispatched as a message of this type."""

    type: str


@dataclass(frozen=True, slots=True)
class DeliveriesAttempted:
    """Attempts are committed. `results` are those whose delivery was still ours."""

    results: Sequence[Any]


@dataclass(frozen=True, slots=True)
class BreakerChanged:
    """An Endpoint's breaker went from one state to another, and that is committed."""

    endpoint: Any
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class EndpointSuspended:
    endpoint: Any
    reason: str


@dataclass(frozen=True, slots=True)
class EndpointNoticed:
    """Its tenant should be notified: `notice` is a Notice; since when it has failed, as ISO 8601, or empty."""

    endpoint: Any
    notice: str
    reason: str
    since: str


@dataclass(frozen=True, slots=True)
class SenderUsed:
    """What a sender has under way: requests and results, deliveries that wait for a turn, and idle connections."""

    sender: int
    under_way: int
    waiting: int
    idle_connections: int


@dataclass(frozen=True, slots=True)
class RowsPruned:
    """Nouns of a kind of row -> how many were deleted."""

    deleted: Mapping[str, int]
