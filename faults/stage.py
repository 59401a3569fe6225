"""The noun Stage: what a scenario plays on. A server, workers, a consumer, a load, and what is known of them."""

from __future__ import annotations

import base64
import json
import os
import random
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from faults.account import Books, Message
from faults.database import EFFECT_TABLE, Database
from faults.ledger import Reader
from faults.process import Process
from faults.proxy import Proxy

ROOT = Path(__file__).parents[1]
HOOKLINE = str(Path(sys.executable).with_name("hookline"))

#: What may go wrong while the database is being broken.
DATABASE_ERRORS = (psycopg.Error, OSError)


class Unsettled(Exception):
    """Something did not come to rest in time: what, and the ids."""


@dataclass(frozen=True)
class Plan:
    """How a run is made. Durations are seconds."""

    rate: float
    rounds: int
    #: Of the load before the first fault and after the last.
    window: float
    lease: float
    #: HOOKLINE_DELIVERY_TIMEOUT; shorter than the lease.
    timeout: float
    workers: int = 2
    #: HOOKLINE_DELIVERY_CONCURRENCY_PER_ENDPOINT: so many deliveries can be repeated when a worker dies.
    per_endpoint: int = 20
    #: How long the network is broken.
    outage: float = 6.0
    #: Throughput after against before, at the least.
    ratio: float = 0.95
    #: After this a system that has not recovered counts as one that never will.
    patience: float = 120.0

    @property
    def environment(self) -> dict[str, str]:
        """Settings of Hookline. Short leases and retries, so that hundreds of faults fit into minutes."""
        return {
            "HOOKLINE_LEASE": str(self.lease),
            "HOOKLINE_DELIVERY_TIMEOUT": str(self.timeout),
            "HOOKLINE_DELIVERY_CONCURRENCY_PER_ENDPOINT": str(self.per_endpoint),
            "HOOKLINE_POLL": "0.05",
            "HOOKLINE_EVENT_RETRY_DELAYS": ",".join(["1"] * 200),
            "HOOKLINE_DELIVERY_RETRY_DELAYS": ",".join(["1"] * 200),
            "HOOKLINE_ALLOWED_SUBNETS": "127.0.0.0/8",
            "HOOKLINE_APPS": "faults.handlers",
        }


@dataclass(frozen=True)
class Keys:
    """Made once for a run, so that databases can be copied."""

    stripe: str = field(default_factory=lambda: f"whsec_{secrets.token_hex(16)}")
    endpoint: str = field(default_factory=lambda: "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode())
    encryption: str = field(default_factory=lambda: "k1:" + base64.b64encode(secrets.token_bytes(32)).decode())


class Stage:
    def __init__(self, directory: Path, database: Database, proxy: Proxy, keys: Keys, plan: Plan) -> None:
        self.directory, self.database, self.proxy, self.keys, self.plan = directory, database, proxy, keys, plan
        self.random = random.Random()
        self.port = free_port()
        self.workers: dict[int, Process] = {}
        self.server: Process
        self._consumer: Process
        self._load: Process | None = None
        self._started = 0
        #: What was started and not waited for yet, and what it writes when it works.
        self._launched: list[tuple[Process, str]] = []
        self._clocks: dict[int, float] = {}
        self._sender, self._consumed = Reader(directory / "sender.jsonl"), Reader(directory / "consumer.jsonl")
        self.sender: list[dict[str, Any]] = []
        self.consumed: list[dict[str, Any]] = []
        #: Processes that ended although nobody killed them.
        self.deserters: list[str] = []

    # Processes

    def open(self) -> None:
        """Start everything and the load. Raises RuntimeError."""
        self.database.fresh(self._prepare)
        secret = {"FAULTS_SECRET": self.keys.endpoint}
        command = [sys.executable, "-m", "faults.consumer", str(self.directory / "consumer.jsonl")]
        self._consumer = self._start("consumer", command, secret)
        self.proxy.upstream = int(self._consumer.wait_for("listening on"))
        self.start_all()
        path = self.database.rows("SELECT token FROM hookline_source")[0][0]
        url = f"http://127.0.0.1:{self.port}/in/{path}"
        ledger = str(self.directory / "sender.jsonl")
        command = [sys.executable, "-m", "faults.load", url, ledger, str(self.plan.rate)]
        self._load = self._start("load", command, {"FAULTS_SECRET": self.keys.stripe})
        self._load.wait_for("sending")

    def close(self) -> None:
        """Kill what still runs."""
        for process in (self._load, getattr(self, "server", None), getattr(self, "_consumer", None)):
            if process is not None:
                process.kill()
        for worker in self.workers.values():
            worker.kill()

    def start_all(self) -> None:
        """Start the server and all workers at the same time, and wait for all."""
        self.launch_server()
        for number in range(self.plan.workers):
            self.launch_worker(number)
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
            process.wait_for(text)

    def launch_server(self, point: str = "") -> None:
        """Start the server without waiting. With a point it will die there, perhaps before it listens."""
        command = [HOOKLINE, "serve", "--no-worker", "--port", str(self.port)]
        self.server = self._start("server", command, {"FAULTS_POINT": point})
        if not point:
            self._launched.append((self.server, "Hookline listens"))

    def launch_worker(self, number: int, point: str = "", clock: float = 0.0) -> None:
        """Start a worker without waiting. With a point it will die there."""
        shift = self._clocks.setdefault(number, clock)
        environment = {
            "FAULTS_WORKER": str(number),
            "FAULTS_TALLY": str(self._tally(number)),
            "FAULTS_POINT": point,
            # Both ways of processing are under test: an event per transaction, and many.
            "HOOKLINE_EVENTS_PER_TRANSACTION": "1" if number % 2 == 0 else "10",
        }
        if shift:
            paths = [str(ROOT / "faults" / "clock"), self._environment()["PYTHONPATH"]]
            environment |= {"PYTHONPATH": os.pathsep.join(paths), "FAULTS_CLOCK": str(shift)}
        self.workers[number] = self._start(f"worker-{number}", [HOOKLINE, "worker"], environment)
        if not point:
            self._launched.append((self.workers[number], "Hookline works"))

    def check_nobody_left(self) -> None:
        """Note a process that ended by itself, and replace it as a supervisor would."""
        if self.server.ended is not None:
            self.deserters.append(f"the server ended by itself with {self.server.ended}; see {self.server.log}")
            self.start_server()
        for number, worker in list(self.workers.items()):
            if worker.ended is not None:
                self.deserters.append(f"worker {number} ended by itself with {worker.ended}; see {worker.log}")
                self.start_worker(number)

    def stop_load(self) -> None:
        """Send nothing new, and wait until everything that was sent is acknowledged."""
        assert self._load is not None
        self._load.send(signal.SIGTERM)
        try:
            self._load.wait(self.plan.patience)
        except subprocess.TimeoutExpired:
            self._load.kill()  # the account names what was never acknowledged

    def _start(self, name: str, command: list[str], environment: dict[str, str]) -> Process:
        self._started += 1
        log = self.directory / f"{self._started:03d}-{name}.log"
        return Process(command, {**self._environment(), **environment}, log)

    def _environment(self) -> dict[str, str]:
        paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
        return {
            **self.plan.environment,
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            "HOOKLINE_DATABASE_URL": self.database.url,
            "HOOKLINE_SECRET_KEY": "made-up-for-the-kill-tests",
            "HOOKLINE_ENCRYPTION_KEYS": self.keys.encryption,
        }

    def _prepare(self) -> None:
        """Tables, the source and the endpoint."""
        url = f"http://127.0.0.1:{self.proxy.port}/hook"
        for arguments in (
            ["migrate"],
            ["source", "create", "--provider", "stripe", "--secret", self.keys.stripe, "--json"],
            ["endpoint", "create", "--url", url, "--secret", self.keys.endpoint, "--json"],
        ):
            self._start("prepare", [HOOKLINE, *arguments], {"HOOKLINE_APPS": ""}).wait(60)
        self.database.rows(EFFECT_TABLE)
        if self.database.name == "PostgreSQL":
            self.database.rows("ALTER TABLE faults_effect OWNER TO hookline")

    def _tally(self, number: int) -> Path:
        return self.directory / f"recorded-by-{number}"

    # What is known

    def look(self) -> None:
        """Read what the ledgers say since the last look."""
        self.sender += self._sender.read()
        self.consumed += self._consumed.read()

    def unacknowledged(self, older: float) -> int:
        """Events that were sent more than so many seconds ago, and not acknowledged yet."""
        self.look()
        done = {entry["id"] for entry in self.sender if entry["what"] in ("accepted", "duplicate")}
        since = time.time() - older
        return sum(e["what"] == "sent" and e["at"] < since and e["id"] not in done for e in self.sender)

    def acknowledged_since(self, moment: float) -> bool:
        self.look()
        return any(e["what"] == "accepted" and e["at"] > moment for e in reversed(self.sender[-2000:]))

    def unfinished(self, older: float) -> int:
        """Events and deliveries of more than so many seconds ago that are not done. Raises DATABASE_ERRORS."""
        waiting = "(SELECT count(*) FROM hookline_{} WHERE state IN ('pending', 'running') AND created_at < {})"
        ago = self.database.ago.format(f"{older:.3f}")
        sql = f"SELECT {waiting.format('event', ago)} + {waiting.format('delivery', ago)}"
        return int(self.database.rows(sql)[0][0])

    def wait_recovered(self, since: float) -> float:
        """Wait until webhooks are acknowledged, and nothing from before `since` nor older than a second waits.

        Returns seconds after `since`.

        `since` is Unix time: when the fault ended. Raises Unsettled.
        """
        self._wait(lambda: self.acknowledged_since(since), "new webhooks are acknowledged")
        # What the fault caught under way may be younger than a second when it is over, and still wait for its lease.
        self._wait(
            lambda: self.unfinished(min(1.0, time.time() - since)) == 0,
            "events and deliveries are done within a second",
        )
        return time.time() - since

    def wait_calm(self) -> None:
        """Wait until senders have no backlog of their own either. Raises Unsettled."""
        self._wait(lambda: self.unacknowledged(1.0) == 0, "all that was sent is acknowledged")
        self._wait(lambda: self.unfinished(1.0) == 0, "events and deliveries are done within a second")

    def wait_settled(self) -> None:
        """Wait until nothing at all is left to do. Raises Unsettled."""
        self._wait(lambda: self.unfinished(0.0) == 0, "all events and deliveries are done")

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

    def rates(self, seconds: float) -> dict[str, float]:
        """Watch the load for so long. Per second: acknowledged, in effect, delivered."""
        start = time.time()
        time.sleep(seconds)
        end = time.time()
        # What was sent in the window, counted a little later: everything of it that keeps up is done by then.
        time.sleep(0.5)
        self.look()
        taken = self.database.rows(f"SELECT count(*) FROM faults_effect WHERE at >= {start} AND at < {end}")
        return {
            "acknowledged": sum(e["what"] == "accepted" and start <= e["at"] < end for e in self.sender) / seconds,
            "in effect": taken[0][0] / seconds,
            "delivered": sum(e["what"] == "consumed" and start <= e["at"] < end for e in self.consumed) / seconds,
        }

    def activity(self) -> dict[int, tuple[int, int]]:
        """For each worker how many effects it made and how many deliveries it recorded so far."""
        made = dict(self.database.rows("SELECT worker, count(*) FROM faults_effect GROUP BY worker"))
        tallies = {number: self._tally(number) for number in self.workers}
        return {
            number: (made.get(str(number), 0), tally.stat().st_size if tally.exists() else 0)
            for number, tally in tallies.items()
        }

    def books(self) -> Books:
        """Everything that is known at the end."""
        self.look()
        messages = self.database.rows(
            "SELECT m.body, d.state, d.attempts FROM hookline_message m "
            "LEFT JOIN hookline_delivery d ON d.message_id = m.id"
        )
        return Books(
            sender=self.sender,
            consumer=self.consumed,
            events=[(row[0], row[1]) for row in self.database.rows("SELECT provider_id, state FROM hookline_event")],
            effects=[event for (event,) in self.database.rows("SELECT event FROM faults_effect")],
            messages=[
                Message(json.loads(bytes(body))["data"]["event"], state or "", claims or 0)
                for body, state, claims in messages
            ],
        )


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
