"""Report: the table of a run, for a terminal and for docs/reliability.md."""

from __future__ import annotations

import platform
import statistics
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import django
from rich.console import Console
from rich.table import Table

from faults.outcome import Outcome

COLUMNS = (
    "fault", "on", "rounds", "caught", "acknowledged", "lost", "effects twice", "delivered", "posted",
    "repeated (most)", "recovers in s (most)", "throughput after / before",
)  # fmt: skip

#: The table of docs/reliability.md stands between these lines.
BEGIN, END = "<!-- written by make faults -->", "<!-- until here -->"


def cells(outcome: Outcome) -> tuple[str, ...]:
    """The row of one scenario."""
    if outcome.skipped:
        return (outcome.name, outcome.on, "not run", *[""] * (len(COLUMNS) - 3))
    most = "own attempts" if outcome.most_repeated is None else str(outcome.most_repeated)
    times = outcome.recoveries
    recovers = f"{statistics.median(times):.1f} ({max(times):.1f})" if times else "never"
    account = outcome.account
    return (
        outcome.name, outcome.on, str(outcome.rounds), str(outcome.caught), str(account.acknowledged),
        str(account.lost), str(account.twice), str(account.delivered), str(account.posted),
        f"{account.repeated} ({most})", recovers, f"{outcome.ratio:.2f}",
    )  # fmt: skip


def show(outcomes: Sequence[Outcome], conditions: str) -> None:
    """Print the table, and what was violated."""
    console = Console(width=None if sys.stdout.isatty() else 190)
    table = Table(caption=conditions)
    for number, column in enumerate(COLUMNS):
        table.add_column(column, justify="left" if number < 2 else "right")
    for outcome in outcomes:
        table.add_row(*cells(outcome), style="bold red" if outcome.violations else None)
    console.print(table)
    console.print(summary(outcomes), markup=False)
    for sentence in remarks(outcomes):
        console.print(sentence, markup=False, style="red" if sentence.startswith(VIOLATED) else "yellow")


def markdown(outcomes: Sequence[Outcome], conditions: str) -> str:
    """The same, for docs/reliability.md."""
    lines = [
        summary(outcomes),
        "",
        conditions,
        "",
        f"| {' | '.join(COLUMNS)} |",
        f"|{'|'.join('---' if number < 2 else '---:' for number in range(len(COLUMNS)))}|",
        *(f"| {' | '.join(cells(outcome))} |" for outcome in outcomes),
    ]
    if sentences := list(remarks(outcomes)):
        # Without the place of the log, which is gone by then.
        lines += ["", *(f"* {sentence.partition('; see ')[0]}" for sentence in sentences)]
    return "\n".join(lines) + "\n"


def write_into(page: Path, text: str) -> None:
    """Put the text in the place of what stands between BEGIN and END. Raises ValueError when they are not there."""
    before, begin, rest = page.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{page} has no lines {BEGIN!r} and {END!r}")
    page.write_text(f"{before}{begin}\n\n{text}\n{end}{after}")


def summary(outcomes: Sequence[Outcome]) -> str:
    """The whole run in a sentence."""
    played = [outcome for outcome in outcomes if not outcome.skipped]
    acknowledged = sum(outcome.account.acknowledged for outcome in played)
    lost, twice = (sum(getattr(outcome.account, what) for outcome in played) for what in ("lost", "twice"))
    violated = sum(bool(outcome.violations) for outcome in played)
    return (
        f"{len(played)} scenarios with {sum(outcome.rounds for outcome in played)} rounds. "
        f"Webhooks acknowledged: {acknowledged:,}; lost: {lost}; effects twice: {twice}. "
        f"Scenarios that violated a promise: {violated}; not run: {len(outcomes) - len(played)}."
    )


VIOLATED = "VIOLATED"


def remarks(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """What the table does not say, a sentence each."""
    for outcome in outcomes:
        which = f"{outcome.name} on {outcome.on}"
        if outcome.skipped:
            yield f"NOT RUN: {which}: {outcome.skipped}"
        yield from (f"{VIOLATED} by {which}: {violation}" for violation in outcome.violations)


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
