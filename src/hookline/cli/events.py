"""`hookline events`: what was received and what became of it."""

from __future__ import annotations

import click

from hookline.cli import complete, jobs, listing
from hookline.cli.command import Group, json_option
from hookline.cli.output import body_fields, preview, print_fields, print_rows


@click.group(cls=Group)
def events() -> None:
    """Look at events: the webhooks that were received."""


@events.command("list")
@listing.filters("status", "parked", "unhandled", "type", "tenant", "source")
@json_option
def list_events(filters: listing.Filters, as_json: bool) -> None:
    """List events, newest first."""
    from hookline.operations import events

    found = [events.as_json(event) for event in events.newest(filters.selection())]
    columns = ("id", "provider", "type", "status", "attempts", "source", "created_at", "note")
    print_rows(found, columns, as_json, "No events found.")
    listing.tell_searched(filters, found)


@events.command()
@click.argument("id", shell_complete=complete.events)
@click.option("--reveal", is_flag=True, help="Show credentials and whole signatures, too.")
@json_option
def show(id: str, reveal: bool, as_json: bool) -> None:  # noqa: A002 # the name of the argument in help
    """Show one event with its headers and body. ID may be the sender's own id of it."""
    from hookline.operations import events

    event = events.find_any(id)
    body = bytes(event.body)
    shown = body_fields(body) if as_json else {"body": preview(body)}
    print_fields({**events.as_json(event), **events.content_as_json(event, reveal=reveal), **shown}, as_json)


jobs.add_commands(
    events,
    "Process finished events again, with all their attempts.",
    "status",
    "parked",
    "unhandled",
    "type",
    "tenant",
    "source",
    ids=complete.events,
)
