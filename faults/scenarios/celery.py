"""Celery as the engine: its workers and its broker die, and whatever else can befall those that do the work."""

from __future__ import annotations

import time

from faults import points
from faults.exceptions import Unsettled
from faults.fleet import CeleryFleet, start_broker
from faults.scenarios.base import Scenario, pause_at_random
from faults.scenarios.kills import EverythingKilled, KilledAtPoints
from faults.scenarios.postgres import PostgresRestarted
from faults.scenarios.time_and_sleep import ClocksApart, LeaseExpired
from faults.stage import Stage


class WorkerKilledRabbitMQ(Scenario):
    """SIGKILL at random moments, in turn: of a whole worker of Celery, of one process of its pool, and of the parent of
    the pool alone. Whoever is not replaced by Celery itself is started again at once."""

    name, broker, repeaters = "worker killed", "rabbitmq", 1

    def break_once(self, stage: Stage, number: int) -> float:
        pause_at_random(stage)
        chosen = stage.random.choice(sorted(stage.workers))
        worker = stage.workers[chosen]
        match number % 3:
            case 0:
                worker.kill()
            case 1:
                worker.kill_child(stage.random)
            case _:
                worker.kill_alone()
        killed = time.time()
        if worker.ended is not None:
            stage.start_worker(chosen)
        return killed


class WorkerKilledRedis(WorkerKilledRabbitMQ):
    """The same with Redis."""

    broker = "redis"


class BrokerKilledRabbitMQ(Scenario):
    """SIGKILL of the broker, which is started again some seconds later. Webhooks are acknowledged all the while."""

    name, broker, repeaters = "broker killed", "rabbitmq", 2

    def break_once(self, stage: Stage, number: int) -> float:
        pause_at_random(stage)
        assert isinstance(stage.fleet, CeleryFleet)
        stage.fleet.broker.kill()
        killed = time.time()
        time.sleep(stage.plan.outage)
        if not stage.facts.acknowledged_since(killed + stage.plan.outage / 2):
            raise Unsettled("no webhook is acknowledged while the broker is away")
        start_broker(stage.fleet.broker)
        return time.time()

    def caught(self, stage: Stage) -> int:
        """Every process that had something to say to the broker while it was away says so once."""
        return stage.said("the broker does not accept messages")

    def heal(self, stage: Stage) -> None:
        assert isinstance(stage.fleet, CeleryFleet)
        if not stage.fleet.broker.running:
            start_broker(stage.fleet.broker)


class BrokerKilledRedis(BrokerKilledRabbitMQ):
    """The same with Redis, which forgets all messages when it dies."""

    broker = "redis"


class EverythingKilledRabbitMQ(EverythingKilled):
    """SIGKILL of the server, of beat and of all workers at the same moment."""

    broker = "rabbitmq"


class KilledAtPointsRabbitMQ(KilledAtPoints):
    """The same with Celery, and at some points more."""

    broker = "rabbitmq"
    server_points, worker_points = points.CELERY_SERVER, points.CELERY_WORKER
    short, rounds = 0, len(points.CELERY_WORKER)


class LeaseExpiredRabbitMQ(LeaseExpired):
    """The same with Celery: the worker sleeps with all its processes."""

    broker, short = "rabbitmq", 0


class PostgresRestartedRabbitMQ(PostgresRestarted):
    """The same with Celery."""

    broker, short = "rabbitmq", 0


class ClocksApartRedis(ClocksApart):
    """The same with Celery. By its clock, all messages that others have taken from Redis are overdue."""

    broker = "redis"
