"""When an endpoint that keeps failing is suspended, and when its tenant is warned before. Pure.

Every failed attempt counts until one succeeds, except those within half a minute of the last counted one: if hundreds
were under way when a consumer restarted, they are one failure, and a short outage suspends no endpoint. An endpoint
with few deliveries is suspended after ten failed attempts; one with many after about an hour, because of the
breaker's pauses.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from hookline.core.breaker import Breaker


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
    if after.counted > before.counted:
        if settings.failures and after.counted >= settings.failures:
            return Notice.SUSPENDED
        if settings.seconds and after.failing_since is not None and now - after.failing_since >= settings.seconds:
            return Notice.SUSPENDED
        return Notice.FAILING if after.counted >= settings.warn_at and not after.warned else None
    return Notice.RECOVERED if before.warned and not after.warned else None
