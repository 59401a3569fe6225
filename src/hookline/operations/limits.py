"""Limits of a source or an endpoint: how many of its jobs begin a second, and how many run at once."""

from __future__ import annotations

import math
from typing import TypeVar

from hookline.audit.actor import Actor
from hookline.exceptions import ConfigurationError
from hookline.incoming.models import Source
from hookline.operations.changes import changing
from hookline.outgoing.models import Endpoint

L = TypeVar("L", Source, Endpoint)

#: The highest rate and the most at once that can be asked for: beyond it a limit means nothing.
MOST = 100_000


def limit(
    actor: Actor, row: L, *, rate: float | None = None, burst: int | None = None, at_once: int | None = None
) -> None:
    """Set all limits of an endpoint's deliveries, or of the processing of a source's events; None: no such limit.

    At most `rate` begin a second, in all workers together, `burst` of them at once after a pause (without a number, a
    quarter of a second's). At most `at_once` run at the same time. Workers follow within two seconds.

    Raises ConfigurationError or NotFound.
    """
    check(rate, burst, at_once)
    with changing(actor, f"{row.noun}.limit", row, audited) as locked:
        locked.lane_rate, locked.lane_burst, locked.lane_at_once, locked.lane_due = rate, burst, at_once, None
        locked.save(update_fields=["lane_rate", "lane_burst", "lane_at_once", "lane_due"])


def check(rate: float | None, burst: int | None, at_once: int | None) -> None:
    """Raises ConfigurationError for limits that make no sense."""
    if rate is not None and not (math.isfinite(rate) and 0 < rate <= MOST):
        raise ConfigurationError(f"the rate must be more than 0 and at most {MOST} a second, not {rate}")
    for name, value in (("burst", burst), ("at_once", at_once)):
        if value is not None and not 1 <= value <= MOST:
            raise ConfigurationError(f"{name} must be from 1 to {MOST}, not {value}")
    if burst is not None and rate is None:
        raise ConfigurationError("a burst is part of a rate limit: give a rate, too")


def audited(row: Source | Endpoint) -> dict[str, float | None]:
    return row.limits
