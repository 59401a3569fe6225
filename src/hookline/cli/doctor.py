"""`hookline doctor`: what is wrong with this installation, and what to do about it."""

from __future__ import annotations

from dataclasses import asdict

import click

from hookline.cli.command import Command, json_option
from hookline.cli.output import print_rows


@click.command(cls=Command)
@json_option
def doctor(as_json: bool) -> None:
    """Check settings, database, migrations, keys and whether work waits too long.

    Exits with 1 when something is wrong.
    """
    from hookline.cli import health

    findings = health.examine()
    rows = [
        {**asdict(finding), "result": "warning" if finding.warning else "ok" if finding.ok else "failed"}
        for finding in findings
    ]
    if as_json:
        rows = [{name: row[name] for name in ("check", "result", "detail")} for row in rows]
    print_rows(rows, ("result", "check", "detail"), as_json, "")
    if failed := sum(not finding.ok for finding in findings):
        raise click.ClickException(f"{failed} of {len(findings)} checks failed")
