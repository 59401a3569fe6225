"""`hookline worker`: the workers without HTTP, on as many machines as share the database."""

from __future__ import annotations

from functools import partial

import click

from hookline.cli.command import CreatingCommand


@click.command(cls=CreatingCommand)
@click.option(
    "--concurrency",
    type=click.IntRange(min=1),
    help="Handlers that run at once in a process; with --only outgoing, requests under way at once.  "
    "[default: from the settings]",
)
@click.option(
    "--processes",
    default=1,
    show_default=True,
    type=click.IntRange(1, 256),
    help="Number of worker processes.",
)
@click.option("--only", type=click.Choice(["incoming", "outgoing"]), help="Process events, or send deliveries.")
def worker(concurrency: int | None, processes: int, only: str | None) -> None:
    """Process events and send deliveries until SIGTERM or Ctrl-C, then finish jobs in progress and release the rest."""
    from hookline import conf
    from hookline.db import schema
    from hookline.operations import secrets
    from hookline.runtime import metrics_server, supervisor
    from hookline.runtime import worker as one_process

    schema.require()
    secrets.require_keys()
    with metrics_server.listener_of(conf.get()) as listener:
        work = partial(one_process.run, only=only, concurrency=concurrency, listener=listener)
        supervisor.run([work] * processes, lambda: click.echo("Hookline works", err=True))
