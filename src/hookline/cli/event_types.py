"""`hookline event-types`: the catalogue of what is sent."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from hookline.cli.command import DocumentPrinted, Group, json_option, something_to_change
from hookline.cli.json_file import JsonFile
from hookline.cli.output import print_fields, print_json, print_rows
from hookline.cli.times import Duration, Since


@click.group("event-types", cls=Group)
def event_types() -> None:
    """Manage the catalogue: what messages of each type hold."""


_CHOICES = click.Choice(["off", "warn", "enforce"])
_ENFORCEMENT = "What dispatch() does with data that are not what the schema says, with the setting EVENT_TYPES."
_EXPIRES_AFTER = "After how long to cancel what is not delivered, such as 2h, with the setting EVENT_TYPES."


@event_types.command()
@click.argument("name")
@click.option("--description", default="", help="For subscribers.")
@click.option("--schema", type=JsonFile(), help="A file with the JSON Schema 2020-12 of its data.")
@click.option("--example", type=JsonFile(), help="A file with data as they may be.")
@click.option("--schema-version", default="", help="The version of the schema.")
@click.option("--enforcement", type=_CHOICES, default="warn", show_default=True, help=_ENFORCEMENT)
@click.option("--expires-after", type=Duration(), help=_EXPIRES_AFTER)
@json_option
def create(
    *,
    name: str,
    description: str,
    schema: Any,
    example: Any,
    schema_version: str,
    enforcement: str,
    expires_after: float | None,
    as_json: bool,
) -> None:
    """Add an event type, such as invoice.paid."""
    from hookline.cli.actor import actor
    from hookline.operations import event_types

    created = event_types.create(
        actor(),
        name,
        description=description,
        schema=schema,
        example=example,
        version=schema_version,
        enforcement=enforcement,
        expires_after=None if expires_after is None else int(expires_after),
    )
    print_fields(event_types.as_json(created), as_json)


@event_types.command("list")
@json_option
def list_event_types(as_json: bool) -> None:
    """List all event types by name."""
    from hookline.operations import event_types

    rows = [event_types.as_json(found) for found in event_types.all_types()]
    columns = ("name", "version", "enforcement", "deprecated", "description")
    print_rows(rows, columns, as_json, "No event types yet; add one with `hookline event-types create`.")


@event_types.command()
@click.option("--since", type=Since(), help="From when on: 30d ago, or a time.  [default: all that is kept]")
@click.option("--until", type=Since(), help="Until when.  [default: now]")
@json_option
def usage(since: datetime | None, until: datetime | None, as_json: bool) -> None:
    """Have a worker count the deliveries of a period by event type.

    `hookline replay show` has the numbers by type, complete once its status is `succeeded`.
    """
    from hookline.cli.actor import actor
    from hookline.operations import replays

    print_fields(replays.as_json(replays.count_types(actor(), since=since, until=until)), as_json)


@event_types.command()
@click.argument("name")
@json_option
def show(name: str, as_json: bool) -> None:
    """Show one event type with its schema."""
    from hookline.operations import event_types

    print_fields(event_types.as_json(event_types.find(name)), as_json)


@event_types.command()
@click.argument("name")
@click.option("--description", help="For subscribers.")
@click.option("--schema", type=JsonFile(), help="A file with the JSON Schema 2020-12 of its data.")
@click.option("--example", type=JsonFile(), help="A file with data as they may be.")
@click.option("--schema-version", help="The version of the schema.")
@click.option("--enforcement", type=_CHOICES, help=_ENFORCEMENT)
@click.option("--expires-after", type=Duration(), help=f"{_EXPIRES_AFTER} 0s: as the settings say.")
@click.option("--deprecated/--not-deprecated", default=None, help="It is still sent; applications log a warning.")
@click.option("--allow-breaking", is_flag=True, help="Also a schema that breaks subscribers of the previous one.")
@json_option
def update(
    *,
    name: str,
    description: str | None,
    schema: Any,
    example: Any,
    schema_version: str | None,
    enforcement: str | None,
    expires_after: float | None,
    deprecated: bool | None,
    allow_breaking: bool,
    as_json: bool,
) -> None:
    """Change the given fields of an event type; the others stay."""
    from hookline.cli.actor import actor
    from hookline.operations import event_types

    something_to_change(description, schema, example, schema_version, enforcement, expires_after, deprecated)
    found = event_types.find(name)
    given = {
        "description": description,
        "schema": schema,
        "example": example,
        "version": schema_version,
        "enforcement": enforcement,
        "deprecated": deprecated,
    }
    changed = {field: value for field, value in given.items() if value is not None}
    if expires_after is not None:
        changed["expires_after"] = int(expires_after) or None
    event_types.update(actor(), found, allow_breaking=allow_breaking, **changed)
    print_fields(event_types.as_json(found), as_json)


@event_types.command()
@click.argument("name")
@json_option
def delete(name: str, as_json: bool) -> None:
    """Take an event type out of the catalogue; its messages stay."""
    from hookline.cli.actor import actor
    from hookline.operations import event_types

    found = event_types.find(name)
    event_types.delete(actor(), found)
    print_fields({"name": found.name, "deleted": True}, as_json)


@event_types.command("export")
@json_option
def export_document(as_json: bool) -> None:
    """Print the catalogue as an OpenAPI 3.1 document, which is JSON in any case."""
    from hookline.operations import event_types

    print_json(event_types.export())


@event_types.command("import")
@click.argument("document", type=JsonFile(), metavar="FILE")
@click.option("--allow-breaking", is_flag=True, help="Also where it breaks subscribers.")
@click.option("--dry-run", is_flag=True, help="Change nothing; say what would be changed.")
@json_option
def import_document(document: Any, allow_breaking: bool, dry_run: bool, as_json: bool) -> None:
    """Create and update event types from the webhooks of an OpenAPI 3.1 document; it removes none."""
    from hookline.cli.actor import actor
    from hookline.operations import event_types

    done = event_types.import_document(actor(), document, allow_breaking=allow_breaking, dry_run=dry_run)
    names = ("created", "updated", "unchanged", "breaking")
    print_fields({name: list(getattr(done, name)) for name in names}, as_json)


@event_types.command()
@click.argument("document", type=JsonFile(), metavar="FILE")
@click.option("--against", type=JsonFile(), help="The previous document.  [default: the catalogue in the database]")
@json_option
def check(document: Any, against: Any, as_json: bool) -> None:
    """Fail if the OpenAPI 3.1 document FILE breaks subscribers: for CI. Additions are fine."""
    from hookline.operations import event_types

    breaking = event_types.check(document, against)
    if as_json:
        print_json({"breaking": breaking})
    elif not breaking:
        click.echo("Compatible.")
    for change in [] if as_json else breaking:
        click.echo(change)
    if breaking:
        raise DocumentPrinted(f"{len(breaking)} changes break subscribers")
