"""`hookline providers`: the senders that Hookline knows."""

from __future__ import annotations

import click

from hookline.cli import complete
from hookline.cli.command import PlainCommand, json_option
from hookline.cli.output import print_fields, print_rows


class PlainGroup(click.Group):
    """A group of commands that need no database."""

    command_class = PlainCommand


@click.group(cls=PlainGroup)
def providers() -> None:
    """Look at providers: the senders that Hookline knows."""


@providers.command("list")
@json_option
def list_providers(as_json: bool) -> None:
    """List all providers by name."""
    from hookline.operations import providers

    rows = [providers.as_json(found) for found in providers.known()]
    print_rows(rows, ("name", "title", "aliases", "docs_url"), as_json, "")


@providers.command()
@click.argument("name", shell_complete=complete.providers)
@json_option
def show(name: str, as_json: bool) -> None:
    """Show what a source of a provider needs: its secret, its options, and the samples for `hookline trigger`."""
    from hookline.operations import providers

    found = providers.find(name)
    details = providers.details_as_json(found)
    if as_json:
        print_fields({**providers.as_json(found), **details}, as_json)
        return
    options = details.pop("options")
    print_fields({**providers.as_json(found), **details}, as_json)
    click.echo()
    print_rows(options, ("name", "default", "choices", "help"), as_json, "It has no options.")
