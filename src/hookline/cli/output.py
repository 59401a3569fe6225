"""Printing data: tables and fields for people, one JSON document for programs."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import click

#: How much of a body is shown to people.
PREVIEW = 2000


def print_json(data: Any) -> None:
    """The document and nothing else. Everything but ASCII is escaped, so no terminal is led astray by a stranger."""
    click.echo(json.dumps(data, indent=2, default=_jsonable))


def print_rows(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], as_json: bool, empty: str) -> None:
    """A list: all fields as JSON, or these columns as a table, or as records where the terminal is too narrow for one.

    `empty` is said when there are no rows.
    """
    if as_json:
        print_json(rows)
        return
    if not rows:
        say(empty)
        return
    from hookline.cli import layout

    cells = [{column: text_of(row[column]) for column in columns} for row in rows]
    lines = layout.table(cells, columns, width()) or layout.records(cells, columns, width())
    click.echo("\n".join(lines))


def print_fields(fields: Mapping[str, Any], as_json: bool) -> None:
    """One thing: as a JSON object, or a line for each field. A mapping inside is shown below its name."""
    if as_json:
        print_json(fields)
        return
    from hookline.cli import layout

    shown = []
    for name, value in fields.items():
        if isinstance(value, Mapping):
            inner = "\n".join(f"{printable(str(key))}: {text_of(part)}" for key, part in value.items())
            shown.append((name, inner or "-"))
        else:
            shown.append((name, text_of(value)))
    click.echo("\n".join(layout.fields(shown, width())))


def say(text: str) -> None:
    """A sentence for people, on standard error."""
    if text:
        click.echo(printable(text), err=True)


def width() -> int | None:
    """How wide the terminal is; None where output goes to a file or another program, whose lines have no end."""
    if not sys.stdout.isatty():
        return None
    try:
        return int(os.environ.get("COLUMNS", "")) or None
    except ValueError:
        return os.get_terminal_size(sys.stdout.fileno()).columns or 80


def body_fields(body: bytes) -> dict[str, Any]:
    """A body for JSON: as text where it is UTF-8, else in base64."""
    import base64

    try:
        return {"body": body.decode()}
    except UnicodeDecodeError:
        return {"body": None, "body_base64": base64.b64encode(body).decode()}


def content_fields(body: bytes, as_json: bool, *, expunged: bool) -> dict[str, Any]:
    """The body of a message, unless that was expunged."""
    if expunged:
        return {"body": None, "expunged": True} if as_json else {"body": "(expunged)"}
    return body_fields(body) if as_json else {"body": preview(body)}


def preview(body: bytes) -> str:
    """The beginning of a body for people."""
    more = f" ... ({len(body)} bytes in all)" if len(body) > PREVIEW else ""
    return body[:PREVIEW].decode("utf-8", "backslashreplace") + more


def moment(value: datetime) -> str:
    """A time for people, with its zone."""
    from django.utils import timezone

    return timezone.localtime(value).strftime("%Y-%m-%d %H:%M:%S %Z")


def printable(text: str) -> str:
    """Text from strangers without what a terminal would obey."""
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text)


def text_of(value: Any) -> str:
    """A value for people, safe to print; `-` for none."""
    if value is None or value in ("", []):
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, list | tuple):
        return ", ".join(map(text_of, value))
    if isinstance(value, Mapping):
        return printable(json.dumps(value, default=_jsonable))
    return printable(str(value)).expandtabs(4)


def _jsonable(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} cannot be printed as JSON")
