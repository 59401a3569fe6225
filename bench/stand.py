"""What every benchmark stands on: a durable database of its own, Django on it, and a table for the handler's rows."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

import django

from tests.postgres import postgres_server

if TYPE_CHECKING:
    from hookline.incoming.models import Source

ROOT = Path(__file__).parent.parent
DATABASES = ("postgresql", "sqlite")


@contextmanager
def database(kind: str, directory: str, settings: Mapping[str, str] | None = None) -> Iterator[None]:
    """Point the standalone server's settings, of this process and those it starts, at a new, durable database.

    `settings` are PostgreSQL's own.
    """
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "hookline.server.settings",
        "HOOKLINE_SECRET_KEY": "made up for the benchmark",
        "HOOKLINE_ENCRYPTION_KEYS": "bench:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
    }
    if kind == "sqlite":
        os.environ["HOOKLINE_DATABASE_URL"] = f"sqlite:///{directory}/bench.db"
        yield
        return
    with postgres_server(settings or {}) as url:
        os.environ["HOOKLINE_DATABASE_URL"] = url
        yield


@contextmanager
def copied(name: str) -> Iterator[str]:
    """A copy of the database as it is now; yields its URL for HOOKLINE_DATABASE_URL. After `set_up`."""
    from django.db import connection

    url, source = os.environ["HOOKLINE_DATABASE_URL"], str(connection.settings_dict["NAME"])
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("VACUUM INTO %s", [f"{source}.{name}"])
        yield f"{url}.{name}"
        return
    import psycopg

    connection.close()  # a database that somebody uses is not copied
    parts = urlsplit(url)
    with psycopg.connect(urlunsplit(parts._replace(path="/template1")), autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name} TEMPLATE {source}".encode())
    yield urlunsplit(parts._replace(path=f"/{name}"))


@contextmanager
def within(url: str) -> Iterator[None]:
    """Have this process, and those that it starts, use this database of the same server until the block ends."""
    from django.db import connection

    former, name = os.environ["HOOKLINE_DATABASE_URL"], connection.settings_dict["NAME"]
    path = urlsplit(url).path
    connection.close()
    os.environ["HOOKLINE_DATABASE_URL"] = url
    connection.settings_dict["NAME"] = path[1:] if connection.vendor == "postgresql" else path
    try:
        yield
    finally:
        connection.close()
        os.environ["HOOKLINE_DATABASE_URL"] = former
        connection.settings_dict["NAME"] = name


def set_up() -> Source:
    """Load Django, make the tables, and a source of Stripe events."""
    django.setup()
    from django.core.management import call_command

    from hookline.audit.actor import SYSTEM
    from hookline.operations import sources

    call_command("migrate", verbosity=0)
    return sources.create(SYSTEM, "stripe", secrets=["whsec_made_up"])


def database_version() -> str:
    """Such as "PostgreSQL 18.6". Only after `set_up`."""
    from django.db import connection

    with connection.cursor():  # connects
        return f"{connection.display_name} {'.'.join(map(str, connection.get_database_version()))}"
