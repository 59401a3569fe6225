"""`hookline stats`: how much there is, and what needs a person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from hookline.cli.command import Command, json_option
from hookline.cli.output import print_fields, print_json, printable
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
    fields["rejections in 24 h"] = _counts(found.rejections)
    if found.only_counted:
        fields["refused and only counted"] = (
            f"{_counts(found.only_counted)} (more than MAX_REJECTIONS or MAX_REJECTION_BYTES lets be kept)"
        )
    fields["unhandled events in 24 h"] = _counts(found.unhandled)
    lines = [f"{one.url} ({one.id}): {one.reason}" for one in found.troubled]
    if more := len(found.suspended) + len(found.broken) - len(lines):
        lines.append(f"and {more} more: hookline endpoint list")
    fields["disabled or failing endpoints"] = "\n".join(map(printable, lines)) or "none"
    print_fields(fields, as_json)


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number:,} {name}" for name, number in counts.items()) or "none"


def _sentence(backlog: Backlog) -> str:
    counts = ", ".join(f"{backlog.count(state)} {state}" for state, count in backlog.states.items() if count)
    if not counts:
        return "none"
    rates = f"{_rate(backlog.arriving)} arrive, {_rate(backlog.succeeding)} succeed"
    if not backlog.states["pending"]:
        return f"{counts}\n{rates}"
    waiting = f"the oldest waits for {durations.text(backlog.oldest_pending)}"
    if backlog.lag:
        waiting += f", the longest overdue for {durations.text(backlog.lag)}"
    return f"{counts}\n{waiting}\n{rates}"


def _rate(per_second: float) -> str:
    """Such as `3 per minute`."""
    for seconds, unit in ((1, "second"), (60, "minute")):
        if per_second * seconds >= 1:
            return f"{per_second * seconds:,.0f} per {unit}"
    return f"{per_second * 3600:,.0f} per hour"
