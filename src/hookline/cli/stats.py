"""`hookline stats`: how much there is, and what needs a person."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from hookline.cli.command import Command, json_option
from hookline.cli.output import print_fields, print_json
from hookline.cli.times import ago
from hookline.core import ids

if TYPE_CHECKING:
    from hookline.engine.backlog import Backlog

#: Endpoints that are named when they need a person.
NAMED = 1000


@click.command(cls=Command)
@json_option
def stats(as_json: bool) -> None:
    """Show how many events and deliveries there are, how long they wait, and what needs a person.

    Nothing is counted past 10,000, so that this takes as long with ten million events as with ten thousand.
    """
    from hookline.cli.backlog import backlogs

    found = backlogs()
    rejected = _rejections_by_reason()
    suspended, broken = _troubled_endpoints()
    if as_json:
        document: dict[str, Any] = {kind: _document(backlog) for kind, backlog in found.items()}
        document["rejections_24h"] = rejected
        document["endpoints"] = {"suspended": suspended, "broken": broken}
        print_json(document)
        return
    fields: dict[str, Any] = {kind: _sentence(backlog) for kind, backlog in found.items()}
    fields["rejections in 24 h"] = ", ".join(f"{count} {reason}" for reason, count in rejected.items()) or "none"
    fields["suspended endpoints"] = suspended or "none"
    fields["open breakers"] = broken or "none"
    print_fields(fields, as_json)


def _document(backlog: Backlog) -> dict[str, Any]:
    return {
        **backlog.states,
        "more": list(backlog.more),
        "oldest_pending_seconds": backlog.oldest_pending,
        "lag_seconds": backlog.lag,
        "arriving_per_second": round(backlog.arriving, 3),
        "succeeding_per_second": round(backlog.succeeding, 3),
    }


def _sentence(backlog: Backlog) -> str:
    counts = ", ".join(f"{backlog.count(state)} {state}" for state, count in backlog.states.items() if count)
    if not counts:
        return "none"
    rates = f"{backlog.arriving:.3g} arriving and {backlog.succeeding:.3g} succeeding per second"
    if not backlog.states["pending"]:
        return f"{counts} ({rates})"
    return f"{counts} (oldest pending: {ago(backlog.oldest_pending)}, overdue: {ago(backlog.lag)}; {rates})"


def _rejections_by_reason() -> dict[str, int]:
    """How many of the newest 10,000 of the last 24 hours had which reason."""
    from hookline.engine.backlog import MOST
    from hookline.models import Rejection

    recent = Rejection.objects.filter(id__gte=ids.first_at(time.time() - 86400)).order_by("-id")
    return dict(sorted(Counter(recent.values_list("reason", flat=True)[:MOST]).items()))


def _troubled_endpoints() -> tuple[list[str], list[str]]:
    """The ids of the endpoints that wait for a person, and of those whose breaker is not closed."""
    from hookline.core.breaker import State
    from hookline.models import Endpoint

    endpoints = Endpoint.objects.only("disabled", "breaker_state").order_by("id")
    suspended = endpoints.filter(disabled=True)[:NAMED]
    failing = endpoints.filter(disabled=False).exclude(breaker_state={})[:NAMED]
    broken = [endpoint.public_id for endpoint in failing if endpoint.breaker.state is not State.CLOSED]
    return [endpoint.public_id for endpoint in suspended], broken
