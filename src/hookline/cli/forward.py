"""`hookline forward`: the rules by which events of a source are sent on to endpoints."""

from __future__ import annotations

from typing import Any

import click

from hookline.cli import complete
from hookline.cli.command import Group, json_option, something_to_change
from hookline.cli.forward_options import forward_options, print_routes
from hookline.cli.output import print_fields, print_rows


@click.group(cls=Group)
def forward() -> None:
    """Manage forwards: rules by which events of a source are sent on to an endpoint. `source forward` makes one."""


@forward.command("list")
@click.option("--source", shell_complete=complete.sources, metavar="ID", help="Only those of this source.")
@click.option("--endpoint", shell_complete=complete.endpoints, metavar="ID", help="Only those to this endpoint.")
@click.option("--tenant", shell_complete=complete.tenants, metavar="KEY", help="Only of this tenant.")
@click.option("--limit", type=click.IntRange(min=1), help="Maximum number of rows.  [default: all]")
@json_option
def list_forwards(
    source: str | None, endpoint: str | None, tenant: str | None, limit: int | None, as_json: bool
) -> None:
    """List forwards, newest first."""
    from hookline.operations import forwards

    found = forwards.newest(source=source, endpoint=endpoint, tenant=tenant, limit=limit)
    columns = ("id", "source", "endpoint", "url", "event_types", "filter")
    rows = [forwards.as_json(one) for one in found]
    print_rows(rows, columns, as_json, "No forwards yet; create one with `hookline source forward ID --to ENDPOINT`.")


@forward.command()
@click.argument("id", shell_complete=complete.forwards)
@json_option
def show(id: str, as_json: bool) -> None:  # noqa: A002 # the name of the argument in help
    """Show one forward."""
    from hookline.operations import forwards

    print_fields(forwards.as_json(forwards.find(id)), as_json)


@forward.command()
@click.argument("id", shell_complete=complete.forwards)
@forward_options
@click.option("--any-type", is_flag=True, help="Forward events of all types again.")
@click.option("--all-headers", is_flag=True, help="Pass all headers about the event on again.")
@json_option
def update(
    *,
    id: str,  # noqa: A002 # as above
    event_types: tuple[str, ...],
    filter: str | None,  # noqa: A002 # what it is called everywhere
    headers: list[str] | None,
    any_type: bool,
    all_headers: bool,
    as_json: bool,
) -> None:
    """Change the given fields of a forward; the others stay. `--filter ''` removes the filter."""
    from hookline.cli.actor import actor
    from hookline.operations import forwards

    if (any_type and event_types) or (all_headers and headers):
        raise click.UsageError("give --type or --any-type, and --header or --all-headers, not both")
    something_to_change(event_types or None, filter, headers, any_type or None, all_headers or None)
    changes: dict[str, Any] = {}
    if event_types or any_type:
        changes["event_types"] = event_types
    if filter is not None:
        changes["filter"] = filter
    if headers or all_headers:
        changes["headers"] = headers
    found = forwards.find(id)
    forwards.update(actor(), found, **changes)
    print_fields(forwards.as_json(found), as_json)


@forward.command()
@click.argument("id", shell_complete=complete.forwards)
@json_option
def delete(id: str, as_json: bool) -> None:  # noqa: A002 # as above
    """Forward no more. What was forwarded before is delivered all the same."""
    from hookline.cli.actor import actor
    from hookline.operations import forwards

    found = forwards.find(id)
    forwards.delete(actor(), found)
    print_fields({"id": found.public_id, "deleted": True}, as_json)


@forward.command()
@click.option("--source", shell_complete=complete.sources, required=True, metavar="ID", help="Whose events.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many events.")
@json_option
def preview(source: str, limit: int, as_json: bool) -> None:
    """Show where the newest events of a source would go, and why not elsewhere. Nothing is sent."""
    from hookline.operations import forwards, sources

    print_routes(forwards.preview(sources.find(source), limit=limit), as_json)
