"""What the `list` and `retry` commands have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from hookline.cli.times import Since

if TYPE_CHECKING:
    from hookline.engine.job import Job

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


def retry(model: type[Job], public_ids: Sequence[str]) -> list[str]:
    """Make finished jobs due again, all or none of them. Raises HooklineError for one that is not finished."""
    from django.db import router, transaction

    from hookline.cli.rows import find
    from hookline.engine.job import State, requeue
    from hookline.exceptions import HooklineError

    rows = model._default_manager.all()
    with transaction.atomic(using=router.db_for_write(model)):
        jobs = [find(rows, public_id) for public_id in dict.fromkeys(public_ids)]
        for job in jobs:
            if job.state in (State.PENDING, State.RUNNING):
                raise HooklineError(f"{job.public_id} is {job.state} and needs no retry; nothing was changed")
        requeue(rows.filter(pk__in=[job.pk for job in jobs]), "retried on the command line")
    return [job.public_id for job in jobs]
