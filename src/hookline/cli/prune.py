"""`hookline prune`: delete the history that is older than the settings say."""

from __future__ import annotations

import click

from hookline.cli.command import Command, json_option
from hookline.cli.output import print_fields


@click.command(cls=Command)
@json_option
def prune(as_json: bool) -> None:
    """Delete now what is older than RETENTION and REJECTION_RETENTION, and print how many rows were deleted.

    Workers do this all the time. Work goes on meanwhile, and several may run at once.
    """
    from hookline import conf
    from hookline.cli.actor import actor
    from hookline.operations import prune as operation

    print_fields(operation.prune(actor(), conf.get()), as_json)
