"""The user's code of the benchmarks: HOOKLINE_APPS names this module. A handler that writes one row."""

from __future__ import annotations

from django.db import connection

import hookline
from hookline.incoming.models import Event

#: For the environment of a server or worker.
APPS = {"HOOKLINE_APPS": "bench.handlers"}
TABLE = "CREATE TABLE bench_effect (id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY, event text NOT NULL)"
TABLE_ON_SQLITE = "CREATE TABLE bench_effect (id integer PRIMARY KEY, event text NOT NULL)"
INSERT = "INSERT INTO bench_effect (event) VALUES (%s)"


@hookline.handler("stripe")
def take_effect(event: Event) -> None:
    with connection.cursor() as cursor:
        cursor.execute(INSERT, [event.provider_id])
