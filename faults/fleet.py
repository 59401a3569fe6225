"""Fleet: who does the work. `hookline worker`, or Celery's workers with a broker; the stage is the same."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from faults.exceptions import NotPossibleHere
from tests import debian
from tests.brokers.brokers import BROKERS, Broker

HOOKLINE = str(Path(sys.executable).with_name("hookline"))


class Fleet:
    """The workers that Hookline brings."""

    name = ""
    #: What a worker writes when it works.
    ready = "Hookline works"
    #: How many processes of one worker send at the same time, each with PER_ENDPOINT deliveries under way.
    senders = 1

    @property
    def environment(self) -> Mapping[str, str]:
        """Of the server and of all workers."""
        return {}

    def command(self, number: int) -> list[str]:
        """What starts a worker. Celery's must have a name each."""
        return [HOOKLINE, "worker"]

    @property
    def helpers(self) -> Mapping[str, list[str]]:
        """What else must run, by name."""
        return {}


class CeleryFleet(Fleet):
    """Workers of Celery, each with a pool of processes, and beat. The Celery app is the standalone server's own."""

    ready = "ready."
    senders = 2

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.name = f"Celery with {type(broker).__name__} {broker.version()}"

    @property
    def environment(self) -> Mapping[str, str]:
        return {"HOOKLINE_ENGINE": "celery", "CELERY_BROKER_URL": self.broker.url}

    def command(self, number: int) -> list[str]:
        # Mingle only waits a second for other workers.
        options = ["--concurrency", str(self.senders), "--hostname", f"worker{number}@localhost", "--without-mingle"]
        return self._celery("worker", *options)

    @property
    def helpers(self) -> Mapping[str, list[str]]:
        return {"beat": self._celery("beat", "--schedule", "beat-schedule")}

    @staticmethod
    def _celery(*arguments: str) -> list[str]:
        return [sys.executable, "-m", "celery", "-A", "hookline.server.celery", *arguments, "--loglevel", "INFO"]


class Fleets:
    """Makes each fleet, and starts its broker, when a scenario first asks for it; ends all brokers."""

    def __init__(self, directory: Path, stack: ExitStack) -> None:
        self._directory, self._stack = directory, stack
        self._made: dict[str, Fleet] = {"": Fleet()}

    def get(self, broker: str) -> Fleet:
        """The fleet with this broker, one of BROKERS, or without one. Raises NotPossibleHere, RuntimeError."""
        if broker not in self._made:
            if debian.install([f"{broker}-server"]) != 0:
                raise NotPossibleHere(f"{broker} is not installed, and cannot be; see above")
            directory = self._directory / broker
            directory.mkdir()
            made = BROKERS[broker](directory)
            self._stack.callback(made.close)
            start_broker(made)
            self._made[broker] = CeleryFleet(made)
        return self._made[broker]


def start_broker(broker: Broker) -> None:
    """Start it, and wait until it answers. Raises RuntimeError."""
    try:
        broker.start()
    except AssertionError as error:
        raise RuntimeError(str(error)) from error
