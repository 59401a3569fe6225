"""`hookline follow-ups`: what handlers had called after their commit."""

from __future__ import annotations

import click

from hookline.cli import bulk, listing, retrying
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


@follow_ups.command()
@click.argument("ids", nargs=-1, metavar="[ID...]")
@listing.filters("status", "tenant", "source", limit=1000)
@click.option("--now", is_flag=True, help="Also those waiting for their next attempt.")
@bulk.yes_option
@json_option
def retry(ids: tuple[str, ...], filters: listing.Filters, now: bool, yes: bool, as_json: bool) -> None:
    """Call finished follow-ups again, with all their attempts.

    Name them, or choose them with options: dead ones, unless --status says others.
    """
    from hookline.operations import follow_ups

    retrying.retry(follow_ups, "follow-ups", ids, filters, now=now, yes=yes, as_json=as_json)


@follow_ups.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@json_option
def discard(ids: tuple[str, ...], as_json: bool) -> None:
    """Cancel follow-ups that wait or are dead, all or none of them."""
    from hookline.cli.actor import actor
    from hookline.operations import follow_ups

    print_fields({"discarded": follow_ups.discard(actor(), ids)}, as_json)
