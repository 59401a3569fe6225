"""`hookline follow-ups`: what handlers had called after their commit."""

from __future__ import annotations

import click

from hookline.cli import jobs, listing
from hookline.cli.command import Group, json_option
from hookline.cli.output import print_fields, print_rows


@click.group("follow-ups", cls=Group)
def follow_ups() -> None:
    """Look at follow-ups: calls of functions after the commit of an event's handlers."""


@follow_ups.command("list")
@listing.filters("status", "tenant", "source")
@json_option
def list_follow_ups(filters: listing.Filters, as_json: bool) -> None:
    """List follow-ups, newest first."""
    from hookline.operations import follow_ups

    found = [follow_ups.as_json(one) for one in follow_ups.newest(filters.selection())]
    columns = ("id", "function", "event", "type", "status", "attempts", "created_at", "note")
    print_rows(found, columns, as_json, "No follow-ups found.")


@follow_ups.command()
@click.argument("id")
@json_option
def show(id: str, as_json: bool) -> None:  # noqa: A002 # the name of the argument in help
    """Show one follow-up with its arguments."""
    from hookline.operations import follow_ups

    found = follow_ups.find(id)
    print_fields({**follow_ups.as_json(found), "arguments": found.arguments}, as_json)


jobs.add_commands(
    follow_ups,
    "Call finished follow-ups again, with all their attempts.",
    "status",
    "tenant",
    "source",
    ordered=False,
)
