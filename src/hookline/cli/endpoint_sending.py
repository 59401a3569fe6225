"""What can be sent to one endpoint by hand: its challenge, an example, a test, and what it missed."""

from __future__ import annotations

from datetime import datetime

import click

from hookline.cli import complete
from hookline.cli.command import Command, DocumentPrinted, json_option
from hookline.cli.output import content_fields, print_fields, print_rows, say
from hookline.cli.times import Duration, Rate, Since


@click.command(cls=Command)
@click.argument("id", shell_complete=complete.endpoints)
@json_option
def challenge(id: str, as_json: bool) -> None:  # noqa: A002 # the name of the argument in help
    """Send an endpoint its ownership challenge, and enable it when it answers."""
    from hookline.cli.actor import actor
    from hookline.operations import endpoints

    found = endpoints.find(id)
    endpoints.challenge(actor(), found)
    print_fields({"id": found.public_id, "challenge": found.challenge, "disabled": found.disabled}, as_json)


@click.command(cls=Command)
@click.argument("id", shell_complete=complete.endpoints)
@click.option("--since", type=Since(), required=True, help="Start: 30m, 24h or 7d ago, or an ISO 8601 time.")
@click.option("--until", type=Since(), help="End, written the same way.  [default: now]")
@click.option("--rate", type=Rate(), metavar="N/s", help="At most this many, such as 50/s.")
@click.option("--dry-run", is_flag=True, help="Count what it would do, and do nothing.")
@click.option("--watch", is_flag=True, help="Show its progress until it ends.")
@json_option
def recover(
    *,
    id: str,  # noqa: A002 # as above
    since: datetime,
    until: datetime | None,
    rate: float | None,
    dry_run: bool,
    watch: bool,
    as_json: bool,
) -> None:
    """Send an endpoint what it never got: while it was disabled, before it was created, or without success.

    Its current event types and channels decide which messages it gets. This starts a replay: see `hookline replay`.
    """
    from hookline.cli.listing import Filters
    from hookline.cli.replay import begin

    given = {"endpoint": id, "since": since, "until": until}
    filters = Filters({name: value for name, value in given.items() if value is not None}, limit=1)
    begin("missed", filters, rate=rate, dry_run=dry_run, watch=watch, as_json=as_json)


@click.command(cls=Command)
@click.argument("id", shell_complete=complete.endpoints)
@click.option("--since", "after", type=click.IntRange(min=0), default=0, help="Only behind this number.  [default: 0]")
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True, help="Maximum number.")
@click.option("--wait", type=Duration(), default=0.0, help="How long to wait for one where there is none, such as 30s.")
@json_option
def messages(id: str, after: int, limit: int, wait: float, as_json: bool) -> None:  # noqa: A002 # as above
    """Show what an endpoint was sent, or is to be sent, by its sequence numbers.

    It needs `--sequence`. Ask again with `next` of the answer: no message is ever skipped.
    """
    from hookline.operations import endpoint_messages, endpoints

    page = endpoint_messages.since(endpoints.find(id), after, limit=limit, wait=wait)
    document = endpoint_messages.as_json(page)
    if as_json:
        pairs = zip(document["messages"], page.messages, strict=True)
        shown = [
            {**fields, **content_fields(one.body, as_json, expunged=one.delivery.message.is_expunged)}
            for fields, one in pairs
        ]
        print_fields({**document, "messages": shown}, as_json)
        return
    columns = ("sequence", "id", "type", "status", "created_at")
    print_rows(document["messages"], columns, as_json, "No messages behind this number.")
    for first, end in page.gone:
        say(f"{first} to {end} are gone: their history was pruned.")
    if page.more:
        say(f"There are more: --since {page.next}")


@click.command(cls=Command)
@click.argument("id", shell_complete=complete.endpoints)
@click.option("--type", "event_type", default="svix.ping", show_default=True, help="A type of the catalogue.")
@json_option
def example(id: str, event_type: str, as_json: bool) -> None:  # noqa: A002 # as above
    """Send an endpoint the example of an event type, as a message that is kept and retried like any other."""
    from hookline.cli.actor import actor
    from hookline.operations import endpoint_example, endpoints

    found = endpoints.find(id)
    message = endpoint_example.send(actor(), found, event_type)
    print_fields({"id": found.public_id, "message": message.public_id, "type": message.type}, as_json)


@click.command(cls=Command)
@click.argument("id", shell_complete=complete.endpoints)
@click.option("--type", "event_type", default="hookline.test", show_default=True, help="The type of the message.")
@click.option("--data", metavar="JSON", help="Its data.  [default: a sentence]")
@json_option
def test(id: str, event_type: str, data: str | None, as_json: bool) -> None:  # noqa: A002 # as above
    """Send a signed test message to an endpoint now, and show the answer. Exits with 1 unless it is 2xx.

    Also to one that is disabled or whose breaker is open. It is not kept, and changes nothing but the audit log.
    """
    from hookline.cli import payload
    from hookline.cli.actor import actor
    from hookline.operations import endpoint_trial, endpoints

    found = endpoints.find(id)
    sent = endpoint_trial.DATA if data is None else payload.parse(data)
    tried = endpoint_trial.send(actor(), found, event_type, sent)
    print_fields(tried.as_json(), as_json)
    if not tried.delivered:
        raise DocumentPrinted(f"{found.public_id} did not take it: {tried.problem}")
