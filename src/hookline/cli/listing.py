"""What the `list` commands have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from hookline.cli.times import Since

F = TypeVar("F", bound=Callable[..., Any])

#: As hookline.engine.job.State has them; written out, because that needs Django.
STATES = ("pending", "running", "succeeded", "dead", "cancelled")


def state_option(function: F) -> F:
    return click.option("--status", type=click.Choice(STATES), help="Only those in this state.")(function)


def range_options(function: F) -> F:
    """--since and --limit."""
    function = click.option(
        "--limit", default=50, show_default=True, type=click.IntRange(1, 10_000), help="At most so many."
    )(function)
    return click.option("--since", type=Since(), help="Only newer: 30m, 24h or 7d ago, or an ISO 8601 time.")(function)
