"""`hookline replay`: doing a part of the history again, by workers and at a rate."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

import click

from hookline.cli import listing
from hookline.cli.command import Group, json_option
from hookline.cli.output import print_fields, print_rows
from hookline.cli.times import Rate

F = TypeVar("F", bound=Callable[..., Any])

_rate: Callable[[F], F] = click.option("--rate", type=Rate(), metavar="N/s", help="At most this many, such as 50/s.")
_dry_run: Callable[[F], F] = click.option("--dry-run", is_flag=True, help="Count what it would do, and do nothing.")
_watch: Callable[[F], F] = click.option("--watch", is_flag=True, help="Show its progress until it ends.")


@click.group(cls=Group)
def replay() -> None:
    """Process events or send messages again, many at a time, in the background."""


def begin(
    what: str,
    filters: listing.Filters,
    *,
    rate: float | None,
    dry_run: bool,
    as_json: bool,
    watch: bool = False,
    again: bool = False,
) -> None:
    """Start a replay, or with `dry_run` say what it would do."""
    from hookline.cli.actor import actor
    from hookline.operations import replays

    if dry_run:
        print_fields(replays.preview(what, filters.selection(), rate=rate, again=again).as_json(), as_json)
        return
    started = replays.start(actor(), what, filters.selection(), rate=rate, again=again)
    if watch and not as_json:
        _follow(started.public_id)
    print_fields(replays.as_json(replays.find(started.public_id)), as_json)


@replay.command()
@listing.filters("status", "unhandled", "type", "tenant", "source", limit=None)
@_rate
@_dry_run
@_watch
@click.option("--again", is_flag=True, help="Also those that were processed: the effect of their handlers is repeated.")
@json_option
def events(filters: listing.Filters, *, again: bool, as_json: bool, **options: Any) -> None:
    """Process events that are dead or cancelled, or that no handler matched."""
    begin("events", filters, again=again, as_json=as_json, **options)


@replay.command()
@listing.filters("status", "type", "tenant", "endpoint", limit=None)
@_rate
@_dry_run
@_watch
@json_option
def deliveries(filters: listing.Filters, rate: float | None, dry_run: bool, watch: bool, as_json: bool) -> None:
    """Send finished deliveries again: those that succeeded, too, unless --status says which."""
    begin("deliveries", filters, rate=rate, dry_run=dry_run, watch=watch, as_json=as_json)


@replay.command()
@listing.filters("type", "endpoint", limit=None)
@_rate
@_dry_run
@_watch
@json_option
def messages(filters: listing.Filters, rate: float | None, dry_run: bool, watch: bool, as_json: bool) -> None:
    """Send an endpoint all messages of a period that match it now, whether or not it got them."""
    begin("messages", filters, rate=rate, dry_run=dry_run, watch=watch, as_json=as_json)


@replay.command("list")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, listing.MOST), help="Maximum number.")
@json_option
def list_replays(limit: int, as_json: bool) -> None:
    """List replays, newest first."""
    from hookline.operations import replays

    found = [replays.as_json(one) for one in replays.newest(limit)]
    columns = ("id", "what", "status", "total", "seen", "renewed", "rate", "created_at", "note")
    print_rows(found, columns, as_json, "No replays yet.")


@replay.command()
@click.argument("id")
@_watch
@json_option
def show(id: str, watch: bool, as_json: bool) -> None:  # noqa: A002 # the name of the argument in help
    """Show one replay and its progress."""
    from hookline.operations import replays

    if watch and not as_json:
        _follow(id)
    print_fields(replays.as_json(replays.find(id)), as_json)


@replay.command()
@click.argument("id")
@json_option
def pause(id: str, as_json: bool) -> None:  # noqa: A002 # as above
    """Make nothing more due until `replay resume`."""
    _change("pause", id, as_json)


@replay.command()
@click.argument("id")
@json_option
def resume(id: str, as_json: bool) -> None:  # noqa: A002 # as above
    """Go on after a pause."""
    _change("resume", id, as_json)


@replay.command()
@click.argument("id")
@json_option
def cancel(id: str, as_json: bool) -> None:  # noqa: A002 # as above
    """End a replay. What it made due stays due."""
    _change("cancel", id, as_json)


def _change(name: str, public_id: str, as_json: bool) -> None:
    from hookline.cli.actor import actor
    from hookline.operations import replays

    found = replays.find(public_id)
    getattr(replays, name)(actor(), found)
    print_fields(replays.as_json(found), as_json)


def _follow(public_id: str) -> None:
    """A progress bar until the replay ends. Ctrl-C ends only the bar."""
    from hookline.operations import replays

    found = replays.find(public_id)
    with click.progressbar(length=max(found.total, 1), label=public_id) as bar:
        while True:
            bar.update(min(found.seen, bar.length or 0) - bar.pos)
            if replays.status_of(found) not in ("running", "paused"):
                return
            time.sleep(0.5)
            found = replays.find(public_id)
