"""Stage: what one scenario runs: a database, a server, a fleet of workers, a consumer and a load."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from faults.database import TABLES, TRIGGER, Database
from faults.exceptions import Unsettled
from faults.facts import DATABASE_ERRORS, Facts
from faults.fleet import HOOKLINE, Fleet
from faults.plan import Keys, Plan
from faults.process import Process
from faults.proxy import Proxy

ROOT = Path(__file__).parents[1]
#: The uid of the only endpoint.
ENDPOINT = "consumer"


class Stage:
    def __init__(
        self, directory: Path, database: Database, fleet: Fleet, proxy: Proxy, *, keys: Keys, plan: Plan
    ) -> None:
        self.directory, self.database, self.fleet, self.proxy = directory, database, fleet, proxy
        self.keys, self.plan = keys, plan
        self.facts, proxy.met = Facts(directory, database, ordered=plan.ordered), 0
        self.random = random.Random()
        self.port = free_port()
        self.workers: dict[int, Process] = {}
        self.server: Process
        self.helpers: dict[str, Process] = {}
        self._consumer: Process
        #: Webhooks, and messages that are posted.
        self._loads: list[Process] = []
        #: Every process that was ever started.
        self._started: list[Process] = []
        #: What was started and not waited for yet, and what it writes when it works.
        self._launched: list[tuple[Process, str]] = []
        self._clocks: dict[int, float] = {}
        #: Processes that ended although nobody killed them.
        self.deserters: list[str] = []

    # Processes

    @property
    def working(self) -> list[int]:
        """The numbers of those that process events and deliver messages."""
        return list(self.workers) or [0]

    def open(self) -> None:
        """Start everything and the load. Raises RuntimeError."""
        self.database.fresh(self._prepare)
        if self.plan.ordered:  # the pattern that databases are copied from serves every scenario
            self.database.rows("UPDATE hookline_source SET order_by = '$.customer'")
            self.database.rows("UPDATE hookline_endpoint SET order_by = '$.data.customer'")
        if self.plan.forwarded:  # as above
            self._forward()
        secret = {"FAULTS_SECRET": self.keys.endpoint}
        command = [sys.executable, "-m", "faults.consumer", str(self.facts.consumer_ledger)]
        self._consumer = self._start("consumer", command, secret)
        self.proxy.upstream = int(self._consumer.wait_for("listening on"))
        self.start_all()
        path = self.database.rows("SELECT token FROM hookline_source")[0][0]
        url = f"http://127.0.0.1:{self.port}/in/{path}"
        command = [sys.executable, "-m", "faults.load", url, str(self.facts.sender_ledger), str(self.plan.rate)]
        self._loads.append(self._start("load", command, {"FAULTS_SECRET": self.keys.stripe}))
        url = f"http://127.0.0.1:{self.port}/api/v1/app/default/msg"
        command = [sys.executable, "-m", "faults.posts", url, str(self.facts.poster_ledger), str(self.plan.posts)]
        self._loads.append(self._start("posts", command, {"FAULTS_API_KEY": self.keys.api}))
        for load in self._loads:
            load.wait_for("sending")

    def close(self) -> None:
        """Kill what still runs."""
        for process in reversed(self._started):
            process.kill()

    def start_all(self) -> None:
        """Start the server and the whole fleet at the same time, and wait for all."""
        self.launch_server()
        for number in range(self.plan.workers):
            self.launch_worker(number)
        for name in self.fleet.helpers:
            self.launch_helper(name)
        self.wait_started()

    def start_server(self) -> None:
        """Start the server, and wait until it listens."""
        self.launch_server()
        self.wait_started()

    def start_worker(self, number: int, clock: float = 0.0) -> None:
        """Start a worker, and wait until it works. `clock`: by how many seconds its clock is wrong, from now on."""
        self.launch_worker(number, clock=clock)
        self.wait_started()

    def wait_started(self) -> None:
        """Wait until all that was launched works. Raises RuntimeError."""
        while self._launched:
            process, text = self._launched.pop()
            if process in (self.server, *self.workers.values()):  # not killed and replaced meanwhile
                process.wait_for(text)

    def launch_server(self, point: str = "", *, alone: bool = False) -> None:
        """Start the server without waiting. With a point it will die there, perhaps before it listens; or, `alone`, one
        of its processes."""
        command = [HOOKLINE, "serve", "--port", str(self.port)]
        environment = self._doom("server", point, alone=alone)
        if self.plan.workers:
            command.append("--no-worker")
        else:
            environment |= {"FAULTS_WORKER": "0", "FAULTS_TALLY": str(self.facts.tally(0))}
        self.server = self._start("server", command, environment)
        if not point:
            self._launched.append((self.server, "Hookline listens"))

    def launch_worker(self, number: int, point: str = "", *, alone: bool = False, clock: float = 0.0) -> None:
        """Start a worker without waiting. With a point it will die there; or, `alone`, a process of its pool."""
        shift = self._clocks.setdefault(number, clock)
        environment = {
            "FAULTS_WORKER": str(number),
            "FAULTS_TALLY": str(self.facts.tally(number)),
            **self._doom(f"worker-{number}", point, alone=alone),
            # Both ways of processing are under test: an event per transaction, and many.
            "HOOKLINE_EVENTS_PER_TRANSACTION": "1" if number % 2 == 0 else str(self.plan.together),
        }
        if shift:
            paths = [str(ROOT / "faults" / "clock"), self._environment()["PYTHONPATH"]]
            environment |= {"PYTHONPATH": os.pathsep.join(paths), "FAULTS_CLOCK": str(shift)}
        self.workers[number] = self._start(f"worker-{number}", self.fleet.command(number), environment)
        if not point:
            self._launched.append((self.workers[number], self.fleet.ready))

    def died_at_point(self, number: int) -> bool:
        """Whether the worker, or a process of its pool, has died at the point that it was last launched with."""
        return self.died_at(f"worker-{number}")

    def died_at(self, name: str) -> bool:
        """The same of any process by its name, such as `server`."""
        return self._grave(name).exists()

    def _doom(self, name: str, point: str, *, alone: bool = False) -> dict[str, str]:
        """What makes a process die at a point; see faults.points."""
        grave = self._grave(name)
        if point:
            grave.unlink(missing_ok=True)
        return {"FAULTS_POINT": point, "FAULTS_GRAVE": str(grave)} | ({"FAULTS_ALONE": "1"} if alone else {})

    def _grave(self, name: str) -> Path:
        return self.directory / f"grave-of-{name}"

    def launch_helper(self, name: str) -> None:
        """Start what else the fleet needs, without waiting."""
        self.helpers[name] = self._start(name, self.fleet.helpers[name], {})

    def check_nobody_left(self) -> None:
        """Note a process that ended by itself, and replace it as a supervisor would."""
        if self.server.ended is not None:
            self.deserters.append(f"the server ended by itself with {self.server.ended}; see {self.server.log}")
            self.start_server()
        for name, helper in self.helpers.items():
            if helper.ended is not None:
                self.deserters.append(f"{name} ended by itself with {helper.ended}; see {helper.log}")
                self.launch_helper(name)
        for number, worker in list(self.workers.items()):
            if worker.ended is not None:
                self.deserters.append(f"worker {number} ended by itself with {worker.ended}; see {worker.log}")
                self.start_worker(number)

    def said(self, text: str) -> int:
        """How often the text was written by any process."""
        return sum(process.said(text) for process in self._started)

    def stop_load(self) -> None:
        """Send nothing new, and wait until everything that was sent is acknowledged."""
        for load in self._loads:
            load.send(signal.SIGTERM)
        for load in self._loads:
            try:
                load.wait(self.plan.patience)
            except subprocess.TimeoutExpired:
                load.kill()  # the account names what was never acknowledged

    def command(self, *arguments: str) -> None:
        """Run a command of Hookline's, and wait for its end."""
        self._start("command", [HOOKLINE, *arguments], {"HOOKLINE_APPS": ""}).wait(60)

    def _start(self, name: str, command: list[str], environment: dict[str, str]) -> Process:
        log = self.directory / f"{len(self._started) + 1:03d}-{name}.log"
        process = Process(command, {**self._environment(), **environment}, log)
        self._started.append(process)
        return process

    def _environment(self) -> dict[str, str]:
        paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
        return {
            **self.plan.environment,
            **self.fleet.environment,
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            "FAULTS_AFFLICTED": str(self.directory),
            "HOOKLINE_DATABASE_URL": self.database.url,
            "HOOKLINE_SECRET_KEY": "made-up-for-the-kill-tests",
            "HOOKLINE_ENCRYPTION_KEYS": self.keys.encryption,
            "HOOKLINE_API_KEY": self.keys.api,
        }

    def _prepare(self) -> None:
        """Tables, the source and the endpoint."""
        url = f"http://127.0.0.1:{self.proxy.port}/hook"
        for arguments in (
            ["migrate"],
            ["source", "create", "--provider", "stripe", "--secret", self.keys.stripe, "--json"],
            ["endpoint", "create", "--url", url, "--secret", self.keys.endpoint, "--uid", ENDPOINT, "--json"],
        ):
            self._start("prepare", [HOOKLINE, *arguments], {"HOOKLINE_APPS": ""}).wait(60)
        for table, statement in TABLES.items():
            self.database.rows(statement)
            if self.database.name == "PostgreSQL":
                self.database.rows(f"ALTER TABLE {table} OWNER TO hookline")
        if self.database.name == "PostgreSQL":
            self.database.rows(TRIGGER)

    def _forward(self) -> None:
        """Have what the source receives sent on to the endpoint."""
        commands = [[HOOKLINE, noun, "list", "--json"] for noun in ("source", "endpoint")]
        environment = {**os.environ, **self._environment(), "HOOKLINE_APPS": ""}
        listed = [subprocess.run(one, env=environment, capture_output=True, check=True, timeout=60) for one in commands]
        source, endpoint = (json.loads(one.stdout)[0]["id"] for one in listed)
        command = [HOOKLINE, "source", "forward", source, "--to", endpoint]
        self._start("prepare", command, {"HOOKLINE_APPS": ""}).wait(60)

    # What handlers do

    def afflict(self, how: str, events: Sequence[str]) -> None:
        """Have the handlers of these events end their process (`poison`) or hang (`hang`), until none are named."""
        written = self.directory / f"{how}.new"
        written.write_text("\n".join(events))
        written.replace(self.directory / how)

    # Waiting

    def wait_for(self, condition: Callable[[], bool], what: str) -> None:
        """Raises Unsettled when it does not come true."""
        self._wait(condition, what)

    def wait_recovered(self, since: float) -> float:
        """Wait until webhooks are acknowledged, and nothing from before `since` nor older than a second waits.

        Returns seconds after `since`.

        `since` is Unix time: when the fault ended. Raises Unsettled.
        """
        self._wait(lambda: self.facts.acknowledged_since(since), "new webhooks are acknowledged")
        # What the fault caught under way may be younger than a second when it is over, and still wait for its lease.
        self._wait(
            lambda: self.facts.unfinished(min(1.0, time.time() - since)) == 0,
            "events and deliveries are done within a second",
        )
        return time.time() - since

    def wait_calm(self) -> None:
        """Wait until senders have no backlog of their own either. Raises Unsettled."""
        self._wait(lambda: self.facts.unacknowledged(1.0) == 0, "all that was sent is acknowledged")
        self._wait(lambda: self.facts.unfinished(1.0) == 0, "events and deliveries are done within a second")

    def wait_settled(self) -> None:
        """Wait until nothing at all is left to do. Raises Unsettled."""
        self._wait(lambda: self.facts.unfinished(0.0) == 0, "all events and deliveries are done")

    def _wait(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + self.plan.patience
        while True:
            self.check_nobody_left()
            try:
                if condition():
                    return
            except DATABASE_ERRORS as error:
                if time.monotonic() > deadline:
                    raise Unsettled(f"the database did not come back: {error}") from error
            if time.monotonic() > deadline:
                raise Unsettled(f"waited {self.plan.patience:.0f} s in vain until {what}")
            time.sleep(0.1)


def free_port() -> int:
    """A free port that the system does not take for outgoing connections: a restarted server needs it again."""
    while True:
        port = random.randint(20_000, 30_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
