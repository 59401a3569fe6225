"""What can be done to events, deliveries and follow-ups: by id, or many at once by what they are."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from types import ModuleType
from typing import Any

import click

from hookline.cli import bulk, listing
from hookline.cli.command import json_option
from hookline.cli.output import print_fields, say

#: So many ids are shown to people; all of them in JSON.
SHOWN = 20

_RETRY = """

Name them, or choose them with options: dead ones, unless --status says others. Those that need no retry, because they
run or wait already, are skipped. Prints how many there are, and in a terminal asks before it starts. Each 200 are one
transaction.
"""


def add_commands(
    group: click.Group, again: str, *filters: str, now: str = "", ids: Any = None, ordered: bool = True
) -> None:
    """Add `retry`, `discard` and, where there are order keys, `release` to the group, which is named for its noun.

    `again` is what a retry does, `filters` are the options that choose what is retried, `now` is whom its `--now`
    retries besides those that wait for their next attempt, and `ids` completes an id.
    """
    nouns = str(group.name)
    named = click.argument("ids", shell_complete=ids, nargs=-1, required=True, metavar="ID...")

    @group.command(help=again + _RETRY)
    @click.argument("ids", shell_complete=ids, nargs=-1, metavar="[ID...]")
    @listing.filters(*filters, limit=1000)
    @click.option("--now", is_flag=True, help=f"Also those waiting for their next attempt{now}.")
    @bulk.yes_option
    @json_option
    def retry(ids: tuple[str, ...], filters: listing.Filters, **options: bool) -> None:
        _retry(nouns, ids, filters, **options)

    rest = " What waits behind them for its turn goes on." if ordered else ""

    @group.command(help=f"Cancel {nouns} that wait or are dead, all or none of them.{rest}")
    @named
    @json_option
    def discard(ids: tuple[str, ...], as_json: bool) -> None:
        from hookline.cli.actor import actor

        print_fields({"discarded": _operations(nouns).discard(actor(), ids)}, as_json)

    if ordered:

        @group.command(help=f"Let others go on, past dead {nouns} that park their order keys. These stay dead.")
        @named
        @json_option
        def release(ids: tuple[str, ...], as_json: bool) -> None:
            from hookline.cli.actor import actor

            print_fields({"released": _operations(nouns).release(actor(), ids)}, as_json)


def _operations(nouns: str) -> ModuleType:
    return import_module(f"hookline.operations.{nouns.replace('-', '_')}")


def _retry(nouns: str, ids: tuple[str, ...], filters: listing.Filters, *, now: bool, yes: bool, as_json: bool) -> None:
    """Retry what the ids name, or what the filters choose, but for what needs no retry."""
    from hookline.cli.actor import actor

    operations = _operations(nouns)
    listing.ids_or_filters(ids, filters)
    if ids:
        retried = operations.retry(actor(), ids, now=now)
        _print(retried, as_json, skipped=[name for name in ids if name not in retried])
        return
    if filters.given.get("status") == "pending" and not now:
        raise click.UsageError("pending ones are retried automatically; add --now to retry them now")
    chosen = operations.chosen(filters.selection())
    found = bulk.counted(chosen, filters.limit, nouns)
    if chosen:
        bulk.confirm(f"Retry {found}?", yes)
    retried = []
    for keys in bulk.portions(chosen, f"Retrying {found}"):
        retried += operations.retry_keys(actor(), keys, now=now)
    _print(retried, as_json)
    if left := len(chosen) - len(retried):
        say(f"{left} of {found} are in another state and were left alone.")
    if len(chosen) >= filters.limit:
        say(f"There may be more: run this again, or raise --limit (at most {listing.MOST}).")


def _print(retried: list[str], as_json: bool, skipped: Sequence[str] = ()) -> None:
    left = {"skipped": list(skipped)} if skipped else {}
    if as_json:
        print_fields({"retried": retried, **left}, as_json)
        return
    more = [f"and {len(retried) - SHOWN} more"] if len(retried) > SHOWN else []
    print_fields({"retried": len(retried), "ids": [*retried[:SHOWN], *more], **left}, as_json)
