"""`hookline serve`: the server, with the workers in the same process."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from hookline.cli.command import PlainCommand, load_django

if TYPE_CHECKING:
    from hookline.runtime.stopping import Stopping


@click.command(cls=PlainCommand)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on; 0.0.0.0 for all.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one.")
@click.option("--processes", default=1, show_default=True, type=click.IntRange(1, 256), help="They share the port.")
@click.option("--worker/--no-worker", "worker", default=True, help="Process events and send deliveries here, too.")
@click.option("--demo", is_flag=True, help="Show every step on a throw-away database.")
@click.option(
    "--migrate/--no-migrate",
    default=None,
    help="Apply missing migrations first. By default the standalone server does; a project of your own does not.",
)
def serve(*, host: str, port: int, processes: int, worker: bool, demo: bool, migrate: bool | None) -> None:
    """Receive webhooks over HTTP, and process and send them.

    Each process answers requests and, unless --no-worker, runs workers. SIGTERM and Ctrl-C stop it gracefully.
    """
    if demo:
        if processes > 1 or not worker:
            raise click.UsageError("--demo is one process with its worker: leave out --processes and --no-worker")
        from hookline.cli.demo.run import run_demo

        run_demo(host, port)
        return
    load_django()
    from hookline.runtime import http_server

    with http_server.listen(host, port) as listener:
        prepare(migrate)
        run(listener, processes, worker)


def prepare(migrate: bool | None) -> None:
    """Bring the database up to date, or refuse to start. Raises ConfigurationError."""
    from django.conf import settings as django_settings

    from hookline.db import schema
    from hookline.operations import doctor

    if migrate is None:
        migrate = django_settings.SETTINGS_MODULE == "hookline.server.settings"
    if migrate and (applied := schema.apply()):
        click.echo(f"Applied to the database: {', '.join(applied)}", err=True)
    schema.require()
    doctor.require_keys()


def run(listener: socket.socket, processes: int, worker: bool) -> None:
    """Serve on the socket until told to stop."""
    from hookline.runtime import http_server, server, supervisor

    def work(stopping: Stopping, on_ready: Callable[[], None]) -> None:
        server.run(listener, worker, stopping, on_ready)

    def announce() -> None:
        click.echo(f"Hookline listens on {http_server.url_of(listener)}", err=True)

    supervisor.run(work, processes, announce)
