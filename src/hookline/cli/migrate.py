"""`hookline migrate`: bring the tables up to date."""

from __future__ import annotations

import click

from hookline.cli.command import CreatingCommand, json_option
from hookline.cli.output import print_json


@click.command(cls=CreatingCommand)
@json_option
def migrate(as_json: bool) -> None:
    """Bring Hookline's tables in the database up to date. Safe to run at the same time on several machines."""
    from hookline.db import schema

    applied = schema.apply()
    if as_json:
        print_json({"applied": applied})
    else:
        click.echo("\n".join(f"Applied {name}" for name in applied) or "The database is up to date.")
