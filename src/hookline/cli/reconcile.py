"""`hookline reconcile`: what a sender says that it sent, held against what arrived."""

from __future__ import annotations

from datetime import datetime

import click

from hookline.cli.command import Command, json_option
from hookline.cli.output import print_fields, print_rows, say
from hookline.cli.secret_options import secret_options
from hookline.cli.times import Since


@click.command(cls=Command)
@click.argument("source")
@click.option("--since", type=Since(), required=True, help="30m, 24h or 7d ago, or an ISO 8601 time.")
@secret_options("The credential for the sender's API: Stripe's restricted key, a token of GitHub.")
@click.option("--hook", default="", metavar="PATH", help="The webhook at the sender: repos/OWNER/NAME/hooks/ID.")
@click.option("--type", "types", multiple=True, metavar="TYPE", help="Only this event type, or invoice.*; repeat it.")
@click.option("--api", default="", metavar="URL", help="Another URL of the API, such as that of GitHub Enterprise.")
@click.option("--admit", is_flag=True, help="Store what is missing, or have the sender send it again.")
@json_option
def reconcile(
    *,
    source: str,
    since: datetime,
    secret: str | None,
    hook: str,
    types: tuple[str, ...],
    api: str,
    admit: bool,
    as_json: bool,
) -> None:
    """List what the sender of SOURCE says that it sent and that did not arrive.

    Stripe's events and GitHub's deliveries of a webhook can be asked for; other senders offer no such record, or none
    that Hookline reads. With --admit, missing events of Stripe are stored from its API, and GitHub is asked to deliver
    again.
    """
    from hookline.cli.actor import actor
    from hookline.operations import reconciliation, sources

    if secret is None:
        raise click.UsageError("give the credential with --secret-file (or - for standard input)")
    found = sources.find(source)
    result = reconciliation.missing(found, secret, since, hook=hook, api=api, types=types)
    admitted = reconciliation.admit(actor(), found, result) if admit and result.missing else []
    rows = [reconciliation.as_json(one) for one in result.missing]
    if as_json:
        print_fields({"sent": result.sent, "missing": rows, "admitted": admitted}, as_json)
        return
    say(f"{len(rows)} of {result.sent} did not arrive.")
    print_rows(rows, ("id", "type", "sent_at"), as_json, "Nothing is missing.")
    if admitted:
        say(f"{len(admitted)} were stored or requested again.")
