"""`hookline endpoint`: the subscribers' URLs."""

from __future__ import annotations

import click

from hookline.cli.command import Group, json_option
from hookline.cli.output import print_fields, print_rows
from hookline.cli.times import Duration


@click.group(cls=Group)
def endpoint() -> None:
    """Manage endpoints: the URLs that messages are delivered to."""


@endpoint.command()
@click.option("--url", required=True, help="Where to POST messages to.")
@click.option("--events", default="", help="Event types with commas between them, such as 'invoice.*,order.paid'; all.")
@click.option("--tenant", metavar="KEY", help="The tenant that it belongs to.")
@click.option("--secret", help="A secret of Standard Webhooks. Without it one is made up.")
@json_option
def create(url: str, events: str, tenant: str | None, secret: str | None, as_json: bool) -> None:
    """Create an endpoint. The secret is shown this once: the subscriber verifies messages with it."""
    from hookline.cli.actor import actor
    from hookline.operations import endpoints

    patterns = [pattern for part in events.split(",") if (pattern := part.strip())]
    created = endpoints.create(actor(), url, event_types=patterns, tenant=tenant, secret=secret)
    fields = {
        "id": created.public_id,
        "url": created.url,
        "secret": created.secrets.secrets[0].value,
        "tenant": created.tenant.key,
    }
    print_fields(fields, as_json)


@endpoint.command("list")
@json_option
def list_endpoints(as_json: bool) -> None:
    """List all endpoints, newest first. Secrets are counted, not shown."""
    from hookline.operations import endpoints

    rows = [endpoints.as_json(found) for found in endpoints.newest()]
    columns = ("id", "tenant", "url", "events", "breaker", "disabled", "created_at")
    print_rows(rows, columns, as_json, "There are no endpoints yet; create one with `hookline endpoint create`.")


@endpoint.command()
@click.argument("id")
@click.option("--secret", help="The new secret. Without it one is made up and shown, this once.")
@click.option("--overlap", type=Duration(), help="How long messages are signed with the former, too.  [default: 24h]")
@json_option
def rotate(id: str, secret: str | None, overlap: float | None, as_json: bool) -> None:  # noqa: A002 # the name of the argument in help
    """Give an endpoint a new secret; messages are signed with the former ones, too, for a while."""
    from hookline.cli.actor import actor
    from hookline.operations import endpoints

    found = endpoints.find(id)
    rotated = endpoints.rotate(actor(), found, secret, overlap=overlap)
    fields = {"id": found.public_id, "secret": rotated.secret, "overlap_seconds": rotated.overlap}
    print_fields(fields, as_json)


@endpoint.command()
@click.argument("id")
@json_option
def disable(id: str, as_json: bool) -> None:  # noqa: A002 # as above
    """Send nothing more to an endpoint; what waits keeps waiting."""
    from hookline.cli.actor import actor
    from hookline.operations import endpoints

    found = endpoints.find(id)
    endpoints.disable(actor(), found)
    print_fields({"id": found.public_id, "disabled": found.disabled}, as_json)


@endpoint.command()
@click.argument("id")
@json_option
def enable(id: str, as_json: bool) -> None:  # noqa: A002 # as above
    """Send to an endpoint again, what waited first."""
    from hookline.cli.actor import actor
    from hookline.operations import endpoints

    found = endpoints.find(id)
    endpoints.enable(actor(), found)
    print_fields({"id": found.public_id, "disabled": found.disabled}, as_json)
