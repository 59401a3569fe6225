"""`hookline source`: the places where webhooks arrive."""

from __future__ import annotations

from typing import Any

import click

from hookline.cli import complete
from hookline.cli.command import Group, json_option, something_to_change
from hookline.cli.forward_options import forward_options, print_routes
from hookline.cli.limit_options import limit_options
from hookline.cli.network_options import networks_options
from hookline.cli.output import print_fields, print_rows
from hookline.cli.pairs import Pair, merged
from hookline.cli.rate_options import rate_options
from hookline.cli.secret_options import secret_options, secrets_options
from hookline.cli.times import Duration

ORDER_BY = "Process events one after the other that have the same value here: $.data.customer or header:X-Shop-Id."
OBJECT_AT = "Where the id of the object stands that an event is about, such as $.data.object.id."
VERSION_AT = "Where the version or time of that object stands. Older states than one processed are superseded."


@click.group(cls=Group)
def source() -> None:
    """Manage sources: the places where webhooks arrive."""


@source.command()
@click.option(
    "--provider", shell_complete=complete.providers, required=True, help="Who sends, such as stripe, github or slack."
)
@secrets_options("The sender's signing secret. Repeat it for several.")
@click.option("--tenant", shell_complete=complete.tenants, metavar="KEY", help="The tenant it belongs to.")
@click.option("--name", default="", help="For people.")
@click.option("--option", "options", multiple=True, type=Pair(), help="An option of the provider.")
@networks_options
@click.option("--order-by", default="", metavar="PLACE", help=ORDER_BY)
@rate_options
@click.option("--object-at", default="", metavar="PLACE", help=OBJECT_AT)
@click.option("--version-at", default="", metavar="PLACE", help=VERSION_AT)
@json_option
def create(*, options: tuple[tuple[str, str], ...], rate_limit: float | None, as_json: bool, **given: Any) -> None:
    """Create a source. Its URL is where the sender posts to."""
    from hookline.cli.actor import actor
    from hookline.operations import sources

    created = sources.create(actor(), options=dict(options), rate_limit=rate_limit or None, **given)
    for problem in sources.problems(created):
        click.echo(f"Warning: {problem}", err=True)
    fields = ("id", "url", "path", "provider", "tenant")
    print_fields({name: value for name, value in sources.as_json(created).items() if name in fields}, as_json)


@source.command("list")
@click.option("--tenant", shell_complete=complete.tenants, metavar="KEY", help="Only of this tenant.")
@click.option("--limit", type=click.IntRange(min=1), help="Maximum number of rows.  [default: all]")
@json_option
def list_sources(tenant: str | None, limit: int | None, as_json: bool) -> None:
    """List all sources, newest first. Secrets are counted, not shown."""
    from hookline.operations import sources

    rows = [sources.as_json(found) for found in sources.newest(tenant=tenant, limit=limit)]
    columns = ("id", "provider", "tenant", "name", "path", "secrets", "disabled", "created_at")
    print_rows(rows, columns, as_json, "No sources yet; create one with `hookline source create`.")


@source.command()
@click.argument("id", shell_complete=complete.sources)
@json_option
def show(id: str, as_json: bool) -> None:  # noqa: A002 # the name of the argument in help
    """Show one source. Its secrets are counted, not shown."""
    from hookline.operations import sources

    print_fields(sources.as_json(sources.find(id)), as_json)


@source.command()
@click.argument("id", shell_complete=complete.sources)
@click.option("--name", help="For people.")
@click.option("--option", "options", multiple=True, type=Pair(), help="An option of the provider.")
@click.option("--unset", "unset", multiple=True, metavar="NAME", help="An option to reset to its default.")
@networks_options
@rate_options
@click.option("--any-network", is_flag=True, help="Accept requests from everywhere again.")
@click.option("--order-by", metavar="PLACE", help=f"{ORDER_BY} '' for no order.")
@click.option("--object-at", metavar="PLACE", help=f"{OBJECT_AT} '' for none.")
@click.option("--version-at", metavar="PLACE", help=f"{VERSION_AT} '' for none.")
@json_option
def update(
    *,
    id: str,  # noqa: A002 # as above
    options: tuple[tuple[str, str], ...],
    unset: tuple[str, ...],
    networks: list[str] | None,
    any_network: bool,
    as_json: bool,
    **fields: Any,
) -> None:
    """Change the given fields of a source; the others stay."""
    from hookline.cli.actor import actor
    from hookline.operations import sources

    if any_network and networks:
        raise click.UsageError("give networks or --any-network, not both")
    networks = [] if any_network else networks
    something_to_change(*fields.values(), options or None, unset or None, networks)
    found = sources.find(id)
    sources.update(actor(), found, options=merged(found.options, options, unset), networks=networks, **fields)
    print_fields(sources.as_json(found), as_json)


@source.command()
@click.argument("id", shell_complete=complete.sources)
@secret_options("The new secret. Without it one is generated and shown once, if the sender lets you choose it.")
@click.option("--overlap", type=Duration(), help="How long the previous secrets stay valid.  [default: 24h]")
@json_option
def rotate(id: str, secret: str | None, overlap: float | None, as_json: bool) -> None:  # noqa: A002 # the name of the argument in help
    """Give a source a new secret; the previous ones stay valid for a while."""
    from hookline.cli.actor import actor
    from hookline.operations import sources

    found = sources.find(id)
    rotated = sources.rotate(actor(), found, secret, overlap=overlap)
    fields: dict[str, Any] = {"id": found.public_id, "overlap_seconds": rotated.overlap}
    print_fields(fields if secret is not None else {**fields, "secret": rotated.secret}, as_json)


@source.command()
@click.argument("id", shell_complete=complete.sources)
@limit_options
@json_option
def limit(id: str, rate: float | None, burst: int | None, at_once: int | None, as_json: bool) -> None:  # noqa: A002 # as above
    """Limit how many events of this source begin a second, and run at once; without options, remove its limits."""
    from hookline.cli.actor import actor
    from hookline.operations import limits, sources

    found = sources.find(id)
    limits.limit(actor(), found, rate=rate, burst=burst, at_once=at_once)
    print_fields({"id": found.public_id, **found.limits}, as_json)


@source.command()
@click.argument("id", shell_complete=complete.sources)
@click.option("--to", shell_complete=complete.endpoints, required=True, metavar="ENDPOINT", help="Its id or uid.")
@forward_options
@click.option("--dry-run", is_flag=True, help="Show what would become of the newest events, and change nothing.")
@json_option
def forward(*, id: str, to: str, dry_run: bool, as_json: bool, **fields: Any) -> None:  # noqa: A002 # as above
    """Send events of a source on to an endpoint, with the sender's own bytes and headers, signed by Hookline."""
    from hookline.cli.actor import actor
    from hookline.operations import endpoints, forwards, sources

    found = sources.find(id)
    endpoint = endpoints.find(to)
    if dry_run:
        print_routes(forwards.preview(found, draft=forwards.draft(found, endpoint, **fields)), as_json)
        return
    created = forwards.create(actor(), found, endpoint, **fields)
    for problem in forwards.problems(created):
        click.echo(f"Warning: {problem}", err=True)
    print_fields(forwards.as_json(created), as_json)


@source.command()
@click.argument("id", shell_complete=complete.sources)
@json_option
def disable(id: str, as_json: bool) -> None:  # noqa: A002 # as above
    """Answer 404 to every request of a source."""
    from hookline.cli.actor import actor
    from hookline.operations import sources

    found = sources.find(id)
    sources.disable(actor(), found)
    print_fields({"id": found.public_id, "disabled": found.disabled}, as_json)


@source.command()
@click.argument("id", shell_complete=complete.sources)
@json_option
def enable(id: str, as_json: bool) -> None:  # noqa: A002 # as above
    """Accept the requests of a source again."""
    from hookline.cli.actor import actor
    from hookline.operations import sources

    found = sources.find(id)
    sources.enable(actor(), found)
    print_fields({"id": found.public_id, "disabled": found.disabled}, as_json)


@source.command()
@click.argument("id", shell_complete=complete.sources)
@json_option
def delete(id: str, as_json: bool) -> None:  # noqa: A002 # as above
    """Delete a disabled source that has no history."""
    from hookline.cli.actor import actor
    from hookline.operations import sources

    found = sources.find(id)
    sources.delete(actor(), found)
    print_fields({"id": found.public_id, "deleted": True}, as_json)
