"""The user's code of the benchmarks: HOOKLINE_APPS names this module. A handler that writes one row."""

from __future__ import annotations

from django.db import connection

import hookline
from hookline.incoming.models import Event

INSERT = "INSERT INTO bench_effect (event) VALUES (%s)"


@hookline.handler("stripe")
def take_effect(event: Event) -> None:
    with connection.cursor() as cursor:
        cursor.execute(INSERT, [event.provider_id])
