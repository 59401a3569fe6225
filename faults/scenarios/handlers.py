"""Handlers that end their process, and handlers that never end."""

from __future__ import annotations

import time
from typing import ClassVar

from faults.exceptions import Unsettled
from faults.scenarios.base import Scenario, pause_at_random
from faults.stage import Stage


class HandlerKills(Scenario):
    """The handler of one event ends its worker (SIGKILL, as the kernel does when memory runs out) each time it runs,
    five times, beside ordinary events; each worker is started again at once. Then the event may succeed."""

    name, short, rounds, repeaters = "handler kills its worker", 1, 2, 6
    #: How often in each round: more often than an innocent event may be charged for it.
    kills: ClassVar[int] = 5
    met: int = 0

    def break_once(self, stage: Stage, number: int) -> float:
        pause_at_random(stage)
        stage.afflict("poison", stage.facts.coming(1))
        deadline, left = time.monotonic() + stage.plan.patience, self.kills
        while left:
            for worker, process in list(stage.workers.items()):
                if process.ended is not None:
                    left, self.met = left - 1, self.met + 1
                    if not left:
                        stage.afflict("poison", [])
                    stage.start_worker(worker)
            if time.monotonic() > deadline:
                raise Unsettled(f"the event did not kill its worker {self.kills} times within {stage.plan.patience} s")
            time.sleep(0.02)
        return time.time()

    def caught(self, stage: Stage) -> int:
        return self.met

    def heal(self, stage: Stage) -> None:
        stage.afflict("poison", [])


class HandlersHang(Scenario):
    """As many handlers hang as the workers have threads, before they write. Ordinary events must be processed, and
    webhooks acknowledged, while they do; when they go on, their events succeed."""

    name, short, rounds, repeaters = "handlers hang", 1, 2, 0
    handler_timeout = 3.0
    #: Threads of the workers.
    hanging: ClassVar[int] = 8
    met: int = 0

    def break_once(self, stage: Stage, number: int) -> float:
        pause_at_random(stage)
        stage.afflict("hang", stage.facts.coming(self.hanging))
        stage.wait_for(lambda: stage.facts.hanging() >= self.hanging, f"{self.hanging} handlers hang")
        self.met += self.hanging
        since = time.time()
        stage.wait_for(lambda: stage.facts.acknowledged_since(since), "webhooks are acknowledged meanwhile")
        stage.wait_for(lambda: stage.facts.took_effect_since(since), "other events are processed meanwhile")
        stage.afflict("hang", [])
        return time.time()

    def caught(self, stage: Stage) -> int:
        return self.met

    def heal(self, stage: Stage) -> None:
        stage.afflict("hang", [])


class HandlersHangSqlite(HandlersHang):
    """The same on SQLite, where a handler that holds the write lock would keep webhooks from being stored. So no worker
    runs several events in one transaction: what hangs behind a handler that wrote there has the lock."""

    database, short, together = "SQLite", 0, 1
