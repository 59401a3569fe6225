"""`hookline messages`: what was published."""

from __future__ import annotations

import click

from hookline.cli import complete, listing
from hookline.cli.command import Group, json_option
from hookline.cli.output import body_fields, preview, print_fields, print_rows


@click.group(cls=Group)
def messages() -> None:
    """Look at messages: what was published."""


@messages.command("list")
@listing.filters("type", "tenant")
@json_option
def list_messages(filters: listing.Filters, as_json: bool) -> None:
    """List messages, newest first."""
    from hookline.operations import messages

    found = [messages.as_json(message) for message in messages.newest(filters.selection())]
    columns = ("id", "tenant", "type", "uid", "created_at")
    print_rows(found, columns, as_json, "No messages found.")
    listing.tell_searched(filters, found)


@messages.command()
@click.argument("id", shell_complete=complete.messages)
@click.option(
    "--tenant",
    shell_complete=complete.tenants,
    metavar="KEY",
    help="The tenant, if several tenants use this idempotency key.",
)
@json_option
def cancel(id: str, tenant: str | None, as_json: bool) -> None:  # noqa: A002 # the name of the argument in help
    """Cancel the deliveries of a message that wait. ID may be its idempotency key."""
    from hookline.cli.actor import actor
    from hookline.operations import messages

    message = messages.find(id, tenant=tenant)
    print_fields({"id": message.public_id, "cancelled": messages.cancel(actor(), message)}, as_json)


@messages.command()
@click.argument("id", shell_complete=complete.messages)
@click.option(
    "--tenant",
    shell_complete=complete.tenants,
    metavar="KEY",
    help="The tenant, if several tenants use this idempotency key.",
)
@json_option
def show(id: str, tenant: str | None, as_json: bool) -> None:  # noqa: A002 # the name of the argument in help
    """Show one message with its body and its deliveries. ID may be its idempotency key."""
    from hookline.operations import deliveries, messages

    message = messages.find(id, tenant=tenant)
    sent = [deliveries.as_json(delivery) for delivery in messages.deliveries_of(message)]
    body = bytes(message.body)
    if as_json:
        print_fields({**messages.as_json(message), **body_fields(body), "deliveries": sent}, as_json)
        return
    print_fields({**messages.as_json(message), "body": preview(body)}, as_json)
    click.echo()
    columns = ("id", "status", "attempts", "url", "due_at", "note")
    print_rows(sent, columns, as_json, "No endpoint wanted it.")
