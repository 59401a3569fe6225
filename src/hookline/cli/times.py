"""Times and durations on the command line."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import click

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_DURATION = re.compile(r"(\d{1,9})([smhdw])", re.ASCII)


def duration(text: str) -> int | None:
    """The seconds of `30s`, `30m`, `24h`, `7d` or `2w`; None for anything else."""
    match = _DURATION.fullmatch(text.strip().lower())
    return int(match[1]) * _UNITS[match[2]] if match else None


class Duration(click.ParamType[float]):
    """A duration in seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, int | float):
            return float(value)
        seconds = duration(value)
        if seconds is None:
            self.fail(f"{value!r} is not a duration; write it as 30m, 24h or 7d", param, ctx)
        return float(seconds)


class Since(click.ParamType[datetime]):
    """A moment: a duration ago, or an ISO 8601 date or time, in UTC unless it says otherwise."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            if (seconds := duration(value)) is not None:
                return datetime.now(UTC) - timedelta(seconds=seconds)
            moment = datetime.fromisoformat(value)
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is not a time; write it as 30m, 24h, 7d, 2026-01-31 or 2026-01-31T12:00Z", param, ctx)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def ago(seconds: float | None) -> str:
    """A duration for people: the two largest units at most."""
    if seconds is None:
        return "none"
    left = max(0, round(seconds))
    words: list[str] = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count or (unit == "s" and not words):
            words.append(f"{count}{unit}")
    return " ".join(words[:2])
