"""`hookline events`: what was received and what became of it."""

from __future__ import annotations

import click

from hookline.cli import bulk, complete, listing, retrying
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


@events.command()
@click.argument("ids", shell_complete=complete.events, nargs=-1, metavar="[ID...]")
@listing.filters("status", "parked", "unhandled", "type", "tenant", "source", limit=1000)
@click.option("--now", is_flag=True, help="Also those waiting for their next attempt.")
@bulk.yes_option
@json_option
def retry(ids: tuple[str, ...], filters: listing.Filters, now: bool, yes: bool, as_json: bool) -> None:
    """Process finished events again, with all their attempts.

    Name them, or choose them with options: dead ones, unless --status says others. Those that need no retry, because
    they run or wait already, are skipped. Prints how many there are, and in a terminal asks before it starts. Each 200
    are one transaction.
    """
    from hookline.operations import events

    retrying.retry(events, "events", ids, filters, now=now, yes=yes, as_json=as_json)


@events.command()
@click.argument("ids", shell_complete=complete.events, nargs=-1, required=True, metavar="ID...")
@json_option
def discard(ids: tuple[str, ...], as_json: bool) -> None:
    """Cancel events that wait or are dead, all or none of them. What waits behind them for its turn goes on."""
    from hookline.cli.actor import actor
    from hookline.operations import events

    print_fields({"discarded": events.discard(actor(), ids)}, as_json)


@events.command()
@click.argument("ids", shell_complete=complete.events, nargs=-1, required=True, metavar="ID...")
@json_option
def release(ids: tuple[str, ...], as_json: bool) -> None:
    """Let others go on, past dead events that park their order keys. These stay dead."""
    from hookline.cli.actor import actor
    from hookline.operations import events

    print_fields({"released": events.release(actor(), ids)}, as_json)
