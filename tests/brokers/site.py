"""An installation with Celery as its engine: the standalone server, a worker and beat, as processes."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings as django_settings
from django.db import connection
from django.db.models import Q

from hookline.engine.job import State
from hookline.models import Delivery, Event, Message, Tenant
from tests.brokers.brokers import Broker
from tests.databases import POSTGRES_URL
from tests.edges.senders import SECRET, stripe, stripe_event
from tests.edges.servers import Edge
from tests.engine.rows import make_endpoint, make_source
from tests.outgoing.consumer import Consumer
from tests.processes import Process, Processes, unused_port
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]

#: How long a step may take on a machine that is busy with other things. On an idle one each takes a few seconds.
LONG = 60.0


class Site:
    """The processes of one installation on the test's own database."""

    def __init__(self, broker: Broker, consumer: Consumer, processes: Processes) -> None:
        self.broker = broker
        self.consumer = consumer
        self._processes = processes
        database = connection.settings_dict["NAME"]
        self._environment = {
            "DJANGO_SETTINGS_MODULE": "hookline.server.settings",
            "PYTHONPATH": str(ROOT),
            "CELERY_BROKER_URL": broker.url,
            "HOOKLINE_DATABASE_URL": urlsplit(POSTGRES_URL)._replace(path=f"/{database}").geturl(),
            "HOOKLINE_ENCRYPTION_KEYS": ",".join(django_settings.HOOKLINE["ENCRYPTION_KEYS"]),
            "HOOKLINE_SECRET_KEY": "made up, for the tests only",
            "HOOKLINE_PUBLIC_URL": "https://hooks.example.com",
            "HOOKLINE_ENGINE": "celery",
            "HOOKLINE_APPS": "tests.brokers.handlers",
            "HOOKLINE_ALLOWED_SUBNETS": "127.0.0.0/8",
            "HOOKLINE_LEASE": "2",
            "HOOKLINE_DELIVERY_TIMEOUT": "1.5",
            "HOOKLINE_EVENT_RETRY_DELAYS": "1,1,1,1,1",
            "HOOKLINE_DELIVERY_RETRY_DELAYS": "1,1,1,1,1",
        }
        self._beat: Process | None = None
        self._workers = 0
        self.edge = Edge("asgi", unused_port())
        server = processes.hookline("serve", "--port", str(self.edge.port), environment=self._environment)
        self.worker = self._start_worker()
        server.wait_for_output("Hookline listens on", LONG)
        self._wait_for_worker()

    def _celery(self, app: str, *arguments: str) -> Process:
        command = [sys.executable, "-m", "celery", "-A", app, *arguments, "--loglevel", "INFO"]
        return self._processes.start(*command, environment=self._environment)

    def _start_worker(self) -> Process:
        self._workers += 1
        name = f"worker{self._workers}@localhost"
        # Mingle waits a second for other workers. Without gossip, though, an idle worker is slow to notice SIGTERM.
        options = ("--concurrency", "2", "--hostname", name, "--without-mingle")
        return self._celery("hookline.server.celery", "worker", *options)

    def _wait_for_worker(self) -> None:
        self.worker.wait_for_output("ready.", LONG)

    def start_worker(self) -> None:
        self.worker = self._start_worker()
        self._wait_for_worker()

    @contextmanager
    def output_shown(self) -> Iterator[None]:
        """Print what the processes write meanwhile."""
        before = {process.log: len(process.output) for process in self._processes.started}
        try:
            yield
        finally:
            for process in self._processes.started:
                print(f"--- {process} ---\n{process.output[before.get(process.log, 0) :]}")

    def start_beat(self) -> None:
        """From now on there is a sweep each second."""
        if self._beat is None:
            schedule = str(self._processes.directory / "beat")
            self._beat = self._celery("tests.brokers.app", "beat", "--schedule", schedule)

    def stop_beat(self) -> None:
        if self._beat is not None:
            self._beat.stop(LONG)
            self._beat = None

    def send_task(self, name: str) -> None:
        self.broker.app.send_task(name, ignore_result=True)


class Ledger:
    """What was acknowledged for one tenant, to be held against what happened."""

    def __init__(self, site: Site, key: str) -> None:
        self._site = site
        self._path = f"/{key}"
        self._tenant = Tenant.objects.create(key=key)
        self._source = make_source("stripe", SECRET, tenant=self._tenant)
        make_endpoint(site.consumer.url(self._path), tenant=self._tenant)
        self.acknowledged: list[str] = []
        #: The longest that an acknowledgement took, in seconds.
        self.slowest = 0.0

    def post(self, count: int = 1, event_type: str = "invoice.paid") -> str:
        """Post new events. Each must be acknowledged. Returns the id of the last one."""
        for _ in range(count):
            request = stripe(stripe_event(f"evt_{len(self.acknowledged)}", event_type))
            begun = time.monotonic()
            answer = self._site.edge.post(self._source.path, request)
            self.slowest = max(self.slowest, time.monotonic() - begun)
            assert (answer.status, answer.json["status"]) == (200, "accepted")
            self.acknowledged.append(answer.json["id"])
        return self.acknowledged[-1]

    def event(self, public_id: str) -> Event:
        return Event.find(public_id)

    def wait_until_settled(self, timeout: float = LONG) -> None:
        """Wait until every acknowledged event is processed, and its effect delivered."""
        wait_until(self._is_settled, timeout, f"all is settled; left before: {self._left()}")

    def _is_settled(self) -> bool:
        assert self._site.worker.popen.poll() is None, f"{self._site.worker} ended by itself"
        return self._left() == (0, 0)

    def _left(self) -> tuple[int, int]:
        """How many events, and how many deliveries."""
        done = Q(state=State.SUCCEEDED)
        events = Event.objects.filter(done, source=self._source).count()
        deliveries = Delivery.objects.filter(done, endpoint__tenant=self._tenant).count()
        return len(self.acknowledged) - events, len(self.acknowledged) - deliveries

    def check(self) -> Counter[str]:
        """Nothing was lost, and each effect is there once. Returns how often each message was delivered."""
        messages = {message.public_id: message.json["data"]["event"] for message in self._messages()}
        assert sorted(messages.values()) == sorted(self.acknowledged)
        arrivals = [arrival for arrival in self._site.consumer.arrivals if arrival.path == self._path]
        assert all(arrival.genuine for arrival in arrivals)
        delivered = Counter(arrival.id for arrival in arrivals)
        assert set(delivered) == set(messages)
        return delivered

    def _messages(self) -> Any:
        return Message.objects.filter(tenant=self._tenant)
