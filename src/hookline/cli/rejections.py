"""`hookline rejections`: what was refused, and why."""

from __future__ import annotations

import time
from typing import Any

import click

from hookline.cli import bulk, complete, listing
from hookline.cli.command import DocumentPrinted, Failure, Group, json_option
from hookline.cli.output import body_fields, preview, print_fields, print_rows, say

#: Lines about what was only counted.
MOST_COUNTS = 10


@click.group(cls=Group)
def rejections() -> None:
    """Look at rejections: the requests that were refused, and why."""


@rejections.command("list")
@listing.filters("http_status", "reason", "tenant", "source")
@json_option
def list_rejections(filters: listing.Filters, as_json: bool) -> None:
    """List rejections, newest first. How many more were only counted goes to standard error."""
    from hookline.operations import rejections

    found = [rejections.as_json(rejection) for rejection in rejections.newest(filters.selection())]
    columns = ("id", "status", "reason", "provider", "source", "remote_addr", "created_at", "detail")
    print_rows(found, columns, as_json, "No rejections found.")
    listing.tell_searched(filters, found)
    since = filters.given.get("since")
    counted = rejections.only_counted(since.timestamp() if since else time.time() - 86400)
    asked = [filters.given.get(name) for name in ("source", "reason")]
    counted = [count for count in counted if all(want in (None, has) for want, has in zip(asked, count, strict=False))]
    for source, reason, number in counted[:MOST_COUNTS]:
        whose = source or "unknown URLs"
        say(f"{number} more for {whose} were refused with {reason} and only counted.")


@rejections.command()
@click.argument("id", shell_complete=complete.rejections)
@click.option("--reveal", is_flag=True, help="Show credentials and whole signatures, too.")
@json_option
def show(id: str, reveal: bool, as_json: bool) -> None:  # noqa: A002 # the name of the argument in help
    """Show one rejection: why it was refused and what to do, its headers and the beginning of its body.

    Credentials are hidden and signatures shortened, unless you say --reveal.
    """
    from hookline.operations import rejections

    rejection = rejections.find(id)
    request = rejections.request_of(rejection) if reveal else rejections.shown_request(rejection)
    shown = body_fields(request.body) if as_json else {"body": preview(request.body)}
    headers = {name: ", ".join(values) for name, values in request.headers.items()}
    found = rejections.explain(rejection).as_json()
    why = {"diagnosis": found} if as_json else {"why": found["text"], "what_to_do": found["advice"]}
    print_fields({**rejections.as_json(rejection), **why, "url": request.url, "headers": headers, **shown}, as_json)


@rejections.command()
@click.argument("ids", shell_complete=complete.rejections, nargs=-1, metavar="[ID...]")
@listing.filters("http_status", "reason", "tenant", "source", limit=listing.MOST)
@bulk.yes_option
@json_option
def reverify(ids: tuple[str, ...], filters: listing.Filters, yes: bool, as_json: bool) -> None:
    """Verify refused requests with the secrets of today and, if they pass now, store their events.

    Name them, or choose with options from those that are still refused: all of a source with --source. Prints how many
    there are, and in a terminal asks before it starts. Each is verified as of the time when it arrived. Exits with 1
    when one is refused again.
    """
    listing.ids_or_filters(ids, filters)
    if len(ids) == 1:
        _reverify_one(ids[0], as_json)
    else:
        _reverify_many(ids, filters, yes, as_json)


def _reverify_one(public_id: str, as_json: bool) -> None:
    from hookline.cli.actor import actor
    from hookline.exceptions import VerificationError
    from hookline.operations import rejections

    rejection = rejections.find(public_id)
    try:
        found = rejections.reverify(actor(), rejection)
    except VerificationError as error:
        raise Failure(f"{rejection.public_id} is still refused: {error}", "refused") from error
    if as_json:
        print_fields({"id": rejection.public_id, "events": found}, as_json)
    else:
        print_rows(found, ("id", "status"), as_json, "It is genuine, but holds no event: it was a handshake.")


def _reverify_many(ids: tuple[str, ...], filters: listing.Filters, yes: bool, as_json: bool) -> None:
    from hookline.cli.actor import actor
    from hookline.operations import rejections

    chosen = [rejections.find(public_id) for public_id in ids] if ids else rejections.chosen(filters.selection())
    found = bulk.counted(chosen, filters.limit, "rejections")
    if chosen and not ids:
        bulk.confirm(f"Verify {found} again?", yes)
    results = []
    for portion in bulk.portions(chosen, f"Verifying {found}", size=10):
        results += rejections.reverify_all(actor(), portion)
    rows: list[dict[str, Any]] = [result.as_json() for result in results]
    if not as_json:
        rows = [
            {"id": result.id, "events": [event["id"] for event in result.events], "note": result.problem}
            for result in results
        ]
    print_rows(rows, ("id", "events", "note"), as_json, "No rejections found.")
    if len(chosen) >= filters.limit and not ids:
        say(f"There may be more: run this again, or raise --limit (at most {listing.MOST}).")
    if refused := sum(bool(result.problem) for result in results):
        raise DocumentPrinted(f"{refused} of {len(results)} are still refused")
