"""`hookline stats`: how much there is, and what needs a person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from hookline.cli.command import Command, json_option
from hookline.cli.output import print_fields, print_json
from hookline.core import durations

if TYPE_CHECKING:
    from hookline.operations.stats import Backlog


@click.command(cls=Command)
@json_option
def stats(as_json: bool) -> None:
    """Show how many events and deliveries there are, how long they wait, and what needs a person.

    Nothing is counted past 10,000, so that this takes as long with ten million events as with ten thousand.
    """
    from hookline.operations import stats as operation

    found = operation.take()
    if as_json:
        print_json(found.as_json())
        return
    fields: dict[str, Any] = {kind: _sentence(backlog) for kind, backlog in found.backlogs.items()}
    fields["rejections in 24 h"] = (
        ", ".join(f"{count} {reason}" for reason, count in found.rejections.items()) or "none"
    )
    if found.only_counted:
        counts = ", ".join(f"{count} {reason}" for reason, count in found.only_counted.items())
        fields["refused and only counted"] = f"{counts} (more than MAX_REJECTIONS or MAX_REJECTION_BYTES lets be kept)"
    fields["unhandled events in 24 h"] = (
        ", ".join(f"{count} {name}" for name, count in found.unhandled.items()) or "none"
    )
    fields["suspended endpoints"] = found.suspended or "none"
    fields["open breakers"] = found.broken or "none"
    print_fields(fields, as_json)


def _sentence(backlog: Backlog) -> str:
    counts = ", ".join(f"{backlog.count(state)} {state}" for state, count in backlog.states.items() if count)
    if not counts:
        return "none"
    rates = f"{backlog.arriving:.3g} arriving and {backlog.succeeding:.3g} succeeding per second"
    if not backlog.states["pending"]:
        return f"{counts} ({rates})"
    waiting = f"oldest pending: {durations.text(backlog.oldest_pending)}, overdue: {durations.text(backlog.lag)}"
    return f"{counts} ({waiting}; {rates})"
