"""The options that limit a source or an endpoint."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from hookline.cli.times import Rate

F = TypeVar("F", bound=Callable[..., Any])


def limit_options(function: F) -> F:
    """The options --rate, --burst and --at-once."""
    options = (
        click.option("--rate", type=Rate(), metavar="N/s", help="At most this many begin, such as 10/s or 100/m."),
        click.option("--burst", type=click.IntRange(1), help="How many begin at once after a pause."),
        click.option("--at-once", type=click.IntRange(1), help="At most this many run at the same time."),
    )
    wrapped: Any = function
    for option in reversed(options):
        wrapped = option(wrapped)
    return wrapped  # type: ignore[no-any-return]  # click's decorators return what they get
