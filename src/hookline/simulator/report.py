"""Finding and Report: what a simulation found, as values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from hookline.simulator.guarantees import GUARANTEES, Guarantee
from hookline.simulator.play import Play


class Outcome(StrEnum):
    HELD = "held"
    BROKEN = "broken"
    NOT_RUN = "not run"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one scenario found. `problem`: what is wrong, or why it was not run."""

    scenario: str
    guarantee: str
    outcome: Outcome
    problem: str = ""
    #: The smallest history that breaks it, as it was played.
    play: Play | None = None
    expected: Any = None
    requests: int = 0
    seconds: float = 0.0

    def counted(self, requests: int, seconds: float) -> Finding:
        return replace(self, requests=requests, seconds=seconds)


@dataclass(frozen=True, slots=True)
class Report:
    """All findings of one run, in the order in which they were played."""

    provider: str
    sequence: str
    url: str
    seed: int
    findings: Sequence[Finding]

    @property
    def broken(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.outcome is Outcome.BROKEN]

    def of(self, guarantee: str) -> Outcome:
        """Broken if one of its scenarios broke it, held if one could be played."""
        outcomes = {finding.outcome for finding in self.findings if finding.guarantee == guarantee}
        for outcome in (Outcome.BROKEN, Outcome.HELD):
            if outcome in outcomes:
                return outcome
        return Outcome.NOT_RUN

    @property
    def guarantees(self) -> list[tuple[Guarantee, Outcome]]:
        return [(guarantee, self.of(name)) for name, guarantee in GUARANTEES.items()]
