"""SIGKILL, at random moments and at named points."""

from __future__ import annotations

import time
from collections.abc import Mapping

from faults import points
from faults.exceptions import Unsettled
from faults.scenarios.base import Scenario, pause_at_random
from faults.stage import Stage


class ServerKilled(Scenario):
    """SIGKILL of the server at random moments; it is started again at once."""

    name, short = "server killed", 2

    def break_once(self, stage: Stage, number: int) -> float:
        pause_at_random(stage)
        stage.server.kill()
        killed = time.time()
        stage.start_server()
        return killed

    def caught(self, stage: Stage) -> int:
        return stage.facts.requests_failed()


class WorkerKilled(Scenario):
    """SIGKILL of one of the workers at random moments; it is started again at once."""

    name, short, repeaters = "worker killed", 2, 1

    def break_once(self, stage: Stage, number: int) -> float:
        pause_at_random(stage)
        worker = stage.random.choice(sorted(stage.workers))
        stage.workers[worker].kill()
        killed = time.time()
        stage.start_worker(worker)
        return killed


class EverythingKilled(Scenario):
    """SIGKILL of the server and all workers at the same moment."""

    name, repeaters = "server and all workers killed", 2

    def break_once(self, stage: Stage, number: int) -> float:
        pause_at_random(stage)
        for process in (stage.server, *stage.workers.values(), *stage.helpers.values()):
            process.kill()
        killed = time.time()
        stage.start_all()
        return killed


class EverythingKilledSqlite(EverythingKilled):
    """The same on SQLite."""

    name, database, short = "server and all workers killed", "SQLite", 1


class CommandKilled(Scenario):
    """SIGKILL of one of the processes that `hookline serve` starts by default, which its supervisor replaces, and in
    every third round of all of them."""

    name, short, repeaters, one_command = "the one command killed", 2, 1, True
    rounds = 9

    def break_once(self, stage: Stage, number: int) -> float:
        pause_at_random(stage)
        if number % 3:
            stage.server.kill_child(stage.random)
            return time.time()
        stage.server.kill()
        killed = time.time()
        stage.start_server()
        return killed


class CommandKilledAtPoints(CommandKilled):
    """SIGKILL of one of the processes that `hookline serve` starts by default, at named points of how the one gives
    events to the other; its supervisor replaces it. In every third round all of them die there."""

    name = "the one command killed at named points"
    short, rounds = len(points.COMMAND), 3 * len(points.COMMAND)

    def break_once(self, stage: Stage, number: int) -> float:
        pause_at_random(stage)
        stage.server.kill()
        stage.launch_server(_point(stage, points.COMMAND, number), alone=number % 3 != 2)
        deadline = time.monotonic() + 60
        while not stage.died_at("server"):
            if time.monotonic() > deadline:
                raise Unsettled(f"no process came by its point in round {number + 1} within 60 s")
            time.sleep(0.02)
        killed = time.time()
        if number % 3 == 2:
            stage.server.kill()
            stage.start_server()
        return killed


class CommandKilledSqlite(CommandKilled):
    """The same on SQLite, where it is one process."""

    name, database, short = "the one command killed", "SQLite", 0
    rounds = 6

    def break_once(self, stage: Stage, number: int) -> float:
        return super().break_once(stage, 0)


class OrderedAndKilled(Scenario):
    """SIGKILL of a worker, and in every third round of everything, while the events of each customer are processed, and
    its messages delivered, one after the other, and each event has a follow-up."""

    name, short, repeaters, ordered = "killed while it keeps an order", 2, 2, True
    rounds = 9

    def break_once(self, stage: Stage, number: int) -> float:
        pause_at_random(stage)
        worker = stage.random.choice(sorted(stage.workers))
        doomed = [stage.workers[worker]] if number % 3 else [stage.server, *stage.workers.values()]
        for process in doomed:
            process.kill()
        killed = time.time()
        if number % 3:
            stage.start_worker(worker)
        else:
            stage.start_all()
        return killed


class OrderedAndKilledSqlite(OrderedAndKilled):
    """The same on SQLite."""

    name, database, short = "killed while it keeps an order", "SQLite", 0


class ForwardedAndKilled(OrderedAndKilled):
    """SIGKILL of a worker, and in every third round of everything, while the gateway forwards every event."""

    name, short, ordered, forwarded = "killed while it forwards", 1, False, True
    rounds = 6


class ForwardedAndKilledSqlite(ForwardedAndKilled):
    """The same on SQLite."""

    name, database, short = "killed while it forwards", "SQLite", 0


class KilledAtPoints(Scenario):
    """SIGKILL of the server and of a worker at named points of the flows, one after the other, each time after another
    number of passages. What is started again has the next point waiting for it. Of Celery's workers, a process of the
    pool dies alone in every second turn, and otherwise the whole worker."""

    name, continuous, repeaters = "killed at named points", True, 2
    short, rounds = len(points.WORKER), 2 * len(points.WORKER)
    server_points, worker_points = points.SERVER, points.WORKER
    armed: int | None = None
    alone = False

    def break_once(self, stage: Stage, number: int) -> float:
        if self.armed is None:
            stage.server.kill()
            stage.workers[0].kill()
            self._arm(stage, 0, number)
        assert self.armed is not None
        died = self._wait_for_deaths(stage, self.armed, number)
        if not self.alone:  # otherwise the worker replaces the process itself
            stage.workers[self.armed].kill()
            stage.launch_worker(self.armed)
        # Each worker in turn, because one has an event per transaction and the other many.
        self.armed = (self.armed + 1) % len(stage.workers)
        stage.server.kill()
        stage.workers[self.armed].kill()
        self._arm(stage, self.armed, number + 1)
        return died

    def heal(self, stage: Stage) -> None:
        if self.armed is not None:
            stage.server.kill()
            stage.workers[self.armed].kill()
            stage.launch_worker(self.armed)
            stage.start_server()
            self.armed = None

    def _wait_for_deaths(self, stage: Stage, worker: int, number: int) -> float:
        """Wait until the server and the worker have died. Returns the Unix time. Raises Unsettled."""
        deadline = time.monotonic() + 60
        armed = stage.server
        while armed.ended is None or not stage.died_at_point(worker):
            if stage.server.ended is not None:
                stage.start_server()  # the worker comes by its point only while events come in
            if time.monotonic() > deadline:
                raise Unsettled(f"a process did not come by its point in round {number + 1} within 60 s")
            time.sleep(0.02)
        return time.time()

    def _arm(self, stage: Stage, worker: int, number: int) -> None:
        """Start a server and a worker that will die at the points of this round."""
        stage.launch_server(_point(stage, self.server_points, number))
        # Every second one, and the others when all points come round again.
        self.alone = bool(self.broker) and (number + number // len(self.worker_points)) % 2 == 1
        stage.launch_worker(worker, _point(stage, self.worker_points, number), alone=self.alone)
        self.armed = worker


def _point(stage: Stage, known: Mapping[str, points.Point], number: int) -> str:
    name, point = list(known.items())[number % len(known)]
    return f"{name}:{stage.random.randint(1, point.passages)}"


class KilledAtPointsSqlite(KilledAtPoints):
    """The same on SQLite."""

    name, database, short = "killed at named points", "SQLite", 0
