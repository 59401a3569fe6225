"""`hookline init`: what a Django project needs, written into it."""

from __future__ import annotations

from pathlib import Path

import click

from hookline.cli import complete
from hookline.cli.command import PlainCommand, json_option
from hookline.cli.output import print_json, say

NEXT = (
    "python manage.py migrate",
    "python manage.py hookline source create --provider {provider} --secret-file -",
    "python manage.py hookline worker    # beside your web server",
    "python manage.py hookline doctor",
)


@click.command(cls=PlainCommand)
@click.argument("folder", default=".", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--provider", default="*", shell_complete=complete.providers, help="Whose events the first handler gets.")
@click.option("--app", help="The app that the handler is written into.  [default: your first one, or a new one]")
@click.option("--dry-run", is_flag=True, help="Say what would be written, and write nothing.")
@json_option
def init(folder: Path, provider: str, app: str | None, dry_run: bool, as_json: bool) -> None:
    """Add Hookline to the Django project in FOLDER: settings, URLs, a key, and a first handler.

    What is there is left as it is, so that it may run again. Says what it did to which file.
    """
    from hookline import providers
    from hookline.cli import project

    name = provider if provider == "*" else providers.get(provider).name
    changes = project.Project.find(folder.resolve()).plan(name, app)
    if not dry_run:
        project.write(changes)
    commands = [command.format(provider="stripe" if name == "*" else name) for command in NEXT]
    if as_json:
        print_json({"changes": [change.as_json() for change in changes], "written": not dry_run, "next": commands})
        return
    for change in changes:
        done = "kept" if change.added is None else "would write" if dry_run else "wrote"
        click.echo(f"{done:<11}  {change.path}: {change.what}")
    say("Next:")
    for command in commands:
        click.echo(f"  $ {command}")
