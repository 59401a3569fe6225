"""Webhooks that twenty senders send at once, each five times, take effect once each. `make ledger` sends a thousand."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path

from tests.e2e.test_serve import Installation, installation
from tests.waiting import wait_until

__all__ = ["installation"]

EVENTS, TIMES, SENDERS = int(os.environ.get("LEDGER_EVENTS", "100")), 5, 20
SECRET = b"whsec_made_up_for_the_ledger"

#: Its effect commits with the event: a message whose type names it.
HANDLER = """
from hookline import dispatch, handler

@handler("stripe")
def take_effect(event):
    dispatch(f"effect.{event.provider_id}", {})
"""


def test_webhooks_that_twenty_senders_send_five_times_each_take_effect_once_each(installation: Installation) -> None:
    Path(installation.directory, "ledger_handlers.py").write_text(HANDLER)
    more = {"HOOKLINE_APPS": "ledger_handlers", "PYTHONPATH": str(installation.directory)}
    server = installation.serve("--no-worker", **more)
    arguments = ("--provider", "stripe", "--secret", SECRET.decode())
    path = installation.json("source", "create", *arguments)["path"]
    worker = installation.start("worker", **more)
    worker.wait_for_output("Hookline works")
    deck = [f"evt_{number:04d}" for number in range(EVENTS) for _ in range(TIMES)]
    random.Random(14).shuffle(deck)
    hands = [deck[start::SENDERS] for start in range(SENDERS)]
    with ThreadPoolExecutor(SENDERS) as threads:
        answers = [one for hand in threads.map(lambda hand: send(installation.port, path, hand), hands) for one in hand]
    assert Counter(status for status, _ in answers) == {200: EVENTS * TIMES}
    assert Counter(json.loads(body)["status"] for _, body in answers) == {
        "accepted": EVENTS,
        "duplicate": EVENTS * (TIMES - 1),
    }
    wait_until(lambda: installation.json("stats")["events"]["succeeded"] == EVENTS, 60, "all events are processed")
    effects = [one["type"] for one in installation.json("messages", "list", "--limit", "10000")]
    assert sorted(effects) == sorted(f"effect.{event}" for event in set(deck))
    assert server.popen.poll() is worker.popen.poll() is None


def send(port: int, path: str, events: list[str]) -> list[tuple[int, bytes]]:
    """Post each of these, signed as Stripe signs, over one connection. Returns status and body of each answer."""
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    answers = []
    for event in events:
        body = json.dumps({"id": event, "object": "event", "type": "invoice.paid"}).encode()
        now = str(int(time.time()))
        mac = hmac.new(SECRET, now.encode() + b"." + body, hashlib.sha256).hexdigest()
        headers = {"stripe-signature": f"t={now},v1={mac}", "content-type": "application/json"}
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        answers.append((answer.status, answer.read()))
    connection.close()
    return answers
