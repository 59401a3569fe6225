"""`hookline deliveries`: what was sent and what became of it."""

from __future__ import annotations

import click

from hookline.cli import complete, jobs, listing
from hookline.cli.command import Group, json_option
from hookline.cli.output import content_fields, print_fields, print_rows, say


@click.group(cls=Group)
def deliveries() -> None:
    """Look at deliveries: messages on their way to endpoints."""


@deliveries.command("list")
@listing.filters("status", "parked", "type", "tenant", "endpoint")
@json_option
def list_deliveries(filters: listing.Filters, as_json: bool) -> None:
    """List deliveries, newest first."""
    from hookline.operations import deliveries

    found = [deliveries.as_json(delivery) for delivery in deliveries.newest(filters.selection())]
    columns = ("id", "type", "status", "attempts", "message", "url", "created_at", "note")
    print_rows(found, columns, as_json, "No deliveries found.")
    listing.tell_searched(filters, found)


@deliveries.command()
@click.argument("id", shell_complete=complete.deliveries)
@json_option
def show(id: str, as_json: bool) -> None:  # noqa: A002 # the name of the argument in help
    """Show one delivery: its body, what it waits for, and every attempt.

    Each with the headers of its request, the answer, and how long each step took. Signatures are shortened, and the
    values of the endpoint's own headers hidden.
    """
    from hookline.operations import deliveries
    from hookline.operations.waiting import waiting

    delivery = deliveries.find(id)
    held = waiting(delivery)
    shown = {**deliveries.as_json(delivery), "waits_for": None if held is None else held.why}
    made = deliveries.attempts(delivery)
    attempts = [deliveries.attempt_as_json(attempt) for attempt in made]
    message = delivery.message
    shown |= content_fields(bytes(message.body), as_json, expunged=message.is_expunged)
    if as_json:
        print_fields({**shown, "attempts_made": attempts}, as_json)
        return
    print_fields(shown, as_json)
    if not attempts:
        say("No attempt was made yet.")
    for attempt, shown in zip(made, attempts, strict=True):
        click.echo()
        print_fields({**shown, "timing_ms": deliveries.timing_shown(attempt)}, as_json)


jobs.add_commands(
    deliveries,
    "Send finished deliveries again, with all their attempts and under the same message id.",
    "status",
    "parked",
    "type",
    "tenant",
    "endpoint",
    now=" or for a breaker. A disabled endpoint gets nothing",
    ids=complete.deliveries,
)


@deliveries.command("expunge-attempt")
@click.argument("id", metavar="ATTEMPT_ID")
@json_option
def expunge_attempt(id: str, as_json: bool) -> None:  # noqa: A002 # as above
    """Remove what the endpoint answered to one attempt, for good. The attempt itself stays."""
    from hookline.cli.actor import actor
    from hookline.operations import deliveries

    attempt = deliveries.find_attempt(id)
    print_fields({"id": attempt.public_id, "expunged": deliveries.expunge_attempt(actor(), attempt)}, as_json)
