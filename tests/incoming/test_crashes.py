"""A handler that crashes its worker harms no event but its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hookline.engine.job import State
from hookline.incoming.models import Event
from hookline.outgoing.models import Message
from tests.engine.other_processes import databases_as_json
from tests.engine.rows import make_event, make_source
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

ROOT = Path(__file__).parents[2]


class Supervised:
    """A worker process that is started again when it ends."""

    def __init__(self, seconds: float, settings: dict[str, Any]) -> None:
        self.seconds, self.settings, self.starts = seconds, settings, 0
        self.process: subprocess.Popen[str] | None = None

    def keep_running(self) -> None:
        if self.process is None or self.process.poll() is not None:
            self.end()
            script = Path(__file__).with_name("crashing_process.py")
            environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings", "PYTHONPATH": str(ROOT)}
            self.process = subprocess.Popen(
                [sys.executable, str(script), str(self.seconds)], stdin=subprocess.PIPE, text=True, env=environment
            )
            given = {"DATABASES": json.loads(databases_as_json()), "HOOKLINE": self.settings}
            assert self.process.stdin is not None
            self.process.stdin.write(json.dumps(given) + "\n")
            self.process.stdin.flush()
            self.starts += 1

    def end(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)
            assert self.process.stdin is not None
            self.process.stdin.close()


@pytest.mark.parametrize("together", [1, 10])
@pytest.mark.parametrize("seconds", [0.0, 1.5])
def test_an_event_that_kills_its_worker_each_time_dies_and_its_neighbours_take_effect_once(
    together: int, seconds: float
) -> None:
    settings = {"LEASE": 1, "POLL": 0.05, "EVENT_RETRY_DELAYS": [0, 0], "EVENTS_PER_TRANSACTION": together}
    source = make_source("stripe")
    for number in range(24):
        make_event(source, type="poison" if number == 3 else "fine")
    worker = Supervised(seconds, settings)

    def finished() -> bool:
        worker.keep_running()
        return not Event.objects.filter(state__in=["pending", "running"]).exists()

    try:
        wait_until(finished, 90)
    finally:
        worker.end()
    poison, fine = Event.objects.get(type="poison"), Event.objects.filter(type="fine")
    assert (poison.state, poison.attempts) == (State.DEAD, 3)
    assert "the worker stopped while it ran" in poison.note
    assert set(fine.values_list("state", flat=True)) == {State.SUCCEEDED}
    assert max(fine.values_list("attempts", flat=True)) == 1
    effects = [message.json["data"]["event"] for message in Message.objects.all()]
    assert sorted(effects) == sorted(event.public_id for event in fine)
    # Each of its three tries, and one more where the first was over before it was noted.
    assert worker.starts <= 5
