"""`hookline tenant`: the customers or organisations that sources and endpoints belong to."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from hookline.cli import complete
from hookline.cli.bulk import confirm, yes_option
from hookline.cli.command import Group, json_option, something_to_change
from hookline.cli.output import print_fields, print_rows
from hookline.cli.rate_options import rate_options
from hookline.cli.times import Duration, Since

if TYPE_CHECKING:
    from hookline.models import Tenant


@click.group(cls=Group)
def tenant() -> None:
    """Manage tenants: the customers or organisations that sources and endpoints belong to."""


@tenant.command()
@click.argument("key")
@click.option("--name", default="", help="For people.")
@click.option("--email", default="", help="Who is told when an endpoint is suspended.")
@rate_options
@click.option("--throttle-rate", type=click.IntRange(min=0), help="Messages a second to all of its endpoints; 0: any.")
@json_option
def create(
    *,
    key: str,
    name: str,
    email: str,
    rate_limit: float | None,
    rate_burst: int | None,
    throttle_rate: int | None,
    as_json: bool,
) -> None:
    """Create a tenant. KEY is your own name for it: letters, digits, dots, underscores and hyphens."""
    from hookline.cli.actor import actor
    from hookline.operations import tenants

    created = tenants.create(
        actor(),
        key,
        name=name,
        email=email,
        rate_limit=rate_limit or None,
        rate_burst=rate_burst,
        throttle_rate=throttle_rate or None,
    )
    print_fields(tenants.as_json(created), as_json)


@tenant.command("list")
@click.option("--limit", type=click.IntRange(min=1), help="Maximum number of rows.  [default: all]")
@click.option("--deleted", is_flag=True, help="Instead, list deleted tenants that still have history.")
@json_option
def list_tenants(limit: int | None, deleted: bool, as_json: bool) -> None:
    """List all tenants, newest first."""
    from hookline.operations import tenants

    rows = [tenants.as_json(found) for found in tenants.newest(limit, deleted=deleted)]
    print_rows(rows, ("id", "key", "name", "email"), as_json, "No such tenants." if deleted else "No tenants yet.")


@tenant.command()
@click.argument("key", shell_complete=complete.tenants)
@json_option
def show(key: str, as_json: bool) -> None:
    """Show one tenant, by its KEY or id."""
    from hookline.operations import tenants

    print_fields(tenants.as_json(tenants.find(key, deleted=True)), as_json)


@tenant.command()
@click.argument("keys", nargs=-1, metavar="[KEY]...", shell_complete=complete.tenants)
@click.option("--since", type=Since(), required=True, help="From when on: 30d ago, or a time.")
@click.option("--until", type=Since(), help="Until when.  [default: now]")
@json_option
def usage(keys: tuple[str, ...], since: datetime, until: datetime | None, as_json: bool) -> None:
    """Have a worker count the deliveries of a period, of these tenants or of all.

    `hookline replay show` has the numbers by tenant, complete once its status is `succeeded`.
    """
    from hookline.cli.actor import actor
    from hookline.operations import replays, tenants

    chosen = [tenants.find(key) for key in keys]
    started = replays.count_usage(actor(), since=since, until=until, tenants=chosen)
    print_fields(replays.as_json(started), as_json)


@tenant.command()
@click.argument("key", shell_complete=complete.tenants)
@click.option("--key", "new_key", help="A new key, instead of KEY.")
@click.option("--name", help="For people.")
@click.option("--email", help="Who is told when an endpoint is suspended.")
@rate_options
@click.option("--throttle-rate", type=click.IntRange(min=0), help="Messages a second to all of its endpoints; 0: any.")
@json_option
def update(
    *,
    key: str,
    new_key: str | None,
    name: str | None,
    email: str | None,
    rate_limit: float | None,
    rate_burst: int | None,
    throttle_rate: int | None,
    as_json: bool,
) -> None:
    """Change the given fields of a tenant; the others stay."""
    from hookline.cli.actor import actor
    from hookline.operations import tenants

    something_to_change(new_key, name, email, rate_limit, rate_burst, throttle_rate)
    found = tenants.find(key)
    tenants.update(
        actor(),
        found,
        key=new_key,
        name=name,
        email=email,
        rate_limit=rate_limit,
        rate_burst=rate_burst,
        throttle_rate=throttle_rate,
    )
    print_fields(tenants.as_json(found), as_json)


@tenant.command()
@click.argument("key", shell_complete=complete.tenants)
@click.option("--erase", is_flag=True, help="Remove its history as well, whatever RETENTION says.")
@click.option("--now", is_flag=True, help="Do here what workers would do, and wait until it is done.")
@yes_option
@json_option
def delete(*, key: str, erase: bool, now: bool, yes: bool, as_json: bool) -> None:
    """Delete a tenant: disable its sources and endpoints, and cancel what is pending.

    Its history stays until RETENTION, and then the tenant goes, too; with --erase workers remove all of it, a few rows
    at a time. A tenant that has nothing goes at once. One that was deleted before is named by its id.
    """
    from hookline.cli.actor import actor
    from hookline.operations import removal, tenants

    found = tenants.find(key, deleted=True)
    if erase:
        has = removal.left(found)
        told = ", ".join(f"{number} {nouns}" for nouns, number in has.items()) or "nothing else"
        confirm(f"Erase tenant {found.key} ({found.public_id}) with {told}? This cannot be undone.", yes)
    if not (now and found.removal and found.removal["erase"] == erase):  # else it goes on with what was begun
        tenants.delete(actor(), found, erase=erase)
    receipt = None
    if now:
        receipt = _carried_out(found, sum(has.values()) if erase else 0)
    if tenants.gone(found):
        print_fields({"id": found.public_id, "deleted": True} | ({"receipt": receipt} if receipt else {}), as_json)
    else:
        print_fields({**tenants.as_json(tenants.find(found.public_id, deleted=True)), "deleted": False}, as_json)


def _carried_out(found: Tenant, rows: int) -> dict[str, Any] | None:
    """Do all that can be done now, with a progress bar; the receipt, once the tenant is gone."""
    from hookline.operations import audit, removal

    receipt = None
    hidden = not sys.stderr.isatty() or not rows
    with click.progressbar(length=rows, label="Erasing", file=sys.stderr, hidden=hidden) as bar:
        for portion in removal.carry_out(found):
            bar.update(portion.removed.total())
            if portion.receipt is not None:
                receipt = audit.as_json(portion.receipt)
    return receipt


@tenant.command()
@click.argument("key", shell_complete=complete.tenants)
@click.option("--lifetime", type=Duration(), help="How long it is valid, such as 1h; at most 28d.  [default: 28d]")
@json_option
def token(key: str, lifetime: float | None, as_json: bool) -> None:
    """Print a token for the page of this tenant's subscribers: its endpoints, messages and deliveries, and no more."""
    from hookline.cli.actor import actor
    from hookline.operations import app_tokens, keys, tenants

    made = app_tokens.issue(actor(), tenants.find(key), lifetime=app_tokens.LIFETIME if lifetime is None else lifetime)
    print_fields({"token": made.text, **keys.as_json(made.key)}, as_json)


@tenant.command("expire-tokens")
@click.argument("key", shell_complete=complete.tenants)
@click.option("--after", type=Duration(), default=0.0, help="How long they still count.  [default: not at all]")
@json_option
def expire_tokens(key: str, after: float, as_json: bool) -> None:
    """End all tokens for the page of this tenant's subscribers."""
    from hookline.cli.actor import actor
    from hookline.operations import app_tokens, tenants

    found = tenants.find(key)
    print_fields({"id": found.public_id, "tokens": app_tokens.expire(actor(), found, after=after)}, as_json)
