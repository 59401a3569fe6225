"""Printing data: tables and fields for people, one JSON document for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

#: How much of a body is shown to people.
PREVIEW = 2000

_STATE_STYLES = {
    "succeeded": "green", "accepted": "green", "dead": "red", "refused": "red", "failed": "red", "running": "cyan",
    "cancelled": "dim", "open": "red", "half-open": "yellow",
}  # fmt: skip


def print_json(data: Any) -> None:
    """The document and nothing else. Everything but ASCII is escaped, so no terminal is led astray by a stranger."""
    click.echo(json.dumps(data, indent=2, default=_jsonable))


def print_rows(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], as_json: bool, empty: str) -> None:
    """A list: all fields as JSON, or these columns as a table. `empty` is said when there are no rows."""
    if as_json:
        print_json(rows)
        return
    if not rows:
        click.echo(empty, err=True)
        return
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        # Long prose may be folded; an id that is cut off cannot be copied.
        table.add_column(heading(column), no_wrap=column not in ("note", "detail"), overflow="fold")
    for row in rows:
        table.add_row(*(_cell(row[column]) for column in columns))
    _print(table)


def print_fields(fields: Mapping[str, Any], as_json: bool) -> None:
    """One thing: as a JSON object, or a line for each field. A mapping or list inside is shown below its name."""
    if as_json:
        print_json(fields)
        return
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    for name, value in fields.items():
        if isinstance(value, Mapping):
            lines: list[str | Text] = [Text(f"{key}: {_text(inner)}") for key, inner in value.items()]
            table.add_row(heading(name), Text("\n").join(_as_text(line) for line in lines) if lines else Text("-"))
        else:
            table.add_row(heading(name), _cell(value))
    _print(table)


def heading(name: str) -> str:
    words = name.replace("_", " ")
    return words[:1].upper() + words[1:]


def body_fields(body: bytes) -> dict[str, Any]:
    """A body for JSON: as text where it is UTF-8, else in base64."""
    import base64

    try:
        return {"body": body.decode()}
    except UnicodeDecodeError:
        return {"body": None, "body_base64": base64.b64encode(body).decode()}


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


def console(stderr: bool = False) -> Console:
    """Where tables go: as wide as the terminal, and without a limit where there is none."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    return Console(file=stream, width=None if stream.isatty() else 100_000, highlight=False, soft_wrap=False)


def _print(renderable: RenderableType) -> None:
    from rich.measure import Measurement

    target = console()
    # Wider than the terminal rather than cut off.
    least = Measurement.get(target, target.options.update(max_width=100_000), renderable).minimum
    target.width = max(target.width, least)
    with target.capture() as captured:
        target.print(renderable)
    click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()), color=target.is_terminal)


def _cell(value: Any) -> Any:
    from rich.text import Text

    text = _text(value)
    return Text(text, style=_STATE_STYLES.get(text, ""))


def _as_text(value: Any) -> Any:
    from rich.text import Text

    return value if isinstance(value, Text) else Text(str(value))


def _text(value: Any) -> str:
    if value is None or value in ("", []):
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, list | tuple):
        return ", ".join(map(_text, value))
    if isinstance(value, Mapping):
        return printable(json.dumps(value, default=_jsonable))
    return printable(str(value))


def _jsonable(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} cannot be printed as JSON")
