"""`hookline serve`: the server, and the workers beside it."""

from __future__ import annotations

import socket

import click

from hookline.cli.command import PlainCommand, load_django
from hookline.cli.loading import loading


@click.command(cls=PlainCommand)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on; 0.0.0.0 for all.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one.")
@click.option(
    "--processes", default=1, show_default=True, type=click.IntRange(1, 256), help="Number of processes on the port."
)
@click.option("--worker/--no-worker", "worker", default=True, help="Also process events and send deliveries.")
@click.option(
    "--single-process", is_flag=True, help="Answer, process and send in one process, whatever WORKER_PROCESSES says."
)
@click.option("--demo", is_flag=True, help="Show every step on a temporary database.")
@click.option(
    "--migrate/--no-migrate",
    default=None,
    help="Apply missing migrations first. By default the standalone server does; a project of your own does not.",
)
def serve(
    *, host: str, port: int, processes: int, worker: bool, single_process: bool, demo: bool, migrate: bool | None
) -> None:
    """Receive webhooks over HTTP, and process and send them.

    On PostgreSQL handlers and deliveries run in processes of their own, beside the one that answers: one less than
    there are cores, or WORKER_PROCESSES. SIGTERM and Ctrl-C stop all of them gracefully.
    """
    if demo:
        if processes > 1 or not worker:
            raise click.UsageError("--demo is one process with its worker: leave out --processes and --no-worker")
        from hookline.cli.demo.run import run_demo

        run_demo(host, port)
        return
    load_django(create=True)
    with loading():
        from hookline.runtime import ahead

        is_prepared = ahead.is_prepared()
        from hookline.runtime import http_server

        http_server.load()
    with http_server.listen(host, port) as listener:
        if not is_prepared():
            prepare(migrate)
        run(listener, processes, workers_of(worker, single_process))


def prepare(migrate: bool | None) -> None:
    """Bring the database up to date, or refuse to start. Raises ConfigurationError."""
    from django.conf import settings as django_settings

    with loading():
        from hookline.db import schema
        from hookline.operations import secrets

    if migrate is None:
        migrate = django_settings.SETTINGS_MODULE == "hookline.server.settings"
    if not migrate:
        schema.require()
    elif applied := schema.apply():
        click.echo(f"Applied to the database: {', '.join(applied)}", err=True)
    secrets.require_keys()


def workers_of(worker: bool, single_process: bool) -> int | None:
    """How many processes work beside the server; 0: the server does; None: nobody does here."""
    from hookline import conf
    from hookline.runtime import server

    settings = conf.get()
    if not worker or settings.ENGINE != "worker":  # with Celery as the engine, its workers are the fleet
        return None
    return 0 if single_process else server.worker_processes(settings, server.cores())


def run(listener: socket.socket, processes: int, workers: int | None) -> None:
    """Serve on the socket until told to stop."""
    with loading():
        from hookline.runtime import http_server, server, supervisor

    def announce() -> None:
        click.echo(f"Hookline listens on {http_server.url_of(listener)}", err=True)

    supervisor.run(server.works(listener, processes, workers), announce, processes)
