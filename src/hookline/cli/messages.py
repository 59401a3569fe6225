"""`hookline messages`: what was published."""

from __future__ import annotations

from dataclasses import asdict

import click

from hookline.cli import bulk, complete, listing
from hookline.cli.command import Group, json_option
from hookline.cli.output import content_fields, print_fields, print_rows, say


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
@bulk.yes_option
@json_option
def expunge(id: str, tenant: str | None, yes: bool, as_json: bool) -> None:  # noqa: A002 # as above
    """Remove the content of a message, and what endpoints answered, for good. The record stays.

    What is not sent yet is cancelled. ID may be its idempotency key.
    """
    from hookline.cli.actor import actor
    from hookline.operations import messages

    message = messages.find(id, tenant=tenant)
    bulk.confirm(f"Remove the content of {message.public_id} ({message.type}) for good?", yes)
    expunged = messages.expunge(actor(), message)
    print_fields({"id": message.public_id, **asdict(expunged)}, as_json)
    if expunged.under_way:
        say(f"{expunged.under_way} deliveries are being sent now: run this again when they have ended.")


@messages.command("expunge-all")
@click.option("--tenant", required=True, shell_complete=complete.tenants, metavar="KEY", help="Whose messages.")
@bulk.yes_option
@json_option
def expunge_all(tenant: str, yes: bool, as_json: bool) -> None:
    """Remove the contents of all messages of a tenant, and what endpoints answered, for good.

    A worker does it; `hookline replay show` has its progress. What is not sent yet is cancelled. The records stay.
    """
    from hookline.cli.actor import actor
    from hookline.operations import replays
    from hookline.operations.selection import Selection

    bulk.confirm(f"Remove the contents of all messages of {tenant} for good?", yes)
    started = replays.start(actor(), replays.What.CONTENTS, Selection(tenant=tenant))
    print_fields(replays.as_json(started), as_json)


@messages.command()
@click.argument("id", shell_complete=complete.messages)
@click.option("--to", "endpoint", required=True, shell_complete=complete.endpoints, metavar="ENDPOINT")
@json_option
def resend(id: str, endpoint: str, as_json: bool) -> None:  # noqa: A002 # as above
    """Send a message to one endpoint now, even if it got the message before or does not match it."""
    from hookline.cli.actor import actor
    from hookline.operations import deliveries, endpoints, messages, resending

    message = messages.find(id)
    delivery = resending.resend(actor(), message, endpoints.find(endpoint, tenant=message.tenant.key))
    print_fields(deliveries.as_json(delivery), as_json)


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
    content = content_fields(bytes(message.body), as_json, expunged=message.is_expunged)
    shown = {**messages.as_json(message), **content}
    if as_json:
        print_fields({**shown, "deliveries": sent}, as_json)
        return
    print_fields(shown, as_json)
    click.echo()
    columns = ("id", "status", "attempts", "url", "due_at", "note")
    print_rows(sent, columns, as_json, "No endpoint wanted it.")
