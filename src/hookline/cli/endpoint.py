"""`hookline endpoint`: the subscribers' URLs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from hookline.cli.command import Group, json_option
from hookline.cli.output import print_fields, print_rows
from hookline.cli.times import Duration

if TYPE_CHECKING:
    from hookline.models import Endpoint


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
    from hookline.outgoing import endpoints

    patterns = [pattern for part in events.split(",") if (pattern := part.strip())]
    created = endpoints.create(url, event_types=patterns, tenant=tenant, secret=secret)
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
    from hookline.models import Endpoint

    rows = [describe(found) for found in Endpoint.objects.select_related("tenant").order_by("-id")]
    columns = ("id", "tenant", "url", "events", "breaker", "disabled", "created_at")
    print_rows(rows, columns, as_json, "There are no endpoints yet; create one with `hookline endpoint create`.")


@endpoint.command()
@click.argument("id")
@click.option("--secret", help="The new secret. Without it one is made up and shown, this once.")
@click.option("--overlap", type=Duration(), help="How long messages are signed with the former, too.  [default: 24h]")
@json_option
def rotate(id: str, secret: str | None, overlap: float | None, as_json: bool) -> None:  # noqa: A002 # the name of the argument in help
    """Give an endpoint a new secret; messages are signed with the former ones, too, for a while."""
    from hookline import conf
    from hookline.outgoing import endpoints

    found = _find(id)
    seconds = conf.get().ROTATION_OVERLAP if overlap is None else overlap
    new = endpoints.rotate(found, secret, now=time.time(), overlap=seconds)
    print_fields({"id": found.public_id, "secret": new, "overlap_seconds": seconds}, as_json)


@endpoint.command()
@click.argument("id")
@json_option
def disable(id: str, as_json: bool) -> None:  # noqa: A002 # as above
    """Send nothing more to an endpoint; what waits keeps waiting."""
    from hookline.outgoing import endpoints

    found = _find(id)
    endpoints.disable(found, "disabled on the command line")
    print_fields({"id": found.public_id, "disabled": found.disabled}, as_json)


@endpoint.command()
@click.argument("id")
@json_option
def enable(id: str, as_json: bool) -> None:  # noqa: A002 # as above
    """Send to an endpoint again, what waited first."""
    from hookline.outgoing import endpoints

    found = _find(id)
    endpoints.enable(found)
    print_fields({"id": found.public_id, "disabled": found.disabled}, as_json)


def describe(found: Endpoint) -> dict[str, Any]:
    """An endpoint without its secrets."""
    return {
        "id": found.public_id,
        "url": found.url,
        "tenant": found.tenant.key,
        "events": found.event_types,
        "description": found.description,
        "secrets": len(found.secrets.active(time.time())),
        "breaker": found.breaker.state.value,
        "disabled": found.disabled,
        "disabled_reason": found.disabled_reason,
        "created_at": found.created_at,
    }


def _find(public_id: str) -> Endpoint:
    from hookline.cli.rows import find
    from hookline.models import Endpoint

    return find(Endpoint.objects.select_related("tenant"), public_id)
