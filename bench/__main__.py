"""Every benchmark, one after the other, and which aims were met: `python -m bench`, `make bench`.

Each runs in a process of its own and can be run alone (`python -m bench.ingest --help`). The exit code is 1 when one
failed or missed an aim.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.report import Report, read
from bench.stand import ROOT

#: Minutes in all.
SHORT = (
    ("start", "--database", "postgresql"),
    ("start", "--database", "sqlite"),
    ("journey", "--database", "postgresql"),
    ("journey", "--database", "sqlite"),
    ("publish", "--database", "postgresql"),
    ("publish", "--database", "sqlite"),
    ("forwarding", "--database", "postgresql"),
    ("forwarding", "--database", "sqlite"),
    ("ingest", "--database", "postgresql"),
    ("ingest", "--database", "sqlite"),
    ("latency", "--database", "postgresql"),
    ("latency", "--database", "sqlite"),
    ("latency", "--database", "postgresql", "--failing", "0.3", "--worker", "own"),
    ("latency", "--database", "sqlite", "--failing", "0.3", "--worker", "own"),
    ("processing", "--database", "postgresql"),
    ("processing", "--database", "sqlite"),
    ("dispatch", "--database", "postgresql"),
    ("fairness", "--database", "postgresql"),
    ("options", "--database", "postgresql"),
    ("depth", "--database", "postgresql"),
    ("parked", "--database", "postgresql", "--rows", "4000,100000"),
    ("parked", "--database", "sqlite", "--rows", "4000,100000"),
    ("memory", "--database", "postgresql"),
)
#: An hour or so.
LONG = (
    ("crowd", "--database", "postgresql"),
    ("memory", "--database", "postgresql", "--events", "1000000"),
    ("depth", "--database", "postgresql", "--rows", "10000,1000000,10000000"),
    ("depth", "--database", "sqlite"),
    ("parked", "--database", "postgresql"),
    ("parked", "--database", "sqlite"),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--long", action="store_true", help="those that take long, instead")
    parser.add_argument("--only", metavar="NAME", help="the runs of one benchmark")
    parser.add_argument("--json", metavar="FILE", help="put the results into this file, in place of former ones")
    arguments = parser.parse_args()
    failed: list[str] = []
    with tempfile.TemporaryDirectory(prefix="hookline-bench-") as directory:
        results = Path(arguments.json).absolute() if arguments.json else Path(directory, "results.json")
        before = read(results)
        for name, *options in LONG if arguments.long else SHORT:
            if arguments.only in (None, name):
                command = [sys.executable, "-m", f"bench.{name}", *options, "--json", str(results)]
                if subprocess.run(command, cwd=ROOT, check=False).returncode:
                    failed.append(" ".join(["bench." + name, *options]))
        show({key: report for key, report in read(results).items() if report != before.get(key)})
    for command_line in failed:
        print(f"failed or missed an aim: python -m {command_line}")
    return 1 if failed else 0


def show(reports: dict[str, Report]) -> None:
    table = Table("benchmark", "database", "aim", "bound", "reached", "")
    for report in reports.values():
        for aim in report.aims:
            verdict = "met" if aim.met else "MISSED"
            table.add_row(report.benchmark, report.database, aim.name, aim.bound, f"{aim.reached:,.3g}", verdict)
    Console(width=None if sys.stdout.isatty() else 130).print(table)


if __name__ == "__main__":
    sys.exit(main())
