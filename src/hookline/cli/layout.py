"""Laying out data for people: a table where it fits, else a record for each row. No id is ever cut. Pure.

What people copy (ids, URLs, commands) stays in one piece: only prose is wrapped, between words. What is longer than a
line is left to the terminal, which copies it whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest

import click
from rich.cells import cell_len

#: Columns that hold sentences. They may be wrapped; the others may not.
PROSE = frozenset({"note", "detail", "help", "disabled_reason", "response_body", "reason_detail"})
#: A table is no use when a sentence is broken into lines shorter than this.
LEAST_PROSE = 32
GAP = "  "

_STYLES = {
    "succeeded": "green", "accepted": "green", "ok": "green", "dead": "red", "refused": "red", "failed": "red",
    "running": "cyan", "open": "red", "half-open": "yellow", "warning": "yellow",
}  # fmt: skip

#: One row: column -> text, safe to print.
Cells = Mapping[str, str]


def heading(name: str) -> str:
    words = name.replace("_", " ")
    return words[:1].upper() + words[1:]


def table(rows: Sequence[Cells], columns: Sequence[str], width: int | None) -> list[str] | None:
    """The lines of a table that is at most `width` wide; None where it cannot be.

    Columns that are empty in every row are left out. Without a width every row is one line with every column.
    """
    if width is None:
        rows = [{column: row[column].replace("\n", "\\n") for column in columns} for row in rows]
    else:
        columns = [column for column in columns if any(row[column] != "-" for row in rows)]
    if any("\n" in row[column] for row in rows for column in columns):
        return None
    widths = {column: max(cell_len(text) for text in _cells_of(rows, column)) for column in columns}
    if width is not None:
        wrapped = [column for column in columns if column in PROSE]
        fixed = sum(widths[column] for column in columns if column not in PROSE) + len(GAP) * (len(columns) - 1)
        for place, column in enumerate(wrapped):
            share = (width - fixed) // (len(wrapped) - place)
            if share < min(LEAST_PROSE, widths[column]) or _longest_word(_cells_of(rows, column)) > share:
                return None
            widths[column] = min(widths[column], share)
            fixed += widths[column]
        if sum(widths.values()) + len(GAP) * (len(columns) - 1) > width:
            return None
    each = [widths[column] for column in columns]
    lines = [
        GAP.join(click.style(pad(heading(column), widths[column]), bold=True) for column in columns).rstrip(),
        GAP.join("─" * one for one in each),
    ]
    for row in rows:
        parts = [wrap(row[column], one if column in PROSE else None) for column, one in zip(columns, each, strict=True)]
        lines += [
            GAP.join(styled(text, one) for text, one in zip(texts, each, strict=True)).rstrip()
            for texts in zip_longest(*parts, fillvalue="")
        ]
    return lines


def records(rows: Sequence[Cells], columns: Sequence[str], width: int | None) -> list[str]:
    """A block of lines for each row, with an empty line between them; fields that are empty are left out."""
    lines: list[str] = []
    for row in rows:
        shown = [(column, row[column]) for column in columns if row[column] != "-"]
        lines += ["", *fields(shown, width)] if lines else fields(shown, width)
    return lines


def fields(shown: Iterable[tuple[str, str]], width: int | None) -> list[str]:
    """A line for each name and value; more where it is too long for one. A body is left as its sender wrote it."""
    shown = list(shown)
    indent = max((cell_len(heading(name)) for name, _ in shown), default=0)
    lines = []
    for name, value in shown:
        most = None if width is None or name == "body" else max(width - indent - len(GAP), LEAST_PROSE)
        first, *others = wrap(value, most)
        lines.append(f"{click.style(pad(heading(name), indent), bold=True)}{GAP}{styled(first)}".rstrip())
        lines += [f"{' ' * indent}{GAP}{other}".rstrip() for other in others]
    return lines


def wrap(text: str, width: int | None) -> list[str]:
    """The lines of a text, broken between words where a line is longer than `width`. A word is never broken."""
    found: list[str] = []
    for line in text.split("\n"):
        if width is None or cell_len(line) <= width:
            found.append(line)
            continue
        current = ""
        for word in re.split(r" +", line):
            longer = f"{current} {word}" if current else word
            if current and cell_len(longer) > width:
                found.append(current)
                current = word
            else:
                current = longer
        found.append(current)
    return found


def pad(text: str, width: int) -> str:
    return text + " " * max(0, width - cell_len(text))


def styled(text: str, width: int = 0) -> str:
    """A text, padded, and a state in its colour."""
    colour = _STYLES.get(text)
    return (click.style(text, fg=colour) if colour else text) + " " * max(0, width - cell_len(text))


def _cells_of(rows: Sequence[Cells], column: str) -> list[str]:
    return [heading(column), *(row[column] for row in rows)]


def _longest_word(texts: Iterable[str]) -> int:
    return max((cell_len(word) for text in texts for word in text.split()), default=0)
