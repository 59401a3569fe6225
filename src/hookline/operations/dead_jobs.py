"""What is dead, by cause: for `hookline doctor`. `since` is the last look: what died later is news."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from hookline.core.url import shown_url
from hookline.engine.job import State
from hookline.incoming.models import Event, Source
from hookline.operations.finding import Finding, named, news, quoted
from hookline.outgoing.models import Delivery, Endpoint

#: Dead jobs that are read, the newest ones, and causes that are told apart.
READ = 2000
CAUSES = 5
#: What is not the same in two notes about the same cause.
_VARYING = re.compile(r"[0-9A-Za-z_-]*\d[0-9A-Za-z_-]*|'[^']*'|\"[^\"]*\"")


@dataclass(slots=True)
class _Group:
    """Dead jobs with one cause."""

    newest: UUID
    note: str
    number: int = 0
    new: int = 0
    types: set[str] = field(default_factory=set)


def events(since: datetime | None) -> Iterator[Finding]:
    """By source and cause: which handler, at which line."""
    rows = Event.objects.filter(state=State.DEAD).order_by("-created_at")
    groups = _groups(rows.values_list("source", "id", "note", "finished_at", "type")[:READ], since)
    sources = Source.objects.in_bulk([source for source, _ in groups])
    for (key, _), group in _largest(groups):
        source = sources[key]
        [only] = group.types if len(group.types) == 1 else [None]
        chosen = f"--source {source.public_id}" + (quoted("--type", only) if only else "")
        what = f"{group.number} dead {'event' if group.number == 1 else 'events'}"
        yield news(
            "dead events",
            f"{what} of {source.public_id}{named(source)}, {_types(group)}: {group.note}. Repair the cause, then retry",
            new=group.new > 0,
            commands=(
                f"events show {Event.public(group.newest)}",
                f"events retry {chosen} --status dead{_limit(group)}",
            ),
        )
    if not groups:
        yield Finding("dead events", True, "no event is dead")


def deliveries(since: datetime | None) -> Iterator[Finding]:
    """By endpoint and cause."""
    rows = Delivery.objects.filter(state=State.DEAD).order_by("-created_at")
    groups = _groups(rows.values_list("endpoint", "id", "note", "finished_at", "message__type")[:READ], since)
    endpoints = Endpoint.objects.in_bulk([endpoint for endpoint, _ in groups])
    for (key, _), group in _largest(groups):
        endpoint = endpoints[key]
        what = f"{group.number} dead {'delivery' if group.number == 1 else 'deliveries'}"
        yield news(
            "dead deliveries",
            f"{what} to {shown_url(endpoint.url)} ({endpoint.public_id}), {_types(group)}: {group.note}. "
            "Repair the cause, then retry",
            new=group.new > 0,
            commands=(
                f"deliveries show {Delivery.public(group.newest)}",
                f"endpoint test {endpoint.public_id}",
                f"deliveries retry --endpoint {endpoint.public_id} --status dead{_limit(group)}",
            ),
        )
    if not groups:
        yield Finding("dead deliveries", True, "no delivery is dead")


def _groups(rows: Iterable[tuple[Any, ...]], since: datetime | None) -> dict[tuple[UUID, str], _Group]:
    groups: dict[tuple[UUID, str], _Group] = {}
    for lane, key, note, finished_at, event_type in rows:
        place = re.search(r"\(at ([^)]*)\)$", note)
        cause = place[1] if place else _VARYING.sub("", note)[:200]
        first_line = (note.split("\n", 1)[0] or "no reason was noted")[:300]
        group = groups.setdefault((lane, cause), _Group(key, first_line))
        group.number += 1
        group.new += since is None or finished_at is None or finished_at > since
        group.types.add(event_type)
    return groups


def _largest(groups: dict[tuple[UUID, str], _Group]) -> list[tuple[tuple[UUID, str], _Group]]:
    return sorted(groups.items(), key=lambda one: (-one[1].new, -one[1].number))[:CAUSES]


def _types(group: _Group) -> str:
    some = sorted(group.types)[:3]
    return ", ".join(some) + (f" and {len(group.types) - len(some)} more types" if len(group.types) > 3 else "")


def _limit(group: _Group) -> str:
    """A retry by filters takes 1,000 unless it is told otherwise."""
    return " --limit 10000" if group.number >= 1000 else ""
