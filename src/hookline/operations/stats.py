"""How much there is, and what needs a person, at a cost that does not grow with the rows."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

from hookline.core import ids
from hookline.core.breaker import State
from hookline.core.url import shown_url
from hookline.db.clock import moment
from hookline.engine.backlog import MOST, Backlog, backlog_of
from hookline.engine.kind import declared
from hookline.incoming.models import Event, Rejection
from hookline.incoming.receive.rejections import only_counted
from hookline.operations.failing import why_failing
from hookline.outgoing.models import Endpoint

__all__ = ["Backlog", "Stats", "backlogs", "take", "unhandled_by_type"]

#: Endpoints that are named when they need a person.
NAMED = 1000
#: How many are listed with their reasons.
SHOWN = 20
_DAY = 86400


@dataclass(frozen=True, slots=True)
class Troubled:
    """An endpoint to which nothing is sent, and why."""

    id: str
    url: str
    reason: str


@dataclass(frozen=True, slots=True)
class Stats:
    #: Kind of job -> its backlog.
    backlogs: dict[str, Backlog]
    #: Reason -> how many of the newest 10,000 rejections of the last 24 hours had it.
    rejections: dict[str, int]
    #: Reason -> how many more were refused in that time and only counted.
    only_counted: dict[str, int]
    #: The public ids of the endpoints that wait for a person, and of those whose breaker is not closed.
    suspended: list[str]
    broken: list[str]
    #: Type -> how many of the newest 10,000 unhandled events of the last 24 hours had it.
    unhandled: dict[str, int]
    #: The first of those endpoints, for people.
    troubled: list[Troubled]

    def as_json(self) -> dict[str, Any]:
        return {
            **{kind: _as_json(backlog) for kind, backlog in self.backlogs.items()},
            "rejections_24h": self.rejections,
            "rejections_only_counted_24h": self.only_counted,
            "unhandled_24h": self.unhandled,
            "endpoints": {
                "suspended": self.suspended,
                "broken": self.broken,
                "troubled": [asdict(one) for one in self.troubled],
            },
        }


def take() -> Stats:
    """Raises DatabaseError."""
    now = time.time()
    unhandled = dict(sorted(unhandled_by_type(now - _DAY).items()))
    rejections = (_rejections_by_reason(now), _only_counted_by_reason(now))
    suspended, broken = _troubled_endpoints()
    troubled = [_troubled(one, one.disabled_reason or "disabled") for one in suspended[:SHOWN]]
    troubled += [_troubled(one, why_failing(one)) for one in broken[: SHOWN - len(troubled)]]
    names = [endpoint.public_id for endpoint in suspended], [endpoint.public_id for endpoint in broken]
    return Stats(backlogs(), *rejections, *names, unhandled, troubled)


def _troubled(endpoint: Endpoint, reason: str) -> Troubled:
    return Troubled(endpoint.public_id, shown_url(endpoint.url), reason)


def backlogs() -> dict[str, Backlog]:
    """The backlog of each kind of job."""
    return {kind.model.nouns: backlog_of(kind.model) for kind in declared()}


def _as_json(backlog: Backlog) -> dict[str, Any]:
    return {
        **backlog.states,
        "more": list(backlog.more),
        "oldest_pending_seconds": backlog.oldest_pending,
        "lag_seconds": backlog.lag,
        "arriving_per_second": round(backlog.arriving, 3),
        "succeeding_per_second": round(backlog.succeeding, 3),
    }


def _rejections_by_reason(now: float) -> dict[str, int]:
    recent = Rejection.objects.filter(id__gte=ids.first_at(now - _DAY)).order_by("-id")
    return dict(sorted(Counter(recent.values_list("reason", flat=True)[:MOST]).items()))


def _only_counted_by_reason(now: float) -> dict[str, int]:
    found: Counter[str] = Counter()
    for _, reason, number in only_counted(now - _DAY):
        found[reason] += number
    return dict(sorted(found.items()))


def unhandled_by_type(since: float) -> Counter[str]:
    """Of the newest 10,000 events since then that no handler wanted. Raises DatabaseError."""
    found = Event.objects.filter(unhandled=True, created_at__gte=moment(since)).order_by("-created_at")
    return Counter(found.values_list("type", flat=True)[:MOST])


def _troubled_endpoints() -> tuple[list[Endpoint], list[Endpoint]]:
    """Those that are disabled, and those whose breaker is not closed."""
    endpoints = Endpoint.objects.filter(deleted_at=None).order_by("id")
    endpoints = endpoints.only("url", "disabled", "disabled_reason", "breaker_state")
    failing = endpoints.filter(disabled=False).exclude(breaker_state={})[:NAMED]
    broken = [endpoint for endpoint in failing if endpoint.breaker.state is not State.CLOSED]
    return list(endpoints.filter(disabled=True)[:NAMED]), broken
