"""One process that works, without HTTP."""

from __future__ import annotations

from collections.abc import Callable

from hookline import conf
from hookline.runtime.fleet import Fleet
from hookline.runtime.stopping import Stopping


def run(
    stopping: Stopping, on_ready: Callable[[], None], only: str | None = None, concurrency: int | None = None
) -> None:
    """Process events and send deliveries until told to stop. `only` and `concurrency` as Fleet has them."""
    fleet = Fleet(conf.get(), only, concurrency, stopping.fail)
    fleet.start()
    on_ready()
    stopping.wait()
    fleet.stop()
