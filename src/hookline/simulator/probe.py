"""Looking at what the consumer did: a probe returns its state as a JSON value. A function makes each kind."""

from __future__ import annotations

import json
import shlex
import subprocess
import urllib.request
from collections.abc import Callable
from typing import Any

from hookline.exceptions import ConfigurationError, HooklineError

#: Returns the consumer's state now, as a JSON value. Raises HooklineError where it cannot be read.
Probe = Callable[[], Any]

#: Seconds that one look may take.
TIMEOUT = 30


def parse_probe(text: str) -> Probe:
    """`http://...`, `sql:DATABASE_URL:QUERY` (of SQLite or PostgreSQL) or `cmd:COMMAND`. Raises ConfigurationError."""
    kind, _, rest = text.partition(":")
    if kind in ("http", "https"):
        return url_probe(text)
    if kind == "url" and rest:
        return url_probe(rest)
    if kind == "cmd" and rest:
        return command_probe(rest)
    if kind == "sql" and (database_and_query := _split_sql(rest)):
        return sql_probe(*database_and_query)
    raise ConfigurationError(
        f"probe {text!r:.80} is not one of: http://... (a URL that returns JSON), sql:DATABASE_URL:QUERY, cmd:COMMAND"
    )


def url_probe(url: str) -> Probe:
    """A URL that returns JSON."""
    if not url.startswith(("http://", "https://")):
        raise ConfigurationError(f"probe URL {url!r:.80} must begin with http:// or https://")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def look() -> Any:
        try:
            with opener.open(url, timeout=TIMEOUT) as answer:
                return json.load(answer)
        except (OSError, ValueError) as error:
            raise HooklineError(f"probe {url} returned no JSON: {error}") from error

    return look


def command_probe(command: str) -> Probe:
    """A command that prints JSON, or any text, which is then the state."""
    arguments = shlex.split(command)

    def look() -> Any:
        try:
            found = subprocess.run(arguments, capture_output=True, timeout=TIMEOUT, check=True)  # noqa: S603 # the user's
        except (OSError, subprocess.SubprocessError) as error:
            raise HooklineError(f"probe command {command!r} failed: {error}") from error
        text = found.stdout.decode("utf-8", "backslashreplace").strip()
        try:
            return json.loads(text)
        except ValueError:
            return text

    return look


def sql_probe(database: str, query: str) -> Probe:
    """A query on `sqlite:///PATH` or `postgres://...`; the state is the list of its rows. It runs read-only."""
    if database.startswith("sqlite:///"):
        return lambda: _sqlite_rows(database.removeprefix("sqlite:///"), query)
    if database.startswith(("postgres://", "postgresql://")):
        return lambda: _postgres_rows(database, query)
    raise ConfigurationError(f"probe database {database!r:.80} must begin with sqlite:/// or postgres://")


def _sqlite_rows(path: str, query: str) -> Any:
    import sqlite3

    try:
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=TIMEOUT)
        try:
            return _plain(connection.execute(query).fetchall())
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise HooklineError(f"probe query failed on {path}: {error}") from error


def _postgres_rows(database: str, query: str) -> Any:
    try:
        import psycopg
    except ImportError:
        raise HooklineError("a probe on PostgreSQL needs psycopg: pip install 'hookline[postgres]'") from None
    try:
        with psycopg.connect(database, autocommit=True, connect_timeout=TIMEOUT) as connection:
            connection.read_only = True
            return _plain(connection.execute(query.encode()).fetchall())
    except psycopg.Error as error:
        raise HooklineError(f"probe query failed: {error}") from error


def _plain(rows: list[tuple[Any, ...]]) -> Any:
    """JSON of rows: values that JSON does not know, such as times, as text."""
    return json.loads(json.dumps([list(row) for row in rows], default=str))


def _split_sql(text: str) -> tuple[str, str] | None:
    """`DATABASE_URL:QUERY`: the query begins behind the first colon that a space or a keyword of SQL follows."""
    for keyword in (":select ", ":with ", ": "):
        place = text.lower().find(keyword)
        if place > 0:
            return text[:place], text[place + 1 :].strip()
    return None
