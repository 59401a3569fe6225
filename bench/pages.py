"""Writes results into docs/benchmarks.md, with their charts: `python -m bench.pages`, after a run with `--json`.

The page has a pair of comments for each benchmark; what stands between them is replaced.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence

from bench.charts import chart
from bench.report import Report, read
from bench.stand import ROOT

#: Where `make bench ARGS="--json docs/benchmarks.json"` puts them.
RESULTS = ROOT / "docs" / "benchmarks.json"
PAGE = ROOT / "docs" / "benchmarks.md"
CHARTS = ROOT / "docs" / "charts"
NAMES = {"postgresql": "PostgreSQL", "sqlite": "SQLite"}
_PLACE = re.compile(r"(<!-- results: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def main() -> int:
    reports = read(RESULTS)
    CHARTS.mkdir(exist_ok=True)
    for stale in {path for path in CHARTS.glob("*.svg") if path.stem not in reports}:
        stale.unlink()
    for report in reports.values():
        (CHARTS / f"{report.key}.svg").write_text(chart(report))
    PAGE.write_text(filled(PAGE.read_text(), reports.values()))
    return 0


def filled(page: str, reports: Iterable[Report]) -> str:
    """The page with the results of each benchmark in its place. Raises ValueError when a benchmark has no place."""
    found: dict[str, list[Report]] = {}
    for report in reports:
        found.setdefault(report.benchmark, []).append(report)
    if homeless := set(found) - {match[2] for match in _PLACE.finditer(page)}:
        raise ValueError(f"docs/benchmarks.md has no place for {', '.join(sorted(homeless))}")
    return _PLACE.sub(lambda place: place[1] + place_text(found.get(place[2], [])) + place[3], page)


def place_text(reports: Sequence[Report]) -> str:
    return "".join(map(section, reports)) + "\n" if reports else "\nNot measured yet.\n\n"


def section(report: Report) -> str:
    """One benchmark on one database, as Markdown."""
    name = NAMES[report.database]
    settings = "; ".join(f"{key}: {value}" for key, value in report.settings.items())
    lines = [
        "",
        f"### {report.benchmark.capitalize()} on {name}",
        "",
        f"`{report.command}`, {report.measured}. {settings}. {report.conditions}.",
        "",
        f"![{report.benchmark} on {name}](charts/{report.key}.svg)",
        "",
        "| measured | figure | unit |",
        "|---|---:|---|",
        *(f"| {row.name} | {row.text} | {row.unit} |" for row in report.rows),
        "",
    ]
    if report.aims:
        lines += [
            "| aim | bound | reached | |",
            "|---|---|---:|---|",
            *(
                f"| {aim.name} | {aim.bound} | {aim.reached:,.3g} | {'met' if aim.met else '**missed**'} |"
                for aim in report.aims
            ),
            "",
        ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
