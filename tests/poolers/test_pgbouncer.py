"""Both directions through a real PgBouncer, as docs/scaling.md says. `make test-poolers` runs this, on PostgreSQL."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from tests.databases import POSTGRES_URL
from tests.e2e.test_exactly_once import SECRET, send
from tests.e2e.test_serve import Installation, installation
from tests.outgoing.consumer import SECRET as ENDPOINT_SECRET
from tests.outgoing.consumer import running_consumer
from tests.poolers.pgbouncer import PROGRAM, pgbouncer, version
from tests.waiting import wait_until

__all__ = ["installation"]

EVENTS, TIMES, SENDERS = 60, 3, 10

#: Every second event writes nothing itself: on a connection of its own, one statement would do all of it.
HANDLERS = """
from django.db import connection
from hookline import dispatch, handler

@handler("stripe")
def take_effect(event):
    if int(event.provider_id[-1]) % 2:
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO effect VALUES (%s)", [event.provider_id])
    dispatch(f"effect.{event.provider_id}", {})
"""

#: Reads rows one by one, as commands read many.
WALK = """
import django
django.setup()
from hookline.models import Message
print(len(list(Message.objects.values_list("pk").iterator(chunk_size=1))))
"""

#: The mode, the connections that it has at most, its max_prepared_statements, and Django's prepare_threshold: the
#: default, and preparing at once. In session mode each connection of a process takes one for itself.
CASES = {
    "session": ("session", 50, None, None),
    "transaction": ("transaction", 5, 0, None),
    "transaction, prepared": ("transaction", 5, 100, None),
    "transaction, prepared by psycopg": ("transaction", 5, 100, 0),
}


@pytest.mark.parametrize("case", CASES)
def test_webhooks_take_effect_once_and_messages_arrive(installation: Installation, case: str) -> None:
    assert POSTGRES_URL, "these tests need PostgreSQL: make test-poolers"
    mode, connections, prepared, threshold = CASES[case]
    if version() < (1, 21):
        if prepared:
            pytest.skip(f"{PROGRAM} knows no max_prepared_statements")
        prepared = None
    direct = installation.environment["HOOKLINE_DATABASE_URL"]
    directory = installation.directory
    with psycopg.connect(direct) as connection:
        connection.execute("CREATE TABLE effect (event text)")  # with no key that could hide a second row
    Path(directory, "pooled_handlers.py").write_text(HANDLERS)
    with (
        pgbouncer(direct, directory, mode, prepared=prepared, connections=connections) as url,
        running_consumer() as consumer,
    ):
        options = "" if threshold is None else f"?prepare_threshold={threshold}"
        through = replace(installation, environment={
            **installation.environment, "HOOKLINE_DATABASE_URL": url + options, "HOOKLINE_APPS": "pooled_handlers",
            "PYTHONPATH": str(directory), "HOOKLINE_ALLOWED_SUBNETS": "127.0.0.0/8", "HOOKLINE_POLL": "0.2",
            "HOOKLINE_WORKER_PROCESSES": "1",
        })  # fmt: skip
        server = through.serve("--no-migrate")
        path = through.json("source", "create", "--provider", "stripe", "--secret", SECRET.decode())["path"]
        through.json("endpoint", "create", "--url", consumer.url(), "--secret", ENDPOINT_SECRET)
        deck = [f"evt_{number:04d}" for number in range(EVENTS) for _ in range(TIMES)]
        random.Random(14).shuffle(deck)
        hands = [deck[start::SENDERS] for start in range(SENDERS)]
        with ThreadPoolExecutor(SENDERS) as threads:
            sent = list(threads.map(lambda hand: send(installation.port, path, hand), hands))
        answers = [one for hand in sent for one in hand]
        assert Counter(status for status, _ in answers) == {200: EVENTS * TIMES}
        assert Counter(json.loads(body)["status"] for _, body in answers) == {
            "accepted": EVENTS,
            "duplicate": EVENTS * (TIMES - 1),
        }
        wait_until(lambda: len(consumer.arrivals) >= EVENTS, 60, "all messages arrive")
        wait_until(lambda: through.json("stats")["deliveries"]["succeeded"] == EVENTS, 60, "all are recorded")
        assert through.json("stats")["events"]["succeeded"] == EVENTS
        assert sorted(json.loads(one.body)["type"] for one in consumer.arrivals) == sorted(
            f"effect.{event}" for event in set(deck)
        )
        with psycopg.connect(direct) as connection:
            effects = connection.execute("SELECT event FROM effect ORDER BY event").fetchall()
        assert effects == [(f"evt_{number:04d}",) for number in range(1, EVENTS, 2)]
        walked = subprocess.run(
            [sys.executable, "-c", WALK],
            capture_output=True, text=True, check=False, env={**os.environ, **through.environment},
        )  # fmt: skip
        assert (walked.stdout, walked.stderr) == (f"{EVENTS}\n", "")
        assert server.popen.poll() is None
        assert server.stop() == 0
    print(server.output)
    assert "Traceback" not in server.output
