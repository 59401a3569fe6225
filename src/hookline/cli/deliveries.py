"""`hookline deliveries`: what was sent and what became of it."""

from __future__ import annotations

from datetime import datetime

import click

from hookline.cli import listing
from hookline.cli.command import Group, json_option
from hookline.cli.output import body_fields, preview, print_fields, print_rows


@click.group(cls=Group)
def deliveries() -> None:
    """Look at deliveries: messages on their way to endpoints."""


@deliveries.command("list")
@listing.state_option
@listing.range_options
@json_option
def list_deliveries(status: str | None, since: datetime | None, limit: int, as_json: bool) -> None:
    """List deliveries, newest first."""
    from hookline.operations import deliveries
    from hookline.operations.rows import Selection

    selection = Selection(status=status, since=since, limit=limit)
    found = [deliveries.as_json(delivery) for delivery in deliveries.newest(selection)]
    columns = ("id", "type", "status", "attempts", "message", "url", "created_at", "note")
    print_rows(found, columns, as_json, "There are no such deliveries.")


@deliveries.command()
@click.argument("id")
@json_option
def show(id: str, as_json: bool) -> None:  # noqa: A002 # the name of the argument in help
    """Show one delivery with its body and every attempt that was made."""
    from hookline.operations import deliveries

    delivery = deliveries.find(id)
    attempts = [deliveries.attempt_as_json(attempt) for attempt in deliveries.attempts(delivery)]
    body = bytes(delivery.message.body)
    if as_json:
        print_fields({**deliveries.as_json(delivery), **body_fields(body), "attempts_made": attempts}, as_json)
        return
    print_fields({**deliveries.as_json(delivery), "body": preview(body)}, as_json)
    click.echo()
    columns = ("id", "number", "status", "error", "duration_ms", "created_at", "detail", "response_body")
    print_rows(attempts, columns, as_json, "No attempt was made yet.")


@deliveries.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@json_option
def retry(ids: tuple[str, ...], as_json: bool) -> None:
    """Send finished deliveries again, with all their tries and under the same message id."""
    from hookline.cli.actor import actor
    from hookline.operations import deliveries

    print_fields({"retried": deliveries.retry(actor(), ids)}, as_json)
