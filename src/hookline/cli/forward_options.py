"""The options of a forward, and how a look ahead is printed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from hookline.cli.output import print_rows

if TYPE_CHECKING:
    from hookline.operations.forwards import Routed

F = TypeVar("F", bound=Callable[..., Any])


def forward_options(command: F) -> F:
    """`--type`, `--filter` and `--header`: the parameters event_types, filter and headers."""
    for option in (
        click.option(
            "--header", "headers", multiple=True, metavar="NAME", callback=_none_if_empty,
            help="A header of the sender's to pass on. Repeat it for several.  [default: all about the event]",
        ),
        click.option("--filter", metavar="FILTER", help="Only events that match it: @.data.object.amount > 1000."),
        click.option(
            "--type", "event_types", multiple=True, metavar="PATTERN",
            help="Only events of this type, such as invoice.*. Repeat it for several.",
        ),
    ):  # fmt: skip
        command = option(command)
    return command


def _none_if_empty(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> list[str] | None:
    return list(value) or None


def print_routes(routes: Sequence[Routed], as_json: bool) -> None:
    from hookline.operations import forwards

    rows = [forwards.routed_as_json(routed) for routed in routes]
    print_rows(rows, ("event", "type", "endpoint", "forwarded", "reason"), as_json, "No events yet, or no forwards.")
