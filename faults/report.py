"""The noun Report: the table of a run, for a terminal and for docs/reliability.md."""

from __future__ import annotations

import platform
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import django
from rich.console import Console
from rich.table import Table

from faults.account import Account

COLUMNS = (
    "fault", "database", "rounds", "acknowledged", "lost", "effects twice", "delivered", "repeated (most)",
    "recovers in s (most)", "throughput after / before",
)  # fmt: skip


@dataclass
class Outcome:
    """What came of one scenario."""

    name: str
    database: str
    rounds: int = 0
    account: Account = field(default_factory=Account)
    #: The most repeated deliveries that the fault explains; None where each message's own attempts are the bound.
    most_repeated: int | None = None
    #: Seconds, one for each round.
    recoveries: list[float] = field(default_factory=list)
    before: Mapping[str, float] = field(default_factory=dict)
    after: Mapping[str, float] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)
    #: Why it was not run; empty when it was.
    skipped: str = ""

    @property
    def ratio(self) -> float:
        """Throughput after against before, of whichever step fares worst."""
        return min((self.after[name] / rate for name, rate in self.before.items() if self.after and rate), default=0.0)

    @property
    def cells(self) -> tuple[str, ...]:
        if self.skipped:
            return (self.name, self.database, f"not run: {self.skipped}", *[""] * (len(COLUMNS) - 3))
        most = "own attempts" if self.most_repeated is None else str(self.most_repeated)
        times = self.recoveries
        recovers = f"{statistics.median(times):.1f} ({max(times):.1f})" if times else "never"
        account = self.account
        return (
            self.name, self.database, str(self.rounds), str(account.acknowledged), str(account.lost),
            str(account.twice), str(account.delivered), f"{account.repeated} ({most})", recovers, f"{self.ratio:.2f}",
        )  # fmt: skip


def show(outcomes: Sequence[Outcome], conditions: str) -> None:
    """Print the table, and what was violated."""
    console = Console(width=None if sys.stdout.isatty() else 170)
    table = Table(caption=conditions)
    for number, column in enumerate(COLUMNS):
        table.add_column(column, justify="left" if number < 2 else "right")
    for outcome in outcomes:
        table.add_row(*outcome.cells, style="bold red" if outcome.violations else None)
    console.print(table)
    for outcome in outcomes:
        for violation in outcome.violations:
            console.print(f"VIOLATED by {outcome.name} on {outcome.database}: {violation}", markup=False, style="red")


def markdown(outcomes: Sequence[Outcome], conditions: str) -> str:
    lines = [
        conditions,
        "",
        f"| {' | '.join(COLUMNS)} |",
        f"|{'|'.join('---' if number < 2 else '---:' for number in range(len(COLUMNS)))}|",
        *(f"| {' | '.join(outcome.cells)} |" for outcome in outcomes),
    ]
    return "\n".join(lines) + "\n"


def machine() -> str:
    """What the run was made on."""
    model = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.processor(),
    )
    cores = sum(line.startswith("processor") for line in _lines("/proc/cpuinfo"))
    return (
        f"{cores} cores of {model}, {platform.system()} {platform.release()}; "
        f"Python {platform.python_version()}, Django {django.get_version()}"
    )


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []
