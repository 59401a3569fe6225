"""The user's code of the kill tests: HOOKLINE_APPS names this module, so that servers and workers import it.

The handler writes one row of effect and dispatches one message, in the transaction that Hookline opened. On PostgreSQL
that of every second event only dispatches: see `faults.database.TRIGGER`.
"""

from __future__ import annotations

import os
import random
import signal
import time
import zlib
from pathlib import Path

from django.db import connection

import hookline
from faults import points
from hookline.incoming.models import Event

AFFLICTED = Path(os.environ.get("FAULTS_AFFLICTED", "."))
WORKER = os.environ.get("FAULTS_WORKER", "")
#: Batches only run one by one after one of them failed.
FAILS_AT_TIMES = os.environ.get("FAULTS_POINT", "").startswith("parted")
_NOW = {"postgresql": "extract(epoch FROM clock_timestamp())", "sqlite": "(julianday('now') - 2440587.5) * 86400.0"}

ORDERED = bool(os.environ.get("FAULTS_ORDERED"))
FORWARDED = bool(os.environ.get("FAULTS_FORWARDED"))

points.install()


@hookline.after_commit(retry=[1] * 200)
def tell(event: Event) -> None:
    """What an e-mail or a call of another system would be: it may happen more than once."""
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO faults_told (event) VALUES (%s)", [event.provider_id])


def afflicted(how: str, event: Event) -> bool:
    """Whether the scenario wants it from the handler of this event (see Stage.afflict)."""
    try:
        return event.provider_id in (AFFLICTED / how).read_text().split()
    except FileNotFoundError:
        return False


@hookline.handler("stripe", "*")
def take_effect(event: Event) -> None:
    if afflicted("poison", event):
        os.kill(os.getpid(), signal.SIGKILL)
    while afflicted("hang", event):
        time.sleep(0.1)
    about = {"event": event.provider_id, "customer": event.json["customer"]}
    if connection.vendor == "postgresql" and not FORWARDED and zlib.crc32(event.provider_id.encode()) % 2:
        hookline.dispatch("effect.only", {**about, "by": WORKER})
    else:
        _take_effect(event)
        if not FORWARDED:
            hookline.dispatch("effect.taken", about)
    if ORDERED:
        event.after_commit(tell)
    if FAILS_AT_TIMES and random.random() < 0.1:
        raise ConnectionError("a handler that fails at times")


def _take_effect(event: Event) -> None:
    with connection.cursor() as cursor:
        now = _NOW[connection.vendor]  # the database's clock: a worker's own may be wrong on purpose
        cursor.execute(
            f"INSERT INTO faults_effect (event, worker, at) VALUES (%s, %s, {now})", [event.provider_id, WORKER]
        )
