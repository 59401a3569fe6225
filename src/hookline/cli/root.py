"""The command `hookline` itself, which finds the others when they are asked for."""

from __future__ import annotations

import importlib
from functools import partial
from typing import Any

import click

from hookline.cli.command import DocumentPrinted, JsonError
from hookline.version import __version__

#: Each is defined in the module of its name, with _ for -. In the order in which help lists them.
COMMANDS = (
    "init",
    "serve",
    "worker",
    "migrate",
    "tenant",
    "key",
    "source",
    "endpoint",
    "forward",
    "listen",
    "event-types",
    "dispatch",
    "trigger",
    "simulate",
    "events",
    "follow-ups",
    "rejections",
    "messages",
    "deliveries",
    "replay",
    "providers",
    "handlers",
    "audit",
    "adopt",
    "reconcile",
    "stats",
    "doctor",
    "prune",
)


class LazyGroup(click.Group):
    """A group whose commands are imported when they are needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = cmd_name.replace("-", "_")
        command: click.Command = getattr(importlib.import_module(f"hookline.cli.{module}"), module)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. With --json, every error is printed as JSON, usage errors included."""
        as_json = "--json" in ctx.args
        try:
            return super().invoke(ctx)
        except click.ClickException as error:
            if not as_json or isinstance(error, DocumentPrinted):
                raise
            raise JsonError(error) from error


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", prog_name="Hookline", message="%(prog)s %(version)s")
@click.option(
    "--server",
    envvar="HOOKLINE_SERVER",
    metavar="URL",
    help="Run the command on this server, over its API, not on the local database.",
)
@click.option(
    "--key", envvar="HOOKLINE_KEY", metavar="KEY", help="The key for the server; better in the variable HOOKLINE_KEY."
)
@click.pass_context
def root(ctx: click.Context, *, server: str | None, key: str | None) -> None:
    """Receive webhooks exactly once and send them at least once, from your own database."""
    if server:
        from hookline.cli.remote.run import run

        ctx.obj = partial(run, server, key)
