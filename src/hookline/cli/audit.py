"""`hookline audit`: who changed what, and when."""

from __future__ import annotations

import click

from hookline.cli import listing
from hookline.cli.command import Group, json_option
from hookline.cli.output import print_rows


@click.group(cls=Group)
def audit() -> None:
    """Look at the audit log: who changed what, and when."""


@audit.command("list")
@listing.filters("actor", "by", "action", "object", "tenant")
@json_option
def list_audit(filters: listing.Filters, as_json: bool) -> None:
    """List changes, newest first, with each field before and after. Secrets are counted, never shown."""
    from hookline.operations import audit

    entries = audit.newest(filters.selection())
    rows = [audit.as_json(entry) for entry in entries]
    if not as_json:
        rows = [
            {**row, "actor": str(entry.actor), "detail": {**entry.changes, **entry.details} or ""}
            for row, entry in zip(rows, entries, strict=True)
        ]
    columns = ("created_at", "actor", "action", "object", "detail")
    print_rows(rows, columns, as_json, "No audit entries found.")
    listing.tell_searched(filters, entries)
