"""RetrySchedule: how long to wait before each further attempt. Pure; randomness is an argument."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from hookline.core.retry_after import MAX_RETRY_AFTER
from hookline.exceptions import ConfigurationError

#: The example schedule of Standard Webhooks ("Retry schedule"), in seconds: after the first attempt, which is made at
#: once, 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h. About three days in all, so that a weekend is bridged.
STANDARD_DELAYS = (5.0, 300.0, 1_800.0, 7_200.0, 18_000.0, 36_000.0, 50_400.0, 72_000.0, 86_400.0)

#: A wait of more than a year is a slip of the pen in a setting, and would overflow dates further on.
_LONGEST = 366 * 86_400.0
#: Retries that one endpoint may ask for.
MOST_DELAYS = 100


@dataclass(frozen=True, slots=True)
class RetrySchedule:
    """`delays` are seconds, one for each retry. `jitter` is the share by which a wait is made longer at most.

    Jitter only lengthens: a Retry-After is a floor, and deliveries that failed together should come back spread out.
    `deadline`: seconds after the first attempt in which the last one begins, whatever the delays say; 0: no such limit.
    """

    delays: tuple[float, ...] = STANDARD_DELAYS
    jitter: float = 0.2
    deadline: float = 0.0

    def __post_init__(self) -> None:
        if not all(0 <= delay <= _LONGEST for delay in self.delays):  # false for nan too
            raise ConfigurationError("retry delays must be numbers of seconds from 0 to a year; correct the setting")
        if not 0 <= self.jitter <= 1:
            raise ConfigurationError(f"retry jitter must be a share from 0 to 1, not {self.jitter!r}")
        if not 0 <= self.deadline <= _LONGEST:
            raise ConfigurationError("a retry deadline must be a number of seconds from 0 to a year")

    def changed_by(self, own: Mapping[str, Any] | None) -> Self:
        """With what `check_own` let pass in place of it."""
        if not own:
            return self
        delays = self.delays if (given := own.get("delays")) is None else tuple(given)
        deadline = self.deadline if (given := own.get("deadline")) is None else given
        return replace(self, delays=delays, deadline=deadline)

    @property
    def max_attempts(self) -> int:
        return len(self.delays) + 1

    def next_delay(self, attempt: int, random: float, at_least: float = 0.0) -> float | None:
        """Seconds until the attempt after attempt number `attempt` (1 is the first); None when none is left.

        `random` is in [0, 1). `at_least` is what the consumer asked for; at most 24 hours are granted, and a value
        that is not a number of seconds counts as 0. The result is at most (1 + jitter) x the larger of 24 hours and the
        longest delay.
        """
        if attempt < 1:
            raise ValueError(f"attempts are counted from 1, not {attempt}")
        if attempt > len(self.delays):
            return None
        floor = 0.0 if math.isnan(at_least) else min(max(at_least, 0.0), MAX_RETRY_AFTER)
        return max(self.delays[attempt - 1], floor) * (1 + self.jitter * random)


def check_own(own: Any) -> dict[str, Any] | None:
    """What one endpoint has in place of the settings: `{"delays": [...], "deadline": ...}` in seconds, or one of them.

    None for nothing. Raises ConfigurationError.
    """
    if own is None or own == {}:
        return None
    example = 'such as {"delays": [60, 300], "deadline": 86400}'
    if not isinstance(own, Mapping) or not set(own) <= {"delays", "deadline"}:
        raise ConfigurationError(f"retry must be an object with delays, deadline or both, {example}, got {own!r:.80}")
    delays, deadline = own.get("delays"), own.get("deadline")
    if delays is not None and not (
        isinstance(delays, list | tuple) and len(delays) <= MOST_DELAYS and all(map(_is_number, delays))
    ):
        raise ConfigurationError(f"retry delays must be a list of at most {MOST_DELAYS} numbers of seconds, {example}")
    if deadline is not None and not _is_number(deadline):
        raise ConfigurationError(f"a retry deadline must be a number of seconds, {example}")
    RetrySchedule(delays=tuple(delays or ()), deadline=deadline or 0.0)
    found: dict[str, Any] = {}
    if delays is not None:
        found["delays"] = list(delays)
    if deadline is not None:
        found["deadline"] = deadline
    return found or None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
