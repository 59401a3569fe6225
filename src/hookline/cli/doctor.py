"""`hookline doctor`: what is wrong with this installation, and what to do about it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import click

from hookline.cli.command import Command, DocumentPrinted, json_option
from hookline.cli.output import moment, print_json, printable, say, width
from hookline.cli.times import Since

if TYPE_CHECKING:
    from hookline.operations.finding import Finding


@click.command(cls=Command)
@click.option("--since", type=Since(), help="Report failures after this time as new; keep the time of the last look.")
@json_option
def doctor(since: datetime | None, as_json: bool) -> None:
    """Check the installation, and say what went wrong since the last look, why, and which command comes next.

    Exits with 1 when something is wrong. What failed for good is news once, and a warning from then on.
    """
    from hookline.operations import doctor as operation

    last = since or operation.last_look()
    findings = operation.examine(last)
    if since is None:
        operation.looked()
    if as_json:
        print_json([finding.as_json() for finding in findings])
    else:
        for finding in findings:
            _print(finding)
        say(f"Marked as new: since {moment(last)}." if last else "")
    if failed := sum(not finding.ok for finding in findings):
        raise DocumentPrinted(f"{failed} of {len(findings)} checks failed")


def _print(finding: Finding) -> None:
    """The result and what it is about, and below it the commands that come next, each in one piece."""
    from hookline.cli import layout

    columns = width()
    label, check = finding.result, printable(finding.check)
    most = None if columns is None else max(columns - 9, layout.LEAST_PROSE)
    first, *others = layout.wrap(f"{check}: {printable(finding.detail)}", most)
    click.echo(f"{layout.styled(label, 7)}  {first}")
    for line in others:
        click.echo(f"{'':7}  {line}")
    for command in finding.next:
        click.echo(f"{'':7}  $ hookline {printable(command)}")
