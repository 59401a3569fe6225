"""`hookline dispatch`: publish a message."""

from __future__ import annotations

from datetime import datetime

import click

from hookline.cli import complete
from hookline.cli.command import Command, json_option
from hookline.cli.output import print_fields
from hookline.cli.times import Until


@click.command(cls=Command)
@click.argument("event_type", shell_complete=complete.types, metavar="TYPE")
@click.argument("data", metavar="JSON")
@click.option("--tenant", shell_complete=complete.tenants, metavar="KEY", help="The tenant whose endpoints receive it.")
@click.option("--idempotency-key", metavar="K", help="A message with a key that was already used is not sent.")
@click.option("--deliver-at", type=Until(), help="When to send it: 30m, 24h, or 2026-01-31T12:00Z.  [default: now]")
@click.option("--expires-at", type=Until(), help="When to cancel what is not delivered, written the same way.")
@json_option
def dispatch(
    *,
    event_type: str,
    data: str,
    tenant: str | None,
    idempotency_key: str | None,
    deliver_at: datetime | None,
    expires_at: datetime | None,
    as_json: bool,
) -> None:
    """Publish a message to every endpoint of the tenant that wants its TYPE. JSON is its data."""
    from hookline.cli.actor import actor
    from hookline.cli.payload import parse
    from hookline.operations import messages

    message = messages.publish(
        actor(),
        event_type,
        parse(data),
        tenant=tenant,
        idempotency_key=idempotency_key,
        deliver_at=deliver_at,
        expires_at=expires_at,
    )
    print_fields(messages.published_as_json(message), as_json)
