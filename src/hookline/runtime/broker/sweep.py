"""The net below all messages."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from hookline import conf
from hookline.engine.job import Job
from hookline.engine.kind import kinds
from hookline.engine.prune import Steps, prune
from hookline.operations import prune as history

#: For how many seconds one sweep prunes history.
PRUNING = 1.0


def sweep(settings: conf.Settings, on_more: Callable[[type[Job]], None]) -> None:
    """Return jobs whose worker is gone, and have whatever is due claimed: retries, and what a lost message left.

    Then prune history for a while. Raises DatabaseError.
    """
    for kind in kinds(settings):
        kind.take_back()
        on_more(kind.model)
    prune(_pruners(settings), PRUNING)


@cache
def _pruners(settings: conf.Settings) -> list[Steps]:
    """Those of this process, which remember how far they have come."""
    return history.pruners(settings, kinds(settings))
