"""When an endpoint that keeps failing is given up, and when its tenant is warned before. Pure.

Failures in a row are counted as the breaker lets them happen: the ten that open it are the first, and each probe that
fails while it is open is one more. Hundreds that were under way when a consumer restarted are one failure, so that a
short outage suspends nobody: with the breaker's pauses the default of ten is about an hour.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from hookline.core.breaker import Breaker, State


class Notice(StrEnum):
    """What the tenant of an endpoint is told. The value is the type of the operational message."""

    FAILING = "endpoint.failing"
    SUSPENDED = "endpoint.suspended"
    RECOVERED = "endpoint.recovered"


@dataclass(frozen=True, slots=True)
class SuspensionSettings:
    #: Failures in a row; 0: never for their number.
    failures: int = 10
    #: Seconds of nothing but failures; 0: never for their time.
    seconds: float = 5 * 86400.0

    @property
    def warn_at(self) -> int:
        """The failure after which its tenant is warned: half of those that suspend it, but not the first."""
        return max(2, self.failures // 2) if self.failures else 5


def judge(before: Breaker, after: Breaker, now: float, settings: SuspensionSettings) -> Notice | None:
    """What to do about an endpoint whose breaker changed from `before` to `after` at `now`; None: nothing."""
    if after.trips > before.trips:
        if settings.failures and after.trips >= settings.failures:
            return Notice.SUSPENDED
        if settings.seconds and after.opened_at is not None and now - after.opened_at >= settings.seconds:
            return Notice.SUSPENDED
        return Notice.FAILING if after.trips == settings.warn_at else None
    closed = after.state is State.CLOSED and before.state is not State.CLOSED
    return Notice.RECOVERED if closed and before.trips >= settings.warn_at else None
