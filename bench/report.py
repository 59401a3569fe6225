"""Report: what one benchmark measured, for a terminal and as JSON for the documentation."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.stand import DATABASES, database_version
from faults.report import machine


@dataclass(frozen=True)
class Row:
    name: str
    figure: float
    unit: str

    @property
    def text(self) -> str:
        return f"{self.figure:,.0f}" if abs(self.figure) >= 100 else f"{self.figure:,.3g}"


@dataclass(frozen=True)
class Aim:
    """What should be reached: `least` or `most`, whichever is given."""

    name: str
    reached: float
    least: float | None = None
    most: float | None = None

    @property
    def met(self) -> bool:
        return (self.least is None or self.reached >= self.least) and (self.most is None or self.reached <= self.most)

    @property
    def bound(self) -> str:
        bounds = [("at least", self.least), ("at most", self.most)]
        return ", ".join(f"{word} {value:,.6g}" for word, value in bounds if value is not None)


@dataclass
class Report:
    """The results of one benchmark on one database. The first row's unit is the one that its chart shows."""

    benchmark: str
    database: str
    #: What the figures depend on, in words for people.
    settings: Mapping[str, object]
    command: str = ""
    rows: list[Row] = field(default_factory=list)
    aims: list[Aim] = field(default_factory=list)
    #: Machine, versions, and what else ran: the load average of the minute before.
    conditions: str = ""
    measured: str = ""

    def row(self, name: str, figure: float, unit: str) -> None:
        self.rows.append(Row(name, figure, unit))

    def aim(self, name: str, reached: float, *, least: float | None = None, most: float | None = None) -> None:
        self.aims.append(Aim(name, reached, least, most))

    @property
    def key(self) -> str:
        return f"{self.benchmark}-{self.database}"

    def finish(self, arguments: argparse.Namespace) -> int:
        """Print everything, write it where `--json` says, and return the exit code. While Django is set up."""
        self.measured = f"{datetime.now(UTC):%Y-%m-%d}"
        self.conditions = f"{machine()}, {database_version()}; load average at the end {os.getloadavg()[0]:.1f}"
        words = [word for word in sys.argv[1:] if word != f"--json={arguments.json}"]
        if arguments.json and "--json" in words:
            del words[words.index("--json") : words.index("--json") + 2]
        self.command = shlex.join(["python", "-m", f"bench.{Path(sys.argv[0]).stem}", *words])
        self.show()
        if arguments.json:
            write(Path(arguments.json), self)
        return 0 if all(aim.met for aim in self.aims) else 1

    def show(self) -> None:
        console = Console(width=None if sys.stdout.isatty() else 110, highlight=False)
        caption = "; ".join([*(f"{name}: {value}" for name, value in self.settings.items()), self.conditions])
        table = Table(title=f"{self.benchmark} on {self.database}", caption=caption, title_justify="left")
        for heading in ("", "figure", "unit"):
            table.add_column(heading, justify="right" if heading == "figure" else "left")
        for row in self.rows:
            table.add_row(row.name, row.text, row.unit)
        console.print(table)
        for aim in self.aims:
            style, verdict = ("green", "met") if aim.met else ("bold red", "MISSED")
            console.print(f"{verdict}: {aim.name}: {aim.reached:,.3g} ({aim.bound})", style=style, markup=False)


def parser(description: str | None) -> argparse.ArgumentParser:
    """The options that all benchmarks have."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--database", choices=DATABASES, default="postgresql")
    made.add_argument("--json", metavar="FILE", help="put the results into this file, in place of former ones")
    return made


def read(path: Path) -> dict[str, Report]:
    """The reports in a file, by key; none when there is no file."""
    if not path.exists():
        return {}
    return {key: _report(values) for key, values in json.loads(path.read_text()).items()}


def write(path: Path, report: Report) -> None:
    """Put a report into the file, beside those of other benchmarks and databases."""
    reports = {**read(path), report.key: report}
    path.write_text(json.dumps({key: asdict(reports[key]) for key in sorted(reports)}, indent=1) + "\n")


def _report(values: dict[str, Any]) -> Report:
    rows = [Row(**row) for row in values.pop("rows")]
    aims = [Aim(**aim) for aim in values.pop("aims")]
    return Report(**values, rows=rows, aims=aims)
