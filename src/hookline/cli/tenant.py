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
    from hookline.models import Tenant

    created = Tenant(key=key, name=name, email=email)
    created.full_clean()
    created.save(force_insert=True)
    fields = {"id": created.public_id, "key": created.key, "name": created.name, "email": created.email}
    print_fields(fields, as_json)
