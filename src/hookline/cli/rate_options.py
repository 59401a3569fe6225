"""The options that limit how many requests are accepted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def rate_options(function: F) -> F:
    """--rate-limit and --burst; the command gets `rate_limit` and `rate_burst`, None where not given."""
    limit: Any = click.option(
        "--rate-limit",
        type=click.FloatRange(min=0),
        metavar="N",
        help="Requests a second that are accepted; the others are answered 429. 0: no limit.",
    )
    burst: Any = click.option(
        "--burst",
        "rate_burst",
        type=click.IntRange(min=1),
        metavar="N",
        help="How many are accepted at once after a pause.  [default: a second's worth]",
    )
    both: F = limit(burst(function))
    return both
