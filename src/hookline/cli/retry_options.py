"""`--retry` and `--deadline`: an endpoint's own retry schedule."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from hookline.cli.separated import Separated
from hookline.cli.times import Duration

F = TypeVar("F", bound=Callable[..., Any])


def retry_options(function: F) -> F:
    """The options --retry-delays and --deadline."""
    options = (
        click.option(
            "--retry-delays",
            type=Separated(Duration()),
            help="Waits before each retry, such as 5s,5m,1h; '': as in the settings.",
        ),
        click.option(
            "--deadline",
            type=Duration(),
            help="How long after a delivery's first attempt its last one may begin; 0s: as in the settings.",
        ),
    )
    wrapped: Any = function
    for option in reversed(options):
        wrapped = option(wrapped)
    return wrapped  # type: ignore[no-any-return]  # click's decorators return what they get


def own_retry(
    own: Mapping[str, Any] | None, delays: list[float] | None, deadline: float | None
) -> dict[str, Any] | None:
    """What the options make of an endpoint's own schedule; None where neither was given."""
    if delays is None and deadline is None:
        return None
    changed = dict(own or {})
    for name, value in (("delays", delays), ("deadline", deadline)):
        if value:
            changed[name] = value
        elif value is not None:
            changed.pop(name, None)
    return changed
