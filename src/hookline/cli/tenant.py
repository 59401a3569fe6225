"""`hookline tenant`: the customers or organisations that sources and endpoints belong to."""

from __future__ import annotations

import click

from hookline.cli.command import Group, json_option
from hookline.cli.output import print_fields


@click.group(cls=Group)
def tenant() -> None:
    """Create tenants: the customers or organisations that sources and endpoints belong to."""


@tenant.command()
@click.argument("key")
@click.option("--name", default="", help="For people.")
@click.option("--email", default="", help="Who is told when an endpoint is suspended.")
@json_option
def create(key: str, name: str, email: str, as_json: bool) -> None:
    """Create a tenant. KEY is your own name for it: letters, digits, dots, underscores and hyphens."""
    from hookline.cli.actor import actor
    from hookline.operations import tenants

    print_fields(tenants.as_json(tenants.create(actor(), key, name=name, email=email)), as_json)
