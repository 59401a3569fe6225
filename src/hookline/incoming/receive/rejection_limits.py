"""How many rejections are kept. Anybody can cause them, so beyond the limits they are only counted.

The limits are per source; all URLs without a source count as one source. Within an hour no reason may use more than
half of its source's limit, and the first few of each reason are always kept, so that a flood does not hide
rare reasons.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

#: An hour may take this share of all that is kept of a source.
_HOURS = 8
#: Unknown URLs may take this share of what a source may.
_UNKNOWN = 10
#: So many of each reason are kept in each hour.
FIRST = 5


@dataclass(frozen=True, slots=True)
class Limit:
    """How many, and how many bytes they may take."""

    rows: int
    bytes: int

    def share(self, parts: int) -> Limit:
        return Limit(self.rows // parts, self.bytes // parts)


@dataclass(slots=True)
class Use:
    """What has been kept."""

    rows: int = 0
    bytes: int = 0

    def exceeds(self, limit: Limit, more: int) -> bool:
        """Whether one more, of this size in bytes, exceeds the limit."""
        return self.rows >= limit.rows or self.bytes + more > limit.bytes

    def add(self, size: int) -> None:
        self.rows += 1
        self.bytes += size


class Room:
    """The room of one source in one hour."""

    def __init__(self, limit: Limit, *, known: bool, by_reason: Mapping[str, Use], held: Use) -> None:
        """`by_reason`: what was kept within the hour. `held`: what is kept of the source in all."""
        self._limit = limit if known else limit.share(_UNKNOWN)
        self._by_reason = dict(by_reason)
        self._hour = Use(sum(use.rows for use in by_reason.values()), sum(use.bytes for use in by_reason.values()))
        self._held = held

    def take(self, reason: str, size: int) -> bool:
        """Whether a rejection of `size` bytes is to be kept; it is taken for kept then."""
        use = self._by_reason.setdefault(reason, Use())
        hour = self._limit.share(_HOURS)
        if use.rows >= FIRST and (
            use.exceeds(hour.share(2), size) or self._hour.exceeds(hour, size) or self._held.exceeds(self._limit, size)
        ):
            return False
        for each in (use, self._hour, self._held):
            each.add(size)
        return True
