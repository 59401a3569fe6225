"""Claimant: a worker of this process for which others claim jobs, as they make them or end the ones before them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol


class Claimant(Protocol):
    """For any thread."""

    @property
    def lease(self) -> float:
        """Seconds for which they are claimed."""

    @property
    def worker(self) -> int | None:
        """The number of this process: see Liveness."""

    def expect(self, claimed: Sequence[Any]) -> None:
        """These were claimed at this moment, in a transaction that is open: `take` follows, or it was rolled back."""

    def may_have_missed(self) -> None:
        """Some may be claimed for it of which nobody knows: the database's answer was lost, or whoever had it."""

    def take(self, claimed: Sequence[Any]) -> None:
        """Begin with these, or give them back: the transaction is committed. Raises nothing."""
