"""`hookline rejections`: what was refused, and why."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from hookline.cli import listing
from hookline.cli.command import Group, json_option
from hookline.cli.output import body_fields, preview, print_fields, print_rows

if TYPE_CHECKING:
    from hookline.models import Rejection


@click.group(cls=Group)
def rejections() -> None:
    """Look at rejections: the requests that were refused, and why."""


@rejections.command("list")
@click.option("--status", type=click.IntRange(100, 599), help="Only those that were answered with this HTTP status.")
@listing.range_options
@json_option
def list_rejections(status: int | None, since: datetime | None, limit: int, as_json: bool) -> None:
    """List rejections, newest first."""
    from hookline.cli.rows import newest
    from hookline.models import Rejection

    rows = Rejection.objects.select_related("source").defer("encrypted_request")
    only = {} if status is None else {"status": status}
    found = [describe(rejection) for rejection in newest(rows, since, limit, **only)]
    columns = ("id", "status", "reason", "provider", "source", "remote_addr", "created_at", "detail")
    print_rows(found, columns, as_json, "There are no such rejections.")


@rejections.command()
@click.argument("id")
@json_option
def show(id: str, as_json: bool) -> None:  # noqa: A002 # the name of the argument in help
    """Show one rejection with the headers and the beginning of the body. They may hold the sender's credentials."""
    from hookline.incoming.receive.rejections import load

    rejection = _find(id)
    request = load(rejection)
    shown = body_fields(request.body) if as_json else {"body": preview(request.body)}
    headers = {name: ", ".join(values) for name, values in request.headers.items()}
    print_fields({**describe(rejection), "url": request.url, "headers": headers, **shown}, as_json)


@rejections.command()
@click.argument("id")
@json_option
def reverify(id: str, as_json: bool) -> None:  # noqa: A002 # the name of the argument in help
    """Verify a refused request with the secrets of today and, if it passes now, store its events.

    Exits with 1 when it is refused again.
    """
    from hookline.exceptions import VerificationError
    from hookline.incoming.receive.reverify import reverify as verify_again
    from hookline.models import Event

    rejection = _find(id)
    try:
        stored = verify_again(rejection, time.time())
    except VerificationError as error:
        raise click.ClickException(f"{rejection.public_id} is refused again: {error}") from error
    found = [
        {"id": Event(id=item.id).public_id, "status": "duplicate" if item.duplicate else "accepted"} for item in stored
    ]
    if as_json:
        print_fields({"id": rejection.public_id, "events": found}, as_json)
    else:
        print_rows(found, ("id", "status"), as_json, "It is genuine, but holds no event: it was a handshake.")


def describe(rejection: Rejection) -> dict[str, Any]:
    """A rejection without the request."""
    return {
        "id": rejection.public_id,
        "source": rejection.source.public_id if rejection.source else None,
        "provider": rejection.provider,
        "status": rejection.status,
        "reason": rejection.reason,
        "detail": rejection.detail,
        "method": rejection.method,
        "path": rejection.path,
        "remote_addr": rejection.remote_addr,
        "body_size": rejection.body_size,
        "complete": rejection.complete,
        "created_at": rejection.created_at,
    }


def _find(public_id: str) -> Rejection:
    from hookline.cli.rows import find
    from hookline.models import Rejection

    return find(Rejection.objects.select_related("source__tenant"), public_id)
