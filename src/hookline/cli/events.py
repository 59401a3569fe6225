"""`hookline events`: what was received and what became of it."""

from __future__ import annotations

from datetime import datetime

import click

from hookline.cli import listing
from hookline.cli.command import Group, json_option
from hookline.cli.output import body_fields, preview, print_fields, print_rows


@click.group(cls=Group)
def events() -> None:
    """Look at events: the webhooks that were received."""


@events.command("list")
@listing.state_option
@listing.range_options
@json_option
def list_events(status: str | None, since: datetime | None, limit: int, as_json: bool) -> None:
    """List events, newest first."""
    from hookline.operations import events
    from hookline.operations.rows import Selection

    found = [events.as_json(event) for event in events.newest(Selection(status=status, since=since, limit=limit))]
    columns = ("id", "provider", "type", "status", "attempts", "source", "created_at", "note")
    print_rows(found, columns, as_json, "There are no such events.")


@events.command()
@click.argument("id")
@json_option
def show(id: str, as_json: bool) -> None:  # noqa: A002 # the name of the argument in help
    """Show one event with its headers and body."""
    from hookline.operations import events

    event = events.find(id)
    body = bytes(event.body)
    shown = body_fields(body) if as_json else {"body": preview(body)}
    print_fields({**events.as_json(event), **events.content_as_json(event), **shown}, as_json)


@events.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@json_option
def retry(ids: tuple[str, ...], as_json: bool) -> None:
    """Process finished events again, with all their tries."""
    from hookline.cli.actor import actor
    from hookline.operations import events

    print_fields({"retried": events.retry(actor(), ids)}, as_json)
