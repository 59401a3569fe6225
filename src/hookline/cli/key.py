"""`hookline key`: keys of the API."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from hookline.cli import complete
from hookline.cli.command import Group, json_option, something_to_change
from hookline.cli.output import print_fields, print_rows, say
from hookline.cli.rate_options import rate_options
from hookline.cli.times import Duration, Until

if TYPE_CHECKING:
    from hookline.tenants.models import Tenant

SCOPES = "What it may do: messages:write and the like, or a set of them: all, read, publish, subscriber, support."


class Scopes(click.ParamType[list[str]]):
    """Scopes with commas between them."""

    name = "scopes"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> list[str]:
        if isinstance(value, list):
            return value
        return [word for part in value.split(",") if (word := part.strip())]


@click.group(cls=Group)
def key() -> None:
    """Manage keys of the API. A key is shown once, when it is made."""


@key.command()
@click.option("--scopes", "scopes", type=Scopes(), required=True, metavar="SCOPE,...", help=SCOPES)
@click.option(
    "--tenant",
    shell_complete=complete.tenants,
    metavar="KEY",
    help="The tenant whose data it may use.  [default: an operator's key, for all tenants]",
)
@click.option("--organisation", default="", metavar="NAME", help="Instead of one tenant, all those of an organisation.")
@click.option("--name", default="", help="For people: what uses this key.")
@click.option("--expires", type=Until(), help="When it ends: 90d, or 2026-12-31.  [default: never]")
@rate_options
@json_option
def create(
    *,
    scopes: list[str],
    tenant: str | None,
    organisation: str,
    name: str,
    expires: datetime | None,
    rate_limit: float | None,
    rate_burst: int | None,
    as_json: bool,
) -> None:
    """Create a key, and print it once."""
    from hookline.cli.actor import actor
    from hookline.operations import keys

    made = keys.create(
        actor(),
        scopes,
        tenant=_tenant(tenant),
        organisation=organisation,
        name=name,
        expires_at=expires,
        rate_limit=rate_limit or None,
        rate_burst=rate_burst,
    )
    print_fields({"key": made.text, **keys.as_json(made.key)}, as_json)
    say("Store the key now: it is not shown again.")


@key.command("list")
@click.option("--tenant", shell_complete=complete.tenants, metavar="KEY", help="Only of this tenant.")
@click.option("--tokens", is_flag=True, help="List the tokens of subscribers' pages instead of keys.")
@click.option("--limit", type=click.IntRange(min=1), help="Maximum number of rows.  [default: all]")
@json_option
def list_keys(*, tenant: str | None, tokens: bool, limit: int | None, as_json: bool) -> None:
    """List keys, newest first."""
    from hookline.operations import keys

    found = keys.newest(tenant=_tenant(tenant), tokens=tokens, limit=limit)
    columns = ("id", "tenant", "organisation", "name", "scopes", "status", "expires_at", "last_used_at")
    print_rows([keys.as_json(one) for one in found], columns, as_json, "No keys yet.")


@key.command()
@click.argument("id")
@json_option
def show(id: str, as_json: bool) -> None:  # noqa: A002 # the name of the argument in help
    """Show one key, by its id, which is also the first part of the key itself."""
    from hookline.operations import keys

    print_fields(keys.as_json(keys.find(id)), as_json)


@key.command()
@click.argument("id")
@click.option("--scopes", "scopes", type=Scopes(), metavar="SCOPE,...", help=SCOPES)
@click.option("--name", help="For people: what uses this key.")
@rate_options
@json_option
def update(
    *,
    id: str,  # noqa: A002 # as above
    scopes: list[str] | None,
    name: str | None,
    rate_limit: float | None,
    rate_burst: int | None,
    as_json: bool,
) -> None:
    """Change the given fields of a key; the others stay."""
    from hookline.cli.actor import actor
    from hookline.operations import keys

    something_to_change(scopes, name, rate_limit, rate_burst)
    found = keys.find(id)
    keys.update(actor(), found, name=name, given=scopes, rate_limit=rate_limit, rate_burst=rate_burst)
    print_fields(keys.as_json(found), as_json)


@key.command()
@click.argument("id")
@click.option("--overlap", type=Duration(), help="How long the previous one stays valid: 30m, 24h.  [default: a day]")
@json_option
def rotate(id: str, overlap: float | None, as_json: bool) -> None:  # noqa: A002 # as above
    """Give a key a new text, and print it once. Its id and scopes stay."""
    from hookline.cli.actor import actor
    from hookline.operations import keys

    found = keys.find(id)
    rotated = keys.rotate(actor(), found, overlap=overlap)
    print_fields({"key": rotated.secret, "id": found.public_id, "overlap": rotated.overlap}, as_json)
    say("Store the key now: it is not shown again.")


@key.command()
@click.argument("id")
@json_option
def revoke(id: str, as_json: bool) -> None:  # noqa: A002 # as above
    """Refuse a key from now on. Every process does so within a second."""
    from hookline.cli.actor import actor
    from hookline.operations import keys

    found = keys.find(id)
    keys.revoke(actor(), found)
    print_fields({"id": found.public_id, "status": keys.state(found)}, as_json)


def _tenant(name: str | None) -> Tenant | None:
    from hookline.operations import tenants

    return None if name is None else tenants.find(name)
