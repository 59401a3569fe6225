"""Doing something to many rows that options chose: first how many there are, then with a progress bar."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import click

T = TypeVar("T")

#: Rows that are changed in one transaction. What is done stays done when a later one fails.
AT_ONCE = 200

yes_option: Callable[[Any], Any] = click.option(
    "--yes", "-y", is_flag=True, help="Do not ask, in a terminal, before many rows are changed."
)


def confirm(question: str, yes: bool) -> None:
    """Ask whoever sits at a terminal. Raises click.Abort."""
    if not yes and sys.stdin.isatty() and sys.stderr.isatty():
        click.confirm(question, abort=True, err=True)


def portions(chosen: Sequence[T], label: str, size: int = AT_ONCE) -> Iterator[Sequence[T]]:
    """The chosen rows, in portions, with a progress bar on standard error where that is a terminal."""
    with click.progressbar(
        length=len(chosen), label=label, file=sys.stderr, hidden=not sys.stderr.isatty() or len(chosen) < 2
    ) as bar:
        for start in range(0, len(chosen), size):
            portion = chosen[start : start + size]
            yield portion
            bar.update(len(portion))


def counted(chosen: Sequence[object], limit: int, noun: str) -> str:
    """Such as `50 events`; `the newest 1000 events (--limit)` where there may be more."""
    if len(chosen) == 1:
        return f"1 {noun.removesuffix('s') if noun != 'deliveries' else 'delivery'}"
    return f"the newest {len(chosen)} {noun} (--limit)" if len(chosen) >= limit else f"{len(chosen)} {noun}"
