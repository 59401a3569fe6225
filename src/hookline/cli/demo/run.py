"""Running the demo: the server, the workers and the consumer in one process, on a database that goes with it."""

from __future__ import annotations

import importlib.util
import logging
import os
import tempfile
from collections.abc import MutableMapping
from pathlib import Path

import click
from django.apps import apps

from hookline.cli.command import load_django
from hookline.exceptions import ConfigurationError
from hookline.runtime import http_server
from hookline.runtime.stopping import Stopping

STANDALONE = "hookline.server.settings"
HANDLERS = "hookline.cli.demo.handlers"
LOOPBACK = "127.0.0.0/8"


def run_demo(host: str, port: int) -> None:
    """Show everything until Ctrl-C. Raises ConfigurationError."""
    check_possible()
    with (
        tempfile.TemporaryDirectory(prefix="hookline-demo-", ignore_cleanup_errors=True) as directory,
        http_server.listen(host, port) as listener,
    ):
        url = http_server.url_of(listener)
        prepare_environment(os.environ, Path(directory), url)
        _tell_only_errors()  # the keys that are made now go with the database
        load_django(create=True)

        from hookline.cli.demo.stage import Stage
        from hookline.cli.demo.tour import Tour
        from hookline.db import schema
        from hookline.runtime import server

        schema.apply()
        stage = Stage.build(url)
        tour = Tour(stage)

        def begin() -> None:
            _tell_only_errors()  # again, since loading the application configured logging again
            click.echo(f"Hookline listens on {url}", err=True)
            tour.start()

        try:
            with Stopping() as stopping:
                server.run(listener, True, stopping, begin)
        finally:
            if tour.is_alive():
                tour.stop()
            stage.consumer.stop()
    click.echo("\nThe demo has ended; its database is deleted.", err=True)


def _tell_only_errors() -> None:
    """The story tells what is refused or retried, in its own words."""
    logging.getLogger("hookline").setLevel(logging.ERROR)


def check_possible() -> None:
    """Raises ConfigurationError where the demo would touch what is not its own, or lacks a package."""
    if apps.ready or os.environ.get("DJANGO_SETTINGS_MODULE", STANDALONE) != STANDALONE:
        raise ConfigurationError(
            "the demo has a database of its own and so needs the standalone server: run `hookline serve --demo` "
            "without DJANGO_SETTINGS_MODULE"
        )
    if importlib.util.find_spec("standardwebhooks") is None:
        raise ConfigurationError("the demo needs the package standardwebhooks: pip install 'hookline[server,demo]'")


def prepare_environment(environment: MutableMapping[str, str], directory: Path, url: str) -> None:
    """Point the server at a new database, and let it deliver to loopback. HOOKLINE_APPS and the like still count."""
    environment["HOOKLINE_DATABASE_URL"] = f"sqlite:///{directory / 'hookline.db'}"
    # The keys go beside the database, where commands in another terminal find them.
    environment.pop("HOOKLINE_SECRET_KEY", None)
    environment.pop("HOOKLINE_ENCRYPTION_KEYS", None)
    environment["HOOKLINE_PUBLIC_URL"] = url
    for name, value in (("HOOKLINE_APPS", HANDLERS), ("HOOKLINE_ALLOWED_SUBNETS", LOOPBACK)):
        environment[name] = ",".join(filter(None, (value, environment.get(name))))
