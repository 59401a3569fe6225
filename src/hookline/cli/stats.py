"""`hookline stats`: how much there is, and what needs a person."""

from __future__ import annotations

import time
from typing import Any

import click

from hookline.cli.command import Command, json_option
from hookline.cli.output import print_fields, print_json
from hookline.cli.times import ago
from hookline.core import ids


@click.command(cls=Command)
@json_option
def stats(as_json: bool) -> None:
    """Show how many events and deliveries there are, how long they wait, and what needs a person."""
    from hookline.cli import backlog

    queues = backlog.queues()
    rejected = _rejections_by_reason()
    suspended, broken = _troubled_endpoints()
    if as_json:
        document: dict[str, Any] = {
            kind: {**queue.states, "oldest_pending_seconds": queue.oldest_pending, "lag_seconds": queue.lag}
            for kind, queue in queues.items()
        }
        document["rejections_24h"] = rejected
        document["endpoints"] = {"suspended": suspended, "broken": broken}
        print_json(document)
        return
    fields: dict[str, Any] = {}
    for kind, queue in queues.items():
        fields[kind] = ", ".join(f"{count} {state}" for state, count in queue.states.items() if count) or "none"
        if queue.states["pending"]:
            fields[kind] += f" (oldest pending: {ago(queue.oldest_pending)}, overdue: {ago(queue.lag)})"
    fields["rejections in 24 h"] = ", ".join(f"{count} {reason}" for reason, count in rejected.items()) or "none"
    fields["suspended endpoints"] = suspended or "none"
    fields["open breakers"] = broken or "none"
    print_fields(fields, as_json)


def _rejections_by_reason() -> dict[str, int]:
    from django.db.models import Count

    from hookline.models import Rejection

    recent = Rejection.objects.filter(id__gte=ids.first_at(time.time() - 86400))
    return dict(recent.order_by("reason").values_list("reason").annotate(Count("id")))


def _troubled_endpoints() -> tuple[list[str], list[str]]:
    """The ids of the endpoints that wait for a person, and of those whose breaker is not closed."""
    from hookline.core.breaker import State
    from hookline.models import Endpoint

    held = Endpoint.objects.exclude(disabled=False, breaker_state={}).order_by("id")
    suspended = [endpoint.public_id for endpoint in held if endpoint.disabled]
    broken = [
        endpoint.public_id for endpoint in held if not endpoint.disabled and endpoint.breaker.state is not State.CLOSED
    ]
    return suspended, broken
