"""Outcome: what came of one scenario, and whether it may count as passed. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from faults.account import Account


@dataclass
class Outcome:
    """What came of one scenario."""

    name: str
    #: Of the load, in events per second.
    rate: float
    #: The database, and the fleet where it is not Hookline's own.
    on: str
    #: How many rounds were begun.
    rounds: int = 0
    account: Account = field(default_factory=Account)
    #: How many things the faults met: jobs that were claimed again, requests that failed, and so on.
    caught: int = 0
    #: The most repeated deliveries that the fault explains; None where each message's own attempts are the bound.
    most_repeated: int | None = None
    #: Seconds, one for each round; or one after all, where rounds follow each other at once.
    recoveries: list[float] = field(default_factory=list)
    #: Per second, for each step of the flow, before the first fault and after the last.
    before: Mapping[str, float] = field(default_factory=dict)
    after: Mapping[str, float] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)
    #: Why it was not run; empty when it was.
    skipped: str = ""

    @property
    def ratio(self) -> float:
        """Throughput after against before, of whichever step fares worst.

        More than the load itself is a backlog that was being worked off, and no throughput to live up to.
        """
        return worst_ratio(self.after, {name: min(rate, self.rate) for name, rate in self.before.items()})

    def judge(self, ratio: float) -> None:
        """Add what the account cannot see: a scenario that did not recover, or that has tested nothing.

        Throughput is at least `ratio` of what it shall be.
        """
        everything = dict.fromkeys(self.before, self.rate)
        for wrong, what in (
            (not self.recoveries, "no round was healed"),
            (not self.account.acknowledged, "nothing was acknowledged, so nothing could be lost"),
            (not self.account.delivered, "nothing was delivered, so nothing could be repeated"),
            (not self.account.posted, "no message was posted, so none could be lost"),
            (not self.caught, "the fault has met nothing: no work was under way, or it did not break anything"),
            (
                worst_ratio(self.before, everything) < ratio,
                f"the load of {self.rate:g}/s was not carried before the first fault: {_in_words(self.before)}",
            ),
            (
                self.ratio < ratio,
                f"throughput stays lower: {_in_words(self.after)}; before it was {_in_words(self.before)}",
            ),
            (
                self.most_repeated is not None and self.account.repeated > self.most_repeated,
                f"{self.account.repeated} deliveries repeated, at most {self.most_repeated} expected",
            ),
        ):
            if wrong:
                self.violations.append(what)


def worst_ratio(rates: Mapping[str, float], reference: Mapping[str, float]) -> float:
    """The smallest of all steps. A step that nobody measured, or that stood still, makes it 0."""
    return min((rates.get(name, 0.0) / rate if rate else 0.0 for name, rate in reference.items()), default=0.0)


def _in_words(rates: Mapping[str, float]) -> str:
    return ", ".join(f"{rate:.1f}/s {name}" for name, rate in rates.items()) or "not measured"
