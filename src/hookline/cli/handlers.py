"""`hookline handlers`: which of your functions gets which events."""

from __future__ import annotations

import click

from hookline.cli.command import Command, json_option
from hookline.cli.output import print_rows


@click.command(cls=Command)
@json_option
def handlers(as_json: bool) -> None:
    """List your handlers, what each is for and where it is written, in the order in which those of an event run."""
    from hookline.operations import handlers

    rows = [handlers.as_json(found) for found in handlers.registered()]
    empty = "No handlers yet: write them in webhooks.py of an installed app, or list their modules in HOOKLINE_APPS."
    print_rows(rows, ("provider", "type", "handler", "place", "source", "tenant", "order", "retry"), as_json, empty)
