"""A worker sleeps through its lease; workers disagree about the time."""

from __future__ import annotations

import signal
import time

from faults.scenarios.base import Scenario, pause_at_random
from faults.stage import Stage


class LeaseExpired(Scenario):
    """SIGSTOP of a worker for longer than its LEASE, then SIGCONT: what it held is done by another, and it must not
    overwrite that."""

    name, short, repeaters = "worker sleeps through its lease", 1, 1

    def break_once(self, stage: Stage, number: int) -> float:
        pause_at_random(stage)
        worker = stage.workers[number % len(stage.workers)]
        worker.send(signal.SIGSTOP)
        time.sleep(stage.plan.lease + 2.0)
        worker.send(signal.SIGCONT)
        return time.time()


class ClocksApart(Scenario):
    """The clocks of two workers are an hour apart, and one or the other is killed, so that each takes over from the
    other."""

    name, repeaters = "clocks of two workers an hour apart", 1
    seconds = 3600.0

    def opened(self, stage: Stage) -> None:
        stage.start_worker(2, clock=self.seconds)
        stage.workers[1].kill()
        del stage.workers[1]

    def break_once(self, stage: Stage, number: int) -> float:
        pause_at_random(stage)
        worker = sorted(stage.workers)[number % 2]
        stage.workers[worker].kill()
        killed = time.time()
        time.sleep(stage.plan.lease + 1.0)  # the other has it all to itself, by its own idea of time
        stage.start_worker(worker)
        return killed
