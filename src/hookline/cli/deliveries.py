"""`hookline deliveries`: what was sent and what became of it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from hookline.cli import listing
from hookline.cli.command import Group, json_option
from hookline.cli.output import body_fields, preview, print_fields, print_rows

if TYPE_CHECKING:
    from hookline.models import Attempt, Delivery


@click.group(cls=Group)
def deliveries() -> None:
    """Look at deliveries: messages on their way to endpoints."""


@deliveries.command("list")
@listing.state_option
@listing.range_options
@json_option
def list_deliveries(status: str | None, since: datetime | None, limit: int, as_json: bool) -> None:
    """List deliveries, newest first."""
    found = [describe(delivery) for delivery in newest(status, since, limit)]
    columns = ("id", "type", "status", "attempts", "message", "url", "created_at", "note")
    print_rows(found, columns, as_json, "There are no such deliveries.")


@deliveries.command()
@click.argument("id")
@json_option
def show(id: str, as_json: bool) -> None:  # noqa: A002 # the name of the argument in help
    """Show one delivery with its body and every attempt that was made."""
    from hookline.cli.rows import find
    from hookline.models import Delivery

    delivery = find(Delivery.objects.select_related("message", "endpoint__tenant"), id)
    attempts = [describe_attempt(attempt) for attempt in delivery.attempts_made.order_by("id")]
    body = bytes(delivery.message.body)
    if as_json:
        print_fields({**describe(delivery), **body_fields(body), "attempts_made": attempts}, as_json)
        return
    print_fields({**describe(delivery), "body": preview(body)}, as_json)
    click.echo()
    columns = ("id", "number", "status", "error", "duration_ms", "created_at", "detail", "response_body")
    print_rows(attempts, columns, as_json, "No attempt was made yet.")


@deliveries.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@json_option
def retry(ids: tuple[str, ...], as_json: bool) -> None:
    """Send finished deliveries again, with all their tries and under the same message id."""
    from hookline.models import Delivery

    print_fields({"retried": listing.retry(Delivery, ids)}, as_json)


def newest(status: str | None, since: datetime | None, limit: int) -> list[Delivery]:
    """The newest deliveries, in this state if there is one, without their bodies."""
    from hookline.cli import rows
    from hookline.models import Delivery

    deliveries = Delivery.objects.select_related("message", "endpoint__tenant").defer("message__body")
    return rows.newest(deliveries, since, limit, **({} if status is None else {"state": status}))


def describe(delivery: Delivery) -> dict[str, Any]:
    """A delivery without its body."""
    return {
        "id": delivery.public_id,
        "message": delivery.message.public_id,
        "endpoint": delivery.endpoint.public_id,
        "url": delivery.endpoint.url,
        "tenant": delivery.endpoint.tenant.key,
        "type": delivery.message.type,
        "status": delivery.state,
        "attempts": delivery.attempts,
        "note": delivery.note,
        "created_at": delivery.created_at,
        "due_at": delivery.due_at,
        "finished_at": delivery.finished_at,
    }


def describe_attempt(attempt: Attempt) -> dict[str, Any]:
    return {
        "id": attempt.public_id,
        "number": attempt.number,
        "status": attempt.status,
        "error": attempt.error,
        "detail": attempt.detail,
        "duration_ms": attempt.duration_ms,
        "response_headers": attempt.response_headers,
        "response_body": attempt.response_body,
        "created_at": attempt.created_at,
    }
