"""`retry` of events and of deliveries: by id, or many at once by what they are."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any

import click

from hookline.cli import bulk, listing
from hookline.cli.output import print_fields, say

#: So many ids are shown to people; all of them in JSON.
SHOWN = 20


def retry(operations: ModuleType, noun: str, ids: tuple[str, ...], filters: listing.Filters, **options: Any) -> None:
    """Retry what the ids name, or what the filters choose, but for what needs no retry.

    `operations` is the module of the noun.
    """
    from hookline.cli.actor import actor

    now, yes, as_json = options["now"], options["yes"], options["as_json"]
    listing.ids_or_filters(ids, filters)
    if ids:
        retried = operations.retry(actor(), ids, now=now)
        _print(retried, as_json, skipped=[name for name in ids if name not in retried])
        return
    if filters.given.get("status") == "pending" and not now:
        raise click.UsageError("pending ones are retried automatically; add --now to retry them now")
    chosen = operations.chosen(filters.selection())
    found = bulk.counted(chosen, filters.limit, noun)
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
