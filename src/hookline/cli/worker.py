"""`hookline worker`: the workers without HTTP, on as many machines as share the database."""

from __future__ import annotations

import click

from hookline.cli.command import Command


@click.command(cls=Command)
@click.option(
    "--concurrency",
    type=click.IntRange(min=1),
    help="Handlers that run at once; with --only outgoing, requests under way at once.  [default: from the settings]",
)
@click.option("--only", type=click.Choice(["incoming", "outgoing"]), help="Process events, or send deliveries.")
def worker(concurrency: int | None, only: str | None) -> None:
    """Process events and send deliveries until SIGTERM or Ctrl-C, then finish what has begun and give back the rest."""
    from hookline import conf
    from hookline.cli import health, schema
    from hookline.cli.fleet import Fleet
    from hookline.cli.stopping import Stopping

    schema.require()
    health.require_keys()
    with Stopping() as stopping:
        fleet = Fleet(conf.get(), only, concurrency)
        fleet.start()
        click.echo("Hookline works", err=True)
        stopping.wait()
        fleet.stop()
