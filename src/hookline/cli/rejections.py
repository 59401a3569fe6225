"""`hookline rejections`: what was refused, and why."""

from __future__ import annotations

import time
from datetime import datetime

import click

from hookline.cli import listing
from hookline.cli.command import Group, json_option
from hookline.cli.output import body_fields, preview, print_fields, print_rows

#: Lines about what was only counted.
MOST_COUNTS = 10


@click.group(cls=Group)
def rejections() -> None:
    """Look at rejections: the requests that were refused, and why."""


@rejections.command("list")
@click.option("--status", type=click.IntRange(100, 599), help="Only those that were answered with this HTTP status.")
@listing.range_options
@json_option
def list_rejections(status: int | None, since: datetime | None, limit: int, as_json: bool) -> None:
    """List rejections, newest first. How many more were only counted goes to standard error."""
    from hookline.operations import rejections
    from hookline.operations.rows import Selection

    selection = Selection(status=status, since=since, limit=limit)
    found = [rejections.as_json(rejection) for rejection in rejections.newest(selection)]
    columns = ("id", "status", "reason", "provider", "source", "remote_addr", "created_at", "detail")
    print_rows(found, columns, as_json, "There are no such rejections.")
    counted = rejections.only_counted(since.timestamp() if since else time.time() - 86400)
    for source, reason, number in counted[:MOST_COUNTS]:
        whose = source or "unknown URLs"
        click.echo(f"{number} more for {whose} were refused with {reason} and only counted.", err=True)


@rejections.command()
@click.argument("id")
@json_option
def show(id: str, as_json: bool) -> None:  # noqa: A002 # the name of the argument in help
    """Show one rejection with the headers and the beginning of the body. They may hold the sender's credentials."""
    from hookline.operations import rejections

    rejection = rejections.find(id)
    request = rejections.request_of(rejection)
    shown = body_fields(request.body) if as_json else {"body": preview(request.body)}
    headers = {name: ", ".join(values) for name, values in request.headers.items()}
    print_fields({**rejections.as_json(rejection), "url": request.url, "headers": headers, **shown}, as_json)


@rejections.command()
@click.argument("id")
@json_option
def reverify(id: str, as_json: bool) -> None:  # noqa: A002 # the name of the argument in help
    """Verify a refused request with the secrets of today and, if it passes now, store its events.

    Exits with 1 when it is refused again.
    """
    from hookline.exceptions import VerificationError
    from hookline.operations import rejections

    rejection = rejections.find(id)
    try:
        found = rejections.reverify(rejection)
    except VerificationError as error:
        raise click.ClickException(f"{rejection.public_id} is refused again: {error}") from error
    if as_json:
        print_fields({"id": rejection.public_id, "events": found}, as_json)
    else:
        print_rows(found, ("id", "status"), as_json, "It is genuine, but holds no event: it was a handshake.")
