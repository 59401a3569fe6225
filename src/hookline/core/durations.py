"""Durations as people write them."""

from __future__ import annotations

import re

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_DURATION = re.compile(r"(\d{1,9})([smhdw])", re.ASCII)


def parse(text: str) -> int | None:
    """The seconds of `30s`, `30m`, `24h`, `7d` or `2w`; None for anything else."""
    match = _DURATION.fullmatch(text.strip().lower())
    return int(match[1]) * _UNITS[match[2]] if match else None


def text(seconds: float | None) -> str:
    """The two largest units at most, such as `1d 4h`; `none` for None."""
    if seconds is None:
        return "none"
    left = max(0, round(seconds))
    words: list[str] = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count or (unit == "s" and not words):
            words.append(f"{count}{unit}")
    return " ".join(words[:2])
