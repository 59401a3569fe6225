"""Times and durations on the command line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import click

from hookline.core import durations


class Duration(click.ParamType[float]):
    """A duration in seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, int | float):
            return float(value)
        seconds = durations.parse(value)
        if seconds is None:
            self.fail(f"{value!r} is not a duration; write it as 30m, 24h or 7d", param, ctx)
        return float(seconds)


class Until(click.ParamType[datetime]):
    """A moment to come: a duration from now, or an ISO 8601 date or time, in UTC unless it says otherwise."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, str) and (seconds := durations.parse(value)) is not None:
            return datetime.now(UTC) + timedelta(seconds=seconds)
        return Since().convert(value, param, ctx)


class Since(click.ParamType[datetime]):
    """A moment: a duration ago, or an ISO 8601 date or time, in UTC unless it says otherwise."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            if (seconds := durations.parse(value)) is not None:
                return datetime.now(UTC) - timedelta(seconds=seconds)
            moment = datetime.fromisoformat(value)
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is not a time; write it as 30m, 24h, 7d, 2026-01-31 or 2026-01-31T12:00Z", param, ctx)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


class Rate(click.ParamType[float]):
    """A rate in units a second."""

    name = "rate"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, int | float):
            return float(value)
        number, _, unit = value.partition("/")
        try:
            rate = float(number) / {"": 1, "s": 1, "m": 60, "h": 3600}[unit.strip()]
        except (KeyError, ValueError):
            self.fail(f"{value!r} is not a rate; write it as 50/s or 100/m", param, ctx)
        if not 0 < rate <= 1_000_000:
            self.fail(f"{value!r} is not a rate: it must be more than 0 and at most 1000000/s", param, ctx)
        return rate
