"""`hookline tenant`: the customers or organisations that sources and endpoints belong to."""

from __future__ import annotations

import click

from hookline.cli import complete
from hookline.cli.command import Group, json_option, something_to_change
from hookline.cli.output import print_fields, print_rows
from hookline.cli.rate_options import rate_options


@click.group(cls=Group)
def tenant() -> None:
    """Manage tenants: the customers or organisations that sources and endpoints belong to."""


@tenant.command()
@click.argument("key")
@click.option("--name", default="", help="For people.")
@click.option("--email", default="", help="Who is told when an endpoint is suspended.")
@rate_options
@json_option
def create(*, key: str, name: str, email: str, rate_limit: float | None, rate_burst: int | None, as_json: bool) -> None:
    """Create a tenant. KEY is your own name for it: letters, digits, dots, underscores and hyphens."""
    from hookline.cli.actor import actor
    from hookline.operations import tenants

    created = tenants.create(actor(), key, name=name, email=email, rate_limit=rate_limit or None, rate_burst=rate_burst)
    print_fields(tenants.as_json(created), as_json)


@tenant.command("list")
@click.option("--limit", type=click.IntRange(min=1), help="Maximum number of rows.  [default: all]")
@json_option
def list_tenants(limit: int | None, as_json: bool) -> None:
    """List all tenants, newest first."""
    from hookline.operations import tenants

    rows = [tenants.as_json(found) for found in tenants.newest(limit)]
    print_rows(rows, ("id", "key", "name", "email"), as_json, "No tenants yet.")


@tenant.command()
@click.argument("key", shell_complete=complete.tenants)
@json_option
def show(key: str, as_json: bool) -> None:
    """Show one tenant, by its KEY or id."""
    from hookline.operations import tenants

    print_fields(tenants.as_json(tenants.find(key)), as_json)


@tenant.command()
@click.argument("key", shell_complete=complete.tenants)
@click.option("--key", "new_key", help="A new display name.")
@click.option("--name", help="For people.")
@click.option("--email", help="Who is told when an endpoint is suspended.")
@rate_options
@json_option
def update(
    *,
    key: str,
    new_key: str | None,
    name: str | None,
    email: str | None,
    rate_limit: float | None,
    rate_burst: int | None,
    as_json: bool,
) -> None:
    """Change what is given of a tenant; the rest stays."""
    from hookline.cli.actor import actor
    from hookline.operations import tenants

    something_to_change(new_key, name, email, rate_limit, rate_burst)
    found = tenants.find(key)
    tenants.update(actor(), found, key=new_key, name=name, email=email, rate_limit=rate_limit, rate_burst=rate_burst)
    print_fields(tenants.as_json(found), as_json)


@tenant.command()
@click.argument("key", shell_complete=complete.tenants)
@json_option
def delete(key: str, as_json: bool) -> None:
    """Delete a tenant that has no sources, endpoints and messages."""
    from hookline.cli.actor import actor
    from hookline.operations import tenants

    found = tenants.find(key)
    tenants.delete(actor(), found)
    print_fields({"id": found.public_id, "deleted": True}, as_json)
