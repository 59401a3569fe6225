"""Sequence: what happens in a sender's business, event by event, under ids that are new each time."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from collections.abc import Sequence as Seq
from dataclasses import dataclass, field
from typing import Any

from hookline.providers.base import Provider


@dataclass(frozen=True, slots=True)
class BusinessEvent:
    """One event as the sender would name it, with what its payload is about; None: the provider's own sample."""

    type: str
    data: Mapping[str, Any] | None = None


class Ids:
    """Makes ids that nobody has seen, and remembers what to call each, so that two runs can be compared."""

    def __init__(self, nonce: str) -> None:
        self._nonce = nonce
        self._count = itertools.count(1)
        self.names: dict[str, str] = {}

    def new(self, prefix: str) -> str:
        """`sub_` gives `sub_` and letters and digits of its own."""
        count = next(self._count)
        made = f"{prefix}{self._nonce}{count:02d}"
        self.names[made] = f"<{prefix}{count}>"
        return made

    def number(self) -> int:
        """A whole number, where the sender counts."""
        count = next(self._count)
        made = int(self._nonce, 16) % 10**10 * 100 + count
        self.names[str(made)] = f"<number {count}>"
        return made


@dataclass(frozen=True, slots=True)
class Sequence:
    """A story of a sender: `make` returns its events in the order in which they happen."""

    name: str
    title: str
    make: Callable[[Ids], Seq[BusinessEvent]]
    #: Where the sender describes these events.
    source: str = ""


@dataclass(frozen=True, slots=True)
class Instance:
    """One playing of a sequence: its events with their ids, and what to call every id."""

    events: tuple[BusinessEvent, ...]
    event_ids: tuple[str, ...]
    names: Mapping[str, str] = field(repr=False)
    #: Unix time in seconds at which the first one happened.
    happened: float = 0.0


def instance(sequence: Sequence, nonce: str, happened: float) -> Instance:
    """A new playing. `nonce`: hexadecimal digits that no other playing has."""
    ids = Ids(nonce)
    events = tuple(sequence.make(ids))
    event_ids = tuple(ids.new("evt_") for _ in events)
    return Instance(events, event_ids, ids.names, happened)


def of_samples(provider: Provider) -> Sequence:
    """What the provider's own samples show, for senders without a sequence of their own."""

    def make(ids: Ids) -> list[BusinessEvent]:
        return [
            BusinessEvent(event_type, {**data, "reference": ids.new("ref_")} if data else None)
            for event_type, data in list(provider.samples.items())[:3]
        ]

    return Sequence("samples", f"The samples of {provider.title}", make, provider.docs_url)
