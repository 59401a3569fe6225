"""`hookline doctor`: what is wrong with this installation, and what to do about it."""

from __future__ import annotations

import click

from hookline.cli.command import Command, DocumentPrinted, json_option
from hookline.cli.output import print_rows


@click.command(cls=Command)
@json_option
def doctor(as_json: bool) -> None:
    """Check settings, database, migrations, keys and whether work waits too long.

    Exits with 1 when something is wrong.
    """
    from hookline.operations import doctor as operation

    findings = operation.examine()
    print_rows([finding.as_json() for finding in findings], ("result", "check", "detail"), as_json, "")
    if failed := sum(not finding.ok for finding in findings):
        raise DocumentPrinted(f"{failed} of {len(findings)} checks failed")
