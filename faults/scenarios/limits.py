"""SIGKILL while deliveries wait for a limit, and while an endpoint gets what it missed."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from faults.scenarios.base import Scenario, pause_at_random
from faults.stage import ENDPOINT, Stage


class RateLimitedAndKilled(Scenario):
    """SIGKILL of all workers, which stay away for 4 seconds, while the endpoint has a rate limit of half more than the
    load: what waits meanwhile must come no faster than that."""

    name, short, repeaters = "workers killed beside a rate limit", 0, 2
    burst, away = 5, 4.0
    #: Seconds over which arrivals are counted, and by how much the limit may be exceeded.
    seconds, slack = 3.0, 1.1

    def opened(self, stage: Stage) -> None:
        stage.command("endpoint", "limit", ENDPOINT, "--rate", f"{self._rate(stage)}/s", "--burst", str(self.burst))
        time.sleep(2)  # after which every worker knows

    def break_once(self, stage: Stage, number: int) -> float:
        pause_at_random(stage)
        for process in stage.workers.values():
            process.kill()
        time.sleep(self.away)
        started = time.time()
        for worker in sorted(stage.workers):
            stage.launch_worker(worker)
        stage.wait_started()
        return started

    def violations(self, stage: Stage) -> list[str]:
        came = stage.facts.most_consumed_within(self.seconds)
        most = self.seconds * self._rate(stage) * self.slack + self.burst
        return [f"{came} messages came within {self.seconds:g} s, not {most:.0f}"] if came > most else []

    def _rate(self, stage: Stage) -> float:
        return stage.plan.rate * 1.5


class RecoveredThroughKills(Scenario):
    """The endpoint is disabled for a while, is enabled, and gets what it missed by `endpoint recover`, while a worker
    is killed (SIGKILL) every half second."""

    name, short, repeaters = "workers killed while an endpoint recovers", 1, 8
    away = 3.0
    kills = 4

    def break_once(self, stage: Stage, number: int) -> float:
        pause_at_random(stage)
        began = datetime.now(UTC)
        stage.command("endpoint", "disable", ENDPOINT)
        time.sleep(self.away)
        stage.command("endpoint", "enable", ENDPOINT)
        stage.command("endpoint", "recover", ENDPOINT, "--since", began.isoformat())
        for kill in range(self.kills):
            worker = sorted(stage.workers)[kill % len(stage.workers)]
            stage.workers[worker].kill()
            stage.start_worker(worker)
            time.sleep(0.5)
        killed = time.time()
        stage.wait_for(lambda: stage.facts.replaying() == 0, "the endpoint has got what it missed")
        return killed
