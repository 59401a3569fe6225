"""`hookline adopt`: take over an existing table of webhook deliveries."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from hookline.cli import bulk
from hookline.cli.command import Command, json_option
from hookline.cli.output import print_fields, print_rows, say
from hookline.cli.pairs import Pair

if TYPE_CHECKING:
    from hookline.operations.adoptions import Mapping, Plan


@click.command(cls=Command)
@click.option("--table", help="The table, such as shop_webhookdelivery.")
@click.option("--model", metavar="APP.MODEL", help="Or the model of the project that it belongs to.")
@click.option("--source", metavar="ID", help="The source that all rows belong to.")
@click.option("--source-column", default="", metavar="COLUMN", help="Or the column that says which source ...")
@click.option("--map", "sources", multiple=True, type=Pair(), help="... and its values: VALUE=src_...; repeat it.")
@click.option("--id", "id_", default="id", show_default=True, metavar="COLUMN", help="The primary key.")
@click.option("--event-id", default="", metavar="COLUMN", help="The sender's event id, or json:PATH of the payload.")
@click.option("--type", "type_", default="", metavar="COLUMN", help="The event type, or json:PATH of the payload.")
@click.option("--payload", required=True, metavar="COLUMN", help="The body.")
@click.option("--headers", default="", metavar="COLUMN", help="The request headers, as JSON.")
@click.option("--received-at", default="", metavar="COLUMN", help="When it arrived.")
@click.option("--status", default="", metavar="COLUMN", help="The status. Without it all count as processed.")
@click.option("--processed", multiple=True, metavar="VALUE", help="A status that means: it was processed.")
@click.option("--pending", multiple=True, metavar="VALUE", help="A status that means: Hookline is to process it now.")
@click.option("--where", multiple=True, type=Pair(), help="Only rows with COLUMN=VALUE; repeat it.")
@click.option("--batch", default=500, show_default=True, type=click.IntRange(1, 10_000), help="Rows in a transaction.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@bulk.yes_option
@json_option
def adopt(*, batch: int, dry_run: bool, yes: bool, as_json: bool, **columns: Any) -> None:
    """Take over an existing table of webhook deliveries as events, with its duplicates.

    Among rows with one event id the processed one is kept, else the newest; the others become cancelled events that
    name it. What was processed is succeeded, and what was not is dead, for you to retry. Nothing is removed from the
    table. Run it again after it was killed, and it continues where it was. See docs/migrating.md.
    """
    from hookline.cli.actor import actor
    from hookline.operations import adoptions

    mapping = _mapping(**columns)
    plan = adoptions.plan(mapping)
    if dry_run:
        _print_plan(plan, as_json)
        return
    if not as_json:
        say(f"{plan.rows} rows in {mapping.table}, of which {plan.duplicates} are duplicates.")
    bulk.confirm(f"Adopt {plan.rows} rows of {mapping.table}?", yes)
    with click.progressbar(
        length=plan.rows, label="Adopting", file=sys.stderr, hidden=not sys.stderr.isatty(), show_pos=True
    ) as bar:

        def progress(done: int, rows: int) -> None:
            bar.length = rows
            bar.update(done - bar.pos)

        adopted = adoptions.adopt(actor(), mapping, batch=batch, progress=progress)
    print_fields(adoptions.as_json(adopted), as_json)


def _mapping(
    *,
    table: str | None,
    model: str | None,
    source: str | None,
    source_column: str,
    sources: tuple[tuple[str, str], ...],
    id_: str,
    type_: str,
    processed: tuple[str, ...],
    pending: tuple[str, ...],
    where: tuple[tuple[str, str], ...],
    **columns: str,
) -> Mapping:
    from hookline.operations import adoptions

    if bool(table) == bool(model):
        raise click.UsageError("give --table or --model")
    if bool(source) == bool(source_column):
        raise click.UsageError("give --source, or --source-column with a --map for each of its values")
    return adoptions.Mapping(
        table=table or adoptions.table_of(str(model)),
        sources={"": source} if source else dict(sources),
        source=source_column,
        id=id_,
        type=type_,
        processed=tuple(value.lower() for value in processed) or adoptions.PROCESSED,
        pending=tuple(value.lower() for value in pending),
        where=dict(where),
        **columns,
    )


def _print_plan(plan: Plan, as_json: bool) -> None:
    found = plan.as_json()
    if as_json:
        print_fields(found, as_json)
        return
    print_fields({"rows": found["rows"], "duplicates": found["duplicates"]}, as_json)
    print_rows(found["statuses"], ("status", "rows", "becomes"), as_json, "No column tells the status.")
    print_rows(found["sources"], ("value", "rows"), as_json, "All rows belong to one source.")
    print_rows(found["samples"], ("type", "provider_id", "dedup_key"), as_json, "The table is empty.")
