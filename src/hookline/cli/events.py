"""`hookline events`: what was received and what became of it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from hookline.cli import listing
from hookline.cli.command import Group, json_option
from hookline.cli.output import body_fields, preview, print_fields, print_rows

if TYPE_CHECKING:
    from hookline.models import Event


@click.group(cls=Group)
def events() -> None:
    """Look at events: the webhooks that were received."""


@events.command("list")
@listing.state_option
@listing.range_options
@json_option
def list_events(status: str | None, since: datetime | None, limit: int, as_json: bool) -> None:
    """List events, newest first."""
    found = [describe(event) for event in newest(status, since, limit)]
    columns = ("id", "provider", "type", "status", "attempts", "source", "created_at", "note")
    print_rows(found, columns, as_json, "There are no such events.")


@events.command()
@click.argument("id")
@json_option
def show(id: str, as_json: bool) -> None:  # noqa: A002 # the name of the argument in help
    """Show one event with its headers and body."""
    from hookline.cli.rows import find
    from hookline.models import Event

    event = find(Event.objects.select_related("source__tenant"), id)
    body = bytes(event.body)
    shown = body_fields(body) if as_json else {"body": preview(body)}
    print_fields({**describe(event), "dedup_key": event.dedup_key, "headers": event.headers, **shown}, as_json)


@events.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@json_option
def retry(ids: tuple[str, ...], as_json: bool) -> None:
    """Process finished events again, with all their tries."""
    from hookline.models import Event

    print_fields({"retried": listing.retry(Event, ids)}, as_json)


def newest(status: str | None, since: datetime | None, limit: int) -> list[Event]:
    """The newest events, in this state if there is one, without their headers and bodies."""
    from hookline.cli import rows
    from hookline.models import Event

    events = Event.objects.select_related("source__tenant").defer("body", "headers")
    return rows.newest(events, since, limit, **({} if status is None else {"state": status}))


def describe(event: Event) -> dict[str, Any]:
    """An event without its headers and body."""
    return {
        "id": event.public_id,
        "source": event.source.public_id,
        "provider": event.source.provider,
        "tenant": event.tenant.key,
        "type": event.type,
        "provider_id": event.provider_id,
        "repeat_of": event.repeat_of and event.public(event.repeat_of),
        "conflict_of": event.conflict_of and event.public(event.conflict_of),
        "status": event.state,
        "attempts": event.attempts,
        "note": event.note,
        "created_at": event.created_at,
        "due_at": event.due_at,
        "finished_at": event.finished_at,
    }
